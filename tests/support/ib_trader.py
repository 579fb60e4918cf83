"""The SDK's own client with a wrapper that writes down everything it is called with."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import importlib
import logging
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot.simulator.ib_wire import LEAST_VERSION
from tests.support.ib_sdk import DEADLINE_S, client_module, load

Call = tuple[str, tuple[Any, ...]]

_SILENT = frozenset(
    {"tcpDataArrived", "tcpDataProcessed", "connectAck", "setEventsDone", "connectionClosed"}
)


class Recorder:
    """Whatever a decoder calls, in its order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.heard = asyncio.Event()
        self.ib = SimpleNamespace(TimezoneTWS="")
        self.defaultTimezone = dt.UTC

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def note(*args: object) -> None:
            if name not in _SILENT:
                self.calls.append((name, args))
                self.heard.set()

        return note


def decoded(message: bytes, caplog: pytest.LogCaptureFixture, version: int = 176) -> Call:
    """What the SDK makes of a message; it must not complain."""
    recorder = Recorder()
    decoder = importlib.import_module(f"{load().__name__}.decoder").Decoder(recorder, version)
    decoder.interpret(message[4:].decode().split("\0")[:-1])
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
    (call,) = recorder.calls
    return call


def versions() -> range:
    """Those that the SDK speaks."""
    return range(LEAST_VERSION, client_module().Client.MaxClientVersion + 1)


class Trader:
    """One connection of the unmodified SDK's client.

    Args:
        client: The SDK's.
        recorder: Its wrapper.
    """

    def __init__(self, client: Any, recorder: Recorder) -> None:
        self.client, self.recorder = client, recorder
        self.sdk = load()

    def stock(self, symbol: str = "AAPL") -> Any:
        """A stock as the SDK describes it."""
        return self.sdk.Stock(symbol, "SMART", "USD")

    def place(self, order_id: int, **fields: Any) -> None:
        """Send an order: a limit to buy 10 AAPL at 200, unless told otherwise."""
        contract = fields.pop("contract", None) or self.stock()
        plain = {"action": "BUY", "totalQuantity": 10, "orderType": "LMT", "lmtPrice": 200.0}
        order = self.sdk.Order(**{**plain, "orderRef": f"ref-{order_id}", **fields})
        self.client.placeOrder(order_id, contract, order)

    async def heard(self, name: str) -> None:
        """Wait for a call of this name, if it has not come since the last time."""
        async with asyncio.timeout(DEADLINE_S):
            while not any(each == name for each, _ in self.recorder.calls):
                self.recorder.heard.clear()
                await self.recorder.heard.wait()

    async def told(self, ask: Callable[[], object] | None = None) -> list[Call]:
        """Everything that came since the last time, up to the answer to one more question."""
        if ask is not None:
            ask()
        self.client.reqCurrentTime()
        await self.heard("currentTime")
        calls = [call for call in self.recorder.calls if call[0] != "currentTime"]
        self.recorder.calls.clear()
        return calls

    async def story(self, ask: Callable[[], object] | None = None) -> list[str]:
        """The same in few words, without what every client is told of accounts."""
        return [words for words in map(in_words, await self.told(ask)) if words]


def in_words(call: Call) -> str:
    """What matters of one report; empty for what is not about orders."""
    name, args = call
    if name == "openOrder":
        return f"open {args[3].status}"
    if name == "orderStatus":
        return f"status {args[1]} {args[2]:g}+{args[3]:g}"
    if name == "execDetails":
        return f"fill {args[2].side} {args[2].shares:g}@{args[2].price:g}"
    if name == "commissionReport":
        return "cost"
    if name == "error":
        return f"error {args[1]}"
    if name == "completedOrder":
        return f"completed {args[1].orderRef} {args[2].status} {args[1].filledQuantity:g}"
    return name if name.endswith("End") else ""


@contextlib.asynccontextmanager
async def trading(port: int, client_id: int = 1) -> AsyncIterator[Trader]:
    """A client that is connected, and has heard what everybody is told at the start."""
    recorder = Recorder()
    client = client_module().Client(recorder)
    await client.connectAsync("127.0.0.1", port, client_id, DEADLINE_S)
    trader = Trader(client, recorder)
    await trader.told()
    try:
        yield trader
    finally:
        client.disconnect()
        await asyncio.sleep(0)
