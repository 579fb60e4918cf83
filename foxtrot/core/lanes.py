"""The EventEngine's two lanes for the market: what happens to events that nobody has time for.

Both are filled by many threads and emptied by one, without a lock on the usual way: `append`,
`popleft` and `len` of a deque are atomic.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from foxtrot.model.events import Event

_Key = tuple[str, str, object]


class BoundedLane:
    """Keeps the newest `limit` events, in order; the older ones are dropped and counted."""

    def __init__(self, limit: int) -> None:
        self.queue: deque[Event] = deque()
        self.limit = limit
        self.dropped = 0
        # Re-entrant: a finaliser run by the collector may put inside a put.
        self._lock = threading.RLock()

    def put(self, event: Event) -> bool:
        """Queue `event`; whether an older one had to go. From any thread."""
        self.queue.append(event)
        if len(self.queue) <= self.limit:
            return False
        with self._lock:
            while len(self.queue) > self.limit and pop(self.queue) is not None:
                self.dropped += 1
        return True


class LatestLane:
    """Keeps every event while it is young, and of an old backlog the newest per `_key`.

    Three stores, each newer than the one before: `folded`, where the dispatcher conflates; `queue`,
    where producers append; `spill`, where they conflate themselves while the queue is at its limit,
    so that the memory is bounded while the dispatcher is held up.

    Nobody stamps events. The dispatcher sets `mark` to the time whenever it looks at the queue or
    wakes: what it finds at the next look was put after that, so it knows the age of its backlog.

    Thread safety: `put` from any thread, the rest by the dispatcher only.
    """

    def __init__(self, limit: int, conflate_after_s: float, monotonic: Callable[[], float]) -> None:
        self.queue: deque[Event] = deque()
        self.folded: OrderedDict[_Key, Event] = OrderedDict()
        self.spill: OrderedDict[_Key, Event] = OrderedDict()  # under the lock
        self.stale_at = 0.0
        self.limit = limit
        self.conflate_after_s = conflate_after_s
        self._monotonic = monotonic
        self.mark = monotonic()
        self.fresh_left = 0
        self._conflated = 0
        self._conflated_on_arrival = 0  # under the lock
        self._lock = threading.RLock()  # re-entrant for the same reason as above

    def __len__(self) -> int:
        return len(self.queue) + len(self.folded) + len(self.spill)

    @property
    def conflated(self) -> int:
        """How many events gave way to a newer one."""
        return self._conflated + self._conflated_on_arrival

    def put(self, event: Event) -> None:
        """Queue `event`."""
        # Once something spilled over, newer events must not be queued in front of it.
        if not self.spill and len(self.queue) < self.limit:
            self.queue.append(event)
            return
        key = _key(event)
        with self._lock:
            self._conflated_on_arrival += key in self.spill
            self.spill[key] = event

    def fresh(self, now: float) -> int:
        """How many may be taken from the queue before `stale_at`; 0: conflate.

        Whoever takes them counts them off `fresh_left`.
        """
        if self.folded:
            return 0
        if not self.fresh_left:
            self.stale_at = self.mark + self.conflate_after_s
            self.mark = now
            self.fresh_left = len(self.queue)
        return self.fresh_left if now < self.stale_at else 0

    def next_conflated(self) -> Event:
        """Take the event that waits longest, after the newest have found their places.

        Raises:
            LookupError: There is none.
        """
        if self.queue or self.spill:
            self.fold()
        return self.folded.popitem(last=False)[1]

    def fold(self) -> int:
        """Conflate the backlog: a newer event takes the value and keeps the place of an older one.

        Returns:
            How many are left.
        """
        folded, popleft = self.folded, self.queue.popleft
        self.mark, self.fresh_left = self._monotonic(), 0
        taken, before = len(self.queue), len(folded)
        for _ in range(taken):
            event = popleft()
            folded[_key(event)] = event
        if self.spill:
            with self._lock:
                # Only behind an empty queue, looked at where nobody can spill, is all of it newer.
                if not self.queue:
                    taken += len(self.spill)
                    folded.update(self.spill)
                    self.spill.clear()
        self._conflated += taken - (len(folded) - before)
        return len(folded)

    def clear(self) -> int:
        """Throw everything away; how many that were. For the end, from any thread."""
        with self._lock:
            count = len(self.spill) + len(self.folded)
            self.spill.clear()
            self.folded.clear()
            while pop(self.queue) is not None:
                count += 1
            return count


def pop(queue: deque[Event]) -> Event | None:
    """The oldest, if another thread was not quicker."""
    try:
        return queue.popleft()
    except IndexError:
        return None


def _key(event: Event) -> _Key:
    """What an event is the newest of; two adapters may have the same symbol."""
    return event.type, event.topic, getattr(event.data, "adapter_name", "")
