"""Futu's pushes with any numbers: what is told is sane, and every item is accounted for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.futu.mapping import COUNT_LIMIT, PRICE_LIMIT, VOLUME_LIMIT
from foxtrot.adapter.futu.schema import Proto, push_class
from foxtrot.model.constants import Channel
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, TickData
from foxtrot.simulator.futu_schema import Message
from tests.support.futu_feed import Feed, bars, book, prints, quote

NUMBERS = st.one_of(st.floats(), st.floats(0.01, 1e6), st.just(0.0))
VOLUMES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(COUNT_LIMIT - 200, COUNT_LIMIT + 200),
    st.integers(0, 10**9),
)
LEVELS = st.lists(st.tuples(NUMBERS, VOLUMES), max_size=12)
PUSHES = st.one_of(
    st.builds(quote, NUMBERS, volume=VOLUMES, at_s=NUMBERS, high=NUMBERS),
    st.builds(book, LEVELS, LEVELS, at_s=NUMBERS),
    st.builds(
        lambda *items: prints(*items), *[st.tuples(VOLUMES, NUMBERS, st.integers(0, 99))] * 2
    ),
    st.builds(lambda minutes, close: bars((minutes, close)), st.integers(0, 999), NUMBERS),
)


@pytest.fixture(scope="module", autouse=True)
def schema() -> None:
    """The SDK takes a second to import, and no example has so long."""
    push_class(Proto.Qot_UpdateOrderBook)


@given(st.lists(PUSHES, max_size=8))
def test_whatever_comes_what_is_told_is_sane(pushes: list[Message]) -> None:
    """No price out of range, no volume below zero, no time before the epoch; nothing is lost."""
    feed = Feed(*Channel)
    closed = 0
    for item in feed(*pushes):
        for number, limit in _numbers(item):
            assert 0.0 <= number < limit
        closed += isinstance(item, BarData) and item.closed
    assert feed.balance == -closed


@given(st.lists(PUSHES, max_size=8))
def test_a_new_session_told_the_last_thing_again_tells_nothing_twice(
    pushes: list[Message],
) -> None:
    """The last push of each kind is what OpenD begins with."""
    feed = Feed(Channel.DEPTH, Channel.BAR)
    feed(*pushes)
    last = {push.DESCRIPTOR.full_name: push for push in pushes}
    assert feed.again()(*last.values()) == []


@given(st.lists(st.builds(book, LEVELS, LEVELS, at_s=NUMBERS), max_size=8))
def test_after_a_rush_the_book_is_the_newest(pushes: list[Message]) -> None:
    """As if they had come one by one, if the last of them can be believed."""
    slow, rushed = Feed(Channel.DEPTH), Feed(Channel.DEPTH)
    slow(*pushes)
    told = rushed.at_once(*pushes)
    assert rushed.balance == 0
    if told:
        (depth,) = told
        (levels,) = {slot.mark.levels for slot in slow.slots.values()}
        assert isinstance(depth, DepthData)
        assert (depth.bids, depth.asks) == levels


def _numbers(item: object) -> list[tuple[float, float]]:
    if isinstance(item, TickData):
        prices, volumes = [item.last_price, item.bid_price_1, item.ask_price_1], [item.volume]
    elif isinstance(item, DepthData):
        prices = [price for price, _ in (*item.bids, *item.asks)]
        volumes = [volume for _, volume in (*item.bids, *item.asks)]
    elif isinstance(item, MarketTradeData):
        prices, volumes = [item.price], [item.volume]
    else:
        assert isinstance(item, BarData)
        prices, volumes = [item.open_price, item.close_price], [item.volume]
    assert all(map(math.isfinite, (*prices, *volumes)))
    return [(price, PRICE_LIMIT) for price in prices] + [(each, VOLUME_LIMIT) for each in volumes]
