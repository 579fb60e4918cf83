"""A gateway of vnpy as a venue of foxtrot.

    engine.add_adapter(as_foxtrot_adapter(CtpGateway))

Guard, journal, halt and the order desk hold for it as for any venue. What vnpy cannot say is
inferred, and labelled so: see `sessions.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import ClassVar

import msgspec
from vnpy.trader import event as their_events
from vnpy.trader import object as their_objects
from vnpy.trader.gateway import BaseGateway

from foxtrot.core.credentials import resolve
from foxtrot.core.logs import get_logger, register_secret
from foxtrot.core.redaction import scrub
from foxtrot.desktop.conversion import to_foxtrot, to_vnpy
from foxtrot.desktop.line import GatewayLine
from foxtrot.desktop.names import foxtrot_exchanges
from foxtrot.desktop.order_book import OrderBook
from foxtrot.desktop.sessions import GatewaySession, GatewayTradingSession
from foxtrot.errors import FoxtrotError, UnexpectedError
from foxtrot.gateway.base import BaseAdapter, Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import WHERE, Setting, wrong
from foxtrot.gateway.episodes import Episodes
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import Channel, Exchange, Interval, Mode, OrderType, Status
from foxtrot.model.health import Fact, StreamKey
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    Levels,
    LogData,
    OrderData,
    PositionData,
    QuoteData,
    TickData,
    TradeData,
)
from foxtrot.model.requests import HistoryRequest

log = get_logger("foxtrot.desktop")

INFERRED = "inferred from what the gateway tells"

_INTERVALS = (Interval.MINUTE, Interval.HOUR, Interval.DAILY, Interval.WEEKLY)
_ORDER_TYPES = (
    OrderType.LIMIT,
    OrderType.MARKET,
    OrderType.STOP,
    OrderType.FAK,
    OrderType.FOK,
)
_REFERENCES = ("env:", "file:", "keyring:")
_LARGEST = 1e15
_PRIVATE = ("pass", "secret", "token", "auth", "密码", "授权")


def as_foxtrot_adapter(
    gateway_class: type[BaseGateway], *, orders: bool = True
) -> type[GatewayAdapter]:
    """Make an adapter class for foxtrot's `MainEngine.add_adapter`.

    Args:
        gateway_class: Any gateway of vnpy.
        orders: Whether it may trade; without, it is asked for market data alone.
    """
    name = gateway_class.__name__.removesuffix("Gateway") + "Adapter"
    history = gateway_class.query_history is not BaseGateway.query_history
    fields = {
        "__doc__": f"{gateway_class.__name__} of vnpy.",
        "__module__": __name__,
        "gateway_class": gateway_class,
        "default_name": gateway_class.default_name,
        "default_setting": dict(gateway_class.default_setting),
        "exchanges": foxtrot_exchanges(list(gateway_class.exchanges)),
        "capabilities": Capabilities(
            streamed=frozenset({Channel.TICK}),
            intervals=frozenset(_INTERVALS if history else ()),
            history=history,
            orders=frozenset(_ORDER_TYPES if orders else ()),
            polls_orders=False,
            refuses_late=False,
        ),
    }
    return type(name, (GatewayAdapter,), fields)


class GatewayAdapter(BaseAdapter):
    """A gateway of vnpy under foxtrot's engine; `as_foxtrot_adapter` makes the class of one."""

    gateway_class: ClassVar[type[BaseGateway]]
    last_words = ""
    heard: asyncio.Event
    book: OrderBook

    _setting: Mapping[str, object] = {}
    _line: GatewayLine | None = None
    _booked = ""
    """The account that the book is of."""
    _holders = 0
    _holding: asyncio.Lock

    def configure(self, setting: Setting) -> None:
        """Check the fields against the gateway's own, and fetch what references name."""
        known = self.gateway_class.default_setting
        for field in setting:
            if field not in known:
                raise wrong(field, f"is not known; allowed: {', '.join(known)}")
        self._setting = {
            field: _value(field, setting.get(field, default), default)
            for field, default in known.items()
        }
        if not hasattr(self, "book"):
            self.book, self.heard, self._holding = OrderBook(), asyncio.Event(), asyncio.Lock()
            self._ticks: dict[tuple[str, Exchange], TickData] = {}
            self._episodes = Episodes(self.counters[Mode.WEBSOCKET], self.log)

    def make_session(self, mode: Mode) -> GatewaySession:
        """The market data of the gateway."""
        return GatewaySession(self, self.counters[mode])

    def make_trading_session(self, listener: TradingListener) -> GatewayTradingSession:
        """The account of the gateway."""
        return GatewayTradingSession(self, self.account_counters, listener)

    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """Fetch bars in the gateway's turn.

        Raises:
            UnexpectedError: The gateway raised what is its own; the log says where.
        """
        asked = to_vnpy(request)
        try:
            bars = await self._bars(lambda gateway: gateway.query_history(asked))
            progress(1, 1)
            return [to_foxtrot(bar, BarData) for bar in bars]
        except FoxtrotError:
            raise
        except Exception as error:  # boundary: a gateway may raise anything, and return None
            self.log.exception("gateway_failed")
            what = f"{type(error).__name__} in query_history of {self.gateway_class.__name__}"
            raise UnexpectedError(what) from None

    async def _bars(
        self, query: Callable[[BaseGateway], list[their_objects.BarData]]
    ) -> list[their_objects.BarData]:
        line = await self.hold()
        try:
            return await line.call_patiently(query)
        finally:
            await self.let_go(line)

    @property
    def account(self) -> str:
        """The gateway and its setting, without what is private, as a hash."""
        if not self._setting or not self.capabilities.orders:
            return ""
        shown = [
            f"{field}={value}"
            for field, value in sorted(self._setting.items())
            if not _is_private(field)
        ]
        digest = hashlib.sha256("\n".join(shown).encode()).hexdigest()[:16]
        return f"vnpy-{self.gateway_class.__name__}-{digest}"

    @property
    def endpoint(self) -> str:
        """The gateway's class; vnpy does not say where it connects to."""
        return f"vnpy {self.gateway_class.__name__}"

    @property
    def verb_s(self) -> float:
        """How long an order may go without an answer."""
        return self.flags.orders_timeout_s

    def facts(self) -> Mapping[str, Fact]:
        """That states are inferred, and what the gateway said last."""
        return {"vnpy.state": INFERRED, "vnpy.last_words": self.last_words}

    def last_tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick."""
        return self._ticks.get((symbol, exchange)) if self._setting else None

    def last_data_ns(self, key: StreamKey) -> int:
        """When the newest tick came."""
        tick = self.last_tick(key.symbol, key.exchange)
        return tick.ts_recv_ns if tick is not None else 0

    def contract(self, vt_symbol: str) -> ContractData | None:
        """A contract that was told."""
        return self._contracts.get(vt_symbol)

    def unwanted(self, orderid: str) -> str:
        """Why an order that still waits should not be sent; empty if it should."""
        return self._desk.unwanted(orderid) if self._desk is not None else ""

    # -- the gateway, on the loop thread ----------------------------------------------------

    async def hold(self) -> GatewayLine:
        """The gateway, connected; the first makes it, and so does who finds that it hangs."""
        async with self._holding:
            if self._line is not None and self._line.hangs(self.stream_config.probe_s):
                self.log.error("gateway_hangs", advice="it is left to itself, another one is made")
                self._line.abandon()
                self._line = None
            if self._line is None:
                self._holders = 0
                self._line = await self._connected()
            self._holders += 1
            return self._line

    async def _connected(self) -> GatewayLine:
        self.heard = asyncio.Event()  # whoever waits for the one before must not hear of this one
        self.book.give_up_sending()
        if self._booked != self.account:  # what the one before held and ordered is not this one's
            self._booked, self.book = self.account, OrderBook()
        line = GatewayLine(self.gateway_class, self.adapter_name, self.event_engine, self._told)
        await line.open(dict(self._setting))
        return line

    async def let_go(self, line: GatewayLine) -> None:
        """Give it back; the last closes it, and so does who heard nothing of it."""
        async with self._holding:
            if line is not self._line:
                return
            self._holders -= 1
            if self._holders == 0 or not self.heard.is_set():
                self._line = None
                await line.close()

    # -- what the gateway tells, on any thread ----------------------------------------------

    def _told(self, type_: str, data: object) -> None:
        take = _TAKERS.get(type_)
        if take is None:
            return
        try:
            take(self, data)
        except Exception as error:  # noqa: BLE001 - boundary: what it tells ends no thread of it
            self.counters[Mode.WEBSOCKET].unreadable(type_)
            self.log.warning("told_unreadable", type=type_, reason=str(error))

    def _take_tick(self, theirs: their_objects.TickData) -> None:
        counters = self.counters[Mode.WEBSOCKET]
        counters.received += 1
        tick = to_foxtrot(theirs, TickData)
        if self.request_of(StreamKey(Channel.TICK, tick.symbol, tick.exchange)) is None:
            counters.ignored += 1
            return
        if self._episodes.refuses(tick.symbol, "tick", _unbelievable(tick)):
            return
        tick = msgspec.structs.replace(
            tick,
            ts_recv_ns=self.clock.time_ns(),
            bids=_believed(tick.bids),
            asks=_believed(tick.asks),
        )
        self._ticks[tick.symbol, tick.exchange] = tick
        self._hear()
        self.on_tick(tick)

    def _take_order(self, theirs: their_objects.OrderData) -> None:
        order = to_foxtrot(theirs, OrderData)
        _check(order.volume, order.traded)
        if order.status is Status.REJECTED and not order.reason:
            reason = f"rejected by the gateway, whose last words are: {self.last_words}"
            order = msgspec.structs.replace(order, reason=reason)
        self._soon(lambda: self.book.on_order(order, self.clock.time_ns()))

    def _take_trade(self, theirs: their_objects.TradeData) -> None:
        trade = to_foxtrot(theirs, TradeData)
        _check(trade.price, trade.volume)
        self._soon(lambda: self.book.on_trade(trade, self.clock.time_ns()))

    def _take_account(self, theirs: their_objects.AccountData) -> None:
        account = to_foxtrot(theirs, AccountData)
        _check(account.balance, account.frozen)
        self._soon(lambda: self.book.on_account(account))

    def _take_position(self, theirs: their_objects.PositionData) -> None:
        position = to_foxtrot(theirs, PositionData)
        _check(position.volume, position.frozen)
        self._soon(lambda: self.book.on_position(position))

    def _take_contract(self, theirs: their_objects.ContractData) -> None:
        self.on_contract(to_foxtrot(theirs, ContractData))
        self._hear()

    def _take_quote(self, theirs: their_objects.QuoteData) -> None:
        self.on_quote(to_foxtrot(theirs, QuoteData))

    def _take_log(self, theirs: their_objects.LogData) -> None:
        entry = to_foxtrot(theirs, LogData)
        self.last_words = scrub(entry.msg)  # a gateway tells what its venue says, and its requests
        self.on_log(msgspec.structs.replace(entry, msg=self.last_words))

    def _soon(self, take: Callable[[], None]) -> None:
        self.account_counters.received += 1
        self._hear()
        self.bridge.call_soon(take)

    def _hear(self) -> None:
        if not self.heard.is_set():
            self.bridge.call_soon(self.heard.set)


_TAKERS: dict[str, Callable[[GatewayAdapter, object], None]] = {
    their_events.EVENT_TICK: GatewayAdapter._take_tick,
    their_events.EVENT_ORDER: GatewayAdapter._take_order,
    their_events.EVENT_TRADE: GatewayAdapter._take_trade,
    their_events.EVENT_ACCOUNT: GatewayAdapter._take_account,
    their_events.EVENT_POSITION: GatewayAdapter._take_position,
    their_events.EVENT_CONTRACT: GatewayAdapter._take_contract,
    their_events.EVENT_QUOTE: GatewayAdapter._take_quote,
    their_events.EVENT_LOG: GatewayAdapter._take_log,
}
"""The events without a suffix: those with one say the same again."""


def _unbelievable(tick: TickData) -> str:
    """Why the numbers of a tick cannot be; empty if they can. Some gateways mean none by them."""
    prices = tick.last_price, tick.bid_price_1, tick.ask_price_1
    volumes = tick.last_volume, tick.bid_volume_1, tick.ask_volume_1
    if _can_be(*prices, *volumes):
        return ""
    return "a price or volume is no number, or too large for one"


def _believed(levels: Levels) -> Levels:
    """The levels above the first whose numbers cannot be: it is how some say that it is empty."""
    return tuple(takewhile(lambda level: _can_be(*level), levels))


def _check(*numbers: float) -> None:
    if not _can_be(*numbers):
        raise ValueError("a number of it is none, or too large for one")


def _can_be(*numbers: float) -> bool:
    return all(abs(number) < _LARGEST for number in numbers)


def _is_private(field: str) -> bool:
    return any(word in field.lower() for word in _PRIVATE)


def _is_typed(given: str, default: object) -> bool:
    """Whether a person made it up, and took it from no list."""
    return isinstance(default, str) and given != default


def _value(field: str, given: object, default: object) -> object:
    """A field as the gateway expects it: of the type of its default, of a list the choice."""
    if isinstance(given, list):
        given = given[0] if given else ""
    if isinstance(given, str) and given.lower().startswith(_REFERENCES):
        given = resolve(given, where=WHERE, field=field).reveal()
    elif isinstance(given, str) and _is_typed(given, default) and _is_private(field):
        register_secret(given)  # typed in clear, and the gateway may tell it
    if isinstance(default, bool):
        return given in (True, "true", "True")
    if isinstance(default, int | float) and isinstance(given, str):
        try:
            return type(default)(given)
        except ValueError:
            raise wrong(field, f"must be a number, such as {default}") from None
    return given
