"""What the sessions of all venues have in common: see `supervisor.Session`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.errors import ConnectionClosed, FoxtrotError, VenueError
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.venue import VenueT
from foxtrot.model.constants import Exchange, StreamState
from foxtrot.model.health import StreamKey

_DROPPED = 1006

FoundT = TypeVar("FoundT")


class BaseSession(ABC, Generic[VenueT]):
    """A session of any venue: its loss is told once.

    Args:
        venue: What the sessions share.
        counters: Of this kind of session.
    """

    def __init__(self, venue: VenueT, counters: FeedCounters) -> None:
        self._venue, self._counters = venue, counters
        self._lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.endpoint = venue.settings.endpoint
        self.report: Callable[[StreamKey, StreamState, str], None] = _unheard

    @property
    @abstractmethod
    def received(self) -> int:
        """Application messages so far."""

    @abstractmethod
    async def prepare(self) -> None:
        """Import the SDK, the first time."""

    @abstractmethod
    async def open(self) -> None:
        """Connect."""

    @abstractmethod
    async def sync(self) -> None:
        """Fetch or tell what must be known before the session may be called READY."""

    @abstractmethod
    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams."""

    @abstractmethod
    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back."""

    @abstractmethod
    async def run(self) -> None:
        """Work until the connection is lost."""

    @abstractmethod
    async def probe(self) -> None:
        """Ask for a sign of life."""

    @abstractmethod
    async def close(self) -> None:
        """Give everything back."""

    def fail(self, error: FoxtrotError) -> None:
        """The session is lost; the first cause counts."""
        if not self._lost.done():
            self._lost.set_result(error)

    async def raise_when_lost(self) -> None:
        """Wait for the loss and raise its cause."""
        raise await asyncio.shield(self._lost)


class Line(Protocol):
    """A connection of an SDK's, as its session needs it."""

    @property
    def received(self) -> int:
        """Application messages so far."""

    async def probe(self) -> None:
        """Ask the other side for a sign of life."""


LineT = TypeVar("LineT", bound=Line)


class LineSession(BaseSession[VenueT], Generic[VenueT, LineT]):
    """A session over one connection, which it has from `open` to `close`."""

    _connection: LineT | None = None

    @property
    def received(self) -> int:
        """Messages of this session so far."""
        return self._connection.received if self._connection is not None else 0

    @property
    def client(self) -> LineT:
        """The connection.

        Raises:
            ConnectionClosed: It is not open, or not any more.
        """
        if self._connection is None:
            raise not_open()
        return self._connection

    async def probe(self) -> None:
        """Ask the other side for a sign of life."""
        await self.client.probe()

    def _on_lost(self, lost: asyncio.Future[FoxtrotError]) -> None:
        self.fail(lost.result())


def not_open() -> ConnectionClosed:
    """What is raised where a session is needed that is not open, or not any more."""
    return ConnectionClosed(_DROPPED, "the session is not open")


def told_apart(
    keys: Sequence[StreamKey],
    answers: Mapping[tuple[str, Exchange], FoundT | VenueError],
) -> tuple[dict[StreamKey, FoundT], dict[StreamKey, FoxtrotError]]:
    """The contracts of some streams, and why the others have none."""
    found: dict[StreamKey, FoundT] = {}
    refused: dict[StreamKey, FoxtrotError] = {}
    for key in keys:
        answer = answers[key.symbol, key.exchange]
        if isinstance(answer, VenueError):
            refused[key] = answer
        else:
            found[key] = answer
    return found, refused


def _unheard(key: StreamKey, state: StreamState, reason: str) -> None:
    """Nobody listens yet."""
