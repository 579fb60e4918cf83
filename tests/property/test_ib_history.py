"""History of Interactive Brokers: whatever was traded and asked for, all of it comes, once."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot.adapter.ib import history
from foxtrot.adapter.ib.pages import LENGTHS
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.requests import HistoryRequest
from tests.support.ib_past import HALF, SYMBOL, Past, Print
from tests.support.virtual_time import VirtualLoop, run_virtually

BEGIN = 1_794_000_000 // 14_400 * 14_400
LONG_S = 6 * 86_400
NOW = dt.datetime.fromtimestamp(BEGIN + LONG_S + 3 * 86_400, dt.UTC)
INTERVALS = (Interval.MINUTE, Interval.MINUTE_15, Interval.HOUR, Interval.HOUR_4)

moments = st.integers(-86_400, LONG_S + 86_400)
sessions = st.lists(st.tuples(st.integers(0, LONG_S), st.integers(1, 40)), min_size=0, max_size=6)


def moment(seconds: int) -> dt.datetime:
    """A moment by its seconds since the beginning."""
    return dt.datetime.fromtimestamp(BEGIN + seconds, dt.UTC)


@settings(max_examples=60)
@given(
    sessions,
    st.tuples(moments, moments).map(sorted),
    st.sampled_from(INTERVALS),
    st.sampled_from(["by the clock", "by trading", "cut"]),
    st.booleans(),
)
def test_exactly_the_bars_that_were_asked_for(
    traded: list[tuple[int, int]],
    ends: list[int],
    interval: Interval,
    manner: str,
    has_head: bool,
) -> None:
    """Over closed hours, gaps and the data's beginning: each bar in [start, end], in order."""
    length_s = int(LENGTHS[interval].total_seconds())
    starts = sorted(
        {
            BEGIN + (begin // length_s + number) * length_s
            for begin, count in traded
            for number in range(count)
        }
    )
    head = starts[0] if has_head and starts else None

    async def play() -> list[int]:
        past = Past(starts, NOW, head=head)
        past.counts_trading, past.cuts = manner == "by trading", manner == "cut"
        request = HistoryRequest(SYMBOL, Exchange.SMART, moment(ends[0]), moment(ends[1]), interval)
        told: list[int] = []
        bars = await history.fetch(
            past.venue, past.client, request, lambda done, of: told.append(done)
        )
        assert told == sorted(told)
        assert all(bar.volume != HALF for bar in bars)
        return [int(bar.datetime.timestamp()) for bar in bars]

    first, last = BEGIN + ends[0], BEGIN + ends[1]
    expected = [start for start in starts if first <= start <= last]
    assert run_virtually(play(), VirtualLoop()) == expected


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, LONG_S), st.integers(1, 900), st.integers(1, 400)), max_size=4
    ),
    st.tuples(moments, moments).map(sorted),
)
def test_exactly_the_ticks_that_were_asked_for(
    traded: list[tuple[int, int, int]], ends: list[int]
) -> None:
    """However many fall into one second: each tick in [start, end], in order."""
    seconds = sorted(
        begin + number // each for begin, count, each in traded for number in range(count)
    )
    trades = [Print(moment(second), 1.0 + number) for number, second in enumerate(seconds)]
    bars = sorted({BEGIN + second - second % 60 for second in seconds})

    async def play() -> list[float]:
        past = Past(bars, NOW, ticks=list(trades))
        request = HistoryRequest(SYMBOL, Exchange.SMART, moment(ends[0]), moment(ends[1]))
        ticks = await history.fetch_ticks(past.venue, past.client, request, lambda done, of: None)
        return [tick.last_price for tick in ticks]

    first, last = moment(ends[0]), moment(ends[1])
    expected = [trade.price for trade in trades if first <= trade.time <= last]
    assert run_virtually(play(), VirtualLoop()) == expected
