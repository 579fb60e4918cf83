"""What every Futu session is: one connection of its own, the contracts, and a loss told once."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Sequence

from foxtrot.adapter.futu.account import Holdings
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.contracts import Contracts
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import pace_of
from foxtrot.adapter.futu.order_feed import Paid
from foxtrot.adapter.futu.overview import Quota
from foxtrot.adapter.futu.schema import Message, Proto
from foxtrot.adapter.futu.sdk import load
from foxtrot.adapter.futu.settings import FutuSettings
from foxtrot.adapter.futu.slots import Mark
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import FoxtrotError
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.marks import BaseMarks
from foxtrot.gateway.session import LineSession, told_apart
from foxtrot.gateway.venue import BaseVenue
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.futu.session")

_SAME_S = 1.0
"""Within which an event of OpenD's comes over all connections."""


class Venue(BaseVenue[FutuSettings, Contracts, Mark]):
    """An OpenD: the connection that questions share, and what it said of itself.

    Attributes:
        quota: What OpenD said last of its quotas; None while nobody asks it.
        holdings: Of each account that was traded, by its number: what was closed while nobody
            listened is told by the next session.
        paid: What was told of orders in paper trading, which shows means alone.
    """

    def __init__(
        self,
        name: str,
        settings: FutuSettings,
        contracts: Contracts,
        marks: BaseMarks[Mark],
        port: BaseAdapter,
    ) -> None:
        super().__init__(name, settings, contracts, marks, port)
        self.quota: Quota | None = None
        self.holdings: dict[int, Holdings] = {}
        self.paid: Paid = {}
        self._shared: FutuClient | None = None
        self._opening: asyncio.Lock | None = None
        self._heard = 0, -math.inf
        """The event that OpenD told last, and when."""

    def new_client(self) -> FutuClient:
        """A connection, unopened; on the loop thread."""
        pace = pace_of(self.name, self.settings.endpoint)
        return FutuClient(self.name, self.settings, self.config, pace)

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncIterator[FutuClient]:
        """The connection of history and lookups, which streams and orders do not need.

        Raises:
            ConnectError: It cannot be opened.
        """
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            client = self._shared
            if client is None or client.lost.done():
                client = self._shared = self.new_client()  # known before it is open, to be released
                await client.open()
        yield client

    async def release(self) -> None:
        """Close the shared connection; the next question makes a new one."""
        client, self._shared = self._shared, None
        if client is not None:
            await client.close()

    def heard(self, kind: int, text: str) -> None:
        """Pass on an event of OpenD's, which tells each of our connections. On any thread."""
        now, (before, at) = time.monotonic(), self._heard
        self._heard = kind, now
        if kind == before and now - at < _SAME_S:
            return
        words = scrub(text, limit=TEXT_LIMIT)
        log.warning("opend_says", venue=self.name, kind=kind, text=words)
        self.port.write_log(f"{self.name}: OpenD says: {words}")


class FutuSession(LineSession[Venue, FutuClient]):
    """A session over a connection of its own."""

    async def prepare(self) -> None:
        """Import the SDK, the first time."""
        await load()

    async def open(self) -> None:
        """Open a connection of its own."""
        client = self._venue.new_client()
        client.unreadable = self._counters.unreadable
        client.on_push(Proto.Notify, self._on_notice)
        client.lost.add_done_callback(self._on_lost)
        await client.open()
        self._connection = client

    async def sync(self) -> None:
        """Nothing: contracts are looked up on demand."""

    async def close(self) -> None:
        """Close the connection."""
        client, self._connection = self._connection, None
        if client is not None:
            await client.close()

    async def instruments(
        self, keys: Sequence[StreamKey]
    ) -> tuple[dict[StreamKey, Instrument], dict[StreamKey, FoxtrotError]]:
        """The contracts of these streams, and why some have none.

        Raises:
            FoxtrotError: The question was not answered: the connection is in question.
        """
        names = [(key.symbol, key.exchange) for key in keys]
        answers = await self._venue.contracts.resolve_all(self.client, names)
        return told_apart(keys, answers)

    def _on_notice(self, s2c: Message) -> None:
        """OpenD says something of itself; on the network thread."""
        self._counters.received += 1
        self._counters.control += 1
        if s2c.HasField("connectStatus"):
            status = s2c.connectStatus
            up = bool(status.qotLogined), bool(status.trdLogined)
            say = log.info if all(up) else log.warning
            say("opend_servers", venue=self._venue.name, quotes=up[0], trading=up[1])
        elif s2c.HasField("event"):
            self._venue.heard(int(s2c.event.eventType), str(s2c.event.desc))
