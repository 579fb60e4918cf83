"""Orders as the matching of the simulated TWS takes them."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.errors import OrderRejected
from foxtrot.simulator.accounts import Side, TimeInForce
from foxtrot.simulator.ib_contracts import Row, Universe
from foxtrot.simulator.ib_orders import IbOrder, Terms
from foxtrot.simulator.ib_tickets import answer_of, cancellable, refusal, ticket_of
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Quote

QUOTE = Quote("AAPL", 1, 200 * E8, E8, 201 * E8, E8)


def an_order(side: Side, kind: str, stop: int | None, tif: str = "DAY") -> IbOrder:
    """An order that is not in the books yet."""
    contract = Universe.of(["AAPL"], today=dt.date(2026, 11, 21)).contracts["AAPL"]
    stop_e8 = None if stop is None else stop * E8
    terms = Terms(kind=kind, quantity_e8=E8, stop_e8=stop_e8, tif=tif)
    return IbOrder(
        perm_id=77,
        client_id=1,
        order_id=1,
        account="DU1",
        row=Row(contract, "SMART"),
        side=side,
        ref="",
        terms=terms,
    )


@pytest.mark.parametrize(
    ("side", "stop", "waits"),
    [
        (Side.BUY, 201, True),
        (Side.BUY, 200, False),
        (Side.SELL, 200, True),
        (Side.SELL, 201, False),
    ],
)
def test_a_stop_waits_on_its_own_side_of_the_market(side: Side, stop: int, waits: bool) -> None:
    """Above it to buy, below it to sell; one that is reached is an order like any other."""
    ticket = ticket_of(an_order(side, "STP", stop), QUOTE)
    assert (ticket.stop_e8 is not None, ticket.above) == (waits, side is Side.BUY)
    assert ticket.client_id == "77"


@pytest.mark.parametrize(
    ("tif", "taken"),
    [
        ("DAY", TimeInForce.GTC),
        ("GTC", TimeInForce.GTC),
        ("IOC", TimeInForce.IOC),
        ("FOK", TimeInForce.FOK),
    ],
)
def test_a_day_lasts_until_somebody_ends_it(tif: str, taken: TimeInForce) -> None:
    """The other times in force are the matching's own."""
    assert ticket_of(an_order(Side.BUY, "LMT", None, tif), QUOTE).tif is taken


def test_every_refusal_has_a_number_for_the_client() -> None:
    """TWS's own codes as they are; the matching's reasons as 201; an unknown order as 10147."""
    assert answer_of(refusal(110, "price")) == (110, "price")
    code, text = answer_of(OrderRejected("simulator", "balance", "too little"))
    assert (code, text.startswith("Order rejected - reason:")) == (201, True)
    with pytest.raises(OrderRejected) as caught:
        cancellable(5, None)
    assert answer_of(caught.value)[0] == 10147
