"""What a TWS remembers of one contract, and how it tells: bars by page, ticks by page, its head."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from foxtrot.adapter.ib import mapping
from foxtrot.adapter.ib.archive import TickKind
from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.errors import error_of
from foxtrot.adapter.ib.limits import IbPaceManager
from foxtrot.adapter.ib.session import Venue
from foxtrot.errors import FoxtrotError
from foxtrot.model.constants import Exchange, Interval
from tests.support.clock import ManualClock
from tests.support.ib_answers import Scripted, details

SYMBOL = "AAPL-USD-STK"
NO_DATA = "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART"
PACING = "Historical Market Data Service error message:Historical data request pacing violation"
NO_PERMISSION = "Historical Market Data Service error message:No market data permissions for NYSE"
HALF = 5.0
_UNITS = {"S": 1, "D": 86_400, "W": 604_800, "M": 2_592_000, "Y": 31_536_000}


@dataclass
class Bar:
    """One bar as the SDK has it."""

    date: str
    open: float = 100.0
    high: float = 101.0
    low: float = 99.0
    close: float = 100.5
    volume: float = 10.0
    average: float = 100.0


@dataclass
class Print:
    """One trade as the SDK has it."""

    time: dt.datetime
    price: float = 100.0
    size: float = 1.0


@dataclass
class Quote:
    """One quote as the SDK has it."""

    time: dt.datetime
    priceBid: float = 99.0
    priceAsk: float = 101.0
    sizeBid: float = 1.0
    sizeAsk: float = 2.0


@dataclass
class Past:
    """Answers for one contract.

    Attributes:
        starts: When its bars begin, in seconds, ascending.
        now: What its clock says.
        days: Bars are written as dates; `starts` are then midnights, UTC.
        counts_trading: A page reaches back over hours of trading, not of the clock.
        cuts: A page begins with the bar that its begin cuts; of that bar half is there.
        troubles: Errors of the next questions.
    """

    starts: Sequence[int] = ()
    now: dt.datetime = dt.datetime(2026, 11, 20, 18, tzinfo=dt.UTC)
    days: bool = False
    counts_trading: bool = False
    cuts: bool = False
    head: int | None = None
    ticks: list[Any] = field(default_factory=list)
    bars: dict[int, Bar] = field(default_factory=dict)
    troubles: list[FoxtrotError] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    symbol: str = SYMBOL
    exchange: Exchange = Exchange.SMART
    zone: str = "US/Eastern"

    def __post_init__(self) -> None:
        self.script = Scripted(
            {
                "reqContractDetails": self._details,
                "reqHistoricalData": self._bars,
                "reqHistoricalTicks": self._ticks,
                "reqHeadTimeStamp": self._head,
            }
        )
        self.pace = IbPaceManager("127.0.0.1:7497")
        self.client = self.script.client

    @property
    def venue(self) -> Venue:
        """What sessions share, around these answers."""
        clock = ManualClock(time_ns=int(self.now.timestamp()) * 1_000_000_000)
        port = SimpleNamespace(clock=clock, write_log=self.told.append)
        shared = SimpleNamespace(name="IB", contracts=Contracts("IB"), pace=self.pace, port=port)
        return cast("Venue", shared)

    @property
    def pages(self) -> int:
        """How many pages of bars were asked for."""
        return self.script.count("reqHistoricalData")

    async def _details(self, contract: object) -> list[object]:
        found = details(265598, self.symbol, self.exchange.value)
        found.timeZoneId = self.zone
        return [found]

    async def _bars(
        self, contract: object, end: str, duration: str, size: str, *rest: object
    ) -> list[object]:
        self._raise()
        until = min(_seconds(end), self.now.timestamp())
        number, unit = duration.split()
        reach_s = int(number) * _UNITS[unit]
        starts, length_s = self.starts, _LENGTHS_S[size]
        if not self.days:
            starts = sorted({start - start % length_s for start in starts})
        last = bisect.bisect_left(starts, until)
        first = bisect.bisect_left(starts, until - reach_s)
        if self.counts_trading:
            first = max(0, last - reach_s // length_s)
        cut = first > 0 and starts[first - 1] + length_s > until - reach_s
        if self.cuts and cut:
            first -= 1
            half = Bar(self._date(starts[first]), volume=HALF)
            return [half, *(self._bar(start) for start in starts[first + 1 : last])]
        found = starts[first:last]
        if not found:
            raise error_of("IB", 162, NO_DATA)
        return [self._bar(start) for start in found]

    def _bar(self, start: int) -> Bar:
        return self.bars.get(start) or Bar(self._date(start))

    def _date(self, start: int) -> str:
        return f"{dt.datetime.fromtimestamp(start, dt.UTC):%Y%m%d}" if self.days else str(start)

    async def _ticks(
        self, contract: object, start: str, end: str, count: int, what: str, *rest: object
    ) -> list[object]:
        """From `start` to the end of its day: `count`, and the rest of the last one's second."""
        self._raise()
        kind = Quote if what == TickKind.BID_ASK.value else Print
        first = dt.datetime.fromtimestamp(_seconds(start), dt.UTC)
        day = [t for t in self.ticks if t.time >= first and t.time.date() == first.date()]
        found = [tick for tick in day if isinstance(tick, kind)]
        last = found[min(count, len(found)) - 1].time if found else first
        return [tick for tick in found if tick.time <= last]

    async def _head(self, contract: object, *rest: object) -> list[object]:
        self._raise()
        if self.head is None:
            raise error_of("IB", 162, "No head time stamp")
        return [str(self.head)]

    def _raise(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)


_LENGTHS_S = {
    mapping.INTERVALS[Interval.MINUTE]: 60,
    mapping.INTERVALS[Interval.MINUTE_5]: 300,
    mapping.INTERVALS[Interval.MINUTE_15]: 900,
    mapping.INTERVALS[Interval.HOUR]: 3_600,
    mapping.INTERVALS[Interval.HOUR_4]: 14_400,
    mapping.INTERVALS[Interval.DAILY]: 86_400,
    mapping.INTERVALS[Interval.WEEKLY]: 604_800,
}


def _seconds(text: str) -> float:
    return dt.datetime.strptime(text, "%Y%m%d %H:%M:%S UTC").replace(tzinfo=dt.UTC).timestamp()
