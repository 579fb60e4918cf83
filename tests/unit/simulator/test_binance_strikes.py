"""Faults that act at once, on connections of every kind."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.unit.simulator.trader import DEADLINE_S, Trader


async def last_word(trader: Trader) -> aiohttp.WSMessage:
    """The next message, whatever it is."""
    async with asyncio.timeout(DEADLINE_S):
        return await trader.socket.receive()


@pytest.mark.parametrize(
    ("fault", "code"), [("close", 1001), ("cut_24h", 1001), ("rst", None), ("eof", None)]
)
async def test_a_connection_for_orders_ends_as_others_do(
    trader: Trader, fault: str, code: int | None
) -> None:
    """With a close frame, or without one."""
    await trader.call("account.status")
    trader.sim.faults.inject(fault)
    message = await last_word(trader)
    if code is None:
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    else:
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)


async def test_a_restart_is_announced_in_the_form_of_the_websocket_api(trader: Trader) -> None:
    """The event stands in a wrapper there, with no number of a subscription."""
    await trader.call("account.status")
    trader.sim.faults.inject("server_shutdown")
    message = await trader.receive()
    assert (set(message), message["event"]["e"]) == ({"event"}, "serverShutdown")


async def test_a_burst_of_the_market_fills_who_stood_there(trader: Trader) -> None:
    """The orders feel every one of its steps."""
    quote = trader.sim.market.quote("BTCUSDT")
    order = trader.sim.desk.place("BTCUSDT", "buy", "0.00001", quote.bid_e8 / 10**8)
    trader.sim.wake("BTCUSDT")
    trader.sim.faults.inject("burst", symbol="BTCUSDT", frames=2_000)
    async with asyncio.timeout(DEADLINE_S):
        # ASYNC110: what the venue does sets no event of ours
        while order.open:  # noqa: ASYNC110
            await asyncio.sleep(0)
