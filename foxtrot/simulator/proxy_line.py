"""One connection through the proxy: two ways, each with what it suffers."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, get_args

from foxtrot.simulator.toxics import Stream, Toxic, dice_of

_AT_ONCE = 1 << 16
_WAITING = 256
"""Pieces that one way may hold back; then its sender has to wait."""
_BREATH_S = 0.1
"""What a narrow line takes in at once."""
_RESET = struct.pack("ii", 1, 0)
"""To linger for no time: closing is a reset, then."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Suffering(Protocol):
    """Says what a way suffers at the moment."""

    def __call__(self, stream: Stream, number: int) -> Mapping[str, Toxic]:
        """The toxics of one way of a connection, by name."""


class Line:
    """One client, and the connection that was made for it.

    Args:
        number: Its place among all connections of the proxy.
        seed: Of its dice.
        near: The client.
        far: Whom it wanted.
        suffering: Asked for each piece.
    """

    def __init__(
        self, number: int, seed: int, near: Streams, far: Streams, suffering: Suffering
    ) -> None:
        self.number, self.torn = number, False
        self.changed = asyncio.Event()
        """Set when its toxics may be others."""
        self._writers = near[1], far[1]
        self._suffering = suffering
        self._ways = (
            _Way(self, "downstream", far[0], near[1], dice_of(seed, number, "downstream")),
            _Way(self, "upstream", near[0], far[1], dice_of(seed, number, "upstream")),
        )
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Pass on until both sides have ended, or one of them was reset."""
        for stream in get_args(Stream):
            for toxic in self.standing(stream).values():
                self.suffer(toxic)
        ways = asyncio.gather(*(way.run() for way in self._ways))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((ways, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (ways, ended):
                each.cancel()
            await asyncio.gather(ways, ended, return_exceptions=True)
            self.close()

    def standing(self, stream: Stream) -> Mapping[str, Toxic]:
        """What one way of it suffers."""
        return self._suffering(stream, self.number)

    def suffer(self, toxic: Toxic) -> None:
        """Begin what befalls the connection as a whole."""
        if toxic.name == "half_open":
            self.torn = True
        elif toxic.name == "reset_peer":
            self._later(toxic, self.reset)
        elif toxic.name == "timeout" and toxic.delay_s > 0:
            self._later(toxic, self.close)

    def close(self) -> None:
        """End it in good order."""
        self._ended.set()
        for writer in self._writers:
            writer.close()

    def reset(self) -> None:
        """End it by a reset on both sides."""
        self._ended.set()
        for writer in self._writers:
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def _later(self, toxic: Toxic, end: Callable[[], None]) -> None:
        def due() -> None:
            if self.standing(toxic.stream).get(toxic.name) == toxic:
                end()

        asyncio.get_running_loop().call_later(toxic.delay_s, due)


class _Way:
    """One way of a line: what comes is held as long as it is late, and passed on in pieces."""

    def __init__(
        self,
        line: Line,
        stream: Stream,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        dice: random.Random,
    ) -> None:
        self._line, self._stream, self._dice = line, stream, dice
        self._reader, self._writer = reader, writer
        self._held: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(_WAITING)
        self._passed, self._sound = 0, 0

    async def run(self) -> None:
        """Pass on until the end, and the end as well."""
        receiving = asyncio.ensure_future(self._receive())
        try:
            await self._deliver()
            self._writer.write_eof()
        except OSError:  # whom it is for has reset the line; who sends finds out by that
            self._line.reset()
        finally:
            receiving.cancel()

    async def _receive(self) -> None:
        data: bytes | None = b"?"
        while data:
            try:
                data = await self._reader.read(_AT_ONCE)
            except ConnectionError:
                data = None
            await self._held.put((self._due(), data))

    def _due(self) -> float:
        now = asyncio.get_running_loop().time()
        latency = self._toxic("latency")
        if latency is None:
            return now
        return now + max(0.0, latency.delay_s + self._dice.uniform(-1, 1) * latency.jitter_s)

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._held.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if self._line.torn or self._toxic("timeout") is not None:
                if data:
                    continue
                await self._never_told()
            if not data:
                await asyncio.sleep(self._delay("slow_close"))
            if data is None:
                self._line.reset()
            if not data:
                return
            if not await self._pass(data):
                self._line.close()
                return

    async def _never_told(self) -> None:
        """Nothing gets through, and so no end does."""
        while self._line.torn or self._toxic("timeout") is not None:
            self._line.changed.clear()
            await self._line.changed.wait()

    async def _pass(self, data: bytes) -> bool:
        """Whether there may be more."""
        data, last = self._limited(self._corrupted(data))
        for piece in self._pieces(data):
            narrow, slicer = self._toxic("bandwidth"), self._toxic("slicer")
            if narrow is not None:
                await asyncio.sleep(len(piece) / narrow.rate_bytes_s)
            if slicer is not None:
                await asyncio.sleep(slicer.delay_s)  # also 0: the other side reads a piece
            self._writer.write(piece)
            await self._writer.drain()
        return not last

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self._size()
            yield data[:size]
            data = data[size:]

    def _size(self) -> int:
        size = _AT_ONCE
        slicer, narrow = self._toxic("slicer"), self._toxic("bandwidth")
        if slicer is not None:
            spread = slicer.variation_bytes
            size = slicer.size_bytes + self._dice.randint(-spread, spread)
        if narrow is not None:
            size = min(size, int(narrow.rate_bytes_s * _BREATH_S))
        return max(1, size)

    def _limited(self, data: bytes) -> tuple[bytes, bool]:
        limit = self._toxic("limit_data")
        if limit is None:
            self._passed = 0
            return data, False
        data = data[: limit.size_bytes - self._passed]
        self._passed += len(data)
        return data, self._passed >= limit.size_bytes

    def _corrupted(self, data: bytes) -> bytes:
        corrupt = self._toxic("corrupt")
        if corrupt is None:
            return data
        wrong = bytearray(data)
        place = self._sound
        while place < len(wrong):
            wrong[place] ^= 1 << self._dice.randrange(8)
            place += self._dice.randint(1, 2 * corrupt.size_bytes)
        self._sound = place - len(wrong)
        return bytes(wrong)

    def _toxic(self, name: str) -> Toxic | None:
        return self._line.standing(self._stream).get(name)

    def _delay(self, name: str) -> float:
        toxic = self._toxic(name)
        return toxic.delay_s if toxic is not None else 0.0
