"""From the bytes of a frame to an event: the hot path. Nothing here waits or raises.

Every frame ends as one event or in exactly one count; see `FeedCounters`.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frame_types import type_of
from foxtrot.adapter.binance.marks import DAY, Mark, Overlap
from foxtrot.adapter.binance.order_book import OrderBook, Outcome
from foxtrot.connectivity.diagnostics import labels
from foxtrot.core.logs import get_logger
from foxtrot.errors import MalformedMessage
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes
from foxtrot.model.constants import Channel, Interval, Lane
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NO_STATISTICS, DayStatistics, Levels, Source, TickData

log = get_logger("foxtrot.binance.frames")

T = TypeVar("T")

_EVENT_PREFIX = b'{"e":"'
_TYPE_AT = len(_EVENT_PREFIX)
_BOUNDED = Lane.BOUNDED  # an enum member's look-up is dear where every frame passes

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no message; the last for brackets by the thousand."""

GONE = -2
"""The activity of a stream that has no slot; a mark that was never moved is at -1."""

_CROSSED = "the book is crossed"
_MALFORMED_PER_MINUTE = 10
_MINUTE_NS = 60_000_000_000
_LEVELS_ON_TICK = 10
"""More than the five of vnpy: a quote that is newer than the book has passed some of them."""


class TickSlot:
    """The latest of one symbol, from which its ticks are made."""

    __slots__ = (
        "asks", "bids", "day", "day_mark", "lane", "last_price", "last_volume", "mark", "quote",
        "quoted", "source", "topic",
    )  # fmt: skip

    def __init__(self, source: Source, lane: Lane, mark: Mark, day_mark: Mark) -> None:
        self.source, self.lane, self.topic = source, lane, source.vt_symbol
        self.mark, self.day_mark = mark, day_mark
        self.quote = mapping.Quote(source.symbol, 0.0, 0.0, 0.0, 0.0)
        self.quoted = False
        self.day: DayStatistics = NO_STATISTICS
        self.last_price = 0.0
        self.last_volume = 0.0
        self.bids: Levels = ()
        self.asks: Levels = ()

    def tick(self, event_ns: int, recv_ns: int) -> TickData:
        """The tick of the moment."""
        q = self.quote
        return TickData(
            self.source, event_ns, recv_ns, self.last_price, self.last_volume,
            q.b, q.B, q.a, q.A, self.day, self.bids, self.asks,
        )  # fmt: skip


class StreamSlot:
    """A depth, trade or bar stream of one symbol."""

    __slots__ = (
        "begins_ms", "book", "frames", "interval", "lane", "mark", "overlap", "since", "source",
        "topic", "torn",
    )  # fmt: skip

    def __init__(
        self, source: Source, lane: Lane, mark: Mark, interval: Interval = Interval.MINUTE
    ) -> None:
        self.source, self.lane, self.topic = source, lane, source.vt_symbol
        self.mark, self.interval = mark, interval
        self.book = OrderBook()
        self.frames = 0
        self.since, self.begins_ms = -1, 0
        self.overlap: Overlap | None = None
        self.torn = False

    def begin(self) -> None:
        """Of a bar stream that is about to be asked for: it resumes from what was told by now."""
        self.since, self.begins_ms = self.mark.at, 0

    def heard(self) -> int:
        """Note that the stream has brought something; returns when."""
        self.frames += 1
        self.mark.heard_ns = now_ns = time.time_ns()
        return now_ns

    def is_old(self, number: int, now_ns: int) -> bool:
        """Whether `number` was told before; while two connections bring it, late is not old."""
        if self.overlap is None or number > self.mark.at:
            return self.mark.is_old(number, now_ns)
        return not self.overlap.is_news(number) and self.mark.is_old(number, now_ns)

    def missed(self, number: int) -> int:
        """How many are missing before `number`; 0 if the one before it missed some, too."""
        known = self.mark.at >= 0 and self.overlap is None
        missing = max(number - self.mark.at - 1, 0) if known else 0
        was_torn, self.torn = self.torn, missing > 0
        return 0 if was_torn else missing

    def tell(self, number: int) -> None:
        """Note that `number` is told; one that only came late leaves the mark where it is."""
        late = self.overlap is not None and self.overlap.is_news(number) and number < self.mark.at
        if not late:
            self.mark.at = number
        if self.overlap is not None:
            self.overlap.told(number)


class Head(msgspec.Struct, gc=False):
    """Just enough of a frame to know what it is."""

    e: str = ""
    s: str = ""
    u: int = 0
    id: int | str | None = None
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    code: int = 0
    msg: str = ""
    error: msgspec.Raw = msgspec.Raw()


class FrameRouter:
    """Decodes frames and puts events.

    Args:
        venue: The adapter's name, for logs.
        counters: Where frames are counted.
        put: Takes the events.
        levels: How many levels of a book are pushed.
        on_gap: Told the symbol whose book needs a new snapshot.
        on_rotten: Told when so many frames are malformed that the session is worth replacing.
        on_shutdown: Told when the venue announces that it will close the connection.
    """

    def __init__(
        self,
        venue: str,
        counters: FeedCounters,
        put: Callable[[Event], None],
        *,
        levels: int,
        on_gap: Callable[[str], None],
        on_rotten: Callable[[MalformedMessage], None],
        on_shutdown: Callable[[], None],
    ) -> None:
        self.ticks: dict[str, TickSlot] = {}
        self.depths: dict[str, StreamSlot] = {}
        self.trades: dict[str, StreamSlot] = {}
        self.bars: dict[tuple[str, str], StreamSlot] = {}
        self._venue, self._counters, self._put, self._levels = venue, counters, put, levels
        self._on_gap, self._on_rotten, self._on_shutdown = on_gap, on_rotten, on_shutdown
        self._malformed_at: deque[int] = deque(maxlen=_MALFORMED_PER_MINUTE + 1)
        self._unknown: set[str] = set()
        self._episodes = Episodes(counters, log.bind(venue=venue))
        self._head = msgspec.json.Decoder(Head).decode
        self._quote = _lax(mapping.Quote)
        self._by_kind: dict[str, Callable[[bytes | msgspec.Raw], None]] = {
            "24hrTicker": self._on_ticker,
            "depthUpdate": self._on_depth,
            "trade": self._on_trade,
            "kline": self._on_candle,
        }
        self._by_start = {kind.encode(): handler for kind, handler in self._by_kind.items()}
        self._ticker = _lax(mapping.Ticker)
        self._depth = _lax(mapping.DepthUpdate)
        self._trade = _lax(mapping.Trade)
        self._candle = _lax(mapping.CandleUpdate)

    # -- entry ------------------------------------------------------------------------------

    def on_quote(self, data: bytes | msgspec.Raw) -> MalformedMessage | None:
        """A best bid and ask: by far the most frequent frame, so written out in full.

        Returns:
            What is wrong with it, if it cannot be read.
        """
        try:
            quote = self._quote(data)
        except _UNREADABLE as error:
            return self._misread(data, error)
        slot = self.ticks.get(quote.s)
        if slot is None:
            self._counters.ignored += 1
            return None
        mark = slot.mark
        mark.heard_ns = now_ns = time.time_ns()
        if quote.u <= mark.at and mark.is_old(quote.u, now_ns):
            self._counters.stale += 1
            return None
        bid, ask = quote.b, quote.a
        if not (
            0.0 < bid <= ask < mapping.PRICE_LIMIT
            and 0.0 <= quote.B < mapping.VOLUME_LIMIT
            and 0.0 <= quote.A < mapping.VOLUME_LIMIT
        ):
            reason = mapping.bad_quote(bid, quote.B, ask, quote.A)
            self._episodes.refuse(quote.s, "quote", reason)
            return None
        if self._episodes.open:
            self._episodes.believe(quote.s, "quote")
        slot.quote, slot.quoted, mark.at = quote, True, quote.u
        mark.tick = tick = TickData(
            slot.source, 0, now_ns, slot.last_price, slot.last_volume,
            bid, quote.B, ask, quote.A, slot.day, slot.bids, slot.asks,
        )  # fmt: skip
        self._put(Event(EVENT_TICK, tick, slot.topic, slot.lane))
        return None

    def on_other(
        self, data: bytes | msgspec.Raw, *, wrapped: bool = False
    ) -> Head | MalformedMessage | None:
        """Any other frame.

        Returns:
            The head of what is no market data, such as an answer; or what is wrong with it.
        """
        if not wrapped and data.startswith(_EVENT_PREFIX):
            known = self._by_start.get(data[_TYPE_AT : data.find(b'"', _TYPE_AT)])
            if known is not None:
                return self._decoded(known, data)
        try:
            head = self._head(data)
        except _UNREADABLE as error:
            return self.malformed(bytes(data), error)
        if head.stream and bytes(head.data):
            if not wrapped:
                return self.on_other(head.data, wrapped=True)
            return self.malformed(bytes(data), msgspec.ValidationError("wrapped twice"))
        handler = self._by_kind.get(head.e)
        if handler is not None:
            return self._decoded(handler, data)
        if head.s and head.u and not head.e:
            return self.on_quote(data)
        if head.e:
            self._on_unknown(head.e)
            return None
        self._counters.control += 1
        return head

    def _misread(self, data: bytes | msgspec.Raw, error: Exception) -> MalformedMessage | None:
        """A frame that only begins like a quote: the order of its keys is the venue's affair."""
        try:
            handler = self._by_kind.get(self._head(data).e)
        except _UNREADABLE:
            handler = None
        return self._decoded(handler, data) if handler else self.malformed(bytes(data), error)

    def seed(self, ticker: mapping.RestTicker) -> None:
        """A snapshot fetched after subscribing: fills what the streams have not said yet."""
        slot = self.ticks.get(ticker.symbol)
        if slot is None or slot.day is not NO_STATISTICS:
            return
        if self._episodes.refuses(slot.source.symbol, "snapshot", mapping.bad_rest_ticker(ticker)):
            return
        slot.last_price, slot.last_volume = ticker.lastPrice, ticker.lastQty
        slot.day = mapping.day_of_rest(ticker)
        best = ticker.bidPrice, ticker.bidQty, ticker.askPrice, ticker.askQty
        if not slot.quoted:
            slot.quote = mapping.Quote(ticker.symbol, *best)
        event_ns = 0
        if ticker.closeTime > slot.day_mark.at:
            event_ns = ticker.closeTime * mapping.NS_PER_MS
            # The stream may share its moment with the snapshot, and is not older for it.
            slot.day_mark.at = ticker.closeTime - 1
        elif slot.quoted or _best_of(slot.mark.tick) == best:
            return  # an earlier session has told as much
        slot.mark.tick = tick = slot.tick(event_ns, time.time_ns())
        self._put(Event(EVENT_TICK, tick, slot.topic, slot.lane))

    def snapshot(
        self, symbol: str, book: mapping.DepthSnapshot, event_ms: int = 0, asked: int = 0
    ) -> bool:
        """A book of `asked` levels, fetched or kept by someone else; False if another is needed."""
        slot = self.depths.get(symbol)
        if slot is None:
            return True
        if self._episodes.refuses(slot.source.symbol, "snapshot", mapping.bad_book(book)):
            return False
        if not slot.book.snapshot(book.lastUpdateId, book.bids, book.asks, asked):
            return False
        if self._episodes.refuses(
            slot.source.symbol, "snapshot", _CROSSED if slot.book.crossed() else ""
        ):
            slot.book.invalidate()
            return False
        self._push_depth(slot, event_ms)
        return True

    def begin(self, key: StreamKey) -> None:
        """A stream is about to be asked for; see `missed_since`."""
        slot = self._slot(key) if key.channel is Channel.BAR else None
        if slot is not None:
            slot.begin()

    def missed_since(self, key: StreamKey) -> int:
        """The start of the last bar that was told before the stream began; -1 if none ever was."""
        slot = self._slot(key)
        return mapping.start_of(slot.since) if slot is not None and slot.since >= 0 else -1

    def missed(self, key: StreamKey, rows: Sequence[mapping.Row]) -> bool:
        """Tell the bars that ended while nobody streamed them; the last of `rows` still moves.

        Of a longer stretch that is the next page's first: `missed_since` has moved on by then.

        Returns:
            False if it is too late: a later one has ended since, and bars that ended keep their
            order.
        """
        slot = self._slot(key)
        if slot is None:
            return True
        slot.since = slot.since if slot.begins_ms else slot.mark.at
        before_ms = slot.begins_ms or rows[-1][0] if rows else 0
        ended = [row for row in rows[:-1] if row[0] < before_ms]
        ended = [row for row in ended if mapping.end_number(row[0]) > slot.since]
        if ended and slot.begins_ms and slot.mark.at >= mapping.end_number(slot.begins_ms):
            return False
        for row in ended:
            slot.since = end = mapping.end_number(row[0])
            if self._episodes.refuses(slot.source.symbol, "bar", mapping.bad_row(row)):
                continue
            slot.mark.at = max(slot.mark.at, end)
            bar = mapping.bar_of_row(row, slot.source, slot.interval, rows[-1][0])
            self._put(Event(EVENT_BAR, bar, slot.topic, _BOUNDED))
        return True

    def forget_levels(self, symbol: str) -> None:
        """A book is not kept any more, or not believed: the ticks show nothing of it."""
        slot = self.ticks.get(symbol)
        if slot is not None:
            slot.bids = slot.asks = ()

    def overlap(self, *, begins: bool) -> None:
        """Two connections bring the same streams from now on, or no more: prints may come late."""
        for slot in self.trades.values():
            slot.overlap = Overlap(slot.mark.at) if begins else None

    # -- what the streams have said ---------------------------------------------------------

    def activity(self, key: StreamKey) -> int:
        """A number that changes whenever the stream brings anything; GONE if it has no slot.

        Of ticks these are their quotes; their statistics are the part DAY. Of depth it is the book:
        differences that cannot be applied bring nothing.
        """
        if key.channel is not Channel.TICK:
            stream = self._slot(key)
            if stream is None:
                return GONE
            return stream.book.number if key.channel is Channel.DEPTH else stream.frames
        slot = self.ticks.get(key.symbol)
        if slot is None:
            return GONE
        return slot.day_mark.at if key.detail == DAY else slot.quote.u

    def flows(self, key: StreamKey) -> bool:
        """Whether the stream has brought anything yet."""
        if key.channel is Channel.TICK:
            slot = self.ticks[key.symbol]
            return slot.quoted or slot.day is not NO_STATISTICS
        stream = self._slot(key)
        return stream is not None and stream.frames > 0

    def quoted(self, symbol: str) -> tuple[float, float, float, float] | None:
        """The last best bid and ask with their volumes; None if there was none."""
        slot = self.ticks.get(symbol)
        if slot is None or not slot.quote.b:
            return None
        return slot.quote.b, slot.quote.B, slot.quote.a, slot.quote.A

    def levels(self, symbol: str, count: int) -> tuple[Levels, Levels] | None:
        """The best levels of a book; None while it is not valid."""
        slot = self.depths.get(symbol)
        return slot.book.best(count) if slot is not None and slot.book.valid else None

    def _slot(self, key: StreamKey) -> StreamSlot | None:
        if key.channel is Channel.DEPTH:
            return self.depths.get(key.symbol)
        if key.channel is Channel.TRADE:
            return self.trades.get(key.symbol)
        return self.bars.get((key.symbol, mapping.INTERVALS[Interval(key.detail)]))

    # -- kinds ------------------------------------------------------------------------------

    def _decoded(
        self, handler: Callable[[bytes | msgspec.Raw], None], data: bytes | msgspec.Raw
    ) -> MalformedMessage | None:
        try:
            handler(data)
        except _UNREADABLE as error:
            return self.malformed(bytes(data), error)
        return None

    def _on_ticker(self, data: bytes | msgspec.Raw) -> None:
        ticker = self._ticker(data)
        slot = self.ticks.get(ticker.s)
        if slot is None:
            self._counters.ignored += 1
            return
        slot.day_mark.heard_ns = now_ns = time.time_ns()
        if slot.day_mark.is_old(ticker.E, now_ns):
            self._counters.stale += 1
            return
        if self._episodes.refuses(slot.source.symbol, "day", mapping.bad_ticker(ticker)):
            return
        slot.day, slot.day_mark.at = mapping.day_of_stream(ticker), ticker.E
        slot.last_price, slot.last_volume = ticker.c, ticker.Q
        if not slot.quoted and not mapping.bad_quote(ticker.b, ticker.B, ticker.a, ticker.A):
            slot.quote = mapping.Quote(ticker.s, ticker.b, ticker.B, ticker.a, ticker.A)
        slot.mark.tick = tick = slot.tick(ticker.E * mapping.NS_PER_MS, now_ns)
        self._put(Event(EVENT_TICK, tick, slot.topic, slot.lane))

    def _on_depth(self, data: bytes | msgspec.Raw) -> None:
        update = self._depth(data)
        slot = self.depths.get(update.s)
        if slot is None:
            self._counters.ignored += 1
            return
        if slot.book.valid:
            slot.heard()
        else:
            slot.frames += 1
        if self._episodes.refuses(slot.source.symbol, "depth", mapping.bad_depth(update)):
            return
        outcome = slot.book.difference(update.U, update.u, update.b, update.a)
        if outcome is Outcome.OLD:
            self._counters.stale += 1
        elif outcome is Outcome.BUFFERED:
            self._counters.held += 1
        elif outcome is Outcome.GAP:
            self._counters.held += 1
            log.warning("book_gap", venue=self._venue, symbol=update.s, first_id=update.U)
            self._ask_book(update.s)
        elif slot.book.crossed():
            slot.book.invalidate()
            self._episodes.refuses(slot.source.symbol, "depth", _CROSSED)
            self._ask_book(update.s)
        elif not slot.book.reaches(self._levels):
            slot.book.invalidate()
            slot.book.difference(update.U, update.u, update.b, update.a)
            self._counters.held += 1
            log.debug("book_left_its_snapshot", venue=self._venue, symbol=update.s)
            self._ask_book(update.s)
        else:
            self._push_depth(slot, update.E)

    def _on_trade(self, data: bytes | msgspec.Raw) -> None:
        trade = self._trade(data)
        slot = self.trades.get(trade.s)
        if slot is None:
            self._counters.ignored += 1
            return
        now_ns = slot.heard()
        if slot.is_old(trade.t, now_ns):
            self._counters.stale += 1
            return
        reason = mapping.bad_numbers((trade.p,), (trade.q,)) or mapping.bad_times(trade.T)
        if self._episodes.refuses(slot.source.symbol, "trade", reason):
            return
        if missed := slot.missed(trade.t):
            log.warning("prints_missed", venue=self._venue, symbol=trade.s, count=missed)
        slot.tell(trade.t)
        item = mapping.market_trade(trade, slot.source, now_ns)
        self._put(Event(EVENT_MARKET_TRADE, item, slot.topic, _BOUNDED))

    def _on_candle(self, data: bytes | msgspec.Raw) -> None:
        update = self._candle(data)
        candle = update.k
        slot = self.bars.get((candle.s, candle.i))
        if slot is None:
            self._counters.ignored += 1
            return
        now_ns = slot.heard()
        if self._episodes.refuses(slot.source.symbol, "bar", mapping.bad_candle(update)):
            return
        number = mapping.candle_number(update)
        if slot.mark.is_old(number, now_ns):
            self._counters.stale += 1
            return
        if not slot.begins_ms:  # until now it may have been polled
            slot.since, slot.begins_ms = slot.mark.at, candle.t
        slot.mark.at = number
        bar = mapping.bar_of_stream(candle, slot.source, slot.interval)
        self._put(Event(EVENT_BAR, bar, slot.topic, _BOUNDED))

    def _on_unknown(self, kind: str) -> None:
        if kind == "serverShutdown":
            self._counters.control += 1
            self._on_shutdown()
            return
        self._counters.ignored += 1
        kind = kind[:64]
        if kind not in self._unknown and len(self._unknown) < 100:
            self._unknown.add(kind)
            log.info("unknown_event", venue=self._venue, kind=kind)

    # -- what went wrong --------------------------------------------------------------------

    def malformed(self, data: bytes, error: Exception) -> MalformedMessage:
        """A frame that could not be read: counted, reported once a minute, and survived."""
        frame_type = type_of(data)
        self._counters.unreadable(frame_type)
        now_ns = time.time_ns()
        recent = [at for at in self._malformed_at if now_ns - at < _MINUTE_NS]
        self._malformed_at.append(now_ns)
        digest = hashlib.sha256(data).hexdigest()[:8]
        problem = "not JSON" if not isinstance(error, msgspec.ValidationError) else "wrong fields"
        message = MalformedMessage(self._venue, len(data), digest, problem)
        if not recent:
            log.warning(
                "malformed_message", venue=self._venue, frame_type=frame_type, **labels(message)
            )
        if len(recent) >= _MALFORMED_PER_MINUTE:
            self._on_rotten(message)
        return message

    def _push_depth(self, slot: StreamSlot, event_ms: int) -> None:
        best = slot.book.best(self._levels)
        tick_slot = self.ticks.get(slot.source.symbol)
        if tick_slot is not None:
            tick_slot.bids, tick_slot.asks = best[0][:_LEVELS_ON_TICK], best[1][:_LEVELS_ON_TICK]
        slot.mark.heard_ns = now_ns = time.time_ns()
        item = mapping.depth(slot.source, event_ms, now_ns, best)
        self._put(Event(EVENT_DEPTH, item, slot.topic, slot.lane))

    def _ask_book(self, symbol: str) -> None:
        self.forget_levels(symbol)
        self._on_gap(symbol)


def _best_of(tick: TickData | None) -> tuple[float, float, float, float] | None:
    if tick is None:
        return None
    return tick.bid_price_1, tick.bid_volume_1, tick.ask_price_1, tick.ask_volume_1


def _lax(kind: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """A decoder that reads Binance's numbers out of their strings."""
    return msgspec.json.Decoder(kind, strict=False).decode
