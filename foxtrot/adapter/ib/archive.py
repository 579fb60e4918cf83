"""Where the past of one contract is asked for: single pages, no faster than TWS allows."""

from __future__ import annotations

import datetime as dt
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
from foxtrot.errors import PermissionDenied, RateLimited, VenueError
from foxtrot.model.constants import Interval

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
class Archive:
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
