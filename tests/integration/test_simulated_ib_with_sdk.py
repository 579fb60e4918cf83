"""The unmodified SDK of Interactive Brokers takes the simulated gateway for TWS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType

import pytest

from foxtrot.simulator.ib import IbLimits, SimulatedIb
from tests.support import ib_sdk
from tests.support.ib_sdk import DEADLINE_S, Desk, connected, until

SYMBOLS = ("AAPL", "MSFT", "EUR.USD", "SPX")
ROWS = 5


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedIb]:
    """A gateway whose market moves by hand."""
    async with SimulatedIb(SYMBOLS, seed=3, rate_hz=0) as venue:
        yield venue


@pytest.fixture
async def sdk() -> ModuleType:
    """The SDK, imported while a loop runs."""
    return ib_sdk.load()


@pytest.fixture
async def desk(
    sim: SimulatedIb, sdk: ModuleType, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Desk]:
    """A client; at the end, nothing that it was sent was a riddle to it."""
    async with connected(sim.port, fetch=False) as client:
        yield client
    assert ib_sdk.troubles(caplog) == []
    assert sim.violations == []


def apple(sdk: ModuleType) -> object:
    return sdk.Stock("AAPL", "SMART", "USD", conId=265598)


def euro(sdk: ModuleType) -> object:
    return sdk.Forex("EURUSD", conId=12087792)


async def test_it_connects_and_is_greeted(desk: Desk) -> None:
    """A client learns its accounts, the next order id, and that the farms are open."""
    assert desk.ib.client.getAccounts() == ["DU1234567"]
    assert desk.ib.client.getReqId() == 1
    await desk.told(2158)
    assert desk.codes == [2104, 2106, 2158]


async def test_a_whole_start_is_answered(
    sim: SimulatedIb, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything that an `IB` asks for when it connects comes to an end, and none of it is odd."""
    async with connected(sim.port, 7) as client:
        values = {value.tag for value in client.ib.accountValues()}
        assert {"NetLiquidation", "TotalCashValue", "BuyingPower"} <= values
        assert client.ib.positions() == []
        assert client.ib.openOrders() == []
    asked = [type(request).__name__ for client_id, request in sim.seen.requests if client_id == 7]
    assert asked == [
        "StartApi",
        "ReqPositions",
        "ReqOpenOrders",
        "ReqCompletedOrders",
        "ReqAccountUpdates",
        "ReqAccountUpdatesMulti",
        "ReqExecutions",
    ]
    assert ib_sdk.troubles(caplog) == []
    assert sim.violations == []


async def test_quotes_are_those_of_the_market(
    sim: SimulatedIb, sdk: ModuleType, desk: Desk
) -> None:
    """reqMktData tells best bid and ask, the last print, and the day as the prints move it."""
    ticker = desk.ib.reqMktData(apple(sdk))
    await desk.settled()
    before = sim.market.day("AAPL")
    for bid in (before.high_e8 / 1e8 + 1, before.low_e8 / 1e8 - 1):
        sim.market.set_quote("AAPL", bid)
        sim.tick("AAPL", 10)
    await desk.settled()
    day = sim.market.day("AAPL")
    assert day.high_e8 > before.high_e8
    assert day.low_e8 < before.low_e8
    quote, last = sim.market.quote("AAPL"), sim.market.trades("AAPL")[-1]
    assert (ticker.bid, ticker.bidSize) == (quote.bid_e8 / 1e8, quote.bid_quantity_e8 / 1e8)
    assert (ticker.ask, ticker.askSize) == (quote.ask_e8 / 1e8, quote.ask_quantity_e8 / 1e8)
    assert (ticker.last, ticker.lastSize) == (last.price_e8 / 1e8, last.quantity_e8 / 1e8)
    assert (ticker.low, ticker.high) == (day.low_e8 / 1e8, day.high_e8 / 1e8)
    assert ticker.volume == day.volume_e8 / 1e8


async def test_a_book_stays_in_step(sim: SimulatedIb, sdk: ModuleType, desk: Desk) -> None:
    """However the book moves, its rows after all inserts, updates and deletes are the market's."""
    ticker = desk.ib.reqMktDepth(apple(sdk), ROWS, isSmartDepth=True)
    await desk.settled()
    for _ in range(30):
        sim.tick("AAPL", 10)
        await desk.settled()
        book = sim.market.book("AAPL", ROWS)
        for rows, levels in ((ticker.domBids, book.bids), (ticker.domAsks, book.asks)):
            shown = [(row.price, row.size) for row in rows]
            assert shown == [(price / 1e8, size / 1e8) for price, size in levels]


async def test_every_print_is_told(sim: SimulatedIb, sdk: ModuleType, desk: Desk) -> None:
    """Tick by tick, nothing is left out and nothing is told twice."""
    seen: list[tuple[float, float]] = []
    ticker = desk.ib.reqTickByTickData(apple(sdk), "AllLast")
    ticker.updateEvent += lambda t: seen.extend((x.price, x.size) for x in t.tickByTicks)
    await desk.settled()
    before = len(sim.market.trades("AAPL"))
    sim.tick("AAPL", 60)
    await desk.settled()
    trades = list(sim.market.trades("AAPL"))[before:]
    assert seen == [(trade.price_e8 / 1e8, trade.quantity_e8 / 1e8) for trade in trades]
    assert seen


@pytest.mark.parametrize("kind", ["BidAsk", "MidPoint"])
async def test_a_pair_has_quotes_tick_by_tick(
    sim: SimulatedIb, sdk: ModuleType, desk: Desk, kind: str
) -> None:
    """A currency pair has bid, ask and what is between."""
    ticker = desk.ib.reqTickByTickData(euro(sdk), kind)
    await until(ticker.updateEvent, lambda: bool(ticker.tickByTicks))
    quote, tick = sim.market.quote("EUR.USD"), ticker.tickByTicks[-1]
    middle = (quote.bid_e8 + quote.ask_e8) / 2e8
    if kind == "MidPoint":
        assert tick.midPoint == middle
    else:
        assert (tick.bidPrice, tick.askPrice) == (quote.bid_e8 / 1e8, quote.ask_e8 / 1e8)


async def test_bars_of_five_seconds_follow_each_other(
    sim: SimulatedIb, sdk: ModuleType, desk: Desk
) -> None:
    """A bar comes when it is over, and begins on a multiple of five seconds."""
    bars = desk.ib.reqRealTimeBars(apple(sdk), 5, "TRADES", False)
    await desk.settled()
    now_ms = sim.market.now_ms("AAPL")
    for step in range(1, 121):
        sim.market.tick("AAPL", now_ms + 100 * step)
    await until(bars.updateEvent, lambda: len(bars) >= 2)
    first, second = bars[0], bars[1]
    assert first.time.timestamp() % 5 == 0
    assert (second.time - first.time).total_seconds() == 5
    assert second.low <= second.open_ <= second.high
    assert second.volume > 0


async def test_a_snapshot_ends(sdk: ModuleType, desk: Desk) -> None:
    """A snapshot is all that is known, and an end."""
    ended = asyncio.Event()
    ticker = desk.ib.reqMktData(apple(sdk), snapshot=True)
    desk.ib.wrapper.tickSnapshotEnd = lambda _req_id: ended.set()
    await asyncio.wait_for(ended.wait(), DEADLINE_S)
    assert ticker.bid > 0


@pytest.mark.parametrize(
    ("code", "ask"),
    [
        (200, lambda ib, sdk: ib.reqMktData(sdk.Stock("NOSUCH", "SMART", "USD", conId=1))),
        (321, lambda ib, sdk: ib.reqMktData(sdk.Contract(symbol="AAPL", secType="STK", conId=2))),
        (10189, lambda ib, sdk: ib.reqTickByTickData(euro(sdk), "Last")),
        (321, lambda ib, sdk: ib.reqRealTimeBars(apple(sdk), 30, "TRADES", False)),
        (300, lambda ib, sdk: ib.client.cancelMktData(99)),
        (310, lambda ib, sdk: ib.client.cancelMktDepth(99, True)),
    ],
)
async def test_what_cannot_be_had_is_an_error_with_its_id(
    sdk: ModuleType, desk: Desk, code: int, ask: object
) -> None:
    """TWS answers what it cannot give with a code and the id of the request."""
    assert callable(ask)
    ask(desk.ib, sdk)
    req_id, _, text = await desk.told(code)
    assert req_id > 0
    assert text


async def test_a_contract_is_described(sim: SimulatedIb, sdk: ModuleType, desk: Desk) -> None:
    """Details have what an order and a chart need; what is open is told as TWS tells it."""
    (found,) = await asyncio.wait_for(
        desk.ib.reqContractDetailsAsync(sdk.Stock("AAPL", "SMART", "USD")), DEADLINE_S
    )
    assert (found.contract.conId, found.contract.primaryExchange) == (265598, "NASDAQ")
    assert (found.minTick, found.longName, found.timeZoneId) == (0.01, "APPLE INC", "US/Eastern")
    assert found.validExchanges.split(",")[0] == "SMART"
    assert len(found.marketRuleIds.split(",")) == len(found.validExchanges.split(","))
    assert len(found.tradingSessions()) == 5
    with_id = await asyncio.wait_for(
        desk.ib.reqContractDetailsAsync(sdk.Contract(conId=12087792)), DEADLINE_S
    )
    assert [(row.contract.symbol, row.contract.exchange) for row in with_id] == [
        ("EUR", "IDEALPRO")
    ]
    assert (
        await asyncio.wait_for(
            desk.ib.reqContractDetailsAsync(sdk.Stock("NOSUCH", "SMART", "USD")), DEADLINE_S
        )
        == []
    )
    assert desk.codes[-1] == 200


async def test_symbols_are_found_and_prices_have_rules(sdk: ModuleType, desk: Desk) -> None:
    """The beginning of a symbol or of a name finds it; a rule tells the steps of its prices."""
    for pattern in ("AAP", "appl"):
        rows = await asyncio.wait_for(desk.ib.reqMatchingSymbolsAsync(pattern), DEADLINE_S)
        assert [row.contract.conId for row in rows] == [265598]
        assert "OPT" in rows[0].derivativeSecTypes
    (step,) = await asyncio.wait_for(desk.ib.reqMarketRuleAsync(26), DEADLINE_S)
    assert (step.lowEdge, step.increment) == (0.0, 0.01)


async def test_lines_are_limited(sdk: ModuleType) -> None:
    """Each kind of line has its own bound, and its own code."""
    limits = IbLimits(market_lines=1, depth_lines=1, tick_by_tick_lines=1)
    async with (
        SimulatedIb(SYMBOLS, rate_hz=0, limits=limits) as sim,
        connected(sim.port, fetch=False) as desk,
    ):
        ib, first = desk.ib, apple(sdk)
        for contract in (first, sdk.Stock("MSFT", "SMART", "USD", conId=272093)):
            ib.reqMktData(contract)
            ib.reqMktDepth(contract, ROWS)
            ib.reqTickByTickData(contract, "Last")
        await desk.settled()
        assert [code for code in desk.codes if code not in (2104, 2106, 2158)] == [101, 309, 10190]
        ib.cancelMktData(first)
        ib.reqMktData(sdk.Index("SPX", "CBOE", "USD", conId=416904))
        await desk.settled()
        assert desk.codes.count(101) == 1


async def test_a_contract_is_not_asked_for_twice_tick_by_tick(sdk: ModuleType, desk: Desk) -> None:
    """The prints of a contract can be asked for once in fifteen seconds."""
    contract = apple(sdk)
    desk.ib.reqTickByTickData(contract, "Last")
    desk.ib.cancelTickByTickData(contract, "Last")
    desk.ib.reqTickByTickData(contract, "Last")
    await desk.settled()
    assert 10190 in desk.codes


async def test_data_that_is_not_paid_for_is_delayed(
    sim: SimulatedIb, sdk: ModuleType, desk: Desk
) -> None:
    """Without a subscription live data is refused, and delayed data is what was asked for."""
    sim.streams.unsubscribed.add("AAPL")
    desk.ib.reqMktData(apple(sdk))
    await desk.told(354)
    desk.ib.reqMarketDataType(3)
    ticker = desk.ib.reqMktData(apple(sdk))
    await desk.told(10167)
    await desk.settled()
    assert ticker.marketDataType == 3
    assert ticker.bid > 0


async def test_data_lost_ends_the_lines(sim: SimulatedIb, sdk: ModuleType, desk: Desk) -> None:
    """After 1100 nothing comes; 1102 brings it back, 1101 does not."""
    ticker = desk.ib.reqMktData(apple(sdk))
    await desk.settled()
    for code, lines in ((1102, 1), (1101, 0)):
        sim.faults.inject("notice", code=1100)
        await desk.told(1100)
        before = ticker.time
        sim.tick("AAPL", 5)
        await desk.settled()
        assert ticker.time == before
        sim.faults.inject("notice", code=code)
        await desk.told(code)
        sim.tick("AAPL", 5)
        await desk.settled()
        assert len(sim.streams.live) == lines
        assert (ticker.time > before) is bool(lines)
        desk.errors.clear()


@pytest.mark.parametrize("rest", [False, True])
async def test_a_farm_that_is_lost_comes_back(
    sim: SimulatedIb, sdk: ModuleType, desk: Desk, rest: bool
) -> None:
    """2103, silence, 2104; and then the data again, or silence still."""
    ticker = desk.ib.reqMktData(apple(sdk))
    await desk.settled()
    desk.errors.clear()
    sim.faults.inject("farm_down", rest=rest)
    await desk.told(2103)
    before = ticker.time
    sim.tick("AAPL", 5)
    await desk.settled()
    assert ticker.time == before
    sim.faults.clear("farm_down")
    await desk.told(2104)
    sim.tick("AAPL", 5)
    await desk.settled()
    assert (ticker.time > before) is not rest


@pytest.mark.parametrize("version", [157, 163, 164, 166, 169, 170, 176, 178])
async def test_every_version_is_spoken(
    sdk: ModuleType, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The version is the newest that both sides speak, and an error has the fields it has there."""
    async with (
        SimulatedIb(SYMBOLS, rate_hz=0, server_version=version) as sim,
        connected(sim.port) as desk,
    ):
        client = desk.ib.client
        assert client.serverVersion() == min(version, client.MaxClientVersion)
        desk.ib.reqMktData(apple(sdk))
        desk.ib.reqMktDepth(apple(sdk), ROWS, isSmartDepth=True)
        (found,) = await asyncio.wait_for(desk.ib.reqContractDetailsAsync(apple(sdk)), DEADLINE_S)
        assert (found.contract.conId, found.stockType) == (265598, "COMMON")
        assert (found.suggestedSizeIncrement == 100) is (version >= 163)
        rows = await asyncio.wait_for(desk.ib.reqMatchingSymbolsAsync("I"), DEADLINE_S)
        assert [row.contract.symbol for row in rows] == ["AAPL", "SPX"]
        client.reqMktData(5, sdk.Stock("NOSUCH", "SMART", "USD"), "", False, False, [])
        assert (await desk.told(200))[0] == 5
        assert sim.violations == []
    assert ib_sdk.troubles(caplog) == []
