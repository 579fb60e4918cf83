"""How soon an account at TWS can be traded, with open orders and without, and what a line weighs.

The peer is the SDK's own `IB`, which fetches the same at its start: positions, open and completed
orders, executions, the account. foxtrot's figure ends when trading is READY and a handler has been
told of every order.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable

from foxtrot import EVENT_CONNECTION, ConnectionState, Event, MainEngine
from foxtrot.adapter.ib.adapter import IbAdapter
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.limits import pace_of
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.model.constants import Environment
from foxtrot.model.events import EVENT_ORDER
from tests.benchmarks.harness import Comparison, interleave
from tests.benchmarks.ib import sdk_name
from tests.benchmarks.ib_flood import quiet_tws
from tests.benchmarks.workers import Worker
from tests.support import ib_sdk

ORDERS = (0, 500)
LIMIT_S = 1.0
CONNECTIONS = 20
WAIT_S = 30.0
_FIRST_ID = 500
_HOST = "127.0.0.1"


def run(rounds: int) -> list[Comparison]:
    """Connecting, and memory."""
    with Worker() as ours, Worker() as sdk:
        name = sdk.run(sdk_name)
        return [
            *(each for orders in ORDERS for each in _connecting(rounds, orders, ours, sdk, name)),
            _memory(rounds, ours, sdk, name),
        ]


def _connecting(rounds: int, orders: int, ours: Worker, sdk: Worker, name: str) -> list[Comparison]:
    with quiet_tws(orders) as port:
        times = interleave(
            rounds,
            {
                "ours": lambda: ours.run(foxtrot_ready_s, port, orders),
                "sdk": lambda: sdk.run(sdk_ready_s, port, orders),
            },
        )
    what = f"IB connect to READY, {orders} open orders"
    limit = [LIMIT_S] * rounds
    return [
        Comparison(what, "s", times["ours"], name, times["sdk"], smaller_is_better=True),
        Comparison(what, "s", times["ours"], "limit", limit, 1.0, smaller_is_better=True),
    ]


def _memory(rounds: int, ours: Worker, sdk: Worker, name: str) -> Comparison:
    with quiet_tws(0) as port:
        weights = interleave(
            rounds,
            {
                "ours": lambda: ours.run(foxtrot_weight_kb, port),
                "sdk": lambda: sdk.run(sdk_weight_kb, port),
            },
        )
    return Comparison(
        "IB memory per connection", "kB", weights["ours"], name, weights["sdk"],
        smaller_is_better=True, note=f"{CONNECTIONS} of them",
    )  # fmt: skip


def foxtrot_ready_s(port: int, orders: int) -> float:
    """From `connect` until trading is READY and all open orders are told."""
    ready, enough = threading.Event(), threading.Event()
    told: set[str] = set()

    def on_connection(event: Event) -> None:
        news = event.data
        if news.session == "trading" and news.state is ConnectionState.READY:  # type: ignore[attr-defined]
            ready.set()

    def on_order(event: Event) -> None:
        told.add(event.data.orderid)  # type: ignore[attr-defined]
        if len(told) == orders:
            enough.set()

    with (
        tempfile.TemporaryDirectory() as folder,
        MainEngine(settings={"journal.directory": folder}) as engine,
    ):
        engine.add_adapter(IbAdapter)
        engine.register(EVENT_CONNECTION, on_connection)
        engine.register(EVENT_ORDER, on_order)
        began = time.perf_counter()
        engine.connect({"environment": "simulated", "port": port}, "IB")
        if not ready.wait(WAIT_S) or (orders and not enough.wait(WAIT_S)):
            raise RuntimeError(f"{len(told)} of {orders} orders: {engine}")
        return time.perf_counter() - began


def sdk_ready_s(port: int, orders: int) -> float:
    """From `connectAsync` until it returns."""

    async def connect() -> float:
        began = time.perf_counter()
        async with ib_sdk.connected(port) as desk:
            spent_s = time.perf_counter() - began
            if len(desk.ib.openTrades()) != orders:
                raise RuntimeError(f"{len(desk.ib.openTrades())} of {orders} orders")
            return spent_s

    return asyncio.run(connect())


def foxtrot_weight_kb(port: int) -> float:
    """Of one of many connections that were opened, and said nothing since."""

    async def measure() -> float:
        settings = IbSettings(Environment.SIMULATED, _HOST, port)
        pace, config = pace_of(settings.endpoint), StreamConfig()

        async with contextlib.AsyncExitStack() as stack:

            async def opened(number: int) -> None:
                client = IbClient("IB", settings, config, pace, number)
                stack.push_async_callback(client.close)
                await client.open()

            return await _each_kb(opened)

    return asyncio.run(measure())


def sdk_weight_kb(port: int) -> float:
    """The same of the SDK's own."""

    async def measure() -> float:
        async with contextlib.AsyncExitStack() as stack:

            async def opened(number: int) -> None:
                await stack.enter_async_context(ib_sdk.connected(port, number, fetch=False))

            return await _each_kb(opened)

    return asyncio.run(measure())


async def _each_kb(opened: Callable[[int], Awaitable[None]]) -> float:
    await opened(_FIRST_ID)  # what all share is there afterwards
    tracemalloc.start()
    try:
        for number in range(1, CONNECTIONS + 1):
            await opened(_FIRST_ID + number)
        return tracemalloc.get_traced_memory()[0] / CONNECTIONS / 1e3
    finally:
        tracemalloc.stop()
