"""The example that follows moving averages, against a venue that fills what the test says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from foxtrot.app.examples.ma_cross import MaCross
from foxtrot.core.event_engine import EventEngine
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.constants import Direction, Interval, OrderType
from foxtrot.model.events import EVENT_LOG, EVENT_TIMER, Event
from foxtrot.model.objects import NS_PER_S, BarData, LogData
from foxtrot.model.requests import HistoryRequest
from tests.support.events import EventLog
from tests.support.trading_adapter import TradingAdapter

A = "A.BINANCE"
MINUTE_NS = 60 * NS_PER_S
START_NS = int(dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC).timestamp()) * NS_PER_S


class Market:
    """A strategy that has its past, and minutes to come."""

    def __init__(self, engine: MainEngine, past: list[float], volume: float = 2.0) -> None:
        self.adapter = engine.add_adapter(TradingAdapter)
        self.adapter.history = lambda request: self._bars(request, past)
        self.told = EventLog(engine.event_engine, EVENT_LOG)
        self.strategy = engine.add_strategy(
            MaCross, "cross", [A], {"fast": 2, "slow": 4, "volume": volume}
        )
        self.told.wait_type(EVENT_LOG)
        self.minutes = 0

    def _bars(self, request: HistoryRequest, past: list[float]) -> list[BarData]:
        moment = dt.datetime(2026, 1, 5, 11, tzinfo=dt.UTC)
        return [
            BarData(
                "FAKE",
                "A",
                request.exchange,
                moment + dt.timedelta(minutes=number),
                Interval.MINUTE,
                close_price=price,
            )
            for number, price in enumerate(past)
        ]

    def second(self) -> None:
        """A second passes."""
        self.strategy.engine.event_engine.put(Event(EVENT_TIMER))
        self.adapter.settle()

    def trade_at(self, *prices: float) -> None:
        """One tick a minute; an order that is open then is filled at the next price."""
        for price in prices:
            self.adapter.quote(A, price, START_NS + self.minutes * MINUTE_NS)
            self.minutes += 1
            for vt_orderid in self.open_orders():
                self.adapter.fill(vt_orderid, price=price)
                self.adapter.settle()

    def open_orders(self) -> list[str]:
        """Orders that rest at the venue."""
        orders = self.strategy.engine.get_all_active_orders()
        return [order.vt_orderid for order in orders]

    def sides(self) -> list[Direction]:
        """What was sent, in order."""
        return [request.direction for request in self.adapter.sent.items]


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    """A main engine that is closed at the end."""
    with MainEngine(EventEngine(interval=3600)) as made:  # its seconds are the test's
        yield made


def test_it_buys_when_the_fast_average_rises_above_the_slow_one(engine: MainEngine) -> None:
    """And sells when it falls below; at the market, one order at a time, and it says so."""
    market = Market(engine, [10, 10, 10, 10])
    assert market.sides() == []
    market.trade_at(11, 12, 13)
    assert market.sides() == [Direction.LONG]
    assert market.strategy.pos == 2
    market.trade_at(9, 8, 7, 6)
    assert market.sides() == [Direction.LONG, Direction.SHORT]
    assert {request.type for request in market.adapter.sent.items} == {OrderType.MARKET}
    assert market.strategy.pos == 0
    entry = market.told.of(EVENT_LOG)[-1]
    assert isinstance(entry, LogData)
    assert entry.msg == "holds 0 after 2 at 8; made -8.0000"


def test_it_begins_with_the_averages_of_the_past(engine: MainEngine) -> None:
    """It need not wait for minutes that were already there; the timer's next beat is enough."""
    market = Market(engine, [7, 8, 9, 10])
    market.second()
    assert market.sides() == [Direction.LONG]
    assert market.strategy.get_variables()["fast_average"] == 9.5
    assert market.strategy.get_variables()["slow_average"] == 8.5


def test_too_short_a_past_is_no_reason_to_trade(engine: MainEngine) -> None:
    """An average of three minutes is not one of four."""
    market = Market(engine, [8, 9, 10])
    market.second()
    assert market.sides() == []


def test_it_waits_for_its_order_to_end(engine: MainEngine) -> None:
    """An order that rests is not sent again with every minute."""
    market = Market(engine, [7, 8, 9, 10])
    market.second()
    for number, price in enumerate((11, 12, 13)):
        market.adapter.quote(A, price, START_NS + number * MINUTE_NS)
    assert market.sides() == [Direction.LONG]


def test_it_buys_the_rest_of_an_order_that_was_cut_off(engine: MainEngine) -> None:
    """As people count: a venue refuses 0.00030000000000000003, which is no multiple of its step."""
    market = Market(engine, [7, 8, 9, 10], volume=0.001)
    market.second()
    (vt_orderid,) = market.open_orders()
    market.adapter.fill(vt_orderid, 0.0007, price=10.0)
    market.adapter.cancel_all()
    market.second()
    assert [request.volume for request in market.adapter.sent.items] == [0.001, 0.0003]


def test_its_variables_show_what_it_made(engine: MainEngine) -> None:
    """A line of profit and loss at the last price."""
    market = Market(engine, [7, 8, 9, 10])
    market.second()
    market.trade_at(11, 12)
    assert market.strategy.get_variables()["pnl"] == 2.0
