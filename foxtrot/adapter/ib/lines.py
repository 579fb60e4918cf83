"""One stream at TWS: what is asked for it, and how it is given back."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from foxtrot.adapter.ib import mapping, pages
from foxtrot.adapter.ib.archive import ALL_HOURS, EPOCH_SECONDS
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.limits import IbPaceManager
from foxtrot.adapter.ib.sdk import RawClient
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.adapter.ib.slots import (
    DEPTH_ROWS,
    BarSlot,
    DepthSlot,
    Mark,
    Quoted,
    Slot,
    TickSlot,
    TradeSlot,
)
from foxtrot.adapter.ib.snapshots import Snapshot
from foxtrot.model.constants import Channel, Exchange, Interval, Lane
from foxtrot.model.health import StreamKey

_MOST_BARS = 50
"""Streams of bars at once. Source: TWS API documents, "Historical Data Limitations"."""

PRINTS_AGAIN_S = 15.0
"""How soon the prints of a contract may be asked for again. Source: "Tick-by-Tick Data"."""

_LIMIT_CODES = {Channel.TICK: "101", Channel.DEPTH: "309", Channel.TRADE: "10190"}
_WHAT = {
    Channel.TICK: ("market data lines", "market_data_lines"),
    Channel.DEPTH: ("market depths", "depth_lines"),
    Channel.TRADE: ("tick-by-tick streams", "depth_lines"),
    Channel.BAR: ("streams of bars", ""),
}
"""What is limited, and the setting that raises the limit."""

_ALL_PRINTS = "AllLast"
REAL_TIME_S = 5
"""The one length of TWS's real-time bars. Source: "Real Time Bars"."""

_FIRST_BARS = 10
"""Bars of the past that come before the stream: what a short gap has cost is among them."""


@dataclass(slots=True, eq=False)
class Line:
    """A stream of one session; `request_id` is 0 as long as TWS was not asked for it.

    `awaited` as long as whoever wants it waits for the outcome of asking. `seen` is when it
    was heard last before a silence, and what its market looked like then.
    """

    key: StreamKey
    instrument: Instrument
    slot: Slot
    request_id: int = 0
    asking: asyncio.Task[None] | None = None
    awaited: bool = True
    strikes: int = 0
    seen: tuple[int, Snapshot] | None = None

    @property
    def _smart(self) -> bool:
        return self.key.exchange is Exchange.SMART

    @property
    def _real_time(self) -> bool:
        """Bars of five seconds have a request of their own; the others are kept up to date."""
        return self.key.detail == Interval.SECOND_5.value

    def tells_of(self, market: Quoted) -> tuple[float, ...]:
        """What of a market cannot change without a word of it.

        Sizes at the best prices can: who has no right to the books of all exchanges sees few rows.
        """
        bid, _, ask, _, last, last_volume = market
        of_mid_points = mapping.what_to_show(self.instrument.data.product) == mapping.MID_POINTS
        if isinstance(self.slot, DepthSlot) or (isinstance(self.slot, BarSlot) and of_mid_points):
            return bid, ask
        return last, last_volume

    def pace(self, pace: IbPaceManager) -> AbstractAsyncContextManager[None]:
        """Held while it is asked for: bars have a pace of their own."""
        if not isinstance(self.slot, BarSlot):
            return nullcontext()
        contract, interval = self.instrument.contract, self.slot.interval
        what = mapping.what_to_show(self.instrument.data.product)
        contract_key = f"{contract.conId}@{contract.exchange}"
        return pace.historical(contract_key, what, mapping.INTERVALS[interval], "keep")

    def ask(self, number: int, raw: RawClient) -> None:
        """Send the request for it."""
        contract, product = self.instrument.contract, self.instrument.data.product
        if isinstance(self.slot, TickSlot):
            raw.reqMktData(number, contract, mapping.generic_ticks(product), False, False, [])
        elif isinstance(self.slot, DepthSlot):
            raw.reqMktDepth(number, contract, DEPTH_ROWS, self._smart, [])
        elif isinstance(self.slot, BarSlot) and self._real_time:
            what = mapping.what_to_show(product)
            raw.reqRealTimeBars(number, contract, REAL_TIME_S, what, ALL_HOURS, [])
        elif isinstance(self.slot, BarSlot):
            interval = self.slot.interval
            wanted_s = pages.LENGTHS[interval] / dt.timedelta(seconds=1) * _FIRST_BARS
            _, duration = pages.page(interval, wanted_s)
            size, what = mapping.INTERVALS[interval], mapping.what_to_show(product)
            raw.reqHistoricalData(
                number, contract, "", duration, size, what, ALL_HOURS, EPOCH_SECONDS, True, []
            )
        else:
            raw.reqTickByTickData(number, contract, _ALL_PRINTS, 0, False)

    def give_back(self, number: int, raw: RawClient) -> None:
        """Send that it is not wanted any more."""
        if isinstance(self.slot, TickSlot):
            raw.cancelMktData(number)
        elif isinstance(self.slot, DepthSlot):
            raw.cancelMktDepth(number, self._smart)
        elif isinstance(self.slot, BarSlot) and self._real_time:
            raw.cancelRealTimeBars(number)
        elif isinstance(self.slot, BarSlot):
            raw.cancelHistoricalData(number)
        else:
            raw.cancelTickByTickData(number)


def make_slot(key: StreamKey, instrument: Instrument, mark: Mark, *, conflate: bool) -> Slot:
    """A slot for what the stream will bring."""
    source, lane = instrument.source, Lane.LATEST if conflate else Lane.BOUNDED
    lowest = mapping.lowest_price(instrument.data.product)
    if key.channel is Channel.TICK:
        return TickSlot(source, mark, lane, lowest)
    if key.channel is Channel.DEPTH:
        return DepthSlot(source, mark, lane, lowest)
    if key.channel is Channel.TRADE:
        return TradeSlot(source, mark, lane, lowest)
    return BarSlot(source, mark, lowest, Interval(key.detail), instrument.zone)


def over_limit(
    held: Iterable[StreamKey], wanted: Iterable[StreamKey], settings: IbSettings
) -> dict[StreamKey, tuple[str, str]]:
    """The code and the words for each of `wanted` for which there is no room beside `held`.

    Source of the limits: TWS API documents, "Market Data Lines", "Market Depth", "Tick-by-Tick".
    """
    most = {
        Channel.TICK: settings.market_data_lines,
        Channel.DEPTH: settings.depth_lines,
        Channel.TRADE: settings.depth_lines,
        Channel.BAR: _MOST_BARS,
    }
    counts = Counter(key.channel for key in held)
    refused: dict[StreamKey, tuple[str, str]] = {}
    for key in wanted:
        limit, (what, setting) = most[key.channel], _WHAT[key.channel]
        if counts[key.channel] >= limit:
            mend = f", or raise {setting} if IB gives you more" if setting else ""
            words = f"all {limit} {what} are in use; give one back first{mend}"
            refused[key] = _LIMIT_CODES.get(key.channel, ""), words
        counts[key.channel] += 1
    return refused
