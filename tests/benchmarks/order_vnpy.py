"""vnpy's EventEngine and a gateway over plain ccxt, as short as one that trades can be."""

from __future__ import annotations

import asyncio
import threading
from copy import copy
from datetime import datetime

from ccxt.pro.binance import binance
from vnpy.event import Event as VnpyEvent
from vnpy.event import EventEngine as VnpyEngine
from vnpy.trader.constant import Direction, Exchange, OrderType, Status
from vnpy.trader.event import EVENT_ORDER, EVENT_TRADE
from vnpy.trader.gateway import BaseGateway
from vnpy.trader.object import OrderData, OrderRequest, TickData, TradeData

from tests.benchmarks.clients import ccxt_config
from tests.benchmarks.order_clients import PRICE, VOLUME, WAIT_S, Course, Marks, plain_ids
from tests.benchmarks.order_venue import SYMBOL

_PAIR = "BTC/USDT"


class CcxtGateway(BaseGateway):
    """`create_order`, `watch_orders` and, if asked for, `watch_bids_asks`; nothing is checked."""

    exchanges = [Exchange.GLOBAL]  # noqa: RUF012 - as vnpy's gateways have it

    def __init__(self, event_engine: VnpyEngine, gateway_name: str = "CCXT") -> None:
        super().__init__(event_engine, gateway_name)
        self._next_id = plain_ids()
        self._orders: dict[str, OrderData] = {}
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._loop.run_forever)

    def connect(self, setting: dict[str, object]) -> None:
        """Open the exchange at `address`; it watches from now on."""
        self._thread.start()
        opening = self._open(str(setting["address"]), bool(setting["ticks"]))
        asyncio.run_coroutine_threadsafe(opening, self._loop).result(WAIT_S)

    async def _open(self, address: str, ticks: bool) -> None:
        self._exchange = binance(ccxt_config(address))
        await self._exchange.load_markets()
        await self._exchange.ensure_user_data_stream_ws_subscribe_signature("spot")
        self._tasks.append(asyncio.create_task(self._watch_orders()))
        if ticks:
            self._tasks.append(asyncio.create_task(self._watch_ticks()))

    def close(self) -> None:
        """End the exchange and its thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchange.close()

    def send_order(self, req: OrderRequest) -> str:
        """Tell that it is being submitted, and hand it to the loop."""
        orderid = self._next_id()
        order = req.create_order_data(orderid, self.gateway_name)
        self._orders[orderid] = order
        self.on_order(copy(order))
        asyncio.run_coroutine_threadsafe(self._place(order), self._loop)
        return order.vt_orderid

    async def _place(self, order: OrderData) -> None:
        named = {"newClientOrderId": order.orderid}
        await self._exchange.create_order(_PAIR, "limit", "buy", order.volume, order.price, named)
        self._on_open(order)

    def _on_open(self, order: OrderData) -> None:
        if order.status is Status.SUBMITTING:
            order.status = Status.NOTTRADED
            self.on_order(copy(order))

    async def _watch_orders(self) -> None:
        while True:
            for told in await self._exchange.watch_orders():
                order = self._orders.get(told["clientOrderId"])
                if order is not None:
                    self._on_told(order, told)

    def _on_told(self, order: OrderData, told: dict[str, float]) -> None:
        self._on_open(order)
        filled = told["filled"] - order.traded
        if filled > 0:
            order.traded, order.status = told["filled"], Status.ALLTRADED
            self.on_order(copy(order))
            trade = TradeData(
                gateway_name=self.gateway_name, symbol=order.symbol, exchange=order.exchange,
                orderid=order.orderid, tradeid=str(told["lastUpdateTimestamp"]),
                direction=order.direction, price=told["average"] or order.price, volume=filled,
            )  # fmt: skip
            self.on_trade(trade)

    async def _watch_ticks(self) -> None:
        while True:
            for ticker in (await self._exchange.watch_bids_asks([_PAIR])).values():
                tick = TickData(
                    gateway_name=self.gateway_name, symbol=SYMBOL, exchange=Exchange.GLOBAL,
                    datetime=datetime.now(), bid_price_1=ticker["bid"],
                    ask_price_1=ticker["ask"], bid_volume_1=ticker["bidVolume"],
                    ask_volume_1=ticker["askVolume"],
                )  # fmt: skip
                self.on_tick(tick)

    def subscribe(self, req: object) -> None:
        """Decided by `connect`."""

    def cancel_order(self, req: object) -> None:
        """Nothing is cancelled here."""

    def query_account(self) -> None:
        """Nothing is asked for."""

    def query_position(self) -> None:
        """Nothing is asked for."""


def vnpy_orders(address: str, orders: int, ticks: bool) -> Marks:
    """Send the orders through vnpy's engine."""
    engine, course = VnpyEngine(1), Course(address)

    def on_order(event: VnpyEvent) -> None:
        if event.data.status is Status.NOTTRADED:
            course.on_opened(event.data.orderid)

    engine.register(EVENT_ORDER, on_order)
    engine.register(EVENT_TRADE, lambda event: course.on_filled(event.data.orderid))
    gateway = CcxtGateway(engine)
    request = OrderRequest(SYMBOL, Exchange.GLOBAL, Direction.LONG, OrderType.LIMIT, VOLUME, PRICE)
    engine.start()
    try:
        gateway.connect({"address": address, "ticks": ticks})
        return course.run(orders, lambda: gateway.send_order(request))
    finally:
        gateway.close()
        engine.stop()
