"""What every Binance session is: a client, the contracts, and a loss that is told once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from foxtrot.adapter.binance import limits, mapping
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.marks import Marks
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.connectivity.pacing import RollingWindow
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import FoxtrotError, UnknownSymbol, VenueUnavailable
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Interval, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Venue:
    """What the sessions of one adapter share, and what outlives each of them."""

    name: str
    settings: BinanceSettings
    contracts: Contracts
    weights: RollingWindow
    marks: Marks
    port: BaseAdapter

    @property
    def config(self) -> StreamConfig:
        """Deadlines, as the settings say now."""
        return self.port.stream_config

    @property
    def flags(self) -> FeatureFlags:
        """The settings of the moment."""
        return self.port.settings.for_adapter(self.name)

    def client(self) -> BinanceClient:
        """A fresh client."""
        return BinanceClient(self.settings, self.config, self.weights, self.name)

    def forget_if_unwanted(self, key: StreamKey) -> None:
        """Forget how far a stream was told, unless it only changes its session."""
        if self.port.request_of(key) is None:
            self.marks.forget(key)

    async def load_contracts(self, client: BinanceClient) -> None:
        """Load the contracts, unless that was done before, and push them."""
        if len(self.contracts):
            return
        for contract in self.contracts.load(await client.load_markets()):
            self.port.on_contract(contract)

    async def tickers(
        self, client: BinanceClient, symbols: Sequence[str]
    ) -> list[mapping.RestTicker]:
        """The 24 h tickers of at most 100 symbols, in one request."""
        names = msgspec.json.encode(list(symbols)).decode()
        weight = limits.tickers_weight(len(symbols))
        answer = await client.get("ticker/24hr", {"symbols": names}, weight=weight)
        return self.converted(answer, list[mapping.RestTicker], "ticker/24hr")

    async def book(self, client: BinanceClient, symbol: str, levels: int) -> mapping.DepthSnapshot:
        """The order book of one symbol."""
        params: dict[str, str | int] = {"symbol": symbol, "limit": levels}
        answer = await client.get("depth", params, weight=limits.depth_weight(levels))
        return self.converted(answer, mapping.DepthSnapshot, "depth")

    async def candles(
        self,
        client: BinanceClient,
        symbol: str,
        interval: Interval,
        page: Mapping[str, str | int],
    ) -> list[mapping.Row]:
        """Bars of one symbol, oldest first."""
        params = {"symbol": symbol, "interval": mapping.INTERVALS[interval], **page}
        answer = await client.get("klines", params, weight=limits.KLINES_WEIGHT)
        return self.converted(answer, list[mapping.Row], "klines")

    def converted(self, answer: object, kind: type[T], path: str) -> T:
        """The venue's answer as a typed object.

        Raises:
            VenueUnavailable: It has other fields than Binance documents.
        """
        try:
            return msgspec.convert(answer, kind, strict=False)
        except msgspec.ValidationError:
            text = f"the answer to {path} has other fields than documented"
            raise VenueUnavailable(self.name, "", text) from None


class BinanceSession(ABC):
    """The common part of the websocket and the polling session; see `supervisor.Session`."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        self._venue, self._counters = venue, counters
        self._client = venue.client()
        self._lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.endpoint = venue.settings.endpoint
        self.report: Callable[[StreamKey, StreamState, str], None] = _unheard

    @property
    def received(self) -> int:
        """Application messages so far, over all sessions of this kind."""
        return self._counters.received

    async def prepare(self) -> None:
        """Open the client, which imports ccxt the first time."""
        await self._client.open()

    @abstractmethod
    async def open(self) -> None:
        """Connect."""

    @abstractmethod
    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for streams."""

    @abstractmethod
    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Give streams back."""

    @abstractmethod
    async def probe(self) -> None:
        """Ask for a sign of life."""

    @abstractmethod
    async def run(self) -> None:
        """Work until the connection is lost."""

    async def sync(self) -> None:
        """Load the contracts the first time."""
        await self._venue.load_contracts(self._client)

    async def close(self) -> None:
        """Close the client and all that it opened."""
        await self._client.close()

    def fail(self, error: FoxtrotError) -> None:
        """The session is lost; the first cause counts."""
        if not self._lost.done():
            self._lost.set_result(error)

    async def raise_when_lost(self) -> None:
        """Wait for the loss and raise its cause."""
        raise await asyncio.shield(self._lost)

    def sources(
        self, keys: Sequence[StreamKey]
    ) -> tuple[dict[StreamKey, Source], dict[StreamKey, FoxtrotError]]:
        """The sources of the known symbols, and the refusals of the others."""
        known: dict[StreamKey, Source] = {}
        refused: dict[StreamKey, FoxtrotError] = {}
        for key in keys:
            try:
                known[key] = self._venue.contracts.source(key.symbol)
            except UnknownSymbol as error:
                refused[key] = error
        return known, refused


def _unheard(key: StreamKey, state: StreamState, reason: str) -> None:
    """Nobody listens yet."""
