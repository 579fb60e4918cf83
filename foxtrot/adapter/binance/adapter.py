"""BinanceAdapter: the wiring of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from foxtrot.adapter.binance import history
from foxtrot.adapter.binance.client import examine, missing_names
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.frame_types import FRAME_TYPES
from foxtrot.adapter.binance.limits import WEIGHT_PER_MINUTE, weight_window
from foxtrot.adapter.binance.mapping import INTERVALS
from foxtrot.adapter.binance.market_data import StreamSession
from foxtrot.adapter.binance.marks import Marks
from foxtrot.adapter.binance.order_mapping import ORDER_TYPES
from foxtrot.adapter.binance.orders import OrderSession
from foxtrot.adapter.binance.polling import PollingSession
from foxtrot.adapter.binance.session import BinanceSession, Venue
from foxtrot.adapter.binance.settings import DEPTH_LEVELS, BinanceSettings
from foxtrot.adapter.binance.watch import WatchSession
from foxtrot.gateway.base import Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.trading import TradingListener
from foxtrot.gateway.venue import VenueAdapter
from foxtrot.model.constants import Channel, Exchange, Mode
from foxtrot.model.health import Fact, Finding
from foxtrot.model.objects import BarData, ContractData
from foxtrot.model.requests import HistoryRequest


class BinanceAdapter(VenueAdapter[Venue]):
    """Binance spot: ticks, depth, market trades, bars and history, through ccxt.

    Symbols are the venue's own, such as BTCUSDT.
    """

    default_name = "BINANCE"
    default_setting: ClassVar[Mapping[str, str | int | float | list[str]]] = {
        "environment": ["testnet", "live", "simulated"],
        "api_key": "env:BINANCE_KEY",
        "secret": "env:BINANCE_SECRET",
        "rest_url": "",
        "websocket_url": "",
        "depth_levels": [str(levels) for levels in reversed(DEPTH_LEVELS)],
    }
    exchanges = (Exchange.BINANCE,)
    message_types = FRAME_TYPES
    capabilities = Capabilities(
        streamed=frozenset(Channel),
        polled=frozenset(Channel),
        intervals=frozenset(INTERVALS),
        history=True,
        orders=ORDER_TYPES,
    )

    @classmethod
    def examine(cls) -> Sequence[Finding]:
        """The SDK, and whether it still has what the fast path stands on."""
        return examine()

    def make_venue(self, setting: Setting, known: Venue | None) -> Venue:
        """Contracts, weights and marks are kept while it talks to the same environment."""
        name, settings = self.adapter_name, BinanceSettings.parse(setting)
        if known is None or known.settings.rest_url != settings.rest_url:
            return Venue(name, settings, Contracts(name), Marks(), self, weight_window())
        return Venue(name, settings, known.contracts, known.marks, self, known.weights)

    def make_session(self, mode: Mode) -> BinanceSession:
        """A fresh websocket or polling session.

        Whether the fast path can be had is known when the SDK is imported, which is the work of a
        first session: if it cannot, that one fails, and the next is a `WatchSession`.
        """
        kind: type[BinanceSession] = PollingSession
        if mode is Mode.WEBSOCKET:
            kind = WatchSession if missing_names() else StreamSession
        return kind(self._configured(), self.counters[mode])

    def make_trading_session(self, listener: TradingListener) -> OrderSession:
        """A fresh session for the account."""
        return OrderSession(self._configured(), self.account_counters, listener, self._interest)

    def _interest(self) -> list[ContractData]:
        """Contracts that somebody subscribed to or traded, in whose positions he is interested."""
        symbols = {request.symbol for request in self.subscriptions()} | self.traded
        contracts = self._configured().contracts
        return [each for each in map(contracts.get, sorted(symbols)) if each is not None]

    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """Fetch bars with a client of its own, so that a lost stream does not disturb it."""
        venue = self._configured()
        client = venue.client()
        try:
            await client.open()
            await client.set_clock()  # a bar has ended when it has at the venue
            await venue.load_contracts(client)
            return await history.fetch(venue, client, request, progress)
        finally:
            await client.close()

    @property
    def web_address(self) -> str:
        """Of its requests."""
        return self._venue.settings.rest_url if self._venue else ""

    def facts(self) -> Mapping[str, Fact]:
        """The request weight of this address."""
        if self._venue is None:
            return {}
        left = self._venue.weights.left(self.clock.monotonic())
        return {"limits.weight.left": left, "limits.weight.most": WEIGHT_PER_MINUTE}
