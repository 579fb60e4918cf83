"""The venue ends, cuts or refuses connections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foxtrot.adapter.binance import market_data
from foxtrot.adapter.binance.connection import Connection
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import Event
from foxtrot.model.objects import MarketTradeData
from foxtrot.simulator.binance import Limits
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import everything, healed, lost
from tests.support.rig import SHORT, WAIT_S, Rig, eventually, running

PLANNED = [1000, 1001, 1011]


@pytest.mark.parametrize("code", PLANNED)
def test_a_close_is_followed_by_a_reconnect(rig: Rig, code: int) -> None:
    """A connection that the venue closes comes back at the usual delay, with all streams."""
    everything(rig)
    status = lost(rig, "close", code=code)
    assert str(code) in status.reason
    assert status.delay_s <= 0.06
    healed(rig)
    assert rig.states()[-3:] == [S.RECONNECTING, S.SYNCING, S.READY]


def test_a_policy_close_is_waited_out(rig: Rig) -> None:
    """After 1008 the venue is left alone for the policy wait, whatever the backoff says."""
    everything(rig)
    status = lost(rig, "close", code=1008)
    assert status.delay_s >= rig.adapter.stream_config.policy_wait_s
    healed(rig)


@pytest.mark.parametrize("code", [1012, 1013])
def test_try_later_means_later(rig: Rig, code: int) -> None:
    """After "try later" the wait is at least the one for it."""
    everything(rig)
    status = lost(rig, "close", code=code)
    assert status.delay_s >= rig.adapter.stream_config.try_later_wait_s
    healed(rig)


@pytest.mark.parametrize("fault", ["rst", "eof"])
def test_a_dropped_line_is_code_1006(rig: Rig, fault: str) -> None:
    """A reset and an end without a word are both a dropped line."""
    everything(rig)
    status = lost(rig, fault)
    assert "1006" in status.reason or "dropped" in status.reason
    healed(rig)


def test_the_24_hour_cut_is_no_drama(rig: Rig) -> None:
    """A connection that was not replaced in time is cut: one quick reconnect."""
    everything(rig)
    assert "1001" in lost(rig, "cut_24h").reason
    healed(rig)
    assert rig.venue.connections == 2


def test_a_connection_is_replaced_before_its_day_is_over(venue: BinanceUnderTest) -> None:
    """The new one delivers before the old one goes: no print is missed, none is told twice."""
    config = replace(SHORT, rotate_after_s=0.3)
    with running(venue, config=config) as rig:
        rig.subscribe("BTCUSDT", *Channel)
        rig.connect()
        rig.wait_served()
        told, traded = tape_until(rig, connections=3)
        assert sorted(told) == traded
        healed(rig)
        assert rig.states() == [S.CONNECTING, S.SYNCING, S.READY]


def test_an_announced_shutdown_is_left_without_a_gap(rig: Rig) -> None:
    """A serverShutdown event moves the streams before the venue cuts them."""
    everything(rig)
    rig.venue.faults.inject("server_shutdown", seconds=60)
    told, traded = tape_until(rig, connections=2)
    assert sorted(told) == traded
    healed(rig)
    assert rig.states() == [S.CONNECTING, S.SYNCING, S.READY]


def test_prints_that_are_late_by_the_old_connection_are_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new connection overtakes the old one: what only the old one knows is told, and once."""
    old = SlowLine(monkeypatch)
    everything(rig)
    first = int(rig.venue.trade("BTCUSDT"))
    rig.log.wait_until(lambda events: [e for e in events if _number(e) == first])
    old.slow = True
    late = int(rig.venue.trade("BTCUSDT"))
    eventually(lambda: old.waiting > 0, "a print is on its way")
    rig.venue.faults.inject("server_shutdown", seconds=60)
    eventually(lambda: rig.venue.connections == 2, "the new connection is there")
    eventually(lambda: old.answers > 0, "it has the streams, and the old one was asked a last time")
    last = int(rig.venue.trade("BTCUSDT"))
    rig.log.wait_until(lambda events: [e for e in events if _number(e) == last])
    rig.engine.bridge.call_soon(old.deliver)
    rig.log.wait_until(lambda events: [e for e in events if _number(e) == late])
    eventually(
        lambda: len(rig.venue.sim.connections) == 1,  # type: ignore[attr-defined]
        "the old one is closed",
    )
    healed(rig)
    told = [_number(event) for event in rig.log.items]
    assert sorted(number for number in told if first <= number <= last) == [*range(first, last + 1)]
    assert told.index(late) > told.index(last)


class SlowLine:
    """Holds up the prints and answers that connection 1 brings, for as long as it is `slow`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow, self.answers, self._held = False, 0, list[tuple[Connection, bytes]]()
        self._real = Connection.on_frame

        def on_frame(connection: Connection, data: bytes) -> None:
            answer = b'"result"' in data
            if not (self.slow and connection.number == 1 and (answer or b'"trade"' in data)):
                self._real(connection, data)
                return
            self._held.append((connection, data))
            self.answers += answer

        monkeypatch.setattr(Connection, "on_frame", on_frame)
        monkeypatch.setattr(market_data, "_DRAIN_S", WAIT_S)

    @property
    def waiting(self) -> int:
        """Frames that are held up."""
        return len(self._held)

    def deliver(self) -> None:
        """Let through what was held up; on the loop."""
        self.slow = False
        for connection, data in self._held:
            self._real(connection, data)


def test_a_shutdown_without_a_way_out_is_a_reconnect(rig: Rig) -> None:
    """Where no new connection is to be had, the old one serves until it is cut."""
    everything(rig)
    rig.venue.faults.inject("refuse")
    status = lost(rig, "server_shutdown", seconds=0.2)
    assert "100" in status.reason
    rig.venue.faults.clear()
    healed(rig)


def tape_until(rig: Rig, *, connections: int) -> tuple[list[int], list[int]]:
    """Trade until the venue has seen that many connections; prints told, and prints traded."""
    first = int(rig.venue.trade("BTCUSDT"))

    def replaced() -> bool:
        rig.venue.move("BTCUSDT")
        return rig.venue.connections >= connections

    eventually(replaced, f"{connections} connections")
    last = int(rig.venue.trade("BTCUSDT"))
    rig.log.wait_until(lambda events: [e for e in events if _number(e) == last])
    numbers = [_number(event) for event in rig.log.items]
    told = [number for number in numbers if number >= first]
    return told, list(range(first, last + 1))


def _number(event: Event) -> int:
    """The number of a print of BTCUSDT; -1 of anything else."""
    trade = event.data
    if isinstance(trade, MarketTradeData) and trade.symbol == "BTCUSDT":
        return int(trade.tradeid)
    return -1


def test_a_refusing_venue_is_asked_again_and_again(rig: Rig) -> None:
    """Refused handshakes are retried with growing delays inside the maximum."""
    everything(rig)
    since = len(rig.log)
    rig.venue.faults.inject("refuse", count=6)
    rig.venue.faults.inject("rst")
    rig.wait_state(S.SYNCING, since=since)
    assert rig.adapter.health().sessions[0].attempt >= 3
    healed(rig)


def test_a_venue_behind_a_503_is_asked_again(rig: Rig) -> None:
    """A handshake answered with an HTTP error is a venue that is unavailable."""
    everything(rig)
    rig.venue.faults.inject("refuse", count=2, status=503)
    rig.venue.faults.inject("rst")
    eventually(lambda: "VenueUnavailable" in rig.error_kinds(), "it is named")
    healed(rig)


def test_a_handshake_that_never_ends_is_given_up(venue: BinanceUnderTest) -> None:
    """The deadline of a connection is total; after it there is another attempt."""
    with running(venue, {"connect.timeout_s": 0.3}) as rig:
        venue.faults.inject("slow_handshake", seconds=30)
        rig.subscribe("BTCUSDT")
        rig.connect()
        status = rig.wait_state(S.RECONNECTING)
        assert "no answer within 0.3 s" in status.reason
        assert rig.error_kinds()[0] == "ConnectTimeout"
        venue.faults.clear()
        healed(rig)


def test_accept_then_close_backs_off(venue: BinanceUnderTest) -> None:
    """A venue that accepts and closes at once is not hammered: no READY resets the delay."""
    with running(venue) as rig:
        everything(rig)
        for round_ in range(1, 6):
            since = len(rig.log)
            status = lost(rig, "close", code=1001)
            assert status.attempt == round_
            rig.wait_state(S.READY, since=since)
        delays = [s.delay_s for s in rig.statuses() if s.state is S.RECONNECTING]
        assert delays[0] <= 0.06
        assert min(delays[3:]) >= 0.16
        assert venue.connections == 6
        healed(rig)


def test_giving_up_is_told_but_not_meant(venue: BinanceUnderTest) -> None:
    """After the allowed attempts the session is FAILED, yet a slow probe brings it back."""
    flags = {"websocket.max_reconnect_attempts": 2}
    with running(venue, flags) as rig:
        everything(rig)
        since = len(rig.log)
        venue.faults.inject("refuse", count=5)
        venue.faults.inject("rst")
        assert "gave up" in rig.wait_state(S.FAILED, since=since).reason
        healed(rig)


def test_a_cut_after_its_time_by_the_venues_rules(venue: BinanceUnderTest) -> None:
    """A connection that grows old is replaced, again and again."""
    old = BinanceUnderTest(limits=Limits(life_s=0.5))
    old.start()
    try:
        with running(old) as rig:
            everything(rig)
            for _ in range(2):
                since = len(rig.log)
                rig.wait_state(S.RECONNECTING, since=since)
            rig.unsubscribe("BTCUSDT")
            assert rig.adapter.state in (S.RECONNECTING, S.SYNCING, S.READY)
    finally:
        old.stop()
