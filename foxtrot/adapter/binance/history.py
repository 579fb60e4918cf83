"""Bars of the past, page by page."""

from __future__ import annotations

import datetime as dt

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.session import Venue
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import Progress
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest

PAGE = 1000
"""Most bars in one answer. Source: Binance spot API documents, "Kline/Candlestick data"."""


async def fetch(
    venue: Venue, client: BinanceClient, request: HistoryRequest, progress: Progress
) -> list[BarData]:
    """Bars whose start lies in [start, end], oldest first.

    Raises:
        ConfigurationError: The interval or the times make no sense.
        UnknownSymbol: The venue does not trade the symbol.
    """
    start_ms, end_ms = _span(request, venue.port.clock.time_ns() // mapping.NS_PER_MS)
    source = venue.contracts.source(request.symbol)
    now_ms = venue.port.clock.time_ns() // mapping.NS_PER_MS
    bars: list[BarData] = []
    at_ms = start_ms
    while at_ms <= end_ms:
        page: dict[str, str | int] = {"startTime": at_ms, "endTime": end_ms, "limit": PAGE}
        rows = await venue.candles(client, request.symbol, request.interval, page)
        fresh = [row for row in rows if at_ms <= row[0] <= end_ms]
        bars.extend(
            mapping.bar_of_row(row, source, request.interval, now_ms)
            for row in fresh
            if not mapping.bad_row(row)
        )
        if not fresh:
            break
        at_ms = fresh[-1][0] + 1
        progress(min(at_ms, end_ms) - start_ms, end_ms - start_ms)
        if len(rows) < PAGE:
            break
    progress(end_ms - start_ms, end_ms - start_ms)
    return bars


def _span(request: HistoryRequest, now_ms: int) -> tuple[int, int]:
    if request.interval not in mapping.INTERVALS:
        allowed = ", ".join(interval.value for interval in mapping.INTERVALS)
        raise ConfigurationError("history", "interval", f"is not offered; allowed: {allowed}")
    start_ms = _ms(request.start, "start")
    end_ms = _ms(request.end, "end") if request.end is not None else now_ms
    if start_ms > end_ms:
        raise ConfigurationError("history", "start", "lies after the end")
    return start_ms, min(end_ms, now_ms)


def _ms(moment: dt.datetime, field: str) -> int:
    if moment.tzinfo is None:
        problem = "has no time zone; give one, such as datetime(2026, 1, 1, tzinfo=UTC)"
        raise ConfigurationError("history", field, problem)
    return max(int(moment.timestamp() * 1000), 0)  # the venue takes no negative times
