"""A client of the simulated OpenD that speaks in single frames, for tests of the wire."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Any

from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Proto, module

DEADLINE_S = 5.0
_HEAD = struct.Struct("<2sIBBII20s8s")

Raw = tuple[int, int, int, bytes, bytes]
"""Id, format, serial number, checksum and body of a frame."""


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.pushed: list[Raw] = []
        self._serial = 0

    def send(self, proto: int, **c2s: Any) -> int:
        """Send a request; returns its serial number."""
        self._serial += 1
        request = module(Proto(proto).name).Request(c2s=c2s)
        self.writer.write(wire.encode(proto, self._serial, request.SerializeToString()))
        return self._serial

    async def ask(self, proto: Proto, **c2s: Any) -> Any:
        """Send a request and read to its answer; pushes that come before it are kept."""
        serial = self.send(proto, **c2s)
        while True:
            raw = await self.read()
            if raw[0] == proto and raw[2] == serial:
                return self.parsed(raw)
            self.pushed.append(raw)

    async def shake_hands(self) -> Any:
        """Say who this is."""
        return await self.ask(
            Proto.InitConnect, clientVer=300, clientID="raw", recvNotify=True, packetEncAlgo=-1
        )

    async def subscribe(self, *types: int, code: str = "00700", first: bool = False) -> Any:
        """Have a stock of Hong Kong pushed."""
        return await self.ask(
            Proto.Qot_Sub,
            securityList=[{"market": 1, "code": code}],
            subTypeList=types,
            isSubOrUnSub=True,
            isRegOrUnRegPush=True,
            isFirstPush=first,
        )

    async def read(self) -> Raw:
        """The next frame, whatever is wrong with it.

        Raises:
            asyncio.IncompleteReadError: The line ended first.
        """
        async with asyncio.timeout(DEADLINE_S):
            head = await self.reader.readexactly(_HEAD.size)
            _, proto, kind, _, serial, length, sha, _ = _HEAD.unpack(head)
            return proto, kind, serial, sha, await self.reader.readexactly(length)

    async def ended(self) -> bytes:
        """Wait for the end of the line; returns what came before it."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    @staticmethod
    def parsed(raw: Raw) -> Any:
        """The message of a frame."""
        answer = module(Proto(raw[0]).name).Response()
        answer.ParseFromString(raw[4])
        return answer


@contextlib.asynccontextmanager
async def connected(venue: SimulatedFutu, *, shaken: bool = True) -> AsyncIterator[Client]:
    """A connection; with its handshake done, unless it is said otherwise."""
    client = Client(*await asyncio.open_connection(venue.host, venue.port))
    try:
        if shaken:
            await client.shake_hands()
        yield client
    finally:
        client.writer.close()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()
