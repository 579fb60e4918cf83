"""What a restart must still find, though the journal says that it is over."""

from foxtrot.model.constants import Status
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import eventually
from tests.support.trading_rig import trading


def test_a_fill_missed_by_an_order_that_ended_is_told_under_its_name(
    venue: BinanceUnderTest,
) -> None:
    """F83: cancelled after a part was traded, and stopped before the fill came: it comes later."""
    with trading(venue) as rig:
        rig.trade()
        orderid = rig.rest()
        venue.faults.inject("drop_stream", channel="executionReport", count=0)
        venue.faults.inject("request_swallowed", request="trades", count=0)
        venue.fill(orderid, 0.2)
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED, where=lambda order: order.traded == 0.2)
        assert not rig.fills()
    venue.faults.clear()
    with trading(venue) as again:
        again.trade()
        (fill,) = again.wait_trades(orderid)
        assert fill.volume == 0.2
        again.settle()
        assert [each.orderid for each in again.fills()] == [orderid]
        eventually(lambda: not again.trading().open_orders, "nothing is open")
        assert {each.orderid for each in again.orders()} <= {orderid}


def test_what_ended_just_before_the_end_of_a_program_is_told_to_the_next(
    venue: BinanceUnderTest,
) -> None:
    """It may have been written down and never told; in one run it is told once."""
    with trading(venue) as rig:
        rig.trade()
        orderid = rig.rest()
        venue.fill(orderid, rig.held(orderid).volume)
        rig.wait_order(orderid, Status.ALLTRADED)
    with trading(venue) as again:
        again.trade()
        again.wait_order(orderid, Status.ALLTRADED)
        again.settle()
        assert [each.orderid for each in again.fills()] == [orderid]
