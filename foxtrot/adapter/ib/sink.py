"""Callbacks of the API about market data, for the assembler.

On the fast path ticks do not come this way; bars, answers and errors do. Names and arguments are
the API's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from foxtrot.adapter.ib import mapping, pages
from foxtrot.adapter.ib.slots import BarSlot, DepthSlot, Slot, TickSlot, TradeSlot
from foxtrot.adapter.ib.ticks import Assembler

S = TypeVar("S", bound=Slot)

_LEVEL_1 = ""


class MarketSink:
    """Takes the callbacks of one connection's inbox.

    Args:
        ticks: Takes what they say.
        on_error: Told of an error or a notice: request id, code, text.
    """

    def __init__(self, ticks: Assembler, on_error: Callable[[int, int, str], None]) -> None:
        self._ticks, self._on_error = ticks, on_error

    def error(self, req_id: int, code: int, text: str, advanced: str = "") -> None:
        """An error or a notice."""
        self._on_error(req_id, code, text)

    def marketDataType(self, req_id: int, kind: int) -> None:
        """TWS has taken a request for ticks; and whether they are live or delayed."""
        self._ticks.answered(req_id)

    def tickReqParams(
        self, req_id: int, min_tick: float, bbo_exchange: str, permissions: int
    ) -> None:
        """TWS has taken a request for ticks."""
        self._ticks.answered(req_id)

    # -- ticks ------------------------------------------------------------------------------

    def priceSizeTick(self, req_id: int, tick_type: int, price: float, size: float) -> None:
        """A price and its size."""
        slot = self._taken(req_id, TickSlot)
        what, place = mapping.PRICES.get(tick_type), mapping.DAY_PRICES.get(tick_type)
        if slot is not None and what is not None:
            self._ticks.on_price(slot, what, price, size)
        elif slot is not None and place is not None:
            self._ticks.on_day(slot, place, price, price=True)
        else:
            self._ticks.counters.ignored += 1

    def tickSize(self, req_id: int, tick_type: int, size: float) -> None:
        """A size."""
        slot = self._taken(req_id, TickSlot)
        what, place = mapping.SIZES.get(tick_type), mapping.DAY_SIZES.get(tick_type)
        if slot is not None and what is not None:
            self._ticks.on_size(slot, what, size)
        elif slot is not None and place is not None:
            self._ticks.on_day(slot, place, size, price=False)
        else:
            self._ticks.counters.ignored += 1

    def tickString(self, req_id: int, tick_type: int, value: str) -> None:
        """A text; one says when the last trade was."""
        slot = self._taken(req_id, TickSlot)
        if slot is None or tick_type not in mapping.LAST_TIMES:
            self._ticks.counters.ignored += 1
            return
        self._ticks.on_last_time(slot, float(value))

    # -- depth and prints -------------------------------------------------------------------

    def updateMktDepth(
        self, req_id: int, row: int, operation: int, side: int, price: float, size: float
    ) -> None:
        """A row of one exchange's book."""
        self.updateMktDepthL2(req_id, row, _LEVEL_1, operation, side, price, size)

    def updateMktDepthL2(
        self,
        req_id: int,
        row: int,
        maker: str,
        operation: int,
        side: int,
        price: float,
        size: float,
        smart: bool = False,
    ) -> None:
        """A row of several exchanges' or market makers' book."""
        slot = self._taken(req_id, DepthSlot)
        if slot is None:
            self._ticks.counters.ignored += 1
        else:
            self._ticks.on_row(slot, row, operation, side, price, size)

    def tickByTickAllLast(
        self,
        req_id: int,
        tick_type: int,
        seconds: int,
        price: float,
        size: float,
        attributes: object,
        exchange: str,
        conditions: str,
    ) -> None:
        """A print."""
        slot = self._taken(req_id, TradeSlot)
        if slot is None:
            self._ticks.counters.ignored += 1
        else:
            self._ticks.on_print(slot, seconds, price, size)

    # -- bars -------------------------------------------------------------------------------

    def historicalData(self, req_id: int, bar: mapping.SdkBar) -> None:
        """A bar of before the stream."""
        slot = self._taken(req_id, BarSlot)
        if slot is None:
            self._ticks.counters.ignored += 1
        else:
            self._ticks.on_first_row(slot, pages.bar_row(bar, slot.interval, slot.zone))

    def historicalDataEnd(self, req_id: int, start: str, end: str) -> None:
        """The stream of bars begins."""
        slot = self._taken(req_id, BarSlot)
        if slot is None:
            self._ticks.counters.ignored += 1
            return
        self._ticks.counters.control += 1
        self._ticks.on_bars_begin(slot)

    def historicalDataUpdate(self, req_id: int, bar: mapping.SdkBar) -> None:
        """The bar of the moment."""
        slot = self._taken(req_id, BarSlot)
        if slot is None:
            self._ticks.counters.ignored += 1
        else:
            self._ticks.on_bar(slot, pages.bar_row(bar, slot.interval, slot.zone))

    def realtimeBar(
        self,
        req_id: int,
        seconds: int,
        open_: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        average: float,
        count: int,
    ) -> None:
        """A bar of five seconds that is over."""
        slot = self._taken(req_id, BarSlot)
        if slot is None:
            self._ticks.counters.ignored += 1
            return
        prices = (open_, high, low, close)
        self._ticks.on_whole_bar(slot, mapping.real_time_row(seconds, prices, volume, average))

    def _taken(self, req_id: int, kind: type[S]) -> S | None:
        self._ticks.counters.received += 1
        slot = self._ticks.slots.get(req_id)
        return slot if isinstance(slot, kind) else None
