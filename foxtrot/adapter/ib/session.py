"""What every IB session is: one leased connection, the contracts, and a loss told once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.client_ids import IbClientIdRegistry
from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.limits import IbPaceManager, pace_of
from foxtrot.adapter.ib.pool import IbConnectionPool
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.sdk import load
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.adapter.ib.slots import Marks
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import ConnectionClosed, FoxtrotError, RateLimited, VenueError, VenueUnavailable
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import StreamState
from foxtrot.model.health import Fact, StreamKey

Pool: TypeAlias = IbConnectionPool[IbClient]

_DROPPED = 1006


class Venue:
    """What the sessions of one adapter share, and what outlives each of them.

    Args:
        name: Of the adapter.
        settings: What `connect` was given.
        contracts: Looked up so far.
        marks: How far each stream was told.
        port: The adapter.
    """

    def __init__(
        self,
        name: str,
        settings: IbSettings,
        contracts: Contracts,
        marks: Marks,
        port: BaseAdapter,
    ) -> None:
        self.name, self.settings = name, settings
        self.contracts, self.marks, self.port = contracts, marks, port
        self._pool: Pool | None = None
        self._pace: IbPaceManager | None = None

    @property
    def config(self) -> StreamConfig:
        """Deadlines, as the settings say now."""
        return self.port.stream_config

    @property
    def flags(self) -> FeatureFlags:
        """The settings of the moment."""
        return self.port.settings.for_adapter(self.name)

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

    def forget_if_unwanted(self, key: StreamKey) -> None:
        """Forget how far a stream was told, unless it only changes its session."""
        if self.port.request_of(key) is None:
            self.marks.forget(key)

    def _connection(self, client_id: int, purpose: Purpose) -> IbClient:
        return IbClient(self.name, self.settings, self.config, self.pace, client_id)


class IbSession(ABC):
    """The common part of all sessions; see `supervisor.Session`.

    Args:
        venue: What the sessions share.
        counters: Of this kind of session.
        purpose: Of its connection.
    """

    def __init__(self, venue: Venue, counters: FeedCounters, purpose: Purpose) -> None:
        self._venue, self._counters, self._purpose = venue, counters, purpose
        self._connection: IbClient | None = None
        self._lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.endpoint = venue.settings.endpoint
        self.report: Callable[[StreamKey, StreamState, str], None] = _unheard

    @property
    def received(self) -> int:
        """Application messages of this session so far."""
        return self._connection.received if self._connection is not None else 0

    @property
    def client(self) -> IbClient:
        """The connection.

        Raises:
            ConnectionClosed: It is not open, or not any more.
        """
        if self._connection is None:
            raise ConnectionClosed(_DROPPED, "the session is not open")
        return self._connection

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

    @abstractmethod
    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams."""

    @abstractmethod
    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back."""

    @abstractmethod
    async def run(self) -> None:
        """Work until the connection is lost."""

    async def probe(self) -> None:
        """Ask TWS for its time."""
        await self.client.probe()

    async def close(self) -> None:
        """Give the connection back, which closes it."""
        client, self._connection = self._connection, None
        if client is not None:
            client.inbox.market = client.inbox.trading = None
            await self._pool.give_back(client)

    def fail(self, error: FoxtrotError) -> None:
        """The session is lost; the first cause counts."""
        if not self._lost.done():
            self._lost.set_result(error)

    async def raise_when_lost(self) -> None:
        """Wait for the loss and raise its cause."""
        raise await asyncio.shield(self._lost)

    async def instruments(
        self, keys: Sequence[StreamKey]
    ) -> tuple[dict[StreamKey, Instrument], dict[StreamKey, FoxtrotError]]:
        """The contracts of these streams, and why some have none.

        Raises:
            FoxtrotError: The questions could not be answered: the connection is in question.
        """
        names = list(dict.fromkeys((key.symbol, key.exchange) for key in keys))
        client, contracts = self.client, self._venue.contracts
        answers = await asyncio.gather(
            *(contracts.resolve(client, *name) for name in names), return_exceptions=True
        )
        by_name = dict(zip(names, answers, strict=True))
        found: dict[StreamKey, Instrument] = {}
        refused: dict[StreamKey, FoxtrotError] = {}
        for key in keys:
            answer = by_name[key.symbol, key.exchange]
            if isinstance(answer, Instrument):
                found[key] = answer
            elif isinstance(answer, VenueError) and not isinstance(answer, _IN_QUESTION):
                refused[key] = answer
            elif isinstance(answer, BaseException):
                raise answer
        return found, refused

    def _on_lost(self, lost: asyncio.Future[FoxtrotError]) -> None:
        self.fail(lost.result())


_IN_QUESTION = (VenueUnavailable, RateLimited)
"""Errors that say nothing of the contract that was asked for."""


def _unheard(key: StreamKey, state: StreamState, reason: str) -> None:
    """Nobody listens yet."""
