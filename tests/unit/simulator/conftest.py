"""A venue whose market moves only by hand, and a client that never waits without a deadline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_limits import Limits
from tests.unit.simulator.trader import Trader

DEADLINE_S = 5.0


class Stream:
    """A websocket client of the venue."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._number = 0

    async def receive(self) -> aiohttp.WSMessage:
        """The next message, control messages included."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.socket.receive()

    async def json(self) -> dict:
        """The next message, which must be JSON."""
        message = await self.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    async def ask(self, method: str, *params: object) -> dict:
        """Send a command and return the next message."""
        self._number += 1
        await self.socket.send_json({"method": method, "params": params, "id": self._number})
        return await self.json()

    async def subscribe(self, *streams: str) -> None:
        """Subscribe and take the acknowledgement."""
        reply = await self.ask("SUBSCRIBE", *streams)
        assert reply == {"result": None, "id": self._number}


Connect = Callable[..., Awaitable[Stream]]


Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Lets the loop run until something is so."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            # ASYNC110: what the venue's handlers do sets no event of ours
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0)

    return wait


@pytest.fixture
def limits() -> Limits:
    """The venue's limits; a test overrides them by parametrising `limits`."""
    return Limits.none()


@pytest.fixture
async def sim(limits: Limits) -> AsyncIterator[SimulatedBinance]:
    """A running venue that moves by hand."""
    venue = SimulatedBinance(["BTCUSDT", "ETHUSDT", "ETHBTC"], rate_hz=0, limits=limits)
    async with venue:
        yield venue


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        yield client


@pytest.fixture
def connect(sim: SimulatedBinance, session: aiohttp.ClientSession) -> Connect:
    """Opens a websocket at a path of the venue."""

    async def open_at(path: str = "/ws") -> Stream:
        url = sim.websocket_url + path
        return Stream(await session.ws_connect(url, autoping=False, autoclose=False))

    return open_at


@pytest.fixture
def trader(sim: SimulatedBinance, session: aiohttp.ClientSession) -> Trader:
    """A client with the venue's default key."""
    return Trader(sim, session)
