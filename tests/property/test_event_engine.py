"""Whatever is put in whatever order, the EventEngine's promises hold."""

from __future__ import annotations

import dataclasses
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot.core.event_engine import EventEngine
from foxtrot.model.constants import Lane
from foxtrot.model.events import Event
from tests.support.clock import ManualClock
from tests.support.engine import WAIT_S, Recorder


@dataclasses.dataclass(frozen=True)
class Put:
    """Somebody puts an event."""

    lane: Lane
    topic: str
    type: str


@dataclasses.dataclass(frozen=True)
class Hold:
    """A handler takes `seconds`, during which `arriving` are put."""

    seconds: float
    arriving: tuple[Put, ...]


puts = st.builds(
    Put,
    lane=st.sampled_from(Lane),
    topic=st.sampled_from(["", "A", "B", "C"]),
    type=st.sampled_from(["x.", "y."]),
)
steps = st.lists(
    st.one_of(
        puts,
        st.builds(
            Hold,
            seconds=st.sampled_from([0.0, 0.01, 0.03]),
            arriving=st.lists(puts, max_size=30).map(tuple),
        ),
    ),
    max_size=60,
)


class Scenario:
    """Plays steps against an engine; numbers the events in the order they are put."""

    def __init__(self, bounded_limit: int, latest_limit: int) -> None:
        self.clock = ManualClock()
        self.engine = EventEngine(
            interval=1e9, bounded_limit=bounded_limit, latest_limit=latest_limit, clock=self.clock
        )
        self.seen = Recorder()
        self.sent: list[Event] = []
        self.engine.register_general(self.seen)
        self.engine.register("hold", self._hold)

    def play(self, steps: list[Put | Hold]) -> None:
        """Take all steps."""
        for step in steps:
            if isinstance(step, Put):
                self._put(step)
            else:
                self._send(Event("hold", step))

    def _put(self, put: Put) -> None:
        self._send(Event(put.type, len(self.sent), put.topic, put.lane))

    def _send(self, event: Event) -> None:
        self.sent.append(event)
        self.engine.put(event)

    def _hold(self, event: Event) -> None:
        hold = event.data
        assert isinstance(hold, Hold)
        for put in hold.arriving:
            self._put(put)
        self.clock.advance(hold.seconds)

    def of(self, events: list[Event], lane: Lane) -> dict[tuple[str, str], list[object]]:
        """Data of the events that travel in `lane`, per (type, topic)."""
        result: dict[tuple[str, str], list[object]] = {}
        for event in events:
            unnamed = event.lane is Lane.LATEST and not event.topic
            if (Lane.RELIABLE if unnamed else event.lane) is lane:
                result.setdefault((event.type, event.topic), []).append(event.data)
        return result


@given(
    steps=steps,
    bounded_limit=st.integers(1, 40),
    latest_limit=st.integers(1, 40),
    start_first=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_any_interleaving_keeps_the_promises(
    steps: list[Put | Hold], bounded_limit: int, latest_limit: int, start_first: bool
) -> None:
    """Orders all arrive in order; ticks in order and the last always; the books balance."""
    scenario = Scenario(bounded_limit, latest_limit)
    engine, seen = scenario.engine, scenario.seen
    if start_first:
        # All is put by the dispatcher itself, so that nothing runs at the same time.
        engine.register("begin", lambda _: scenario.play(steps))
        engine.start()
        scenario.sent.append(begin := Event("begin"))
        engine.put(begin)
    else:
        scenario.play(steps)
        engine.start()
    assert engine.drain(WAIT_S)
    engine.stop(WAIT_S)

    sent, got = scenario.sent, seen.events
    assert scenario.of(got, Lane.RELIABLE) == scenario.of(sent, Lane.RELIABLE)
    ticks_sent, ticks_got = scenario.of(sent, Lane.LATEST), scenario.of(got, Lane.LATEST)
    assert ticks_got.keys() == ticks_sent.keys()
    for key, data in ticks_got.items():
        assert data == sorted(data, key=ticks_sent[key].index)
        assert data[-1] == ticks_sent[key][-1]
        assert len(set(map(str, data))) == len(data)
    trades_sent, trades_got = scenario.of(sent, Lane.BOUNDED), scenario.of(got, Lane.BOUNDED)
    for key, data in trades_got.items():
        assert data == [item for item in trades_sent[key] if item in set(data)]

    books = engine.health()
    trades_lost = _count(trades_sent) - _count(trades_got)
    assert (books.received, books.delivered, books.queued) == (len(sent), len(got), 0)
    assert books.conflated == _count(ticks_sent) - _count(ticks_got)
    assert books.dropped == trades_lost


@given(
    plans=st.lists(st.lists(puts, min_size=1, max_size=100), min_size=2, max_size=5),
    conflate_after_s=st.sampled_from([1e-9, 1e-4, 1e9]),
    latest_limit=st.integers(1, 30),
)
@settings(deadline=None, max_examples=40)
def test_any_producers_side_by_side_keep_the_promises(
    plans: list[list[Put]], conflate_after_s: float, latest_limit: int
) -> None:
    """Each producer's orders arrive in its order, and every symbol ends on somebody's last tick."""
    engine = EventEngine(
        interval=1e9,
        conflate_after_s=conflate_after_s,
        latest_limit=latest_limit,
        bounded_limit=20,
    )
    seen = Recorder()
    engine.register_general(seen)
    begin = threading.Barrier(len(plans))

    def produce(me: int, plan: list[Put]) -> None:
        begin.wait(WAIT_S)
        for number, put in enumerate(plan):
            engine.put(Event(put.type, (me, number), put.topic, put.lane))

    threads = [threading.Thread(target=produce, args=item) for item in enumerate(plans)]
    engine.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    engine.stop(WAIT_S)

    books = engine.health()
    total = sum(map(len, plans))
    assert books.received == total == books.delivered + books.conflated + books.dropped
    assert books.delivered == len(seen.events)
    for me, plan in enumerate(plans):
        for lane in Lane:
            mine = [
                event.data[1]  # type: ignore[index]
                for event in seen.events
                if event.lane is lane and event.data[0] == me  # type: ignore[index]
            ]
            if lane is Lane.RELIABLE:
                assert mine == [n for n, put in enumerate(plan) if put.lane is lane]
            assert len(set(mine)) == len(mine)
        for topic in "ABC":
            ticks = [
                event.data[1]  # type: ignore[index]
                for event in seen.events
                if event.lane is Lane.LATEST
                and (event.type, event.topic) == ("x.", topic)
                and event.data[0] == me  # type: ignore[index]
            ]
            assert ticks == sorted(ticks)
    _check_last_ticks(plans, seen.events)


def _check_last_ticks(plans: list[list[Put]], got: list[Event]) -> None:
    last: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for me, plan in enumerate(plans):
        own = {(p.type, p.topic): (me, n) for n, p in enumerate(plan) if p.lane is Lane.LATEST}
        for key, identity in own.items():
            last.setdefault(key, set()).add(identity)
    arrived = {(e.type, e.topic): e.data for e in got if e.lane is Lane.LATEST}
    assert arrived.keys() == last.keys()
    for key, data in arrived.items():
        assert data in last[key]


def _count(by_key: dict[tuple[str, str], list[object]]) -> int:
    return sum(map(len, by_key.values()))
