"""TWS's words for what is asked, and its numbers as they are believed."""

from __future__ import annotations

import datetime as dt
import math
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from foxtrot.adapter.ib import mapping
from foxtrot.model.constants import Exchange, Interval, Product
from foxtrot.model.objects import Source

SOURCE = Source.of("AAPL-USD-STK", Exchange.SMART, "IB")
GOOD = mapping.Row(dt.datetime(2026, 11, 20, tzinfo=dt.UTC), 10.0, 12.0, 9.0, 11.0, 100.0, 10.5)


def test_pairs_are_shown_by_their_mid_points() -> None:
    """Where no prints are told, there are no bars of trades."""
    assert mapping.what_to_show(Product.FOREX) == "MIDPOINT"
    assert mapping.what_to_show(Product.EQUITY) == "TRADES"


def test_open_interest_is_asked_for_where_there_is_some() -> None:
    """TWS refuses a generic tick that a contract cannot have."""
    assert mapping.generic_ticks(Product.FUTURES) == "588"
    assert mapping.generic_ticks(Product.EQUITY) == ""


@pytest.mark.parametrize(
    ("product", "price", "believed"),
    [
        (Product.EQUITY, 0.01, True),
        (Product.EQUITY, -0.01, False),
        (Product.FUTURES, -37.63, True),
        (Product.FUTURES, -1e13, False),
        (Product.EQUITY, 1e12, False),
        (Product.EQUITY, math.nan, False),
        (Product.FUTURES, -math.inf, False),
    ],
)
def test_the_gate_knows_what_a_price_can_be(product: Product, price: float, believed: bool) -> None:
    """Finite, below a trillion; above zero unless such contracts were seen below."""
    assert (mapping.bad_price(price, 1.0, mapping.lowest_price(product)) == "") is believed


@pytest.mark.parametrize(
    "change",
    [
        {"open": math.nan},
        {"close": 12.5},
        {"low": 10.5},
        {"high": 1e13},
        {"volume": -2.0},
        {"volume": math.inf},
        {"low": -1.0},
    ],
)
def test_a_bar_that_contradicts_itself_is_refused(change: dict[str, float]) -> None:
    """Its prices lie inside its own high and low, and its volume is a number."""
    assert mapping.bad_row(GOOD, 0.0) == ""
    assert mapping.bad_row(msgspec.structs.replace(GOOD, **change), 0.0)


def test_a_bar_without_volume_is_believed() -> None:
    """Bars of mid-points have none; TWS says -1."""
    row = msgspec.structs.replace(GOOD, volume=mapping.UNKNOWN, average=mapping.UNKNOWN)
    assert mapping.bad_row(row, 0.0) == ""
    bar = mapping.bar(row, SOURCE, Interval.MINUTE, closed=True)
    assert (bar.volume, bar.turnover) == (0.0, 0.0)


def test_the_turnover_is_the_volume_at_its_average_price() -> None:
    """TWS tells both, and not the product."""
    assert mapping.bar(GOOD, SOURCE, Interval.MINUTE, closed=True).turnover == 1050.0


def test_a_bars_time_is_seconds_or_a_day() -> None:
    """Both are UTC; anything else cannot be read."""
    sdk_bar = SimpleNamespace(
        date="1795000000", open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0, average=1.0
    )
    row = mapping.row(cast("mapping.SdkBar", sdk_bar))
    assert row.start == dt.datetime.fromtimestamp(1_795_000_000, dt.UTC)
    assert mapping.moment("20261120") == dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    for text in ("", "20261399", "-5", "9999999999999", "20261120 09:30:00 US/Eastern"):
        with pytest.raises(ValueError, match=r".+"):
            mapping.moment(text)
