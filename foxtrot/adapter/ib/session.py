"""What every IB session is: one leased connection, the contracts, and a loss told once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from foxtrot.adapter.ib.account import Holdings
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.client_ids import IbClientIdRegistry
from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.fill_log import Revisions
from foxtrot.adapter.ib.instruments import Instrument, Name
from foxtrot.adapter.ib.limits import IbPaceManager, pace_of
from foxtrot.adapter.ib.pool import IbConnectionPool
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.sdk import load
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.adapter.ib.slots import Mark
from foxtrot.errors import FoxtrotError, VenueError, VenueUnavailable
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.marks import BaseMarks
from foxtrot.gateway.session import LineSession, told_apart
from foxtrot.gateway.venue import BaseVenue
from foxtrot.model.health import Fact, StreamKey

Pool: TypeAlias = IbConnectionPool[IbClient]


class Venue(BaseVenue[IbSettings, Contracts, Mark]):
    """A TWS: its connections, and the pace of all that ask it."""

    def __init__(
        self,
        name: str,
        settings: IbSettings,
        contracts: Contracts,
        marks: BaseMarks[Mark],
        port: BaseAdapter,
    ) -> None:
        super().__init__(name, settings, contracts, marks, port)
        self.holdings: dict[str, Holdings] = {}
        """Of each account that was traded, as the last session knew them."""
        self.revisions: dict[str, Revisions] = {}
        """Of each account's fills: what was corrected while no session listened."""
        self.unsure_ns: dict[str, int] = {}
        """Since when fills of an account may not be known, as TWS was without IB."""
        self._pool: Pool | None = None
        self._pace: IbPaceManager | None = None

    @property
    def pace(self) -> IbPaceManager:
        """The turns of this TWS; on the loop thread."""
        if self._pace is None:
            self._pace = pace_of(self.settings.endpoint)
        return self._pace

    @property
    def pool(self) -> Pool:
        """The connections; on the loop thread."""
        if self._pool is None:
            settings = self.settings
            ids = IbClientIdRegistry(
                self.name, settings.endpoint, settings.client_id, account=settings.account_key
            )
            self._pool = IbConnectionPool(self.name, ids, self._connection)
        return self._pool

    def facts(self, now: float) -> dict[str, Fact]:
        """The connections, their client ids and the pace; from any thread."""
        pool, pace = self._pool, self._pace
        facts = pool.facts() if pool is not None else {}
        return facts | (pace.facts(now) if pace is not None else {})

    def close_idle(self) -> None:
        """Close the connections that nobody uses at the moment; on the loop thread."""
        if self._pool is not None:
            self._pool.close_idle()

    async def release(self) -> None:
        """Close the connections; the next question makes new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    def _connection(self, client_id: int, purpose: Purpose) -> IbClient:
        return IbClient(self.name, self.settings, self.config, self.pace, client_id)


class IbSession(LineSession[Venue, IbClient]):
    """A session over a connection that it leases.

    Args:
        venue: What the sessions share.
        counters: Of this kind of session.
        purpose: Of its connection.
    """

    def __init__(self, venue: Venue, counters: FeedCounters, purpose: Purpose) -> None:
        super().__init__(venue, counters)
        self._purpose = purpose

    async def prepare(self) -> None:
        """Import the SDK, the first time."""
        await load()

    async def open(self) -> None:
        """Lease a connection."""
        self._pool = self._venue.pool
        client = await self._pool.take(self._purpose, self._venue.config.connect_timeout_s)
        self._connection = client
        client.inbox.on_unreadable = self._counters.unreadable
        client.lost.add_done_callback(self._on_lost)

    async def sync(self) -> None:
        """Tell TWS which kind of market data is wanted; contracts are looked up on demand."""
        kind = self._venue.settings.market_data_type
        await self.client.tell(lambda raw: raw.reqMarketDataType(kind))

    async def close(self) -> None:
        """Give the connection back, which closes it."""
        client, self._connection = self._connection, None
        if client is not None:
            client.inbox.market = client.inbox.trading = None
            await self._pool.give_back(client)

    async def instruments(
        self, keys: Sequence[StreamKey]
    ) -> tuple[dict[StreamKey, Instrument], dict[StreamKey, FoxtrotError]]:
        """The contracts of these streams, and why some have none.

        Raises:
            FoxtrotError: The connection was lost, or TWS answers nothing at all.
        """
        names = list(dict.fromkeys((key.symbol, key.exchange) for key in keys))
        client, contracts = self.client, self._venue.contracts
        answers = await asyncio.gather(
            *(contracts.resolve(client, *name) for name in names), return_exceptions=True
        )
        known: dict[Name, Instrument | VenueError] = {}
        for name, answer in zip(names, answers, strict=True):
            if not isinstance(answer, Instrument | VenueError):
                raise answer
            known[name] = answer
        if any(isinstance(answer, VenueUnavailable) for answer in answers):
            await client.probe()  # silent about a contract, or about everything?
        return told_apart(keys, known)
