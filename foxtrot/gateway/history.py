"""The stretch of time that a request for history asks for, checked in one way for every venue."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection
from dataclasses import dataclass

from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import Progress
from foxtrot.model.constants import Interval
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import HistoryRequest

_EARLIEST = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)  # venues take no negative times, in any zone


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end`, which both belong to it, in UTC; no end is later than `now`."""

    start: dt.datetime
    end: dt.datetime
    now: dt.datetime

    @classmethod
    def of(cls, request: HistoryRequest, now_ns: int) -> Span:
        """The stretch of a request.

        Raises:
            ConfigurationError: A moment is none, has no time zone, or the start is after the end.
        """
        now = dt.datetime.fromtimestamp(now_ns / NS_PER_S, dt.UTC)
        start = _moment("start", request.start)
        end = now if request.end is None else _moment("end", request.end)
        if start > end:
            raise ConfigurationError("history", "start", "lies after the end")
        return cls(start, max(min(end, now), start), now)

    def tell(self, progress: Progress, done: dt.timedelta) -> None:
        """Say how much of the span is done, in seconds."""
        total = max(math.ceil((self.end - self.start).total_seconds()), 1)
        progress(min(max(math.ceil(done.total_seconds()), 0), total), total)


def check_interval(interval: Interval, offered: Collection[Interval]) -> None:
    """Refuse bars that the venue does not have.

    Raises:
        ConfigurationError: Names those that it has.
    """
    if interval not in offered:
        allowed = ", ".join(each.value for each in offered)
        raise ConfigurationError("history", "interval", f"is not offered; allowed: {allowed}")


def _moment(field: str, moment: dt.datetime) -> dt.datetime:
    example = "such as datetime(2026, 1, 1, tzinfo=UTC)"
    if not isinstance(moment, dt.datetime):
        problem = f"must be a datetime, {example}; was {type(moment).__name__}"
        raise ConfigurationError("history", field, problem)
    if moment.tzinfo is None:
        raise ConfigurationError("history", field, f"has no time zone; give one, {example}")
    return max(moment, _EARLIEST).astimezone(dt.UTC)
