"""TWS's lists of orders: since when they are whole."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest

from foxtrot.adapter.ib.order_lists import since_ns
from foxtrot.model.objects import NS_PER_S


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-01-15 12:00:00", "2026-01-15 05:00:00"),
        ("2026-03-08 16:00:00", "2026-03-08 05:00:00"),  # the clock went forward at two
        ("2026-11-01 17:00:00", "2026-11-01 04:00:00"),  # … and back
        ("2026-07-15 03:59:59", "2026-07-14 04:00:00"),
    ],
)
def test_the_day_of_the_lists_begins_at_midnight_of_its_own_clock(now: str, midnight: str) -> None:
    """On a day that the clock changes, an order of the evening before is not one of today."""
    now_ns, midnight_ns = (
        round(dt.datetime.fromisoformat(f"{each}+00:00").timestamp()) * NS_PER_S
        for each in (now, midnight)
    )
    assert since_ns(now_ns) == midnight_ns
