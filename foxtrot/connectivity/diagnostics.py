"""What went wrong lately, and how long all was well. Pure."""

from __future__ import annotations

from foxtrot.errors import ErrorClass, FoxtrotError
from foxtrot.model.health import ErrorRecord


def labels(error: FoxtrotError) -> dict[str, str]:
    """The fields by which every log line about an error says what it is and what is done."""
    return {
        "error_class": error.error_class.value,
        "action": error.action.value,
        "reason": str(error),
    }


class ErrorHistory:
    """The last errors of one adapter, and how many there were of each class.

    Thread safety: `add` from one thread, the rest from any.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._records: tuple[ErrorRecord, ...] = ()  # replaced, never changed
        self._counts = dict.fromkeys((each.value for each in ErrorClass), 0)

    def add(self, error: FoxtrotError, now_ns: int) -> None:
        """Remember `error`."""
        kind, action = type(error).__name__, error.action.value
        self._counts[error.error_class.value] += 1
        record = ErrorRecord(now_ns, kind, action, str(error), error.error_class.value)
        self._records = (*self._records, record)[-self._limit :]

    def snapshot(self) -> tuple[ErrorRecord, ...]:
        """Oldest first."""
        return self._records

    def counts(self) -> dict[str, int]:
        """Errors since the start, by `ErrorClass`, those that there were."""
        return {name: count for name, count in self._counts.copy().items() if count}


class Uptime:
    """Seconds that something served, and those that it should have.

    Thread safety: `begin` and `pause` from one thread, `read` from any.
    """

    def __init__(self) -> None:
        # One value, replaced as a whole, so that a reader never sees half of a step.
        self._state: tuple[float, float, bool | None, float] = (0.0, 0.0, None, 0.0)

    def begin(self, up: bool, now: float) -> None:
        """From now on it serves, or it does not, though it should."""
        self._state = (*self.read(now), up, now)

    def pause(self, now: float) -> None:
        """From now on it is not meant to serve."""
        self._state = (*self.read(now), None, now)

    def read(self, now: float) -> tuple[float, float]:
        """Seconds up and down so far."""
        up_s, down_s, up, since = self._state
        spent_s = max(now - since, 0.0) if up is not None else 0.0
        return (up_s + spent_s, down_s) if up else (up_s, down_s + spent_s)
