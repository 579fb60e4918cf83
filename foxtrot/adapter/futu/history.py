"""Bars of the past, page by page."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import AsyncIterator
from typing import Protocol, cast

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.limits import BARS_PER_PAGE
from foxtrot.adapter.futu.schema import Proto, c2s_of
from foxtrot.adapter.futu.session import Venue
from foxtrot.core.logs import get_logger
from foxtrot.errors import StreamingError
from foxtrot.gateway.base import Progress
from foxtrot.gateway.history import Span, check_interval
from foxtrot.model.constants import Interval
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest

log = get_logger("foxtrot.futu.history")

_DAYS = {Interval.DAILY: 1, Interval.WEEKLY: 7}


class _Row(mapping.WireBar, Protocol):
    isBlank: bool


async def fetch(
    venue: Venue, client: FutuClient, request: HistoryRequest, progress: Progress
) -> list[BarData]:
    """Bars whose start lies in [start, end], oldest first, of the regular session.

    A bar of a day or a week starts at midnight of its market. Prices are adjusted for splits and
    dividends to those of today, as OpenD's streams of bars are.

    Raises:
        ConfigurationError: The interval or the times make no sense.
        UnknownSymbol: There is no such contract.
        PermissionDenied: The user may not see its data, or the quota of contracts whose past may
            be asked for is used up.
    """
    interval = request.interval
    check_interval(interval, mapping.BAR_KINDS)
    span = Span.of(request, venue.port.clock.time_ns())
    known = await venue.contracts.resolve(client, request.symbol, request.exchange)
    found: dict[dt.datetime, BarData] = {}
    refused = 0
    async for page in _pages(client, known, interval, span):
        for row in page:
            if row.isBlank:  # a place in time without a bar
                continue
            if mapping.bad_bar(row):
                refused += 1
                continue
            start = mapping.start_of(row, interval)
            if span.start <= start <= span.end:
                closed = _end(start, interval, known) <= span.now
                found[start] = mapping.bar(row, known.source, interval, closed=closed)
        span.tell(progress, max(found, default=span.start) - span.start)
    if refused:
        log.warning("bars_refused", symbol=known.vt_symbol, bars=refused)
    span.tell(progress, dt.timedelta.max)
    return [found[start] for start in sorted(found)]


async def _pages(
    client: FutuClient, known: Instrument, interval: Interval, span: Span
) -> AsyncIterator[list[_Row]]:
    """Rows, oldest first, a page at a time; only the first counts in OpenD's windows."""
    length = mapping.LENGTHS.get(interval, dt.timedelta())
    key, newest_s = b"", -math.inf
    while True:
        c2s = c2s_of(Proto.Qot_RequestHistoryKL)
        c2s.rehabType, c2s.klType = mapping.FORWARD, mapping.BAR_KINDS[interval]
        c2s.security.market, c2s.security.code = known.security
        c2s.beginTime = _text(span.start + length, known)
        c2s.endTime = _text(span.end + length, known)
        c2s.maxAckKLNum = BARS_PER_PAGE
        if key:
            c2s.nextReqKey = key
        answer = await client.ask(Proto.Qot_RequestHistoryKL, c2s)
        rows = cast("list[_Row]", list(answer.klList))
        yield rows
        key = answer.nextReqKey
        if not key:
            return
        before_s, newest_s = newest_s, max((row.timestamp for row in rows), default=-math.inf)
        if not newest_s > before_s:
            raise StreamingError("OpenD's pages of the past do not advance")


def _end(start: dt.datetime, interval: Interval, known: Instrument) -> dt.datetime:
    """When a bar ends; days are those of the market."""
    days = _DAYS.get(interval)
    if days is None:
        return start + mapping.LENGTHS[interval]
    return (start.astimezone(known.zone) + dt.timedelta(days=days)).astimezone(dt.UTC)


def _text(moment: dt.datetime, known: Instrument) -> str:
    """A moment as OpenD reads it: to the second, in the zone of the market."""
    return f"{moment.astimezone(known.zone):%Y-%m-%d %H:%M:%S}"
