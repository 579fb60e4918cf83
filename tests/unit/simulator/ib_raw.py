"""A client of the simulated gateway that is made of nothing but a socket, for its tests."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from typing import Self

from foxtrot.simulator.ib import SimulatedIb
from foxtrot.simulator.ib_wire import Value, encode, frame

DEADLINE_S = 5.0

AAPL: tuple[Value, ...] = (265598, "AAPL", "STK", "", 0.0, "", "", "SMART", "", "USD", "", "")
"""A contract in the twelve fields of the wire."""


class Raw:
    """One connection; what it reads are lists of fields."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, sim: SimulatedIb) -> Self:
        """Connect, and say nothing yet."""
        async with asyncio.timeout(DEADLINE_S):
            return cls(*await asyncio.open_connection("127.0.0.1", sim.port))

    def close(self) -> None:
        self._writer.close()

    def pause(self) -> None:
        """Read nothing from the socket any more."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        transport.pause_reading()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, *values: Value) -> None:
        self.write(encode(*values))

    async def greet(self, versions: str = "v157..178") -> list[str]:
        """Shake hands; the answer is the version and the time."""
        self.write(b"API\0" + frame(versions.encode()))
        return await self.read()

    async def start(self, client_id: int = 1) -> None:
        """Say who it is, and read the greeting to its end."""
        self.send(71, 2, client_id, "")
        await self.find(lambda fields: fields[0] == "4" and fields[3] == "2158")

    async def read(self) -> list[str]:
        """The next message.

        Raises:
            asyncio.IncompleteReadError: The connection ended.
        """
        (length,) = struct.unpack(">I", await self.take(4))
        payload = await self.take(length)
        return payload.decode(errors="replace").split("\0")[:-1]

    async def find(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """The next message that is wanted; those before it are passed over."""
        while True:
            fields = await self.read()
            if wanted(fields):
                return fields

    async def error(self) -> tuple[int, int, str]:
        """The next error: id, code and text."""
        fields = await self.find(lambda fields: fields[0] == "4")
        return int(fields[2]), int(fields[3]), fields[4]

    async def take(self, count: int) -> bytes:
        """The next bytes, whatever they mean."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.readexactly(count)

    def unread(self) -> bytes:
        """What has arrived and was not asked for yet."""
        return bytes(self._reader._buffer)  # type: ignore[attr-defined] # asyncio keeps it to itself

    async def settled(self) -> list[list[str]]:
        """All messages up to the answer to a question for the time."""
        self.send(49, 1)
        messages: list[list[str]] = []
        while not messages or messages[-1][0] != "49":
            messages.append(await self.read())
        return messages[:-1]

    async def ended(self) -> list[list[str]]:
        """All messages until the connection ends."""
        messages = []
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                messages.append(await self.read())
        return messages


@contextlib.asynccontextmanager
async def raw(
    sim: SimulatedIb, client_id: int | None = 1, versions: str = "v157..178"
) -> AsyncIterator[Raw]:
    """A client that has started its API; with None, one that has said nothing yet."""
    client = await Raw.open(sim)
    try:
        if client_id is not None:
            await client.greet(versions)
            await client.start(client_id)
        yield client
    finally:
        client.close()
        await asyncio.sleep(0)
