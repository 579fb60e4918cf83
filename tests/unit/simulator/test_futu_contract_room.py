"""What the simulated OpenD tells of securities, trading days and states of markets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.futu import SimulatedFutu
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
