"""The unmodified SDK of Interactive Brokers, whichever is installed, for tests of the gateway.

Both have one API. The SDK is imported when a test asks for it, while its loop runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import logging
import re
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import pytest

DEADLINE_S = 5.0
"""Longest wait for anything the gateway answers at once."""

_NAMES = ("ib_async", "ib_insync")
_TOLD = re.compile(r"(Error|Warning) \d+, reqId ")
"""How the SDK logs what the gateway itself calls an error: that is no trouble of the SDK's."""


def load() -> ModuleType:
    """The SDK."""
    for name in _NAMES:
        if importlib.util.find_spec(name) is not None:
            return importlib.import_module(name)
    raise ModuleNotFoundError(" or ".join(_NAMES))


def client_module() -> ModuleType:
    """The SDK's module of the raw client."""
    return importlib.import_module(f"{load().__name__}.client")


def troubles(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the SDK's decoder and wrapper could not make sense of, in its words."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.ERROR
        and record.name.endswith((".Decoder", ".wrapper"))
        and not _TOLD.match(record.getMessage())
    ]


class Desk:
    """An `IB` object with what it was told.

    Args:
        ib: The SDK's object.

    Attributes:
        errors: Request id, code and text of every error and notice, in their order.
    """

    def __init__(self, ib: Any) -> None:  # the SDK has types of its own, one set for each release
        self.ib = ib
        self.errors: list[tuple[int, int, str]] = []
        ib.errorEvent += self._on_error

    @property
    def codes(self) -> list[int]:
        """The codes of all errors and notices."""
        return [code for _, code, _ in self.errors]

    async def settled(self) -> None:
        """Wait until everything the gateway had sent by now is read: an answer comes after it."""
        await asyncio.wait_for(self.ib.reqCurrentTimeAsync(), DEADLINE_S)

    async def told(self, code: int) -> tuple[int, int, str]:
        """Wait for an error or a notice with this code."""
        await until(self.ib.errorEvent, lambda: code in self.codes)
        return next(error for error in self.errors if error[1] == code)

    def _on_error(self, req_id: int, code: int, text: str, _contract: object) -> None:
        self.errors.append((req_id, code, text))


async def until(event: Any, holds: Callable[[], bool]) -> None:
    """Wait for emissions of one of the SDK's events until the condition holds.

    Raises:
        TimeoutError: It did not hold in time.
    """
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await event


@contextlib.asynccontextmanager
async def connected(port: int, client_id: int = 1, *, fetch: bool = True) -> AsyncIterator[Desk]:
    """The SDK's `IB`, connected; with `fetch`, after all that it asks for at the start.

    Raises:
        TimeoutError: The gateway did not answer.
    """
    desk = Desk(load().IB())
    if fetch:
        await desk.ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=DEADLINE_S)
    else:
        await desk.ib.client.connectAsync("127.0.0.1", port, client_id, DEADLINE_S)
    try:
        yield desk
    finally:
        desk.ib.disconnect()
        await asyncio.sleep(0)
