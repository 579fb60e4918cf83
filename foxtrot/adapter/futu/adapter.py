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
from foxtrot.errors import ConfigurationError, InvalidState, UnknownSymbol, VenueError
from foxtrot.execution.reports import OrderRecord
from foxtrot.gateway.base import HISTORY_DEADLINE_S, BaseAdapter, Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import Channel, Environment, Exchange, Mode
from foxtrot.model.health import Fact, Finding, StreamKey
from foxtrot.model.objects import BarData, TickData
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


class FutuAdapter(BaseAdapter):
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

    _venue: Venue | None = None
    _retired: tuple[Venue, ...] = ()

    @classmethod
    def examine(cls) -> Sequence[Finding]:
        """The SDK, what is relied on of it, and whether an OpenD listens on this machine."""
        return examine()

    def configure(self, setting: Setting) -> None:
        """Validate the setting; contracts are kept while it talks to the same OpenD."""
        parsed = FutuSettings.parse(setting)
        known = self._venue
        same = known is not None and known.settings.endpoint == parsed.endpoint
        contracts = known.contracts if known and same else self._new_contracts()
        marks = known.marks if known and same else Marks()
        if known is not None:
            self._retired += (known,)
        self._venue = Venue(self.adapter_name, parsed, contracts, marks, self)
        if parsed.environment is Environment.LIVE:
            self.log.warning("live_environment", endpoint=parsed.endpoint)
            self.write_log(f"{self.adapter_name} talks to a LIVE account at {parsed.endpoint}")

    def make_session(self, mode: Mode) -> FutuSession:
        """A fresh streaming or polling session."""
        kind = StreamSession if mode is Mode.WEBSOCKET else PollingSession
        return kind(self._configured(), self.counters[mode])

    def make_trading_session(self, listener: TradingListener) -> OrderSession:
        """A fresh session for the account."""
        return OrderSession(self._configured(), self.account_counters, listener, self._record)

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
        self._refuse_closed()
        if self._lease is None:
            raise InvalidState(f"{self.adapter_name} was never connected; call connect first")
        return self.bridge.run(self._validated(vt_symbols), timeout=HISTORY_DEADLINE_S)

    async def release(self) -> None:
        """Close the connections that history and lookups have left open."""
        retired, self._retired = self._retired, ()
        for venue in (*retired, self._venue):
            if venue is not None:
                await venue.release()

    def last_tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick, by streams or by polling."""
        return self._venue.marks.tick(symbol, exchange) if self._venue else None

    def facts(self) -> Mapping[str, Fact]:
        """What is left of OpenD's quotas, which streams use up, and of its windows."""
        venue = self._venue
        if venue is None or not self.bridge.health().running:
            return {}
        quota, pace = venue.quota, known_pace(self.bridge.loop, venue.settings.endpoint)
        facts = quota.facts() if quota is not None else {}
        return facts | (pace.facts(self.clock.monotonic()) if pace is not None else {})

    def last_data_ns(self, key: StreamKey) -> int:
        """When anything of a stream came, by streams or by polling."""
        return self._venue.marks.heard_ns(key) if self._venue else 0

    @property
    def account(self) -> str:
        """Environment and account, the account as a hash."""
        return self._venue.settings.account_key if self._venue else ""

    @property
    def environment(self) -> Environment | None:
        """Simulated, paper or live."""
        return self._venue.settings.environment if self._venue else None

    @property
    def endpoint(self) -> str:
        """Host and port of OpenD."""
        return self._venue.settings.endpoint if self._venue else ""

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

    def _new_contracts(self) -> Contracts:
        return Contracts(self.adapter_name, told=self.on_contract)

    def _record(self, orderid: str) -> OrderRecord | None:
        return self._desk.record(orderid) if self._desk is not None else None

    def _configured(self) -> Venue:
        if self._venue is None:
            raise InvalidState(f"{self.adapter_name} was never connected")
        return self._venue
