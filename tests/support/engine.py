"""What the tests of the EventEngine share: a recording handler, and one that holds it up."""

from __future__ import annotations

import threading

from foxtrot.model.constants import Lane
from foxtrot.model.events import EVENT_TIMER, Event

WAIT_S = 10.0
"""Longest any test waits for something that happens at once."""


class Recorder:
    """A handler that keeps what it gets; `wait_for` waits until there is enough."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._arrived = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._arrived:
            self.events.append(event)
            self._arrived.notify_all()

    @property
    def data(self) -> list[object]:
        """The data of all events but the timer's."""
        return [event.data for event in self.events if event.type != EVENT_TIMER]

    def wait_for(self, count: int) -> list[object]:
        """Wait until `count` events are there; their data."""
        with self._arrived:
            enough = self._arrived.wait_for(lambda: len(self.events) >= count, WAIT_S)
        assert enough, f"{len(self.events)} of {count} events arrived"
        return self.data


class Gate:
    """A handler that holds the dispatcher until `open`."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, event: Event) -> None:
        self._entered.set()
        assert self._opened.wait(WAIT_S), "nobody opened the gate"

    def wait_entered(self) -> None:
        """Wait until the dispatcher is held."""
        assert self._entered.wait(WAIT_S), "the dispatcher never came"

    def open(self) -> None:
        """Let the dispatcher go on, and never hold it again."""
        self._opened.set()


def tick(data: object, topic: str = "A") -> Event:
    """An event that may be conflated."""
    return Event("tick.", data, topic, Lane.LATEST)


def trade(data: object, topic: str = "A") -> Event:
    """An event that may be dropped, but not conflated."""
    return Event("trade.", data, topic, Lane.BOUNDED)


def order(data: object, topic: str = "A") -> Event:
    """An event that is never lost."""
    return Event("order.", data, topic, Lane.RELIABLE)
