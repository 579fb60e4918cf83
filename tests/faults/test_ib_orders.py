"""What befalls orders at TWS alone: nights, warnings, a lost IB, and other hands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.model.constants import Channel, OrderType, Status
from foxtrot.model.constants import ConnectionState as S
from tests.support.house import healed, served
from tests.support.ib_house import (
    AAPL,
    IBM,
    MSFT,
    TEN,
    TRADER,
    House,
    hasten,
    living,
    standing,
)
from tests.support.rig import eventually
from tests.support.trading_rig import TRADING, TradingRig, in_doubt

STREAMS = 20


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    hasten(monkeypatch)


@pytest.fixture
def house() -> Iterator[House]:
    """A gateway whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """Orders are taken."""
    with living(house) as rig:
        rig.trade(AAPL)
        yield rig


def twenty(rig: TradingRig) -> None:
    """Twenty streams: ticks of ten contracts, and books, prints and bars of some."""
    for symbol in TEN:
        rig.subscribe(symbol)
    for symbol in (AAPL, MSFT, IBM):
        rig.subscribe(symbol, Channel.DEPTH, Channel.TRADE)
    for symbol in TEN[:4]:
        rig.subscribe(symbol, Channel.BAR)
    assert len(rig.adapter.subscriptions()) == STREAMS


def test_the_nightly_restart(house: House, rig: TradingRig) -> None:
    """F10: 20 streams and 5 orders, of which one fills meanwhile: all is right again, told once."""
    twenty(rig)
    served(rig)
    orders = [rig.rest(symbol=symbol) for symbol in (AAPL, MSFT, IBM, AAPL, MSFT)]
    since, asked = len(rig.log), len(house.asked())
    house.faults.inject("restart", seconds=0.5)
    rig.wait_trading(S.RECONNECTING, since)
    rig.wait_state(S.RECONNECTING, since=since)
    house.fill(orders[2])
    rig.wait_trading(S.READY, since)
    rig.wait_order(orders[2], Status.ALLTRADED)
    served(rig)
    again = house.asked()[asked:]
    assert len(set(again)) == STREAMS
    assert len(rig.fills()) == len(rig.fills(orders[2])) == 1
    left = [each for each in orders if each != orders[2]]
    assert {each.orderid for each in rig.last_of_each() if each.is_active()} == set(left)
    assert not rig.orders(orders[0], since)  # nothing happened to it, nothing is told
    for orderid in left:
        rig.cancel(orderid, rig.held(orderid).symbol)
        rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (399, "Order Message:\nWarning: your order will not be placed until 09:30:00 US/Eastern"),
        (10349, "Order TIF was set to DAY based on order preset."),
        (404, "Order held while securities are located."),
        (2109, "Order Event Warning: Attribute 'Outside RTH' is ignored."),
    ],
)
def test_a_warning_on_a_live_order_ends_nothing(rig: TradingRig, code: int, text: str) -> None:
    """F32: the order lives, can fill, and the user reads what TWS said."""
    rig.venue.faults.inject("order_notice", code=code, body=text)
    since = len(rig.log)
    orderid = rig.rest()
    assert text.split("\n")[0][:20] in rig.wait_log(f"{code}: ", since)
    rig.venue.fill(orderid, 0.2)
    rig.wait_trades(orderid)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert Status.REJECTED not in rig.statuses_of(orderid)
    rig.wait_agreed()


@pytest.mark.parametrize("code", [399, 10349])
def test_a_warning_before_anything_else_ends_nothing(
    house: House, rig: TradingRig, code: int
) -> None:
    """F32: TWS speaks of the order before it shows it: the answer is still to come."""
    house.faults.inject("late_ack", request="place", seconds=0.3)
    orderid = rig.send()
    eventually(lambda: orderid in house.received(), "it has arrived")
    house.error(house.sim.desk.order(orderid).order_id, code, "Order TIF was set to DAY.")
    rig.wait_order(orderid, Status.NOTTRADED)
    rig.wait_agreed()
    assert rig.statuses_of(orderid) == [Status.SUBMITTING, Status.NOTTRADED]
    assert not any(in_doubt(each) for each in rig.orders(orderid))


def test_the_notice_of_a_cancel_before_its_status(rig: TradingRig) -> None:
    """F41: 202 comes first: the order is cancelled once, and what filled counts."""
    rig.venue.faults.inject("notice_first")
    orderid, untouched = rig.rest(), rig.rest()
    rig.venue.fill(orderid, 0.2)
    rig.wait_trades(orderid)
    for each in (orderid, untouched):
        rig.cancel(each)
        rig.wait_order(each, Status.CANCELLED)
    rig.wait_agreed()
    assert rig.statuses_of(orderid)[-2:] == [Status.PARTTRADED, Status.CANCELLED]


@pytest.mark.parametrize("code", [1101, 1102])
def test_fills_while_tws_is_without_ib(rig: TradingRig, code: int) -> None:
    """F71: during 1100 orders are refused here; what filled is told, pushed or asked for after."""
    pushed, missed = rig.rest(), rig.rest()
    rig.venue.faults.inject("notice", code=1100)
    eventually(
        lambda: rig.answered(rig.send()).status is Status.REJECTED,
        "orders are refused here: the line is lost, or already the prices are stale",
    )
    rig.venue.fill(pushed)
    rig.wait_order(pushed, Status.ALLTRADED)
    rig.venue.faults.inject("mute", path=TRADER)
    rig.venue.fill(missed)
    rig.venue.faults.clear()
    rig.venue.faults.inject("notice", code=code)
    rig.wait_order(missed, Status.ALLTRADED)
    served(rig)  # prices that are stale are none to send orders by
    rig.rest()
    healed(rig)
    assert S.RECONNECTING not in rig.states(TRADING)


def test_orders_by_other_hands(house: House, rig: TradingRig) -> None:
    """F86: shown as external, never cancelled with ours; a list that lies ends none of them."""
    mine = rig.rest()
    theirs = f"ext-{house.place_by_hand(AAPL, 1.0, house.resting_price(AAPL))}"
    rig.adapter.query_account()
    rig.wait_order(theirs, Status.NOTTRADED)
    house.faults.inject("empty_list", request="open_orders", count=0)
    rig.adapter.query_account()
    rig.adapter.cancel_all()
    rig.wait_order(mine, Status.CANCELLED)
    house.faults.clear()
    rig.adapter.query_account()
    healed(rig)
    assert house.cancels() == [mine]
    assert rig.orders(theirs)[-1].is_active()


def test_an_order_id_that_was_used_elsewhere(house: House, rig: TradingRig) -> None:
    """F62: another program sent orders under our client id: ours is rejected, the next passes."""
    for ends, code in ((True, "103: "), (False, "105: ")):
        other = house.sim.desk.place_by_hand("MSFT", 1, 100, client_id=1)
        if ends:
            house.sim.desk.end(other.perm_id)
        assert rig.refused(rig.send()).startswith(code)
        rig.rest()
    rig.adapter.query_account()
    healed(rig)


def test_an_api_that_may_only_be_read(house: House, rig: TradingRig) -> None:
    """F61: orders are rejected in TWS's words, with what to switch; data goes on."""
    house.sim.desk.set_read_only(True)
    assert "Read-Only" in rig.refused(rig.send())
    rig.wait_fresh(AAPL)
    house.sim.desk.set_read_only(False)
    rig.rest()
    rig.wait_agreed()


def test_a_reject_storm_pauses_new_orders(house: House) -> None:
    """F85: so many rejections in a row, and new orders pause, in words; cancels go."""
    with living(house, {"orders.max_rejections": 3}) as rig:
        rig.trade(AAPL)
        orderid = rig.rest()
        for _ in range(3):
            house.sim.desk.reject_next(201, "Order rejected - reason:INSUFFICIENT MARGIN")
            assert rig.refused(rig.send()).startswith("201: ")
        assert "rejected too many orders in a row" in rig.refused(rig.send())
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
        rig.adapter.resume()
        rig.rest()
        rig.wait_agreed()


def test_an_error_that_proves_nothing(house: House, rig: TradingRig) -> None:
    """F81: an error that proves nothing leaves an order in doubt, until TWS's lists are asked."""
    house.faults.inject("error_ack", request="place", code=10999, body="Never heard of")
    orderid = rig.send()
    rig.wait_doubt(orderid)
    rig.wait_order(orderid, Status.REJECTED)
    rig.wait_agreed()


@pytest.mark.parametrize("fault", ["garbage_frame", "malformed_frame", "unknown_event"])
def test_orders_beside_bad_frames(rig: TradingRig, fault: str) -> None:
    """F31: frames that cannot be read do not hold up what can."""
    rig.venue.faults.inject(fault)
    orderid = rig.send(OrderType.MARKET)
    rig.venue.move(AAPL)
    rig.wait_order(orderid, Status.ALLTRADED)
    healed(rig)
