"""Answers for the past: bars and their updates, ticks, when the data begins, when trading is."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Protocol

from foxtrot.errors import UnknownSymbol
from foxtrot.simulator import ib_past as past
from foxtrot.simulator.history import DAY_MS
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_limits import HISTORY, INVALID, NO_SUCH_HISTORY, IbLimits, text_of
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.ib_pacing import HistoryPace
from foxtrot.simulator.ib_past import Invalid, Span
from foxtrot.simulator.ib_past_ticks import TickKind, ticks
from foxtrot.simulator.ib_requests import (
    Asked,
    CancelHeadTimeStamp,
    CancelHistoricalData,
    ContractQuery,
    ReqHeadTimeStamp,
    ReqHistoricalData,
    ReqHistoricalTicks,
)
from foxtrot.simulator.ib_streams import Stream, Streams
from foxtrot.simulator.ib_wire import Value, encode
from foxtrot.simulator.market import Market, Step

UPDATES = "history"
"""What faults call the channel of bars that are kept up to date."""

_MOST_TICKS = 1_000
_SCHEDULE, _ADJUSTED = "SCHEDULE", "ADJUSTED_LAST"
_DATE_FORMS = (1, 2)
_NO_DATA = "HMDS query returned no data: {}@{} {}"
_PACING = "Historical data request pacing violation"


class Venue(Protocol):
    """What the past needs of the gateway."""

    limits: IbLimits
    market: Market
    universe: Universe
    streams: Streams

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""

    def now_ms(self) -> int:
        """The venue's clock."""


class Refused(Exception):
    """A request of the past that gets an error instead of an answer."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


class HistoryRoom(Room):
    """Tells of the past.

    Args:
        venue: Whose past it is.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._pace = HistoryPace()

    def handlers(self) -> Handlers:
        """See `Room`."""
        return {
            ReqHistoricalData: self._bars,
            CancelHistoricalData: self._cancel,
            ReqHistoricalTicks: self._ticks,
            ReqHeadTimeStamp: self._head,
            CancelHeadTimeStamp: lambda _connection, _request: None,
        }

    def _bars(self, connection: Connection, request: ReqHistoricalData) -> None:
        try:
            self._tell_bars(connection, request)
        except Refused as refused:
            connection.error(request.req_id, refused.code, str(refused))

    def _tell_bars(self, connection: Connection, request: ReqHistoricalData) -> None:
        what = request.what_to_show
        contract = self._found(request, what, expired=request.include_expired)
        span = self._span(request, contract)
        if span.small:
            self._keep_pace(contract, what, f"{request.bar_size} {request.duration} {request.end}")
        if what == _SCHEDULE:
            connection.send(*_schedule(request.req_id, contract, span))
            return
        rows = list(past.bars(self._venue.market, contract, span))
        if not rows:
            raise _without_data(contract, request.contract.exchange, what)
        if request.keep_up_to_date:
            self._check_open()
            feed = Updates(request, contract, self._venue.market)
            stream = Stream(connection, request.req_id, contract, UPDATES, feed)
            if not self._venue.streams.open(stream):
                return
        fields: list[Value] = [17, request.req_id]
        fields += [past.stamp(span.start_ms, contract), past.stamp(span.end_ms, contract)]
        fields.append(len(rows))
        for bar in rows:
            at = past.time_text(
                bar.start_ms, contract, by_date=span.by_date, form=request.format_date
            )
            fields += [at, *past.shape_of(bar), *past.volume_of(bar, what)]
        connection.send(*fields)

    def _span(self, request: ReqHistoricalData, contract: IbContract) -> Span:
        if request.keep_up_to_date and request.end:
            raise _invalid("End date is not supported with keep up to date")
        if request.what_to_show == _SCHEDULE and request.bar_size not in past.BY_DATE:
            raise _invalid("Only daily resolution supported for Schedule requests")
        if request.what_to_show == _ADJUSTED and request.end:
            raise _invalid("End date not supported with adjusted last")
        if request.format_date not in _DATE_FORMS:
            raise _invalid(f"Date formatting selection of {request.format_date} rejected.")
        try:
            now_ms = max(self._venue.market.now_ms(contract.name), self._venue.now_ms())
            end_ms = past.moment_ms(request.end, contract) if request.end else now_ms
            return past.span(request.bar_size, request.duration, end_ms)
        except Invalid as invalid:
            raise Refused(invalid.code, text_of(invalid.code, invalid)) from None

    def _cancel(self, connection: Connection, request: CancelHistoricalData) -> None:
        if not self._venue.streams.close(connection, request.req_id):
            text = text_of(NO_SUCH_HISTORY, request.req_id)
            connection.error(request.req_id, NO_SUCH_HISTORY, text)

    def _head(self, connection: Connection, request: ReqHeadTimeStamp) -> None:
        try:
            contract = self._found(request, request.what_to_show, expired=request.include_expired)
        except Refused as refused:
            connection.error(request.req_id, refused.code, str(refused))
            return
        head_ms = past.head_ms(contract)
        begins = dt.datetime.fromtimestamp(head_ms / 1_000, dt.UTC)
        seconds = str(head_ms // 1_000)
        text = seconds if request.format_date == 2 else f"{begins:%Y%m%d-%H:%M:%S}"
        connection.send(88, request.req_id, text)

    def _ticks(self, connection: Connection, request: ReqHistoricalTicks) -> None:
        try:
            connection.send(*self._page_of_ticks(request))
        except Refused as refused:
            connection.error(request.req_id, refused.code, str(refused))

    def _page_of_ticks(self, request: ReqHistoricalTicks) -> list[Value]:
        """Ticks from a start on, or up to an end; whole seconds, so there may be some more."""
        if request.what_to_show not in TickKind.__members__:
            raise _invalid("Only TRADES, BID_ASK and MIDPOINT have ticks")
        if bool(request.start) == bool(request.end) or not 0 < request.count <= _MOST_TICKS:
            raise _invalid("Give a start or an end, and a number of ticks up to 1000")
        contract = self._found(request, request.what_to_show, expired=request.include_expired)
        edges = f"{request.start}-{request.end} {request.count}"
        self._keep_pace(contract, request.what_to_show, edges)
        try:
            at_ms = past.moment_ms(request.start or request.end, contract)
        except Invalid as invalid:
            raise Refused(invalid.code, text_of(invalid.code, invalid)) from None
        kind = TickKind[request.what_to_show]
        found = ticks(
            self._venue.market,
            contract,
            kind,
            at_ms,
            request.count,
            forwards=bool(request.start),
        )
        fields = [field for row in found for field in row]
        return [kind.value, request.req_id, len(found), *fields, True]

    def _found(self, request: Asked, what: str, *, expired: bool) -> IbContract:
        """The one contract that is meant, and that has data of this kind.

        Raises:
            Refused: There is none, or no such data.
        """
        if what not in past.KNOWN:
            raise _invalid(f"What to show value of {what} rejected.")
        query = getattr(request, "contract", ContractQuery())
        try:
            contract = self._venue.universe.one(query, include_expired=expired).contract
        except UnknownSymbol as unknown:
            raise Refused(int(unknown.code), unknown.text) from None
        if contract.expired or what not in (*past.sources(contract), _SCHEDULE):
            raise _without_data(contract, query.exchange, what)
        self._venue.wake(contract.name)
        return contract

    def _check_open(self) -> None:
        """Only so many requests may be open at once; bars that are kept up to date stay so.

        Raises:
            Refused: It is one too many.
        """
        limit = self._venue.limits.history_open
        still = sum(1 for stream in self._venue.streams.live if stream.channel == UPDATES)
        if limit is not None and still >= limit:
            raise Refused(HISTORY, text_of(HISTORY, _PACING))

    def _keep_pace(self, contract: IbContract, what: str, identity: str) -> None:
        """Count a request that is paced.

        Raises:
            Refused: It came too fast.
        """
        if not self._venue.limits.history_pace:
            return
        now_s = asyncio.get_running_loop().time()
        if not self._pace.admit(contract.name, what, identity, now_s):
            raise Refused(HISTORY, text_of(HISTORY, _PACING))


class Updates:
    """The bar that is being made, told with every step of the market.

    Args:
        request: What was asked for.
        contract: Of which contract.
        market: Where it is traded.
    """

    def __init__(self, request: ReqHistoricalData, contract: IbContract, market: Market) -> None:
        self._request, self._contract, self._market = request, contract, market

    def begin(self) -> list[bytes]:
        """Nothing: the bars of the past come first."""
        return []

    def step(self, step: Step) -> list[bytes]:
        """The bar as it stands."""
        size, contract, request = self._request.bar_size, self._contract, self._request
        start = past.bar_start(size, contract, step.time_ms)
        bar = self._market.stretch(contract.name, start, past.bar_end(size, contract, start))
        by_date, form = size in past.BY_DATE, request.format_date
        at = past.time_text(start, contract, by_date=by_date, form=form)
        first, high, low, last = past.shape_of(bar)
        volume, average, count = past.volume_of(bar, request.what_to_show)
        return [encode(90, request.req_id, count, at, first, last, high, low, average, volume)]


def _without_data(contract: IbContract, exchange: str, what: str) -> Refused:
    where = exchange or contract.exchange
    problem = _NO_DATA.format(contract.local_symbol, where, what.capitalize())
    return Refused(HISTORY, text_of(HISTORY, problem))


def _invalid(problem: str) -> Refused:
    return Refused(INVALID, text_of(INVALID, problem))


def _schedule(req_id: int, contract: IbContract, span: Span) -> list[Value]:
    """The sessions of the weekdays of a span."""
    session, rows = contract.session, []
    for day_ms in range(span.start_ms, span.end_ms, DAY_MS):
        midnight_ms = past.bar_start(past.DAYS, contract, day_ms)
        day = past.time_text(midnight_ms, contract, by_date=True, form=1)
        if dt.datetime.strptime(day, "%Y%m%d").weekday() < 5:  # noqa: DTZ007 - a date
            ends = (session.open_minute, session.close_minute)
            rows.append([*(_clock(contract, midnight_ms + end * 60_000) for end in ends), day])
    fields: list[Value] = [field for row in rows for field in row]
    edges = (_clock(contract, span.start_ms), _clock(contract, span.end_ms))
    return [106, req_id, *edges, session.zone_id, len(rows), *fields]


def _clock(contract: IbContract, at_ms: int) -> str:
    return past.stamp(at_ms, contract).rpartition(" ")[0].replace(" ", "-")
