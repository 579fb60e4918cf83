"""An assembler of Futu's market data that is fed OpenD's own messages, without a connection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from foxtrot.adapter.futu import schema
from foxtrot.adapter.futu.slots import Mark, Slot, make_slot
from foxtrot.adapter.futu.symbols import Security
from foxtrot.adapter.futu.ticks import Assembler
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Exchange, Interval, Lane
from foxtrot.model.events import Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, Source, TickData
from foxtrot.simulator.futu_schema import Message, Proto, response

T = TypeVar("T")

AT_S = 1_795_000_020.0
"""The begin of a minute."""

SECURITY = Security(1, "00700")
SOURCE = Source.of("00700", Exchange.SEHK, "FUTU")
HOSTILE = (math.nan, math.inf, -math.inf, -1.0, 1e300)


def quote(
    last: float,
    *,
    volume: int = 1_000,
    at_s: float = AT_S,
    high: float = 620.0,
    code: str = "00700",
) -> Message:
    """A push of one quote."""
    push = response(Proto.Qot_UpdateBasicQot).s2c
    row = push.basicQotList.add()
    row.security.market, row.security.code = 1, code
    row.curPrice, row.volume, row.turnover = last, volume, 5e5
    row.openPrice, row.highPrice, row.lowPrice, row.lastClosePrice = 610.0, high, 600.0, 605.0
    row.updateTimestamp = at_s
    return push  # type: ignore[no-any-return]


def book(
    bids: Sequence[tuple[float, int]],
    asks: Sequence[tuple[float, int]],
    *,
    at_s: float = AT_S,
    code: str = "00700",
) -> Message:
    """A push of a book."""
    push = response(Proto.Qot_UpdateOrderBook).s2c
    push.security.market, push.security.code = 1, code
    for rows, levels in ((push.orderBookBidList, bids), (push.orderBookAskList, asks)):
        for price, volume in levels:
            rows.add(price=price, volume=volume, orederCount=1)
    push.svrRecvTimeBidTimestamp = at_s
    return push  # type: ignore[no-any-return]


def prints(*items: tuple[int, float, int], data_type: int = 1, taker: int = 1) -> Message:
    """A push of prints: number, price, seconds after `AT_S`."""
    push = response(Proto.Qot_UpdateTicker).s2c
    push.security.market, push.security.code = SECURITY
    for number, price, later_s in items:
        push.tickerList.add(
            sequence=number, price=price, volume=200, dir=taker, pushDataType=data_type, time="",
            turnover=0.0,
            timestamp=AT_S + later_s,
        )  # fmt: skip
    return push  # type: ignore[no-any-return]


def bars(*rows: tuple[float, float], kind: int = 1, blank: bool = False) -> Message:
    """A push of bars: minutes after `AT_S` of the time they bear, close."""
    push = response(Proto.Qot_UpdateKL).s2c
    push.security.market, push.security.code = SECURITY
    push.klType = kind
    for minutes, close in rows:
        push.klList.add(
            timestamp=AT_S + 60 * minutes, isBlank=blank, time="", openPrice=610.0, highPrice=615.0,
            lowPrice=600.0, closePrice=close, volume=300, turnover=1e5,
        )  # fmt: skip
    return push  # type: ignore[no-any-return]


class Feed:
    """The streams of one contract; `slots` by channel, all of the same session.

    Args:
        channels: Which of them there are.
        marks: What was told before, by another session.
        conflate: Whether the latest will do.
    """

    def __init__(
        self,
        *channels: Channel,
        marks: dict[Channel, Mark] | None = None,
        conflate: bool = True,
    ) -> None:
        self.events: list[Event] = []
        self.counters = FeedCounters()
        self.ticks = Assembler("FUTU", self.counters, self.events.append)
        self.marks = marks if marks is not None else {}
        self.slots: dict[Channel, Slot] = {}
        for channel in channels:
            detail = Interval.MINUTE.value if channel is Channel.BAR else ""
            key = StreamKey(channel, SOURCE.symbol, SOURCE.exchange, detail)
            mark = self.marks.setdefault(channel, Mark())
            slot = self.slots[channel] = make_slot(key, SOURCE, SECURITY, mark, conflate=conflate)
            self.ticks.add(slot)

    def again(self) -> Feed:
        """The same streams in a new session."""
        return Feed(*self.slots, marks=self.marks)

    def __call__(self, *pushes: Message) -> list[object]:
        """Let these come; returns what was told."""
        told = len(self.events)
        push: Any
        for push in pushes:
            if hasattr(push, "basicQotList"):
                self.ticks.on_quotes(push)
            elif hasattr(push, "tickerList"):
                self.ticks.on_prints(push)
            elif hasattr(push, "klList"):
                self.ticks.on_bars(push)
            else:
                self.ticks.on_book(as_read(push))
        return [event.data for event in self.events[told:]]

    def at_once(self, *pushes: Message) -> list[object]:
        """Let so many come that there is a rush; returns what was told."""
        told = len(self.events)
        self.ticks.on_rush(True)
        self(*pushes)
        self.ticks.on_rush(False)
        return [event.data for event in self.events[told:]]

    def tick(self, *pushes: Message) -> TickData:
        """The one tick that these bring."""
        return one(self(*pushes), TickData)

    def depth(self, *pushes: Message) -> DepthData:
        """The one book that these bring."""
        return one(self(*pushes), DepthData)

    def prints(self, *pushes: Message) -> list[MarketTradeData]:
        """The prints that these bring."""
        return [item for item in self(*pushes) if isinstance(item, MarketTradeData)]

    def bars(self, *pushes: Message) -> list[BarData]:
        """The bars that these bring."""
        return [item for item in self(*pushes) if isinstance(item, BarData)]

    @property
    def balance(self) -> int:
        """Items that became neither an event nor a count; 0 as it should be, but for bars."""
        counted = self.counters
        others = counted.rejected + counted.malformed + counted.stale + counted.ignored
        others += counted.conflated
        return counted.received - len(self.events) - others - counted.held - counted.control

    def lanes(self) -> set[Lane]:
        """How the events are to be treated."""
        return {event.lane for event in self.events}


def as_read(push: Message) -> Any:
    """A push of a book, with its levels as the adapter's line reads them."""
    response = schema.push_class(schema.Proto.Qot_UpdateOrderBook)()
    response.s2c.ParseFromString(push.SerializePartialToString())
    return response.s2c


def one(items: list[object], kind: type[T]) -> T:
    """The only one, of this kind."""
    (item,) = items
    assert isinstance(item, kind)
    return item
