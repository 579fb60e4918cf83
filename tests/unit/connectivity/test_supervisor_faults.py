"""Whatever a session does, the supervisor neither dies nor leaves anything behind."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from foxtrot.errors import ConnectionClosed, StreamingError
from foxtrot.model.constants import ConnectionState as S
from tests.support.events import WAIT_S
from tests.support.sessions import HANG, PATIENT, Rig, tick

LOST = ConnectionClosed(1006)
STEPS = ["make", "prepare", "open", "sync", "subscribe", "run"]


class Foreign(Exception):
    """What an SDK may raise."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A supervisor that runs into no deadline."""
    with Rig() as made:
        yield made


# ------------------------------------------------------------------ one step fails


@pytest.mark.parametrize("step", STEPS)
def test_a_foreign_exception_ends_the_session_not_the_loop(rig: Rig, step: str) -> None:
    """Whatever an SDK raises, a fresh session follows, and the text shows the kind only."""
    rig.venue.plan(step, Foreign("https://user:secret@host"))
    rig.start("A")
    rig.venue.changes.wait_for(lambda held: held == {tick("A")})
    rig.wait_state(S.READY)
    texts = [str(error) for error in rig.told.errors.items]
    assert texts == ["Foreign in the websocket session"]


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_cancellation_from_inside_ends_the_session_not_the_loop(rig: Rig, step: str) -> None:
    """An SDK that cancels its own futures does not stop the supervisor in secret."""
    rig.venue.plan(step, asyncio.CancelledError())
    rig.start("A")
    rig.told.errors.wait_count(1)
    rig.wait_state(S.READY)
    assert str(rig.told.errors.items[0]) == "the websocket session was cancelled from inside"


def test_a_session_that_ends_without_a_cause_is_replaced(rig: Rig) -> None:
    """Background work that returns is a lost session, not a quiet one."""

    async def over() -> None:
        return

    made = rig.venue.make

    def make() -> object:
        session = made()
        if session.number == 0:
            session.run = over  # type: ignore[method-assign]
        return session

    rig.supervisor._make_session = make  # type: ignore[assignment]
    rig.start("A")
    rig.told.errors.wait_count(1)
    rig.wait_state(S.READY)
    assert str(rig.told.errors.items[0]) == "the websocket session ended and gave no cause"


@pytest.mark.parametrize("cause", [Foreign(), asyncio.CancelledError(), StreamingError("late")])
def test_a_close_that_raises_does_not_end_the_loop(rig: Rig, cause: BaseException) -> None:
    """A session that cannot even be closed is followed by the next one."""
    rig.venue.plan("close", cause)
    rig.start("A")
    rig.wait_state(S.READY)
    rig.lose(LOST)
    rig.wait_states(S.READY, 2)
    assert rig.venue.newest.held == {tick("A")}


def test_a_close_that_hangs_is_cut_at_its_deadline() -> None:
    """A hung close delays the next session by its deadline and no longer."""
    with Rig(replace(PATIENT, close_timeout_s=0.05)) as rig:
        rig.venue.plan("close", HANG)
        rig.start("A")
        rig.wait_state(S.READY)
        rig.lose(LOST)
        rig.wait_states(S.READY, 2)
        steps = [c.step for c in rig.venue.calls.items if c.step in ("open", "close")]
        assert steps == ["open", "close", "open"]


def test_a_stop_does_not_cut_a_close_short(rig: Rig) -> None:
    """A session that is being closed when the stop comes is closed to its end."""
    ended = []
    opened: list[asyncio.Event] = []

    async def close() -> None:
        rig.venue.newest.closed += 1
        opened.append(asyncio.Event())
        await opened[0].wait()
        ended.append("closed")

    rig.start("A")
    rig.wait_state(S.READY)
    rig.venue.newest.close = close  # type: ignore[method-assign]
    rig.lose(LOST)
    rig.wait_state(S.RECONNECTING)

    async def stop() -> None:
        stopping = asyncio.ensure_future(rig.supervisor.stop())
        await asyncio.sleep(0)
        opened[0].set()
        await stopping

    rig.bridge.run(stop(), timeout=WAIT_S)
    assert ended == ["closed"]


@pytest.mark.parametrize("error", [Foreign(), StreamingError("cut off")])
def test_a_session_that_answers_a_cancellation_with_an_error_stops_all_the_same(
    rig: Rig, error: Exception
) -> None:
    """An SDK that turns a cancellation into an error of its own cannot undo a stop."""
    rig.venue.misbehave["cancelled"] = error
    rig.start("A")
    rig.wait_state(S.READY)
    rig.stop()
    assert rig.states == [S.CONNECTING, S.SYNCING, S.READY, S.CLOSING, S.DISCONNECTED]
    assert len(rig.venue.sessions) == 1


def test_the_first_of_several_causes_is_told(rig: Rig) -> None:
    """What the other parts raise while they are ended hides nothing."""
    rig.venue.misbehave["cancelled"] = Foreign()
    rig.venue.plan("subscribe", ConnectionClosed(1011, "internal"))
    rig.start("A")
    rig.told.errors.wait_count(1)
    rig.venue.misbehave.clear()
    rig.wait_state(S.READY)
    assert str(rig.told.errors.items[0]) == "connection closed, code 1011: internal"


# ------------------------------------------------------------------ F102: at every await


def life(rig: Rig) -> None:
    """Everything a session does: connect, change streams, probe, be lost, come back."""
    rig.call(lambda: rig.supervisor.want([tick("A"), tick("B")]))
    rig.call(rig.supervisor.start)
    rig.venue.changes.wait_for(lambda held: held == {tick("A"), tick("B")})
    rig.call(lambda: rig.supervisor.drop([tick("B")]))
    rig.call(lambda: rig.supervisor.want([tick("C")]))
    rig.venue.changes.wait_for(lambda held: held == {tick("A"), tick("C")})
    rig.lose(LOST)
    since = len(rig.venue.changes)
    rig.wait_states(S.RECONNECTING, 1)
    rig.venue.changes.wait_for(lambda held: held == {tick("A"), tick("C")}, since=max(since - 1, 0))
    rig.wait_states(S.READY, 2)


def steps_of_a_life() -> int:
    with Rig() as rig:
        life(rig)
        rig.stop()
        return rig.venue.steps


def raise_at(n: int, error: BaseException) -> Callable[[int, str], None]:
    def before(number: int, step: str) -> None:
        if number == n:
            raise error

    return before


@pytest.mark.parametrize("error", [Foreign("boom"), LOST, asyncio.CancelledError(), TimeoutError()])
def test_a_fault_at_any_await_is_healed(error: BaseException) -> None:
    """Fail at the n-th await, for every n: the wanted streams come back, nothing is left."""
    for n in range(1, steps_of_a_life() + 1):
        with Rig() as rig:
            rig.venue.before_step = raise_at(n, error)
            rig.call(lambda rig=rig: rig.supervisor.want([tick("A"), tick("B")]))
            rig.call(rig.supervisor.start)
            rig.venue.changes.wait_for(lambda held: held == {tick("A"), tick("B")})
            rig.call(lambda rig=rig: rig.supervisor.drop([tick("B")]))
            rig.call(lambda rig=rig: rig.supervisor.want([tick("C")]))
            # A stream too many, which nobody hears, may live until the next session.
            rig.venue.changes.wait_for(lambda held: held >= {tick("A"), tick("C")})
            since = len(rig.told.statuses)
            rig.call(rig.supervisor.recycle)
            rig.wait_state(S.READY, since=since)
            wanted = {tick("A"), tick("C")}  # that READY may have been the session before
            rig.venue.changes.wait_until(lambda held, w=wanted: [x for x in held[-1:] if x == w])


def test_a_stop_at_any_await_leaves_nothing() -> None:
    """Stop at the n-th await, for every n: the rig finds no task and every session closed once."""
    for n in range(1, steps_of_a_life()):
        with Rig() as rig:
            reached = asyncio.Event()

            def before(
                number: int, step: str, n: int = n, reached: asyncio.Event = reached
            ) -> None:
                if number == n:
                    reached.set()

            async def stop_there(rig: Rig = rig, reached: asyncio.Event = reached) -> None:
                await asyncio.wait_for(reached.wait(), WAIT_S)
                await rig.supervisor.stop()

            rig.venue.before_step = before
            stopped = rig.bridge.submit(stop_there(), name="stop")
            rig.call(lambda rig=rig: rig.supervisor.want([tick("A"), tick("B")]))
            rig.call(rig.supervisor.start)
            for change in (
                lambda rig=rig: rig.supervisor.drop([tick("B")]),
                rig.supervisor.recycle,
                lambda rig=rig: rig.supervisor.want([tick("C")]),
                rig.supervisor.recycle,
            ):
                rig.call(change)
            while not stopped.done():
                rig.call(rig.supervisor.recycle)
            stopped.result(WAIT_S)
            assert rig.supervisor.state is S.DISCONNECTED, f"after a stop at step {n}"
