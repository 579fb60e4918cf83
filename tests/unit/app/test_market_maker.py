"""The toy that makes a market, against a venue that fills what the test says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.app.examples.market_maker import MarketMaker
from foxtrot.core.event_engine import EventEngine
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.constants import Direction, OrderType
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.objects import OrderData
from tests.support.trading_adapter import TradingAdapter

A = "A.BINANCE"


class Market:
    """A strategy with a contract, and seconds to come."""

    def __init__(self, engine: MainEngine, **params: float) -> None:
        self.engine = engine
        self.adapter = engine.add_adapter(TradingAdapter)
        self.strategy = engine.add_strategy(MarketMaker, "maker", [A], params)
        self.adapter.settle()

    def second(self, price: float = 0.0) -> list[tuple[Direction | None, float]]:
        """A tick, a second; sides and prices of what is open then."""
        if price:
            self.adapter.quote(A, price)
        self.engine.event_engine.put(Event(EVENT_TIMER))
        self.adapter.settle()
        return [(order.direction, order.price) for order in self.orders()]

    def orders(self) -> list[OrderData]:
        """What is open."""
        return self.engine.get_all_active_orders()

    def fill(self, direction: Direction) -> None:
        """Fill the quote of one side."""
        (order,) = [each for each in self.orders() if each.direction is direction]
        self.adapter.fill(order.vt_orderid)
        self.adapter.settle()


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    """A main engine that is closed at the end."""
    with MainEngine(EventEngine(interval=3600)) as made:  # its seconds are the test's
        yield made


def test_it_quotes_around_the_middle_in_whole_ticks(engine: MainEngine) -> None:
    """Nothing before it knows contract and price; then post-only, never nearer than it says."""
    market = Market(engine, distance=0.001)
    assert market.second(100.05) == []
    market.adapter.list_contract("A")
    assert market.second() == [(Direction.LONG, 99.94), (Direction.SHORT, 100.16)]
    assert {request.type for request in market.adapter.sent.items} == {OrderType.POST_ONLY}


def test_its_quotes_follow_the_middle(engine: MainEngine) -> None:
    """A small move leaves them; a large one takes them back, and new ones follow."""
    market = Market(engine, distance=0.001, tolerance=0.01)
    market.adapter.list_contract("A")
    first = market.second(100)
    assert market.second(100.9) == first
    assert market.second(102) == []
    assert market.second(102) == [(Direction.LONG, 101.89), (Direction.SHORT, 102.11)]


def test_it_never_holds_more_than_it_may(engine: MainEngine) -> None:
    """At its most it quotes the other side alone."""
    market = Market(engine, volume=1.0, most=2.0)
    market.adapter.list_contract("A")
    for _ in range(2):
        market.second(100)
        market.fill(Direction.LONG)
        market.second()
    assert market.strategy.pos == 2
    market.second(110)
    assert [side for side, _ in market.second(110)] == [Direction.SHORT]
    market.fill(Direction.SHORT)
    assert [side for side, _ in market.second()] == [Direction.LONG, Direction.SHORT]


def test_it_leaves_no_quote_behind(engine: MainEngine) -> None:
    """Its stop cancels both."""
    market = Market(engine)
    market.adapter.list_contract("A")
    assert len(market.second(100)) == 2
    market.strategy.stop()
    assert market.orders() == []


def test_it_rests_between_quotes_where_a_venue_counts_orders(engine: MainEngine) -> None:
    """Quotes that stand wrong go at once; the next pair waits until the pause is over."""
    market = Market(engine, pause=4)
    market.adapter.list_contract("A")
    assert len(market.second(100.0)) == 2
    assert [len(market.second(price)) for price in (110.0, 0, 0, 0)] == [0, 0, 0, 2]
