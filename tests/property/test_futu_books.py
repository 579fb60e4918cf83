"""Futu's books are read as columns, and nobody can tell it from reading them level by level."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.futu.mapping import PRICE_LIMIT, VOLUME_LIMIT, side_of
from foxtrot.adapter.futu.schema import Proto, push_class, read, response_class
from foxtrot.model.constants import Channel
from foxtrot.model.objects import Levels
from tests.support.futu_feed import AT_S, Feed, book

BOOK = Proto.Qot_UpdateOrderBook
SIDES = ("orderBookBidList", "orderBookAskList")
NUMBERS = st.one_of(st.floats(), st.floats(0.01, 1e6), st.just(0.0))
VOLUMES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**9), st.just(0))
ORDERS = st.integers(-(2**31), 2**31 - 1)
LEVELS = st.lists(st.tuples(NUMBERS, VOLUMES, ORDERS, st.integers(0, 2)), max_size=12)


@pytest.fixture(scope="module", autouse=True)
def schema() -> None:
    """The SDK takes a second to import, and no example has so long."""
    push_class(BOOK)


def message(
    bids: list[tuple[float, int, int, int]], asks: list[tuple[float, int, int, int]]
) -> Any:
    """A push as OpenD makes it; some levels tell of their orders one by one."""
    push: Any = response_class(BOOK)()
    push.retType = 0
    push.s2c.security.market, push.s2c.security.code, push.s2c.name = 1, "00700", "腾讯"
    push.s2c.svrRecvTimeBidTimestamp = AT_S
    for name, levels in zip(SIDES, (bids, asks), strict=True):
        for price, volume, orders, details in levels:
            row = getattr(push.s2c, name).add(price=price, volume=volume, orederCount=orders)
            for number in range(details):
                row.detailList.add(orderID=number, volume=number)
    return push


def level_by_level(rows: Any, count: int) -> tuple[Levels, bool]:
    """One side, and whether it can be believed, by the most obvious way."""
    levels = [(row.price, float(row.volume)) for row in rows[:count]]
    levels = [level for level in levels if level != (0.0, 0.0)]
    good = all(0 < price < PRICE_LIMIT and 0 <= volume < VOLUME_LIMIT for price, volume in levels)
    return (tuple(levels), True) if good else ((), False)


@given(LEVELS, LEVELS, st.sampled_from([5, 10]))
def test_a_side_in_columns_is_the_side_level_by_level(bids: Any, asks: Any, count: int) -> None:
    """Prices, volumes, their order, rows of zeros, and what cannot be believed are the same."""
    push = message(bids, asks)
    columns = read(push_class(BOOK), push.SerializeToString()).s2c
    for name in SIDES:
        levels, problem = side_of(getattr(columns, name), count)
        assert (levels, not problem) == level_by_level(getattr(push.s2c, name), count)
    for name in ("security", "name", "svrRecvTimeBidTimestamp", "svrRecvTimeAskTimestamp"):
        assert str(getattr(columns, name)) == str(getattr(push.s2c, name))


@given(LEVELS, LEVELS, st.data())
def test_a_damaged_book_is_never_read_as_another_one(bids: Any, asks: Any, data: Any) -> None:
    """Of any bytes, either both ways make the same, or columns make nothing of them."""
    body = bytearray(message(bids, asks).SerializeToString())
    places = st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255))
    for place, byte in data.draw(st.lists(places, min_size=1, max_size=4)):
        body[place] = byte
    try:
        whole = read(response_class(BOOK), bytes(body)).s2c
        columns = read(push_class(BOOK), bytes(body)).s2c
        sides = [side_of(getattr(columns, name), 10) for name in SIDES]
    except ValueError:
        return
    for name, (levels, problem) in zip(SIDES, sides, strict=True):
        assert (levels, not problem) == level_by_level(getattr(whole, name), 10)


@pytest.mark.parametrize("missing", ["price", "volume", "orederCount"])
def test_a_level_without_what_it_must_have_spoils_the_book(missing: str) -> None:
    """The columns would not stand beside each other any more."""
    push = message([(611.0, 100, 1, 0), (610.0, 200, 1, 0)], [])
    push.s2c.orderBookBidList[0].ClearField(missing)
    columns = read(push_class(BOOK), push.SerializePartialToString()).s2c
    with pytest.raises(ValueError, match="OrderBook"):
        side_of(columns.orderBookBidList, 10)


def test_books_of_one_contract_do_not_leak_into_each_other() -> None:
    """Merging parts of a field is within one push."""
    feed = Feed(Channel.DEPTH)
    first = feed.depth(book([(611.0, 100)], []))
    second = feed.depth(book([(610.0, 200), (609.0, 300)], [], at_s=AT_S + 1))
    assert (first.bids, second.bids) == (((611.0, 100.0),), ((610.0, 200.0), (609.0, 300.0)))
