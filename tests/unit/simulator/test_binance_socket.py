"""The WebSocket API: what needs no key, and what is no request."""

from __future__ import annotations

import pytest

from foxtrot.simulator.binance_limits import Limits
from tests.unit.simulator.trader import Trader


async def test_public_requests_need_no_key(trader: Trader, connect) -> None:
    """They are answered as by REST."""
    stream = await connect("/ws-api/v3")
    await stream.socket.send_json({"id": "t", "method": "time"})
    reply = await stream.json()
    assert (reply["id"], reply["status"]) == ("t", 200)
    assert abs(reply["result"]["serverTime"] - trader.sim.now_ms()) < 5_000
    await stream.socket.send_json({"id": 1, "method": "depth", "params": {"symbol": "XX"}})
    assert (await stream.json())["error"]["code"] == -1121


async def test_trades_of_the_past_can_be_asked_for(trader: Trader, connect) -> None:
    """One by one, and as aggregates."""
    trader.sim.tick("BTCUSDT", 50)
    stream = await connect("/ws-api/v3")
    params = {"symbol": "BTCUSDT", "limit": 3, "returnRateLimits": False}
    for method, price in (("trades.historical", "price"), ("trades.aggregate", "p")):
        await stream.socket.send_json({"id": 1, "method": method, "params": params})
        assert len([row[price] for row in (await stream.json())["result"]]) == 3


@pytest.mark.parametrize("limits", [Limits(weight_per_minute=120)])
async def test_public_requests_weigh_what_they_weigh_by_rest(connect) -> None:
    """Too much of it is refused with 429, and when to come back is in the error."""
    stream = await connect("/ws-api/v3")
    ask, reply = {"id": 1, "method": "exchangeInfo"}, {"status": 200}
    for _ in range(13):  # twice as many as fit into a minute: one may end meanwhile
        if reply["status"] == 200:
            await stream.socket.send_json(ask)
            reply = await stream.json()
    assert reply["status"] == 429
    assert reply["error"]["code"] == -1003
    assert reply["error"]["data"]["retryAfter"] > reply["error"]["data"]["serverTime"]


async def test_a_parameter_that_is_none_is_refused(connect) -> None:
    """As by REST: it is not left out in silence."""
    stream = await connect("/ws-api/v3")
    params = {"symbol": "BTCUSDT", "depth": 5}
    await stream.socket.send_json({"id": 1, "method": "depth", "params": params})
    assert (await stream.json())["error"]["code"] == -1104


@pytest.mark.parametrize("text", ["{", "[]", '{"id": {}}', '{"params": 1}'])
async def test_what_is_no_request_is_answered(connect, text: str) -> None:
    """-1135, and the connection stands."""
    stream = await connect("/ws-api/v3")
    await stream.socket.send_str(text)
    reply = await stream.json()
    assert (reply["id"], reply["error"]["code"]) == (None, -1135)
    await stream.socket.send_json({"id": 2, "method": "ping"})
    assert (await stream.json())["result"] == {}


async def test_numbers_are_signed_as_they_are_written(trader: Trader) -> None:
    """A quantity may come as a number; its text enters the signature unchanged."""
    answer = await trader.call("order.place", **trader.order(quantity=0.010))
    assert answer.body["origQty"] == "0.01000000"


async def test_rate_limits_are_told_unless_not_wanted(trader: Trader) -> None:
    """The counts of orders come with the answer."""
    placed = await trader.call("order.place", **trader.order())
    assert [row["count"] for row in placed.headers["rateLimits"]] == [1, 1]
    await trader.send("order.place", **trader.order(returnRateLimits="false"))
    assert "rateLimits" not in await trader.receive()


@pytest.mark.parametrize("limits", [Limits(messages_per_s=1)])
async def test_requests_are_not_counted_as_messages(trader: Trader) -> None:
    """The rule of five messages a second is for market streams."""
    for _ in range(8):
        assert (await trader.call("account.status")).status == 200


async def test_faults_can_be_for_this_connection_alone(trader: Trader, connect) -> None:
    """A reset with the path of the WebSocket API leaves the market streams alone."""
    market = await connect()
    await trader.call("account.status")
    trader.sim.faults.inject("close", path="/ws-api/v3")
    assert (await trader.socket.receive()).type.name == "CLOSE"
    await market.subscribe("btcusdt@trade")
