"""One reading serves all who ask, and one that hangs hangs alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from foxtrot.engine.main_engine import MainEngine
from foxtrot.monitoring.answers import Life
from foxtrot.monitoring.readings import NoAnswer, Readings
from tests.support.clock import ManualClock

WAIT_S = 10.0


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    with MainEngine() as engine:
        yield engine


class View:
    """A view that counts how often it is read, and waits if it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, engine: MainEngine) -> Life:
        self.count += 1
        self.gate.wait(WAIT_S)
        return Life(True)


async def test_who_asks_together_shares_a_reading(engine: MainEngine) -> None:
    """And who asks a little later, too; then it is read anew."""
    clock, view = ManualClock(), View()
    readings = Readings(engine, kept_s=0.5, clock=clock)
    bodies = await asyncio.gather(*(readings.of(view) for _ in range(50)))
    assert {each.body for each in bodies} == {b'{"success":true,"data":{"ok":true},"error":null}'}
    clock.advance(0.4)
    await readings.of(view)
    assert view.count == 1
    clock.advance(0.2)
    await readings.of(view)
    assert view.count == 2
    readings.forget()
    await readings.of(view)
    assert view.count == 3


async def test_a_reading_from_before_a_change_does_not_serve_after_it(engine: MainEngine) -> None:
    """Who halts and looks sees the halt, though a look of somebody else's was under way."""
    slow, began, halted = threading.Event(), threading.Event(), threading.Event()

    def view(_: MainEngine) -> Life:
        seen = halted.is_set()
        began.set()
        return Life(seen or not slow.wait(WAIT_S))

    readings = Readings(engine, deadline_s=WAIT_S)
    before = asyncio.create_task(readings.of(view))
    assert await asyncio.to_thread(began.wait, WAIT_S)
    halted.set()
    readings.forget()
    assert (await readings.of(view)).data.ok
    slow.set()
    assert not (await before).data.ok
    assert (await readings.of(view)).data.ok


async def test_one_that_hangs_is_told_in_time_and_not_begun_again(engine: MainEngine) -> None:
    """However many ask; when it goes on, its answer serves."""
    view, other = View(), View()
    view.gate.clear()
    readings = Readings(engine, deadline_s=0.05)
    asked = await asyncio.gather(*(readings.of(view) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(each, NoAnswer) for each in asked)
    assert (await readings.of(other)).data.ok
    assert view.count == 1
    view.gate.set()
    patient = Readings(engine)
    assert (await patient.of(view)).data.ok
    await readings.close()


async def test_an_error_reaches_all_who_asked_and_is_not_kept(engine: MainEngine) -> None:
    """The next reading may be good."""
    errors = [ZeroDivisionError("once")]

    def view(_: MainEngine) -> Life:
        if errors:
            raise errors.pop()
        return Life(True)

    readings = Readings(engine)
    asked = await asyncio.gather(*(readings.of(view) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in asked] == [ZeroDivisionError] * 3
    assert (await readings.of(view)).data.ok
