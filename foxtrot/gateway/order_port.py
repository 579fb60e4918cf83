"""The order side of an adapter: refuses what cannot be sent, and hands the rest to the desk."""

from __future__ import annotations

import contextlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import ClassVar

import msgspec

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.supervisor import Listener
from foxtrot.core.aside import aside
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.directories import data_directory
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.logs import correlated, get_logger, remember
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import JournalUnavailable, NotSupported
from foxtrot.execution.journal import Durability, Journal
from foxtrot.execution.reports import refused_order
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.desk import OrderDesk
from foxtrot.gateway.guard import Guard, Market
from foxtrot.gateway.publisher import Publisher
from foxtrot.gateway.trading import TradingListener, TradingSession
from foxtrot.model.constants import Exchange, OrderType, StreamState
from foxtrot.model.objects import NS_PER_S, ContractData, OrderData, PositionData, TickData
from foxtrot.model.requests import CancelRequest, OrderRequest

log = get_logger("foxtrot.gateway")

_PYTHONS: frozenset[type] = frozenset({float, int, bool})
_KEPT_NS = 30 * 86_400 * NS_PER_S
"""How long the journal keeps orders that ended; venues list fills for less."""


class OrderPort(Publisher, Listener, ABC):
    """vnpy's order methods of a gateway, with halt, resume, modify and cancel_all.

    Thread safety: every public method may be called from any thread, and none waits.
    """

    exchanges: ClassVar[Sequence[Exchange]]
    capabilities: ClassVar[Capabilities]

    def __init__(
        self,
        event_engine: EventEngine,
        adapter_name: str,
        *,
        bridge: AsyncThreadBridge,
        clock: Clock,
    ) -> None:
        super().__init__(event_engine, adapter_name)
        self.bridge, self.clock = bridge, clock
        self.log = log.bind(venue=adapter_name)
        self.guard = Guard(lambda: self.flags, clock.monotonic)
        self.traded: set[str] = set()
        """Symbols that orders were seen of."""
        self._contracts: dict[str, ContractData] = {}
        self._held: dict[str, PositionData] = {}
        """Positions of the account that is traded, by their vt_positionid."""
        self._refused_ids = map("local-{}".format, itertools.count(1))
        self._desk: OrderDesk | None = None
        self._desks: dict[str, OrderDesk] = {}

    # -- what a venue implements ------------------------------------------------------------

    def make_trading_session(self, listener: TradingListener) -> TradingSession:
        """An unopened session that trades and tells `listener` what happens.

        Raises:
            NotSupported: The venue does not trade.
        """
        raise NotSupported(self.adapter_name, "orders")

    @property
    def account(self) -> str:
        """A name for what is traded on, for its journal; empty if `connect` was given no keys."""
        return ""

    def last_tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick of a contract, if it is subscribed."""
        return None

    # -- what the adapter knows -------------------------------------------------------------

    @property
    @abstractmethod
    def flags(self) -> FeatureFlags:
        """The settings of the moment."""

    @property
    @abstractmethod
    def stream_config(self) -> StreamConfig:
        """Deadlines and bounds of the moment."""

    @abstractmethod
    def tick_state(self, symbol: str, exchange: Exchange) -> StreamState | None:
        """How well the ticks of a contract are served; None if nobody subscribed to them."""

    @abstractmethod
    def unconnected(self) -> str:
        """Why there is no connection and none is being made; empty if that is not so."""

    # -- orders -----------------------------------------------------------------------------

    def send_order(self, request: OrderRequest) -> str:
        """Send an order; returns its `vt_orderid` at once. A refusal is told by its event.

        Raises:
            TypeError: It is not an OrderRequest.
        """
        check_type(request, OrderRequest)
        request = _plain(request)
        with correlated("order"):
            desk, refusal = self._desk, self._cannot_send(request)
            if desk is None or refusal:
                return self._refuse(request, refusal)
            return f"{self.adapter_name}.{desk.send(request)}"

    def modify_order(self, orderid: str, *, price: float = 0.0, volume: float = 0.0) -> str:
        """Replace an open order by one of another price or volume.

        Args:
            orderid: The open order.
            price: Of the new order, which is where a stop order stops; 0 leaves it as it is.
            volume: Of the new order; 0 is what is left of the open one. Beware: what the venue
                fills of the open order until it is replaced is not taken off.

        Returns:
            The `vt_orderid` of the new order; what becomes of both is told by their events.
        """
        desk = self._desk
        record = desk.record(orderid) if desk is not None else None
        if desk is None or record is None:
            self.log.warning("modify_refused", orderid=orderid, reason="no such order is known")
            self.write_log(f"{self.adapter_name}: no order {orderid} is known, nothing to modify")
            return ""
        asked = record.intent.request
        left = float(record.volume - record.traded)
        changed = msgspec.structs.replace(asked, price=price or asked.price, volume=volume or left)
        if price and asked.type is OrderType.STOP:  # it has no other price
            changed = msgspec.structs.replace(changed, stop_price=price)
        request = _plain(changed)
        with correlated("order"):
            return f"{self.adapter_name}.{desk.modify(orderid, request)}"

    def cancel_order(self, request: CancelRequest) -> None:
        """Cancel an order; what becomes of that is told by its events.

        Raises:
            TypeError: It is not a CancelRequest.
        """
        check_type(request, CancelRequest)
        if self._desk is None:
            self.log.warning("cancel_refused", orderid=request.orderid, reason="nothing was sent")
            return
        self._desk.cancel(request.orderid)

    def cancel_all(self) -> None:
        """Cancel every order that was sent from here; tried until none is open."""
        if self._desk is not None:
            self._desk.cancel_all()

    def halt(self, reason: str = "") -> None:
        """Block new orders at once, then cancel every order that was sent from here."""
        self.guard.halt(reason)
        self.log.error("halted", reason=self.guard.halted)
        self.cancel_all()

    def resume(self) -> None:
        """Let new orders pass again."""
        self.guard.resume()
        self.log.warning("resumed")

    @property
    def halted(self) -> str:
        """Why new orders are blocked; empty if they are not."""
        return self.guard.halted

    def unready(self) -> str:
        """Why no order would be taken now, whatever it is; empty if one may be."""
        desk, reason = self._desk, self._untradable()
        return reason or ("" if desk is None else desk.unready())

    def query_account(self) -> None:
        """Ask for the balances; they come as events."""
        if self._desk is not None:
            self._desk.refresh()

    def query_position(self) -> None:
        """Ask for the positions; they come as events."""
        self.query_account()

    def _cannot_send(self, request: OrderRequest) -> str:
        if request.exchange not in self.exchanges:
            allowed = ", ".join(exchange.value for exchange in self.exchanges)
            return f"exchange: {request.exchange.value} is not served here; {allowed} is"
        if request.type not in self.capabilities.orders:
            allowed = ", ".join(sorted(each.value for each in self.capabilities.orders)) or "none"
            return f"not_supported: order type {request.type.value}; allowed: {allowed}"
        return self._untradable()

    def _untradable(self) -> str:
        if reason := self.unconnected():
            return f"not_ready: {reason}"
        if not self.account:
            return "no_account: connect was given no keys, or read_only: there is market data only"
        # `connect` may have named another account, which the desk of now does not trade.
        there = self._desk is not None and self._desk is self._desks.get(self.account)
        return "" if there else "not_ready: trading is about to start"

    def _refuse(self, request: OrderRequest, refusal: str) -> str:
        """Tell that an order was refused before it became one."""
        orderid, now_ns = next(self._refused_ids), self.clock.time_ns()
        order = refused_order(request, orderid, self.adapter_name, refusal, now_ns)
        remember(order.vt_orderid)
        self.on_order(order)
        return order.vt_orderid

    def _market(self, request: OrderRequest) -> Market:
        """What is known of a contract now."""
        return Market(
            self._contracts.get(request.vt_symbol),
            self.last_tick(request.symbol, request.exchange),
            self.tick_state(request.symbol, request.exchange),
            self.clock.time_ns(),
            on_demand=not self.capabilities.lists_contracts,
        )

    # -- pushes that are remembered ---------------------------------------------------------

    def on_order(self, order: OrderData) -> None:
        """Push an order."""
        self.traded.add(order.symbol)
        super().on_order(order)

    def on_position(self, position: PositionData) -> None:
        """Push a position."""
        self._held[position.vt_positionid] = position
        super().on_position(position)

    def on_contract(self, contract: ContractData) -> None:
        """Push a contract."""
        self._contracts[contract.vt_symbol] = contract
        super().on_contract(contract)

    # -- the desk, on the loop thread -------------------------------------------------------

    async def _start_desk(self) -> None:
        """Trade, if there is an account; what is known of it is kept over reconnects."""
        account = self.account
        if self._desk is not None and self._desk is not self._desks.get(account):
            desk, self._desk = self._desk, None
            await desk.stop()
            self._forget_positions()
        if not account or not self.capabilities.orders:
            return
        if account not in self._desks:
            self._desks[account] = self._open_desk(account)
        self._desk = self._desks[account]
        self._desk.start()

    def _forget_positions(self) -> None:
        """Tell that nothing is held: positions bear no account, and the next has its own."""
        held, self._held = self._held, {}
        for each in held.values():
            gone = PositionData(each.adapter_name, each.symbol, each.exchange, each.direction)
            super().on_position(gone)

    async def _close_desks(self) -> None:
        for desk in self._desks.values():
            await desk.close()

    def _open_desk(self, account: str) -> OrderDesk:
        return OrderDesk(
            self.adapter_name,
            make_session=self.make_trading_session,
            open_journal=lambda: self._open_journal(account),
            market=self._market,
            guard=self.guard,
            refused_ids=self._refused_ids,
            listener=self,
            bridge=self.bridge,
            clock=self.clock,
            config=self.stream_config,
            flags=lambda: self.flags,
            refuses_late=self.capabilities.refuses_late,
        )

    async def _open_journal(self, account: str) -> Journal:
        flags = self.flags
        place = Path(flags.journal_directory) if flags.journal_directory else data_directory()
        durability = Durability(flags.journal_durability)
        forget_ns = self.clock.time_ns() - _KEPT_NS

        def work() -> Journal:
            journal = Journal.open(place, account, durability=durability, clock=self.clock)
            with contextlib.suppress(JournalUnavailable):  # logged; cancels need no room on a disk
                journal.prune(forget_ns)
            return journal

        return await aside(work, f"journal-{account}")


def _plain(request: OrderRequest) -> OrderRequest:
    """The request in Python's own numbers: numpy's floats can be neither written down nor sent."""
    given: dict[str, object] = {
        "volume": request.volume,
        "price": request.price,
        "stop_price": request.stop_price,
    }
    odd = {
        field: float(value)
        for field, value in given.items()
        if type(value) not in _PYTHONS and isinstance(value, Real)
    }
    return msgspec.structs.replace(request, **odd) if odd else request


def check_type(request: object, kind: type) -> None:
    """Refuse what is no request of that kind.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(request, kind):
        raise TypeError(f"{kind.__name__} was expected, not {type(request).__name__}")
