"""The order management cache: the latest of everything, kept by the dispatcher, read by anyone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from foxtrot.core.event_engine import EventEngine
from foxtrot.core.handlers import Critical
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_BAR,
    EVENT_CONTRACT,
    EVENT_DEPTH,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_QUOTE,
    EVENT_TICK,
    EVENT_TRADE,
    Event,
)
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    DepthData,
    OrderData,
    PositionData,
    QuoteData,
    TickData,
    TradeData,
)

T = TypeVar("T")


ORDERS_KEPT: Final = 20_000
"""Orders, all open ones and the newest of those that have ended."""
TRADES_KEPT: Final = 100_000
_AT_ONCE: Final = 0.1
"""So many more are put, as a share, before the oldest go together."""


class Shelf(Generic[T]):
    """The latest object per id. One writer; a reader gets a copy made in one step.

    Args:
        most: How many are kept; 0: all, as there are only so many ids.
        stays: Of what is kept, however old it is.
    """

    def __init__(self, most: int = 0, stays: Callable[[T], bool] | None = None) -> None:
        self._latest: dict[str, T] = {}
        self.most, self._stays = most, stays
        self._room = most + max(int(most * _AT_ONCE), 1)

    def put(self, key: str, item: T) -> None:
        """Keep `item` as the latest of `key`."""
        self._latest[key] = item
        if self.most and len(self._latest) >= self._room:
            self._forget()

    def get(self, key: str) -> T | None:
        """The latest of `key`."""
        return self._latest.get(key)

    def all(self) -> list[T]:
        """The latest of every key."""
        return list(self._latest.values())

    def _forget(self) -> None:
        stays = self._stays
        old = [key for key, item in self._latest.items() if stays is None or not stays(item)]
        for key in old[: len(self._latest) - self.most]:
            del self._latest[key]
        self._room = len(self._latest) + max(int(self.most * _AT_ONCE), 1)


class MarketShelf(Generic[T]):
    """The latest object per vt_symbol: of each adapter, and the newest of all.

    Two adapters may have the same symbol: of an exchange and its testnet, or of two accounts.
    """

    def __init__(self) -> None:
        self._newest: Shelf[T] = Shelf()
        self._own: dict[tuple[str, str], T] = {}

    def put(self, adapter_name: str, vt_symbol: str, item: T) -> None:
        """Keep `item` as the latest of `vt_symbol`."""
        self._own[adapter_name, vt_symbol] = item
        self._newest.put(vt_symbol, item)

    def get(self, vt_symbol: str, adapter_name: str = "") -> T | None:
        """The latest of `vt_symbol`, of that adapter if one is named."""
        if adapter_name:
            return self._own.get((adapter_name, vt_symbol))
        return self._newest.get(vt_symbol)

    def all(self) -> list[T]:
        """The latest of every symbol."""
        return self._newest.all()


class OmsEngine:
    """Keeps the latest tick, order, trade, position, account, contract and quote.

    Args:
        event_engine: Where it listens.
        critical: Told when it fails, for nobody can trade by a cache that is wrong.
    """

    name = "oms"

    def __init__(self, event_engine: EventEngine, critical: Critical | None = None) -> None:
        self.ticks: MarketShelf[TickData] = MarketShelf()
        self.depths: MarketShelf[DepthData] = MarketShelf()
        self.bars: Shelf[BarData] = Shelf()
        self.orders: Shelf[OrderData] = Shelf(ORDERS_KEPT, OrderData.is_active)
        self.trades: Shelf[TradeData] = Shelf(TRADES_KEPT)
        self.positions: Shelf[PositionData] = Shelf()
        self.accounts: Shelf[AccountData] = Shelf()
        self.contracts: MarketShelf[ContractData] = MarketShelf()
        self.quotes: Shelf[QuoteData] = Shelf(ORDERS_KEPT)
        for type_, handler in (
            (EVENT_TICK, self._on_tick),
            (EVENT_DEPTH, self._on_depth),
            (EVENT_BAR, self._on_bar),
            (EVENT_ORDER, self._on_order),
            (EVENT_TRADE, self._on_trade),
            (EVENT_POSITION, self._on_position),
            (EVENT_ACCOUNT, self._on_account),
            (EVENT_CONTRACT, self._on_contract),
            (EVENT_QUOTE, self._on_quote),
        ):
            event_engine.register(type_, handler, critical=critical)

    def active_orders(self) -> list[OrderData]:
        """Orders that may still trade."""
        return [order for order in self.orders.all() if order.is_active()]

    def close(self) -> None:
        """Nothing to close; the handlers end with the event engine."""

    def _on_tick(self, event: Event) -> None:
        tick: TickData = event.data  # type: ignore[assignment]
        self.ticks.put(tick.source.adapter_name, tick.source.vt_symbol, tick)

    def _on_depth(self, event: Event) -> None:
        depth: DepthData = event.data  # type: ignore[assignment]
        self.depths.put(depth.source.adapter_name, depth.source.vt_symbol, depth)

    def _on_bar(self, event: Event) -> None:
        bar: BarData = event.data  # type: ignore[assignment]
        interval = bar.interval.value if bar.interval is not None else ""
        self.bars.put(f"{bar.vt_symbol}:{interval}", bar)

    def _on_order(self, event: Event) -> None:
        order: OrderData = event.data  # type: ignore[assignment]
        self.orders.put(order.vt_orderid, order)

    def _on_trade(self, event: Event) -> None:
        trade: TradeData = event.data  # type: ignore[assignment]
        key = trade.vt_tradeid
        known = self.trades.get(key)
        if known is not None and known.vt_symbol != trade.vt_symbol:
            key = f"{key}.{trade.vt_symbol}"  # venues number the fills of each symbol anew
        self.trades.put(key, trade)

    def _on_position(self, event: Event) -> None:
        position: PositionData = event.data  # type: ignore[assignment]
        self.positions.put(position.vt_positionid, position)

    def _on_account(self, event: Event) -> None:
        account: AccountData = event.data  # type: ignore[assignment]
        self.accounts.put(account.vt_accountid, account)

    def _on_contract(self, event: Event) -> None:
        contract: ContractData = event.data  # type: ignore[assignment]
        self.contracts.put(contract.adapter_name, contract.vt_symbol, contract)

    def _on_quote(self, event: Event) -> None:
        quote: QuoteData = event.data  # type: ignore[assignment]
        self.quotes.put(quote.vt_quoteid, quote)
