"""Drives one strategy: its life on the dispatcher, its events, its orders, its bars of the past."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from foxtrot.connectivity.backoff import delay_s
from foxtrot.core.cancellation import heed_cancellation
from foxtrot.core.logs import correlated, get_logger, recalled, remember
from foxtrot.core.settings import RiskLimits
from foxtrot.engine import risk
from foxtrot.engine.strategy import Strategy, split
from foxtrot.errors import Action, FoxtrotError, InvalidState, NotSupported, RateLimited
from foxtrot.execution.reports import refused_order
from foxtrot.gateway.base import HISTORY_DEADLINE_S, BaseAdapter
from foxtrot.model.constants import Channel
from foxtrot.model.events import (
    EVENT_BAR,
    EVENT_DEPTH,
    EVENT_MARKET_TRADE,
    EVENT_ORDER,
    EVENT_TICK,
    EVENT_TIMER,
    Event,
)
from foxtrot.model.objects import (
    BarData,
    DepthData,
    MarketTradeData,
    OrderData,
    TickData,
    TradeData,
    utc,
)
from foxtrot.model.requests import CancelRequest, HistoryRequest, OrderRequest, SubscribeRequest

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine
    from foxtrot.engine.strategies import StrategyEngine

log = get_logger("foxtrot.strategy")

OnBar = Callable[[BarData], None]

LOAD_BASE_S = 1.0
LOAD_MAX_S = 60.0
"""Delays between attempts to load bars from a venue that cannot be reached."""
BARS_AT_ONCE = 500
"""Bars of the past that are handed out before others get their events."""

_CHANNELS = {
    Channel.TICK: (EVENT_TICK, "on_tick"),
    Channel.DEPTH: (EVENT_DEPTH, "on_depth"),
    Channel.TRADE: (EVENT_MARKET_TRADE, "on_market_trade"),
    Channel.BAR: (EVENT_BAR, "on_bar"),
}
_BY_OVERRIDING = (Channel.TICK, Channel.DEPTH, Channel.TRADE)


class StrategyRunner:
    """Stands between one strategy and the engine.

    Thread safety: `send`, the cancels, `listen`, `load`, `stop` and what is asked of it from any
    thread, under the lock that all strategies share; everything else on the dispatcher.

    Args:
        desk: Knows which order is whose.
        strategy_class: What is driven; made here.
        name: Its name in logs and orders.
        vt_symbols: What it watches and trades.
        adapter_name: Where.
        params: Values for its parameters.
        limits: What it may do at most.
    """

    def __init__(
        self,
        desk: StrategyEngine,
        strategy_class: type[Strategy],
        name: str,
        vt_symbols: tuple[str, ...],
        adapter_name: str,
        params: Mapping[str, object],
        limits: RiskLimits,
    ) -> None:
        self.engine: MainEngine = desk.engine
        self.name, self.vt_symbols, self.adapter_name = name, vt_symbols, adapter_name
        self.limits = limits
        self._desk, self._lock = desk, desk.lock
        self._ledger = risk.Ledger()
        self._begun = False
        self._over = False
        self._wanted: frozenset[SubscribeRequest] = frozenset()  # replaced, never changed
        self._registered: dict[str, Callable[[Event], None]] = {}
        self._loading: set[Future[list[BarData]]] = set()
        self.cancelling: set[str] = set()
        self.strategy = strategy_class(self, params)

    # -- its life ---------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether it was stopped or has failed."""
        return self._over

    def start(self) -> None:
        """Subscribe to what it listens to, and let it begin on the dispatcher.

        Raises:
            ConfigurationError: The adapter does not serve what it wants; nothing is left behind.
        """
        try:
            for request in self._requests():
                self.listen(request)
        except FoxtrotError:
            self._finish()
            raise
        if self._overrides("on_timer"):
            self._register(EVENT_TIMER, self._on_timer)
        self._desk.post(self._begin)

    def stop(self) -> None:
        """Let it end; returns when `on_stop` has run, or at once in a handler."""
        self._desk.stop(self)

    def end_soon(self) -> None:
        """Let it end when what was put before is served."""
        if not self._over:
            self._desk.post(self._end)

    def _begin(self) -> None:
        self._call(self.strategy.on_init)
        self._begun = True
        self._start_if_loaded()

    def _start_if_loaded(self) -> None:
        if not self._begun or self._loading or self.strategy.inited or self._over:
            return
        self.strategy.inited = self.strategy.trading = True
        self._call(self.strategy.on_start)

    def _end(self) -> None:
        if self._over:
            return
        if self._begun:
            self._call(self.strategy.on_stop)
        self._finish()

    def _finish(self) -> None:
        # One piece, and once: who takes the name over owns streams under the same name.
        with self._lock:
            if self._over:
                return
            self._over, self.strategy.trading = True, False
            for future in self._loading:
                future.cancel()
            self._loading.clear()
            for type_, handler in self._registered.items():
                self.engine.unregister(type_, handler)
            for request in self._wanted:
                self.engine.unsubscribe(request, self.adapter_name, self._owner)

    def _fail(self, where: str, error: BaseException) -> None:
        orders = self.strategy.on_error
        log.error("strategy_failed", strategy=self.name, where=where, orders=orders, exc_info=error)
        self._finish()
        if orders == "cancel":
            self.cancel_all()
        reason = str(error) if isinstance(error, FoxtrotError) else type(error).__name__
        left = "are being cancelled" if orders == "cancel" else "are left alone"
        self.engine.write_log(f"stopped by {reason} in {where}; its orders {left}", self.name)

    def _call(self, method: Callable[..., object], *args: object) -> None:
        if self._over:
            return
        try:
            method(*args)
        except Exception as error:  # noqa: BLE001 - boundary: a strategy's mistake is its own end
            self._fail(getattr(method, "__name__", repr(method)), error)

    # -- its events -------------------------------------------------------------------------

    @property
    def _owner(self) -> str:
        return f"strategy {self.name}"

    def _overrides(self, method: str) -> bool:
        return getattr(type(self.strategy), method) is not getattr(Strategy, method)

    def _requests(self) -> list[SubscribeRequest]:
        channels = [each for each in _BY_OVERRIDING if self._overrides(_CHANNELS[each][1])]
        return [
            SubscribeRequest(*split(vt_symbol), channel)
            for vt_symbol in self.vt_symbols
            for channel in channels or [Channel.TICK]
        ]

    def listen(self, request: SubscribeRequest) -> None:
        """Subscribe, and hand what comes to the method of its channel."""
        with self._lock:
            if self._over:
                return
            self.engine.subscribe(request, self.adapter_name, self._owner)
            self._wanted |= {request}
        type_, name = _CHANNELS[request.channel]
        method = getattr(self.strategy, name)
        hand_on = self._on_bar if request.channel is Channel.BAR else self._on_market
        self._register(type_ + request.vt_symbol, partial(hand_on, method))

    def _register(self, type_: str, handler: Callable[[Event], None]) -> None:
        with self._lock:
            if type_ in self._registered or self._over:
                return
            self._registered[type_] = handler
            self.engine.register(type_, handler)

    def _on_market(self, method: Callable[[object], None], event: Event) -> None:
        item: TickData | DepthData | MarketTradeData = event.data  # type: ignore[assignment]
        # Another adapter may have the same symbol, such as that of a testnet.
        if self.strategy.inited and item.adapter_name == self.adapter_name:
            self._call(method, item)

    def _on_bar(self, method: OnBar, event: Event) -> None:
        bar: BarData = event.data  # type: ignore[assignment]
        wanted = any(
            each.channel is Channel.BAR
            and each.interval is bar.interval
            and each.vt_symbol == bar.vt_symbol
            and bar.adapter_name == self.adapter_name
            for each in self._wanted
        )
        if wanted and bar.closed and self.strategy.inited:
            self._call(method, bar)

    def _on_timer(self, event: Event) -> None:
        if self.strategy.inited:
            self._call(self.strategy.on_timer)

    def on_order(self, order: OrderData, *, own: bool) -> None:
        """An order changed."""
        if own:
            with self._lock:
                self._ledger.on_order(order)
                if not order.is_active():
                    self.cancelling.discard(order.vt_orderid)
        if self._begun and (own or self.strategy.sees_all_orders):
            with recalled(order.vt_orderid):
                self._call(self.strategy.on_order, order)

    def on_trade(self, trade: TradeData, *, own: bool) -> None:
        """An order was filled."""
        if own:
            contract = self.engine.get_contract(trade.vt_symbol, self.adapter_name)
            with self._lock:
                self._ledger.on_trade(trade, contract.size if contract else 1.0)
        if self._begun and (own or self.strategy.sees_all_orders):
            with recalled(trade.vt_orderid):
                self._call(self.strategy.on_trade, trade)

    # -- its orders -------------------------------------------------------------------------

    def send(self, request: OrderRequest) -> str:
        """Send an order unless a limit forbids it; empty while the strategy does not trade."""
        with self._lock, correlated(self.name):
            if not self.strategy.trading:
                return ""
            if problem := self._refusal(request):
                return self._refuse(request, problem)
            vt_orderid = self.engine.send_order(request, self.adapter_name)
            if vt_orderid:
                self._ledger.sent(vt_orderid, request)
                self._desk.claim(vt_orderid, self)
            return vt_orderid

    def cancel(self, vt_orderid: str) -> None:
        """Ask to cancel an open order of this strategy."""
        with self._lock:
            vt_symbol = self._ledger.active_orders().get(vt_orderid)
            if vt_symbol is None:
                log.warning("cancel_ignored", strategy=self.name, vt_orderid=vt_orderid)
                return
            self.cancelling.add(vt_orderid)
        orderid = vt_orderid.removeprefix(f"{self.adapter_name}.")
        self.engine.cancel_order(CancelRequest(orderid, *split(vt_symbol)), self.adapter_name)

    def cancel_all(self) -> None:
        """Ask to cancel every open order of this strategy."""
        with self._lock:
            active = list(self._ledger.active_orders())
        for vt_orderid in active:
            self.cancel(vt_orderid)

    def _refusal(self, request: OrderRequest) -> str:
        try:
            return risk.refusal(self.limits, self._ledger, request, self._price)
        except Exception:  # boundary: a limit that cannot be checked refuses
            log.exception("risk_failed", strategy=self.name, vt_symbol=request.vt_symbol)
            return "risk_check: a limit could not be checked, so the order is refused; see the log"

    def _refuse(self, request: OrderRequest, problem: str) -> str:
        now_ns = self.engine.adapter(self.adapter_name).clock.time_ns()
        order = refused_order(request, self._desk.refused_id(), self.adapter_name, problem, now_ns)
        log.warning("order_refused", strategy=self.name, reason=order.reason)
        remember(order.vt_orderid)
        self._desk.claim(order.vt_orderid, self)
        self.engine.event_engine.put(Event(EVENT_ORDER, order, order.vt_orderid))
        return order.vt_orderid

    def _price(self, vt_symbol: str) -> float:
        tick = self.engine.get_tick(vt_symbol, self.adapter_name)
        return tick.last_price if tick is not None else 0.0

    # -- what it knows ----------------------------------------------------------------------

    def position(self, vt_symbol: str) -> float:
        """What the strategy holds of a symbol."""
        with self._lock:
            return float(self._ledger.position(vt_symbol))

    def awaits(self, vt_orderid: str) -> bool:
        """Whether something of an order is still to be told."""
        return self._ledger.awaits(vt_orderid)

    def positions(self) -> dict[str, float]:
        """All that the strategy holds."""
        with self._lock:
            return self._ledger.positions()

    def profit(self) -> float | None:
        """What the strategy has gained; None while something it holds has no price."""
        with self._lock:
            profit = self._ledger.profit(self._price)
        return None if profit is None else float(profit)

    def now(self) -> dt.datetime:
        """The time, by the adapter."""
        return utc(self.engine.adapter(self.adapter_name).clock.time_ns())

    # -- bars of the past -------------------------------------------------------------------

    def load(self, request: HistoryRequest, callback: OnBar) -> None:
        """Fetch bars on the loop and hand them out on the dispatcher.

        Raises:
            NotSupported: The venue gives no history.
        """
        adapter = self.engine.adapter(self.adapter_name)
        if not adapter.capabilities.history:
            raise NotSupported(self.adapter_name, "history")
        name = f"{self.name}.load_bars"
        future = adapter.bridge.submit(_history(adapter, request, self.name), name=name)
        with self._lock:
            self._loading.add(future)
        future.add_done_callback(
            lambda done: self._desk.post(partial(self._loaded, done, callback))
        )

    def _loaded(self, done: Future[list[BarData]], callback: OnBar) -> None:
        if self._over or done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._fail("load_bars", error)
            return
        self._hand_out(done, (bar for bar in done.result() if bar.closed), callback)

    def _hand_out(
        self, done: Future[list[BarData]], bars: Iterator[BarData], callback: OnBar
    ) -> None:
        count = 0
        for bar in itertools.islice(bars, BARS_AT_ONCE):
            self._call(callback, bar)
            count += 1
        if count == BARS_AT_ONCE:
            self._desk.post(partial(self._hand_out, done, bars, callback))
            return
        with self._lock:
            self._loading.discard(done)
        self._start_if_loaded()


async def _history(adapter: BaseAdapter, request: HistoryRequest, name: str) -> list[BarData]:
    attempt = 0
    while True:
        wait_s = delay_s(attempt, LOAD_BASE_S, LOAD_MAX_S, 0.5)
        try:
            async with asyncio.timeout(HISTORY_DEADLINE_S):
                return await adapter.fetch_history(request, lambda done, total: None)
        except TimeoutError:
            reason = "no answer in time"
        except asyncio.CancelledError:  # an SDK may do that from inside
            heed_cancellation()
            reason = "the request was cancelled from inside"
        except FoxtrotError as error:
            # Not connected yet is a state that ends, too.
            if error.action in (Action.STOP, Action.DROP) and not isinstance(error, InvalidState):
                raise
            if isinstance(error, RateLimited):
                wait_s = max(wait_s, error.retry_after_s)
            reason = str(error)
        log.warning("load_bars_again", strategy=name, wait_s=wait_s, reason=reason)
        await asyncio.sleep(wait_s)
        attempt += 1
