"""A local line to a host behind TLS, which can be cut in the middle."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import Future
from typing import Self

_START_S = 10.0


class Cut:
    """Listens on loopback without TLS and talks TLS to `host`; the Host header is rewritten.

    Args:
        host: Where everything goes.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._remote = host, port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="cut-line", daemon=True)
        self._ready: Future[int] = Future()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._ready.result(_START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)
        self._loop.close()

    def cut(self) -> None:
        """Drop every connection that stands."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._ready.set_result(server.sockets[0].getsockname()[1])
        self._loop.run_forever()
        self._abort()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = ssl.create_default_context()
        far_reader, far_writer = await asyncio.open_connection(
            self._host, self._remote, ssl=context
        )
        self._writers |= {writer, far_writer}
        head = await reader.readuntil(b"\r\n\r\n")
        local = f"127.0.0.1:{self.port}".encode()
        far_writer.write(head.replace(local, self._host.encode()))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, far_writer))
                group.create_task(_pass_on(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            for each in (writer, far_writer):
                each.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
