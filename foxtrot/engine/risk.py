"""What a strategy holds, and whether it may send one order more. Pure: no thread, no clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from foxtrot.core.settings import RiskLimits
from foxtrot.execution.reports import ZERO, exact
from foxtrot.model.constants import Direction
from foxtrot.model.objects import OrderData, TradeData
from foxtrot.model.requests import OrderRequest

_SIGN: dict[Direction | None, int] = {Direction.LONG: 1, Direction.SHORT: -1}

Price = Callable[[str], float]
"""The price at which a position in a vt_symbol counts now; 0 where none is known."""


class _Sent:
    """An order of which something may still trade, or has traded but was not told as a fill."""

    def __init__(self, request: OrderRequest) -> None:
        self.order: OrderData | None = None
        self.vt_symbol = request.vt_symbol
        self.direction = request.direction
        self.volume = exact(request.volume)
        self.filled = ZERO

    @property
    def is_active(self) -> bool:
        return self.order is None or self.order.is_active()

    @property
    def pending(self) -> Decimal:
        """What of it is not yet in the position and may be."""
        if self.order is None:
            return self.volume - self.filled
        order = self.order
        return exact(order.volume if order.is_active() else order.traded) - self.filled


class Ledger:
    """Positions, open orders and profit of one strategy, from its own orders and fills alone.

    Orders and fills may come in any order: what an order has traded counts as pending until the
    fill is told, so that nothing is ever missing from position and pending together.
    """

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}
        self._positions: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._cash = ZERO
        self._sizes: dict[str, Decimal] = {}

    def sent(self, vt_orderid: str, request: OrderRequest) -> None:
        """An order left for the venue."""
        self._sent[vt_orderid] = _Sent(request)

    def on_order(self, order: OrderData) -> None:
        """An order changed."""
        sent = self._sent.get(order.vt_orderid)
        if sent is not None:
            sent.order = order
            self._forget_if_done(order.vt_orderid)

    def on_trade(self, trade: TradeData, size: float = 1.0) -> None:
        """An order was filled; `size` is that of its contract."""
        volume = exact(trade.volume)
        signed = volume * _SIGN[trade.direction]
        self._sizes[trade.vt_symbol] = exact(size)
        self._positions[trade.vt_symbol] += signed
        self._cash -= signed * exact(trade.price) * exact(size)
        sent = self._sent.get(trade.vt_orderid)
        if sent is not None:
            sent.filled += volume
            self._forget_if_done(trade.vt_orderid)

    def _forget_if_done(self, vt_orderid: str) -> None:
        sent = self._sent[vt_orderid]
        if not sent.is_active and sent.pending <= 0:
            del self._sent[vt_orderid]

    def position(self, vt_symbol: str) -> Decimal:
        """What is held, below 0 if sold short."""
        return self._positions.get(vt_symbol, ZERO)

    def positions(self) -> dict[str, float]:
        """All that is held, by vt_symbol."""
        return {each: float(volume) for each, volume in self._positions.items() if volume}

    def pending(self, vt_symbol: str, direction: Direction) -> Decimal:
        """By how much open orders of that side may still move the position."""
        return sum(
            (
                sent.pending
                for sent in self._sent.values()
                if sent.vt_symbol == vt_symbol and sent.direction is direction
            ),
            ZERO,
        )

    def awaits(self, vt_orderid: str) -> bool:
        """Whether something of an order is still to be told: its end, or a fill."""
        return vt_orderid in self._sent

    def active_orders(self) -> dict[str, str]:
        """The orders that may still trade, with the vt_symbol of each."""
        return {key: sent.vt_symbol for key, sent in self._sent.items() if sent.is_active}

    def profit(self, price: Price) -> Decimal | None:
        """Gain since the start, without fees; None while a held symbol has no price."""
        profit = self._cash
        for vt_symbol, volume in self._positions.items():
            if not volume:
                continue
            last = price(vt_symbol)
            if not last > 0:
                return None
            profit += volume * exact(last) * self._sizes[vt_symbol]
        return profit

    def reduces(self, request: OrderRequest) -> bool:
        """Whether an order can do nothing but bring a position nearer to 0."""
        sign = _SIGN[request.direction]
        after = self.position(request.vt_symbol) * sign + exact(request.volume)
        return after + self.pending(request.vt_symbol, request.direction) <= 0


def refusal(limits: RiskLimits, ledger: Ledger, request: OrderRequest, price: Price) -> str:
    """Why a strategy may not send an order, as `rule: words`; empty if it may."""
    return (
        _too_many(limits.max_open_orders, ledger)
        or _too_large(limits.max_position, ledger, request)
        or _too_dear(limits.max_loss, ledger, request, price)
    )


def _too_many(limit: int, ledger: Ledger) -> str:
    count = len(ledger.active_orders())
    if not limit or count < limit:
        return ""
    return f"risk_open_orders: {count} of this strategy are open, the limit is {limit}"


def _too_large(limit: float, ledger: Ledger, request: OrderRequest) -> str:
    if not limit or ledger.reduces(request):
        return ""
    pending = ledger.pending(request.vt_symbol, request.direction)
    held = ledger.position(request.vt_symbol) * _SIGN[request.direction]
    after = held + pending + exact(request.volume)
    if after <= exact(limit):
        return ""
    side = request.direction.value.lower()
    return (
        f"risk_position: {request.vt_symbol} could be {_plain(after)} {side},"
        f" the limit is {_plain(exact(limit))}"
    )


def _too_dear(limit: float, ledger: Ledger, request: OrderRequest, price: Price) -> str:
    if not limit or ledger.reduces(request):
        return ""
    profit, most = ledger.profit(price), _plain(exact(limit))
    if profit is None:
        return f"risk_loss: what is held has no price yet, the limit is {most}"
    if -profit < exact(limit):
        return ""
    return f"risk_loss: this strategy has lost {_plain(-profit)}, the limit is {most}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
