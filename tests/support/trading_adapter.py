"""A tiny venue that takes every order, and does with it what the test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec

from foxtrot.gateway.base import Progress
from foxtrot.model.constants import Exchange, Product, Status
from foxtrot.model.objects import BarData, ContractData, OrderData, Source, TickData, TradeData
from foxtrot.model.requests import CancelRequest, HistoryRequest, OrderRequest
from tests.support.events import WAIT_S, Collected
from tests.support.fake_adapter import FakeAdapter

History = Callable[[HistoryRequest], list[BarData]]


class TradingAdapter(FakeAdapter):
    """Keeps what it is asked; orders rest until `fill`, `reject` or a cancel.

    Thread safety: drive it from the test's thread; orders and cancels come from any.
    """

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.sent: Collected[OrderRequest] = Collected()
        self.cancelled: Collected[CancelRequest] = Collected()
        self.asked: Collected[HistoryRequest] = Collected()
        self.history: History = lambda request: []
        self.halt_reason = self.not_ready = ""
        self._numbers, self._fills = itertools.count(1), itertools.count(1)
        self._orders: dict[str, OrderData] = {}

    def unready(self) -> str:
        """What the test says, or that it is halted."""
        return self.not_ready or self.halt_reason

    def send_order(self, request: OrderRequest) -> str:
        """Take an order; refuse it while halted."""
        reason = f"local:halted: {self.halt_reason}" if self.halt_reason else ""
        order = OrderData(
            self.adapter_name,
            request.symbol,
            request.exchange,
            f"o{next(self._numbers)}",
            type=request.type,
            direction=request.direction,
            offset=request.offset,
            price=request.price,
            volume=request.volume,
            status=Status.REJECTED if reason else Status.SUBMITTING,
            reference=request.reference,
            reason=reason,
        )
        self._tell(order)
        if not reason:
            self.sent(request)
        return order.vt_orderid

    def cancel_order(self, request: CancelRequest) -> None:
        """Cancel an order at once."""
        self.cancelled(request)
        order = self._orders[request.orderid]
        if order.is_active():
            self._tell(_changed(order, status=Status.CANCELLED))

    def halt(self, reason: str = "") -> None:
        """Refuse orders from now on, and cancel all that is open."""
        self.halt_reason = reason or "asked to"
        self.cancel_all()

    def resume(self) -> None:
        """Take orders again."""
        self.halt_reason = ""

    def cancel_all(self) -> None:
        """Cancel all that is open."""
        for order in list(self._orders.values()):
            if order.is_active():
                self.cancel_order(order.create_cancel_request())

    def order(self, vt_orderid: str) -> OrderData:
        """An order as it is now."""
        return self._orders[vt_orderid.rpartition(".")[2]]

    def accept(self, vt_orderid: str) -> None:
        """An order rests at the venue."""
        self._tell(_changed(self.order(vt_orderid), status=Status.NOTTRADED))

    def fill(
        self, vt_orderid: str, volume: float | None = None, price: float | None = None
    ) -> None:
        """Fill an order, wholly if no volume is given; the order is told before its fill."""
        order = self.order(vt_orderid)
        volume = order.volume - order.traded if volume is None else volume
        traded = order.traded + volume
        status = Status.ALLTRADED if traded >= order.volume else Status.PARTTRADED
        self._tell(_changed(order, status=status, traded=traded))
        self.on_trade(
            TradeData(
                self.adapter_name,
                order.symbol,
                order.exchange,
                order.orderid,
                f"t{next(self._fills)}",
                direction=order.direction,
                price=order.price if price is None else price,
                volume=volume,
            )
        )

    def quote(self, vt_symbol: str, price: float, ts_ns: int = 1, spread: float = 2.0) -> None:
        """A tick, which is served before this returns."""
        symbol, _, exchange = vt_symbol.rpartition(".")
        source = Source.of(symbol, Exchange(exchange), self.adapter_name)
        half = spread / 2
        self.on_tick(
            TickData(source, ts_ns, ts_ns, price, 1.0, price - half, 1.0, price + half, 1.0)
        )
        self.settle()

    def list_contract(self, symbol: str, *, size: float = 1.0, net_position: bool = True) -> None:
        """Make a contract known."""
        name = self.adapter_name
        contract = ContractData(
            name,
            symbol,
            Exchange.BINANCE,
            symbol,
            Product.SPOT,
            size,
            0.01,
            net_position=net_position,
        )
        self.on_contract(contract)
        self.settle()

    def settle(self) -> None:
        """Wait until all that was put is served, and what that caused too."""
        for _ in range(3):
            assert self.event_engine.drain(WAIT_S)

    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """What the test has put into `history`."""
        self.asked(request)
        return self.history(request)

    def _tell(self, order: OrderData) -> None:
        self._orders[order.orderid] = order
        self.on_order(order)


def _changed(order: OrderData, **changes: object) -> OrderData:
    return msgspec.structs.replace(order, **changes)
