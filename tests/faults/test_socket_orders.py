"""What befalls orders at TWS and OpenD alike: answers that never come, late and twofold reports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Status
from tests.support.house import healed
from tests.support.rig import eventually
from tests.support.socket_houses import HOMES, at_each
from tests.support.trading_rig import TRADING, TradingRig

PARTS = 5
"""Lots of an order that is filled in parts."""


@pytest.fixture(scope="module", params=HOMES)
def home(request: pytest.FixtureRequest):
    """A venue's own; what lives as long as the process is there before anything is counted."""
    home = HOMES[request.param]
    home.furnish()
    return home


@pytest.fixture(autouse=True)
def hastened(home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    home.hasten(monkeypatch)


@pytest.fixture
def rig(home) -> Iterator[TradingRig]:
    """Orders are taken."""
    with home.standing() as house, home.living(house) as rig:
        rig.trade(house.symbols[0])
        yield rig


@pytest.mark.parametrize("fault", ["request_swallowed", "request_reset"])
def test_an_order_that_never_arrived(home, rig: TradingRig, fault: str) -> None:
    """F80: in doubt; the venue lists it nowhere, twice: rejected, and never sent again."""
    rig.venue.faults.inject(fault, request="place")
    orderid = rig.send(volume=home.LOT)
    rig.wait_doubt(orderid)
    rig.wait_order(orderid, Status.REJECTED)
    healed(rig)
    assert orderid not in {each.orderid for each in rig.venue.held()}


@pytest.mark.parametrize("fault", ["ack_swallowed", "ack_reset"])
@pytest.mark.parametrize("fills", [False, True])
def test_an_order_whose_answer_never_came(home, rig: TradingRig, fault: str, fills: bool) -> None:
    """F80: what is pushed or listed shows it by our name: open, or filled, each fill told once."""
    rig.venue.faults.inject(fault, request="place")
    price = rig.venue.crossing_price(rig.venue.symbols[0]) if fills else None
    orderid = rig.send(price=price, volume=home.LOT)
    rig.wait_order(orderid, Status.ALLTRADED if fills else Status.NOTTRADED)
    healed(rig)
    assert rig.venue.received() == {orderid: 1}
    assert len(rig.fills(orderid)) == fills


def test_an_answer_behind_its_time(home, rig: TradingRig) -> None:
    """F82: answered after it was asked what became of the order: no second one is sent."""
    rig.venue.faults.inject("late_ack", request="place", seconds=1.5)
    orderid = rig.send(volume=PARTS * home.LOT)
    rig.wait_order(orderid, Status.NOTTRADED)
    rig.venue.fill(orderid, home.LOT)
    rig.wait_order(orderid, Status.PARTTRADED)
    healed(rig)
    assert rig.venue.received() == {orderid: 1}


@pytest.mark.parametrize(("home", "channel"), at_each("REORDERED"), indirect=["home"])
def test_reports_behind_others(home, rig: TradingRig, channel: str) -> None:
    """F41: whatever comes first: no order goes back, no fill is told twice or forgotten."""
    _fill_and_cancel(home, rig, "reordered", channel=channel, count=0)


def test_reports_that_come_late(home, rig: TradingRig) -> None:
    """F41: answers overtake every report, and are believed no less."""
    _fill_and_cancel(home, rig, "late_reports", seconds=0.3)


def test_reports_that_come_twice(home, rig: TradingRig) -> None:
    """F40: each change and each fill is told once; the second is nothing new."""
    orderid = _fill_and_cancel(home, rig, "duplicate_reports")
    told = [(each.status, each.traded) for each in rig.orders(orderid)]
    assert len(told) == len(set(told))


def _fill_and_cancel(home, rig: TradingRig, fault: str, **params: object) -> str:
    """One order fills in parts and another is cancelled, whatever befalls the reports."""
    symbol = rig.venue.symbols[1]
    orderid, other = rig.rest(volume=PARTS * home.LOT), rig.rest(symbol=symbol, volume=home.LOT)
    rig.venue.faults.inject(fault, **params)
    for part in range(1, PARTS - 1):
        rig.venue.fill(orderid, home.LOT)
        rig.wait_trades(orderid, part)
    rig.venue.fill(orderid)
    rig.cancel(other, symbol)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_order(other, Status.CANCELLED)
    rig.venue.faults.clear()
    rig.wait_agreed()
    traded = [each.traded for each in rig.orders(orderid)]
    assert traded == sorted(traded)
    return orderid


def test_a_line_cut_between_the_parts_of_a_fill(home, rig: TradingRig) -> None:
    """F83: the traded total is right after it, each part told once, also those while away."""
    orderid = rig.rest(volume=2 * PARTS * home.LOT)
    for part in range(4):
        rig.venue.fill(orderid, home.LOT)
        if part % 2:
            since = len(rig.log)
            rig.venue.faults.inject("rst", path=home.TRADER)
            rig.venue.fill(orderid, home.LOT)
            rig.wait_trading(S.READY, since)
    rig.wait_trades(orderid, 6)
    healed(rig)


@pytest.mark.parametrize("fault", ["request_swallowed", "ack_swallowed", "ack_reset"])
def test_a_cancel_without_an_answer(home, rig: TradingRig, fault: str) -> None:
    """F84: the order is what the venue lists in the end: open still, or cancelled."""
    orderid = rig.rest(volume=home.LOT)
    rig.venue.faults.inject(fault, request="cancel")
    rig.cancel(orderid)
    eventually(lambda: not rig.venue.faults.faults(), "the cancel was taken")
    if fault == "request_swallowed":
        eventually(lambda: not rig.trading().in_doubt, "nothing is in doubt")
    else:
        rig.wait_order(orderid, Status.CANCELLED)
    healed(rig)


def test_a_cancel_that_meets_a_fill(home, rig: TradingRig) -> None:
    """F84: a refused cancel says nothing of what became of the order: it has traded, once."""
    rig.venue.faults.inject("cancel_race")
    orderid = rig.rest(volume=home.LOT)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    rig.wait_agreed()
    assert Status.CANCELLED not in rig.statuses_of(orderid)


def test_orders_while_nobody_is_there(home, rig: TradingRig) -> None:
    """F84: neither a new order nor a cancel is kept for later: refused in words, none sent."""
    orderid = rig.rest(volume=home.LOT)
    since = len(rig.log)
    rig.venue.faults.inject("refuse")
    rig.venue.faults.inject("rst")
    rig.wait_trading(S.RECONNECTING, since)
    late = rig.send(volume=home.LOT)
    rig.cancel(orderid)
    told = rig.wait_order(orderid, since=since, where=lambda order: bool(order.reason))
    assert told.reason == "local:not_ready: not cancelled, trading is not ready"
    assert told.status is Status.NOTTRADED
    assert rig.refused(late).startswith("local:not_ready: ")
    healed(rig)
    assert (rig.venue.cancels(), rig.venue.received()) == ([], {orderid: 1})


def test_who_hangs_is_left(home, rig: TradingRig) -> None:
    """F20: nothing is answered any more: an order is in doubt, the line is replaced; resolved."""
    since = len(rig.log)
    rig.venue.faults.inject("mute")
    orderid = rig.send(volume=home.LOT)
    rig.wait_doubt(orderid)
    rig.wait_trading(S.RECONNECTING, since)
    rig.venue.faults.clear()
    rig.wait_order(orderid, Status.NOTTRADED, Status.REJECTED)
    healed(rig)


def test_the_market_may_be_lost_without_trading(home, rig: TradingRig) -> None:
    """F11: the line of the market data is cut; orders do not notice."""
    orderid = rig.rest(volume=home.LOT)
    since = len(rig.log)
    rig.venue.faults.inject("rst", path=home.STREAMER)
    rig.wait_state(S.RECONNECTING, since=since)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert S.RECONNECTING not in rig.states(TRADING)
    healed(rig)
