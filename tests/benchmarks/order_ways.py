"""Two ways to submit the same signed order: a request by REST, one on the trading websocket.

Both are signed by ccxt and leave the reading of the answer out, as foxtrot's client does.
"""

from __future__ import annotations

import asyncio
import time

import aiohttp
import msgspec
from ccxt.pro.binance import binance

from foxtrot.simulator.binance_socket import PATH
from tests.benchmarks.clients import ccxt_config
from tests.benchmarks.order_clients import PRICE, VOLUME, WAIT_S, WARM, Marks, plain_ids
from tests.benchmarks.order_venue import SYMBOL

REST, SOCKET = "REST", "trading websocket"


def submitted(address: str, orders: int, way: str) -> Marks:
    """Send orders that end at once, one after the other; an answer counts as `opened`."""
    return asyncio.run(asyncio.wait_for(_submitted(address, orders, way), 3 * WAIT_S))


async def _submitted(address: str, orders: int, way: str) -> Marks:
    exchange, marks, next_id = binance(ccxt_config(address)), Marks(), plain_ids()
    await exchange.load_markets()
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"ws://{address}{PATH}", compress=0) as socket,
    ):
        for number in range(orders + WARM):
            orderid = next_id()
            params = {
                "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "IOC",
                "quantity": f"{VOLUME:f}", "price": f"{PRICE:f}", "newClientOrderId": orderid,
            }  # fmt: skip
            called_s = time.monotonic()
            if way == REST:
                await exchange.private_post_order(params)
            else:
                await _by_socket(socket, exchange.sign_params(params), orderid)
            if number >= WARM:
                marks.called[orderid], marks.opened[orderid] = called_s, time.monotonic()
    await exchange.close()
    return marks


async def _by_socket(
    socket: aiohttp.ClientWebSocketResponse, params: dict[str, object], orderid: str
) -> None:
    request = {"id": orderid, "method": "order.place", "params": params}
    await socket.send_str(msgspec.json.encode(request).decode())
    answer = msgspec.json.decode((await socket.receive()).data)
    if answer["id"] != orderid or answer["status"] != 200:
        raise RuntimeError(str(answer))
