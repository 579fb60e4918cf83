"""What every Futu session is: one connection of its own, the contracts, and a loss told once."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence

from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.contracts import Contracts
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import pace_of
from foxtrot.adapter.futu.overview import Quota
from foxtrot.adapter.futu.schema import Message, Proto
from foxtrot.adapter.futu.sdk import load
from foxtrot.adapter.futu.settings import FutuSettings
from foxtrot.adapter.futu.slots import Marks
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import ConnectionClosed, FoxtrotError
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.futu.session")

_DROPPED = 1006
_SAME_S = 1.0
"""Within which an event of OpenD's comes over all connections."""


class Venue:
    """What the sessions of one adapter share, and what outlives each of them.

    Args:
        name: Of the adapter.
        settings: What `connect` was given.
        contracts: Looked up so far.
        marks: How far each stream was told.
        port: The adapter.

    Attributes:
        quota: What OpenD said last of its quotas; None while nobody asks it.
    """

    def __init__(
        self,
        name: str,
        settings: FutuSettings,
        contracts: Contracts,
        marks: Marks,
        port: BaseAdapter,
    ) -> None:
        self.name, self.settings = name, settings
        self.contracts, self.marks, self.port = contracts, marks, port
        self.quota: Quota | None = None
        self._shared: FutuClient | None = None
        self._opening: asyncio.Lock | None = None
        self._heard = 0, -math.inf
        """The event that OpenD told last, and when."""

    @property
    def config(self) -> StreamConfig:
        """Deadlines, as the settings say now."""
        return self.port.stream_config

    @property
    def flags(self) -> FeatureFlags:
        """The settings of the moment."""
        return self.port.settings.for_adapter(self.name)

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

    def forget_if_unwanted(self, key: StreamKey) -> None:
        """Forget how far a stream was told, unless it only changes its session."""
        if self.port.request_of(key) is None:
            self.marks.forget(key)


class FutuSession(ABC):
    """The common part of all sessions; see `supervisor.Session`.

    Args:
        venue: What the sessions share.
        counters: Of this kind of session.
    """

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        self._venue, self._counters = venue, counters
        self._connection: FutuClient | None = None
        self._lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.endpoint = venue.settings.endpoint
        self.report: Callable[[StreamKey, StreamState, str], None] = _unheard

    @property
    def received(self) -> int:
        """Messages of this session so far."""
        return self._connection.received if self._connection is not None else 0

    @property
    def client(self) -> FutuClient:
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
        """Open a connection of its own."""
        client = self._venue.new_client()
        client.unreadable = self._counters.unreadable
        client.on_push(Proto.Notify, self._on_notice)
        client.lost.add_done_callback(self._on_lost)
        await client.open()
        self._connection = client

    async def sync(self) -> None:  # noqa: B027 - contracts are looked up on demand
        """Nothing."""

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
        """Ask OpenD for its state."""
        await self.client.probe()

    async def close(self) -> None:
        """Close the connection."""
        client, self._connection = self._connection, None
        if client is not None:
            await client.close()

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
            FoxtrotError: The question was not answered: the connection is in question.
        """
        names = [(key.symbol, key.exchange) for key in keys]
        answers = await self._venue.contracts.resolve_all(self.client, names)
        found: dict[StreamKey, Instrument] = {}
        refused: dict[StreamKey, FoxtrotError] = {}
        for key in keys:
            answer = answers[key.symbol, key.exchange]
            if isinstance(answer, Instrument):
                found[key] = answer
            else:
                refused[key] = answer
        return found, refused

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

    def _on_lost(self, lost: asyncio.Future[FoxtrotError]) -> None:
        self.fail(lost.result())


def _unheard(key: StreamKey, state: StreamState, reason: str) -> None:
    """Nobody listens yet."""
