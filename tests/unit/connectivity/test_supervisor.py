"""The supervisor connects, restores, waits, gives up slowly, and ends when it is told to."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.core.clock import SystemClock
from foxtrot.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    HeartbeatTimeout,
    RateLimited,
    UnknownSymbol,
    VenueBanned,
    VenueUnavailable,
)
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import StreamState
from foxtrot.model.health import StreamKey
from tests.support.events import WAIT_S, Collected
from tests.support.sessions import HANG, PATIENT, Rig, tick

LOST = ConnectionClosed(1006)
REFUSED = ConnectError("fake.example:1", "refused")


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A supervisor that runs into no deadline."""
    with Rig() as made:
        yield made


def entry_state(rig: Rig, symbol: str) -> StreamState:
    return rig.supervisor.book.wanted[tick(symbol)].state


# ------------------------------------------------------------------ connecting


def test_a_start_connects_synchronises_and_subscribes(rig: Rig) -> None:
    """The way to READY is CONNECTING, SYNCING, and every wanted stream is held by then."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    assert rig.states == [S.CONNECTING, S.SYNCING, S.READY]
    steps = [call.step for call in rig.venue.calls.items if call.step != "run"]
    assert steps == ["prepare", "open", "sync", "subscribe"]
    assert rig.venue.newest.held == {tick("A"), tick("B")}
    assert entry_state(rig, "A") is StreamState.ACTIVE


def test_a_second_start_does_nothing(rig: Rig) -> None:
    """Starting twice makes one session."""
    rig.start("A")
    rig.call(rig.supervisor.start)
    rig.wait_state(S.READY)
    assert len(rig.venue.sessions) == 1


def test_what_is_wanted_while_ready_is_subscribed_at_once(rig: Rig) -> None:
    """A new stream is asked for on the open session, and only that one."""
    rig.start("A")
    rig.wait_state(S.READY)
    rig.call(lambda: rig.supervisor.want([tick("B")]))
    call = rig.venue.calls.wait_for(lambda c: tick("B") in c.keys)
    assert (call.session, call.keys) == (0, (tick("B"),))


def test_what_is_dropped_while_ready_is_unsubscribed(rig: Rig) -> None:
    """A stream that is wanted no more is given back, and only that one."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    rig.call(lambda: rig.supervisor.drop([tick("B")]))
    call = rig.venue.calls.wait_for(lambda c: c.step == "unsubscribe")
    assert call.keys == (tick("B"),)


def test_a_stream_dropped_and_wanted_again_in_one_breath_stays_active(rig: Rig) -> None:
    """Churn on a held stream neither asks the venue nor leaves the stream pending for ever."""
    rig.start("A")
    rig.wait_state(S.READY)

    def churn() -> None:
        rig.supervisor.drop([tick("A")])
        rig.supervisor.want([tick("A")])

    rig.call(churn)
    rig.call(lambda: rig.supervisor.want([tick("B")]))
    rig.venue.calls.wait_for(lambda c: tick("B") in c.keys)
    rig.told.streams.wait_for(lambda keys: tick("B") in keys)
    assert entry_state(rig, "A") is StreamState.ACTIVE
    assert rig.venue.asked.count(tick("A")) == 1
    assert rig.supervisor.state is S.READY


def test_ten_thousand_changes_in_a_burst_end_in_what_is_wanted(rig: Rig) -> None:
    """Churn costs the venue a few requests, and the last word counts for every stream."""
    rig.start()
    rig.wait_state(S.READY)
    keys = [tick(f"S{number}") for number in range(10_000)]
    for start in range(0, len(keys), 100):
        batch = keys[start : start + 100]
        rig.bridge.call_soon(rig.supervisor.want, batch)
        rig.bridge.call_soon(rig.supervisor.drop, batch[::2])
    wanted = set(keys) - set(keys[::2])
    rig.venue.changes.wait_for(lambda held: held == wanted)
    assert set(rig.supervisor.book.wanted) == wanted


def test_sync_that_is_not_answered_is_never_ready() -> None:
    """A session whose first answers are missing is replaced, not believed."""
    with Rig(replace(PATIENT, sync_timeout_s=0.05)) as rig:
        rig.venue.plan("sync", HANG)
        rig.start("A")
        rig.wait_state(S.READY)
        error = rig.told.errors.items[0]
        assert isinstance(error, ConnectTimeout)
        assert rig.states == [S.CONNECTING, S.SYNCING, S.RECONNECTING, S.SYNCING, S.READY]


def test_an_open_that_hangs_ends_at_its_deadline() -> None:
    """A mute handshake is a failed attempt, told with the deadline."""
    with Rig(replace(PATIENT, connect_timeout_s=0.05)) as rig:
        rig.venue.plan("open", HANG)
        rig.start("A")
        rig.wait_state(S.READY)
        assert str(rig.told.errors.items[0]) == (
            "cannot connect to fake.example:1: no answer within 0.05 s"
        )


# ------------------------------------------------------------------ coming back


def test_a_loss_is_made_good_by_a_fresh_session_with_every_stream(rig: Rig) -> None:
    """After a loss a new session holds all that was wanted; the old one is closed."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    rig.lose(LOST)
    rig.wait_states(S.READY, 2)
    first, second = rig.venue.sessions
    assert first.closed == 1
    assert second.held == {tick("A"), tick("B")}
    assert rig.supervisor.health().reconnects == 1


def test_streams_wanted_and_dropped_during_an_outage_count(rig: Rig) -> None:
    """Nobody has to wait for a connection to change their mind."""
    rig.venue.plan("open", None, REFUSED)

    def change(number: int, step: str) -> None:
        if step == "open" and len(rig.venue.sessions) == 2:
            rig.supervisor.want([tick("C")])
            rig.supervisor.drop([tick("A")])

    rig.venue.before_step = change
    rig.start("A", "B")
    rig.wait_state(S.READY)
    rig.lose(LOST)
    rig.wait_states(S.READY, 2)
    assert rig.venue.newest.held == {tick("B"), tick("C")}


def test_a_loss_makes_every_stream_pending_and_says_so(rig: Rig) -> None:
    """While the line is down no stream is shown as active."""
    rig.venue.plan("open", None, HANG)
    rig.start("A", "B")
    rig.wait_state(S.READY)
    before = len(rig.told.streams)
    rig.lose(LOST)
    rig.told.streams.wait_for(lambda keys: set(keys) == {tick("A"), tick("B")}, since=before)
    assert entry_state(rig, "A") is StreamState.PENDING


def test_failed_attempts_are_counted_with_growing_delays() -> None:
    """Every state event carries the attempt and the delay, which doubles inside its jitter."""
    config = replace(PATIENT, reconnect_base_delay_s=0.01, reconnect_max_delay_s=0.04)
    with Rig(config) as rig:
        rig.venue.plan("open", *[REFUSED] * 4)
        rig.start("A")
        rig.wait_state(S.READY)
        first = rig.wait_state(S.RECONNECTING)
        assert first.attempt == 1
        assert 0.008 <= first.delay_s <= 0.012
        assert rig.supervisor.health().attempt == 4


def test_a_short_life_does_not_reset_the_count(rig: Rig) -> None:
    """A flapping line waits longer and longer, READY or not."""
    rig.start("A")
    for time in range(1, 4):
        rig.wait_states(S.READY, time)
        rig.lose(LOST)
    rig.wait_states(S.READY, 4)
    assert rig.supervisor.health().attempt == 3


def test_a_stable_life_resets_the_count() -> None:
    """A session that was READY for long enough starts the delays over."""
    with Rig(replace(PATIENT, stable_after_s=0.0)) as rig:
        rig.start("A")
        for time in range(1, 4):
            rig.wait_states(S.READY, time)
            rig.lose(LOST)
        rig.wait_states(S.READY, 4)
        assert rig.supervisor.health().attempt == 1


def test_after_the_last_attempt_it_is_failed_and_goes_on_probing() -> None:
    """Given up means FAILED and slow, never silent; the venue's return is noticed."""
    with Rig(replace(PATIENT, max_reconnect_attempts=3)) as rig:
        rig.venue.plan("open", *[REFUSED] * 6)
        rig.start("A")
        failed = rig.wait_state(S.FAILED)
        assert failed.reason.startswith("gave up after 3 attempts: ")
        rig.wait_state(S.READY)
        assert rig.states == [S.CONNECTING, S.RECONNECTING, S.FAILED, S.SYNCING, S.READY]
        assert len(rig.venue.calls_of("open")) == 7


@pytest.mark.parametrize(
    ("cause", "least_s"),
    [
        (RateLimited("FAKE", "429", "slow down", 7.0), 7.0),
        (VenueBanned("FAKE", "418", "go away", 90.0), 90.0),
        (ConnectionClosed(1008, "policy"), PATIENT.policy_wait_s),
        (ConnectionClosed(1012), PATIENT.try_later_wait_s),
        (ConnectionClosed(1013), PATIENT.try_later_wait_s),
    ],
    ids=lambda value: getattr(value, "code", None) and str(value.code),
)
def test_a_venue_that_asks_for_patience_gets_it(
    rig: Rig, cause: FoxtrotError, least_s: float
) -> None:
    """Rate limits, bans, 1008, 1012 and 1013 set a floor under the delay."""
    rig.start("A")
    rig.wait_state(S.READY)
    rig.lose(cause)
    assert rig.wait_state(S.RECONNECTING).delay_s >= least_s


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011])
def test_an_ordinary_close_sets_no_floor(rig: Rig, code: int) -> None:
    """A planned or a broken close is followed by the ordinary delay."""
    rig.start("A")
    rig.wait_state(S.READY)
    rig.lose(ConnectionClosed(code))
    assert rig.wait_state(S.RECONNECTING).delay_s <= PATIENT.reconnect_max_delay_s


def test_a_refused_key_stops_the_loop_until_somebody_asks(rig: Rig) -> None:
    """A cause that only a person can mend is tried once, then waits for the person."""
    rig.venue.plan("open", AuthenticationError("FAKE", "-2015", "invalid key"))
    rig.start("A")
    failed = rig.wait_state(S.FAILED)
    assert failed.reason == "FAKE: invalid key (code -2015)"
    assert len(rig.venue.sessions) == 1
    rig.call(rig.supervisor.recycle)
    rig.wait_state(S.READY)
    assert rig.states == [S.CONNECTING, S.FAILED, S.CONNECTING, S.SYNCING, S.READY]


def test_changed_delays_count_for_a_running_loop() -> None:
    """New reconnect settings need no restart."""
    with Rig(replace(PATIENT, reconnect_base_delay_s=50.0, reconnect_max_delay_s=50.0)) as rig:
        rig.start("A")
        rig.wait_state(S.READY)

        def patch() -> None:
            rig.supervisor.config = PATIENT

        rig.call(patch)
        rig.lose(LOST)
        assert rig.wait_states(S.READY, 2).state is S.READY


# ------------------------------------------------------------------ liveness


def test_silence_is_probed_before_it_kills() -> None:
    """A session that answers a probe lives on, however quiet it is."""
    with Rig(replace(PATIENT, idle_s=0.02)) as rig:
        rig.start("A")
        rig.venue.calls.wait_until(lambda calls: [c for c in calls if c.step == "probe"][2:])
        assert len(rig.venue.sessions) == 1
        assert rig.supervisor.state is S.READY


def test_silence_without_an_answer_ends_the_session() -> None:
    """No data and no answer to a probe is a dead session, whatever the SDK says."""
    with Rig(replace(PATIENT, idle_s=0.02, probe_s=0.02)) as rig:
        rig.venue.plan("probe", HANG)
        rig.start("A")
        rig.wait_states(S.READY, 2)
        assert isinstance(rig.told.errors.items[0], HeartbeatTimeout)


def test_a_line_that_dies_while_streams_are_asked_for_is_found_by_a_probe() -> None:
    """A thousand streams may take minutes to go unanswered; silence is found before that."""
    with Rig(replace(PATIENT, idle_s=0.02, probe_s=0.02)) as rig:
        rig.venue.plan("subscribe", HANG)
        rig.venue.plan("probe", HANG)
        rig.start("A")
        rig.wait_state(S.READY)
        assert isinstance(rig.told.errors.items[0], HeartbeatTimeout)
        assert rig.states == [S.CONNECTING, S.SYNCING, S.RECONNECTING, S.SYNCING, S.READY]


def test_data_during_an_unanswered_probe_is_a_sign_of_life() -> None:
    """A busy venue that ignores pings is not disconnected."""
    with Rig(replace(PATIENT, idle_s=0.02, probe_s=0.02)) as rig:

        def deliver(number: int, step: str) -> None:
            if step == "probe":
                loop = asyncio.get_running_loop()
                loop.call_soon(lambda: setattr(rig.venue.newest, "received", number))

        rig.venue.before_step = deliver
        rig.venue.always["probe"] = HANG
        rig.start("A")
        rig.venue.calls.wait_until(lambda calls: [c for c in calls if c.step == "probe"][2:])
        assert len(rig.venue.sessions) == 1


def test_a_probe_that_fails_ends_the_session_with_its_cause() -> None:
    """What the probe found out is the reason that is shown."""
    with Rig(replace(PATIENT, idle_s=0.02)) as rig:
        rig.venue.plan("probe", VenueUnavailable("FAKE", "503", "maintenance"))
        rig.start("A")
        rig.wait_states(S.READY, 2)
        assert str(rig.told.errors.items[0]) == "FAKE: maintenance (code 503)"


# ------------------------------------------------------------------ absence


class SleepyClock(SystemClock):
    """The machine's clocks, one of which can be set forward."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self.blocked_s = 0.0

    def monotonic(self) -> float:
        return SystemClock.monotonic() + self.blocked_s

    def time_ns(self) -> int:
        return SystemClock.time_ns() + round((self.slept_s + self.blocked_s) * 1e9)


BUSY = replace(PATIENT, idle_s=0.1)


def watched(rig: Rig) -> None:
    """Wait until the session is watched."""
    rig.wait_state(S.READY)
    rig.venue.calls.wait_for(lambda call: call.step == "probe")


@pytest.mark.parametrize("kind", ["slept_s", "blocked_s"])
def test_after_an_absence_every_stream_is_stale_until_the_session_answers(kind: str) -> None:
    """A machine that slept, or a loop that stood still, believes nothing before it has asked."""
    clock = SleepyClock()
    with Rig(BUSY, clock) as rig:
        at_probes: Collected[set[StreamState]] = Collected()

        def look(number: int, step: str) -> None:
            if step == "probe":
                at_probes({entry_state(rig, "A"), entry_state(rig, "B")})

        rig.venue.before_step = look
        rig.start("A", "B")
        watched(rig)
        told = len(rig.told.streams.items)
        setattr(clock, kind, 3_600.0)
        at_probes.wait_for(lambda states: states == {StreamState.STALE})
        assert rig.absences.items[0].startswith("nothing ran for 3")
        rig.told.streams.wait_for(lambda _: entry_state(rig, "B") is StreamState.ACTIVE, since=told)
        assert entry_state(rig, "A") is StreamState.ACTIVE
        assert len(rig.venue.sessions) == 1


def test_after_an_absence_a_session_that_does_not_answer_is_replaced() -> None:
    """The line died during the sleep: a fresh session has every stream, and none stays stale."""
    clock = SleepyClock()
    with Rig(replace(BUSY, probe_s=0.02), clock) as rig:
        rig.start("A")
        watched(rig)

        def sleep() -> None:
            rig.venue.plan("probe", HANG)
            clock.slept_s = 60.0

        rig.call(sleep)
        rig.wait_states(S.READY, 2)
        assert rig.absences.items
        assert entry_state(rig, "A") is StreamState.ACTIVE


def test_a_short_pause_is_no_absence() -> None:
    """A busy machine that is late by a second doubts nothing."""
    clock = SleepyClock()
    with Rig(BUSY, clock) as rig:
        rig.start("A")
        watched(rig)
        clock.blocked_s = clock.slept_s = 1.0
        rig.venue.calls.wait_until(lambda calls: [c for c in calls if c.step == "probe"][3:])
        assert not rig.absences.items


# ------------------------------------------------------------------ refusals


def test_a_refused_stream_comes_back_though_the_clock_is_set_back() -> None:
    """How long it waits is no matter of the wall clock, which may go back by an hour."""
    clock = SleepyClock()
    with Rig(replace(PATIENT, refused_retry_s=0.05), clock) as rig:
        rig.venue.refused[tick("BAD")] = VenueUnavailable("FAKE", "", "not now")
        rig.start("BAD")
        rig.wait_state(S.DEGRADED)

        def set_back() -> None:
            rig.venue.refused.clear()
            clock.slept_s = -3_600.0

        rig.call(set_back)
        rig.wait_state(S.READY)


def test_a_refused_stream_degrades_and_is_asked_for_once(rig: Rig) -> None:
    """One bad symbol harms no other, is named, and is no reason to ask again."""
    bad, error = tick("BAD"), UnknownSymbol("FAKE", "-1121", "no such symbol")
    rig.venue.refused[bad] = error
    rig.start("A", "BAD")
    status = rig.wait_state(S.DEGRADED)
    assert status.reason == "not held: tick:BAD.BINANCE"
    assert rig.told.errors.items == [error]
    rig.call(lambda: rig.supervisor.want([tick("B")]))
    rig.venue.calls.wait_for(lambda c: tick("B") in c.keys)
    rig.told.streams.wait_until(lambda all_: [k for k in all_ if k == (tick("B"),)][1:])
    assert rig.venue.asked.count(bad) == 1
    assert rig.supervisor.book.wanted[bad].reason == str(error)


def test_a_refused_stream_is_asked_for_again_by_a_new_session(rig: Rig) -> None:
    """A listing may appear; each new session tries once."""
    bad = tick("BAD")
    rig.venue.refused[bad] = UnknownSymbol("FAKE", "", "no such symbol")
    rig.start("BAD")
    rig.wait_state(S.DEGRADED)
    rig.call(rig.venue.refused.clear)
    rig.lose(LOST)
    rig.wait_state(S.READY)
    assert rig.venue.asked == [bad, bad]


def test_a_refused_stream_that_is_dropped_makes_the_session_ready(rig: Rig) -> None:
    """Giving the bad symbol up ends the degradation."""
    rig.venue.refused[tick("BAD")] = UnknownSymbol("FAKE", "", "no such symbol")
    rig.start("A", "BAD")
    rig.wait_state(S.DEGRADED)
    rig.call(lambda: rig.supervisor.drop([tick("BAD")]))
    rig.wait_state(S.READY)


def test_unanswered_subscriptions_are_repeated(rig: Rig) -> None:
    """A lost answer costs one more request, not the stream."""
    rig.venue.unanswered.add(tick("A"))

    def heal(number: int, step: str) -> None:
        if step == "subscribe" and tick("A") in rig.venue.asked:
            rig.venue.unanswered.clear()

    rig.venue.before_step = heal
    rig.start("A")
    rig.wait_state(S.READY)
    assert rig.venue.asked == [tick("A"), tick("A")]
    assert len(rig.venue.sessions) == 1


def test_subscriptions_unanswered_three_times_replace_the_session(rig: Rig) -> None:
    """A session that does not react is dead, even if it is open."""
    rig.venue.unanswered.add(tick("A"))

    def heal(number: int, step: str) -> None:
        if step == "close":
            rig.venue.unanswered.clear()

    rig.venue.before_step = heal
    rig.start("A", "B")
    rig.wait_state(S.READY)
    error = rig.told.errors.items[0]
    assert str(error) == "1 subscriptions unanswered after 3 requests"
    assert rig.venue.asked.count(tick("A")) == 4
    assert rig.venue.newest.held == {tick("A"), tick("B")}


# ------------------------------------------------------------------ recycling


def test_a_recycle_replaces_a_ready_session_at_once(rig: Rig) -> None:
    """Asking for a fresh session is no failure: no delay, no error, no attempt."""
    rig.start("A")
    rig.wait_state(S.READY)
    rig.call(rig.supervisor.recycle)
    rig.wait_states(S.READY, 2)
    assert rig.told.errors.items == []
    assert rig.supervisor.health().attempt == 0
    assert rig.states[3:] == [S.RECONNECTING, S.SYNCING, S.READY]


def test_a_recycle_ends_a_pause() -> None:
    """Who asks does not wait for the delay to pass."""
    with Rig(replace(PATIENT, reconnect_base_delay_s=50.0, reconnect_max_delay_s=50.0)) as rig:
        rig.start("A")
        rig.wait_state(S.READY)
        rig.lose(LOST)
        rig.wait_state(S.RECONNECTING)
        rig.call(rig.supervisor.recycle)
        rig.wait_states(S.READY, 2)


# ------------------------------------------------------------------ stopping


@pytest.mark.parametrize("step", ["prepare", "open", "sync", "subscribe", "run"])
def test_a_stop_during_any_step_closes_the_session(rig: Rig, step: str) -> None:
    """Whatever it is doing, a stop ends it: session closed, no task left."""
    rig.venue.plan(step, HANG)
    rig.start("A")
    rig.venue.calls.wait_for(lambda c: c.step == step)
    rig.stop()
    assert rig.states[-2:] == [S.CLOSING, S.DISCONNECTED]
    assert rig.venue.newest.closed == 1
    assert not rig.supervisor.running


@pytest.mark.parametrize("step", ["unsubscribe", "probe"])
def test_a_stop_during_a_later_step_closes_the_session(step: str) -> None:
    """The same for what happens on a READY session."""
    with Rig(replace(PATIENT, idle_s=0.02)) as rig:
        rig.venue.plan(step, HANG)
        rig.start("A", "B")
        rig.wait_state(S.READY)
        rig.call(lambda: rig.supervisor.drop([tick("B")]))
        rig.venue.calls.wait_for(lambda c: c.step == step)
        rig.stop()
        assert rig.venue.newest.closed == 1


@pytest.mark.parametrize("cause", [LOST, AuthenticationError("FAKE", "", "bad key")])
def test_a_stop_ends_a_pause(cause: FoxtrotError) -> None:
    """Neither a delay nor the wait for a person outlives a stop."""
    with Rig(replace(PATIENT, reconnect_base_delay_s=50.0, reconnect_max_delay_s=50.0)) as rig:
        rig.start("A")
        rig.wait_state(S.READY)
        rig.lose(cause)
        rig.wait_state(S.RECONNECTING, S.FAILED)
        rig.stop()
        assert rig.supervisor.state is S.DISCONNECTED


def test_a_stop_keeps_what_is_wanted_for_the_next_start(rig: Rig) -> None:
    """Stopped and started again, everything is there again."""
    rig.start("A", "B")
    rig.wait_state(S.READY)
    rig.stop()
    rig.call(rig.supervisor.start)
    rig.wait_states(S.READY, 2)
    assert rig.venue.newest.held == {tick("A"), tick("B")}


def test_a_stop_of_what_does_not_run_does_nothing(rig: Rig) -> None:
    """Stopping is idempotent, and says nothing when there is nothing to say."""
    rig.stop()
    rig.start()
    rig.wait_state(S.READY)
    rig.stop()
    said = len(rig.told.statuses)
    rig.stop()
    assert len(rig.told.statuses) == said


def test_a_stop_that_is_interrupted_can_be_asked_for_again(rig: Rig) -> None:
    """A second stop waits for the close that the first one started."""
    rig.venue.plan("close", HANG)
    rig.call(lambda: setattr(rig.supervisor, "config", replace(PATIENT, close_timeout_s=0.1)))
    rig.start("A")
    rig.wait_state(S.READY)

    async def impatient() -> None:
        stop = asyncio.ensure_future(rig.supervisor.stop())
        await asyncio.sleep(0)
        stop.cancel()
        await asyncio.wait([stop])
        assert not rig.supervisor.running
        await rig.supervisor.stop()

    rig.bridge.run(impatient(), timeout=WAIT_S)
    assert rig.supervisor.state is S.DISCONNECTED
    assert rig.states.count(S.CLOSING) == 1


# ------------------------------------------------------------------ what it says


def test_its_repr_is_a_status_line(rig: Rig) -> None:
    """One look tells venue, state, streams and reconnects."""
    rig.venue.refused[tick("BAD")] = UnknownSymbol("FAKE", "", "no such symbol")
    rig.start("A", "BAD")
    rig.wait_state(S.DEGRADED)
    assert repr(rig.supervisor) == "<Supervisor FAKE.websocket DEGRADED subs=1/2 reconnects=0>"


def test_its_health_counts_what_the_session_received(rig: Rig) -> None:
    """Health shows the session's count of messages, and nothing when there is none."""
    rig.start("A")
    rig.wait_state(S.READY)
    rig.call(lambda: setattr(rig.venue.newest, "received", 42))
    assert rig.supervisor.health().received == 42
    rig.stop()
    assert rig.supervisor.health().received == 0
    assert rig.supervisor.session is None


def test_a_thousand_streams_make_a_short_reason(rig: Rig) -> None:
    """A long list is named by its first few and a count."""
    keys: list[StreamKey] = [tick(f"S{number:04}") for number in range(1000)]
    error = UnknownSymbol("FAKE", "", "no such symbol")
    rig.venue.refused.update(dict.fromkeys(keys, error))
    rig.call(lambda: rig.supervisor.want(keys))
    rig.call(rig.supervisor.start)
    status = rig.wait_state(S.DEGRADED)
    assert status.reason.endswith("tick:S0007.BINANCE and 992 more")
