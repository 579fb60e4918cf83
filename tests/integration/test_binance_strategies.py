"""Strategies of the settings trade on the simulated Binance, over the real SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.app.examples.market_maker import MarketMaker
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.constants import Status
from foxtrot.model.events import EVENT_LOG, EVENT_ORDER, EVENT_TRADE, Event
from foxtrot.model.objects import LogData, OrderData
from foxtrot.simulator.accounts import Side
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET
from foxtrot.simulator.listings import E8
from tests.support.events import EventLog

MAKER = "foxtrot.app.examples.market_maker:MarketMaker"


@pytest.fixture
def venue() -> Iterator[SimulatedBinance]:
    """A venue with a market that moves."""
    venue = SimulatedBinance(["ETHUSDT"], rate_hz=50, seed=1)
    with SimulatedBinanceThread(venue):
        yield venue


def engine_with(path: Path, **maker: object) -> MainEngine:
    """An engine whose settings hold one strategy that quotes."""
    entry = {"class": MAKER, "name": "maker", "symbols": ["ETHUSDT.BINANCE"], **maker}
    return MainEngine(settings={"journal.directory": str(path), "strategies": [entry]})


def start(engine: MainEngine, venue: SimulatedBinance, path: Path) -> MarketMaker:
    """Connect, and start the strategy; its keys are where the settings would have them."""
    setting = {
        "environment": "simulated",
        "rest_url": venue.rest_url,
        "websocket_url": venue.websocket_url,
    }
    for field, value in (("api_key", SIMULATED_KEY), ("secret", SIMULATED_SECRET)):
        file = path / field
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        file.write_text(value)
        setting[field] = f"file:{file}"
    engine.add_adapter(BinanceAdapter)
    engine.connect(setting, "BINANCE")
    (strategy,) = engine.load_strategies()
    assert isinstance(strategy, MarketMaker)
    return strategy


def wait_two(seen: EventLog, status: Status) -> None:
    """Wait until the two quotes have both been in this state."""

    def choose(events: list[Event]) -> list[Event]:
        orders = [each for each in events if getattr(each.data, "status", None) is status]
        return orders if len({each.topic for each in orders}) == 2 else []

    seen.wait_until(choose)


def test_a_strategy_trades_and_leaves_nothing_behind(
    venue: SimulatedBinance, tmp_path: Path
) -> None:
    """Its position is what the venue says it traded; at the end no order of its own is open."""
    with engine_with(tmp_path, params={"distance": 0.000005, "tolerance": 0.00002}) as engine:
        seen = EventLog(engine.event_engine, EVENT_TRADE, EVENT_LOG)
        maker = start(engine, venue, tmp_path)
        seen.wait_type(EVENT_TRADE)
        told = seen.wait_type(EVENT_LOG, where=lambda each: "at " in getattr(each, "msg", ""))
        assert isinstance(told, LogData)
        assert told.adapter_name == "maker"
    (account,) = venue.accounts.values()
    assert account.open_orders == []
    assert len(engine.get_all_trades()) == len(account.fills)
    signs = {Side.BUY: 1, Side.SELL: -1}
    traded_e8 = sum(signs[fill.side] * fill.quantity_e8 for fill in account.fills)
    assert maker.pos == traded_e8 / E8


def test_halt_takes_its_orders_off_the_venue(venue: SimulatedBinance, tmp_path: Path) -> None:
    """What it sends afterwards is refused in words, and nothing of it reaches the venue."""
    with engine_with(tmp_path, params={"distance": 0.01, "tolerance": 0.01}) as engine:
        seen = EventLog(engine.event_engine, EVENT_ORDER)
        maker = start(engine, venue, tmp_path)
        wait_two(seen, Status.NOTTRADED)
        engine.halt("a person said so")
        wait_two(seen, Status.CANCELLED)
        (account,) = venue.accounts.values()
        before = len(account.received)
        since = len(seen)
        maker.buy(1.0, 1.0)
        refused = seen.wait_type(
            EVENT_ORDER, since=since, where=lambda each: getattr(each, "price", 0.0) == 1.0
        )
        assert isinstance(refused, OrderData)
        assert refused.reason.startswith("local:halted: a person said so")
        assert len(account.received) == before


def test_a_limit_of_the_settings_holds(venue: SimulatedBinance, tmp_path: Path) -> None:
    """The venue sees one order where the strategy asked for two."""
    limits = {"max_open_orders": 1}
    wide = {"distance": 0.01, "tolerance": 0.01}
    with engine_with(tmp_path, params=wide, risk=limits) as engine:
        seen = EventLog(engine.event_engine, EVENT_ORDER)
        start(engine, venue, tmp_path)
        refused = seen.wait_type(
            EVENT_ORDER, where=lambda each: "risk" in getattr(each, "reason", "")
        )
        assert isinstance(refused, OrderData)
        assert refused.reason == (
            "local:risk_open_orders: 1 of this strategy are open, the limit is 1"
        )
    (account,) = venue.accounts.values()
    assert account.open_orders == []
