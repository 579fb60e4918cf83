"""Whatever is traded, the books of a margin account balance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.simulator.listings import E8, to_e8
from tests.unit.simulator.test_ib_accounts import FUTURE, Pit

TRADES = st.lists(
    st.tuples(st.integers(-30, 30).filter(bool), st.integers(100, 300)), min_size=1, max_size=12
)


@given(name=st.sampled_from(["AAPL", FUTURE]), trades=TRADES)
def test_a_flat_account_has_its_cash_and_what_it_realized(
    name: str, trades: list[tuple[int, int]]
) -> None:
    """Cost, commission and multiplier are all in the realized profit, down to rounding."""
    pit = Pit()
    pit.account.balance("USD").free_e8 = to_e8(100_000_000)
    realized = 0
    held = sum(quantity for quantity, _ in trades)
    for quantity, price in [*trades, *([(-held, 200)] if held else [])]:
        realized += pit.trade(name, quantity, str(price))[1] or 0
    assert pit.account.positions() == []
    change = pit.account.balance("USD").free_e8 - to_e8(100_000_000)
    assert abs(change - realized) < E8 // 10_000
    assert pit.account.equity_e8() == pit.account.balance("USD").free_e8
