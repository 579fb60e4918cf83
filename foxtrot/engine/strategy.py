"""Strategy: the least that a strategy needs. Override what you use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from foxtrot.core.logs import get_logger
from foxtrot.errors import FoxtrotError, WrongThread
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.events import (
    EVENT_BAR,
    EVENT_DEPTH,
    EVENT_MARKET_TRADE,
    EVENT_ORDER,
    EVENT_TICK,
    EVENT_TRADE,
    Event,
)
from foxtrot.model.objects import (
    BarData,
    DepthData,
    MarketTradeData,
    OrderData,
    TickData,
    TradeData,
)
from foxtrot.model.requests import SubscribeRequest

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

T = TypeVar("T")

_STREAMS = (
    (EVENT_TICK, "on_tick"),
    (EVENT_DEPTH, "on_depth"),
    (EVENT_MARKET_TRADE, "on_market_trade"),
    (EVENT_BAR, "on_bar"),
    (EVENT_TRADE, "on_trade"),
)
_CHANNELS = {
    "on_tick": Channel.TICK,
    "on_depth": Channel.DEPTH,
    "on_market_trade": Channel.TRADE,
    "on_bar": Channel.BAR,
}

DRAIN_S = 2.0
"""Longest that stopping waits for the events that a strategy is still to get."""


class Strategy:
    """Reacts to what happens to its symbols.

    Thread safety: every `on_` method runs on the dispatcher thread, one after the other, but that
    `on_start` and `on_stop` run where the strategy is added and stopped; none may block. One that
    raises is logged and counted, and the others go on.

    Args:
        engine: Where it is registered.
        name: Its name in logs.
        vt_symbols: What it watches, such as BTCUSDT.BINANCE.
        adapter_name: Where it subscribes and trades.
    """

    def __init__(
        self, engine: MainEngine, name: str, vt_symbols: Iterable[str], adapter_name: str
    ) -> None:
        self.engine, self.name, self.adapter_name = engine, name, adapter_name
        self.vt_symbols = tuple(vt_symbols)
        self.log = get_logger("foxtrot.strategy").bind(strategy=name)
        self._registered: list[tuple[str, Callable[[Event], None]]] = []

    # -- to override ------------------------------------------------------------------------

    def on_start(self) -> None:
        """Runs once, before the first event."""

    def on_stop(self) -> None:
        """Runs once, after the last event."""

    def on_tick(self, tick: TickData) -> None:
        """A new best bid, ask or last price."""

    def on_depth(self, depth: DepthData) -> None:
        """New best levels of a book."""

    def on_market_trade(self, trade: MarketTradeData) -> None:
        """A print on the tape."""

    def on_bar(self, bar: BarData) -> None:
        """A bar, closed or still moving."""

    def on_order(self, order: OrderData) -> None:
        """A change of an order."""

    def on_trade(self, trade: TradeData) -> None:
        """A fill of ours."""

    # -- called by the engine ---------------------------------------------------------------

    def start(self) -> None:
        """Register the handlers that are overridden, and subscribe to what they listen to."""
        self.on_start()
        try:
            self._listen()
        except FoxtrotError:
            self.stop()
            raise

    def _listen(self) -> None:
        for type_, method in _STREAMS:
            if self._overrides(method):
                handler = self._call(getattr(self, method))
                for vt_symbol in self.vt_symbols:
                    self._register(type_ + vt_symbol, handler)
        if self._overrides("on_order"):
            self._register(EVENT_ORDER, self._on_any_order)
        for request in self._requests():
            self.engine.subscribe(request, self.adapter_name, self.name)

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Strategy, method)

    def _requests(self) -> list[SubscribeRequest]:
        """What it listens to; ticks, if it says nothing."""
        channels = [_CHANNELS[method] for method in _CHANNELS if self._overrides(method)]
        parts = [vt_symbol.rpartition(".") for vt_symbol in self.vt_symbols]
        return [
            SubscribeRequest(symbol, Exchange(exchange), channel)
            for symbol, _, exchange in parts
            for channel in channels or [Channel.TICK]
        ]

    def stop(self) -> None:
        """Take the handlers and the subscriptions back."""
        for type_, handler in self._registered:
            self.engine.event_engine.unregister(type_, handler)
        self._registered.clear()
        for request in self._requests():
            self.engine.unsubscribe(request, self.adapter_name, self.name)
        with contextlib.suppress(WrongThread):  # a handler may stop a strategy, but not wait
            self.engine.event_engine.drain(DRAIN_S)
        self.on_stop()

    def _register(self, type_: str, handler: Callable[[Event], None]) -> None:
        self.engine.event_engine.register(type_, handler)
        self._registered.append((type_, handler))

    def _call(self, method: Callable[[T], None]) -> Callable[[Event], None]:
        def handler(event: Event) -> None:
            method(event.data)  # type: ignore[arg-type]

        handler.__qualname__ = f"{self.name}.{method.__name__}"
        return handler

    def _on_any_order(self, event: Event) -> None:
        order: OrderData = event.data  # type: ignore[assignment]
        if order.vt_symbol in self.vt_symbols:
            self.on_order(order)
