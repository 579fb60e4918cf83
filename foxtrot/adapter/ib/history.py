"""Bars and ticks of the past, page by page, no faster than TWS allows."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, cast

from foxtrot.adapter.ib import mapping, pages
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.limits import PaceScope
from foxtrot.adapter.ib.sdk import RawClient
from foxtrot.adapter.ib.session import Venue
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError, PermissionDenied, RateLimited, VenueError
from foxtrot.gateway.base import Progress
from foxtrot.model.constants import Interval
from foxtrot.model.objects import NS_PER_S, BarData, TickData
from foxtrot.model.requests import HistoryRequest

log = get_logger("foxtrot.ib.history")

ANSWER_TIMEOUT_S = 60.0
"""TWS answers a page within seconds, but may hold one back for a minute when it is pressed."""

PACING_TRIES = 4
EPOCH_SECONDS = 2
"""`formatDate`: times as seconds since the epoch; days are dates all the same."""

ALL_HOURS = False
"""`useRTH`: what was traded before and after the regular hours belongs to it."""

TICKS_PAGE = 1_000
"""Most ticks in one answer, but for the rest of the last second. Source: "Historical Ticks"."""

_SECOND = dt.timedelta(seconds=1)
_NO_DATA = re.compile(r"no data|no head time ?stamp", re.IGNORECASE)
"""What error 162 says where there is nothing. It may also mean that a question went wrong."""


class TickKind(Enum):
    """Which ticks of the past; the values are TWS's words."""

    TRADES = "TRADES"
    BID_ASK = "BID_ASK"
    MIDPOINT = "MIDPOINT"


_CALLBACKS = {
    TickKind.TRADES: "historicalTicksLast",
    TickKind.BID_ASK: "historicalTicksBidAsk",
    TickKind.MIDPOINT: "historicalTicks",
}


class SdkTick(Protocol):
    """What the SDK's historical ticks share; `time` is aware, to the second."""

    time: dt.datetime


class SdkPrint(SdkTick, Protocol):
    """A trade, or a mid-point, whose size is 0."""

    price: float
    size: float


class SdkQuote(SdkTick, Protocol):
    """The best bid and ask."""

    priceBid: float
    priceAsk: float
    sizeBid: float
    sizeAsk: float


@dataclass(frozen=True, slots=True)
class _Span:
    """What is asked for, cut off at now; both ends belong to it."""

    start: dt.datetime
    end: dt.datetime
    now: dt.datetime

    def tell(self, progress: Progress, done: dt.timedelta) -> None:
        """Say how much is done, in seconds of the span."""
        total = max(math.ceil((self.end - self.start).total_seconds()), 1)
        progress(min(max(math.ceil(done.total_seconds()), 0), total), total)


@dataclass(frozen=True, slots=True)
class _Archive:
    """Where the past of one contract is asked for."""

    venue: Venue
    client: IbClient
    instrument: Instrument

    @property
    def what(self) -> str:
        """What its bars are made of."""
        return mapping.what_to_show(self.instrument.data.product)

    async def bars(
        self, until: dt.datetime, duration: str, interval: Interval, what: str
    ) -> list[mapping.Row]:
        """The bars of one page, which ends at `until`; none if there are none."""
        size, end, contract = (
            mapping.INTERVALS[interval],
            pages.utc_text(until),
            self.instrument.contract,
        )

        def send(raw: RawClient, number: int) -> None:
            raw.reqHistoricalData(
                number, contract, end, duration, size, what, ALL_HOURS, EPOCH_SECONDS, False, []
            )

        identity = f"{end}/{duration}"
        rows = await self._page("historicalData", what, size, identity, send, _cancel_bars)
        return self._readable(cast("list[mapping.SdkBar]", rows), interval)

    async def ticks(self, start: dt.datetime, kind: TickKind) -> list[SdkTick]:
        """The ticks of one page, which begins at `start`; none if there are none."""
        begin, what, contract = pages.utc_text(start), kind.value, self.instrument.contract

        def send(raw: RawClient, number: int) -> None:
            raw.reqHistoricalTicks(
                number, contract, begin, "", TICKS_PAGE, what, ALL_HOURS, False, []
            )

        rows = await self._page(_CALLBACKS[kind], what, "ticks", begin, send, None)
        return cast("list[SdkTick]", rows)

    async def head(self) -> dt.datetime | None:
        """The first moment that TWS has bars of; None if it does not say."""
        what = self.what

        def send(raw: RawClient, number: int) -> None:
            raw.reqHeadTimeStamp(number, self.instrument.contract, what, ALL_HOURS, EPOCH_SECONDS)

        rows = await self._page("headTimestamp", what, "head", "", send, _cancel_head)
        try:
            return mapping.moment(str(rows[0])) if rows else None
        except ValueError:
            return None

    async def _page(
        self,
        callback: str,
        what: str,
        size: str,
        identity: str,
        send: Callable[[RawClient, int], None],
        cancel: Callable[[RawClient, int], None] | None,
    ) -> list[object]:
        """One answer, asked for again while TWS says that the pace was too fast."""
        pace, contract = self.venue.pace, self.instrument.contract
        key = f"{contract.conId}@{contract.exchange}"
        tries = 0
        while True:
            async with pace.historical(key, what, size, identity):
                try:
                    return await self.client.ask(
                        callback, send, timeout_s=ANSWER_TIMEOUT_S, cancel=cancel
                    )
                except RateLimited as error:
                    tries += 1
                    if tries == PACING_TRIES or not error.code:
                        raise  # too often, or not TWS's word: too many wait here
                except VenueError as error:
                    if _NO_DATA.search(error.text):
                        return []
                    raise self._named(error) from None
            pace.violated(PaceScope.HISTORY)

    def _readable(self, bars: list[mapping.SdkBar], interval: Interval) -> list[mapping.Row]:
        rows: list[mapping.Row] = []
        for bar in bars:
            try:
                rows.append(pages.bar_row(bar, interval, self.instrument.zone))
            except ValueError:
                continue
        self.tell_refused(len(bars) - len(rows))
        return rows

    def tell_refused(self, count: int) -> None:
        """Say that some of what came cannot be believed."""
        if count:
            name, symbol = self.venue.name, self.instrument.vt_symbol
            log.warning("history_refused", venue=name, symbol=symbol, count=count)

    def _named(self, error: VenueError) -> VenueError:
        """TWS says what must be subscribed to, but seldom for what."""
        if not isinstance(error, PermissionDenied):
            return error
        text = f"{self.instrument.vt_symbol}: {error.text}"
        return PermissionDenied(self.venue.name, error.code, text)


def _cancel_bars(raw: RawClient, number: int) -> None:
    raw.cancelHistoricalData(number)


def _cancel_head(raw: RawClient, number: int) -> None:
    raw.cancelHeadTimeStamp(number)


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
    if request.interval not in mapping.INTERVALS:
        allowed = ", ".join(interval.value for interval in mapping.INTERVALS)
        raise ConfigurationError("history", "interval", f"is not offered; allowed: {allowed}")
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
    return await _Archive(venue, client, instrument).head()


async def _archive(
    venue: Venue, client: IbClient, request: HistoryRequest
) -> tuple[_Archive, _Span]:
    span = _span(request, dt.datetime.fromtimestamp(venue.port.clock.time_ns() / NS_PER_S, dt.UTC))
    instrument = await venue.contracts.resolve(client, request.symbol, request.exchange)
    return _Archive(venue, client, instrument), span


def _span(request: HistoryRequest, now: dt.datetime) -> _Span:
    for field, moment in (("start", request.start), ("end", request.end)):
        if moment is not None and moment.tzinfo is None:
            problem = "has no time zone; give one, such as datetime(2026, 1, 1, tzinfo=UTC)"
            raise ConfigurationError("history", field, problem)
    start, end = request.start, request.end or now
    if start > end:
        raise ConfigurationError("history", "start", "lies after the end")
    return _Span(start.astimezone(dt.UTC), min(end, now).astimezone(dt.UTC), now)


async def _rows(
    archive: _Archive, span: _Span, interval: Interval, progress: Progress
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
        if not rows and headless:
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


async def _head(archive: _Archive, span: _Span) -> dt.datetime:
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
    archive: _Archive, rows: list[mapping.Row], interval: Interval, now: dt.datetime
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


async def _resumes(archive: _Archive, at: dt.datetime, span: _Span, kind: TickKind) -> dt.datetime:
    """Where trading goes on after `at`, where no ticks are: bars of an hour tell, a week at once.

    TWS seeks no further than the end of the trading day, and tick by tick over a weekend would
    cost as many of the few requests that it allows.
    """
    until = min(at + dt.timedelta(days=7), pages.next_second(span.now))
    what = TickKind.TRADES if kind is TickKind.TRADES else TickKind.MIDPOINT
    rows = await archive.bars(until, "1 W", Interval.HOUR, what.value)
    return min((row.start for row in rows if row.start > at), default=until + _SECOND)


def _believed_ticks(archive: _Archive, found: list[SdkTick], kind: TickKind) -> list[TickData]:
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
