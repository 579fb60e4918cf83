"""What went wrong lately: a bounded history, classified by what to do about it. Pure."""

from __future__ import annotations

from collections import deque

from foxtrot.errors import FoxtrotError
from foxtrot.model.health import ErrorRecord


def labels(error: FoxtrotError) -> dict[str, str]:
    """The fields by which every log line about an error says what it is and what is done."""
    return {
        "error_class": error.error_class.value,
        "action": error.action.value,
        "reason": str(error),
    }


class ErrorHistory:
    """The last errors of one adapter."""

    def __init__(self, limit: int) -> None:
        self._records: deque[ErrorRecord] = deque(maxlen=limit)

    def add(self, error: FoxtrotError, now_ns: int) -> None:
        """Remember `error`."""
        kind, action = type(error).__name__, error.action.value
        self._records.append(ErrorRecord(now_ns, kind, action, str(error), error.error_class.value))

    def snapshot(self) -> tuple[ErrorRecord, ...]:
        """Oldest first."""
        return tuple(self._records)
