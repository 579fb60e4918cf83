"""The door of the trading side: the faults that hit a request or its answer, by either way."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from foxtrot.simulator.binance_limits import Limits
from tests.unit.simulator.trader import DEADLINE_S, Trader

ORDER = "/api/v3/order"


def orders(trader: Trader) -> int:
    """How many orders the venue has."""
    return len(trader.sim.desk.account().orders)


async def test_every_order_that_comes_in_is_counted(trader: Trader) -> None:
    """Refused, lost or carried out: an id that was received twice is seen twice."""
    trader.sim.faults.inject("http_error", request="place", status=503, count=1)
    trader.sim.faults.inject("maintenance", count=1)
    for _ in range(4):
        await trader.place(newClientOrderId="a")
    assert trader.sim.desk.account().received == {"a": 4}
    assert orders(trader) == 1


async def test_requests_are_seen_without_their_signature(trader: Trader) -> None:
    """Way, path and parameters, by either way."""
    await trader.place(newClientOrderId="a")
    await trader.call("order.place", **trader.order(newClientOrderId="b"))
    seen = [
        (way, path, params["newClientOrderId"]) for way, path, params in trader.sim.seen.requests
    ]
    assert seen == [("POST", ORDER, "a"), ("WS", "order.place", "b")]
    assert not any("signature" in params for _, _, params in trader.sim.seen.requests)


@pytest.mark.parametrize(("fault", "lives"), [("request_reset", 0), ("ack_reset", 1)])
async def test_a_reset_is_a_reset_by_either_way(trader: Trader, fault: str, lives: int) -> None:
    """Before the venue acts, or after."""
    trader.sim.faults.inject(fault, request="place", count=2)
    with pytest.raises(aiohttp.ClientError):
        await trader.place()
    await trader.send("order.place", **trader.order())
    async with asyncio.timeout(DEADLINE_S):
        message = await trader.socket.receive()
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert orders(trader) == 2 * lives


@pytest.mark.parametrize(("fault", "lives"), [("request_swallowed", 0), ("ack_swallowed", 1)])
async def test_silence_concerns_one_request(trader: Trader, fault: str, lives: int) -> None:
    """The next one on the same socket is answered."""
    trader.sim.faults.inject(fault, request="place")
    lost = await trader.send("order.place", **trader.order())
    kept = await trader.call("account.status")
    assert (kept.status, kept.headers["id"]) == (200, lost + 1)
    assert orders(trader) == lives


async def test_a_fault_hits_its_kind_of_request(trader: Trader) -> None:
    """A cancel goes through while places fail, and until it is cleared every place does."""
    trader.sim.faults.inject("http_error", request="place", code=-1008)
    assert [(await trader.place()).error for _ in range(3)] == [(503, -1008)] * 3
    assert (await trader.call("order.place", **trader.order())).error == (503, -1008)
    cancel = await trader.rest("DELETE", ORDER, symbol="BTCUSDT", orderId=1)
    assert cancel.error == (400, -2011)
    trader.sim.faults.clear()
    assert (await trader.place()).status == 200


async def test_an_error_may_be_a_lie(trader: Trader) -> None:
    """With `acts` the order lives behind a -1007."""
    trader.sim.faults.inject("http_error", request="place", code=-1007, acts=True)
    assert (await trader.place()).error == (504, -1007)
    assert orders(trader) == 1


async def test_answers_are_spoilt_by_either_way(trader: Trader) -> None:
    """Cut in half, or a page in the place of an answer, with status 200."""
    trader.sim.faults.inject("html_body", request="account", count=2)
    assert "<html>" in (await trader.rest("GET", "/api/v3/account")).body
    await trader.send("account.status")
    assert "<html>" in (await trader.socket.receive()).data
    trader.sim.faults.inject("truncated_body", request="account")
    await trader.send("account.status")
    assert not (await trader.socket.receive()).data.endswith("}")


async def test_answers_may_name_another_order_or_none(trader: Trader) -> None:
    """The client id is somebody else's; the id is missing."""
    trader.sim.faults.inject("foreign_ack", request="place", body="theirs")
    assert (await trader.place(newClientOrderId="mine")).body["clientOrderId"] == "theirs"
    trader.sim.faults.inject("nameless_ack", request="place")
    assert "orderId" not in (await trader.place(newClientOrderId="next")).body
    trader.sim.faults.inject("nameless_ack", request="replace")
    order = trader.order(cancelOrigClientOrderId="next", cancelReplaceMode="STOP_ON_FAILURE")
    body = (await trader.rest("POST", f"{ORDER}/cancelReplace", **order)).body
    assert body["newOrderResult"] == "SUCCESS"
    assert "orderId" not in body["newOrderResponse"]


async def test_lists_lie_only_when_told_to(trader: Trader) -> None:
    """Orders, trades and balances, each for itself."""
    await trader.place()
    trader.sim.faults.inject("empty_list", request="open_orders")
    trader.sim.faults.inject("empty_list", request="account")
    assert (await trader.call("openOrders.status")).body == []
    assert (await trader.rest("GET", "/api/v3/account")).body["balances"] == []
    assert len((await trader.call("openOrders.status")).body) == 1


async def test_an_answer_may_be_late(trader: Trader) -> None:
    """What was asked later is answered before it."""
    trader.sim.faults.inject("late_ack", request="place", seconds=0.05)
    first = await trader.send("order.place", **trader.order())
    second = await trader.send("account.status")
    assert [(await trader.receive())["id"] for _ in range(2)] == [second, first]


async def test_a_full_cancel_race_is_lost(trader: Trader) -> None:
    """The order is filled the moment its cancel comes in."""
    placed = (await trader.place()).body
    trader.sim.faults.inject("cancel_race")
    cancel = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    assert (await trader.rest("DELETE", ORDER, **cancel)).error == (400, -2011)
    assert (await trader.rest("GET", ORDER, **cancel)).body["status"] == "FILLED"


async def test_maintenance_shuts_both_doors(trader: Trader) -> None:
    """A page by REST, the end of the connection by WebSocket API, no handshake."""
    await trader.call("account.status")
    trader.sim.faults.inject("maintenance")
    answer = await trader.place()
    assert (answer.status, "<html>" in answer.body) == (503, True)
    await trader.send("order.place", **trader.order())
    assert (await trader.socket.receive()).type is aiohttp.WSMsgType.CLOSE
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await trader.session.ws_connect(trader.sim.websocket_url + "/ws")
    assert orders(trader) == 0


@pytest.mark.parametrize("limits", [Limits(weight_per_minute=41)])
async def test_weight_is_one_for_all(trader: Trader) -> None:
    """Queries weigh, orders do not; by WebSocket API the error says when to come back."""
    for _ in range(2):
        await trader.rest("GET", "/api/v3/account")
    assert (await trader.place()).headers["X-MBX-USED-WEIGHT-1M"] == "40"
    assert (await trader.rest("GET", "/api/v3/account")).error == (429, -1003)


@pytest.mark.parametrize("limits", [Limits(weight_per_minute=21)])
async def test_too_much_weight_by_socket_says_when_to_come_back(trader: Trader) -> None:
    """In the data of the error, as there are no headers."""
    await trader.call("order.test", **trader.order())
    answer = await trader.call("account.status")
    assert answer.error == (429, -1003)
    assert answer.body["data"]["retryAfter"] > answer.body["data"]["serverTime"]
