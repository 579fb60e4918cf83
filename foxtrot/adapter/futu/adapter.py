"""FutuAdapter: the wiring of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

from foxtrot.adapter.futu import history, symbols
from foxtrot.adapter.futu.checkup import examine
from foxtrot.adapter.futu.contracts import Contracts
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import known_pace
from foxtrot.adapter.futu.mapping import BAR_KINDS
from foxtrot.adapter.futu.market_data import StreamSession
from foxtrot.adapter.futu.order_mapping import ORDER_TYPES
from foxtrot.adapter.futu.orders import OrderSession
from foxtrot.adapter.futu.polling import PollingSession
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.adapter.futu.settings import DEFAULT_PORT, MARKETS, FutuSettings
from foxtrot.adapter.futu.slots import Marks
from foxtrot.adapter.futu.symbols import EXCHANGES
from foxtrot.errors import ConfigurationError, UnknownSymbol, VenueError
from foxtrot.gateway.base import HISTORY_DEADLINE_S, Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.trading import TradingListener
from foxtrot.gateway.venue import VenueAdapter
from foxtrot.model.constants import Channel, Exchange, Mode
from foxtrot.model.health import Fact, Finding
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest, SubscribeRequest

T = TypeVar("T")

_PUSHES = (
    Proto.Qot_UpdateBasicQot,
    Proto.Qot_UpdateOrderBook,
    Proto.Qot_UpdateTicker,
    Proto.Qot_UpdateKL,
    Proto.Trd_UpdateOrder,
    Proto.Trd_UpdateOrderFill,
    Proto.Notify,
)


class FutuAdapter(VenueAdapter[Venue]):
    """Futu, through OpenD: Hong Kong, US and mainland China.

    Symbols are Futu's codes, such as 00700 at SEHK, AAPL at NASDAQ or SMART, 600519 at SSE.
    """

    default_name = "FUTU"
    default_setting: ClassVar[Mapping[str, str | int | float | list[str]]] = {
        "environment": ["paper", "live", "simulated"],
        "host": "127.0.0.1",
        "port": DEFAULT_PORT,
        "market": list(MARKETS),
        "account": "",
        "password": "",
        "trade_env": "",
        "rsa_key_file": "",
        "read_only": ["false", "true"],
    }
    exchanges = tuple(EXCHANGES)
    message_types = tuple(proto.name for proto in _PUSHES)
    capabilities = Capabilities(
        streamed=frozenset(Channel),
        polled=frozenset({Channel.TICK}),
        intervals=frozenset(BAR_KINDS),
        history=True,
        orders=ORDER_TYPES,
        lists_contracts=False,
        polls_orders=False,
        refuses_late=False,
    )

    @classmethod
    def examine(cls) -> Sequence[Finding]:
        """The SDK, what is relied on of it, and whether an OpenD listens on this machine."""
        return examine()

    def make_venue(self, setting: Setting, known: Venue | None) -> Venue:
        """Contracts, marks and holdings are kept while it talks to the same OpenD."""
        name, settings = self.adapter_name, FutuSettings.parse(setting)
        if known is None or known.settings.endpoint != settings.endpoint:
            contracts = Contracts(name, told=self.on_contract)
            return Venue(name, settings, contracts, Marks(), self)
        venue = Venue(name, settings, known.contracts, known.marks, self)
        venue.holdings, venue.paid = known.holdings, known.paid
        return venue

    def make_session(self, mode: Mode) -> FutuSession:
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
        async with venue.shared() as client:
            return await history.fetch(venue, client, request, progress)

    def validate_symbols(self, vt_symbols: Sequence[str]) -> dict[str, Instrument | VenueError]:
        """Each symbol's contract, or why it has none. Waits, so not for a handler.

        Raises:
            InvalidState: `connect` was never called, or the adapter is closed.
        """
        self._refuse_unconnected()
        return self.bridge.run(self._validated(vt_symbols), timeout=HISTORY_DEADLINE_S)

    def facts(self) -> Mapping[str, Fact]:
        """What is left of OpenD's quotas, which streams use up, and of its windows."""
        venue = self._venue
        if venue is None or not self.bridge.health().running:
            return {}
        quota, pace = venue.quota, known_pace(self.bridge.loop, venue.settings.endpoint)
        facts = quota.facts() if quota is not None else {}
        return facts | (pace.facts(self.clock.monotonic()) if pace is not None else {})

    async def _validated(self, vt_symbols: Sequence[str]) -> dict[str, Instrument | VenueError]:
        venue = self._configured()
        answers: dict[str, Instrument | VenueError] = {}
        names = {}
        for vt_symbol in vt_symbols:
            symbol, _, exchange = vt_symbol.rpartition(".")
            try:
                names[vt_symbol] = symbol, Exchange(exchange)
            except ValueError:
                text = f"{vt_symbol!r} names no exchange; write it such as 00700.SEHK"
                answers[vt_symbol] = UnknownSymbol(self.adapter_name, "", text)
        async with venue.shared() as client:
            found = await venue.contracts.resolve_all(client, names.values())
        answers.update((vt_symbol, found[name]) for vt_symbol, name in names.items())
        return {vt_symbol: answers[vt_symbol] for vt_symbol in vt_symbols}

    def _check(self, request: SubscribeRequest) -> None:
        super()._check(request)
        try:
            symbols.parse(request.symbol, request.exchange)
        except ConfigurationError as error:
            raise ConfigurationError("subscribe", error.field, error.problem) from None
