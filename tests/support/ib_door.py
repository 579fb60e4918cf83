"""A door that looks like a TWS: it shakes hands, or fails to in every way a TWS can."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable

Fields = tuple[str, ...]


def frame(*fields: str | int | float) -> bytes:
    """One message: its length, then fields that each end in NUL."""
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


WELCOME = frame(15, 1, "DU1234567") + frame(9, 1, 7)
"""What makes a connection ready: accounts, and the next order id."""


class Door:
    """One listening socket; `steps` says how far it goes with a client.

    Args:
        version: Sent as the handshake's answer; empty to keep silent.
        welcome: Sent after startApi.
        answers: By message id: what is sent back for a message.
    """

    def __init__(
        self,
        *,
        version: bytes = frame(176, "20261121 00:00:00 UTC"),
        welcome: bytes = WELCOME,
        answers: dict[str, Callable[[Fields], bytes]] | None = None,
        after_hello: str = "",
        after_welcome: str = "",
    ) -> None:
        self.version, self.welcome, self.answers = version, welcome, answers or {}
        self.after_hello, self.after_welcome = after_hello, after_welcome
        self.heard: list[Fields] = []
        self.news = asyncio.Event()
        self.port = 0
        self.writer: asyncio.StreamWriter | None = None
        self.met, self.ended = asyncio.Event(), asyncio.Event()

    async def hear(self, kind: str) -> Fields:
        """Wait for a message of this id."""
        async with asyncio.timeout(5):
            while True:
                for fields in self.heard:
                    if fields[0] == kind:
                        return fields
                self.news.clear()
                await self.news.wait()

    def send(self, *messages: bytes) -> None:
        """Push something to the client."""
        assert self.writer is not None
        self.writer.write(b"".join(messages))

    def end(self, *, reset: bool = False) -> None:
        """Close the connection, politely or not."""
        assert self.writer is not None
        if reset:
            raw = self.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one client."""
        self.writer = writer
        self.met.set()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            assert await reader.readexactly(4) == b"API\0"
            await self._read(reader)
            if self.version:
                writer.write(self.version)
            if self.after_hello:
                self.end(reset=self.after_hello == "reset")
            while True:
                fields = await self._read(reader)
                self._answer(fields)
                self.heard.append(fields)
                self.news.set()
        writer.close()
        self.ended.set()

    def _answer(self, fields: Fields) -> None:
        assert self.writer is not None
        if fields[0] == "71":
            self.writer.write(self.welcome)
            if self.after_welcome:
                self.end(reset=self.after_welcome == "reset")
        elif fields[0] in self.answers:
            self.writer.write(self.answers[fields[0]](fields))

    async def _read(self, reader: asyncio.StreamReader) -> Fields:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return tuple((await reader.readexactly(length)).decode().split("\0")[:-1])


@contextlib.asynccontextmanager
async def standing(door: Door) -> AsyncIterator[Door]:
    """The door, on a port of its own."""
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        if door.writer is not None:
            door.writer.close()
            with contextlib.suppress(ConnectionError):
                await door.writer.wait_closed()
        await server.wait_closed()
