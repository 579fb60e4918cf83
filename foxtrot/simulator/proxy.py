"""A TCP proxy on the loopback that lets a line suffer what lines suffer: see `toxics`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from foxtrot.simulator.control import Control
from foxtrot.simulator.proxy_line import Line
from foxtrot.simulator.threads import VenueThread, on_loop
from foxtrot.simulator.toxics import Stream, Toxic, ToxicBoard

HOST = "127.0.0.1"
_STOP_S, _CONNECT_S = 2.0, 5.0


class TcpProxy:
    """Passes bytes on in both ways, and lets them suffer what `toxics` says.

    Args:
        port: Where the bytes go.
        seed: Of the dice for sizes, delays and connections.
        host: Where the bytes go.
        listen: The port to listen on, on the loopback; 0 for any that is free.

    Thread safety: `toxics` may be changed from any thread; the rest belongs to the loop.
    """

    def __init__(self, port: int, *, seed: int = 0, host: str = HOST, listen: int = 0) -> None:
        self.toxics = ToxicBoard()
        self.port = listen
        self.connections = 0
        """How many were ever taken."""
        self._to, self._seed = (host, port), seed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door: socket.socket | None = None
        self._knocking: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: set[Line] = set()
        self.toxics.listen(self._changed)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        self._loop = asyncio.get_running_loop()
        self._apply(None)

    async def stop(self) -> None:
        """Cut everything, and listen no more."""
        self._shut()
        self._loop = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)
        for client in self._knocking:
            client.close()
        self._knocking.clear()

    def _open(self) -> None:
        door = socket.create_server((HOST, self.port))
        door.setblocking(False)
        self.port, self._door = door.getsockname()[1], door
        asyncio.get_running_loop().add_reader(door, self._take, door)

    def _shut(self) -> None:
        door, self._door = self._door, None
        if door is not None and self._loop is not None:
            self._loop.remove_reader(door)
            door.close()
        for line in tuple(self._lines):
            line.reset()

    def _take(self, door: socket.socket) -> None:
        try:
            client, _ = door.accept()
        except (BlockingIOError, ConnectionError):  # it went away again
            return
        client.setblocking(False)
        self.connections += 1
        self._knocking.add(client)
        task = asyncio.ensure_future(self._serve(client, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket, number: int) -> None:
        self._knocking.discard(client)
        near = await asyncio.open_connection(sock=client)
        try:
            async with asyncio.timeout(_CONNECT_S):
                far = await asyncio.open_connection(*self._to)
        except BaseException as error:  # boundary: nobody is there, or the proxy ends meanwhile
            near[1].transport.abort()
            if isinstance(error, OSError):
                return
            raise
        line = Line(number, self._seed, near, far, self._standing)
        self._lines.add(line)
        try:
            await line.run()
        finally:
            self._lines.discard(line)

    def _standing(self, stream: Stream, number: int) -> dict[str, Toxic]:
        return {
            toxic.name: toxic
            for toxic in self.toxics.faults()
            if toxic.stream == stream and toxic.strikes(self._seed, number)
        }

    def _changed(self, toxic: Toxic | None) -> None:
        on_loop(self._loop, lambda: self._apply(toxic))

    def _apply(self, toxic: Toxic | None) -> None:
        if self._loop is None:
            return
        if any(each.name == "down" for each in self.toxics.faults()):
            self._shut()
        elif self._door is None:
            self._open()
        for line in tuple(self._lines):
            if toxic is not None and toxic.strikes(self._seed, line.number):
                line.suffer(toxic)
            line.changed.set()


class TcpProxyThread(VenueThread[TcpProxy]):
    """A proxy on a thread of its own; `venue` is the proxy."""


async def serve(proxy: TcpProxy, on_ready: Callable[[str], None]) -> None:
    """Serve until cancelled, with a control endpoint for its toxics beside it.

    Raises:
        OSError: The port is taken.
    """
    await proxy.start()
    try:
        async with Control(proxy.toxics, HOST) as control:
            on_ready(control.url)
            await asyncio.Event().wait()
    finally:
        await proxy.stop()
