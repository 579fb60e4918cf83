"""Events reach their handlers: dispatch, lanes, and the books."""

import logging
import threading
from collections.abc import Iterator

import pytest

from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TIMER, Event
from tests.support.clock import ManualClock
from tests.support.engine import WAIT_S, Gate, Recorder, order, tick, trade


class ForeignEvent:
    """An event as vnpy makes them: a type, and something in it."""

    def __init__(self, type: str, data: object = None) -> None:
        self.type = type
        self.data = data


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock()


@pytest.fixture
def engine(clock: ManualClock) -> Iterator[EventEngine]:
    """An engine that no test needs to stop."""
    made = EventEngine(bounded_limit=10, latest_limit=100, reliable_alarm=50, clock=clock)
    yield made
    made.stop(WAIT_S)


@pytest.fixture
def seen(engine: EventEngine) -> Recorder:
    """What a general handler saw."""
    recorder = Recorder()
    engine.register_general(recorder)
    return recorder


def held(engine: EventEngine) -> Gate:
    """Start `engine` and hold its dispatcher in a handler."""
    gate = Gate()
    engine.register("gate", gate)
    engine.start()
    engine.put(Event("gate", "gate"))
    gate.wait_entered()
    return gate


def balanced(engine: EventEngine, received: int) -> bool:
    """Whether the books account for each of `received` events."""
    books = engine.health()
    parts = books.delivered + books.conflated + books.dropped + books.queued
    return books.received == received == parts


# ------------------------------------------------------------------ dispatch


def test_handlers_get_the_events_of_their_type_in_order(engine: EventEngine) -> None:
    """A handler sees every event of its type, in the order they were put, and no other."""
    mine, other = Recorder(), Recorder()
    engine.register("a", mine)
    engine.register("b", other)
    engine.start()
    for number in range(100):
        engine.put(Event("a", number))

    assert engine.drain(WAIT_S)
    assert mine.data == list(range(100))
    assert other.data == []


def test_one_put_reaches_type_topic_and_general_handlers(engine: EventEngine) -> None:
    """An event with a topic goes to its type, to type + topic and to general handlers, in turn."""
    calls: list[str] = []
    engine.register("eTick.", lambda _: calls.append("type"))
    engine.register("eTick.BTC", lambda _: calls.append("symbol"))
    engine.register("eTick.ETH", lambda _: calls.append("another symbol"))
    engine.register_general(lambda _: calls.append("general"))
    engine.start()
    engine.put(Event("eTick.", None, "BTC", Lane.LATEST))

    assert engine.drain(WAIT_S)
    assert calls == ["type", "symbol", "general"]
    assert balanced(engine, 1)


def test_an_event_without_topic_goes_exactly_where_its_type_says(engine: EventEngine) -> None:
    """As vnpy puts them, `eTick.` and `eTick.BTC` are two events for two sets of handlers."""
    by_type, by_symbol = Recorder(), Recorder()
    engine.register("eTick.", by_type)
    engine.register("eTick.BTC", by_symbol)
    engine.start()
    engine.put(Event("eTick.BTC", "symbol"))
    engine.put(Event("eTick.", "type"))

    assert engine.drain(WAIT_S)
    assert by_type.data == ["type"]
    assert by_symbol.data == ["symbol"]


def test_vnpys_own_events_pass_unchanged(engine: EventEngine, seen: Recorder) -> None:
    """An event object of vnpy's is handed to the handlers itself, reliably."""
    event = ForeignEvent("eTick.BTC", 1)
    engine.start()
    engine.put(event)

    assert engine.drain(WAIT_S)
    assert seen.events[0] is event  # type: ignore[comparison-overlap]


def test_a_kind_of_event_made_by_the_user_keeps_topic_and_lane(engine: EventEngine) -> None:
    """A subclass of Event is treated as an Event."""

    class Special(Event, frozen=True):
        pass

    by_topic = Recorder()
    engine.register("tick.A", by_topic)
    gate = held(engine)
    for number in range(200):  # past latest_limit
        engine.put(Special("tick.", number, "A", Lane.LATEST))
    gate.open()

    assert engine.drain(WAIT_S)
    assert by_topic.data[-1] == 199
    assert engine.health().conflated > 0


@pytest.mark.parametrize("thing", [None, "eTick.", ForeignEvent(3)])  # type: ignore[arg-type]
def test_what_is_no_event_is_refused_at_the_door(engine: EventEngine, thing: object) -> None:
    """Who puts something that is no event gets the error, not the dispatcher."""
    with pytest.raises(TypeError, match="takes events"):
        engine.put(thing)  # type: ignore[arg-type]


def test_an_event_nobody_can_look_up_does_not_stop_the_others(
    engine: EventEngine, seen: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """An event whose type cannot be a key is logged, and the next one is served."""
    engine.start()
    engine.put(Event(["no", "string"], "bad"))  # type: ignore[arg-type]
    engine.put(Event("good", "good"))

    assert engine.drain(WAIT_S)
    assert seen.data == ["good"]
    assert "dispatcher_error" in caplog.text


def test_a_handler_is_registered_once_for_a_type(engine: EventEngine) -> None:
    """Registering a handler again changes nothing, be it for a type or for everything."""
    by_type, general = Recorder(), Recorder()
    for _ in range(2):
        engine.register("a", by_type)
        engine.register_general(general)
    engine.start()
    engine.put(Event("a", 1))

    assert engine.drain(WAIT_S)
    assert (by_type.data, general.data) == ([1], [1])


def test_unregistered_handlers_get_nothing_more(engine: EventEngine) -> None:
    """After unregistering, a handler gets no event that is put later; twice does no harm."""
    by_type, general = Recorder(), Recorder()
    engine.register("a", by_type)
    engine.register_general(general)
    engine.start()
    engine.put(Event("a", 1))
    assert engine.drain(WAIT_S)
    for _ in range(2):
        engine.unregister("a", by_type)
        engine.unregister_general(general)
    engine.put(Event("a", 2))

    assert engine.drain(WAIT_S)
    assert (by_type.data, general.data) == ([1], [1])


def test_a_handler_registered_between_two_events_gets_the_second(engine: EventEngine) -> None:
    """A registration takes effect for a kind of event that was dispatched before."""
    first, late = Recorder(), Recorder()
    engine.register("a", first)
    engine.start()
    engine.put(Event("a", 1))
    assert engine.drain(WAIT_S)
    engine.register("a", late)
    engine.put(Event("a", 2))

    assert engine.drain(WAIT_S)
    assert (first.data, late.data) == ([1, 2], [2])


def test_registering_inside_a_handler_skips_nobody(engine: EventEngine) -> None:
    """A handler that takes itself off and brings others does not make a neighbour miss an event."""
    calls: list[str] = []

    def leaving(event: Event) -> None:
        calls.append("leaving")
        engine.unregister("a", leaving)
        engine.register("a", lambda _: calls.append("new"))

    engine.register("a", leaving)
    engine.register("a", lambda _: calls.append("neighbour"))
    engine.start()
    engine.put(Event("a"))
    engine.put(Event("a"))

    assert engine.drain(WAIT_S)
    assert calls == ["leaving", "neighbour", "neighbour", "new"]


def test_topics_without_end_do_not_fill_the_memory(
    engine: EventEngine, seen: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every order id is a topic; the engine forgets old ones, and each event still arrives."""
    monkeypatch.setattr("foxtrot.core.handlers._PLANS_MAX", 10)
    engine.start()
    for number in range(100):
        engine.put(order(number, topic=str(number)))

    assert engine.drain(WAIT_S)
    assert seen.data == list(range(100))
    assert sum(len(plans) for plans in engine._handlers.plans.values()) <= 10


# ------------------------------------------------------------------ lanes


def test_orders_go_before_the_market(engine: EventEngine, seen: Recorder) -> None:
    """What is known of orders is served before each event of the market, whenever it comes."""
    engine.register("trade.", lambda event: engine.put(order(f"after {event.data}")))
    for event in (tick(1, "A"), tick(2, "B"), trade(3), trade(4), order(5), order(6)):
        engine.put(event)
    engine.start()

    assert engine.drain(WAIT_S)
    assert seen.data == [5, 6, 3, "after 3", 1, 4, "after 4", 2]


def test_orders_that_beget_orders_do_not_hide_the_market(engine: EventEngine) -> None:
    """A handler that answers each order with another harms itself; the others see prices."""
    prices, more = Recorder(), threading.Event()

    def beget(event: Event) -> None:
        if not more.is_set():
            engine.put(order("one more"))

    engine.register("order.", beget)
    engine.register("tick.", prices)
    gate = held(engine)
    for event in (order("first"), tick("price"), tick("price", "B")):
        engine.put(event)
    gate.open()
    try:
        assert prices.wait_for(2) == ["price", "price"]
        assert engine.drain(WAIT_S)
    finally:
        more.set()


def test_ticks_and_trades_take_turns(engine: EventEngine, seen: Recorder) -> None:
    """Neither a backlog of ticks nor one of trades makes the other wait for its end."""
    for number in range(5):
        engine.put(trade(f"trade {number}"))
    for number in range(5):
        engine.put(tick(f"tick {number}", str(number)))
    engine.start()

    assert engine.drain(WAIT_S)
    assert seen.data == [f"{kind} {n}" for n in range(5) for kind in ("trade", "tick")]


def test_a_young_backlog_of_ticks_is_delivered_in_full(
    engine: EventEngine, seen: Recorder, clock: ManualClock
) -> None:
    """Within the budget of 20 ms nothing is conflated."""
    gate = held(engine)
    for number in range(50):
        engine.put(tick(number))
    clock.advance(0.019)
    gate.open()

    assert engine.drain(WAIT_S)
    assert seen.data == ["gate", *range(50)]
    assert engine.health().conflated == 0


def test_an_old_backlog_of_ticks_is_conflated_per_symbol(
    engine: EventEngine, seen: Recorder, clock: ManualClock
) -> None:
    """Past the budget the newest tick of each symbol takes the place of its oldest; all counted."""
    gate = held(engine)
    for number in range(50):
        engine.put(tick(number, "AB"[number % 2]))
    engine.put(tick("only one", "C"))
    engine.put(Event("depth.", "depth", "A", Lane.LATEST))
    clock.advance(0.021)
    gate.open()

    assert engine.drain(WAIT_S)
    assert seen.data == ["gate", 48, 49, "only one", "depth"]
    assert engine.health().conflated == 48
    assert balanced(engine, 53)


def test_a_slow_handler_sees_the_present(engine: EventEngine, clock: ManualClock) -> None:
    """While one symbol's tick is handled slowly, newer ticks replace those that wait."""
    got: list[object] = []

    def slow(event: Event) -> None:
        got.append(event.data)
        clock.advance(0.03)
        if event.data == "A1":
            engine.put(tick("B2", "B"))
            engine.put(tick("A2", "A"))
        if event.data == "B2":
            engine.put(tick("C2", "C"))

    engine.register("tick.", slow)
    for event in (tick("A1", "A"), tick("B1", "B"), tick("C1", "C")):
        engine.put(event)
    engine.start()

    assert engine.drain(WAIT_S)
    assert got == ["A1", "B2", "C2", "A2"]
    assert balanced(engine, 6)


def test_when_the_backlog_is_gone_nothing_is_conflated_any_more(
    engine: EventEngine, seen: Recorder, clock: ManualClock
) -> None:
    """One slow moment does not make the engine conflate for ever."""
    gate = held(engine)
    engine.put(tick(1))
    clock.advance(1.0)
    gate.open()
    assert engine.drain(WAIT_S)
    second = Gate()
    engine.register("gate2", second)
    engine.put(Event("gate2"))
    second.wait_entered()
    for number in range(10):
        engine.put(tick(number))
    second.open()

    assert engine.drain(WAIT_S)
    assert seen.data[-10:] == list(range(10))
    assert engine.health().conflated == 0


def test_after_conflating_young_ticks_are_delivered_in_full(
    engine: EventEngine, seen: Recorder, clock: ManualClock
) -> None:
    """Ticks that come while the last of an old backlog is served are not old themselves."""
    gate = held(engine)
    engine.register("tick.A", lambda event: clock.advance(1.0 if event.data == 2 else 0.0))
    engine.register("tick.B", lambda _: [engine.put(tick(n)) for n in (3, 4)])
    for event in (tick(1), tick(2), tick("last", "B")):
        engine.put(event)
    clock.advance(1.0)
    gate.open()

    assert engine.drain(WAIT_S)
    assert seen.data == ["gate", 2, "last", 3, 4]


def test_ticks_behind_a_hanging_handler_take_bounded_memory(
    engine: EventEngine, seen: Recorder
) -> None:
    """While a handler hangs, the backlog has its limit plus one per symbol; the last are kept."""
    gate = held(engine)
    for number in range(10_000):
        engine.put(tick((number % 7, number), str(number % 7)))
    assert engine.health().queued <= 100 + 7
    gate.open()

    assert engine.drain(WAIT_S)
    last = dict(seen.data[1:])  # type: ignore[call-overload]
    assert sorted(last.values()) == list(range(9_993, 10_000))
    for symbol in range(7):
        mine = [data[1] for data in seen.data[1:] if data[0] == symbol]  # type: ignore[index]
        assert mine == sorted(mine)
    assert balanced(engine, 10_001)


def test_a_tick_without_a_topic_is_never_conflated(
    engine: EventEngine, seen: Recorder, clock: ManualClock
) -> None:
    """Where there is no symbol to conflate by, the event is reliable."""
    gate = held(engine)
    for number in range(5):
        engine.put(tick(number, topic=""))
    clock.advance(1.0)
    gate.open()

    assert engine.drain(WAIT_S)
    assert seen.data == ["gate", *range(5)]


def test_past_the_bound_the_oldest_trades_go(
    engine: EventEngine, seen: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Past its bound the lane of the trades loses its oldest, counts, and says so once."""
    gate = held(engine)
    for number in range(25):
        engine.put(trade(number))
    assert engine.health().queued == 10
    gate.open()

    assert engine.drain(WAIT_S)
    assert seen.data == ["gate", *range(15, 25)]
    assert engine.health().dropped == 15
    assert balanced(engine, 26)
    assert [r.foxtrot["lane"] for r in caplog.records] == ["BOUNDED"]  # type: ignore[attr-defined]


def test_each_new_flood_of_trades_is_alarmed_again(
    engine: EventEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """An alarm ends with its backlog; the next flood raises the next one."""
    for episode in (1, 2):
        gate = Gate()
        engine.register(f"gate {episode}", gate)
        if episode == 1:
            engine.start()
        engine.put(Event(f"gate {episode}"))
        gate.wait_entered()
        for number in range(25):
            engine.put(trade(number))
        gate.open()
        assert engine.drain(WAIT_S)
        assert caplog.text.count("backlog_alarm") == episode


def test_a_backlog_of_orders_is_alarmed_and_loses_nothing(
    engine: EventEngine, seen: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """However many wait, events of the reliable lane all arrive, in order; one alarm is raised."""
    gate = held(engine)
    for number in range(1_000):
        engine.put(order(number))
    assert engine.health().backlogs == ("RELIABLE",)
    gate.open()

    assert engine.drain(WAIT_S)
    assert engine.health().backlogs == ()
    assert seen.data == ["gate", *range(1_000)]
    assert [r.foxtrot["lane"] for r in caplog.records] == ["RELIABLE"]  # type: ignore[attr-defined]


# ------------------------------------------------------------------ timer


def test_the_timer_ticks_without_being_asked() -> None:
    """EVENT_TIMER comes every interval, on an engine that has nothing else to do."""
    engine, timer = EventEngine(0.005), Recorder()
    engine.register(EVENT_TIMER, timer)
    engine.start()
    timer.wait_for(3)
    engine.stop(WAIT_S)


def test_a_timer_that_hardly_ever_ticks_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """An interval beyond what the system can sleep is slept in parts, without an error."""
    engine, recorder = EventEngine(interval=1e12), Recorder()
    engine.register("order.", recorder)
    engine.start()
    engine.put(order(1))
    assert engine.drain(WAIT_S)
    engine.stop(WAIT_S)
    assert recorder.data == [1]
    assert caplog.records == []


def test_the_timer_ticks_under_load(engine: EventEngine, clock: ManualClock) -> None:
    """An engine that never sleeps gives the timer its turn, each interval once."""
    timer = Recorder()
    engine.register(EVENT_TIMER, timer)
    engine.register("tick.", lambda _: clock.advance(0.25))
    for number in range(12):
        engine.put(tick(number, str(number)))
    engine.start()

    assert engine.drain(WAIT_S)
    assert len(timer.events) == 3


def test_a_long_handler_is_not_followed_by_a_volley_of_timers(
    engine: EventEngine, clock: ManualClock
) -> None:
    """Timer events that nobody could see are not made up for."""
    timer = Recorder()
    engine.register(EVENT_TIMER, timer)
    engine.register("a", lambda _: clock.advance(60.0))
    engine.put(Event("a"))
    engine.start()

    assert engine.drain(WAIT_S)
    assert len(timer.events) == 1


# ------------------------------------------------------------------ what it says of itself


def test_health_tells_lag_and_backlog_of_a_held_engine(
    engine: EventEngine, clock: ManualClock
) -> None:
    """While a handler hangs, health shows what waits and for how long; idle, nothing waits."""
    gate = held(engine)
    engine.put(tick(1))
    engine.put(order(2))
    clock.advance(2.0)
    hanging = engine.health()
    gate.open()
    assert engine.drain(WAIT_S)

    assert (hanging.running, hanging.queued, hanging.delivered) == (True, 2, 1)
    assert hanging.lag_s == pytest.approx(2.0)
    assert engine.health().lag_s == 0.0


def test_its_repr_is_a_status_line(clock: ManualClock) -> None:
    """`repr` shows the state and the counters."""
    engine = EventEngine(clock=clock)
    engine.put(Event("a"))
    assert repr(engine) == "<EventEngine NEW queued=1 delivered=0 conflated=0 dropped=0>"
    engine.start()
    assert engine.drain(WAIT_S)
    assert repr(engine) == "<EventEngine RUNNING queued=0 delivered=1 conflated=0 dropped=0>"
    engine.stop(WAIT_S)
    assert repr(engine) == "<EventEngine STOPPED queued=0 delivered=1 conflated=0 dropped=0>"


@pytest.mark.parametrize(
    "wrong",
    [{"interval": 0}, {"conflate_after_s": -1.0}, {"bounded_limit": 0}, {"interval": float("nan")}],
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """An engine with an interval or a bound of nothing cannot be made."""
    with pytest.raises(ConfigurationError, match=r"must be (above 0|0 or more)"):
        EventEngine(**wrong)  # type: ignore[arg-type]


def test_an_engine_that_was_never_started_holds_nothing(clock: ManualClock) -> None:
    """Making an engine starts no thread."""
    before = threading.active_count()
    EventEngine(clock=clock)
    assert threading.active_count() == before


def test_logs_go_to_the_engines_room(engine: EventEngine, caplog: pytest.LogCaptureFixture) -> None:
    """Alarms are found under the logger foxtrot.engine, at ERROR."""
    gate = held(engine)
    for number in range(11):
        engine.put(trade(number))
    gate.open()
    assert engine.drain(WAIT_S)
    assert [(r.name, r.levelno) for r in caplog.records] == [("foxtrot.engine", logging.ERROR)]
