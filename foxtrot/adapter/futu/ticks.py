"""From what OpenD pushes to events: the hot path. Nothing here waits.

It runs on the SDK's network thread, and no SDK call may be made from there. Streams are added and
dropped on the loop thread, by replacing what the network thread looks at.

Every item of a push ends, for each stream that it is for, as one event or in exactly one count; see
`FeedCounters`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.mapping import (
    CACHED,
    COUNT_LIMIT,
    PRICE_LIMIT,
    TIME_LIMIT_S,
    WireBar,
    WirePrint,
    WireQuote,
    WireSecurity,
    WireSide,
)
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.slots import BarSlot, DepthSlot, Slot, TickSlot, TradeSlot
from foxtrot.core.logs import get_logger
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes
from foxtrot.model.constants import Direction, Lane
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.objects import BarData, DepthData, Levels, MarketTradeData, TickData

log = get_logger("foxtrot.futu.ticks")

# An enum member's look-up is dear where every push passes.
_BOUNDED, _LATEST, _NOBODY = Lane.BOUNDED, Lane.LATEST, Direction.NET
_TAKERS = mapping.TAKERS
_LEVELS, _LEVELS_ON_TICK = 10, 5


class QuotePush(Protocol):
    """`Qot_UpdateBasicQot.S2C`."""

    basicQotList: Iterable[WireQuote]


class BookPush(Protocol):
    """`Qot_UpdateOrderBook.S2C`, as `schema.push_class` reads it."""

    security: WireSecurity
    orderBookBidList: WireSide
    orderBookAskList: WireSide
    svrRecvTimeBidTimestamp: float
    svrRecvTimeAskTimestamp: float


class PrintPush(Protocol):
    """`Qot_UpdateTicker.S2C`."""

    security: WireSecurity
    tickerList: list[WirePrint]


class BarPush(Protocol):
    """`Qot_UpdateKL.S2C`."""

    security: WireSecurity
    klType: int
    klList: list[WireBar]


class Streams:
    """The streams of one contract, each kind by itself; never changed.

    `latest` says whether nobody wants every book.
    """

    __slots__ = ("bars", "depths", "latest", "slots", "ticks", "trades")

    def __init__(self, slots: Iterable[Slot]) -> None:
        self.slots = tuple(slots)
        self.ticks = tuple(each for each in self.slots if isinstance(each, TickSlot))
        self.depths = tuple(each for each in self.slots if isinstance(each, DepthSlot))
        self.trades = tuple(each for each in self.slots if isinstance(each, TradeSlot))
        self.bars = tuple(each for each in self.slots if isinstance(each, BarSlot))
        self.latest = all(each.lane is _LATEST for each in (*self.ticks, *self.depths))


_NONE = Streams(())


class Assembler:
    """Takes pushes by contract, and puts events.

    Args:
        venue: The adapter's name, for logs.
        counters: Where what comes is counted; nobody else may write them meanwhile.
        put: Takes the events.

    Thread safety: `add` and `drop` belong to the loop thread, the rest to the network thread.
    """

    def __init__(self, venue: str, counters: FeedCounters, put: Callable[[Event], None]) -> None:
        self.counters = counters
        self._now_ns = 0
        self._put = put
        self._episodes = Episodes(counters, log.bind(venue=venue))
        self._streams: dict[tuple[int, str], Streams] = {}
        self._waiting: dict[Streams, BookPush] | None = None

    # -- streams ----------------------------------------------------------------------------

    def add(self, slot: Slot) -> None:
        """Take what comes for this stream."""
        held = self._streams.get(slot.security, _NONE)
        self._streams = {**self._streams, slot.security: Streams((*held.slots, slot))}

    def drop(self, slot: Slot) -> None:
        """Ignore what still comes for it."""
        held = self._streams.get(slot.security, _NONE)
        rest = [each for each in held.slots if each is not slot]
        streams = {**self._streams, slot.security: Streams(rest)}
        if not rest:
            del streams[slot.security]
        self._streams = streams

    def _of(self, security: WireSecurity) -> Streams:
        return self._streams.get((security.market, security.code), _NONE)

    # -- ticks ------------------------------------------------------------------------------

    def on_quotes(self, push: QuotePush) -> None:
        """Quotes: the last price and the day."""
        self._now_ns = time.time_ns()
        for quote in push.basicQotList:
            slots = self._of(quote.security).ticks
            if not slots:
                self._for_nobody()
            for slot in slots:
                self._on_quote(slot, quote)

    def _on_quote(self, slot: TickSlot, quote: WireQuote) -> None:
        self._hear(slot)
        if self._episodes.refuses(slot.topic, "quote", mapping.bad_quote(quote)):
            return
        event_ns, last = mapping.ns_of(quote.updateTimestamp), quote.curPrice
        day, mark, told = mapping.day_of(quote), slot.mark, slot.mark.tick
        slot.last, slot.day, slot.quoted = last, day, True
        if event_ns == mark.event_ns and told is not None:
            shown = told.last_price, told.day, told.bids, told.asks
            if shown == (last, day, slot.bids, slot.asks):
                self.counters.stale += 1
                return
        mark.event_ns = event_ns
        self._tell(slot, event_ns)

    def _tell(self, slot: TickSlot, event_ns: int) -> None:
        slot.mark.tick = tick = TickData(
            slot.source, event_ns, self._now_ns, slot.last, 0.0,
            slot.bid, slot.bid_volume, slot.ask, slot.ask_volume, slot.day, slot.bids, slot.asks,
        )  # fmt: skip
        self._put(Event(EVENT_TICK, tick, slot.topic, slot.lane))

    # -- books ------------------------------------------------------------------------------

    def on_rush(self, on: bool) -> None:
        """Until it is over, of each contract's books the newest is kept, if that will do."""
        waiting, self._waiting = self._waiting, {} if on else None
        for streams, push in (waiting or {}).items():
            try:
                self._on_book(streams, push)
            except ValueError:
                self.unreadable(Proto.Qot_UpdateOrderBook.name)

    def on_book(self, push: BookPush) -> None:
        """The whole book, of one contract."""
        self._now_ns = time.time_ns()
        streams, waiting = self._of(push.security), self._waiting
        if not (streams.ticks or streams.depths):
            self._for_nobody()
        elif waiting is None or not streams.latest:
            self._on_book(streams, push)
        else:
            if streams in waiting:
                slots = (*streams.ticks, *streams.depths)
                self.counters.conflated += len(slots)
                for slot in slots:
                    self._hear(slot)
            waiting[streams] = push

    def _on_book(self, streams: Streams, push: BookPush) -> None:
        count = _LEVELS if streams.depths else _LEVELS_ON_TICK
        bids, bad_bids = mapping.side_of(push.orderBookBidList, count)
        asks, bad_asks = mapping.side_of(push.orderBookAskList, count)
        at_bid, at_ask = push.svrRecvTimeBidTimestamp, push.svrRecvTimeAskTimestamp
        bad_times = mapping.bad_time(at_bid) or mapping.bad_time(at_ask)
        bad = bad_bids or bad_asks or bad_times
        event_ns = 0 if bad else mapping.ns_of(max(at_bid, at_ask))
        for depth in streams.depths:
            if self._is_news(depth, bad, event_ns, bids, asks):
                item = DepthData(depth.source, event_ns, self._now_ns, bids, asks)
                self._put(Event(EVENT_DEPTH, item, depth.topic, depth.lane))
        bids, asks = bids[:_LEVELS_ON_TICK], asks[:_LEVELS_ON_TICK]
        for tick in streams.ticks:
            tick.booked_ns = self._now_ns
            news = self._is_news(tick, bad, event_ns, bids, asks)
            if not bad:
                self._show(tick, bids, asks)
            if news and tick.quoted:
                self._tell(tick, event_ns)
            elif news:
                self.counters.held += 1

    def _is_news(self, slot: Slot, bad: str, event_ns: int, bids: Levels, asks: Levels) -> bool:
        """Whether a book may be told, and was not."""
        self._hear(slot)
        if self._episodes.refuses(slot.topic, "book", bad):
            return False
        mark = slot.mark
        same = event_ns == mark.book_ns and mark.levels == (bids, asks)
        if same and not _hides(slot, bids, asks):
            self.counters.stale += 1
            return False
        mark.book_ns, mark.levels = event_ns, (bids, asks)
        return True

    def _show(self, slot: TickSlot, bids: Levels, asks: Levels) -> None:
        slot.bids, slot.asks = bids, asks
        slot.bid, slot.bid_volume = mapping.best(bids)
        slot.ask, slot.ask_volume = mapping.best(asks)

    # -- prints -----------------------------------------------------------------------------

    def on_prints(self, push: PrintPush) -> None:
        """Prints of one contract, oldest first."""
        self._now_ns = time.time_ns()
        slots, items = self._of(push.security).trades, push.tickerList
        if not slots:
            self._for_nobody(len(items))
        for slot in slots:
            # Of a contract that nothing was told of, the past is history, not news.
            history = not slot.mark.number
            past, slot.past = slot.past, ()
            for item in (*past, *items) if past else items:
                self._on_print(slot, item, history=history and item.pushDataType == CACHED)

    def _on_print(self, slot: TradeSlot, item: WirePrint, *, history: bool) -> None:
        """By far the most frequent item, so written out."""
        counters, mark = self.counters, slot.mark
        counters.received += 1
        slot.heard_ns = mark.heard_ns = now_ns = self._now_ns
        price, volume, seconds = item.price, item.volume, item.timestamp
        good = 0.0 < price < PRICE_LIMIT and 0 <= volume < COUNT_LIMIT
        doubtful = not good or self._episodes.open or not 0.0 <= seconds < TIME_LIMIT_S
        if doubtful and self._episodes.refuses(slot.topic, "trade", mapping.bad_print(item)):
            return
        number, event_ns = item.sequence, round(seconds * 1e6) * 1_000
        if not mark.is_news(number, event_ns):
            counters.stale += 1
            return
        mark.number = number
        if event_ns > mark.event_ns:  # a print that is reported late is older than one before it
            mark.event_ns = event_ns
        if history:
            counters.stale += 1
            return
        taker = _TAKERS.get(item.dir, _NOBODY)
        told = MarketTradeData(
            slot.source, event_ns, now_ns, str(number), price, float(volume), taker
        )
        self._put(Event(EVENT_MARKET_TRADE, told, slot.topic, _BOUNDED))

    # -- bars -------------------------------------------------------------------------------

    def on_bars(self, push: BarPush) -> None:
        """Bars of one contract and one length: as a rule, that of the moment."""
        self._now_ns = time.time_ns()
        slots = [each for each in self._of(push.security).bars if each.kind == push.klType]
        rows = [row for row in push.klList if not row.isBlank]
        self._for_nobody(len(push.klList) - len(rows) if slots else len(push.klList))
        for slot in slots:
            past, slot.past = slot.past, ()
            for row in (*past, *rows) if past else rows:
                self._on_bar(slot, row)

    def _on_bar(self, slot: BarSlot, row: WireBar) -> None:
        """A bar as far as it has come; the one before it is complete now."""
        self._hear(slot)
        if self._episodes.refuses(slot.topic, "bar", mapping.bad_bar(row)):
            return
        mark, before, followed = slot.mark, slot.mark.moving, slot.followed
        bar = mapping.bar(row, slot.source, slot.interval, closed=False)
        late = before is not None and bar.datetime < before.datetime
        slot.followed = followed or not late
        if late or bar == before:
            self.counters.stale += 1
            return
        mark.moving = bar
        # What an earlier session has seen of a bar need not be all of it.
        if followed and before is not None and before.datetime < bar.datetime:
            self._put_bar(slot, msgspec.structs.replace(before, closed=True))
        self._put_bar(slot, bar)

    def _put_bar(self, slot: BarSlot, bar: BarData) -> None:
        self._put(Event(EVENT_BAR, bar, slot.topic, _BOUNDED))

    # -- what went wrong ----------------------------------------------------------------

    def unreadable(self, message_type: str) -> None:
        """A push of that type could not be read."""
        self.counters.received += 1
        self.counters.unreadable(message_type)

    def _hear(self, slot: Slot) -> None:
        self.counters.received += 1
        slot.heard_ns = slot.mark.heard_ns = self._now_ns

    def _for_nobody(self, items: int = 1) -> None:
        self.counters.received += items
        self.counters.ignored += items


def _hides(slot: Slot, bids: Levels, asks: Levels) -> bool:
    """Whether ticks are told without this book: the quote was faster than the first book."""
    return isinstance(slot, TickSlot) and slot.quoted and (slot.bids, slot.asks) != (bids, asks)
