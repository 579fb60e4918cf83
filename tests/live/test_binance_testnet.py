"""Binance's testnet, through the internet and the unmodified client; no key is needed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from foxtrot import EVENT_TICK, Exchange, HistoryRequest, MainEngine, SubscribeRequest
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_CONNECTION
from foxtrot.model.objects import TickData
from tests.live.cut import Cut
from tests.support.events import EventLog
from tests.support.rig import eventually

pytestmark = pytest.mark.timeout(180)
LONG_S = 60.0
BTC = SubscribeRequest("BTCUSDT", Exchange.BINANCE)
TESTNET = {"environment": "testnet"}


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    """An engine with the adapter."""
    with MainEngine() as engine:
        engine.add_adapter(BinanceAdapter)
        yield engine


def test_ten_updates_and_an_unsubscribe(engine: MainEngine) -> None:
    """Ticks come; after unsubscribing, and one of another symbol to be sure, none do."""
    log = EventLog(engine.event_engine, EVENT_TICK)
    engine.subscribe(BTC, "BINANCE")
    engine.connect(TESTNET, "BINANCE")
    ticks = [event.data for event in log.wait_count(10, LONG_S)]
    assert all(isinstance(tick, TickData) and tick.bid_price_1 > 0 for tick in ticks)
    engine.unsubscribe(BTC, "BINANCE")
    eventually(lambda: not engine.adapter("BINANCE").health().streams, "nothing is wanted", LONG_S)
    engine.subscribe(SubscribeRequest("ETHUSDT", Exchange.BINANCE), "BINANCE")
    log.wait_type(EVENT_TICK, LONG_S, where=lambda tick: tick.symbol == "ETHUSDT")
    since = len(log)
    log.wait_count(since + 5, LONG_S)
    assert {event.data.symbol for event in log.items[since:]} == {"ETHUSDT"}


def test_history(engine: MainEngine) -> None:
    """A day of minutes comes over several pages, without a bar twice."""
    engine.connect(TESTNET, "BINANCE")
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    bars = engine.query_history(HistoryRequest("BTCUSDT", Exchange.BINANCE, start), "BINANCE")
    assert len({bar.datetime for bar in bars}) == len(bars) > 1_000


def test_a_cut_line_comes_back(engine: MainEngine) -> None:
    """The line to the streams is cut in the middle; the adapter is back and ticks go on."""
    log = EventLog(engine.event_engine)
    with Cut("stream.testnet.binance.vision", 443) as line:
        engine.subscribe(BTC, "BINANCE")
        setting = {
            **TESTNET,
            "allow_custom_endpoints": "true",
            "websocket_url": f"ws://127.0.0.1:{line.port}/ws",
        }
        engine.connect(setting, "BINANCE")
        log.wait_type(EVENT_TICK, LONG_S)
        since = len(log)
        line.cut()
        log.wait_type(EVENT_CONNECTION, LONG_S, since=since, where=lambda s: s.state is S.READY)
        log.wait_type(EVENT_TICK, LONG_S, since=len(log))
        engine.adapter("BINANCE").close()
