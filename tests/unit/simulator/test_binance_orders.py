"""The operations of the trading side, by REST and by WebSocket API, in Binance's form."""

from __future__ import annotations

import pytest

from foxtrot.simulator.binance_limits import Limits
from foxtrot.simulator.binance_orders import OPERATIONS
from foxtrot.simulator.faults import REQUESTS
from tests.unit.simulator.trader import Trader

ORDER, OPEN = "/api/v3/order", "/api/v3/openOrders"
WAYS = {
    "place": ("POST", ORDER, "order.place"),
    "cancel": ("DELETE", ORDER, "order.cancel"),
    "query": ("GET", ORDER, "order.status"),
    "replace": ("POST", "/api/v3/order/cancelReplace", "order.cancelReplace"),
    "open_orders": ("GET", OPEN, "openOrders.status"),
    "cancel_all": ("DELETE", OPEN, "openOrders.cancelAll"),
    "all_orders": ("GET", "/api/v3/allOrders", "allOrders"),
    "trades": ("GET", "/api/v3/myTrades", "myTrades"),
    "account": ("GET", "/api/v3/account", "account.status"),
}
MARKET = {"type": "MARKET", "price": None, "timeInForce": None}


@pytest.fixture(params=["rest", "socket"])
def ask(request: pytest.FixtureRequest, trader: Trader):
    """Asks for an operation, by either way."""

    async def asked(kind: str, **params):
        method, path, name = WAYS[kind]
        if request.param == "rest":
            return await trader.rest(method, path, **params)
        return await trader.call(name, **params)

    return asked


async def test_the_answer_is_as_long_as_was_asked(trader: Trader, ask) -> None:
    """ACK names the order, RESULT tells its state, FULL its fills."""
    ack = (await ask("place", **trader.order(newOrderRespType="ACK"))).body
    assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    result = (await ask("place", **trader.order(newOrderRespType="RESULT"))).body
    assert (result["status"], result["executedQty"]) == ("NEW", "0.00000000")
    assert "fills" not in result
    full = (await ask("place", **trader.order(**MARKET))).body
    assert full["status"] == "FILLED"
    assert sum(float(fill["qty"]) for fill in full["fills"]) == pytest.approx(0.01)


async def test_a_cancel_has_a_name_of_its_own(trader: Trader, ask) -> None:
    """The order's name comes back as `origClientOrderId`."""
    await ask("place", **trader.order(newClientOrderId="mine"))
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    body = (await ask("cancel", **cancel, newClientOrderId="the-cancel")).body
    assert (body["origClientOrderId"], body["clientOrderId"]) == ("mine", "the-cancel")
    assert body["status"] == "CANCELED"
    again = await ask("cancel", **cancel)
    assert (again.error, again.body["msg"]) == ((400, -2011), "Unknown order sent.")


async def test_a_cancel_may_be_restricted(trader: Trader, ask) -> None:
    """An order that has traded is not canceled with ONLY_NEW."""
    await ask("place", **trader.order(newClientOrderId="mine"))
    trader.sim.desk.fill("mine", "0.001")
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert (await ask("cancel", **cancel, cancelRestrictions="ONLY_NEW")).error == (400, -2011)
    assert (await ask("cancel", **cancel, cancelRestrictions="NEVER")).error == (400, -1145)
    partly = await ask("cancel", **cancel, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert partly.body["executedQty"] == "0.00100000"


async def test_an_order_is_found_by_either_name(trader: Trader, ask) -> None:
    """By id or client id; both have to agree; neither is -1102, no such order -2013."""
    placed = (await ask("place", **trader.order(newClientOrderId="mine"))).body
    number = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    by_id = (await ask("query", **number)).body
    by_name = (await ask("query", symbol="BTCUSDT", origClientOrderId="mine")).body
    assert by_id == by_name
    assert (by_id["isWorking"], by_id["time"]) == (True, placed["transactTime"])
    assert (await ask("query", **number, origClientOrderId="other")).error == (400, -2013)
    assert (await ask("query", symbol="ETHUSDT", orderId=placed["orderId"])).error == (400, -2013)
    assert (await ask("query", symbol="BTCUSDT")).error == (400, -1102)


async def test_open_orders_are_listed_and_all_canceled(trader: Trader, ask) -> None:
    """Of one symbol or of all; a second sweep finds nothing."""
    for _ in range(2):
        await ask("place", **trader.order())
    trader.sim.desk.place("ETHUSDT", "buy", "0.1", 1_000)
    assert len((await ask("open_orders")).body) == 3
    assert len((await ask("open_orders", symbol="BTCUSDT")).body) == 2
    canceled = (await ask("cancel_all", symbol="BTCUSDT")).body
    assert [row["status"] for row in canceled] == ["CANCELED"] * 2
    assert (await ask("cancel_all", symbol="BTCUSDT")).error == (400, -2011)
    assert len((await ask("open_orders")).body) == 1


async def test_orders_and_trades_are_paged(trader: Trader, ask) -> None:
    """By number, by time, by order; the newest if nothing is said."""
    for _ in range(3):
        await ask("place", **trader.order(**MARKET))
    orders = (await ask("all_orders", symbol="BTCUSDT")).body
    trades = (await ask("trades", symbol="BTCUSDT")).body
    assert (len(orders), len(trades)) == (3, 3)
    assert (await ask("all_orders", symbol="BTCUSDT", limit=1)).body == orders[2:]
    after = await ask("all_orders", symbol="BTCUSDT", orderId=orders[1]["orderId"])
    assert after.body == orders[1:]
    assert (await ask("trades", symbol="BTCUSDT", fromId=trades[1]["id"])).body == trades[1:]
    mine = await ask("trades", symbol="BTCUSDT", orderId=orders[0]["orderId"])
    assert mine.body == trades[:1]
    start = trades[-1]["time"] + 1
    assert (await ask("trades", symbol="BTCUSDT", startTime=start)).body == []
    long = await ask("trades", symbol="BTCUSDT", startTime=1, endTime=10**9)
    assert long.error == (400, -1127)


async def test_the_account_tells_what_is_locked(trader: Trader, ask) -> None:
    """Free and locked, with the zeros unless they are not wanted."""
    trader.sim.desk.account().balance("DOGE")
    await ask("place", **trader.order(quantity="0.1", price="60000.00"))
    rows = {row["asset"]: row for row in (await ask("account")).body["balances"]}
    assert rows["USDT"] == {"asset": "USDT", "free": "94000.00000000", "locked": "6000.00000000"}
    assert "DOGE" in rows
    shown = (await ask("account", omitZeroBalances="true")).body["balances"]
    assert "DOGE" not in {row["asset"] for row in shown}


@pytest.mark.parametrize("limits", [Limits(orders_per_day=1)])
async def test_too_little_money_is_refused(trader: Trader, ask) -> None:
    """-2010 with Binance's words, and the order counts for nothing."""
    answer = await ask("place", **trader.order(quantity="3"))
    assert answer.error == (400, -2010)
    assert answer.body["msg"] == "Account has insufficient balance for requested action."
    assert trader.sim.desk.account().orders == []
    assert (await ask("place", **trader.order())).status == 200


async def test_a_replacement_takes_the_place(trader: Trader, ask) -> None:
    """One order goes, another comes, and both are told."""
    old = (await ask("place", **trader.order())).body
    order = trader.order(quantity="0.02", cancelOrderId=old["orderId"])
    body = (await ask("replace", **order, cancelReplaceMode="STOP_ON_FAILURE")).body
    assert (body["cancelResult"], body["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert body["cancelResponse"]["orderId"] == old["orderId"]
    assert body["newOrderResponse"]["origQty"] == "0.02000000"


@pytest.mark.parametrize(
    ("mode", "quantity", "status", "code", "results", "left"),
    [
        ("STOP_ON_FAILURE", "0.01", 400, -2022, ("FAILURE", "NOT_ATTEMPTED"), 0),
        ("ALLOW_FAILURE", "0.01", 409, -2021, ("FAILURE", "SUCCESS"), 1),
        ("ALLOW_FAILURE", "3", 400, -2022, ("FAILURE", "FAILURE"), 0),
    ],
)
async def test_a_replacement_may_fail_in_part(
    trader: Trader, ask, mode: str, quantity: str, status: int, code: int, results, left: int
) -> None:
    """With nothing to cancel, the mode says whether the new order is tried."""
    order = trader.order(quantity=quantity, cancelOrderId=7, cancelReplaceMode=mode)
    answer = await ask("replace", **order)
    assert answer.error == (status, code)
    data = answer.body["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == results
    assert data["cancelResponse"]["code"] == -2011
    assert len(trader.sim.desk.account().open_orders) == left


async def test_a_cancel_that_succeeds_before_a_refused_order_is_told(trader: Trader, ask) -> None:
    """-2021: the old order is gone, the new one was refused."""
    old = (await ask("place", **trader.order())).body
    order = trader.order(quantity="3", cancelOrderId=old["orderId"])
    answer = await ask("replace", **order, cancelReplaceMode="STOP_ON_FAILURE")
    assert answer.error == (409, -2021)
    assert answer.body["data"]["newOrderResponse"]["code"] == -2010
    assert trader.sim.desk.account().open_orders == []


async def test_a_test_order_changes_nothing(trader: Trader) -> None:
    """It is checked and forgotten."""
    assert (await trader.rest("POST", f"{ORDER}/test", **trader.order())).body == {}
    assert trader.sim.desk.account().orders == []


@pytest.mark.parametrize("limits", [Limits(orders_per_day=2)])
async def test_orders_are_limited_by_what_is_unfilled(trader: Trader, ask) -> None:
    """A filled order does not count; one too many is 429 and told when to come back."""
    await ask("place", **trader.order(**MARKET))
    for _ in range(2):
        assert (await ask("place", **trader.order())).status == 200
    answer = await ask("place", **trader.order())
    assert answer.error == (429, -1015)
    assert "current limit is 2 orders per 1 DAY" in answer.body["msg"]
    wait_s = int(answer.headers["Retry-After"]) if "Retry-After" in answer.headers else None
    if wait_s is None:
        wait_s = (answer.body["data"]["retryAfter"] - answer.body["data"]["serverTime"]) // 1000
    assert 0 < wait_s <= 86_400


@pytest.mark.parametrize("limits", [Limits()])
async def test_the_count_of_orders_is_told(trader: Trader) -> None:
    """In the headers of an answer, and on request."""
    await trader.place()
    headers = (await trader.place()).headers
    assert headers["X-MBX-ORDER-COUNT-1D"] == "2"
    rows = (await trader.rest("GET", "/api/v3/rateLimit/order")).body
    assert [(row["interval"], row["limit"]) for row in rows] == [("SECOND", 100), ("DAY", 200_000)]
    assert rows[1]["count"] == 2


def test_every_operation_can_be_hit_by_faults() -> None:
    """The vocabulary of faults has a word for each."""
    assert set(OPERATIONS) <= set(REQUESTS)


async def test_ids_count_per_symbol(trader: Trader) -> None:
    """An id alone names nothing: the first orders of two symbols have the same one."""
    one = trader.sim.desk.place("BTCUSDT", "buy", "0.01", 30_000)
    other = trader.sim.desk.place("ETHUSDT", "buy", "0.01", 1_000)
    assert one.order_id == other.order_id
