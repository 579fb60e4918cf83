"""The hands on a simulated OpenD: what they do, and what they refuse to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.errors import ConfigurationError, InvalidState, OrderRejected
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.support.futu_venue import running_futu
from tests.unit.simulator.futu_client import PAPER_ID, Client


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedFutu]:
    """An OpenD whose market stands still."""
    async with SimulatedFutu(("HK.00700",), rate_hz=0) as venue:
        yield venue


async def test_an_order_is_found_by_remark_and_by_either_id(sim: SimulatedFutu) -> None:
    """The newest of a remark is meant; what is not there is said."""
    first = sim.desk.place_by_hand("HK.00700", 100, 500, remark="twice")
    second = sim.desk.place_by_hand("HK.00700", 100, 500, remark="twice")
    assert sim.desk.order("twice") is second
    assert sim.desk.order(first.order_id) is sim.desk.order(first.order_id_ex) is first
    with pytest.raises(ConfigurationError, match="never"):
        sim.desk.order("never")
    with pytest.raises(ConfigurationError, match="17"):
        sim.desk.account(17)


async def test_what_cannot_be_done_is_refused(sim: SimulatedFutu) -> None:
    """A fill of what is filled, beyond the limit or the rest, and an end of what has ended."""
    order = sim.desk.place_by_hand("HK.00700", 200, 500, remark="one")
    for volume, price in ((300, None), (100, 501)):
        with pytest.raises(ConfigurationError):
            sim.desk.fill("one", volume, price)
    sim.desk.fill("one", 100, 499)
    sim.desk.fill("one")
    assert (order.status, order.filled_e8, order.average_e8) == (11, 200 * 10**8, 49_950_000_000)
    assert [deal.price_e8 for deal in sim.desk.traded()] == [499 * 10**8, 500 * 10**8]
    with pytest.raises(InvalidState):
        sim.desk.fill("one")
    with pytest.raises(OrderRejected):
        sim.desk.end("one")


async def test_what_came_in_is_counted_whatever_became_of_it(sim: SimulatedFutu) -> None:
    """By remark, the refused ones too: so a test sees an order that was sent twice."""
    client = Client(sim)
    assert client.refused(Proto.Trd_PlaceOrder, **client.wanted())
    client.unlock()
    order = client.place()
    client.change(order, 2)
    client.change(order, 2)
    assert sim.desk.received() == {"mine": 2}
    assert sim.desk.cancels() == ["mine", "mine"]


def test_hands_reach_in_from_any_thread() -> None:
    """A call returns when it is done on the venue's loop."""
    with running_futu(("HK.00700",)) as venue:
        order = venue.desk.place_by_hand("HK.00700", 100, account=PAPER_ID)
        assert order.status == 11
        venue.desk.set_price("HK.00700", 300)
        resting = venue.desk.place_by_hand("HK.00700", 100, 299, remark="rests")
        venue.desk.set_price("HK.00700", 290)
        assert resting.status == 11
        venue.desk.place_by_hand("HK.00700", 100, 100, remark="ended")
        venue.desk.end("ended")
        assert venue.desk.order("ended").status == 15
