"""How often something may happen, as venues count it. Pure: the caller says what time it is."""

from __future__ import annotations

from collections import deque


class Window:
    """At most `limit` events in any stretch of `length_s` seconds."""

    def __init__(self, limit: int | None, length_s: float) -> None:
        self._limit, self._length_s = limit, length_s
        self._times: deque[float] = deque()

    def admit(self, now_s: float) -> bool:
        """Count one event; False if it is one too many. Refused events count as well."""
        if self._limit is None:
            return True
        while self._times and self._times[0] <= now_s - self._length_s:
            self._times.popleft()
        if len(self._times) > self._limit:
            self._times.popleft()
        self._times.append(now_s)
        return len(self._times) <= self._limit

    def retry_after_s(self, now_s: float) -> int:
        """Whole seconds until the oldest event has left the window."""
        if not self._times:
            return 0
        return max(1, int(self._times[0] + self._length_s - now_s) + 1)
