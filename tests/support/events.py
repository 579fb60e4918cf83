"""Collects what happens on other threads, and waits for it without polling."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from foxtrot.core.event_engine import EventEngine
from foxtrot.model.events import EVENT_TIMER, Event

T = TypeVar("T")

WAIT_S = 10.0
"""Longest any test waits for something that happens at once."""


class Collected(Generic[T]):
    """A callable that keeps what it is called with; written and waited for on any thread."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._arrived = threading.Condition()

    def __call__(self, item: T) -> None:
        with self._arrived:
            self._items.append(item)
            self._arrived.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> list[T]:
        """A copy of all that arrived so far, oldest first."""
        with self._arrived:
            return list(self._items)

    def wait_for(
        self, predicate: Callable[[T], bool], timeout: float = WAIT_S, *, since: int = 0
    ) -> T:
        """The first item for which `predicate` holds, from the `since`-th on, once it arrives.

        Take `len(log)` before an action and pass it as `since` to wait for what the action causes.

        Raises:
            AssertionError: It did not arrive in time; the text shows what did.
        """
        found = self.wait_until(
            lambda items: next(([i] for i in items[since:] if predicate(i)), []), timeout
        )
        return found[0]

    def wait_until(self, choose: Callable[[list[T]], list[T]], timeout: float = WAIT_S) -> list[T]:
        """What `choose` finds in all that arrived, once it finds something.

        Raises:
            AssertionError: It found nothing in time; the text shows what did arrive.
        """
        with self._arrived:
            found = self._arrived.wait_for(lambda: choose(self._items), timeout)
            seen = "\n".join(str(item) for item in self._items[-20:])
        assert found, f"not within {timeout:g} s; {len(self)} arrived, the last of them:\n{seen}"
        return found

    def wait_count(self, count: int, timeout: float = WAIT_S) -> list[T]:
        """The first `count` items, once they are there."""
        return self.wait_until(lambda items: items[:count] if len(items) >= count else [], timeout)


class EventLog(Collected[Event]):
    """A handler of the EventEngine that keeps every event but the timer's.

    Args:
        engine: Registered there for everything, if given.
        types: Registered for these only.
        adapter_name: What other adapters tell is left out; empty: nothing is.
    """

    def __init__(
        self, engine: EventEngine | None = None, *types: str, adapter_name: str = ""
    ) -> None:
        super().__init__()
        self._adapter_name = adapter_name
        if engine is None:
            return
        for type_ in types:
            engine.register(type_, self)
        if not types:
            engine.register_general(self)

    def __call__(self, event: Event) -> None:
        told_by = getattr(event.data, "adapter_name", "")
        others = self._adapter_name and told_by and told_by != self._adapter_name
        if event.type != EVENT_TIMER and not others:
            super().__call__(event)

    def of(self, type_: str) -> list[object]:
        """The data of all events of one type so far."""
        return [event.data for event in self.items if event.type == type_]

    def wait_type(
        self,
        type_: str,
        timeout: float = WAIT_S,
        *,
        since: int = 0,
        where: Callable[[object], bool] = lambda data: True,
    ) -> object:
        """The data of the first event of `type_` for which `where` holds, once it arrives."""
        event = self.wait_for(
            lambda event: event.type == type_ and where(event.data), timeout, since=since
        )
        return event.data
