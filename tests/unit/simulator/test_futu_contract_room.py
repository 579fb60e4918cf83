"""What the simulated OpenD tells of securities, trading days and states of markets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_contracts import HK, local_text
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_client import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an OpenD whose market stands still."""
    async with SimulatedFutu(rate_hz=0) as venue:
        yield Client(venue)


async def test_what_is_listed_is_told(client: Client) -> None:
    """By market and type, or by name; an unknown name is refused."""
    rows = client.get(Proto.Qot_GetStaticInfo, market=11, secType=3).staticInfoList
    assert "AAPL" in {row.basic.security.code for row in rows}
    assert "SPY" not in {row.basic.security.code for row in rows}
    wanted = [{"market": 1, "code": "00005"}, {"market": 21, "code": "600519"}]
    rows = client.get(Proto.Qot_GetStaticInfo, securityList=wanted).staticInfoList
    assert [(row.basic.lotSize, row.basic.exchType) for row in rows] == [(400, 1), (100, 14)]
    unknown = [{"market": 1, "code": "88888"}]
    assert "未知股票" in client.refused(Proto.Qot_GetStaticInfo, securityList=unknown)


async def test_markets_trade_on_weekdays_and_are_open(client: Client) -> None:
    """Days are those of a market or a security's; the simulated market never closes."""
    days = client.get(
        Proto.Qot_RequestTradeDate, market=2, beginTime="2026-11-19", endTime="2026-11-24"
    ).tradeDateList
    assert [day.time for day in days] == ["2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24"]
    states = client.get(
        Proto.Qot_GetMarketState, securityList=[{"market": 1, "code": "00700"}]
    ).marketInfoList
    assert states[0].marketState == 3


async def test_trading_days_are_known_for_ten_years_back_and_this_one(client: Client) -> None:
    """Who asks for more gets what there is, at once."""
    days = client.get(
        Proto.Qot_RequestTradeDate, market=1, beginTime="0001-01-01", endTime="9999-12-31"
    ).tradeDateList
    year = int(local_text(HK, client.venue.now_ms())[:4])
    assert {int(day.time[:4]) for day in days} == set(range(year - 10, year + 1))
