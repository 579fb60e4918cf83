"""The venue says nothing, or not everything."""

from __future__ import annotations

import time

import pytest

from foxtrot.connectivity.config import StreamConfig
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_STREAM, EVENT_TICK
from foxtrot.simulator.binance import Limits
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import everything, healed
from tests.support.rig import SHORT, Rig, eventually, running


def test_a_quiet_market_is_no_fault(rig: Rig) -> None:
    """Silence where nothing moves is answered by a probe, and the connection stays."""
    everything(rig)
    before = rig.fact("websocket.received")
    rig.wait_fact("websocket.received", before + 2)  # the answers to two probes
    assert rig.adapter.state is S.READY
    assert rig.venue.connections == 1
    healed(rig)


def test_a_dead_feed_is_found_by_what_it_does_not_tell(rig: Rig) -> None:
    """The market moves, pings are answered, no data comes: the session is replaced."""
    everything(rig)
    since = len(rig.log)
    rig.venue.faults.inject("silent")
    before = rig.venue.newest("BTCUSDT")
    while rig.venue.newest("BTCUSDT") == before:
        rig.venue.move("BTCUSDT")
    status = rig.wait_state(S.RECONNECTING, since=since)
    assert "stands still" in status.reason
    healed(rig)


@pytest.mark.parametrize("rest", [False, True])
def test_a_half_open_connection_is_found(rig: Rig, rest: bool) -> None:
    """Nobody answers at all: after idle and probe the session is replaced."""
    everything(rig)
    since = len(rig.log)
    rig.venue.faults.inject("mute", rest=rest)
    status = rig.wait_state(S.RECONNECTING, since=since)
    assert "no answer to a probe" in status.reason
    assert "HeartbeatTimeout" in rig.error_kinds()
    healed(rig)


def test_after_a_sleep_nothing_is_believed_unasked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lid was closed for an hour: every stream is stale until the venue has answered."""
    everything(rig)
    since, wanted = len(rig.log), len(rig.adapter.subscriptions())
    monkeypatch.setattr(rig.adapter.clock, "time_ns", lambda: time.time_ns() + 3_600_000_000_000)

    def doubted() -> bool:
        told = [event.data for event in rig.log.items[since:] if event.type == EVENT_STREAM]
        return len({str(s) for s in told if "nothing ran" in s.reason}) >= wanted

    eventually(doubted, "every stream is stale")
    rig.wait_served()
    assert rig.venue.connections == 1
    healed(rig)


def test_several_mute_connections_are_closed_together(
    venue: BinanceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mute connection costs a second to close; ten cost one, and none is left behind."""
    monkeypatch.setattr("foxtrot.adapter.binance.limits.STREAMS_PER_CONNECTION", 2)
    with running(venue) as rig:
        everything(rig)
        assert venue.connections > 4
        since = len(rig.log)
        venue.faults.inject("mute")
        rig.wait_state(S.RECONNECTING, since=since)
        healed(rig)


def test_missing_pongs_are_survived(venue: BinanceUnderTest) -> None:
    """Data is a better sign of life than a pong: without pongs the streams go on or come back."""
    with running(venue) as rig:
        everything(rig)
        venue.faults.inject("no_pong")
        for _ in range(3):
            rig.wait_flowing()
        healed(rig)


def test_our_pongs_keep_the_connection(venue: BinanceUnderTest) -> None:
    """The venue's pings are answered, so it has no reason to cut us."""
    strict = BinanceUnderTest(limits=Limits(ping_interval_s=0.5, pong_timeout_s=1.5))
    strict.start()
    try:
        with running(strict) as rig:
            everything(rig)
            before = rig.fact("websocket.received")
            rig.wait_fact("websocket.received", before + 2)
            assert strict.connections == 1
            healed(rig)
    finally:
        strict.stop()


def test_everything_late_is_everything(rig: Rig) -> None:
    """Latency delays all and loses nothing."""
    everything(rig)
    rig.venue.faults.inject("latency", seconds=0.2)
    since = len(rig.log)
    trade_id = rig.venue.trade("BTCUSDT")
    rig.wait_fresh("BTCUSDT")
    rig.log.wait_for(lambda event: getattr(event.data, "tradeid", "") == trade_id, since=since)
    assert rig.states().count(S.RECONNECTING) == 0
    healed(rig)


def test_a_venue_that_is_slow_to_sync_is_asked_again(venue: BinanceUnderTest) -> None:
    """READY is never said without the contracts; a sync that hangs is a failed attempt."""
    config = StreamConfig(sync_timeout_s=0.3, request_timeout_s=SHORT.request_timeout_s)
    with running(venue, config=config) as rig:
        venue.faults.inject("latency", seconds=3)
        rig.subscribe("BTCUSDT")
        rig.connect()
        rig.wait_state(S.RECONNECTING)
        assert S.READY not in rig.states()
        venue.faults.clear()
        healed(rig)


def test_trades_alone_may_be_silent(rig: Rig) -> None:
    """Where no tick can be compared, an answered probe is enough: no needless reconnect."""
    rig.subscribe("BTCUSDT", Channel.TRADE)
    rig.connect()
    rig.wait_served()
    before = rig.fact("websocket.received")
    rig.wait_fact("websocket.received", before + 2)
    eventually(lambda: rig.adapter.state is S.READY, "READY")
    assert rig.venue.connections == 1
    assert rig.log.of(EVENT_TICK) == []
