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
from foxtrot.errors import InvalidState
from foxtrot.gateway.base import BaseAdapter, Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import Channel, Environment, Exchange, Mode
from foxtrot.model.health import Fact, Finding, StreamKey
from foxtrot.model.objects import BarData, ContractData, TickData
from foxtrot.model.requests import HistoryRequest


class BinanceAdapter(BaseAdapter):
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

    _venue: Venue | None = None

    @classmethod
    def examine(cls) -> Sequence[Finding]:
        """The SDK, and whether it still has what the fast path stands on."""
        return examine()

    def configure(self, setting: Setting) -> None:
        """Validate the setting; contracts are kept while it talks to the same environment."""
        parsed = BinanceSettings.parse(setting)
        known = self._venue
        same = known is not None and known.settings.rest_url == parsed.rest_url
        contracts = known.contracts if known and same else Contracts(self.adapter_name)
        weights = known.weights if known and same else weight_window()
        marks = known.marks if known and same else Marks()
        self._venue = Venue(self.adapter_name, parsed, contracts, weights, marks, self)
        if parsed.environment is Environment.LIVE:
            self.log.warning("live_environment", endpoint=parsed.endpoint)
            self.write_log(f"{self.adapter_name} talks to the LIVE venue {parsed.endpoint}")

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

    def last_tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick, by websocket or by polling."""
        return self._venue.marks.tick(symbol, exchange) if self._venue else None

    @property
    def account(self) -> str:
        """Environment and key, the key as a hash."""
        return self._venue.settings.account if self._venue else ""

    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """Fetch bars with a client of its own, so that a lost stream does not disturb it."""
        venue = self._configured()
        client = venue.client()
        try:
            await client.open()
            await venue.load_contracts(client)
            return await history.fetch(venue, client, request, progress)
        finally:
            await client.close()

    @property
    def environment(self) -> Environment | None:
        """Simulated, testnet or live."""
        return self._venue.settings.environment if self._venue else None

    @property
    def endpoint(self) -> str:
        """Host and port of the REST interface."""
        return self._venue.settings.endpoint if self._venue else ""

    def facts(self) -> Mapping[str, Fact]:
        """The request weight of this address."""
        if self._venue is None:
            return {}
        left = self._venue.weights.left(self.clock.monotonic())
        return {"limits.weight.left": left, "limits.weight.most": WEIGHT_PER_MINUTE}

    def last_data_ns(self, key: StreamKey) -> int:
        """Of a tick stream, its quotes and its statistics alike."""
        return self._venue.marks.heard_ns(key) if self._venue else 0

    def _configured(self) -> Venue:
        if self._venue is None:
            raise InvalidState(f"{self.adapter_name} was never connected")
        return self._venue
