"""The EventEngine starts, drains, stops, and survives abuse from many threads."""

import os
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from foxtrot.core import dispatcher
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.wakeup import SocketWakeup
from foxtrot.errors import InvalidState, ShutdownTimeout, WrongThread
from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TIMER, Event
from tests.support.engine import WAIT_S, Gate, Recorder, order, tick, trade


@pytest.fixture
def engine() -> Iterator[EventEngine]:
    """An engine that no test needs to stop, and whose timer stays out of the way."""
    made = EventEngine(interval=3600)
    yield made
    made.stop(WAIT_S)


def hold(engine: EventEngine) -> Gate:
    """Start `engine` and hold its dispatcher in a handler."""
    gate = Gate()
    engine.register("gate", gate)
    engine.start()
    engine.put(Event("gate", "gate"))
    gate.wait_entered()
    return gate


def in_handler(engine: EventEngine, action: object) -> list[BaseException]:
    """Run `action()` in a handler; what it raised."""
    raised: list[BaseException] = []
    done = threading.Event()

    def handler(event: Event) -> None:
        try:
            action()  # type: ignore[operator]
        except BaseException as error:
            raised.append(error)
        done.set()

    engine.register("act", handler)
    engine.put(Event("act"))
    assert done.wait(WAIT_S)
    return raised


# ------------------------------------------------------------------ start and stop


def test_what_is_put_before_the_start_is_served_after_it(engine: EventEngine) -> None:
    """As in vnpy, events may be put before the engine is started."""
    recorder = Recorder()
    engine.register("order.", recorder)
    engine.put(order(1))
    engine.start()
    assert recorder.wait_for(1) == [1]


def test_stop_serves_all_that_is_queued(engine: EventEngine) -> None:
    """Every order and the last tick of each symbol put before `stop` reach their handlers."""
    recorder = Recorder()
    engine.register_general(recorder)
    gate = hold(engine)
    for number in range(100):
        engine.put(order(number))
        engine.put(tick(f"tick {number}"))
        engine.put(trade(f"trade {number}"))
    opener = threading.Thread(target=gate.open)
    opener.start()
    engine.stop(WAIT_S)
    opener.join(WAIT_S)

    data = recorder.data
    assert [item for item in data if isinstance(item, int)] == list(range(100))
    assert "tick 99" in data
    assert [item for item in data if str(item).startswith("trade")] == [
        f"trade {number}" for number in range(100)
    ]
    assert engine.health().queued == engine.health().dropped == 0


def test_what_handlers_say_while_stopping_is_heard(engine: EventEngine) -> None:
    """An event that a handler puts during the last drain is served before the end."""
    recorder = Recorder()
    engine.register("first", lambda _: engine.put(order("answer")))
    engine.register("order.", recorder)
    gate = hold(engine)
    engine.put(Event("first"))
    stopper = threading.Thread(target=engine.stop, args=(WAIT_S,))
    stopper.start()
    gate.open()
    stopper.join(WAIT_S)

    assert recorder.data == ["answer"]


def test_after_stop_events_are_dropped_and_counted(engine: EventEngine) -> None:
    """Who comes too late gets no error; the books tell."""
    recorder = Recorder()
    engine.register_general(recorder)
    engine.start()
    engine.stop(WAIT_S)
    for event in (order(1), tick(2), trade(3)):
        engine.put(event)

    assert recorder.data == []
    health = engine.health()
    assert (health.running, health.received, health.dropped, health.queued) == (False, 3, 3, 0)


def test_stop_leaves_no_thread_and_no_descriptor(engine: EventEngine) -> None:
    """After `stop` the process is as it was; stopping again does nothing."""
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    engine.start()
    engine.stop(WAIT_S)
    engine.stop(WAIT_S)
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_stopping_what_was_never_started_drops_what_was_put(engine: EventEngine) -> None:
    """An engine may be stopped unstarted; what waited is counted as dropped."""
    engine.put(order(1))
    engine.put(tick(2))
    engine.stop(WAIT_S)
    assert (engine.health().dropped, engine.health().queued) == (2, 0)
    assert "STOPPED" in repr(engine)


def test_an_engine_starts_once(engine: EventEngine) -> None:
    """Starting a running or a stopped engine is an error that says which it is."""
    engine.start()
    with pytest.raises(InvalidState, match="RUNNING"):
        engine.start()
    engine.stop(WAIT_S)
    with pytest.raises(InvalidState, match="STOPPED"):
        engine.start()


def test_stop_inside_a_handler_asks_and_returns(engine: EventEngine) -> None:
    """A handler may stop the engine without waiting for itself."""
    engine.start()
    assert in_handler(engine, engine.stop) == []
    engine.stop(WAIT_S)
    assert not engine.health().running


def test_a_handler_that_hangs_is_named_by_the_error(engine: EventEngine) -> None:
    """`stop` gives up in time and names thread and handler; once it returns, `stop` succeeds."""
    gate = hold(engine)
    with pytest.raises(ShutdownTimeout, match=r"thread foxtrot-events in .*Gate"):
        engine.stop(0.01)
    assert "STOPPING" in repr(engine)
    gate.open()
    engine.stop(WAIT_S)


def test_handlers_that_feed_each_other_cannot_prevent_the_end(engine: EventEngine) -> None:
    """An endless conversation of handlers is cut when the time to stop is over."""
    going = threading.Event()

    def again(event: Event) -> None:
        going.set()
        engine.put(event)

    engine.register("order.", again)
    engine.start()
    engine.put(order(1))
    assert going.wait(WAIT_S)
    try:
        engine.stop(0.05)
    except ShutdownTimeout:
        engine.stop(WAIT_S)  # it was between two looks at the clock
    health = engine.health()
    assert not health.running
    assert health.received == health.delivered + health.dropped


# ------------------------------------------------------------------ drain


def test_drain_waits_for_what_was_put_before(engine: EventEngine) -> None:
    """`drain` returns True only when all lanes have served what was put before it."""
    recorder = Recorder()
    engine.register_general(recorder)
    gate = hold(engine)
    for number in range(1_000):
        engine.put(tick(number, str(number)))
        engine.put(trade(number))
        engine.put(order(number))
    assert not engine.drain(0.001)
    gate.open()

    assert engine.drain(WAIT_S)
    assert len(recorder.events) == 3_001


def test_drain_on_the_dispatcher_is_refused(engine: EventEngine) -> None:
    """A handler that wants to wait for the handlers gets WrongThread at once."""
    engine.start()
    assert [type(error) for error in in_handler(engine, engine.drain)] == [WrongThread]


def test_drain_without_a_dispatcher_tells_whether_anything_waits(engine: EventEngine) -> None:
    """Before the start and after the end there is nothing to wait for."""
    assert engine.drain(WAIT_S)
    engine.put(order(1))
    assert not engine.drain(WAIT_S)
    engine.start()
    engine.stop(WAIT_S)
    assert engine.drain(WAIT_S)


# ------------------------------------------------------------------ races, brought about on purpose


def test_an_event_put_just_before_the_dispatcher_sleeps_is_served_at_once() -> None:
    """A producer that still sees a busy dispatcher does not ring: the dispatcher looks again."""

    class JustBefore(EventEngine):
        raced = False

        def __setattr__(self, name: str, value: object) -> None:
            if name == "_idle" and value is True and not self.raced:
                self.raced = True
                self.put(order("just before"))
            super().__setattr__(name, value)

    engine, recorder = JustBefore(interval=3600), Recorder()
    engine.register("order.", recorder)
    engine.start()
    assert recorder.wait_for(1) == ["just before"]
    engine.stop(WAIT_S)


def test_a_tick_never_overtakes_an_older_one_that_spilled_over() -> None:
    """While older ticks wait past the limit, newer ones go behind them, even if there is room."""
    engine, recorder = EventEngine(3600, conflate_after_s=1e9, latest_limit=2), Recorder()

    def answer(event: Event) -> None:
        if event.data == 1:
            engine.put(tick(4, "C"))

    engine.register_general(recorder)
    engine.register("tick.", answer)
    for number, topic in ((1, "A"), (2, "B"), (3, "C")):
        engine.put(tick(number, topic))
    engine.start()
    assert engine.drain(WAIT_S)
    engine.stop(WAIT_S)

    assert recorder.data == [1, 2, 4]
    assert engine.health().conflated == 1


def test_a_producer_held_up_between_look_and_append_mixes_nothing_up() -> None:
    """A tick that enters the queue late is not taken for newer than the one after it."""
    engine, recorder = EventEngine(3600, conflate_after_s=1e-9, latest_limit=1), Recorder()
    engine.register_general(recorder)

    class Intruder:
        """The engine's lock; when the dispatcher takes it first, a producer was quicker."""

        def __init__(self) -> None:
            self.lock, self.due = threading.RLock(), True

        def __enter__(self) -> None:
            if self.due and threading.current_thread() is engine._thread:
                self.due = False
                engine._latest.queue.append(tick("late"))  # it looked while there was room
                engine.put(tick("after it"))
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    engine._latest._lock = Intruder()  # type: ignore[assignment]
    for topic in "ABC":
        engine.put(tick(topic, topic))
    engine.start()
    assert engine.drain(WAIT_S)
    engine.stop(WAIT_S)

    assert [event.data for event in recorder.events if event.topic == "A"][-1] == "after it"


# ------------------------------------------------------------------ abuse


@pytest.fixture(params=["eventfd", "socketpair"])
def any_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> EventEngine:
    """An engine with small bounds, on each kind of bell."""
    if request.param == "socketpair":
        monkeypatch.setattr(dispatcher, "make_wakeup", SocketWakeup)
    return EventEngine(0.001, conflate_after_s=0.001, latest_limit=50, bounded_limit=1_000)


def test_many_producers_lose_nothing_that_may_not_be_lost(any_engine: EventEngine) -> None:
    """Under many producers and registrations in flight the books balance and orders all arrive."""
    engine, producers, each = any_engine, 6, 3_000
    recorder, on_lane, timers = Recorder(), Recorder(), Counter[str]()
    engine.register_general(recorder)
    engine.register("order.", on_lane, lane="slow")
    engine.register(EVENT_TIMER, lambda event: timers.update([event.type]))
    engine.start()
    stop_registering = threading.Event()

    def produce(me: int) -> None:
        for number in range(each):
            engine.put((order, tick, trade)[number % 3]((me, number), f"{me}/{number % 5}"))

    def register() -> None:
        while not stop_registering.is_set():
            handler = Recorder()
            engine.register("tick.", handler)
            engine.register("tick.", handler, lane="slow")
            engine.register_general(handler)
            engine.unregister("tick.", handler)
            engine.unregister_general(handler)

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(producers)]
    registrar = threading.Thread(target=register)
    for thread in (registrar, *threads):
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    stop_registering.set()
    registrar.join(WAIT_S)
    engine.stop(WAIT_S)

    books = engine.health()
    assert books.received == producers * each + timers.total()
    for kept in (books, books.lanes["slow"]):
        settled = kept.delivered + kept.conflated + kept.dropped
        assert kept.received == settled
    assert len(on_lane.data) == producers * each // 3
    by_lane: dict[tuple[Lane, str, int], list[int]] = {}
    for event in recorder.events:
        if event.type != EVENT_TIMER:
            me, number = event.data  # type: ignore[misc]
            by_lane.setdefault((event.lane, event.topic, me), []).append(number)
    assert all(numbers == sorted(numbers) for numbers in by_lane.values())
    orders = [
        n for (lane, *_), numbers in by_lane.items() if lane is Lane.RELIABLE for n in numbers
    ]
    assert len(orders) == producers * each // 3
    for key, numbers in by_lane.items():
        if key[0] is Lane.LATEST:  # the last tick of each symbol arrives
            mine = [n for n in range(1, each, 3) if f"{key[2]}/{n % 5}" == key[1]]
            assert numbers[-1] == mine[-1]


def test_stop_ends_a_flood(any_engine: EventEngine) -> None:
    """`stop` does not wait for producers that never pause; each event is accounted for."""
    engine, timers = any_engine, Counter[str]()
    engine.register(EVENT_TIMER, lambda event: timers.update([event.type]))
    engine.start()
    going, over = threading.Semaphore(0), threading.Event()
    put = Counter[int]()

    def flood(me: int) -> None:
        while not over.is_set():
            engine.put((order, tick, trade)[put[me] % 3](put[me], str(put[me] % 10)))
            put[me] += 1
            if put[me] == 100:
                going.release()

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert going.acquire(timeout=WAIT_S)
    engine.stop(WAIT_S)
    over.set()
    for thread in threads:
        thread.join(WAIT_S)

    books = engine.health()
    assert not books.running
    assert books.queued == 0
    assert books.received == put.total() + timers.total()
    assert books.received == books.delivered + books.conflated + books.dropped


def test_a_drain_that_a_stop_cuts_short_says_so(engine: EventEngine) -> None:
    """Events that were dropped at the end were not served, whoever waits for them."""
    gate = hold(engine)
    engine.put(order(1))
    drained: list[bool] = []
    waiting = threading.Thread(target=lambda: drained.append(engine.drain(WAIT_S)))
    waiting.start()
    with pytest.raises(ShutdownTimeout):
        engine.stop(0.0)
    gate.open()
    waiting.join(WAIT_S)
    assert (drained, engine.drain(WAIT_S)) == ([False], False)


def test_a_drain_of_what_was_stopped_unstarted_says_so(engine: EventEngine) -> None:
    """Nothing of it was served either."""
    engine.put(order(1))
    assert not engine.drain(WAIT_S)
    engine.stop()
    assert engine.health().dropped == 1
    assert not engine.drain(WAIT_S)


def test_an_engine_may_be_stopped_in_a_put_before_it_was_started(engine: EventEngine) -> None:
    """An inline handler that ends everything harms no producer; its event is counted."""
    engine.register("last", lambda event: engine.stop(), inline=True)
    engine.put(Event("last"))
    health = engine.health()
    assert (health.received, health.dropped, health.queued) == (1, 1, 0)


def test_stops_from_many_threads_all_return(engine: EventEngine) -> None:
    """Whoever stops the engine finds it stopped when the call returns."""
    engine.start()
    running: list[bool] = []

    def stop() -> None:
        engine.stop(WAIT_S)
        running.append(engine.health().running)

    threads = [threading.Thread(target=stop) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert running == [False] * 5
