"""The hands on a simulated TWS: what they do, and what they refuse to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from foxtrot.errors import ConfigurationError, InvalidState, OrderRejected
from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_venue import running_ib


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedIb]:
    """A gateway whose market stands still."""
    async with SimulatedIb(("AAPL",), rate_hz=0) as venue:
        yield venue


@pytest.fixture
def elsewhere() -> Iterator[SimulatedIb]:
    """One on a thread of its own."""
    with running_ib(("AAPL",)) as venue:
        yield venue


async def test_an_order_is_found_by_reference_and_by_perm_id(sim: SimulatedIb) -> None:
    """The newest of a reference is meant; what is not there is said."""
    first = sim.desk.place_by_hand("AAPL", 1, 100, client_id=3, order_ref="twice")
    second = sim.desk.place_by_hand("AAPL", 1, 100, client_id=3, order_ref="twice")
    assert sim.desk.order("twice") is second
    assert sim.desk.order(first.perm_id) is sim.desk.order(str(first.perm_id)) is first
    assert [order.order_id for order in (first, second)] == [1, 2]
    with pytest.raises(ConfigurationError, match="never"):
        sim.desk.order("never")
    with pytest.raises(ConfigurationError, match="DU9"):
        sim.desk.account("DU9")


async def test_what_cannot_be_done_is_refused(sim: SimulatedIb) -> None:
    """A fill of what is filled, beyond the limit or the rest, and an end of what has ended."""
    order = sim.desk.place_by_hand("AAPL", 10, 100, order_ref="one")
    for volume, price in ((11, None), (1, 101)):
        with pytest.raises(ConfigurationError):
            sim.desk.fill("one", volume, price)
    sim.desk.fill("one")
    assert (order.status, order.filled_e8) == ("Filled", 10 * 10**8)
    with pytest.raises(InvalidState):
        sim.desk.fill("one")
    with pytest.raises(OrderRejected):
        sim.desk.end("one")
    with pytest.raises(ConfigurationError):
        sim.desk.correct("no such fill", 1)


def test_hands_may_be_on_any_thread(elsewhere: SimulatedIb) -> None:
    """They act on the gateway's loop, and return when it is done."""
    desk = elsewhere.desk
    order = desk.place_by_hand("AAPL", 10, 100, order_ref="one")
    execution = desk.fill("one", 4)
    assert (execution.order is order, execution.total_e8) == (True, 4 * 10**8)
    desk.end("one")
    assert desk.held() == [order]
    assert not order.open
    desk.deposit(5, "EUR")
    assert desk.account().balance("EUR").free_e8 == 5 * 10**8


async def test_the_market_is_moved_to_a_price(sim: SimulatedIb) -> None:
    """What rests on the way is filled."""
    sim.desk.place_by_hand("AAPL", 10, 100, order_ref="one")
    sim.desk.set_price("AAPL", 90)
    assert sim.desk.order("one").status == "Filled"
