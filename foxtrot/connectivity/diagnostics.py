"""What went wrong lately: a bounded history, classified by what to do about it. Pure."""

from __future__ import annotations

from collections import deque

from foxtrot.errors import Action, FoxtrotError
from foxtrot.model.health import ErrorRecord


def action_of(error: BaseException) -> Action:
    """What to do about `error`; an unknown kind of failure means a fresh connection."""
    return error.action if isinstance(error, FoxtrotError) else Action.RECONNECT


class ErrorHistory:
    """The last errors of one adapter."""

    def __init__(self, limit: int) -> None:
        self._records: deque[ErrorRecord] = deque(maxlen=limit)

    def add(self, error: FoxtrotError, now_ns: int) -> None:
        """Remember `error`."""
        kind = type(error).__name__
        self._records.append(ErrorRecord(now_ns, kind, error.action.value, str(error)))

    def snapshot(self) -> tuple[ErrorRecord, ...]:
        """Oldest first."""
        return tuple(self._records)
