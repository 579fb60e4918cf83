"""IbAdapter: the wiring of this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from foxtrot.adapter.ib import history
from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.frames import MESSAGE_TYPES
from foxtrot.adapter.ib.lookups import Lookups
from foxtrot.adapter.ib.mapping import INTERVALS
from foxtrot.adapter.ib.market_data import StreamSession
from foxtrot.adapter.ib.order_mapping import ORDER_TYPES
from foxtrot.adapter.ib.orders import OrderSession
from foxtrot.adapter.ib.polling import PollingSession
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.sdk import examine
from foxtrot.adapter.ib.session import IbSession, Venue
from foxtrot.adapter.ib.settings import MARKET_DATA, IbSettings
from foxtrot.adapter.ib.slots import Marks
from foxtrot.adapter.ib.symbols import EXCHANGES, parse
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import Channel, Mode
from foxtrot.model.health import Fact, Finding
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest, SubscribeRequest


class IbAdapter(Lookups):
    """Interactive Brokers, through TWS or IB Gateway.

    Symbols are those of vnpy_ib, such as AAPL-USD-STK at SMART, or IB's contract ids.
    """

    default_name = "IB"
    default_setting: ClassVar[Mapping[str, str | int | float | list[str]]] = {
        "environment": ["paper", "live", "simulated"],
        "host": "127.0.0.1",
        "port": 7497,
        "client_id": 1,
        "account": "",
        "market_data": list(MARKET_DATA),
        "read_only": ["false", "true"],
        "market_data_lines": 100,
        "depth_lines": 3,
    }
    exchanges = tuple(EXCHANGES)
    message_types = tuple(MESSAGE_TYPES.values())
    capabilities = Capabilities(
        streamed=frozenset(Channel),
        polled=frozenset({Channel.TICK, Channel.BAR}),
        intervals=frozenset(INTERVALS),
        history=True,
        orders=ORDER_TYPES,
        lists_contracts=False,
        polls_orders=False,
        refuses_late=False,
    )

    @classmethod
    def examine(cls) -> Sequence[Finding]:
        """The SDK, and that no other has overwritten a part of it."""
        return examine()

    def make_venue(self, setting: Setting, known: Venue | None) -> Venue:
        """What was learnt is kept while it talks to the same TWS."""
        name, settings = self.adapter_name, IbSettings.parse(setting)
        if known is None or known.settings.endpoint != settings.endpoint:
            contracts = Contracts(name, told=self.on_contract)
            return Venue(name, settings, contracts, Marks(), self)
        venue = Venue(name, settings, known.contracts, known.marks, self)
        venue.holdings, venue.unsure_ns = known.holdings, known.unsure_ns
        return venue

    def make_session(self, mode: Mode) -> IbSession:
        """A fresh streaming or polling session."""
        kind = StreamSession if mode is Mode.WEBSOCKET else PollingSession
        return kind(self._configured(), self.counters[mode])

    def make_trading_session(self, listener: TradingListener) -> OrderSession:
        """A fresh session for the account."""
        venue, counters = self._configured(), self.account_counters
        return OrderSession(venue, counters, listener, self._record, self._unwanted)

    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """Fetch bars over a connection that streams and orders do not need."""
        venue = self._configured()
        async with venue.pool.acquire(Purpose.HISTORY) as client:
            return await history.fetch(venue, client, request, progress)

    def facts(self) -> Mapping[str, Fact]:
        """The connections to TWS, their client ids, the pace, and what is left of the limits."""
        venue = self._venue
        if venue is None:
            return {}
        facts = venue.facts(self.clock.monotonic())
        wanted = [request.channel for request in self.subscriptions()]
        lines = venue.settings.market_data_lines
        facts["limits.market_data_lines.left"] = max(lines - wanted.count(Channel.TICK), 0)
        facts["limits.market_data_lines.most"] = lines
        return facts

    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What any adapter offers, and to close the connections that nobody uses."""
        venue, offered = self._venue, super().actions()
        if not offered or venue is None:
            return offered
        return {**offered, "pool.cleanup": lambda: self.bridge.call_soon(venue.close_idle)}

    def _check(self, request: SubscribeRequest) -> None:
        super()._check(request)
        try:
            parse(request.symbol)
        except ConfigurationError as error:
            raise ConfigurationError("subscribe", "symbol", str(error)) from None
