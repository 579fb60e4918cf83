"""Strategy: what a trader writes. Override what you use; vnpy's CtaTemplate is the model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict, Unpack

from foxtrot.core.logs import get_logger
from foxtrot.engine import parameters
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.model.constants import Channel, Direction, Exchange, Interval, Offset, OrderType
from foxtrot.model.objects import (
    BarData,
    DepthData,
    MarketTradeData,
    OrderData,
    TickData,
    TradeData,
)
from foxtrot.model.requests import HistoryRequest, OrderRequest, SubscribeRequest

if TYPE_CHECKING:
    from foxtrot.engine.runner import StrategyRunner


class OrderOptions(TypedDict, total=False):
    """What an order may say beside price and volume, by keyword."""

    type: OrderType
    """LIMIT, if nothing is said; such as `OrderType.MARKET`."""
    stop_price: float
    """For `OrderType.STOP_LIMIT`: where it becomes a limit order."""
    vt_symbol: str
    """Which symbol; needed if the strategy has several."""


class Strategy:
    """Reacts to what happens to its symbols, and trades them.

    Its life: `on_init`, once; then, when all that `load_bars` asked for was delivered, `inited`
    and `trading` are set and `on_start` runs; then come the events, until `on_stop`. Ticks, depth
    and market trades of its symbols are subscribed if the method that takes them is overridden
    (ticks, if none is), a venue's bars by `subscribe`.

    An exception in any of its methods stops it, with its name in the log, and harms nobody else.
    Orders that it leaves behind at `on_stop` stay; call `cancel_all` there if they should not.

    Thread safety: every `on_` method runs on the dispatcher thread, one after the other, and must
    not block. The verbs may be called from any thread.

    Args:
        runner: What drives it; `MainEngine.add_strategy` makes both.
        params: Values for its parameters.
    """

    parameters: ClassVar[Sequence[str]] = ()
    """Names of class attributes that whoever adds the strategy may set."""
    variables: ClassVar[Sequence[str]] = ()
    """Names of attributes that are shown while it runs."""
    on_error: ClassVar[Literal["cancel", "leave"]] = "cancel"
    """What becomes of its open orders when it fails."""
    sees_all_orders: ClassVar[bool] = False
    """Whether `on_order` and `on_trade` get everybody's, not its own alone."""

    def __init__(self, runner: StrategyRunner, params: Mapping[str, object] | None = None) -> None:
        self._runner = runner
        self.engine, self.name = runner.engine, runner.name
        self.vt_symbols, self.adapter_name = runner.vt_symbols, runner.adapter_name
        self.log = get_logger("foxtrot.strategy").bind(strategy=self.name)
        self.inited = False
        self.trading = False
        if self.on_error not in ("cancel", "leave"):
            problem = f"must be cancel or leave; was {self.on_error!r}"
            raise ConfigurationError(type(self).__name__, "on_error", problem)
        values = parameters.checked(type(self), self.parameters, params or {})
        for name, value in values.items():
            setattr(self, name, value)

    # -- to override ------------------------------------------------------------------------

    def on_init(self) -> None:
        """Runs once, first: make what you need, `load_bars` to warm up, `subscribe` to more."""

    def on_start(self) -> None:
        """Runs once all is loaded; from here on it may trade."""

    def on_stop(self) -> None:
        """Runs once, last; it may still trade here."""

    def on_tick(self, tick: TickData) -> None:
        """A new best bid, ask or last price."""

    def on_depth(self, depth: DepthData) -> None:
        """New best levels of a book."""

    def on_market_trade(self, trade: MarketTradeData) -> None:
        """A print on the tape."""

    def on_bar(self, bar: BarData) -> None:
        """A closed bar: subscribed, loaded, or from a `BarGenerator` of yours."""

    def on_order(self, order: OrderData) -> None:
        """A change of an order of its own."""

    def on_trade(self, trade: TradeData) -> None:
        """A fill of an order of its own; `pos` has it already."""

    def on_timer(self) -> None:
        """A second has passed."""

    # -- orders -----------------------------------------------------------------------------

    def buy(
        self, price: float, volume: float, stop: bool = False, **options: Unpack[OrderOptions]
    ) -> str:
        """Buy to open a long position; returns the order's `vt_orderid`.

        What became of it comes by `on_order`, refusals too. While it is not `trading`, nothing is
        sent and the id is empty, as with vnpy: `on_bar` may buy while bars are being loaded.

        Args:
            price: Limit price; does not count for a market order.
            volume: In units of the contract.
            stop: A stop order at `price`.
            options: See `OrderOptions`.

        Raises:
            InvalidState: It has several symbols and `vt_symbol` says none.
        """
        return self._send(Direction.LONG, Offset.OPEN, price, volume, stop, **options)

    def sell(
        self, price: float, volume: float, stop: bool = False, **options: Unpack[OrderOptions]
    ) -> str:
        """Sell to close a long position; otherwise as `buy`."""
        return self._send(Direction.SHORT, Offset.CLOSE, price, volume, stop, **options)

    def short(
        self, price: float, volume: float, stop: bool = False, **options: Unpack[OrderOptions]
    ) -> str:
        """Sell to open a short position; otherwise as `buy`."""
        return self._send(Direction.SHORT, Offset.OPEN, price, volume, stop, **options)

    def cover(
        self, price: float, volume: float, stop: bool = False, **options: Unpack[OrderOptions]
    ) -> str:
        """Buy to close a short position; otherwise as `buy`."""
        return self._send(Direction.LONG, Offset.CLOSE, price, volume, stop, **options)

    def cancel(self, vt_orderid: str) -> None:
        """Ask to cancel an order of its own; one that has ended is left alone."""
        self._runner.cancel(vt_orderid)

    def cancel_all(self) -> None:
        """Ask to cancel every open order of its own."""
        self._runner.cancel_all()

    # -- what it knows ----------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether its venue takes orders now: connected, in step with the account, not halted.

        `trading` is set as soon as the strategy runs, which may be before that.
        """
        return not self.engine.adapter(self.adapter_name).unready()

    @property
    def pos(self) -> float:
        """What it holds of its symbol, by its own fills since it was added; below 0 if short.

        Raises:
            InvalidState: It has several symbols; ask `get_pos`.
        """
        return self.get_pos(self._only())

    def get_pos(self, vt_symbol: str) -> float:
        """What it holds of `vt_symbol`, by its own fills since it was added."""
        return self._runner.position(vt_symbol)

    @property
    def pnl(self) -> float | None:
        """What it gained since it was added, at the last prices and without fees.

        None while something it holds has no price.
        """
        return self._runner.profit()

    @property
    def now(self) -> dt.datetime:
        """The time, UTC."""
        return self._runner.now()

    def get_parameters(self) -> dict[str, object]:
        """Its parameters, by name."""
        return {name: getattr(self, name) for name in self.parameters}

    def get_variables(self) -> dict[str, object]:
        """Whether it is ready and trades, what it holds, and its declared variables, by name."""
        shown: dict[str, object] = {
            "inited": self.inited,
            "trading": self.trading,
            "pos": self._runner.positions(),
        }
        return shown | {name: getattr(self, name, None) for name in self.variables}

    # -- other verbs ------------------------------------------------------------------------

    def subscribe(
        self,
        vt_symbol: str = "",
        channel: Channel = Channel.TICK,
        interval: Interval = Interval.MINUTE,
    ) -> None:
        """Want a stream; it reaches the method of its channel. `interval` counts for bars.

        Raises:
            ConfigurationError: The adapter does not serve it.
            InvalidState: It has several symbols and none was given.
        """
        symbol, exchange = self._parts(vt_symbol)
        self._runner.listen(SubscribeRequest(symbol, exchange, channel, interval))

    def load_bars(
        self,
        days: int = 0,
        interval: Interval = Interval.MINUTE,
        callback: Callable[[BarData], None] | None = None,
        *,
        hours: int = 0,
        vt_symbol: str = "",
    ) -> None:
        """Ask for the closed bars of the last days and hours; returns at once.

        Each is handed to `callback` (`on_bar`, if None) on the dispatcher, oldest first. What was
        asked for in `on_init` comes before `on_start`. It is tried until the venue can be reached;
        what the venue does not have stops the strategy.

        Raises:
            NotSupported: The venue gives no history.
            InvalidState: It has several symbols and none was given.
        """
        symbol, exchange = self._parts(vt_symbol)
        start = self.now - dt.timedelta(days=days, hours=hours)
        request = HistoryRequest(symbol, exchange, start, interval=interval)
        self._runner.load(request, callback or self.on_bar)

    def write_log(self, msg: str) -> None:
        """Put a line for the people who watch."""
        self.engine.write_log(msg, self.name)

    def stop(self) -> None:
        """Run `on_stop`, then hear nothing more.

        Returns when that is done; in a handler, when it is asked for.
        """
        self._runner.stop()

    # -- private ----------------------------------------------------------------------------

    def _send(
        self,
        direction: Direction,
        offset: Offset,
        price: float,
        volume: float,
        stop: bool,
        *,
        type: OrderType = OrderType.LIMIT,
        stop_price: float = 0.0,
        vt_symbol: str = "",
    ) -> str:
        if stop:
            type, stop_price = OrderType.STOP, price
        priced = type not in (OrderType.MARKET, OrderType.STOP)
        symbol, exchange = self._parts(vt_symbol)
        contract = self.engine.get_contract(f"{symbol}.{exchange.value}", self.adapter_name)
        if contract is not None and contract.net_position:
            offset = Offset.NONE  # there, nothing is opened or closed but the net
        request = OrderRequest(
            symbol,
            exchange,
            direction,
            type,
            float(volume),
            price=float(price) if priced else 0.0,
            offset=offset,
            reference=self.name,
            stop_price=float(stop_price),
        )
        return self._runner.send(request)

    def _parts(self, vt_symbol: str) -> tuple[str, Exchange]:
        return split(vt_symbol or self._only())

    def _only(self) -> str:
        if len(self.vt_symbols) != 1:
            count = len(self.vt_symbols)
            raise InvalidState(f"{self.name} has {count} symbols; say which by vt_symbol")
        return self.vt_symbols[0]


def split(vt_symbol: str) -> tuple[str, Exchange]:
    """Symbol and exchange of a vt_symbol, which is taken apart at its last dot.

    Raises:
        ConfigurationError: It is none.
    """
    symbol, _, exchange = vt_symbol.rpartition(".")
    if not symbol or exchange not in {each.value for each in Exchange}:
        problem = f"{vt_symbol!r} is not of the form SYMBOL.EXCHANGE, such as BTCUSDT.BINANCE"
        raise ConfigurationError("strategy", "symbols", problem)
    return symbol, Exchange(exchange)
