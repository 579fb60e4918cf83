"""Bars of the past, page by page."""

from __future__ import annotations

import datetime as dt

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.session import Venue
from foxtrot.gateway.base import Progress
from foxtrot.gateway.history import Span, check_interval
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
    check_interval(request.interval, mapping.INTERVALS)
    span = Span.of(request, venue.port.clock.time_ns())
    start_ms, end_ms = (int(each.timestamp() * 1000) for each in (span.start, span.end))
    source = venue.contracts.source(request.symbol)
    now_ms = client.venue_ms(venue.port.clock.time_ns())
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
        span.tell(progress, dt.timedelta(milliseconds=at_ms - start_ms))
        if len(rows) < PAGE:
            break
    span.tell(progress, dt.timedelta.max)
    return bars
