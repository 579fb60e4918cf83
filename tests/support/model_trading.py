"""A model of a venue that trades, in virtual time: the truth about orders, and faults it obeys.

It is strict: what a well-behaved client never does is written down in `complaints`.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from foxtrot.errors import ConnectionClosed, FoxtrotError
from foxtrot.execution.reports import (
    EXTERNAL_PREFIX,
    ZERO,
    FillReport,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    exact,
)
from foxtrot.gateway.trading import Accepted, Answer, Balances, Refused
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.objects import AccountData, PositionData
from tests.support.order_faults import OF_OURS, ON_PUSH, Fault, Trouble
from tests.support.order_venue import MAX_AGE_NS, OrderVenue, VenueOrder, report_of
from tests.support.virtual_time import VirtualClock

NAME = "MODEL"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
EXCHANGE = Exchange.BINANCE
DROPPED = 1006
HAND = "web-"
"""How the client order ids begin of orders that somebody placed by hand."""

LONGEST_WAY_S = MAX_AGE_NS / 1e9 - 0.2
"""How long a request may be under way at most: an older one is not carried out."""

_STALE_S = 3.0

News = OrderReport | FillReport | Balances


class Line(Protocol):
    """The session of the moment, as the venue sees it; a silent one pushes nothing."""

    is_silent: bool

    def lose(self, error: FoxtrotError) -> None:
        """The connection is gone."""

    def fall_silent(self) -> None:
        """Nothing is pushed any more, and nobody says so."""

    def hear(self, news: News) -> bool:
        """A push arrives; returns whether anybody was there to hear it."""


@dataclass
class Armed:
    """A fault that waits, and how often it will strike yet."""

    fault: Fault
    left: int


@dataclass
class Shy:
    """An order that cannot be found until a moment, and then is not there for one question."""

    until: float
    denials: int = 1


@dataclass
class Account:
    """The truth: orders, fills, and what was received under which client order id."""

    book: OrderVenue
    received: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    reports: list[OrderReport] = field(default_factory=list)


class TradingVenue:
    """One account at a venue. Lives on the virtual loop.

    Args:
        clock: The virtual time.
        dice: Decides all that is left open.
        names_fills: Whether fills carry the client order id.
        pushes: Whether the venue tells what happens by itself.
    """

    def __init__(
        self, clock: VirtualClock, dice: random.Random, *, names_fills: bool, pushes: bool
    ) -> None:
        self.clock, self.dice, self.pushes = clock, dice, pushes
        self.truth = Account(OrderVenue(names_fills=names_fills))
        self.line: Line | None = None
        self.armed: list[Armed] = []
        self.active: list[Fault] = []
        self.shy: dict[str, Shy] = {}
        self.under_way: Counter[str] = Counter()
        """Orders whose requests or cancels are not answered yet."""
        self.complaints: list[str] = []
        self.trace: list[tuple[object, ...]] = []
        self.on_strike: Callable[[Fault, str], None] = lambda fault, orderid: None
        """Told which order a fault struck; "" means all that are open."""
        self.on_ours: Callable[[Fault], None] = lambda fault: None
        """Told of faults that happen to foxtrot."""
        self.on_send: Callable[[str], None] = lambda orderid: None
        """Told which new order is about to be sent."""
        self.opened_ns = 0
        """When the line of the moment was opened."""
        self.healed = False
        self._pushed_at = 0.0

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.clock.monotonic()

    def note(self, *what: object) -> None:
        """Write down what happens; equal seeds give equal traces."""
        self.trace.append((round(self.now, 6), *what))

    def complain(self, text: str) -> None:
        """Write down what must not be."""
        self.complaints.append(f"{self.now:.3f} s: {text}")

    def latency(self) -> float:
        """How long something is on the line."""
        return self.dice.uniform(0.01, 0.3)

    # -- faults -----------------------------------------------------------------------------

    def arm(self, fault: Fault) -> None:
        """Obey a fault from now on."""
        self.note("fault", fault.kind.value, round(fault.lasts_s, 3), fault.count, fault.aimed)
        if fault.waits:
            self.armed.append(Armed(fault, fault.count))
        else:
            self._begin(fault)

    def take(self, kinds: Collection[Trouble]) -> Fault | None:
        """The fault that strikes a request, a cancel or a push of now."""
        for armed in self.armed:
            if armed.fault.kind in kinds and not armed.fault.aimed:
                armed.left -= 1
                if not armed.left:
                    self.armed.remove(armed)
                return armed.fault
        return None

    def begins(self, orderid: str, lasts_s: float) -> None:
        """A request is under way: the time for faults that are aimed at one."""
        self.under_way[orderid] += 1
        aimed = [armed for armed in self.armed if armed.fault.aimed]
        for armed in aimed[:1]:
            self.armed.remove(armed)
            delay_s = self.dice.uniform(0.0, 0.9 * lasts_s)
            asyncio.get_running_loop().call_later(delay_s, self._begin, armed.fault)

    def ends(self, orderid: str) -> None:
        """A request was answered, or nobody waits for that any more."""
        self.under_way[orderid] -= 1
        self.under_way += Counter()

    def heal(self) -> None:
        """No more faults."""
        self.note("healed")
        self.healed = True
        self.armed.clear()
        self.active.clear()
        self.shy.clear()

    def has(self, kind: Trouble) -> bool:
        """Whether a fault of a kind is on."""
        return any(fault.kind is kind for fault in self.active)

    def _begin(self, fault: Fault) -> None:
        kind = fault.kind
        if self.healed:
            return
        self.note("begins", kind.value)
        if kind is Trouble.ENDED:
            self._end_one(fault)
            return
        self.on_strike(fault, "")
        if kind in OF_OURS:
            self.on_ours(fault)
        elif kind is Trouble.EXTERNAL:
            self._trade_by_hand()
        else:
            self._trouble_line(fault)
        if fault.lasts_s:
            self.active.append(fault)
            asyncio.get_running_loop().call_later(fault.lasts_s, self._over, fault)

    def _try_again(self, armed: Armed) -> None:
        if armed in self.armed:
            self.armed.remove(armed)
            self._begin(armed.fault)

    def _over(self, fault: Fault) -> None:
        if fault in self.active:
            self.note("over", fault.kind.value)
            self.active.remove(fault)

    def _trouble_line(self, fault: Fault) -> None:
        if self.line is None or fault.kind in (Trouble.LISTS_HANG, Trouble.LISTS_STALE):
            return
        if fault.kind is Trouble.DEAF:
            self.line.fall_silent()
            return
        self.line.lose(ConnectionClosed(DROPPED))
        if fault.kind is Trouble.AWAY:
            for _ in range(1 + int(3 * fault.amount)):
                self.trade()

    def leave(self) -> None:
        """Nobody is on the line any more."""
        self.line = None

    # -- the truth --------------------------------------------------------------------------

    def accept(self, intent: OrderIntent, fault: Fault | None) -> Answer:
        """A new order arrives."""
        orderid, request = intent.orderid, intent.request
        self.truth.received[orderid] += 1
        if self.truth.received[orderid] > 1:
            self.complain(f"{orderid} comes again")
            return Refused("-2010: Duplicate order sent.")
        if fault is not None and fault.kind in (Trouble.REJECTED, Trouble.HELD):
            self.truth.refused.add(orderid)
            held = 1.0 + 4.0 * fault.amount if fault.kind is Trouble.HELD else 0.0
            return Refused("-1015: Too many new orders." if held else "-2010: no money", held)
        if fault is not None and fault.kind is Trouble.HIDDEN:
            self.shy[orderid] = Shy(self.now + 6.0 + 3.0 * fault.amount)
        book, now_ns = self.truth.book, self.clock.time_ns()
        order = book.place(
            orderid, request.symbol, request.direction, exact(request.volume), now_ns
        )
        self.note("order", order.venue_id, order.symbol, request.type.value)
        self._flush()
        self._match(order, request.type)
        fills = tuple(each for each in book.trades if _is_of(each, order))
        return Accepted(report_of(order), fills if self.dice.random() < 0.5 else ())

    def cancel(self, record: OrderRecord, fault: Fault | None) -> Answer:
        """A cancel arrives."""
        order, refused = self._find(record), Refused("-2011: Unknown order sent.")
        if order is None or order not in self.truth.book.open():
            return refused
        if fault is not None and fault.kind is Trouble.CANCEL_RACE:
            self._fill(order, order.volume - order.traded)
            return refused
        self._end(order, OrderState.CANCELED)
        return Accepted(report_of(order))

    def swap(
        self, record: OrderRecord, intent: OrderIntent, fault: Fault | None
    ) -> tuple[Answer, Answer]:
        """A cancel arrives, with the order that is to take its place."""
        cancelled = self.cancel(record, None)
        if isinstance(cancelled, Accepted):
            return cancelled, self.accept(intent, fault)
        self.truth.received[intent.orderid] += 1
        self.truth.refused.add(intent.orderid)
        return cancelled, Refused("not attempted, as the cancel before it failed")

    def trade(self) -> None:
        """Somebody trades with one of the open orders, now and then with all of it."""
        alive = self.truth.book.open()
        if not alive:
            return
        order = self.dice.choice(alive)
        tenths = int((order.volume - order.traded) * 10)
        part = tenths if self.dice.random() < 0.3 else self.dice.randint(1, tenths)
        self._fill(order, Decimal(part) / 10)

    def _trade_by_hand(self) -> None:
        """Somebody uses the account, in a symbol that we have traded."""
        symbols = sorted({each.symbol for each in self.truth.book.orders} & set(SYMBOLS))
        if symbols:
            side = self.dice.choice((Direction.LONG, Direction.SHORT))
            name = f"{HAND}{len(self.truth.book.orders)}"
            volume = Decimal(self.dice.randint(2, 9)) / 10
            symbol = self.dice.choice(symbols)
            self.truth.book.place(name, symbol, side, volume, self.clock.time_ns())
            self._flush()

    def _match(self, order: VenueOrder, kind: OrderType) -> None:
        """Orders that do not rest are settled at once."""
        if kind is OrderType.LIMIT:
            return
        tenths = int(order.volume * 10)
        part = tenths
        if kind is OrderType.FAK:
            part = self.dice.randint(0, tenths)
        elif kind is OrderType.FOK:
            part = self.dice.choice((0, tenths))
        first = self.dice.randint(0, part)
        for piece in (first, part - first):
            if piece:
                self._fill(order, Decimal(piece) / 10)
        if order.traded < order.volume:
            self._end(order, OrderState.EXPIRED)

    def _fill(self, order: VenueOrder, volume: Decimal) -> None:
        self.truth.book.fill(order, volume, self.clock.time_ns())
        self.note("fill", order.symbol, order.venue_id, str(volume))
        self._flush()
        self._push(self.balances(), None)

    def _end(self, order: VenueOrder, state: OrderState) -> None:
        self.truth.book.end(order, state, self.clock.time_ns())
        self.note("end", order.symbol, order.venue_id, state.value)
        self._flush()

    def _end_one(self, fault: Fault) -> None:
        """End an order that lives, as soon as there is one."""
        alive = self.truth.book.open()
        if not alive:
            armed = Armed(fault, 1)
            self.armed.append(armed)
            asyncio.get_running_loop().call_later(1.0, self._try_again, armed)
            return
        under_way = [order for order in alive if name_of(order) in self.under_way]
        order = self.dice.choice(under_way or alive)
        self.on_strike(fault, name_of(order))
        self._end(order, OrderState.EXPIRED if fault.amount < 0.5 else OrderState.CANCELED)

    def _find(self, record: OrderRecord) -> VenueOrder | None:
        symbol = record.intent.request.symbol
        for order in self.truth.book.orders:
            name = order.venue_id if record.external else order.orderid
            if order.symbol == symbol and name == (
                record.venue_id if record.external else record.orderid
            ):
                return order
        return None

    # -- questions --------------------------------------------------------------------------

    def shown(self) -> list[OrderReport]:
        """Every order, as it is or as it was a while ago."""
        as_of_ns = self._as_of_ns()
        newest: dict[tuple[str, str], OrderReport] = {}
        for report in self.truth.reports:
            if report.ts_ns <= as_of_ns:
                newest[report.symbol, report.venue_id] = report
        return list(newest.values())

    def fills(self, symbol: str, since_ns: int) -> list[FillReport]:
        """The fills in a symbol, all of them or all but the newest."""
        as_of_ns, trades = self._as_of_ns(), self.truth.book.trades
        return [
            each for each in trades if each.symbol == symbol and since_ns <= each.ts_ns <= as_of_ns
        ]

    def balances(self) -> Balances:
        """What the account holds."""
        held = dict.fromkeys(SYMBOLS, ZERO)
        for each in self.truth.book.trades:
            held[each.symbol] += each.volume if each.direction is Direction.LONG else -each.volume
        positions = tuple(
            PositionData(NAME, symbol, EXCHANGE, Direction.NET, float(volume))
            for symbol, volume in held.items()
        )
        return Balances((AccountData(NAME, "USDT", 1000.0),), positions)

    def known_by_ns(self) -> int:
        """All that happened before was answered to who asked when the line was opened."""
        return self.opened_ns - int(_STALE_S * 1e9)

    def _as_of_ns(self) -> int:
        lags = [fault.amount for fault in self.active if fault.kind is Trouble.LISTS_STALE]
        return self.clock.time_ns() - int(_STALE_S * 1e9 * max(lags, default=0.0))

    # -- pushes -----------------------------------------------------------------------------

    def _flush(self) -> None:
        for news in self.truth.book.pushes:
            if isinstance(news, OrderReport):
                self.truth.reports.append(news)
            self._push(news, self._name_of_news(news))
        self.truth.book.pushes.clear()

    def _push(self, news: News, name: str | None) -> None:
        if self.line is None or not self.pushes or name in self.shy:
            return
        loop, line = asyncio.get_running_loop(), self.line
        fault = self._spoils(news) if name is not None else None
        in_order = max(self._pushed_at, self.now + self.dice.uniform(0.005, 0.3))
        if fault is None:
            self._pushed_at = in_order
            loop.call_at(in_order, line.hear, news)
        elif fault.kind is Trouble.PUSH_LOST:
            self.on_strike(fault, name or "")
        elif fault.kind is Trouble.CLAIM and isinstance(news, OrderReport):
            self.on_strike(fault, name or "")
            loop.call_at(in_order, line.hear, replace(news, state=OrderState.FILLED))
        else:
            late = self.now + 0.3 + 8.0 * self.dice.random()
            loop.call_at(late, self._hear_late, fault, name or "", line, news)
            if fault.kind is Trouble.PUSH_TWICE:
                loop.call_at(in_order, line.hear, news)

    def _spoils(self, news: News) -> Fault | None:
        """The fault that strikes a push; only what is open may be called filled too soon."""
        is_open = isinstance(news, OrderReport) and news.state in (
            OrderState.ACCEPTED,
            OrderState.PARTIALLY_FILLED,
        )
        return self.take(ON_PUSH if is_open else ON_PUSH - {Trouble.CLAIM})

    def _hear_late(self, fault: Fault, name: str, line: Line, news: News) -> None:
        self.on_strike(fault, name)
        line.hear(news)

    def _name_of_news(self, news: OrderReport | FillReport) -> str:
        orders = self.truth.book.orders
        key = (news.symbol, news.venue_id)
        return next(name_of(each) for each in orders if (each.symbol, each.venue_id) == key)


def name_of(order: VenueOrder) -> str:
    """What foxtrot calls an order of the venue."""
    if order.orderid.startswith(HAND):
        return EXTERNAL_PREFIX + order.venue_id
    return order.orderid


def _is_of(fill: FillReport, order: VenueOrder) -> bool:
    return (fill.symbol, fill.venue_id) == (order.symbol, order.venue_id)
