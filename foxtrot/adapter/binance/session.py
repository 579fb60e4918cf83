"""What every Binance session is: a client, the contracts, and a loss that is told once."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import ClassVar, TypeVar

import msgspec

from foxtrot.adapter.binance import limits, mapping
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.marks import Mark
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.connectivity.diagnostics import labels
from foxtrot.core.logs import get_logger
from foxtrot.errors import FoxtrotError, RateLimited, UnknownSymbol, VenueUnavailable
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.marks import BaseMarks
from foxtrot.gateway.session import BaseSession
from foxtrot.gateway.venue import BaseVenue
from foxtrot.model.constants import Interval
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import Source

log = get_logger("foxtrot.binance.session")

T = TypeVar("T")

_CONTRACTS_LAST_S = 3600.0


class Venue(BaseVenue[BinanceSettings, Contracts, Mark]):
    """A Binance environment: the budget of this address, and questions that several ask.

    Args:
        name: Of the adapter.
        settings: What `connect` was given.
        contracts: Those that are listed.
        marks: How far each stream was told.
        port: The adapter.
        weights: What was used of the request weight.
    """

    def __init__(
        self,
        name: str,
        settings: BinanceSettings,
        contracts: Contracts,
        marks: BaseMarks[Mark],
        port: BaseAdapter,
        weights: limits.WeightWindow,
    ) -> None:
        super().__init__(name, settings, contracts, marks, port)
        self.weights = weights

    def client(self, *, hurries: bool = False) -> BinanceClient:
        """A fresh client; unless it is one that `hurries`, it lets those pass that are."""
        weights, yields = self.weights, not hurries
        return BinanceClient(self.settings, self.config, weights, self.name, yields=yields)

    async def load_contracts(self, client: BinanceClient) -> None:
        """Load the contracts, unless that was done within the hour, and push what is new.

        Symbols are listed, and their steps change, while foxtrot runs.

        Raises:
            FoxtrotError: They cannot be had, and there are none from before; or nothing may be
                asked for a while.
        """
        now = self.port.clock.monotonic()
        if len(self.contracts) and now < self.contracts.due_at:
            return
        try:
            markets = await client.load_markets()
        except FoxtrotError as error:
            if not len(self.contracts) or isinstance(error, RateLimited):
                raise
            log.warning("contracts_not_refreshed", venue=self.name, **labels(error))
            return
        self.contracts.due_at = now + _CONTRACTS_LAST_S
        for contract in self.contracts.load(markets):
            self.port.on_contract(contract)

    async def tickers(
        self,
        client: BinanceClient,
        symbols: Sequence[str],
        unlisted: MutableMapping[str, UnknownSymbol],
    ) -> list[mapping.RestTicker]:
        """The 24 h tickers of at most 100 symbols, in one request.

        Args:
            client: Whom to ask with.
            symbols: Of which.
            unlisted: Is given those that the venue does not know any more. For one of them it
                refuses all, so that the others are asked for by halves.
        """
        names = msgspec.json.encode(list(symbols)).decode()
        weight = limits.tickers_weight(len(symbols))
        try:
            answer = await client.get("ticker/24hr", {"symbols": names}, weight=weight)
        except UnknownSymbol as error:
            if len(symbols) == 1:
                unlisted[symbols[0]] = error
                return []
            middle = len(symbols) // 2
            first = await self.tickers(client, symbols[:middle], unlisted)
            return first + await self.tickers(client, symbols[middle:], unlisted)
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


class BinanceSession(BaseSession[Venue]):
    """A session with a client of its own, fresh as it is."""

    hurries: ClassVar[bool] = False
    """Whether its questions go before those of others."""

    def __init__(self, venue: Venue, counters: FeedCounters) -> None:
        super().__init__(venue, counters)
        self._client = venue.client(hurries=self.hurries)

    @property
    def received(self) -> int:
        """Application messages so far, over all sessions of this kind."""
        return self._counters.received

    async def prepare(self) -> None:
        """Open the client, which imports ccxt the first time."""
        await self._client.open()

    async def sync(self) -> None:
        """Load the contracts, if they are not of late."""
        await self._venue.load_contracts(self._client)

    async def close(self) -> None:
        """Close the client and all that it opened."""
        await self._client.close()

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
