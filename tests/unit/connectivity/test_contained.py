"""An SDK that swallows its cancellation holds up nobody, and is named in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.connectivity.contained import Contained
from foxtrot.errors import ShutdownTimeout
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import StreamState
from tests.support.events import WAIT_S
from tests.support.sessions import PATIENT, FakeSession, FakeVenue, Rig, tick

HURRIED = replace(
    PATIENT,
    connect_timeout_s=0.05,
    sync_timeout_s=0.05,
    close_timeout_s=0.05,
    end_timeout_s=0.05,
    idle_s=0.05,
    probe_s=0.05,
)


class Stubborn:
    """Something an SDK waits for, whatever it is told, until `give_in`."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self.cancelled = 0

    async def wait(self) -> None:
        while not self._over.is_set():
            try:
                await self._over.wait()
            except asyncio.CancelledError:
                self.cancelled += 1

    def give_in(self) -> None:
        self._over.set()


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A supervisor that gives every step a moment."""
    with Rig(HURRIED) as made:
        yield made


def stubborn_at(rig: Rig, step: str) -> list[Stubborn]:
    """Let the first session hang in `step`, deaf to cancellation; the list fills when it does."""
    made = rig.venue.make
    found: list[Stubborn] = []

    def make() -> FakeSession:
        session = made()
        if session.number == 0:
            real = getattr(session, step)

            async def hang(*args: object) -> object:
                session.closed += step == "close"
                found.append(Stubborn())
                await found[-1].wait()
                return await real(*args) if step == "subscribe" else None

            setattr(session, step, hang)
        return session

    rig.supervisor._make_session = make
    return found


@pytest.mark.parametrize("step", ["prepare", "open", "sync", "probe"])
def test_a_step_that_will_not_end_is_replaced_at_its_deadline(rig: Rig, step: str) -> None:
    """The next session serves, and the step is an alarm by name."""
    hanging = stubborn_at(rig, step)
    rig.start("A")
    rig.told.errors.wait_for(lambda error: isinstance(error, ShutdownTimeout))
    rig.venue.changes.wait_for(lambda held: held == {tick("A")} and len(rig.venue.sessions) > 1)
    alarm = next(e for e in rig.told.errors.items if isinstance(e, ShutdownTimeout))
    assert alarm.left_behind == (f"FAKE.websocket.session.{step}",)
    assert hanging[0].cancelled
    rig.call(hanging[0].give_in)


@pytest.mark.parametrize("step", ["run", "close"])
def test_a_session_that_will_not_end_does_not_stop_reconnecting(rig: Rig, step: str) -> None:
    """A lost session that hangs on is left to itself; its place is taken."""
    rig.call(lambda: setattr(rig.supervisor, "config", replace(HURRIED, idle_s=60.0)))
    hanging = stubborn_at(rig, step)
    rig.start("A")
    rig.wait_state(S.READY)
    rig.call(rig.supervisor.recycle)
    rig.wait_states(S.READY, 2)
    assert rig.venue.newest.held == {tick("A")}
    alarm = rig.told.errors.wait_for(lambda error: isinstance(error, ShutdownTimeout))
    assert isinstance(alarm, ShutdownTimeout)
    assert alarm.left_behind == (f"FAKE.websocket.session.{step}",)
    rig.call(hanging[0].give_in)


def test_an_answer_that_comes_after_the_end_concerns_nobody(rig: Rig) -> None:
    """What a dead session holds at last is not taken for held by the next one."""
    rig.call(lambda: setattr(rig.supervisor, "config", replace(HURRIED, idle_s=60.0)))
    hanging = stubborn_at(rig, "subscribe")
    rig.start("A")
    rig.venue.calls.wait_for(lambda call: call.step == "run")
    rig.call(rig.supervisor.recycle)
    rig.wait_state(S.READY)
    entry = rig.supervisor.book.entry(tick("A"))
    rig.call(lambda: rig.venue.sessions[0].report(tick("A"), StreamState.STALE, "late"))
    rig.call(hanging[0].give_in)
    assert entry is not None
    assert entry.state is StreamState.ACTIVE
    assert rig.supervisor.book.entry(tick("A")) == entry
    assert [call.session for call in rig.venue.calls_of("subscribe")][:1] == [1]


@pytest.mark.parametrize("step", ["prepare", "open", "sync", "run", "close"])
def test_a_stop_ends_in_time_whatever_hangs(rig: Rig, step: str) -> None:
    """Stopping waits for the deadlines and no longer, and names what is left."""
    patient = replace(HURRIED, connect_timeout_s=60.0, sync_timeout_s=60.0, idle_s=60.0)
    rig.call(lambda: setattr(rig.supervisor, "config", patient))
    hanging = stubborn_at(rig, step)
    rig.start("A")
    if step == "close":
        rig.wait_state(S.READY)
    else:
        before = {"prepare": 0, "open": 1, "sync": 2, "run": 2}[step]
        rig.venue.calls.wait_count(before) if before else None
    rig.stop()
    assert rig.supervisor.state is S.DISCONNECTED
    if hanging:  # the stop may have come before the step
        alarm = rig.told.errors.wait_for(lambda error: isinstance(error, ShutdownTimeout))
        assert f"session.{step}" in str(alarm)
        rig.call(hanging[0].give_in)


def test_a_step_in_time_gives_its_result(rig: Rig) -> None:
    """Nothing is cancelled, and nothing is left."""

    async def used() -> tuple[object, tuple[str, ...]]:
        steps = Contained(FakeVenue().make(), rig.bridge, "FAKE")
        return await steps.step("think", asyncio.sleep(0, 42), 1.0), await steps.end(1.0)

    assert rig.bridge.run(used(), timeout=WAIT_S) == (42, ())


def test_who_is_cancelled_takes_the_step_along(rig: Rig) -> None:
    """A step that obeys has ended when the end is asked for."""

    async def used() -> tuple[str, ...]:
        steps = Contained(FakeVenue().make(), rig.bridge, "FAKE")
        asked = asyncio.ensure_future(steps.step("wait", asyncio.Event().wait()))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
        return await steps.end(1.0)

    assert rig.bridge.run(used(), timeout=WAIT_S) == ()


def test_the_bridge_names_what_is_still_there() -> None:
    """Who stops the house is told by name what was left behind."""
    rig = Rig(HURRIED)
    hanging = stubborn_at(rig, "open")
    rig.start("A")
    rig.told.errors.wait_for(lambda error: isinstance(error, ShutdownTimeout))
    rig.stop()
    with pytest.raises(ShutdownTimeout, match=r"FAKE\.websocket\.session\.open"):
        rig.bridge.stop(timeout=0.2)
    loop = rig.bridge._thread
    if loop is not None:
        loop.loop.call_soon_threadsafe(hanging[0].give_in)
        rig.bridge.stop()


def test_a_step_that_hangs_is_not_begun_again(rig: Rig) -> None:
    """However often it is asked for, one of it is left, and the others cost nothing."""
    deaf = [Stubborn(), Stubborn()]

    async def used() -> tuple[str, ...]:
        steps = Contained(FakeVenue().make(), rig.bridge, "FAKE")
        for one in deaf:
            with pytest.raises(TimeoutError):
                await steps.step("probe", one.wait(), 0.01)
        left = await steps.end(0.01)
        deaf[0].give_in()
        assert await steps.end(1.0) == ()
        await steps.step("probe", asyncio.sleep(0), 1.0)
        return left

    assert rig.bridge.run(used(), timeout=WAIT_S) == ("FAKE.probe",)
    assert deaf[1].cancelled == 0
