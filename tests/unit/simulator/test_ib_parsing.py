"""The simulated gateway reads what the unmodified SDK writes, in every version."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from foxtrot.simulator.faults import REQUESTS
from foxtrot.simulator.ib_parsing import id_in, parse
from foxtrot.simulator.ib_requests import (
    CancelOrder,
    PlaceOrder,
    ReqContractDetails,
    ReqHistoricalData,
    Request,
)
from foxtrot.simulator.ib_wire import Reader, WireError
from tests.support import ib_sdk

VERSIONS = (157, 158, 160, 162, 163, 164, 166, 169, 170, 176, 177, 178)


@pytest.fixture
async def sdk() -> ModuleType:
    return ib_sdk.load()


def raw_client(version: int) -> tuple[Any, list[str]]:
    """The SDK's raw client, and what it writes."""
    kind = ib_sdk.client_module().Client
    if version > kind.MaxClientVersion:
        pytest.skip(f"this SDK speaks up to {kind.MaxClientVersion}")
    client, written = kind(SimpleNamespace()), []
    client._serverVersion, client.connState = version, kind.CONNECTED
    client.sendMsg = written.append
    return client, written


def read(message: str, version: int) -> Request:
    return parse(message.split("\0")[:-1], version)


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_message_is_read_to_its_end(sdk: ModuleType, version: int) -> None:
    """Not a field too few or too many, whatever the client asks."""
    client, written = raw_client(version)
    stock = sdk.Stock("AAPL", "SMART", "USD")
    calls: dict[str, tuple[object, ...]] = {
        "startApi": (),
        "reqMktData": (3, stock, "233", False, False, []),
        "cancelMktData": (3,),
        "reqMktDepth": (4, stock, 5, True, []),
        "cancelMktDepth": (4, True),
        "reqTickByTickData": (5, stock, "Last", 0, True),
        "cancelTickByTickData": (5,),
        "reqRealTimeBars": (6, stock, 5, "TRADES", False, []),
        "cancelRealTimeBars": (6,),
        "reqMarketDataType": (3,),
        "reqMktDepthExchanges": (),
        "reqHistoricalData": (7, stock, "", "1 D", "1 min", "TRADES", True, 1, False, []),
        "cancelHistoricalData": (7,),
        "reqHeadTimeStamp": (8, stock, "TRADES", True, 1),
        "cancelHeadTimeStamp": (8,),
        "reqHistoricalTicks": (9, stock, "", "", 100, "TRADES", True, False, []),
        "reqContractDetails": (10, stock),
        "reqMatchingSymbols": (11, "AA"),
        "reqMarketRule": (26,),
        "placeOrder": (12, stock, sdk.MarketOrder("SELL", 1)),
        "cancelOrder": (12,),
        "reqGlobalCancel": (),
        "reqOpenOrders": (),
        "reqAllOpenOrders": (),
        "reqAutoOpenOrders": (True,),
        "reqCompletedOrders": (False,),
        "reqExecutions": (13, sdk.ExecutionFilter(symbol="AAPL")),
        "reqIds": (1,),
        "reqManagedAccts": (),
        "reqPositions": (),
        "cancelPositions": (),
        "reqAccountUpdates": (True, "DU1"),
        "reqAccountUpdatesMulti": (14, "DU1", "", False),
        "cancelAccountUpdatesMulti": (14,),
        "reqAccountSummary": (15, "All", "NetLiquidation,TotalCashValue"),
        "cancelAccountSummary": (15,),
        "reqPnL": (16, "DU1", ""),
        "cancelPnL": (16,),
        "reqPnLSingle": (17, "DU1", "", 265598),
        "cancelPnLSingle": (17,),
        "reqSecDefOptParams": (18, "AAPL", "", "STK", 265598),
        "reqSmartComponents": (19, "9c0001"),
        "reqScannerParameters": (),
        "reqNewsProviders": (),
        "reqUserInfo": (20,),
        "reqCurrentTime": (),
        "setServerLogLevel": (1,),
    }
    for name, arguments in calls.items():
        getattr(client, name)(*arguments)
        request = read(written[-1], version)
        assert type(request).__name__.lower() == name.lower()
        assert request.kind in REQUESTS
    assert len(written) == len(calls)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_request_that_is_not_offered_still_tells_whose_it_is(
    sdk: ModuleType, version: int
) -> None:
    """Its error ends the call that waits for it; under -1 the SDK would wait for ever."""
    client, written = raw_client(version)
    stock = sdk.Stock("AAPL", "SMART", "USD")
    calls: dict[str, tuple[object, ...]] = {
        "replaceFA": (44, 1, "<xml/>"),
        "exerciseOptions": (44, stock, 1, 1, "", 0),
        "reqScannerSubscription": (44, sdk.ScannerSubscription(), [], []),
        "cancelScannerSubscription": (44,),
        "reqFundamentalData": (44, stock, "ReportSnapshot", []),
        "calculateImpliedVolatility": (44, stock, 1.0, 100.0, []),
        "calculateOptionPrice": (44, stock, 0.2, 100.0, []),
        "cancelCalculateImpliedVolatility": (44,),
        "queryDisplayGroups": (44,),
        "subscribeToGroupEvents": (44, 1),
        "reqPositionsMulti": (44, "DU1", ""),
        "reqSoftDollarTiers": (44,),
        "reqNewsArticle": (44, "BRFG", "1", []),
        "reqHistoricalNews": (44, 265598, "BRFG", "", "", 10, []),
        "reqHistogramData": (44, stock, True, "3 days"),
        "reqWshMetaData": (44,),
        "reqWshEventData": (44, sdk.WshEventData()),
    }
    for name, arguments in calls.items():
        getattr(client, name)(*arguments)
        with pytest.raises(WireError, match="is unknown"):
            read(written[-1], version)
        assert id_in(written[-1].split("\0")) == 44, name


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_order_is_understood(sdk: ModuleType, version: int) -> None:
    """Every field that matters is found at its place, in the midst of a hundred others."""
    client, written = raw_client(version)
    order = sdk.StopLimitOrder(
        "SELL",
        12.5,
        99.5,
        100.25,
        tif="GTC",
        account="DU1",
        orderRef="my-order-1",
        outsideRth=True,
        transmit=False,
        whatIf=True,
        minQty=3,
        goodTillDate="20270101 00:00:00 UTC",
    )
    contract = sdk.Option("AAPL", "20261218", 200, "C", "SMART", multiplier="100", currency="USD")
    client.placeOrder(77, contract, order)
    request = read(written[0], version)
    assert isinstance(request, PlaceOrder)
    assert (request.order_id, request.error_id) == (77, 77)
    assert request.contract.expiry == "20261218"
    assert (request.contract.strike, request.contract.right) == (200.0, "C")
    assert (request.action, request.quantity, request.order_type) == ("SELL", 12.5, "STP LMT")
    assert (request.limit_price, request.aux_price) == (99.5, 100.25)
    assert (request.tif, request.account, request.order_ref) == ("GTC", "DU1", "my-order-1")
    assert (request.outside_rth, request.transmit, request.what_if) == (True, False, True)
    assert (request.extras, request.good_till_date) == (("minQty",), "20270101 00:00:00 UTC")


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_rare_parts_of_an_order_are_read(sdk: ModuleType, version: int) -> None:
    """Legs, algorithms, conditions, scales, hedges and pegs are read to their end."""
    client, written = raw_client(version)
    legs = [sdk.ComboLeg(conId=1, ratio=1, action="BUY", exchange="SMART")] * 2
    bag = sdk.Bag(symbol="AAPL", exchange="SMART", currency="USD", comboLegs=legs)
    neutral = sdk.Stock("IBM", "SMART", "USD")
    neutral.deltaNeutralContract = sdk.DeltaNeutralContract(conId=3, delta=0.5, price=1.5)
    stock = sdk.Stock("AAPL", "SMART", "USD")
    conditions = [
        sdk.PriceCondition(price=4.5, conId=3, exch="X"),
        sdk.TimeCondition(time="20270101 00:00:00 UTC"),
        sdk.MarginCondition(percent=5),
        sdk.ExecutionCondition(secType="STK", exch="X", symbol="A"),
        sdk.VolumeCondition(volume=5, conId=3, exch="X"),
        sdk.PercentChangeCondition(changePercent=5.5, conId=3, exch="X"),
    ]
    tags = [sdk.TagValue("adaptivePriority", "Normal")]
    orders = [
        (bag, sdk.Order(orderType="MKT", smartComboRoutingParams=tags)),
        (neutral, sdk.Order(orderType="VOL", deltaNeutralOrderType="MKT", volatility=0.2)),
        (stock, sdk.LimitOrder("BUY", 1, 2, conditions=conditions)),
        (stock, sdk.LimitOrder("BUY", 1, 2, algoStrategy="Adaptive", algoParams=tags)),
        (stock, sdk.LimitOrder("BUY", 1, 2, scalePriceIncrement=0.5, hedgeType="B")),
        (stock, sdk.Order(orderType="PEG BENCH")),
        (stock, sdk.Order(orderType="PEG BEST", competeAgainstBestOffset=float("inf"))),
        (stock, sdk.Order(orderType="PEG MID")),
        (sdk.Stock("AAPL", "IBKRATS", "USD"), sdk.LimitOrder("BUY", 1, 2)),
    ]
    for number, (contract, order) in enumerate(orders):
        client.placeOrder(number, contract, order)
        request = read(written[-1], version)
        assert isinstance(request, PlaceOrder)
        assert request.order_id == number


async def test_what_newer_versions_added_is_read_there(sdk: ModuleType) -> None:
    """A field that a version lacks is empty, and is not missed."""
    for version, time in ((166, ""), (176, "20270101-00:00:00")):
        client, written = raw_client(version)
        client.cancelOrder(5, time) if time else client.cancelOrder(5)
        assert read(written[0], version) == CancelOrder(5, time)
        client.reqContractDetails(6, sdk.Contract(issuerId="e1"))
        request = read(written[1], version)
        assert isinstance(request, ReqContractDetails)
        assert request.issuer_id == ("e1" if version == 176 else "")


async def test_bars_of_the_past_are_asked_for_as_they_stand(sdk: ModuleType) -> None:
    """Bar size comes before duration on the wire, whatever the call says."""
    client, written = raw_client(176)
    client.reqHistoricalData(
        7, sdk.Forex("EURUSD"), "20260101 00:00:00 UTC", "2 D", "1 hour", "BID", False, 2, True, []
    )
    request = read(written[0], 176)
    assert isinstance(request, ReqHistoricalData)
    assert (request.bar_size, request.duration) == ("1 hour", "2 D")
    assert (request.use_rth, request.format_date, request.keep_up_to_date) == (False, 2, True)


@pytest.mark.parametrize("cut", [1, 5, 40, 114])
async def test_an_order_that_is_short_is_no_order(sdk: ModuleType, cut: int) -> None:
    """Not a single field of placeOrder can be left out, nor one be added."""
    client, written = raw_client(176)
    client.placeOrder(1, sdk.Stock("AAPL", "SMART", "USD"), sdk.MarketOrder("BUY", 1))
    fields = written[0].split("\0")[:-1]
    assert len(fields) == 115
    with pytest.raises(WireError):
        parse(fields[:-cut], 176)
    with pytest.raises(WireError):
        parse([*fields, "0"], 176)


async def test_frames_are_cut_as_they_were_made(sdk: ModuleType) -> None:
    """The reader finds the SDK's messages, however many come at once."""
    client, _ = raw_client(176)
    parts = ("61\x001\x00", "49\x001\x00", "9\0é\0")
    data = b"API\0" + b"".join(client._prefix(part.encode()) for part in parts)
    assert Reader().feed(data) == [["61", "1"], ["49", "1"], ["9", "é"]]
