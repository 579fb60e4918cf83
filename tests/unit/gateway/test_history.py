"""A stretch of time that makes no sense is refused with the field's name, whatever the venue."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.gateway.history import Span, check_interval
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import HistoryRequest

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
NOW_NS = int(NOW.timestamp()) * NS_PER_S
DAY = dt.timedelta(days=1)


def span(start: object, end: object = None) -> Span:
    """The stretch of a request with these times."""
    request = HistoryRequest("BTCUSDT", Exchange.BINANCE, start, end)  # type: ignore[arg-type]
    return Span.of(request, NOW_NS)


@pytest.mark.parametrize(
    ("start", "end", "field", "problem"),
    [
        (None, None, "start", "must be a datetime"),
        ("2026-01-01", None, "start", "was str"),
        (NOW.date(), None, "start", "was date"),
        (NOW - DAY, NOW.timestamp(), "end", "was float"),
        ((NOW - DAY).replace(tzinfo=None), None, "start", "has no time zone"),
        (NOW, NOW - DAY, "start", "lies after the end"),
        (NOW + DAY, None, "start", "lies after the end"),
    ],
)
def test_times_that_make_no_sense_are_refused(
    start: object, end: object, field: str, problem: str
) -> None:
    """The text says what the field has to be."""
    with pytest.raises(ConfigurationError) as caught:
        span(start, end)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_no_end_lies_ahead() -> None:
    """What is asked for ends now, even if it begins later."""
    assert span(NOW - DAY, NOW + DAY) == Span(NOW - DAY, NOW, NOW)
    assert span(NOW + DAY, NOW + 2 * DAY) == Span(NOW + DAY, NOW + DAY, NOW)


def test_intervals_that_a_venue_lacks_are_refused_with_those_it_has() -> None:
    """Nobody has to look them up."""
    with pytest.raises(ConfigurationError, match="allowed: 1m, d"):
        check_interval(Interval.HOUR, (Interval.MINUTE, Interval.DAILY))
