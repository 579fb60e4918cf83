"""A gateway of vnpy as people write them: it blocks, has a counter for ids, and needs the timer."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any, ClassVar

from vnpy.event import EVENT_TIMER
from vnpy.trader import constant, object
from vnpy.trader.gateway import BaseGateway

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class PlainGateway(BaseGateway):  # type: ignore[misc]
    """Trades AAPL at SMART; the test says what the venue does."""

    default_name = "PLAIN"
    default_setting: ClassVar[dict[str, Any]] = {
        "user": "me",
        "password": "",
        "port": 1,
        "server": ["REAL", "TEST"],
        "fast": True,
    }
    exchanges: ClassVar[list[Any]] = [constant.Exchange.SMART, constant.Exchange.GLOBAL]

    made: ClassVar[list[PlainGateway]] = []
    silent = False
    """Whether it tells nothing when it connects."""
    answers = True
    """Whether orders are taken by the venue at once."""

    def __init__(self, event_engine: Any, gateway_name: str) -> None:
        super().__init__(event_engine, gateway_name)
        self.calls: list[tuple[str, str]] = []
        self.setting: dict[str, Any] = {}
        self.count = 0
        self.timers = 0
        self.inside = 0
        self.overlaps = 0
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.orders: dict[str, Any] = {}
        type(self).made.append(self)

    def _enter(self, what: str) -> None:
        self.calls.append((what, threading.current_thread().name))
        self.inside += 1
        self.overlaps += self.inside > 1
        self.busy.set()
        self.go_on.wait(10)
        self.inside -= 1

    def connect(self, setting: dict[str, Any]) -> None:
        """Say a word, and tell a contract unless it is silent."""
        self._enter("connect")
        self.setting = setting
        self.event_engine.register(EVENT_TIMER, self._on_timer)
        self.write_log("logging in")
        if self.silent:
            return
        contract = object.ContractData(
            gateway_name=self.gateway_name,
            symbol="AAPL",
            exchange=constant.Exchange.SMART,
            name="Apple",
            product=constant.Product.EQUITY,
            size=1,
            pricetick=0.01,
            history_data=True,
        )
        self.on_contract(contract)
        self.query_account()

    def close(self) -> None:
        """Note it."""
        self._enter("close")

    def subscribe(self, req: Any) -> None:
        """Note it."""
        self._enter(f"subscribe {req.vt_symbol}")

    def send_order(self, req: Any) -> str:
        """Under a number of its own, told before this returns."""
        self._enter("send_order")
        self.count += 1
        order = req.create_order_data(str(self.count), self.gateway_name)
        self.orders[order.orderid] = order
        self.on_order(order)
        if self.answers:
            self.tell(order.orderid, constant.Status.NOTTRADED)
        return str(order.vt_orderid)

    def cancel_order(self, req: Any) -> None:
        """At once."""
        self._enter("cancel_order")
        self.tell(req.orderid, constant.Status.CANCELLED)

    def query_account(self) -> None:
        """One balance."""
        self.on_account(
            object.AccountData(gateway_name=self.gateway_name, accountid="me", balance=9)
        )

    def query_position(self) -> None:
        """Nothing is held."""

    def query_history(self, req: Any) -> list[Any]:
        """One bar."""
        self._enter("query_history")
        return [
            object.BarData(self.gateway_name, req.symbol, req.exchange, req.start, req.interval)
        ]

    def _on_timer(self, event: Any) -> None:
        self._enter("timer")
        self.timers += 1

    # -- what a test lets happen ------------------------------------------------------------

    def tell(self, orderid: str, status: Any, traded: float = 0.0) -> None:
        """An order as it is now."""
        known = self.orders[orderid]
        order = object.OrderData(
            gateway_name=self.gateway_name,
            symbol=known.symbol,
            exchange=known.exchange,
            orderid=orderid,
            direction=known.direction,
            type=known.type,
            price=known.price,
            volume=known.volume,
            traded=traded,
            status=status,
        )
        self.orders[orderid] = order
        self.on_order(order)

    def fill(self, orderid: str) -> None:
        """All of an order, its fill told after it as vnpy's gateways do."""
        order = self.orders[orderid]
        self.tell(orderid, constant.Status.ALLTRADED, order.volume)
        trade = object.TradeData(
            gateway_name=self.gateway_name,
            symbol=order.symbol,
            exchange=order.exchange,
            orderid=orderid,
            tradeid=f"t{orderid}",
            direction=order.direction,
            price=order.price,
            volume=order.volume,
            datetime=NOON,
        )
        self.on_trade(trade)

    def tick(self, bid: float, ask: float) -> None:
        """A tick of AAPL."""
        self.on_tick(
            object.TickData(
                gateway_name=self.gateway_name,
                symbol="AAPL",
                exchange=constant.Exchange.SMART,
                datetime=dt.datetime.now(dt.UTC),
                last_price=bid,
                bid_price_1=bid,
                ask_price_1=ask,
            )
        )
