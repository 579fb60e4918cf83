"""Futu's streams at the simulated OpenD: all four kinds, refused, lost, garbled, polled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest

from foxtrot import MainEngine, SubscribeRequest
from foxtrot.adapter.futu.adapter import FutuAdapter
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Channel, ConnectionState, Exchange, Mode, StreamState
from foxtrot.model.health import StreamStatus
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, TickData
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from tests.support.events import EventLog
from tests.support.futu_venue import running_futu
from tests.support.rig import QUICK, SHORT, WAIT_S, eventually

Where = Callable[[object], bool]


class House:
    """An OpenD whose market moves, and an engine with the adapter.

    Args:
        sim: The OpenD.
        engine: Not connected yet.
    """

    def __init__(self, sim: SimulatedFutu, engine: MainEngine) -> None:
        self.sim, self.engine = sim, engine
        self.log = EventLog(engine.event_engine)
        config = replace(SHORT, stream_look_s=0.1)
        self.adapter: BaseAdapter = engine.add_adapter(FutuAdapter, config=config)

    def subscribe(self, code: str, *channels: Channel, exchange: Exchange = Exchange.SEHK) -> None:
        """Want channels of a contract; its ticks, if none is named."""
        for channel in channels or (Channel.TICK,):
            self.engine.subscribe(SubscribeRequest(code, exchange, channel), "FUTU")

    def connect(self) -> None:
        """Connect to the OpenD."""
        self.engine.connect({"environment": "simulated", "port": self.sim.port}, "FUTU")

    def wait(self, kind: type[object], code: str = "00700") -> object:
        """The next thing of this kind about a contract."""
        since = len(self.log)
        event = self.log.wait_for(
            lambda event: isinstance(event.data, kind) and event.data.symbol == code,  # type: ignore[attr-defined]
            WAIT_S,
            since=since,
        )
        return event.data

    def reconnects(self) -> int:
        """How often the line of the streams was replaced."""
        sessions = self.adapter.health().sessions
        return sum(each.reconnects for each in sessions if each.name == Mode.WEBSOCKET.value)

    def wait_stream(self, code: str, state: StreamState, since: int = 0) -> StreamStatus:
        """The first status of a contract's ticks in that state."""
        event = self.log.wait_for(
            lambda event: (
                isinstance(event.data, StreamStatus)
                and (event.data.symbol, event.data.channel) == (code, Channel.TICK)
                and event.data.state is state
            ),
            WAIT_S,
            since=since,
        )
        assert isinstance(event.data, StreamStatus)
        return event.data


@contextmanager
def housed(
    flags: Mapping[str, object] | None = None, limits: FutuLimits | None = None
) -> Iterator[House]:
    """It listens; in the end, no client broke a rule of it."""
    with running_futu(rate_hz=20.0, limits=limits) as sim:
        settings = {**QUICK, "liveness.stream_idle_s": 1.0, **(flags or {})}
        with MainEngine(settings=settings) as engine:
            yield House(sim, engine)
        assert sim.violations == []


@pytest.fixture
def house() -> Iterator[House]:
    """Connected, with all four channels of one stock and the ticks of two others."""
    with housed() as house:
        house.subscribe("00700", *Channel)
        house.subscribe("09988")
        house.subscribe("AAPL", exchange=Exchange.NASDAQ)
        house.connect()
        house.wait(TickData)
        yield house


def test_every_channel_flows(house: House) -> None:
    """Ticks with five levels of the book, books with ten, prints and bars with OpenD's times."""
    for kind in (DepthData, MarketTradeData, BarData):
        house.wait(kind)
    tick = house.wait(TickData, "AAPL")
    assert isinstance(tick, TickData)
    assert tick.exchange is Exchange.NASDAQ
    assert 0.0 < tick.bid_price_1 <= tick.ask_price_1
    assert len(tick.bids) == len(tick.asks) == 5
    assert abs(tick.ts_event_ns - tick.ts_recv_ns) < 5_000_000_000
    depth = house.wait(DepthData)
    assert isinstance(depth, DepthData)
    assert len(depth.bids) == len(depth.asks) == 10
    health = house.adapter.health()
    assert health.malformed == health.rejected == 0


@pytest.mark.parametrize("fault", ["rst", "eof", "half_frame"])
def test_streams_come_back_after_a_loss(house: House, fault: str) -> None:
    """Whatever way the line ends, all streams flow again on a new one."""
    connections = house.sim.seen.connections
    house.sim.faults.inject(fault)
    eventually(lambda: house.sim.seen.connections > connections, "a new connection")
    for kind in (TickData, DepthData, MarketTradeData, BarData):
        house.wait(kind)
    house.wait(TickData, "09988")


def test_garbage_costs_one_push(house: House) -> None:
    """Pushes that cannot be read, and numbers that cannot be true, are counted; the rest flows."""
    for fault in ("garbage_frame", "malformed_frame"):
        house.sim.faults.inject(fault)
    house.sim.faults.inject("hostile_number", count=12)
    eventually(lambda: house.adapter.health().rejected >= 6, "numbers are refused")
    eventually(lambda: house.adapter.health().malformed >= 2, "garbage is counted")
    house.wait(TickData)
    assert house.reconnects() == 0


def test_what_the_quota_does_not_hold_is_polled() -> None:
    """The user reads why, the others are streamed."""
    with housed(limits=FutuLimits(subscriptions=3)) as house:
        house.subscribe("00700")
        house.subscribe("09988")
        house.connect()
        status = house.wait_stream("09988", StreamState.POLLING)
        assert "额度不足" in status.reason
        house.wait(TickData, "09988")
        house.wait(TickData, "00700")
        assert {key for stream in house.sim.quotes.live for key in [stream.key]} == {
            ("HK.00700", 1),
            ("HK.00700", 2),
        }


def test_a_stream_that_dies_in_silence_is_found(house: House) -> None:
    """The market moves and one stream stands still: a snapshot shows it."""
    since = len(house.log)
    house.sim.faults.inject("drop_stream", symbol="HK.09988")
    house.wait_stream("09988", StreamState.STALE, since)
    house.sim.faults.clear("drop_stream")
    house.wait_stream("09988", StreamState.ACTIVE, since)


def test_streams_that_opend_lost_come_back(house: House) -> None:
    """It loses Futu's servers, and all subscriptions with them; the line to it stands."""
    since = len(house.log)
    house.sim.faults.inject("farm_down", rest=True)
    status = house.wait_stream("00700", StreamState.STALE, since)
    assert "servers" in status.reason
    house.sim.faults.clear("farm_down")
    house.wait_stream("00700", StreamState.ACTIVE, since)
    house.wait(TickData)
    house.wait(TickData, "09988")
    assert house.reconnects() == 0


def test_ticks_can_be_polled() -> None:
    """With the websocket switched off, snapshots bring them."""
    with housed({"websocket.enabled": False}) as house:
        house.subscribe("00700")
        house.connect()
        tick = house.wait(TickData)
        assert isinstance(tick, TickData)
        assert tick.bid_price_1 > 0.0
        assert {status.mode for status in house.adapter.health().streams} == {Mode.POLLING}
        states = {session.state for session in house.adapter.health().sessions}
        assert ConnectionState.FAILED not in states


def test_what_is_left_of_the_quotas_is_told() -> None:
    """In health, with the windows: what is subscribed counts at once, given back a minute later.

    Nothing is told where no streaming session asks: unknown is neither none nor all.
    """
    with housed(limits=FutuLimits(subscriptions=7, history_codes=3)) as house:
        assert "limits.subscriptions.left" not in house.adapter.health().facts
        house.subscribe("00700")
        house.subscribe("09988", Channel.DEPTH)
        house.connect()
        house.wait(TickData, "00700")
        eventually(lambda: limit_left(house, "subscriptions") == 4, "what is used is known")
        facts = house.adapter.health().facts
        assert facts["limits.subscriptions.most"] == 7
        assert facts["limits.history_contracts.left"] == 3
        assert facts == house.adapter.facts()
        house.adapter.disconnect()
        eventually(lambda: limit_left(house, "subscriptions") is None, "nobody knows any more")


def limit_left(house: House, name: str) -> object:
    """What health says is left of a limit."""
    return house.adapter.health().facts.get(f"limits.{name}.left")
