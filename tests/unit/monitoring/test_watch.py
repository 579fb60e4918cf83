"""The watch: alerts in `health()`, told once when they begin and once when they end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.events import EVENT_LOG, EVENT_TIMER, Event
from foxtrot.model.objects import LogData
from foxtrot.monitoring.watch import LOOK_S, Watch
from tests.support.clock import ManualClock
from tests.support.events import EventLog


@pytest.fixture
def clock() -> ManualClock:
    """The watch's time."""
    return ManualClock()


@pytest.fixture
def engine(clock: ManualClock) -> Iterator[MainEngine]:
    """An engine that is watched."""
    with MainEngine() as made:
        made.add_engine(lambda engine, events: Watch(engine, events, clock))
        yield made


def told(log: EventLog) -> list[str]:
    """What the watch said to people."""
    lines = [each for each in log.of(EVENT_LOG) if isinstance(each, LogData)]
    return [line.msg for line in lines if line.adapter_name == "watch"]


def test_an_alert_is_shown_and_told_once(engine: MainEngine, clock: ManualClock) -> None:
    """While it lasts, and its end as well; after the watch is gone nothing is shown."""
    log = EventLog(engine.event_engine)
    watch = engine.get_engine("watch")
    assert isinstance(watch, Watch)
    engine.halt("a test")
    for _ in range(3):
        watch.look()
    assert [each.name for each in engine.health().alerts] == ["TradingHalted"]
    engine.resume()
    watch.look()
    assert engine.event_engine.drain()
    assert engine.health().alerts == ()
    assert told(log) == ["trading is halted", "over: trading is halted"]
    engine.halt("again")
    watch.look()
    watch.close()
    assert engine.health().alerts == ()


def test_the_timer_makes_it_look_now_and_then(engine: MainEngine, clock: ManualClock) -> None:
    """On a thread of its own, at once and then each ten seconds, by its own clock."""
    engine.event_engine.put(Event(EVENT_TIMER))
    assert engine.event_engine.drain()
    engine.halt("a test")
    engine.event_engine.put(Event(EVENT_TIMER))
    assert engine.event_engine.drain()
    assert engine.health().alerts == ()
    clock.advance(LOOK_S)
    engine.event_engine.put(Event(EVENT_TIMER))
    assert engine.event_engine.drain()
    assert [each.name for each in engine.health().alerts] == ["TradingHalted"]
    assert "watch" in engine.health().engine.lanes
