"""A rig that trades: what a user does with orders, and what a test waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from foxtrot import MainEngine
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.settings import Settings
from foxtrot.execution.order_tracker import NOT_SENT
from foxtrot.model.constants import ConnectionState, Direction, OrderType, Status
from foxtrot.model.events import EVENT_ACCOUNT, EVENT_LOG, EVENT_ORDER, EVENT_POSITION, EVENT_TRADE
from foxtrot.model.health import TradingHealth
from foxtrot.model.objects import AccountData, LogData, OrderData, PositionData, TradeData
from foxtrot.model.requests import CancelRequest, OrderRequest
from tests.support.rig import SHORT, WAIT_S, Rig, closing, eventually
from tests.support.venues import Held, Traded, VenueUnderTest

ENDED = frozenset({Status.ALLTRADED, Status.CANCELLED, Status.REJECTED})
TRADING = "trading"
"""The name of the session that trades."""

VOLUME = 0.5

Setting = Mapping[str, str | int | float | bool | list[str] | None]


class TradingRig(Rig):
    """A rig whose adapter is given the venue's keys.

    Two rigs in one test share the journal, as two runs of a program do.
    """

    def __init__(
        self,
        venue: VenueUnderTest,
        flags: Mapping[str, object] | None = None,
        config: StreamConfig = SHORT,
        engine: MainEngine | None = None,
    ) -> None:
        quick: dict[str, object] = {"orders.timeout_s": 1.0}
        super().__init__(venue, quick | dict(flags or {}), config, engine)

    def connect(self, setting: Setting | None = None) -> None:
        """Connect to the venue, with its keys unless a setting says otherwise."""
        whole = {**self.venue.setting(), **self.venue.keys()}
        self.engine.connect(whole if setting is None else setting, self.name)

    def trade(self, *symbols: str) -> None:
        """Subscribe, connect, and wait until orders can be sent."""
        self.ready(*symbols)

    # -- what a user does -------------------------------------------------------------------

    def send(
        self,
        type_: OrderType = OrderType.LIMIT,
        *,
        symbol: str = "",
        price: float | None = None,
        stop_price: float = 0.0,
        volume: float = VOLUME,
        direction: Direction = Direction.LONG,
    ) -> str:
        """Send an order, one that rests by default; returns its orderid."""
        symbol = symbol or self.venue.symbols[0]
        priced = type_ not in (OrderType.MARKET, OrderType.STOP)
        if price is None:
            price = self.venue.resting_price(symbol) if priced else 0.0
        request = OrderRequest(
            symbol,
            self.venue.exchange,
            direction,
            type_,
            volume * self.venue.unit,
            price,
            stop_price=stop_price,
            reference="card",
        )
        return self.engine.send_order(request, self.name).removeprefix(f"{self.name}.")

    def rest(self, **terms: object) -> str:
        """Send an order that rests, and wait until it does."""
        orderid = self.send(**terms)  # type: ignore[arg-type]
        self.wait_order(orderid, Status.NOTTRADED)
        return orderid

    def modify(self, orderid: str, *, price: float = 0.0, volume: float = 0.0) -> str:
        """Replace an order; returns the orderid of the new one."""
        volume *= self.venue.unit
        new = self.adapter.modify_order(orderid, price=price, volume=volume)
        return new.removeprefix(f"{self.name}.")

    def cancel(self, orderid: str, symbol: str = "") -> None:
        """Cancel an order."""
        symbol = symbol or self.venue.symbols[0]
        self.engine.cancel_order(CancelRequest(orderid, symbol, self.venue.exchange), self.name)

    def change_settings(self, flags: Mapping[str, object]) -> None:
        """Follow other settings, as if their file was saved."""
        self.engine.reload_settings(Settings.parse({**self.flags, **flags}))

    # -- what a test waits for --------------------------------------------------------------

    def wait_order(
        self,
        orderid: str,
        *statuses: Status,
        since: int = 0,
        where: Callable[[OrderData], bool] = lambda order: True,
    ) -> OrderData:
        """The first event of an order in one of these statuses (any, if none is named)."""

        def meant(data: object) -> bool:
            assert isinstance(data, OrderData)
            wanted = not statuses or data.status in statuses
            return data.orderid == orderid and wanted and where(data)

        found = self.log.wait_type(EVENT_ORDER, WAIT_S, since=since, where=meant)
        assert isinstance(found, OrderData)
        return found

    def wait_doubt(self, orderid: str) -> OrderData:
        """Wait until an order is in doubt."""
        return self.wait_order(orderid, Status.SUBMITTING, where=in_doubt)

    def wait_trades(self, orderid: str, count: int = 1) -> list[TradeData]:
        """Wait until so many fills of an order were told."""
        self.log.wait_until(lambda told: told[-1:] if len(self.fills(orderid)) >= count else [])
        return self.fills(orderid)

    def wait_log(self, words: str, since: int = 0) -> str:
        """The first log line for people that has these words."""
        found = self.log.wait_type(
            EVENT_LOG,
            WAIT_S,
            since=since,
            where=lambda d: isinstance(d, LogData) and words in d.msg,
        )
        assert isinstance(found, LogData)
        return found.msg

    def wait_trading(self, state: ConnectionState, since: int = 0) -> str:
        """Wait until the trading session is in a state; why it is."""
        return self.wait_state(state, since=since, session=TRADING).reason

    def answered(self, orderid: str) -> OrderData:
        """The first that is known of an order: it was taken, or refused."""
        return self.wait_order(orderid, Status.NOTTRADED, Status.REJECTED)

    def refused(self, orderid: str) -> str:
        """Why an order was refused here, or by the venue."""
        return self.wait_order(orderid, Status.REJECTED).reason

    # -- what a test looks at ---------------------------------------------------------------

    def orders(self, orderid: str = "", since: int = 0) -> list[OrderData]:
        """The events of an order, or of all."""
        told = [e.data for e in self.log.items[since:] if e.type == EVENT_ORDER]
        orders = [data for data in told if isinstance(data, OrderData)]
        return [each for each in orders if orderid in ("", each.orderid)]

    def statuses_of(self, orderid: str) -> list[Status]:
        """The statuses that were told of an order, each change once."""
        told = [each.status for each in self.orders(orderid)]
        return [s for i, s in enumerate(told) if i == 0 or told[i - 1] is not s]

    def fills(self, orderid: str = "") -> list[TradeData]:
        """The fills of an order, or all, that were told."""
        told = [data for data in self.log.of(EVENT_TRADE) if isinstance(data, TradeData)]
        return [each for each in told if orderid in ("", each.orderid)]

    def filled(self, orderid: str) -> list[float]:
        """The volume of each fill of an order that was told."""
        return [round(fill.volume / self.venue.unit, 8) for fill in self.fills(orderid)]

    def trading(self) -> TradingHealth:
        """The health of trading."""
        health = self.adapter.health().trading
        assert health is not None
        return health

    def attempts(self) -> int:
        """How often the trading session was tried since it was ready."""
        return next(s.attempt for s in self.adapter.health().sessions if s.name == TRADING)

    def held(self, orderid: str) -> Held:
        """The venue's newest order of that client order id."""
        return next(each for each in reversed(self.venue.held()) if each.orderid == orderid)

    def account(self, asset: str) -> tuple[float, float]:
        """Total and frozen amount of an asset, as it was told last."""
        told = [data for data in self.log.of(EVENT_ACCOUNT) if isinstance(data, AccountData)]
        newest = next((d for d in reversed(told) if d.accountid == asset), None)
        return (newest.balance, newest.frozen) if newest is not None else (0.0, 0.0)

    def position(self, symbol: str) -> float:
        """What is held by a contract, as it was told last."""
        told = [data for data in self.log.of(EVENT_POSITION) if isinstance(data, PositionData)]
        held = next((d.volume for d in reversed(told) if d.symbol == symbol), 0.0)
        return held / self.venue.unit

    # -- what must hold in the end ----------------------------------------------------------

    def wait_agreed(self, *, since_venue: int = 0) -> None:
        """Wait until nothing is in doubt or to be cancelled, and both sides tell the same.

        Every fill of the venue's is told once, traded volumes and open orders are the venue's, no
        order came in twice, and the guard counts no order that has ended.

        Args:
            since_venue: Leave out so many of the venue's oldest fills: told to an earlier engine.
        """
        eventually(lambda: not self.trading().in_doubt, "no order is in doubt")
        eventually(lambda: not self.trading().cancels_pending, "none is still to be cancelled")
        eventually(lambda: self._open_here() == self._open_there(), "the same orders are open")
        eventually(lambda: self._told() >= self._there(since_venue), "every fill is told")
        self.settle()
        assert self._told() == self._there(since_venue)
        assert set(self.venue.received().values()) <= {1}
        for order in self.last_of_each():
            self._check_end(order)

    def last_of_each(self) -> list[OrderData]:
        """The newest event of each order."""
        return list({each.orderid: each for each in self.orders()}.values())

    def _check_end(self, order: OrderData) -> None:
        held = [h for h in self.venue.held() if _name(h) == order.orderid]
        if not held:
            assert order.status is Status.REJECTED or order.reason.startswith(NOT_SENT), order
            return
        assert order.traded == held[-1].traded * self.venue.unit, order
        assert order.is_active() is held[-1].open, order

    def _open_here(self) -> set[str]:
        return {each.orderid for each in self.last_of_each() if each.is_active()}

    def _open_there(self) -> set[str]:
        return {_name(each) for each in self.venue.held() if each.open}

    def _told(self) -> Counter[Traded]:
        unit = self.venue.unit
        return Counter(
            Traded(t.symbol, t.tradeid, t.orderid, round(t.volume / unit, 8)) for t in self.fills()
        )

    def _there(self, since: int) -> Counter[Traded]:
        names = {(h.symbol, h.orderid): _name(h) for h in self.venue.held()}
        return Counter(
            Traded(t.symbol, t.trade_id, names[t.symbol, t.orderid], round(t.volume, 8))
            for t in self.venue.traded()[since:]
        )


def _name(held: Held) -> str:
    """What foxtrot calls an order of the venue's."""
    return held.orderid if held.orderid.startswith("fx") else f"ext-{held.venue_id}"


def in_doubt(order: OrderData) -> bool:
    """Whether an order is shown as one whose outcome is unknown."""
    return bool(order.reason) and order.extra == {"outcome": "unknown"}


def trading(
    venue: VenueUnderTest,
    flags: Mapping[str, object] | None = None,
    config: StreamConfig = SHORT,
) -> AbstractContextManager[TradingRig]:
    """A rig that trades; it is closed at the end."""
    return closing(TradingRig(venue, flags, config))
