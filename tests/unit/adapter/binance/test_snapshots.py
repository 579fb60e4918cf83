"""What is fetched beside the streams: what one symbol or one limit must not cost the others."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from foxtrot.adapter.binance import limits, mapping, snapshots
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.marks import Marks
from foxtrot.adapter.binance.session import Venue
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.adapter.binance.snapshots import Snapshots
from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import FoxtrotError, RateLimited, UnknownSymbol, VenueUnavailable
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Channel, Exchange, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import BarData, TickData
from tests.support.binance_frames import AT_MS, Routed, candle, depth, quote, seed

DEADLINE_S = 10.0
GONE, LISTED = "AAAUSDT", "BTCUSDT"
SETTING = {"environment": "simulated", "rest_url": "http://127.0.0.1:9"}
BOOK = {"lastUpdateId": 7, "bids": [["99.0", "5"]], "asks": [["101.0", "5"]]}


def key(symbol: str, channel: Channel = Channel.TICK) -> StreamKey:
    """A stream of a symbol."""
    return StreamKey(channel, symbol, Exchange.BINANCE)


def bar(minute: int) -> list[object]:
    """The bar of a minute, as the venue lists it."""
    start, prices, none = AT_MS + 60_000 * minute, ["98", "110", "90", "100"], ["0", 1, "0", "0"]
    return [start, *prices, "1", start + 59_999, *none, "0"]


class Beside:
    """Snapshots of a session that holds streams of two symbols, one of them delisted."""

    def __init__(self, routed: Routed) -> None:
        config = StreamConfig(stream_look_s=0.0, stream_idle_s=0.0)
        port = SimpleNamespace(stream_config=config, on_error=lambda error: None)
        self.venue = venue = Venue(
            "BINANCE", BinanceSettings.parse(SETTING), Contracts("BINANCE"), Marks(),
            cast(BaseAdapter, port), limits.weight_window(),
        )  # fmt: skip
        self.frames = routed.router
        self.frames.ticks[GONE] = routed.tick
        self.held = [key(GONE), key(LISTED)]
        self.error: FoxtrotError | None = None
        self.asked: list[str] = []
        self.broken, self.minutes, self.fails_at = "", 4, 0
        self.told: dict[StreamKey, StreamState] = {}
        self.holds = 0.0
        self.reasons: dict[StreamKey, str] = {}
        self.looks = 0
        self.snapshots = Snapshots(
            venue, cast(BinanceClient, self), self.frames,
            report=self._report, renew=self._give_up, give_up=self._give_up,
        )  # fmt: skip

    async def get(self, path: str, params: Mapping[str, Any], *, weight: int) -> object:
        """Answer as the venue does: one unknown symbol refuses all."""
        self.asked.append(path)
        self.venue.weights.hold(self.holds)
        if self.error is not None:
            raise self.error
        if len(self.asked) == self.fails_at:
            raise VenueUnavailable("BINANCE", "503", "busy")
        if params.get("symbol") == self.broken:
            raise VenueUnavailable("BINANCE", "500", "an error")
        if GONE in params.get("symbol", "") or GONE in params.get("symbols", ""):
            raise UnknownSymbol("BINANCE", "-1121", "Invalid symbol.")
        since = round((params.get("startTime", AT_MS) - AT_MS) / 60_000)
        page = [bar(minute) for minute in range(self.minutes)][since:][:1000]
        answers = {"depth": BOOK, "klines": page}
        return answers.get(path) or [msgspec.to_builtins(seed())]

    def keys(self) -> list[StreamKey]:
        """What is held; it is asked for once a look."""
        self.looks += 1
        return self.held

    async def until(self, work: Coroutine[object, object, None], done: Callable[[], bool]) -> None:
        """Let the work go on until something is so."""
        running = asyncio.ensure_future(work)
        async with asyncio.timeout(DEADLINE_S):
            while not done():  # noqa: ASYNC110 - each look is a step of the work
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])

    def _report(self, stream: StreamKey, state: StreamState, reason: str) -> None:
        self.told[stream], self.reasons[stream] = state, reason

    async def _give_up(self, stream: StreamKey) -> None:
        self.held.remove(stream)


@pytest.fixture
async def beside(routed: Routed) -> Beside:
    """Nothing was fetched yet."""
    return Beside(routed)


async def test_a_delisted_symbol_fails_and_the_others_are_still_compared(
    beside: Beside, routed: Routed
) -> None:
    """The venue refuses the tickers of all for the sake of one."""
    routed(quote(1, "69.0", "71.0", B="1", A="1"))
    await beside.until(beside.snapshots.watch(beside.keys), lambda: len(beside.told) == 2)
    assert beside.told == {key(GONE): StreamState.FAILED, key(LISTED): StreamState.QUIET}


async def test_a_delisted_symbol_does_not_hold_up_the_books_of_the_others(beside: Beside) -> None:
    """Its book can never be had; it fails, and theirs come."""
    gone = key(GONE, Channel.DEPTH)
    beside.held = [gone]
    beside.snapshots.want([gone, key(LISTED, Channel.DEPTH)])
    await beside.until(beside.snapshots.fetch(), lambda: bool(beside.frames.levels(LISTED, 1)))
    assert beside.told == {gone: StreamState.FAILED}
    assert beside.held == []


async def test_a_quiet_symbol_whose_first_tick_was_refused_gets_it_with_the_next_look(
    beside: Beside, routed: Routed
) -> None:
    """Its streams may be silent for hours, and no order passes without a price."""
    beside.held = [key(LISTED)]
    beside.error = VenueUnavailable("BINANCE", "503", "busy")
    beside.snapshots.want(beside.held)
    await beside.until(beside.snapshots.fetch(), lambda: bool(beside.asked))
    assert routed.events == []
    beside.error = None
    await beside.until(beside.snapshots.watch(beside.keys), lambda: bool(routed.events))
    assert isinstance(routed.last, TickData)
    assert (routed.last.bid_price_1, routed.last.last_price) == (69.0, 70.0)


async def test_nothing_is_asked_before_the_time_that_a_limit_names(beside: Beside) -> None:
    """Who goes on asking is banned: neither what is silent is compared, nor a silent session."""
    beside.error = RateLimited("BINANCE", "429", "too many", 60.0)
    beside.holds = asyncio.get_running_loop().time() + 60.0
    await beside.until(beside.snapshots.watch(beside.keys), lambda: beside.looks == 50)
    assert beside.asked == ["ticker/24hr"]
    await beside.snapshots.compare_session()
    assert beside.asked == ["ticker/24hr"]


BOOK_OF_LISTED = key(LISTED, Channel.DEPTH)


async def both(
    first: Coroutine[object, object, None], second: Coroutine[object, object, None]
) -> None:
    """Two works at once."""
    await asyncio.gather(first, second)


async def test_a_stream_whose_book_cannot_be_had_is_stale_until_it_is_there(
    beside: Beside, routed: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its differences flow all the time, and tell nobody anything."""
    monkeypatch.setattr(snapshots, "_RETRY_S", 0.0)
    beside.held = [BOOK_OF_LISTED]
    beside.error = VenueUnavailable("BINANCE", "503", "busy")
    beside.snapshots.want(beside.held)
    numbers = itertools.count(8)

    def stale() -> bool:
        routed(depth(number := next(numbers), number))
        return BOOK_OF_LISTED in beside.told

    work = beside.snapshots.fetch, lambda: beside.snapshots.watch(beside.keys)
    await beside.until(both(*(each() for each in work)), stale)
    assert beside.told == {BOOK_OF_LISTED: StreamState.STALE}
    assert "busy" in beside.reasons[BOOK_OF_LISTED]
    beside.error = None
    alive = {BOOK_OF_LISTED: StreamState.ACTIVE}
    await beside.until(both(*(each() for each in work)), lambda: beside.told == alive)
    assert beside.frames.levels(LISTED, 1)


async def test_a_book_that_cannot_be_had_holds_up_neither_the_others_nor_bars(
    beside: Beside, routed: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are had, however long the venue has an error for it."""
    monkeypatch.setattr(snapshots, "_RETRY_S", 0.0)
    beside.broken = "AAVEUSDT"
    routed(candle())
    routed.router.begin(BAR)
    beside.snapshots.want([key(beside.broken, Channel.DEPTH), BOOK_OF_LISTED, BAR])
    await beside.until(beside.snapshots.fetch(), lambda: (2, True) in bars_told(routed))
    assert beside.frames.levels(LISTED, 1)


BAR = StreamKey(Channel.BAR, LISTED, Exchange.BINANCE, "1m")


def bars_told(routed: Routed) -> list[tuple[int, bool]]:
    """The minutes of the bars that were told, and whether they are closed."""
    told = [event.data for event in routed.events]
    moments = [
        (each.datetime.timestamp(), each.closed) for each in told if isinstance(each, BarData)
    ]
    return [(round(at - AT_MS / 1000) // 60, closed) for at, closed in moments]


@pytest.mark.parametrize("moving", [False, True])
async def test_bars_that_ended_during_a_gap_are_told(
    beside: Beside, routed: Routed, moving: bool
) -> None:
    """Each once and closed, also if the stream has the one of now already."""
    routed(candle())
    routed.router.begin(BAR)
    if moving:
        routed(candle(AT_MS + 181_000, t=AT_MS + 180_000))
    beside.snapshots.want([BAR])
    await beside.until(beside.snapshots.fetch(), lambda: (2, True) in bars_told(routed))
    missed = [(0, True), (1, True), (2, True)]
    assert bars_told(routed) == [(0, False), *([(3, False)] if moving else []), *missed]
    routed(candle(AT_MS + 180_000, t=AT_MS + 120_000, x=True))
    assert bars_told(routed)[-1] == (2, True)
    assert routed.counts["stale"] == 1
    assert beside.asked == ["klines"]


@pytest.mark.parametrize("moving", [False, True])
async def test_a_bar_that_was_polled_meanwhile_is_not_told_again(
    beside: Beside, routed: Routed, moving: bool
) -> None:
    """Polling goes on until the stream is held, and tells what ends by then."""
    routed(candle())
    routed.router.begin(BAR)
    routed.router.bars[LISTED, "1m"].mark.at = mapping.end_number(AT_MS)
    if moving:
        routed(candle(AT_MS + 181_000, t=AT_MS + 180_000))
    beside.snapshots.want([BAR])
    await beside.until(beside.snapshots.fetch(), lambda: (2, True) in bars_told(routed))
    assert bars_told(routed)[-2:] == [(1, True), (2, True)]
    assert (0, True) not in bars_told(routed)


@pytest.mark.parametrize("moving", [False, True])
async def test_a_gap_of_more_bars_than_a_page_holds_is_closed(
    beside: Beside, routed: Routed, moving: bool
) -> None:
    """Page after page, each bar once and in its order."""
    beside.minutes = 2500
    routed(candle())
    routed.router.begin(BAR)
    if moving:
        now_ms = AT_MS + 2499 * 60_000
        routed(candle(now_ms + 1000, t=now_ms))
    beside.snapshots.want([BAR])
    await beside.until(beside.snapshots.fetch(), lambda: (2498, True) in bars_told(routed))
    closed = [minute for minute, closed in bars_told(routed) if closed]
    assert closed == list(range(2499))
    assert beside.asked == ["klines"] * 3


async def test_a_page_that_fails_is_asked_for_again_and_nothing_is_told_twice(
    beside: Beside, routed: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told by then stays told."""
    monkeypatch.setattr(snapshots, "_RETRY_S", 0.0)
    beside.minutes = 2500
    routed(candle())
    routed.router.begin(BAR)
    beside.snapshots.want([BAR])
    beside.fails_at = 2
    await beside.until(beside.snapshots.fetch(), lambda: (2498, True) in bars_told(routed))
    assert [minute for minute, closed in bars_told(routed) if closed] == list(range(2499))


async def test_what_ended_before_anybody_asked_for_bars_is_history(
    beside: Beside, routed: Routed
) -> None:
    """A fresh subscription begins with the bar of now."""
    routed.router.begin(BAR)
    beside.snapshots.want([BAR, key(LISTED)])
    await beside.until(beside.snapshots.fetch(), lambda: bool(beside.asked))
    assert "klines" not in beside.asked


async def test_a_bar_that_ended_in_a_gap_is_not_told_after_a_later_one(
    beside: Beside, routed: Routed
) -> None:
    """Bars that ended are told in their order, or not at all; nor is one told twice."""
    routed(candle())
    routed.router.begin(BAR)
    routed(candle(AT_MS + 120_000, t=AT_MS + 60_000, x=True))
    beside.snapshots.want([BAR])
    await beside.until(beside.snapshots.fetch(), lambda: "klines" in beside.asked)
    assert bars_told(routed) == [(0, False), (1, True)]


async def test_missed_bars_of_a_delisted_symbol_hold_up_nobody_elses(
    beside: Beside, routed: Routed
) -> None:
    """They are given up; the others' are told."""
    gone = StreamKey(Channel.BAR, GONE, Exchange.BINANCE, "1m")
    routed(candle())
    routed.router.bars[GONE, "1m"] = routed.router.bars[LISTED, "1m"]
    routed.router.begin(BAR)
    beside.snapshots.want([gone, BAR])
    await beside.until(beside.snapshots.fetch(), lambda: (2, True) in bars_told(routed))
    assert beside.asked == ["klines", "klines"]
