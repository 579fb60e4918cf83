"""vnpy's MainEngine on foxtrot's EventEngine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop import Desk, open_desk, require

require("vnpy", "talib", "loguru")

from vnpy.event import Event, EventEngine  # noqa: E402

from foxtrot.core.handlers import QUARANTINE_AFTER  # noqa: E402
from foxtrot.desktop.events import DesktopEventEngine  # noqa: E402
from foxtrot.desktop.gateway import as_vnpy_gateway  # noqa: E402
from foxtrot.model.events import EVENT_CONNECTION  # noqa: E402
from tests.support.fake_adapter import FakeAdapter  # noqa: E402
from tests.support.rig import nothing_left  # noqa: E402


@pytest.fixture(scope="module")
def imports() -> None:
    """What lives as long as the process is made before anything is counted."""
    with open_desk():
        pass


@pytest.fixture
def desk(imports: None) -> Iterator[Desk]:
    """vnpy's engines on ours; nothing is left behind."""
    with nothing_left(), open_desk(DesktopEventEngine()) as desk:
        yield desk


def boom(event: Any) -> None:
    """A handler of an app that is wrong."""
    raise RuntimeError("an app's mistake")


def test_a_handler_that_raises_does_not_end_the_desktop(desk: Desk) -> None:
    """The others get the event and all later ones, and vnpy's log names who failed."""
    desk.engine.event_engine.register("eAny", boom)
    for number in range(3):
        desk.engine.event_engine.put(Event("eAny", number))
    desk.wait("eAny", lambda data: data == 2)
    said = desk.wait_said("boom failed with RuntimeError: an app's mistake")
    assert said.startswith("tests.unit.desktop.test_events")
    desk.engine.write_log("still here")
    desk.wait_said("still here")
    assert len([e for e in desk.log.items if "boom failed" in getattr(e.data, "msg", "")]) == 1


def test_a_handler_that_always_fails_is_set_aside_and_named(desk: Desk) -> None:
    """Who fails a hundred times in a row gets no more events, and people are told."""
    desk.engine.event_engine.register("eAny", boom)
    for number in range(QUARANTINE_AFTER + 1):
        desk.engine.event_engine.put(Event("eAny", number))
    desk.wait_said("boom fails again and again")


def test_a_log_that_fails_does_not_tell_of_it_for_ever(desk: Desk) -> None:
    """A handler of the log that raises is no source of lines of its own."""
    desk.engine.event_engine.register("eLog", boom)
    desk.engine.write_log("one")
    desk.wait_said("one")
    assert desk.engine.event_engine.drain()
    assert not [e for e in desk.log.items if "boom" in getattr(e.data, "msg", "")]


def test_vnpys_own_engine_dies_of_it(imports: None) -> None:
    """What this is for: the same exception ends the thread of vnpy's own event engine."""
    engine, ended = EventEngine(), threading.Event()
    engine.register("eAny", boom)
    hook, threading.excepthook = threading.excepthook, lambda args: ended.set()
    try:
        engine.start()
        engine.put(Event("eAny"))
        assert ended.wait(10)
        engine._thread.join(10)
        assert not engine._thread.is_alive()
    finally:
        engine.stop()
        threading.excepthook = hook


def test_the_timer_ticks(imports: None) -> None:
    """Apps and gateways get their timer."""
    with nothing_left():
        engine, ticked = DesktopEventEngine(0.01), threading.Event()
        engine.register("eTimer", lambda event: ticked.set())
        engine.start()
        assert ticked.wait(10)
        engine.stop()


def test_what_was_put_is_served_at_the_end(imports: None) -> None:
    """Closing serves what is queued; vnpy's own engine leaves it."""
    with nothing_left():
        seen: list[object] = []
        with open_desk(DesktopEventEngine()) as desk:
            desk.engine.event_engine.register("eAny", lambda event: seen.append(event.data))
            for number in range(1_000):
                desk.engine.event_engine.put(Event("eAny", number))
        assert seen == list(range(1_000))


def test_gateways_are_heard_to_the_end(imports: None) -> None:
    """What a gateway tells while vnpy closes it arrives, though vnpy stops the events first."""
    with nothing_left():
        with open_desk(DesktopEventEngine()) as desk:
            desk.engine.add_gateway(as_vnpy_gateway(FakeAdapter))
            desk.engine.connect({}, "FAKE")
            desk.wait(EVENT_CONNECTION, lambda status: status.state.value == "ready")
        last = [e.data.state.value for e in desk.log.items if e.type == EVENT_CONNECTION][-1]
        assert last == "disconnected"
        desk.engine.event_engine.put(Event("eAny"))
        assert desk.engine.event_engine.health().dropped >= 1


def test_a_handler_that_hangs_does_not_keep_vnpy_from_closing(
    imports: None,
) -> None:
    """vnpy closes its engines and gateways after the events, so that stopping never raises."""
    entered, go_on = threading.Event(), threading.Event()
    engine = DesktopEventEngine()
    engine.register("eAny", lambda event: (entered.set(), go_on.wait(10)))
    engine.start()
    engine.put(Event("eAny"))
    assert entered.wait(10)
    engine.stop(timeout=0.01)
    go_on.set()
    engine._thread.join(10)
