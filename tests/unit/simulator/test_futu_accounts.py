"""Positions of the simulated Futu: what they cost, and what closing them brings."""

from __future__ import annotations

import pytest

from foxtrot.simulator.futu_accounts import AccountSpec, Holding
from foxtrot.simulator.futu_contracts import Universe

UNIVERSE = Universe.of()


@pytest.mark.parametrize(
    ("fills", "quantity", "average", "realized"),
    [
        (((100, 10), (100, 20)), 200, 15, 0),
        (((200, 10), (-50, 14)), 150, 10, 200),
        (((100, 10), (-100, 9)), 0, 0, -100),
        (((100, 10), (-300, 12)), -200, 12, 200),
        (((-100, 10), (40, 8)), -60, 10, 80),
        (((-100, 10), (300, 11)), 200, 11, -100),
    ],
)
def test_a_position_keeps_its_cost_and_what_was_realized(
    fills: tuple[tuple[int, int], ...], quantity: int, average: int, realized: int
) -> None:
    """Long and short, in parts, and through nothing to the other side."""
    holding = Holding(UNIVERSE.contracts["HK.00700"])
    for signed, price in fills:
        holding.book(signed * 10**8, signed * price * 10**8)
    assert holding.quantity_e8 == quantity * 10**8
    assert holding.average_e8 == average * 10**8
    assert holding.realized_e8 == realized * 10**8


def test_an_account_of_hong_kong_reaches_china() -> None:
    """By the market for A shares, or that of its own; others are not traded."""
    hong_kong, china = (AccountSpec(1, 1, markets, {}) for markets in ((1, 4), (3,)))
    tencent, moutai = (UNIVERSE.contracts[name] for name in ("HK.00700", "SH.600519"))
    assert [hong_kong.market_of(each) for each in (tencent, moutai)] == [1, 4]
    assert [china.market_of(each) for each in (tencent, moutai)] == [1, 3]
