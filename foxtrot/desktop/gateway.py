"""A venue of foxtrot as a gateway of vnpy.

    main_engine.add_gateway(as_vnpy_gateway(BinanceAdapter))

vnpy calls a gateway on its window's thread, so nothing here waits but for `query_history`, which
returns the bars, and `close`. vnpy has no word for the state of a connection, nor a place for the
reason of a rejection: both are told as lines of its log. `eConnection.` and `eStream.` are put on
its event engine, too, for whoever listens.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import ClassVar

import msgspec
from vnpy.event import EventEngine
from vnpy.trader.gateway import BaseGateway
from vnpy.trader.object import BarData as VnpyBar
from vnpy.trader.object import CancelRequest as VnpyCancel
from vnpy.trader.object import HistoryRequest as VnpyHistory
from vnpy.trader.object import OrderRequest as VnpyOrder
from vnpy.trader.object import QuoteRequest as VnpyQuote
from vnpy.trader.object import SubscribeRequest as VnpySubscribe

from foxtrot.core.aside import aside
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import is_secret_field
from foxtrot.desktop.conversion import to_foxtrot, to_vnpy
from foxtrot.desktop.host import GivenSettings, host_of
from foxtrot.desktop.names import vnpy_exchanges, vnpy_symbol
from foxtrot.errors import FoxtrotError
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Scalar, Setting
from foxtrot.model.constants import Channel, Status
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_CONNECTION,
    EVENT_CONTRACT,
    EVENT_LOG,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_QUOTE,
    EVENT_STREAM,
    EVENT_TICK,
    EVENT_TRADE,
    Event,
)
from foxtrot.model.health import ConnectionStatus
from foxtrot.model.objects import OrderData, TradeData
from foxtrot.model.requests import CancelRequest, HistoryRequest, OrderRequest, SubscribeRequest

log = get_logger("foxtrot.desktop")

Form = dict[str, str | int | float | list[str]]
"""What vnpy's connect dialog shows: a text, a number, or a list to choose from."""

Offered = Scalar | list[str]

FIVE_LEVELS = "five_levels"
"""The field that says whether `subscribe` asks for the levels below the best, too."""

_YES_NO = {True: ["true", "false"], False: ["false", "true"]}
_REFERENCES = ("env:", "file:", "keyring:")
_FILLS_KEPT = 100_000


def as_vnpy_gateway(
    adapter_class: type[BaseAdapter],
    settings: GivenSettings = None,
    setting: Setting | None = None,
) -> type[BaseGateway]:
    """Make a gateway class for vnpy's `MainEngine.add_gateway`.

    All gateways of one vnpy engine share one foxtrot engine, and so guard, journal and halt.

    Args:
        adapter_class: The venue.
        settings: Of the foxtrot engine; those of the first gateway that is added count.
        setting: What the connect dialog proposes, instead of the venue's defaults.
    """
    name = adapter_class.__name__.removesuffix("Adapter") + "Gateway"
    fields = {
        "__doc__": f"{adapter_class.__doc__ or adapter_class.__name__}",
        "__module__": __name__,
        "default_name": adapter_class.default_name,
        "default_setting": form(adapter_class, setting or {}),
        "exchanges": vnpy_exchanges(tuple(adapter_class.exchanges)),
        "adapter_class": adapter_class,
        "settings": settings,
    }
    return type(name, (FoxtrotGateway,), fields)


def form(adapter_class: type[BaseAdapter], setting: Setting = MappingProxyType({})) -> Form:
    """What the connect dialog offers. It turns every flag into True, so a flag is a list here."""
    fields: Form = {
        field: _proposed(value, setting.get(field, value))
        for field, value in adapter_class.default_setting.items()
    }
    if Channel.DEPTH in adapter_class.capabilities.channels:
        fields[FIVE_LEVELS] = _YES_NO[_has_many_books(adapter_class)]
    return fields


def _proposed(default: Offered, chosen: Offered) -> str | int | float | list[str]:
    """A field of the form: of a list that which is chosen comes first."""
    if isinstance(chosen, bool):
        return _YES_NO[chosen]
    if isinstance(default, list) and not isinstance(chosen, list):
        return [str(chosen), *(each for each in default if each != str(chosen))]
    return "" if chosen is None else chosen


def _has_many_books(adapter_class: type[BaseAdapter]) -> bool:
    """Whether each symbol may have its levels: who counts the lines of depth has few."""
    has_depth = Channel.DEPTH in adapter_class.capabilities.channels
    return has_depth and "depth_lines" not in adapter_class.default_setting


class Fills:
    """Lets each fill pass once, under an id that no fill of another symbol has.

    vnpy's list of trades has no key: a fill that is told again is a second row.
    """

    def __init__(self, kept: int = _FILLS_KEPT) -> None:
        self._kept = kept
        self._owners: dict[str, str] = {}
        self._told: dict[tuple[str, str], None] = {}

    def admit(self, trade: TradeData) -> TradeData | None:
        """The fill as it is to be told; None if it was."""
        key = trade.vt_symbol, trade.tradeid
        if key in self._told:
            return None
        self._told[key] = None
        owner = self._owners.setdefault(trade.tradeid, trade.vt_symbol)
        if len(self._told) > self._kept:
            _, oldest = oldest_key = next(iter(self._told))
            del self._told[oldest_key]
            self._owners.pop(oldest, None)
        if owner == trade.vt_symbol:
            return trade
        return msgspec.structs.replace(trade, tradeid=f"{trade.tradeid}.{trade.symbol}")


class FoxtrotGateway(BaseGateway):  # type: ignore[misc]
    """An adapter of foxtrot, as vnpy calls it; `as_vnpy_gateway` makes the class of a venue.

    Thread safety: every method from any thread.
    """

    adapter_class: ClassVar[type[BaseAdapter]]
    settings: ClassVar[GivenSettings] = None

    def __init__(self, event_engine: EventEngine, gateway_name: str) -> None:
        super().__init__(event_engine, gateway_name)
        self._five_levels = _has_many_books(self.adapter_class)
        self._fills = Fills()
        self._reasons: dict[str, str] = {}
        self._tellers: dict[str, Callable[[Event], None]] = {
            EVENT_TICK: lambda event: self.on_tick(to_vnpy(event.data)),  # type: ignore[arg-type]
            EVENT_ORDER: self._tell_order,
            EVENT_TRADE: self._tell_trade,
            EVENT_POSITION: lambda event: self.on_position(to_vnpy(event.data)),  # type: ignore[arg-type]
            EVENT_ACCOUNT: lambda event: self.on_account(to_vnpy(event.data)),  # type: ignore[arg-type]
            EVENT_QUOTE: lambda event: self.on_quote(to_vnpy(event.data)),  # type: ignore[arg-type]
            EVENT_CONTRACT: lambda event: self.on_contract(to_vnpy(event.data)),  # type: ignore[arg-type]
            EVENT_LOG: lambda event: self.on_log(to_vnpy(event.data)),  # type: ignore[arg-type]
            EVENT_CONNECTION: self._tell_connection,
            EVENT_STREAM: self._tell_state,
        }
        self.host = host_of(event_engine, self.settings)
        self.adapter = self.host.join(self.adapter_class, gateway_name, self)

    # -- what vnpy calls --------------------------------------------------------------------

    def connect(self, setting: dict[str, Scalar | list[str]]) -> None:
        """Start connecting; returns at once. What is wrong with the setting is told in the log."""
        asked = dict(setting)
        levels = asked.pop(FIVE_LEVELS, None)
        if levels is not None:
            self._five_levels = levels in ("true", True, _YES_NO[True])
        if clear := [field for field, value in asked.items() if _in_clear(field, value)]:
            file = f"connect_{self.gateway_name.lower()}.json"
            self.write_log(
                f"not connected: {', '.join(sorted(clear))} must be a reference, such as env:NAME, "
                f"file:PATH or keyring:SERVICE/NAME; vnpy keeps what is typed in {file}, readable: "
                "take the secret out of there"
            )
            return
        work = aside(lambda: self._connect(asked), f"connect-{self.gateway_name}")
        self.host.engine.bridge.submit(work, name=f"{self.gateway_name}.desktop.connect")

    def _connect(self, setting: Setting) -> None:
        try:
            self.adapter.connect(setting)
        except FoxtrotError as error:
            self.write_log(f"not connected: {error}")

    def close(self) -> None:
        """Close for good; returns when it is closed, or could not be within its deadline."""
        try:
            self.host.leave(self.gateway_name)
        except FoxtrotError as error:
            log.exception("close_failed", venue=self.gateway_name)
            self.write_log(f"not closed in time: {error}")

    def subscribe(self, req: VnpySubscribe) -> None:
        """Want the ticks of a contract, and its levels; asking twice is asking once."""
        try:
            request = to_foxtrot(req, SubscribeRequest)
            self.adapter.subscribe(request)
            if self._five_levels:
                depth = msgspec.structs.replace(request, channel=Channel.DEPTH)
                self.adapter.subscribe(depth)
        except FoxtrotError as error:
            self.write_log(f"not subscribed to {req.vt_symbol}: {error}{self._spelling(req)}")

    def send_order(self, req: VnpyOrder) -> str:
        """Send an order; returns its `vt_orderid` at once, an empty one if it can be no order."""
        try:
            return self.adapter.send_order(to_foxtrot(req, OrderRequest))
        except FoxtrotError as error:
            self.write_log(f"order for {req.vt_symbol} not sent: {error}{self._spelling(req)}")
            return ""

    def cancel_order(self, req: VnpyCancel) -> None:
        """Ask to cancel an order."""
        try:
            self.adapter.cancel_order(to_foxtrot(req, CancelRequest))
        except FoxtrotError as error:
            self.write_log(f"order {req.orderid} not cancelled: {error}")

    def send_quote(self, req: VnpyQuote) -> str:
        """Refuse it, in words: foxtrot's venues take orders, and no two-sided quotes."""
        self.write_log(
            f"quote for {req.vt_symbol} not sent: {self.gateway_name} takes no two-sided quotes; "
            "send two limit orders"
        )
        return ""

    def cancel_quote(self, req: VnpyCancel) -> None:
        """Say that there is none: no quote was ever sent."""
        self.write_log(f"quote {req.orderid} not cancelled: {self.gateway_name} takes no quotes")

    def query_account(self) -> None:
        """Ask for the balances; they come as events."""
        self.adapter.query_account()

    def query_position(self) -> None:
        """Ask for the positions; they come as events."""
        self.adapter.query_position()

    def query_history(self, req: VnpyHistory) -> list[VnpyBar]:
        """Fetch bars and wait for them; none, and a line in the log, if they cannot be had."""
        try:
            bars = self.adapter.query_history(to_foxtrot(req, HistoryRequest))
        except FoxtrotError as error:
            self.write_log(f"no history of {req.vt_symbol}: {error}{self._spelling(req)}")
            return []
        return [to_vnpy(bar) for bar in bars]

    def _spelling(self, req: VnpySubscribe | VnpyOrder | VnpyHistory) -> str:
        """How the symbol is spelled here, if it lacks what says where it is traded."""
        for exchange in self.adapter_class.exchanges:
            symbol, theirs = vnpy_symbol("", exchange)
            if symbol and theirs is req.exchange and not req.symbol.endswith(symbol):
                return f"; it is spelled {req.symbol}{symbol} here"
        return ""

    # -- what the adapter tells, on the dispatcher of the engine behind ---------------------

    def told(self, event: Event) -> None:
        """Put an event of the adapter on vnpy's event engine."""
        self._tellers[event.type](event)

    def _tell_order(self, event: Event) -> None:
        order = event.data
        assert isinstance(order, OrderData)
        shown = to_vnpy(order)
        self.on_order(shown)
        if not order.is_active():
            known = self._reasons.pop(order.orderid, "")
        else:
            known = self._reasons.get(order.orderid, "")
            if order.reason:
                self._reasons[order.orderid] = order.reason
        if order.reason and (order.reason != known or not order.is_active()):
            self.write_log(_words(order, shown.vt_symbol))

    def _tell_trade(self, event: Event) -> None:
        trade = event.data
        assert isinstance(trade, TradeData)
        admitted = self._fills.admit(trade)
        if admitted is not None:
            self.on_trade(to_vnpy(admitted))

    def _tell_connection(self, event: Event) -> None:
        status = event.data
        assert isinstance(status, ConnectionStatus)
        self._tell_state(event)
        again = f", again in {status.delay_s:.1f} s" if status.delay_s else ""
        self.write_log(f"{status.session}: {status.state.value}, {status.reason}{again}")

    def _tell_state(self, event: Event) -> None:
        self.on_event(event.type, event.data)
        self.on_event(event.type + event.topic, event.data)


def _in_clear(field: str, value: object) -> bool:
    if not is_secret_field(field) or not isinstance(value, str) or value == "":
        return False
    return not value.lower().startswith(_REFERENCES)


def _words(order: OrderData, vt_symbol: str) -> str:
    name = f"order {order.vt_orderid} of {vt_symbol}"
    if order.status is Status.SUBMITTING:
        return f"{name} is in doubt, do not send it again: {order.reason}"
    return f"{name}: {order.status.value.lower()}: {order.reason}"
