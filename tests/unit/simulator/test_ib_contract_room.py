"""Messages about contracts, as the SDK's decoder reads them at every server version."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from foxtrot.simulator.ib import SimulatedIb
from foxtrot.simulator.ib_contract_room import details, sample
from foxtrot.simulator.ib_contracts import Row, Universe
from foxtrot.simulator.ib_wire import encode
from tests.support.ib_sdk import DEADLINE_S, connected, load, troubles
from tests.support.ib_trader import decoded, versions

TODAY = dt.date(2026, 11, 21)
UNIVERSE = Universe.of(today=TODAY)


@pytest.fixture
async def loop() -> None:
    """One of the SDKs cannot be imported without."""


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("name", ["AAPL", "EUR.USD", "SPX", "ESZ6", "AAPL261218C220"])
async def test_details_are_read_as_they_are_at_every_version(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Each kind of contract arrives with its terms, its grid and its hours where they belong."""
    item = UNIVERSE.contracts[name]
    for version in versions():
        fields = details(5, Row(item, item.exchange), TODAY, version)
        call, (number, read) = decoded(encode(*fields), caplog, version)
        assert (call, number) == ("contractDetails", 5)
        contract = read.contract
        assert (contract.conId, contract.secType) == (item.con_id, item.sec_type)
        assert (contract.symbol, contract.localSymbol) == (item.symbol, item.local_symbol)
        assert (contract.exchange, contract.currency) == (item.exchange, item.currency)
        assert (contract.strike, contract.right) == (item.strike, item.right)
        assert (contract.multiplier, contract.tradingClass) == (item.multiplier, item.trading_class)
        assert contract.lastTradeDateOrContractMonth == item.expiry
        assert contract.primaryExchange == item.primary_exchange
        assert (read.minTick, read.longName) == (item.min_tick, item.long_name)
        assert read.validExchanges.split(",") == list(item.exchanges)
        assert set(read.marketRuleIds.split(",")) == {str(item.rule_id)}
        assert (read.underConId, read.underSymbol) == (item.under_con_id, item.under_symbol)
        assert (read.contractMonth, read.timeZoneId) == (item.expiry[:6], item.session.zone_id)
        assert read.tradingHours.startswith("20261121:CLOSED;20261122:CLOSED;20261123:")
        assert (read.evRule, read.aggGroup, read.stockType) == ("", 1, item.stock_type)
        if version >= 164:
            assert read.sizeIncrement == float(item.size_increment)


@pytest.mark.usefixtures("loop")
async def test_samples_are_read_as_they_are_at_every_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However many kinds of derivatives there are, the next row begins where it should."""
    found = [*UNIVERSE.samples("AAPL"), *UNIVERSE.samples("EUR"), *UNIVERSE.samples("ES")]
    for version in versions():
        fields = [field for each in found for field in sample(each, version)]
        message = encode(79, 8, len(found), *fields)
        call, (number, rows) = decoded(message, caplog, version)
        assert (call, number) == ("symbolSamples", 8)
        assert [
            (row.contract.conId, row.contract.primaryExchange, tuple(row.derivativeSecTypes))
            for row in rows
        ] == [(each.con_id, each.primary_exchange, each.derived) for each in found]


async def test_the_sdk_is_told_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    """Details, a search, the steps of a rule; and what does not exist."""
    async with SimulatedIb(rate_hz=0) as venue, connected(venue.port, fetch=False) as desk:
        sdk, item = load(), UNIVERSE.contracts["EUR.USD"]
        pair = sdk.Forex("EURUSD")
        (one,) = await asyncio.wait_for(desk.ib.reqContractDetailsAsync(pair), DEADLINE_S)
        assert one.contract.conId == item.con_id
        rows = await asyncio.wait_for(desk.ib.reqMatchingSymbolsAsync("IBM"), DEADLINE_S)
        assert rows[0].contract.conId == 8314
        rule = await asyncio.wait_for(desk.ib.reqMarketRuleAsync(item.rule_id), DEADLINE_S)
        assert [(step.lowEdge, step.increment) for step in rule] == list(item.increments)
        nobody = sdk.Stock("NOBODY", "SMART", "USD")
        assert await asyncio.wait_for(desk.ib.reqContractDetailsAsync(nobody), DEADLINE_S) == []
        assert desk.codes[-1] == 200
        assert venue.violations == []
    assert troubles(caplog) == []


async def test_the_sdk_finds_its_way_from_a_stock_to_an_option(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A chain for each exchange, of which every strike is listed; none for what has no options."""
    async with SimulatedIb(rate_hz=0) as venue, connected(venue.port, fetch=False) as desk:
        asked = desk.ib.reqSecDefOptParamsAsync
        chains = await asyncio.wait_for(asked("AAPL", "", "STK", 265598), DEADLINE_S)
        chain = next(each for each in chains if each.exchange == "SMART")
        assert (chain.tradingClass, chain.multiplier) == ("AAPL", "100")
        terms = (chain.expirations[0], chain.strikes[-1], "C", "SMART")
        option = load().Option("AAPL", *terms, currency="USD")
        (found,) = await asyncio.wait_for(desk.ib.reqContractDetailsAsync(option), DEADLINE_S)
        assert found.contract.strike == chain.strikes[-1]
        assert await asyncio.wait_for(asked("EUR", "", "CASH", 12087792), DEADLINE_S) == []
        assert venue.violations == []
    assert troubles(caplog) == []


async def test_the_sdk_knows_a_future_without_its_month(caplog: pytest.LogCaptureFixture) -> None:
    """The continuous one is the nearest, with its bars; it cannot be traded."""
    async with SimulatedIb(rate_hz=0) as venue, connected(venue.port, fetch=False) as desk:
        sdk, ib = load(), desk.ib
        front, after = venue.universe.futures("ES")[:2]
        endless = sdk.ContFuture("ES", "CME")
        (one,) = await asyncio.wait_for(ib.reqContractDetailsAsync(endless), DEADLINE_S)
        assert (one.contract.conId, one.contract.secType) == (front.con_id, "CONTFUT")
        assert one.contract.localSymbol == front.local_symbol != after.local_symbol
        ask = ib.reqHistoricalDataAsync(endless, "", "1 D", "1 hour", "TRADES", False)
        assert len(await asyncio.wait_for(ask, DEADLINE_S)) >= 24
        for contract in (endless, one.contract):
            ib.placeOrder(contract, sdk.MarketOrder("BUY", 1))
            await desk.settled()
            assert desk.codes[-1] == 201
        assert venue.desk.held() == []
    assert troubles(caplog) == []


async def test_the_sdk_is_told_of_lists_that_are_short_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No scanners and no news; the SDK waits for these without an id that an error could name."""
    async with SimulatedIb(rate_hz=0) as venue, connected(venue.port, fetch=False) as desk:
        ib = desk.ib
        letters = await asyncio.wait_for(ib.reqSmartComponentsAsync("9c0001"), DEADLINE_S)
        assert {row.exchangeLetter: row.exchange for row in letters}["Q"] == "NASDAQ"
        assert await asyncio.wait_for(ib.reqNewsProvidersAsync(), DEADLINE_S) == []
        xml = await asyncio.wait_for(ib.reqScannerParametersAsync(), DEADLINE_S)
        assert "<ScanParameterResponse" in xml
        assert await asyncio.wait_for(ib.reqUserInfoAsync(), DEADLINE_S) in ("", [])
        assert venue.violations == []
    assert troubles(caplog) == []
