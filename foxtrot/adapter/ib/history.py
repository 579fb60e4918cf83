"""Bars and ticks of the past, put together from pages."""

from __future__ import annotations

import datetime as dt
from typing import cast

from foxtrot.adapter.ib import mapping, pages
from foxtrot.adapter.ib.archive import TICKS_PAGE, Archive, SdkPrint, SdkQuote, SdkTick, TickKind
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.session import Venue
from foxtrot.core.logs import get_logger
from foxtrot.errors import VenueError
from foxtrot.gateway.base import Progress
from foxtrot.gateway.history import Span, check_interval
from foxtrot.model.constants import Interval
from foxtrot.model.objects import NS_PER_S, BarData, TickData
from foxtrot.model.requests import HistoryRequest

log = get_logger("foxtrot.ib.history")

_SECOND = dt.timedelta(seconds=1)
_LONG_AGO = dt.timedelta(days=7)
"""Where a short span is empty that ended later, the market was closed, and nothing is asked."""


async def fetch(
    venue: Venue, client: IbClient, request: HistoryRequest, progress: Progress
) -> list[BarData]:
    """Bars whose start lies in [start, end], oldest first, of all hours.

    A bar of a day or a week starts at midnight of the exchange, a week's on its Monday.

    Raises:
        ConfigurationError: The interval or the times make no sense.
        UnknownSymbol: There is no such contract, or there are several.
        PermissionDenied: The account has not subscribed to its data.
        RateLimited: TWS says again and again that the pace is too fast.
    """
    check_interval(request.interval, mapping.INTERVALS)
    archive, span = await _archive(venue, client, request)
    found = await _rows(archive, span, request.interval, progress)
    span.tell(progress, dt.timedelta.max)
    return _believed(archive, found, request.interval, span.now)


async def fetch_ticks(
    venue: Venue,
    client: IbClient,
    request: HistoryRequest,
    progress: Progress,
    kind: TickKind = TickKind.TRADES,
) -> list[TickData]:
    """Ticks in [start, end], oldest first, of all hours; TWS's times are full seconds.

    A trade has its price and volume, a quote the best bid and ask, a mid-point a price alone.
    The request's interval does not count.

    Raises:
        ConfigurationError: The times make no sense.
        UnknownSymbol: There is no such contract, or there are several.
        PermissionDenied: The account has not subscribed to its data.
        RateLimited: TWS says again and again that the pace is too fast.
    """
    archive, span = await _archive(venue, client, request)
    at, found = pages.next_second(span.start), list[SdkTick]()
    while at <= span.end:
        page = [tick for tick in await archive.ticks(at, kind) if tick.time >= at]
        kept, at = _cut(page, at) if page else ([], await _resumes(archive, at, span, kind))
        found.extend(tick for tick in kept if tick.time <= span.end)
        span.tell(progress, at - span.start)
    span.tell(progress, dt.timedelta.max)
    return _believed_ticks(archive, found, kind)


async def head_timestamp(
    venue: Venue, client: IbClient, instrument: Instrument
) -> dt.datetime | None:
    """The first moment of which TWS has bars; None if it does not say.

    Raises:
        FoxtrotError: The question was not answered.
    """
    return await Archive(venue, client, instrument).head()


async def _archive(venue: Venue, client: IbClient, request: HistoryRequest) -> tuple[Archive, Span]:
    span = Span.of(request, venue.port.clock.time_ns())
    instrument = await venue.contracts.resolve(client, request.symbol, request.exchange)
    return Archive(venue, client, instrument), span


async def _rows(
    archive: Archive, span: Span, interval: Interval, progress: Progress
) -> list[mapping.Row]:
    """Page after page, the newest first, as TWS counts back from an end."""
    known, found = archive.instrument, dict[dt.datetime, mapping.Row]()
    floor, headless = span.start, True
    until = pages.next_second(min(pages.bar_end(span.end, interval, known.zone), span.now))
    if known.expiry is not None:
        until = min(until, known.expiry + dt.timedelta(days=1))
    while until > floor:
        reach_s, duration = pages.page(interval, (until - floor).total_seconds())
        begin = until - dt.timedelta(seconds=reach_s)
        answer = await archive.bars(until, duration, interval, archive.what)
        rows = sorted((row for row in answer if row.start < until), key=lambda row: row.start)
        if not rows and headless and (begin > floor or span.now - span.end > _LONG_AGO):
            floor, headless = max(floor, await _head(archive, span)), False
        first = rows[0].start if rows else begin
        whole = pages.bar_end(first, interval, known.zone)
        if floor <= first < begin and whole < until:
            del rows[0]  # the page may have cut it; it is the last of the next
            first = whole
        found.update((row.start, row) for row in rows if span.start <= row.start <= span.end)
        until = first
        span.tell(progress, span.end - until)
    return [found[start] for start in sorted(found)]


async def _head(archive: Archive, span: Span) -> dt.datetime:
    """Where the data begins; who asked for nothing but what lies before is told so."""
    try:
        head = await archive.head()
    except VenueError as error:  # it would have saved time, no more
        log.info("head_unknown", symbol=archive.instrument.vt_symbol, reason=str(error))
        return span.start
    if head is None:
        return span.start
    if head > span.end:
        name = archive.instrument.vt_symbol
        archive.venue.port.write_log(f"{name} has no data before {head:%Y-%m-%d %H:%M} UTC")
    return head


def _believed(
    archive: Archive, rows: list[mapping.Row], interval: Interval, now: dt.datetime
) -> list[BarData]:
    known = archive.instrument
    lowest = mapping.lowest_price(known.data.product)
    good = [row for row in rows if not mapping.bad_row(row, lowest)]
    archive.tell_refused(len(rows) - len(good))
    return [
        mapping.bar(
            row,
            known.source,
            interval,
            closed=pages.bar_end(row.start, interval, known.zone) <= now,
        )
        for row in good
    ]


def _cut(page: list[SdkTick], at: dt.datetime) -> tuple[list[SdkTick], dt.datetime]:
    """What of a page is complete, and where the next begins.

    The last second of a full page may go on, so it is asked for again, unless it is all there is.
    """
    last = page[-1].time
    if len(page) >= TICKS_PAGE and last > at:
        return [tick for tick in page if tick.time < last], last
    return page, last + _SECOND


async def _resumes(archive: Archive, at: dt.datetime, span: Span, kind: TickKind) -> dt.datetime:
    """Where trading goes on after `at`, where no ticks are: bars of an hour tell, a week at once.

    TWS seeks no further than the end of the trading day, and tick by tick over a weekend would
    cost as many of the few requests that it allows.
    """
    until = min(at + dt.timedelta(days=7), pages.next_second(span.now))
    what = TickKind.TRADES if kind is TickKind.TRADES else TickKind.MIDPOINT
    rows = await archive.bars(until, "1 W", Interval.HOUR, what.value)
    return min((row.start for row in rows if row.start > at), default=until + _SECOND)


def _believed_ticks(archive: Archive, found: list[SdkTick], kind: TickKind) -> list[TickData]:
    recv_ns = archive.venue.port.clock.time_ns()
    make = _quote if kind is TickKind.BID_ASK else _print
    ticks = [make(archive.instrument, tick, recv_ns) for tick in found]
    good = [tick for tick in ticks if tick is not None]
    archive.tell_refused(len(ticks) - len(good))
    return good


def _print(known: Instrument, tick: SdkTick, recv_ns: int) -> TickData | None:
    each, lowest = cast("SdkPrint", tick), mapping.lowest_price(known.data.product)
    if mapping.bad_price(each.price, each.size, lowest):
        return None
    at_ns = int(each.time.timestamp()) * NS_PER_S
    return TickData(known.source, at_ns, recv_ns, last_price=each.price, last_volume=each.size)


def _quote(known: Instrument, tick: SdkTick, recv_ns: int) -> TickData | None:
    each, lowest = cast("SdkQuote", tick), mapping.lowest_price(known.data.product)
    bid, ask = (each.priceBid, each.sizeBid), (each.priceAsk, each.sizeAsk)
    if mapping.bad_price(*bid, lowest) or mapping.bad_price(*ask, lowest):
        return None
    at_ns = int(each.time.timestamp()) * NS_PER_S
    return TickData(known.source, at_ns, recv_ns, 0.0, 0.0, *bid, *ask)
