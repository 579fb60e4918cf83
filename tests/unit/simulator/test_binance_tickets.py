"""Order types and filters, in Binance's words."""

from __future__ import annotations

import pytest

from foxtrot.simulator.accounts import Side
from tests.unit.simulator.trader import Trader

NONE = {"price": None, "timeInForce": None}
STOP = {**NONE, "type": "STOP_LOSS", "stopPrice": "99000"}

FORMS = [
    ({"price": None}, -1102, "'price'"),
    ({"timeInForce": None}, -1102, "'timeInForce'"),
    ({"quantity": None}, -1102, "'quantity'"),
    ({"type": None}, -1102, "'type'"),
    ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
    ({"side": "LONG"}, -1117, "Invalid side."),
    ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
    ({"type": "MARKET"}, -1106, "sent when not required"),
    ({"type": "LIMIT_MAKER"}, -1106, "'timeInForce' sent when not required"),
    ({"type": "LIMIT", "stopPrice": "1"}, -1106, "'stopPrice' sent when not required"),
    ({**NONE, "type": "MARKET", "quantity": None}, -1102, "'quantity' or 'quoteOrderQty'"),
    ({**NONE, "type": "MARKET", "quoteOrderQty": "10"}, -1106, "'quoteOrderQty' sent when"),
    ({**NONE, "type": "STOP_LOSS"}, -1102, "'stopPrice'"),
    ({"newClientOrderId": "a b"}, -1100, "'^[a-zA-Z0-9-_]{1,36}$'"),
    ({"newClientOrderId": "x" * 37}, -1100, "'newClientOrderId'"),
    ({"newOrderRespType": "ALL"}, -1130, "'newOrderRespType'"),
    ({"quantity": "1e-3"}, -1100, "'quantity'"),
    ({"quantity": "-1"}, -1100, "'quantity'"),
    ({"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
    ({"price": "60000.123456789"}, -1111, "Parameter 'price' has too much precision."),
    ({"quantity": "0"}, -1013, "Invalid quantity."),
]

FILTERS = [
    ({"price": "60000.001"}, "PRICE_FILTER"),
    ({"price": "90000000"}, "PRICE_FILTER"),
    ({**STOP, "stopPrice": "99000.001"}, "PRICE_FILTER"),
    ({"price": "10000"}, "PERCENT_PRICE_BY_SIDE"),
    ({"quantity": "0.000011"}, "LOT_SIZE"),
    ({"quantity": "9000000"}, "LOT_SIZE"),
    ({**NONE, "type": "MARKET", "quantity": "900"}, "MARKET_LOT_SIZE"),
    ({"quantity": "0.00001"}, "NOTIONAL"),
    ({"quantity": "500"}, "NOTIONAL"),
    ({**NONE, "type": "MARKET", "quantity": "0.00001"}, "NOTIONAL"),
    ({**NONE, "type": "MARKET", "quantity": None, "quoteOrderQty": "1"}, "NOTIONAL"),
]


@pytest.mark.parametrize(("changes", "code", "words"), FORMS)
async def test_what_an_order_must_say(trader: Trader, changes: dict, code: int, words: str) -> None:
    """What is missing, malformed or too much is named, and no order is left."""
    answer = await trader.place(**changes)
    assert answer.error == (400, code), answer.body
    assert words in answer.body["msg"]
    assert trader.sim.desk.account().orders == []


@pytest.mark.parametrize(("changes", "name"), FILTERS)
async def test_filters_name_themselves(trader: Trader, changes: dict, name: str) -> None:
    """-1013 with the filter, as exchangeInfo tells it."""
    answer = await trader.place(**changes)
    assert answer.error == (400, -1013), answer.body
    assert answer.body["msg"] == f"Filter failure: {name}"


async def test_too_many_orders_are_refused(trader: Trader) -> None:
    """200 on a symbol, and five that wait for a stop price."""
    for _ in range(5):
        assert (await trader.place(**STOP, quantity="0.001")).status == 200
    answer = await trader.place(**STOP, quantity="0.001")
    assert answer.body["msg"] == "Filter failure: MAX_NUM_ALGO_ORDERS"
    for number in range(195):
        trader.sim.desk.place("BTCUSDT", "buy", "0.001", 30_000 + number)
    answer = await trader.place(quantity="0.001")
    assert answer.body["msg"] == "Filter failure: MAX_NUM_ORDERS"


@pytest.mark.parametrize(
    ("kind", "side", "above"),
    [
        ("STOP_LOSS", Side.BUY, True),
        ("STOP_LOSS", Side.SELL, False),
        ("TAKE_PROFIT", Side.BUY, False),
        ("TAKE_PROFIT", Side.SELL, True),
    ],
)
async def test_a_stop_knows_its_way(trader: Trader, kind: str, side: Side, above: bool) -> None:
    """A stop runs after the market, a profit waits for it; the other way is refused."""
    stop = {True: "99000", False: "40000"}
    form = {**NONE, "type": kind, "side": side.value}
    wrong = await trader.place(**form, stopPrice=stop[not above])
    assert wrong.error == (400, -2010)
    assert wrong.body["msg"] == "Stop price would trigger immediately."
    assert (await trader.place(**form, stopPrice=stop[above])).status == 200
    assert trader.sim.desk.account().orders[0].ticket.above is above
