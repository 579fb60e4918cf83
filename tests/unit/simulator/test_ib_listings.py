"""What the simulated gateway lists, from day to day."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_listings import contracts, third_friday
from foxtrot.simulator.listings import E8, to_e8
from foxtrot.simulator.market import Market

DAYS = [dt.date(2026, 11, 21), dt.date(2026, 12, 18), dt.date(2026, 12, 19), dt.date(2028, 2, 29)]
NOW_MS = 1_795_271_472_345


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_derivatives_roll_with_the_date(day: dt.date) -> None:
    """Four quarters and two expiries lie ahead, today's included, and one quarter lies behind."""
    universe = Universe.of(today=day)
    for root in ("ES", "NQ"):
        chain = universe.futures(root)
        ends = [dt.datetime.strptime(item.expiry, "%Y%m%d").date() for item in chain]  # noqa: DTZ007
        assert len(ends) == 4
        assert day <= ends[0] < day + dt.timedelta(days=100)
        assert all(end == third_friday(end.year, end.month) for end in ends)
        assert {end.month for end in ends} == {3, 6, 9, 12}
    listed = universe.contracts.values()
    assert sum(item.expired for item in listed) == 2
    expiries = {item.expiry for item in listed if item.sec_type == "OPT"}
    assert len(expiries) == 2
    assert min(expiries) > f"{day:%Y%m%d}"


def test_a_future_is_listed_on_its_last_day() -> None:
    """And has expired on the next."""
    last = dt.date(2026, 12, 18)
    assert Universe.of(today=last).futures("ES")[0].name == "ESZ6"
    assert Universe.of(today=last + dt.timedelta(days=1)).contracts["ESZ6"].expired


def test_a_contract_keeps_its_id_and_no_two_share_one() -> None:
    """Over the years, whatever else is listed."""
    named: dict[int, tuple[str, str]] = {}
    for months in range(120):
        day = dt.date(2026 + months // 12, months % 12 + 1, 15)
        for item in contracts(day):
            assert named.setdefault(item.con_id, (item.local_symbol, item.expiry)) == (
                item.local_symbol,
                item.expiry,
            )


def test_every_book_keeps_to_the_grid_of_its_contract() -> None:
    """Bids and asks are on the price grid, next to each other, in whole sizes, and above zero."""
    universe = Universe.of(today=DAYS[0])
    market = Market(universe.listings(), seed=7, now_ms=NOW_MS)
    for item in universe.contracts.values():
        if item.expired:
            assert item.name not in market.listings
            continue
        for _ in range(5):
            market.tick(item.name)
        quote, tick_e8 = market.quote(item.name), to_e8(str(item.min_tick))
        assert 0 < quote.bid_e8 < quote.ask_e8 <= quote.bid_e8 * 1.01
        assert quote.bid_e8 % tick_e8 == quote.ask_e8 % tick_e8 == 0
        assert quote.bid_quantity_e8 % E8 == 0
        assert item.step_at(item.price) == item.min_tick


def test_options_cost_more_than_they_would_bring_at_once() -> None:
    """And of two that differ in their strike, the better one costs more."""
    listed = [item for item in contracts(DAYS[0]) if item.sec_type == "OPT"]
    apple = next(item for item in contracts(DAYS[0]) if item.name == "AAPL")
    for right, sign in (("C", 1), ("P", -1)):
        for expiry in {item.expiry for item in listed}:
            row = [item for item in listed if (item.right, item.expiry) == (right, expiry)]
            row.sort(key=lambda item: sign * item.strike)
            assert [item.price for item in row] == sorted((i.price for i in row), reverse=True)
            assert all(item.price > sign * (apple.price - item.strike) for item in row)
