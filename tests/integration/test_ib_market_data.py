"""IB's streams at the simulated gateway: all four kinds, refused, lost, dead, polled, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.model.constants import Channel, ConnectionState, Mode, StreamState
from foxtrot.model.events import EVENT_BAR, EVENT_TICK
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, TickData
from foxtrot.simulator.ib import IbLimits
from tests.support.ib_venue import IbUnderTest
from tests.support.rig import SHORT, Rig, running

AAPL, MSFT = "AAPL-USD-STK", "MSFT-USD-STK"


@pytest.fixture
def house() -> Iterator[IbUnderTest]:
    """It listens; in the end, no client broke a rule of it."""
    house = IbUnderTest(rate_hz=20.0, limits=IbLimits())
    house.start()
    try:
        yield house
        assert house.sim.violations == []
    finally:
        house.stop()


@pytest.fixture
def rig(house: IbUnderTest) -> Iterator[Rig]:
    """Connected, with all four channels of one stock and the ticks of another."""
    flags = {"liveness.stream_idle_s": 1.0}
    with running(house, flags, replace(SHORT, stream_look_s=0.1)) as rig:
        rig.subscribe(AAPL, *Channel)
        rig.subscribe(MSFT)
        rig.connect()
        rig.wait_state(ConnectionState.READY)
        yield rig


def wait_tick(rig: Rig, symbol: str) -> TickData:
    """The next tick."""
    event = rig.log.wait_for(
        lambda event: event.type == EVENT_TICK and event.data.symbol == symbol,  # type: ignore[attr-defined]
        since=len(rig.log),
    )
    assert isinstance(event.data, TickData)
    return event.data


def test_every_channel_flows(rig: Rig) -> None:
    """Ticks with the levels of the book, books, prints with the exchange's time, and bars."""
    for kind in (DepthData, MarketTradeData, BarData):
        rig.log.wait_for(lambda event, kind=kind: isinstance(event.data, kind))  # type: ignore[misc]
    rig.log.wait_for(lambda event: isinstance(event.data, TickData) and event.data.bids != ())
    tick = wait_tick(rig, AAPL)
    assert 0.0 < tick.bid_price_1 <= tick.ask_price_1
    assert tick.volume > 0.0
    print_ = rig.log.wait_for(lambda event: isinstance(event.data, MarketTradeData)).data
    assert isinstance(print_, MarketTradeData)
    assert abs(print_.ts_event_ns - print_.ts_recv_ns) < 5_000_000_000
    assert rig.adapter.health().malformed == rig.adapter.health().rejected == 0


def test_one_refused_stream_leaves_the_others(house: IbUnderTest) -> None:
    """Data that the account has not paid for: the user reads why, and the rest flows."""
    house.sim.streams.unsubscribed.add("MSFT")
    with running(house) as rig:
        rig.subscribe(AAPL)
        rig.subscribe(MSFT)
        rig.connect()
        status = rig.wait_stream(MSFT, StreamState.FAILED)
        assert "354" in status.reason
        assert "subscribe" in status.reason
        assert wait_tick(rig, AAPL)


def test_all_streams_come_back_when_tws_has_lost_them(house: IbUnderTest, rig: Rig) -> None:
    """1100, then 1101: every stream is asked for again on the same connection."""
    wait_tick(rig, AAPL)
    since, connections = len(rig.log), house.sim.seen.connections
    house.faults.inject("notice", code=1100)
    rig.wait_stream(AAPL, StreamState.STALE, since=since)
    house.faults.inject("notice", code=1101)
    rig.wait_stream(AAPL, StreamState.ACTIVE, since=since)
    rig.wait_stream(MSFT, StreamState.ACTIVE, since=since)
    bars = len(rig.log)
    rig.log.wait_for(lambda event: event.type == EVENT_BAR, since=bars)
    websocket = [c for c in rig.adapter.health().sessions if c.name == Mode.WEBSOCKET.value]
    assert websocket[0].reconnects == 0
    assert house.sim.seen.connections - connections <= 1  # the one that polled meanwhile


@pytest.mark.parametrize("data_lost", [False, True])
def test_a_farm_that_fails_and_comes_back(house: IbUnderTest, rig: Rig, data_lost: bool) -> None:
    """Its streams are stale meanwhile, and flow again though TWS may have dropped them."""
    wait_tick(rig, AAPL)
    since = len(rig.log)
    house.faults.inject("farm_down", rest=data_lost)
    status = rig.wait_stream(AAPL, StreamState.STALE, since=since)
    assert "2103" in status.reason
    house.faults.clear("farm_down")
    rig.wait_stream(AAPL, StreamState.ACTIVE, since=since)
    assert wait_tick(rig, AAPL)


def test_a_stream_that_dies_in_silence_is_found(house: IbUnderTest, rig: Rig) -> None:
    """The market moves and one stream stands still: a snapshot shows it."""
    wait_tick(rig, MSFT)
    since = len(rig.log)
    house.faults.inject("drop_stream", symbol="MSFT", channel="market_data")
    rig.wait_stream(MSFT, StreamState.STALE, since=since)
    house.faults.clear("drop_stream")
    rig.wait_stream(MSFT, StreamState.ACTIVE, since=since)


def test_ticks_and_bars_can_be_polled(house: IbUnderTest) -> None:
    """With the websocket switched off, snapshots and requests bring them."""
    with running(house, {"websocket.enabled": False}) as rig:
        rig.subscribe(AAPL, Channel.TICK, Channel.BAR)
        rig.connect()
        rig.log.wait_for(lambda event: event.type == EVENT_BAR)
        assert wait_tick(rig, AAPL).bid_price_1 > 0.0
        modes = {status.mode for status in rig.adapter.health().streams}
        assert modes == {Mode.POLLING}
