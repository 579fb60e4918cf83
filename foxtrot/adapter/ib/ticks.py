"""From what TWS says of a stream to an event: the hot path. Nothing here waits or raises.

TWS tells a contract piece by piece: a price with its size, the same size once more, the volume of
the day, the second of the last trade. A price or a size that changed is told at once, and its
repetition is not. What only completes a tick is told with the next one, or at the end of what the
socket brought.

Every message ends as one event or in exactly one count; see `FeedCounters`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from foxtrot.adapter.ib import mapping
from foxtrot.adapter.ib.inbox import UNDECODED, UNDECODED_ROW
from foxtrot.adapter.ib.mapping import ASK, BID, LAST, PRICE_LIMIT, TIME_LIMIT_S, VOLUME_LIMIT
from foxtrot.adapter.ib.slots import BarSlot, DepthSlot, Slot, TickSlot, TradeSlot
from foxtrot.core.logs import get_logger
from foxtrot.errors import FoxtrotError
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.episodes import Episodes
from foxtrot.model.constants import Direction, Lane
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.objects import (
    NS_PER_S,
    DayStatistics,
    DepthData,
    Levels,
    MarketTradeData,
    TickData,
)

log = get_logger("foxtrot.ib.ticks")

# An enum member's look-up is dear where every message passes.
_BOUNDED, _NOBODY = Lane.BOUNDED, Direction.NET
_LEVELS_ON_TICK = 5
_LOST_ROWS = frozenset({UNDECODED_ROW, "updateMktDepth", "updateMktDepthL2"})
_CROSSED_NS = 2_000_000_000
"""A book may be crossed in the midst of changes, and no longer."""

_MOST_ROWS = 1000


class Assembler:
    """Takes what TWS says by request id, and puts events.

    Args:
        venue: The adapter's name, for logs.
        counters: Where messages are counted.
        put: Takes the events.
        levels: How many prices of a book are pushed.
        on_torn: Told the slot of a book that has to be asked for again.
    """

    def __init__(
        self,
        venue: str,
        counters: FeedCounters,
        put: Callable[[Event], None],
        *,
        levels: int,
        on_torn: Callable[[DepthSlot], None],
    ) -> None:
        self.counters = counters
        self.now_ns = 0
        self.slots: dict[int, Slot] = {}
        self.tick_slots: dict[bytes, TickSlot] = {}
        self.depth_slots: dict[bytes, DepthSlot] = {}
        self.trade_slots: dict[bytes, TradeSlot] = {}
        self._put, self._levels, self._on_torn = put, levels, on_torn
        self._episodes = Episodes(counters, log.bind(venue=venue))
        self._untold: list[Slot] = []
        self._timed: list[TickSlot] = []
        self._awaited: dict[int, tuple[asyncio.Future[None], int]] = {}

    # -- streams ----------------------------------------------------------------------------

    def add(self, request_id: int, slot: Slot) -> None:
        """Take what comes with `request_id`."""
        self.slots[request_id] = slot
        wire = b"%d" % request_id
        if isinstance(slot, TickSlot):
            self.tick_slots[wire] = slot
            slot.echoes = {
                b"%d" % kind: b"2\x006\x00%s\x00%d\x00" % (wire, echo)
                for kind, echo in mapping.ECHOES.items()
            }
            for depth in self.depth_slots.values():
                if depth.topic == slot.topic:
                    depth.ticks = slot
        elif isinstance(slot, DepthSlot):
            self.depth_slots[wire] = slot
            slot.ticks = next((t for t in self.tick_slots.values() if t.topic == slot.topic), None)
        elif isinstance(slot, TradeSlot):
            self.trade_slots[wire] = slot

    def drop(self, request_id: int) -> None:
        """Ignore what still comes with `request_id`."""
        self.slots.pop(request_id, None)
        wire = b"%d" % request_id
        self.tick_slots.pop(wire, None)
        self.trade_slots.pop(wire, None)
        depth = self.depth_slots.pop(wire, None)
        if depth is not None:
            self._show_levels(depth, (), ())

    def first_sign(self, request_id: int) -> asyncio.Future[None]:
        """Done when TWS has said anything with `request_id`; its owner cancels it in the end."""
        sign: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited[request_id] = sign, self.slots[request_id].heard_ns
        sign.add_done_callback(lambda _: self._awaited.pop(request_id, None))
        return sign

    def answered(self, request_id: int, refusal: FoxtrotError | None = None) -> bool:
        """TWS has said something with `request_id`; whether somebody waited for it."""
        sign, _ = self._awaited.get(request_id, (None, 0))
        if sign is None or sign.done():
            return False
        if refusal is None:
            sign.set_result(None)
        else:
            sign.set_exception(refusal)
            sign.exception()  # seen: whoever waits may have been cancelled
        return True

    def unreadable(self, callback: str) -> None:
        """The inbox could not read or take a message that did not come by the fast path."""
        if callback in (UNDECODED, UNDECODED_ROW):
            self.counters.received += 1  # the others were counted when they were taken
        self.counters.unreadable(callback)
        if callback in _LOST_ROWS:
            for slot in tuple(self.depth_slots.values()):
                self.on_lost_row(slot)

    # -- one reading of the socket ----------------------------------------------------------

    def arrived(self) -> None:
        """Messages follow that came at one moment."""
        self.now_ns = time.time_ns()

    def processed(self) -> None:
        """No more of that moment: tell what was kept for its end."""
        if self._untold:
            self._tell_rest()
        if self._timed:
            for timed in self._timed:
                timed.event_ns = 0  # of a trade that was told; the next has its own
            self._timed = []
        if self._awaited:
            for request_id, (_, before_ns) in list(self._awaited.items()):
                slot = self.slots.get(request_id)
                if slot is not None and slot.heard_ns != before_ns:
                    self.answered(request_id)

    def _tell_rest(self) -> None:
        untold, self._untold = self._untold, []
        for slot in untold:
            if not slot.untold:
                continue
            slot.untold = False
            if isinstance(slot, TickSlot):
                self.counters.held -= 1
                self._tell(slot, slot.event_ns)
            elif isinstance(slot, DepthSlot):
                self._tell_depth(slot)

    def _hold(self, slot: Slot) -> None:
        """Tell it with the next event of the slot, or at the end of this reading."""
        self.counters.held += 1
        if not slot.untold:
            slot.untold = True
            self._untold.append(slot)

    # -- ticks ------------------------------------------------------------------------------

    def on_price(self, slot: TickSlot, what: int, price: float, size: float) -> bool:
        """A bid, an ask or a last price: by far the most frequent message, so written out.

        Returns:
            Whether price and size are the slot's now, so that the size alone is no news.
        """
        slot.heard_ns = slot.mark.heard_ns = now_ns = self.now_ns
        if not (0.0 < price < PRICE_LIMIT and 0.0 <= size < VOLUME_LIMIT):
            if mapping.is_none(price, size):
                price = 0.0
            elif self._episodes.refuses(
                slot.topic, "quote", mapping.bad_price(price, size, slot.lowest)
            ):
                return False
        elif self._episodes.open:
            self._episodes.believe(slot.topic, "quote")
        if what == BID:
            if price == slot.bid and size == slot.bid_volume:
                self.counters.stale += 1
                return True
            slot.bid, slot.bid_volume = price, size
        elif what == ASK:
            if price == slot.ask and size == slot.ask_volume:
                self.counters.stale += 1
                return True
            slot.ask, slot.ask_volume = price, size
        else:
            return self._on_last(slot, price, size)
        ask = slot.ask
        if not 0.0 < slot.bid <= ask:
            self._hold(slot)  # the other side follows, if there is one
            return True
        slot.untold = False
        slot.mark.tick = tick = TickData(
            slot.source, 0, now_ns, slot.last, slot.last_volume,
            slot.bid, slot.bid_volume, ask, slot.ask_volume, slot.day, slot.bids, slot.asks,
        )  # fmt: skip
        self._put(Event(EVENT_TICK, tick, slot.topic, slot.lane))
        return True

    def on_size(self, slot: TickSlot, what: int, size: float) -> None:
        """The size of a bid, an ask or a last price; most repeat what came with the price."""
        slot.heard_ns = slot.mark.heard_ns = self.now_ns
        if not 0.0 <= size < VOLUME_LIMIT:
            self._episodes.refuses(slot.topic, "quote", mapping.bad_size(size))
            return
        known = (slot.bid_volume, slot.ask_volume, slot.last_volume)[what]
        if size == known:
            self.counters.stale += 1
            return
        if what == BID:
            slot.bid_volume = size
        elif what == ASK:
            slot.ask_volume = size
        else:
            slot.last_volume = size
        if what != LAST and slot.bid > slot.ask > 0.0:
            self._hold(slot)
        else:
            self._tell(slot, slot.event_ns if what == LAST else 0)

    def on_day(self, slot: TickSlot, place: int, value: float, *, price: bool) -> None:
        """A price or a volume of the day."""
        slot.hear(self.now_ns)
        if price and mapping.is_none(value, 0.0):
            self.counters.stale += 1
            return
        bad = mapping.bad_price(value, 0.0, slot.lowest) if price else mapping.bad_size(value)
        if self._episodes.refuses(slot.topic, "day", bad):
            return
        if slot.statistics[place] == value:
            self.counters.stale += 1
            return
        slot.statistics[place] = value
        slot.day = DayStatistics(*slot.statistics)
        self._hold(slot)

    def on_last_time(self, slot: TickSlot, seconds: float) -> None:
        """When the last trade was; belongs to the tick of that trade."""
        slot.hear(self.now_ns)
        if self._episodes.refuses(slot.topic, "time", mapping.bad_time(seconds)):
            return
        slot.event_ns = int(seconds) * NS_PER_S
        self._timed.append(slot)
        self.counters.held += 1

    def _on_last(self, slot: TickSlot, price: float, size: float) -> bool:
        if not price:
            self.counters.stale += 1
            return False
        slot.last, slot.last_volume = price, size
        self._tell(slot, slot.event_ns)
        return True

    def _tell(self, slot: TickSlot, event_ns: int) -> None:
        slot.untold = False
        slot.mark.tick = tick = TickData(
            slot.source, event_ns, self.now_ns, slot.last, slot.last_volume,
            slot.bid, slot.bid_volume, slot.ask, slot.ask_volume, slot.day, slot.bids, slot.asks,
        )  # fmt: skip
        self._put(Event(EVENT_TICK, tick, slot.topic, slot.lane))

    # -- depth ------------------------------------------------------------------------------

    def on_row(
        self, slot: DepthSlot, row: int, operation: int, side: int, price: float, size: float
    ) -> None:
        """One change of a book; told with all of this reading."""
        if slot.torn:
            self.counters.ignored += 1
            return
        slot.hear(self.now_ns)
        removed = operation == 2
        bad = "" if removed else mapping.bad_price(price, size, slot.lowest)
        if self._episodes.refuses(slot.topic, "depth", bad):
            self._tear(slot)
            return
        if slot.book.apply(row, operation, side, price, size):
            self._hold(slot)
            return
        self.counters.rejected += 1
        log.warning("book_gap", contract=slot.topic, row=row)
        self._tear(slot)

    def on_lost_row(self, slot: DepthSlot) -> None:
        """A change could not be read: the book is not TWS's any more."""
        if not slot.torn:
            self._tear(slot)

    def _tell_depth(self, slot: DepthSlot) -> None:
        if slot.torn:
            return
        if slot.book.crossed():
            slot.crossed_ns = slot.crossed_ns or self.now_ns
            if self.now_ns - slot.crossed_ns > _CROSSED_NS:
                log.warning("book_crossed", contract=slot.topic)
                self._tear(slot)
            return
        slot.crossed_ns = 0
        self.counters.held -= 1
        bids, asks = slot.book.best(self._levels)
        self._show_levels(slot, bids[:_LEVELS_ON_TICK], asks[:_LEVELS_ON_TICK])
        item = DepthData(slot.source, 0, self.now_ns, bids, asks)
        self._put(Event(EVENT_DEPTH, item, slot.topic, slot.lane))

    def _tear(self, slot: DepthSlot) -> None:
        slot.torn = True
        self._show_levels(slot, (), ())
        self._on_torn(slot)

    def _show_levels(self, slot: DepthSlot, bids: Levels, asks: Levels) -> None:
        if slot.ticks is not None:
            slot.ticks.bids, slot.ticks.asks = bids, asks

    # -- prints -----------------------------------------------------------------------------

    def on_print(self, slot: TradeSlot, seconds: int, price: float, size: float) -> None:
        """A trade, with the exchange's time; TWS does not say who took."""
        mark = slot.mark
        slot.heard_ns = mark.heard_ns = now_ns = self.now_ns
        good = (
            0.0 < price < PRICE_LIMIT and 0.0 <= size < VOLUME_LIMIT and 0 < seconds < TIME_LIMIT_S
        )
        if not good or self._episodes.open:
            bad = mapping.bad_price(price, size, slot.lowest) or mapping.bad_time(seconds)
            if self._episodes.refuses(slot.topic, "trade", bad):
                return
        mark.number = number = mark.number + 1
        item = MarketTradeData(
            slot.source, seconds * NS_PER_S, now_ns, str(number), price, size, _NOBODY
        )
        self._put(Event(EVENT_MARKET_TRADE, item, slot.topic, _BOUNDED))

    # -- bars -------------------------------------------------------------------------------

    def on_first_row(self, slot: BarSlot, row: mapping.Row) -> None:
        """A bar of the past, before the stream begins."""
        slot.hear(self.now_ns)
        self.counters.held += 1
        slot.rows.append(row)
        del slot.rows[:-_MOST_ROWS]

    def on_bars_begin(self, slot: BarSlot) -> None:
        """All bars of the past came: what was missed since the last session is told now.

        Where nothing was told before, they are history, not news, but for the newest.
        """
        rows, slot.rows = sorted(slot.rows, key=_start), []
        known = slot.mark.moving
        for row in rows[-1:] if known is None else rows:
            if known is None or row.start >= known:
                self._on_bar(slot, row)

    def on_bar(self, slot: BarSlot, row: mapping.Row) -> None:
        """The bar of the moment, as far as it has come; the one before is complete now."""
        slot.hear(self.now_ns)
        known = slot.mark.moving
        if known is not None and row.start < known:
            self.counters.stale += 1
            return
        self._on_bar(slot, row)

    def on_whole_bar(self, slot: BarSlot, row: mapping.Row) -> None:
        """A bar that is over; polling may have told how far it had come."""
        slot.hear(self.now_ns)
        known = slot.mark.moving
        if known is not None and row.start < known:
            self.counters.stale += 1
        elif not self._episodes.refuses(slot.topic, "bar", mapping.bad_row(row, slot.lowest)):
            slot.mark.closed(row.start)
            self._tell_bar(slot, row, closed=True)

    def _on_bar(self, slot: BarSlot, row: mapping.Row) -> None:
        if self._episodes.refuses(slot.topic, "bar", mapping.bad_row(row, slot.lowest)):
            return
        known, before = slot.mark.moving, slot.moving
        slot.moving, slot.mark.moving = row, row.start
        # Polling may have closed it while the stream stood still.
        if before is not None and before.start < row.start and before.start == known:
            self._tell_bar(slot, before, closed=True)
        self._tell_bar(slot, row, closed=False)

    def _tell_bar(self, slot: BarSlot, row: mapping.Row, *, closed: bool) -> None:
        bar = mapping.bar(row, slot.source, slot.interval, closed=closed)
        self._put(Event(EVENT_BAR, bar, slot.topic, _BOUNDED))


def _start(row: mapping.Row) -> float:
    return row.start.timestamp()
