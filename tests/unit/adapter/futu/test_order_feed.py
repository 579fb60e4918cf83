"""What OpenD tells of orders and deals: put together, and told once."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import cast

import pytest

from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.order_feed import OrderFeed, Paid
from foxtrot.errors import VenueUnavailable
from foxtrot.execution.reports import (
    FillReport,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
)
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest
from tests.support.futu_wire_orders import deal, order

ME, ANOTHER = 9_053_218, 9_053_219
NOW_NS = 1_795_000_000_000_000_000


class Told:
    """A listener, and a feed that tells it."""

    def __init__(self, *, real: bool = False) -> None:
        self.news: list[OrderReport | FillReport] = []
        self.said: list[str] = []
        self.records: dict[str, OrderRecord] = {}
        self.account = TradedAccount(ME, int(real), (1,), 1, 1, 1)
        self.paid: Paid = {}
        self.begin()

    def begin(self) -> None:
        """A new session."""
        self.feed = OrderFeed(
            "FUTU",
            self.account,
            name_of=lambda market, code: (code, Exchange.SEHK),
            record=self.records.get,
            listener=cast("TradingListener", self),
            say=self.said.append,
            time_ns=lambda: NOW_NS,
            paid=self.paid,
        )

    def on_report(self, report: OrderReport) -> None:
        """An order."""
        self.news.append(report)

    def on_fill(self, fill: FillReport) -> None:
        """A fill."""
        self.news.append(fill)

    def fills(self) -> list[tuple[str, float, float]]:
        """Name, volume and price of each fill."""
        fills = [each for each in self.news if isinstance(each, FillReport)]
        return [(each.trade_id, float(each.volume), float(each.price)) for each in fills]

    def know(self, state: OrderState, traded: int = 0) -> None:
        """The journal has the order so."""
        request = OrderRequest(
            "00700", Exchange.SEHK, Direction.LONG, OrderType.LIMIT, 300.0, 500.0
        )
        intent = OrderIntent("fx-1", request, 1)
        self.records["fx-1"] = OrderRecord(intent, state, 1, "FH7", traded=Decimal(traded))


def test_paper_fills_are_told_before_their_order_and_once() -> None:
    """Each is what the order traded more, at the price that makes up the mean."""
    told = Told()
    part = order(orderStatus=10, fillQty=100.0, fillAvgPrice=500.0)
    told.feed.on_order(ME, part)
    told.feed.on_order(ME, part)
    told.feed.on_order(ME, order(orderStatus=11, fillQty=300.0, fillAvgPrice=502.0))
    assert told.fills() == [("FH7-100", 100, 500), ("FH7-300", 200, 503)]
    assert [type(each) for each in told.news[:2]] == [FillReport, OrderReport]
    assert told.feed.changed.is_set()


def test_paper_fills_go_on_where_the_journal_ends() -> None:
    """What an earlier run told is not told again; the rest has the name it always would have."""
    told = Told()
    told.know(OrderState.PARTIALLY_FILLED, traded=100)
    told.feed.order(order(orderStatus=11, fillQty=300.0, fillAvgPrice=502.0))
    assert told.fills() == [("FH7-300", 200, 502)]


def test_paper_fills_after_a_restart_have_their_own_price() -> None:
    """The first look at an order says what the part cost that an earlier run told."""
    told = Told()
    told.know(OrderState.PARTIALLY_FILLED, traded=100)
    told.feed.order(order(orderStatus=10, fillQty=100.0, fillAvgPrice=500.0))
    assert told.fills() == []
    told.feed.order(order(orderStatus=11, fillQty=300.0, fillAvgPrice=502.0))
    assert told.fills() == [("FH7-300", 200, 503)]


def test_paper_fills_after_a_reconnect_have_their_own_price() -> None:
    """The mean that OpenD tells holds the part that an earlier session told."""
    told = Told()
    told.feed.on_order(ME, order(orderStatus=10, fillQty=100.0, fillAvgPrice=500.0))
    told.know(OrderState.PARTIALLY_FILLED, traded=100)
    told.begin()
    told.feed.order(order(orderStatus=11, fillQty=300.0, fillAvgPrice=502.0))
    assert told.fills() == [("FH7-100", 100, 500), ("FH7-300", 200, 503)]


def test_a_paper_fill_waits_for_its_price() -> None:
    """Until it is told, the order has traded no more than its fills; then both are."""
    told = Told()
    bought = {"orderStatus": 11, "orderType": 2, "price": 0.0, "fillQty": 300.0}
    told.feed.on_order(ME, order(**bought))
    told.feed.on_order(ME, order(**bought, fillAvgPrice=502.0))
    first, fill, last = told.news
    assert isinstance(first, OrderReport)
    assert isinstance(last, OrderReport)
    assert isinstance(fill, FillReport)
    assert (first.traded, fill.volume, fill.price, last.traded) == (0, 300, 502, 300)


def test_fills_of_orders_that_nobody_knows_and_that_ended_long_ago_are_not_made() -> None:
    """Of what is listed, paper trading's past is not news; what ended since is."""
    told, done = Told(), order(remark="", orderStatus=11, fillQty=300.0, fillAvgPrice=500.0)
    told.feed.order(done)
    assert told.fills() == []
    told.feed.order(done, since_ns=10**18)
    assert told.fills() == [("FH7-300", 300, 500)]


def test_real_fills_are_deals_alone() -> None:
    """An order that traded makes none, a deal bears the name of its order."""
    told = Told(real=True)
    told.feed.on_order(ME, order(orderStatus=10, fillQty=100.0, fillAvgPrice=500.0))
    told.feed.on_fill(ME, deal())
    assert told.fills() == [("FD3", 100, 500)]
    assert {each.orderid for each in told.news} == {"fx-1"}


def test_what_is_of_other_accounts_and_countries_is_passed_over() -> None:
    """Futu pushes what it likes; only the account and the markets that are traded count."""
    told = Told(real=True)
    told.feed.on_order(ANOTHER, order())
    told.feed.on_fill(ANOTHER, deal())
    told.feed.on_order(ME, order(secMarket=41))
    told.feed.on_fill(ME, deal(secMarket=41))
    assert told.news == []


@pytest.mark.parametrize("status", [4, -1, 77])
def test_a_status_that_proves_nothing_leaves_an_order_as_it_is(status: int) -> None:
    """One that is in doubt stays so, one that lives lives on with the reason; it is said once."""
    told = Told()
    told.know(OrderState.IN_DOUBT)
    told.feed.on_order(ME, order(orderStatus=status))
    assert told.news == []
    assert f"status {status}" in told.feed.unproven["fx-1"]
    told.know(OrderState.ACCEPTED)
    told.feed.on_order(ME, order(orderStatus=status))
    (report,) = told.news
    assert isinstance(report, OrderReport)
    assert (report.state, f"status {status}" in report.reason) == (OrderState.ACCEPTED, True)
    assert len(told.said) == 1
    told.feed.on_order(ME, order())
    assert told.feed.unproven == {}


def test_fills_that_futu_takes_back_are_said_loudly_and_not_counted() -> None:
    """Somebody has to look at the position; nothing that was told is untold."""
    told = Told(real=True)
    told.feed.on_fill(ME, deal(status=1))
    told.feed.on_order(ME, order(orderStatus=24))
    assert [each for each in told.news if isinstance(each, FillReport)] == []
    assert len(told.said) == 2
    assert all("look at the position" in each for each in told.said)


async def test_who_waits_for_the_end_of_an_order_is_told_by_push_or_list() -> None:
    """An order that goes on ends nobody's wait."""
    told = Told(real=True)
    with told.feed.end_of("FH7") as end:
        told.feed.order(order(orderStatus=13))
        assert not end.done()
        told.feed.order(order(orderStatus=15))
        assert end.result().state is OrderState.CANCELED


@pytest.mark.parametrize("wrong", [{"qty": -1.0}, {"trdSide": 9}, {"updateTimestamp": 1e18}])
def test_an_order_that_cannot_be_believed_changes_nothing(wrong: dict[str, float]) -> None:
    """It is refused whole."""
    told = Told()
    with pytest.raises(ValueError, match=r"is|out"):
        told.feed.on_order(ME, order(orderStatus=11, fillQty=300.0, fillAvgPrice=1.0, **wrong))
    assert told.news == []


@pytest.mark.parametrize("wrong", [{"price": -37.63}, {"trdSide": 9}, {"qty": math.nan}])
def test_an_order_of_somebody_elses_that_cannot_be_believed_is_said_and_passed_over(
    wrong: dict[str, float],
) -> None:
    """What Futu's app did costs nobody the list of his own orders."""
    told = Told(real=True)
    strange = order(orderIDEx="FH9", remark="", **wrong)
    assert [each.venue_id for each in told.feed.orders([strange, order(), strange])] == ["FH7"]
    (said,) = told.said
    assert "FH9" in said
    assert "believed" in said


def test_an_order_of_ours_that_cannot_be_believed_is_no_list() -> None:
    """Nobody knows then what is open; the words name it."""
    told = Told(real=True)
    told.know(OrderState.ACCEPTED)
    with pytest.raises(VenueUnavailable, match=r"fx-1.*-1"):
        told.feed.orders([order(price=-1.0)])
    told.feed.orders([order()])
    with pytest.raises(VenueUnavailable, match=r"fx-1.*-1"):
        told.feed.deals([deal(price=-1.0)])


def test_a_deal_without_a_name_is_not_believed() -> None:
    """Two of them would be one, and the second would be lost."""
    told = Told(real=True)
    with pytest.raises(ValueError, match="name"):
        told.feed.on_fill(ME, deal(fillID=0, fillIDEx=""))


def test_a_deal_without_an_epoch_has_the_time_of_its_text() -> None:
    """In the zone of its market; without either it is dated when it was heard of."""
    told = Told(real=True)
    texts = ("2026-11-20 10:00:00.5", "")
    for number, text in enumerate(texts):
        told.feed.on_fill(ME, deal(fillIDEx=str(number), createTimestamp=0.0, createTime=text))
    told.feed.on_order(ME, order(updateTimestamp=0.0, createTimestamp=0.0, updateTime=texts[0]))
    at_ns = 1_795_140_000_500_000_000
    assert [each.ts_ns for each in told.news] == [at_ns, NOW_NS, at_ns]
