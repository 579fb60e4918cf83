"""What IB says of a contract, as foxtrot's contract."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from foxtrot.adapter.ib import instruments
from foxtrot.adapter.ib.instruments import canonical, instrument, time_zone
from foxtrot.model.constants import Exchange, OptionType, Product
from tests.support.ib_answers import Details, contract

OPTION = "AAPL-20261218-C-200-100-USD-OPT"


async def test_a_stock_has_what_orders_are_checked_by() -> None:
    """Name, product, price step and sizes are IB's."""
    row = Details(contract(265598, "AAPL-USD-STK"), minSize=1e308, sizeIncrement=0.0001)
    found = instrument("IB", ("AAPL-USD-STK", Exchange.SMART), row)
    assert (found.vt_symbol, found.con_id, found.sec_type) == ("AAPL-USD-STK.SMART", 265598, "STK")
    data = found.data
    assert (data.name, data.product, data.size) == ("APPLE INC", Product.EQUITY, 1.0)
    assert (data.pricetick, data.min_volume, data.volume_step) == (0.01, 1.0, 0.0001)
    assert data.stop_supported
    assert found.source.name == "APPLE INC"


async def test_a_fund_that_is_traded_like_a_stock_is_an_etf() -> None:
    """IB's security type is STK for both; what it really is stands elsewhere."""
    row = Details(contract(756733, "SPY-USD-STK"), stockType="ETF")
    found = instrument("IB", ("SPY-USD-STK", Exchange.SMART), row)
    assert found.data.product is Product.ETF


async def test_an_option_knows_what_it_is_on() -> None:
    """Strike, side, underlying and the day it ends are there, the day in the exchange's zone."""
    row = Details(contract(1, OPTION), underSymbol="AAPL")
    data = instrument("IB", (OPTION, Exchange.SMART), row).data
    assert (data.option_strike, data.option_type) == (200.0, OptionType.CALL)
    assert (data.option_underlying, data.size) == ("AAPL", 100.0)
    assert data.option_expiry is not None
    assert data.option_expiry.astimezone(dt.UTC) == dt.datetime(2026, 12, 18, 5, tzinfo=dt.UTC)


async def test_the_exchange_is_the_one_that_was_asked_for() -> None:
    """Requests go where the symbol says, whatever the answer's row says, expired futures too."""
    row = Details(contract(1, "ES-20261218-USD-FUT", ""))
    found = instrument("IB", ("ES-20261218-USD-FUT", Exchange.CME), row)
    assert (found.contract.exchange, found.contract.includeExpired) == ("CME", True)


@pytest.mark.parametrize(
    ("symbol", "place", "exchange"),
    [
        ("AAPL-USD-STK", "ISLAND", Exchange.SMART),
        ("EUR-USD-CASH", "", Exchange.IDEALPRO),
        ("SPX-USD-IND", "CBOE", Exchange.CBOE),
        ("ES-20261218-USD-FUT", "CME", Exchange.CME),
        ("ES-20261218-USD-FUT", "", Exchange.GLOBAL),
        (OPTION, "", Exchange.SMART),
    ],
)
async def test_what_nobody_named_has_a_canonical_name(
    symbol: str, place: str, exchange: Exchange
) -> None:
    """A position or a manual order is shown under the name that works in a request."""
    assert canonical(contract(1, symbol, place)) == (symbol, exchange)


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("US/Eastern", "America/New_York"),
        ("US/Central", "America/Chicago"),
        ("US/Pacific", "America/Los_Angeles"),
        ("GB-Eire", "Europe/London"),
        ("Japan", "Asia/Tokyo"),
        ("Hongkong", "Asia/Hong_Kong"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Australia/NSW", "Australia/Sydney"),
    ],
)
def test_names_that_a_machine_lacks_are_known(
    old: str, today: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer systems have the old names of zones in a package of its own; TWS says them still."""

    def lacking(name: str) -> ZoneInfo:
        if name == old:
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)

    monkeypatch.setattr(instruments, "ZoneInfo", lacking)
    assert time_zone(old).key == today


def test_time_zones_are_found_under_their_old_names() -> None:
    """Gateways of every age say what zone a contract lives in; an unknown one is UTC."""
    zones = ("US/Eastern", "EST (Eastern Standard Time)", "EST5EDT", "JST", "Nowhere/Land", "")
    noon = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
    hours = [noon.astimezone(time_zone(name)).hour for name in zones]
    assert hours == [8, 8, 8, 21, 12, 12]
