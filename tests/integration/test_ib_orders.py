"""Orders at the simulated IB through the whole engine: desk, journal, session and wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.core.settings import Settings
from foxtrot.execution import reconciler
from foxtrot.model.constants import ConnectionState, Direction, OrderType, Status
from foxtrot.model.events import EVENT_CONNECTION
from foxtrot.model.health import ConnectionStatus
from foxtrot.model.objects import NS_PER_S
from foxtrot.simulator.ib import IbLimits
from foxtrot.simulator.listings import E8
from tests.support.ib_venue import IbUnderTest
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig, trading

VOLUME = 10.0
AAPL = IbUnderTest.symbols[0]


@pytest.fixture
def books() -> Iterator[IbUnderTest]:
    """A gateway that listens."""
    books = IbUnderTest(limits=IbLimits())
    books.start()
    try:
        yield books
    finally:
        books.stop()


@pytest.fixture
def rig(books: IbUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingRig]:
    """An engine that may send orders to it; a request is late after a fraction of a second."""
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S // 2)
    monkeypatch.setattr(reconciler, "UNBOUNDED", 1)
    monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)
    with trading(books) as rig:
        rig.trade(AAPL)
        yield rig


def session(status: object) -> tuple[str, ConnectionState]:
    assert isinstance(status, ConnectionStatus)
    return status.session, status.state


def test_an_order_lives_fills_and_is_cancelled(books: IbUnderTest, rig: TradingRig) -> None:
    """Send, fill a part, cancel the rest: each step is told once, and both sides agree."""
    orderid = rig.rest(volume=VOLUME)
    books.fill(orderid, 4)
    rig.wait_order(orderid, Status.PARTTRADED)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()
    assert rig.statuses_of(orderid) == [
        Status.SUBMITTING,
        Status.NOTTRADED,
        Status.PARTTRADED,
        Status.CANCELLED,
    ]
    (fill,) = rig.fills(orderid)
    # A fill does not wait for its commission, which TWS tells apart from it.
    assert (fill.extra or {}).get("fee_currency", "USD") == "USD"
    assert not books.sim.violations


def test_orders_do_not_mind_that_prices_are_polled(books: IbUnderTest, rig: TradingRig) -> None:
    """TWS pushes orders either way, so the switch leaves the account's line alone."""
    orderid, since = rig.rest(volume=VOLUME), len(rig.log)
    rig.adapter.apply_settings(Settings.parse({"websocket.enabled": False}))
    rig.log.wait_type(
        EVENT_CONNECTION,
        since=since,
        where=lambda told: session(told) == ("polling", ConnectionState.READY),
    )
    books.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    told = [
        session(event.data) for event in rig.log.items[since:] if event.type == EVENT_CONNECTION
    ]
    assert "trading" not in {name for name, _ in told}


def test_a_position_that_was_closed_while_away_is_told(books: IbUnderTest, rig: TradingRig) -> None:
    """TWS lists it no more, and shown as held it would be sold a second time."""
    bought = rig.send(OrderType.MARKET, volume=VOLUME)
    eventually(lambda: rig.position(AAPL) == VOLUME, "it is held")
    price = books.crossing_price(AAPL) + 5
    sold = rig.send(volume=VOLUME, direction=Direction.SHORT, price=price)
    rig.wait_order(bought, Status.ALLTRADED)
    rig.wait_order(sold, Status.NOTTRADED)
    since = len(rig.log)
    books.stop()
    rig.wait_trading(ConnectionState.RECONNECTING, since=since)
    books.start()
    books.fill(sold)
    rig.wait_trading(ConnectionState.READY, since=since)
    rig.wait_order(sold, Status.ALLTRADED)
    eventually(lambda: rig.position(AAPL) == 0, "it is told as closed")


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT])
def test_every_kind_of_order_reaches_tws(
    books: IbUnderTest, rig: TradingRig, kind: OrderType
) -> None:
    """Orders at market trade at once, stops wait; each is what was asked for."""
    _, ask = books.newest(AAPL)
    above = round(ask * 1.1, 2)
    stop = 0.0 if kind is OrderType.MARKET else above
    orderid = rig.send(kind, volume=VOLUME, price=above if stop else 0.0, stop_price=stop)
    rig.wait_order(orderid, Status.NOTTRADED if stop else Status.ALLTRADED)
    if stop:
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
    else:
        sold = rig.send(kind, volume=VOLUME, direction=Direction.SHORT)
        rig.wait_order(sold, Status.ALLTRADED)
        eventually(lambda: rig.position(AAPL) == 0, "the position is closed")
    rig.wait_agreed()


def test_a_stop_order_is_moved_by_its_price(books: IbUnderTest, rig: TradingRig) -> None:
    """It has no other than the one that it stops at; the new one seemed moved and was not."""
    _, ask = books.newest(AAPL)
    stop, moved = round(ask * 1.1, 2), round(ask * 1.2, 2)
    orderid = rig.rest(type_=OrderType.STOP, stop_price=stop, volume=VOLUME)
    new = rig.modify(orderid, price=moved)
    rig.wait_order(new, Status.NOTTRADED)
    (held,) = (each for each in books.sim.desk.held() if each.open)
    assert (held.ref, held.terms.stop_e8) == (new, round(moved * E8))
    rig.cancel(new)
    rig.wait_order(new, Status.CANCELLED)


def test_a_nightly_restart_loses_no_order_and_no_fill(books: IbUnderTest, rig: TradingRig) -> None:
    """Five orders rest; TWS restarts, and one fills, one ends meanwhile: all is told after it."""
    orderids = [rig.rest(volume=VOLUME) for _ in range(5)]
    since = len(rig.log)
    books.faults.inject("restart", seconds=0.3)
    rig.wait_trading(ConnectionState.RECONNECTING, since=since)
    books.fill(orderids[0])
    books.end(orderids[1])
    rig.wait_order(orderids[0], Status.ALLTRADED)
    rig.wait_order(orderids[1], Status.CANCELLED)
    rig.wait_agreed()
    assert len(rig.fills(orderids[0])) == 1
    rig.adapter.cancel_all()
    for orderid in orderids[2:]:
        rig.wait_order(orderid, Status.CANCELLED)
    assert max(books.received().values()) == 1


def test_a_swallowed_order_is_proved_lost_and_never_sent_again(
    books: IbUnderTest, rig: TradingRig
) -> None:
    """TWS drops an order in silence: it is in doubt, then rejected by proof, and was sent once."""
    books.faults.inject("request_swallowed", request="place")
    orderid = rig.send(volume=VOLUME)
    rig.wait_doubt(orderid)
    assert "never reached" in rig.refused(orderid)
    assert books.held() == []
    assert rig.rest(volume=VOLUME) != orderid


def test_the_next_run_knows_the_orders_of_the_last(books: IbUnderTest, rig: TradingRig) -> None:
    """A program that ends with open orders finds them again, with what happened meanwhile."""
    kept, filled = rig.rest(volume=VOLUME), rig.rest(volume=VOLUME)
    rig.adapter.close()
    rig.engine.close()
    books.fill(filled)
    with trading(books) as again:
        again.trade(AAPL)
        again.wait_order(filled, Status.ALLTRADED)
        again.wait_trades(filled)
        again.cancel(kept)
        again.wait_order(kept, Status.CANCELLED)
        again.wait_agreed()
        assert set(books.received().values()) == {1}


def test_a_notice_on_a_live_order_ends_nothing(books: IbUnderTest, rig: TradingRig) -> None:
    """10349 is shown to people; the order lives, and can be cancelled."""
    books.faults.inject("order_notice", code=10349, body="Order TIF was set to DAY")
    orderid = rig.rest(volume=VOLUME)
    assert "10349" in rig.wait_log("TIF was set")
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    rig.wait_agreed()


def test_an_order_made_in_tws_is_shown_and_left_alone(books: IbUnderTest, rig: TradingRig) -> None:
    """What the user does by hand appears as external, and cancel_all does not touch it."""
    other = books.place_by_hand(AAPL, 5, books.resting_price(AAPL))
    rig.adapter.query_account()
    rig.wait_order(f"ext-{other}", Status.NOTTRADED)
    ours = rig.rest(volume=VOLUME)
    rig.adapter.cancel_all()
    rig.wait_order(ours, Status.CANCELLED)
    assert books.cancels() == [ours]
