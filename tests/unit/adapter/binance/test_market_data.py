"""The websocket session's connections: none is left behind."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

from aiohttp import web

from foxtrot.adapter.binance import limits
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.market_data import StreamSession
from foxtrot.adapter.binance.marks import Marks
from foxtrot.adapter.binance.session import Venue
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.counters import FeedCounters

DEADLINE_S = 10.0


def session(port: int) -> StreamSession:
    """A session of a venue on this machine."""
    setting = {"environment": "simulated", "rest_url": f"http://127.0.0.1:{port}"}
    adapter = SimpleNamespace(
        stream_config=StreamConfig(), event_engine=SimpleNamespace(put=lambda event: None)
    )
    venue = Venue(
        "BINANCE", BinanceSettings.parse(setting), Contracts("BINANCE"), Marks(),
        cast(BaseAdapter, adapter), limits.weight_window(),
    )  # fmt: skip
    return StreamSession(venue, FeedCounters())


async def test_a_connection_that_opens_after_its_time_is_closed() -> None:
    """Each attempt to replace one that took too long left an open one at the venue."""
    dialled, answer, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(request: web.Request) -> web.WebSocketResponse:
        dialled.set()
        await answer.wait()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        gone.set()
        return socket

    app = web.Application()
    app.router.add_get("/stream/ws/{number}", late)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made = session(runner.addresses[0][1])
    try:
        async with asyncio.timeout(DEADLINE_S):
            await made.prepare()
            opening = asyncio.ensure_future(made.open())
            await dialled.wait()
            opening.cancel()
            await asyncio.wait([opening])
            answer.set()
            await gone.wait()
    finally:
        await made.close()
        await runner.cleanup()


async def test_a_new_connection_that_is_lost_at_once_costs_the_old_one_nothing() -> None:
    """When a venue sheds load, the first try to move may end on a line that goes as well."""
    numbers: list[str] = []

    async def stream(request: web.Request) -> web.WebSocketResponse:
        numbers.append(request.match_info["number"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            if len(numbers) > 1:
                break
        return socket

    app = web.Application()
    app.router.add_get("/stream/ws/{number}", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = session(runner.addresses[0][1])
    try:
        async with asyncio.timeout(DEADLINE_S):
            await made.prepare()
            await made.open()
            (old,) = made._connections
            old.streams.add("btcusdt@trade")
            assert not await made._rotate(old)
        assert (numbers, made._connections) == (["1", "2"], [old])
        assert not made._lost.done()
    finally:
        await made.close()
        await runner.cleanup()
