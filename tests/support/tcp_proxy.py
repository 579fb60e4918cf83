"""A TCP proxy on the loopback that breaks what it passes on into small pieces."""

from __future__ import annotations

import asyncio
import contextlib
import random

from foxtrot.simulator.threads import VenueThread

HOST = "127.0.0.1"
_AT_ONCE = 1 << 16
_STOP_S = 2.0


class TcpProxy:
    """Passes bytes on in both ways, in pieces; see `TcpProxyThread`.

    Args:
        port: Where the bytes go.
        seed: Of the dice for the sizes.

    Thread safety: the attributes may be set from any thread; each piece looks at them.
    """

    def __init__(self, port: int, *, seed: int = 0) -> None:
        self.largest = 0
        """Most bytes of a piece that comes back; 0: as they came."""
        self.pause_s = 0.0
        """Seconds before each piece that comes back."""
        self.port = 0
        self._target, self._dice = port, random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)

    async def _serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        own = asyncio.current_task()
        assert own is not None
        self._tasks.add(own)
        own.add_done_callback(self._tasks.discard)
        venue, request = await asyncio.open_connection(HOST, self._target)
        ways = [
            asyncio.ensure_future(self._pass(client, request, sliced=False)),
            asyncio.ensure_future(self._pass(venue, answer, sliced=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for writer in (request, answer):
                writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, sliced: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_AT_ONCE):
                await self._write(writer, data, sliced=sliced)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, *, sliced: bool) -> None:
        while data:
            size = self._dice.randint(1, self.largest) if sliced and self.largest else len(data)
            if sliced and self.pause_s:
                await asyncio.sleep(self.pause_s)
            writer.write(data[:size])
            await writer.drain()
            if self.largest:
                await asyncio.sleep(0)  # the other side reads a piece, not their sum
            data = data[size:]


class TcpProxyThread(VenueThread[TcpProxy]):
    """A proxy on a thread of its own; `venue` is the proxy."""
