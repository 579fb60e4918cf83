"""The example strategy, fed by hand."""

from __future__ import annotations

from foxtrot.app.examples.trend_watcher import TrendWatcher
from foxtrot.engine.main_engine import MainEngine
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.registry import adapter_class
from foxtrot.model.constants import Exchange
from foxtrot.model.events import EVENT_LOG, EVENT_TICK, Event
from foxtrot.model.objects import LogData, Source, TickData

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE")


def words(prices: list[float]) -> list[str]:
    """What the strategy says when the mid price goes this way."""
    told: list[str] = []

    def listen(event: Event) -> None:
        entry = event.data
        assert isinstance(entry, LogData)
        told.append(entry.msg)

    with MainEngine() as engine:
        venue: type[BaseAdapter] = adapter_class("binance")
        engine.add_adapter(venue)
        engine.register(EVENT_LOG, listen)
        engine.add_strategy(TrendWatcher, "TrendWatcher", ["BTCUSDT.BINANCE"])
        for price in prices:
            tick = TickData(SOURCE, 0, 1, price, 1.0, price - 1, 1.0, price + 1, 1.0)
            # Without a lane of its own nothing is conflated.
            engine.event_engine.put(Event(EVENT_TICK, tick, tick.vt_symbol))
        assert engine.event_engine.drain(5.0)
        assert engine.health().engine.handler_errors == 0
    return told


def test_a_turn_is_told_once() -> None:
    """A price that rises and then falls is told as one turn up and one down."""
    up = [100.0 + n / 10 for n in range(200)]
    told = words(up + up[::-1])
    assert told[0] == "watching 1 symbol"
    assert [text.split(" at ")[0] for text in told[1:]] == [
        "BTCUSDT turns up",
        "BTCUSDT turns down",
    ]


def test_a_flat_price_is_no_trend() -> None:
    """A market that does not move is not commented."""
    assert words([100.0] * 300) == ["watching 1 symbol"]
