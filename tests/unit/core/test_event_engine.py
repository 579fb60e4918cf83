"""Handlers elsewhere than on the dispatcher: on a lane of their own, or where the event is put."""

import logging
import threading
from collections.abc import Iterator

import pytest

from foxtrot.core.event_engine import EventEngine
from foxtrot.core.handlers import QUARANTINE_AFTER
from foxtrot.errors import ConfigurationError, ShutdownTimeout, WrongThread
from foxtrot.model.events import EVENT_TIMER, Event
from tests.support.clock import ManualClock
from tests.support.engine import WAIT_S, Gate, Recorder, order, tick, trade


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def engine(clock: ManualClock) -> Iterator[EventEngine]:
    """A running engine that conflates from the third tick on, and stops at the end."""
    made = EventEngine(clock=clock, latest_limit=2)
    made.start()
    yield made
    made.stop(WAIT_S)


@pytest.fixture
def held(engine: EventEngine) -> Iterator[Gate]:
    """A handler that blocks the lane "slow" until it is opened, at the latest at the end."""
    gate = Gate()
    engine.register("gate", gate, lane="slow")
    engine.put(Event("gate"))
    gate.wait_entered()
    yield gate
    gate.open()


def fail(event: Event) -> None:
    """A handler that is of no use."""
    raise ValueError("as told")


# ------------------------------------------------------------------ lanes


def test_a_blocked_lane_delays_nobody_else(engine: EventEngine, held: Gate) -> None:
    """While one handler blocks its lane, those on the dispatcher and on other lanes get events."""
    here, elsewhere = Recorder(), Recorder()
    engine.register("order.", here)
    engine.register("order.", elsewhere, lane="other")
    engine.put(order(1))
    assert here.wait_for(1) == elsewhere.wait_for(1) == [1]


def test_a_lane_gets_each_event_once_and_in_order(engine: EventEngine) -> None:
    """However many of a lane's handlers want an event, each gets it once, in order."""
    every, one = Recorder(), Recorder()
    engine.register("order.", every, lane="slow")
    engine.register("order.A", one, lane="slow")
    for number, topic in ((1, "A"), (2, "B"), (3, "A")):
        engine.put(order(number, topic))
    assert engine.drain(WAIT_S)
    assert (every.data, one.data) == ([1, 2, 3], [1, 3])


def test_a_lane_gets_nothing_that_it_does_not_want(engine: EventEngine) -> None:
    """An event that no handler of the lane is registered for is not even queued there."""
    engine.register("order.", Recorder(), lane="slow")
    engine.put(trade(1))
    engine.put(order(2))
    assert engine.drain(WAIT_S)
    assert engine.health().lanes["slow"].received == 1


def test_a_lane_named_before_the_start_serves_what_was_put_before() -> None:
    """As on the dispatcher, events and registrations may come before the start."""
    engine, recorder = EventEngine(interval=3600), Recorder()
    engine.register("order.", recorder, lane="slow")
    engine.put(order(1))
    engine.start()
    assert recorder.wait_for(1) == [1]
    engine.stop(WAIT_S)


def test_ticks_are_conflated_on_a_lane_as_on_the_dispatcher(
    engine: EventEngine, held: Gate
) -> None:
    """A handler that comes back from a long sleep sees the newest ticks, and the books balance."""
    recorder = Recorder()
    engine.register("tick.", recorder, lane="slow")
    here = Recorder()
    engine.register("tick.", here)
    for number in range(6):
        engine.put(tick(number))
        here.wait_for(number + 1)
    held.open()
    assert engine.drain(WAIT_S)

    assert recorder.data[-1] == 5
    lane = engine.health().lanes["slow"]
    assert (lane.received, lane.delivered, lane.conflated, lane.queued) == (7, 4, 3, 0)


def test_the_timer_reaches_a_lane_once(engine: EventEngine, clock: ManualClock) -> None:
    """A lane has no timer of its own: its handlers get the dispatcher's."""
    here, there = Recorder(), Recorder()
    engine.register(EVENT_TIMER, here)
    engine.register(EVENT_TIMER, there, lane="slow")
    clock.advance(1.5)
    engine.put(order("turns the dispatcher"))
    here.wait_for(1)
    assert engine.drain(WAIT_S)
    assert len(there.events) == len(here.events) == 1


def test_what_a_handler_on_a_lane_puts_reaches_the_others(engine: EventEngine) -> None:
    """A handler on a lane may answer as any other may."""
    recorder = Recorder()
    engine.register("answer", recorder)
    engine.register("order.", lambda event: engine.put(Event("answer", event.data)), lane="slow")
    engine.put(order(1))
    assert recorder.wait_for(1) == [1]


def test_unregistering_takes_a_handler_off_its_lane(engine: EventEngine) -> None:
    """`unregister` needs no lane: it finds the handler."""
    recorder = Recorder()
    engine.register("order.", recorder, lane="slow")
    engine.unregister("order.", recorder)
    engine.put(order(1))
    assert engine.drain(WAIT_S)
    assert recorder.data == []
    assert engine.health().lanes["slow"].received == 0


def test_a_failing_handler_on_a_lane_is_set_aside_and_shown(engine: EventEngine) -> None:
    """Isolation and quarantine hold on a lane; the engine's health shows them."""
    recorder = Recorder()
    engine.register("order.", fail, lane="slow")
    engine.register("order.", recorder, lane="slow")
    for number in range(QUARANTINE_AFTER + 1):
        engine.put(order(number))
    assert engine.drain(WAIT_S)

    assert len(recorder.data) == QUARANTINE_AFTER + 1
    health = engine.health()
    assert health.handler_errors == health.lanes["slow"].handler_errors == QUARANTINE_AFTER
    assert health.quarantined == (f"{__name__}.fail",)


def test_drain_waits_for_the_lanes(engine: EventEngine, held: Gate) -> None:
    """`drain` is True only once the handlers on lanes are through, too."""
    assert not engine.drain(0.01)
    held.open()
    assert engine.drain(WAIT_S)


def test_drain_on_a_lane_is_refused(engine: EventEngine) -> None:
    """A handler on a lane that waits for the engine would wait for itself."""
    raised, done = [], threading.Event()

    def handler(event: Event) -> None:
        try:
            engine.drain(WAIT_S)
        except WrongThread as error:
            raised.append(error)
        done.set()

    engine.register("order.", handler, lane="slow")
    engine.put(order(1))
    assert done.wait(WAIT_S)
    assert len(raised) == 1


def test_stop_serves_what_is_queued_on_a_lane_and_ends_its_thread() -> None:
    """After `stop` all was served and no thread is left."""
    threads = threading.active_count()
    engine, gate, recorder = EventEngine(interval=3600), Gate(), Recorder()
    engine.register("order.", gate, lane="slow")
    engine.register("order.", recorder, lane="slow")
    engine.start()
    for number in range(3):
        engine.put(order(number))
    gate.wait_entered()
    stopper = threading.Thread(target=engine.stop, args=(WAIT_S,))
    stopper.start()
    gate.open()
    stopper.join(WAIT_S)

    assert recorder.data == [0, 1, 2]
    assert threading.active_count() == threads


def test_a_handler_that_hangs_on_a_lane_is_named_by_the_error() -> None:
    """`stop` names the lane's thread and the handler it is in."""
    engine, gate = EventEngine(interval=3600), Gate()
    engine.register("gate", gate, lane="slow")
    engine.start()
    engine.put(Event("gate"))
    gate.wait_entered()
    with pytest.raises(ShutdownTimeout, match=r"thread foxtrot-slow in .*Gate"):
        engine.stop(0.05)
    gate.open()
    engine.stop(WAIT_S)


@pytest.mark.parametrize("lane", ["", "slow"])
def test_a_handler_that_asks_to_stop_ends_the_lanes_too(lane: str) -> None:
    """Wherever the handler runs that stops the engine, all its threads end."""
    threads = set(threading.enumerate())
    engine = EventEngine(interval=3600)
    engine.register("other", Recorder(), lane="other")
    engine.register("stop", lambda event: engine.stop(WAIT_S), lane=lane)
    engine.start()
    started = set(threading.enumerate()) - threads
    engine.put(Event("stop"))
    for thread in started:
        thread.join(WAIT_S)
    assert not any(thread.is_alive() for thread in started)
    assert engine.health().handler_errors == 0


# ------------------------------------------------------------------ inline


def test_an_inline_handler_is_done_when_put_returns(engine: EventEngine) -> None:
    """An inline handler runs on the thread that puts the event, topic and all."""
    seen: list[tuple[object, threading.Thread]] = []
    engine.register(
        "order.A", lambda e: seen.append((e.data, threading.current_thread())), inline=True
    )
    engine.put(order(1, "A"))
    engine.put(order(2, "B"))
    assert seen == [(1, threading.current_thread())]


def test_an_inline_handler_that_raises_harms_nobody_else(engine: EventEngine) -> None:
    """Neither the producer nor another handler notices; it is counted and set aside at last."""
    inline, recorder = Recorder(), Recorder()
    engine.register("order.", fail, inline=True)
    engine.register("order.", inline, inline=True)
    engine.register("order.", recorder)
    for number in range(QUARANTINE_AFTER + 1):
        engine.put(order(number))
    assert engine.drain(WAIT_S)

    assert inline.data == recorder.data == list(range(QUARANTINE_AFTER + 1))
    assert engine.health().handler_errors == QUARANTINE_AFTER
    assert engine.health().quarantined == (f"{__name__}.fail",)


def test_one_success_of_an_inline_handler_ends_the_row(engine: EventEngine) -> None:
    """An inline handler is set aside only for what it does all the time."""

    def moody(event: Event) -> None:
        if event.data != "good":
            raise ValueError("as told")

    engine.register("order.", moody, inline=True)
    for number in range(QUARANTINE_AFTER * 2):
        engine.put(order("good" if number == QUARANTINE_AFTER // 2 else number))
        if number == QUARANTINE_AFTER:
            assert engine.health().quarantined == ()
    assert engine.health().quarantined != ()


def test_a_log_that_puts_events_does_not_stop_those_who_put(engine: EventEngine) -> None:
    """Desktops turn log lines into events: one about an inline handler waits for no lock of it."""
    engine.register("order.", fail, inline=True)
    done: list[bool] = []

    class Desktop(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            other = threading.Thread(target=engine.put, args=(Event("eLog"),))
            other.start()
            other.join(WAIT_S / 5)
            done.append(not other.is_alive())

    desktop, log = Desktop(), logging.getLogger("foxtrot.engine")
    log.addHandler(desktop)
    try:
        engine.put(order(1))
    finally:
        log.removeHandler(desktop)
    assert done == [True]


def test_unregistered_inline_handlers_get_nothing_more(engine: EventEngine) -> None:
    """`unregister` takes an inline handler off, and a stopped engine calls none."""
    gone, left = Recorder(), Recorder()
    for recorder in (gone, left):
        engine.register("order.", recorder, inline=True)
    engine.unregister("order.", gone)
    engine.put(order(1))
    engine.stop(WAIT_S)
    engine.put(order(2))
    assert (gone.data, left.data) == ([], [1])


def test_a_handler_cannot_be_inline_and_have_a_lane(engine: EventEngine) -> None:
    """Two places at once is a mistake that is said at once."""
    with pytest.raises(ConfigurationError, match="inline"):
        engine.register("order.", fail, lane="slow", inline=True)
