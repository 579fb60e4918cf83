"""Market data by request: what a round tells, and what ends the session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from foxtrot import errors
from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.marks import Marks
from foxtrot.adapter.binance.polling import PollingSession
from foxtrot.adapter.binance.session import Venue
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Exchange, Interval, Lane, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, TickData
from foxtrot.model.requests import SubscribeRequest
from tests.support.clock import ManualClock

DEADLINE_S = 10.0
TICK = StreamKey(Channel.TICK, "BTCUSDT", Exchange.BINANCE)
DEPTH = StreamKey(Channel.DEPTH, "BTCUSDT", Exchange.BINANCE)
TRADE = StreamKey(Channel.TRADE, "BTCUSDT", Exchange.BINANCE)
BAR = StreamKey(Channel.BAR, "BTCUSDT", Exchange.BINANCE, Interval.MINUTE.value)
SETTING = {"environment": "simulated", "rest_url": "http://127.0.0.1:9"}


def ticker(bid: float = 100.0, symbol: str = "BTCUSDT") -> mapping.RestTicker:
    """A 24 h ticker with an ask of 101."""
    return mapping.RestTicker(
        symbol=symbol, lastPrice=100.5, lastQty=1.0, openPrice=98.0, highPrice=110.0,
        lowPrice=90.0, volume=12.0, quoteVolume=1_200.0, prevClosePrice=97.0, bidPrice=bid,
        bidQty=1.0, askPrice=101.0, askQty=1.0, closeTime=1_785_000_000_000,
    )  # fmt: skip


def tape(*numbers: int) -> list[mapping.RestTrade]:
    """Prints, as the venue keeps them."""
    return [mapping.RestTrade(n, 100.0 + n, 1.0, 1_785_000_000_000 + n, True) for n in numbers]


def bar(minute: int) -> mapping.Row:
    """One of the bars of a minute, as the venue lists them."""
    start = 1_785_000_000_000 + 60_000 * minute
    return (start, 98.0, 110.0, 90.0, 100.0, 1.0, start + 59_999, 100.0, 1, 0.5, 50.0, "0")


class Port:
    """What the session tells its adapter."""

    stream_config = StreamConfig(polling_interval_s=0.0)

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[object] = []
        self.errors: list[errors.FoxtrotError] = []
        self.on_market_trade = self.on_bar = self.told.append
        self.on_error = self.errors.append
        self.lanes: list[Lane] = []
        self.conflate = True

    def on_tick(self, item: object, lane: Lane = Lane.LATEST) -> None:
        """Take what may be conflated, and where it is put."""
        self.told.append(item)
        self.lanes.append(lane)

    on_depth = on_tick

    def request_of(self, key: StreamKey) -> SubscribeRequest:
        """What the user asked for."""
        return SubscribeRequest(key.symbol, key.exchange, key.channel, conflate=self.conflate)


class PolledVenue:
    """A venue that has an answer for each round, then none any more.

    An answer that is an exception is raised. `done` is set when the answers are used up.
    """

    def __init__(self) -> None:
        self.name, self.port, self.marks = "BINANCE", Port(), Marks()
        self.config = self.port.stream_config
        self.settings = BinanceSettings.parse(SETTING)
        self.contracts = Contracts("BINANCE")
        entry = {"status": "TRADING", "baseAsset": "A", "quoteAsset": "B", "filters": []}
        self.contracts.load({**entry, "symbol": name} for name in ("BTCUSDT", "ETHUSDT"))
        self.http = SimpleNamespace(held_back=0, get=self._get)
        self.answers: dict[str, Iterator[object]] = {}
        self.unlisted: dict[str, errors.UnknownSymbol] = {}
        self.asked: list[str] = []
        self.done = asyncio.Event()

    def will_answer(self, path: str, *answers: object) -> None:
        """The answers to one kind of request, in order."""
        self.answers[path] = iter(answers)

    def client(self, *, hurries: bool) -> object:
        """The client that the session asks with."""
        return self.http

    async def tickers(
        self, client: object, symbols: Sequence[str], unlisted: dict[str, errors.UnknownSymbol]
    ) -> object:
        """See `Venue`, like all below."""
        unlisted |= {each: self.unlisted[each] for each in symbols if each in self.unlisted}
        return await self._get("ticker/24hr")

    async def book(self, client: object, symbol: str, levels: int) -> object:
        return await self._get("depth")

    async def candles(self, *asked: object) -> object:
        bars = await self._get("klines")
        page = asked[-1]
        assert isinstance(bars, list)
        assert isinstance(page, dict)
        if "startTime" in page:
            return [row for row in bars if row[0] >= page["startTime"]][: page["limit"]]
        return bars[-page["limit"] :]

    def converted(self, answer: object, kind: object, path: str) -> object:
        return answer

    def forget_if_unwanted(self, key: StreamKey) -> None:
        self.marks.forget(key)

    async def _get(self, path: str, params: object = None, *, weight: int = 0) -> object:
        self.asked.append(path)
        answer = next(self.answers.get(path, iter(())), None)
        if answer is None:
            self.done.set()
            await asyncio.Event().wait()
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def venue() -> PolledVenue:
    """A venue without answers."""
    return PolledVenue()


@pytest.fixture
async def session(venue: PolledVenue) -> PollingSession:
    """A session that asks it."""
    return PollingSession(cast(Venue, venue), FeedCounters())


async def polled(session: PollingSession, venue: PolledVenue, *keys: StreamKey) -> list[object]:
    """Subscribe, run until the answers are used up; what was told."""
    assert not (await session.subscribe(keys)).refused
    running = asyncio.ensure_future(session.run())
    used_up = asyncio.ensure_future(venue.done.wait())
    await asyncio.wait([running, used_up], timeout=DEADLINE_S, return_when="FIRST_COMPLETED")
    used_up.cancel()
    if not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=DEADLINE_S)
        return venue.port.told
    running.result()
    raise AssertionError("a session does not end by itself")


async def test_every_round_is_told(session: PollingSession, venue: PolledVenue) -> None:
    """One tick of each round, with its prices."""
    venue.will_answer("ticker/24hr", [ticker(99.0)], [ticker(100.0)])
    told = await polled(session, venue, TICK)
    assert [tick.bid_price_1 for tick in told if isinstance(tick, TickData)] == [99.0, 100.0]
    assert session.received == 2


async def test_a_polled_stream_was_heard_with_its_last_answer(
    session: PollingSession, venue: PolledVenue
) -> None:
    """Ticks and prints alike; an answer for nobody is no sign of anybody."""
    venue.will_answer("ticker/24hr", [ticker(99.0), ticker(symbol="ETHUSDT")])
    venue.will_answer("trades", tape(1, 2))
    prints, unwanted = (
        StreamKey(Channel.TRADE, "BTCUSDT", Exchange.BINANCE),
        StreamKey(Channel.TICK, "ETHUSDT", Exchange.BINANCE),
    )
    before_ns = time.time_ns()
    await polled(session, venue, TICK, prints)
    assert before_ns <= venue.marks.heard_ns(TICK) <= venue.marks.heard_ns(prints)
    assert venue.marks.heard_ns(unwanted) == 0


@pytest.mark.parametrize(("conflate", "lane"), [(True, Lane.LATEST), (False, Lane.BOUNDED)])
async def test_who_wants_every_tick_gets_every_tick_of_polling_too(
    session: PollingSession, venue: PolledVenue, conflate: bool, lane: Lane
) -> None:
    """A slow consumer is given them in order, not the newest alone; books likewise."""
    venue.port.conflate = conflate
    venue.will_answer("ticker/24hr", [ticker()])
    venue.will_answer("depth", mapping.DepthSnapshot(1, [(100.0, 1.0)], [(101.0, 1.0)]))
    await polled(session, venue, TICK, DEPTH)
    assert venue.port.lanes == [lane, lane]


async def test_what_was_not_asked_for_is_ignored(
    session: PollingSession, venue: PolledVenue
) -> None:
    """An answer may hold more than was wanted."""
    venue.will_answer("ticker/24hr", [ticker(symbol="ETHUSDT"), ticker()])
    told = await polled(session, venue, TICK)
    assert [tick.symbol for tick in told if isinstance(tick, TickData)] == ["BTCUSDT"]


async def test_an_answer_that_a_stream_has_overtaken_is_not_told(
    session: PollingSession, venue: PolledVenue
) -> None:
    """The websocket is back, and its quote is newer: a quiet symbol would keep the older one."""
    mark = venue.marks.of(TICK)

    async def tickers(*_: object) -> object:
        answer = await venue._get("ticker/24hr")
        mark.at += 1
        return answer

    venue.tickers = tickers  # type: ignore[method-assign]
    venue.will_answer("ticker/24hr", [ticker()])
    assert await polled(session, venue, TICK) == []
    assert mark.tick is None


async def test_a_book_that_a_stream_has_overtaken_is_not_told(
    session: PollingSession, venue: PolledVenue
) -> None:
    """As for ticks."""

    async def book(*_: object) -> object:
        answer = await venue._get("depth")
        venue.marks.of(DEPTH).heard_ns += 1
        return answer

    venue.book = book  # type: ignore[method-assign]
    venue.will_answer("depth", mapping.DepthSnapshot(1, [(100.0, 1.0)], [(101.0, 1.0)]))
    assert await polled(session, venue, DEPTH) == []
    assert (session._counters.received, session._counters.stale) == (1, 1)


async def test_bad_numbers_are_logged_once_per_episode(
    session: PollingSession, venue: PolledVenue, caplog: pytest.LogCaptureFixture
) -> None:
    """They reach nobody, and the next good ones are told."""
    bad = [ticker(102.0)]
    venue.will_answer("ticker/24hr", bad, bad, [ticker()], bad)
    with caplog.at_level("WARNING", logger="foxtrot"):
        told = await polled(session, venue, TICK)
    assert len(told) == 1
    assert [record.getMessage() for record in caplog.records] == 2 * [
        "numbers_rejected venue=BINANCE symbol=BTCUSDT what=tick reason=crossed: bid above ask"
    ]


async def test_the_tape_is_history_first_and_then_news(
    session: PollingSession, venue: PolledVenue
) -> None:
    """Each print once and in order, whatever the order of the answer."""
    venue.will_answer("trades", tape(1, 2), tape(1, 2), tape(4, 2, 3), tape(3, 4, 5))
    told = await polled(session, venue, TRADE)
    assert [each.tradeid for each in told if isinstance(each, MarketTradeData)] == ["3", "4", "5"]


async def test_what_was_told_by_stream_is_not_told_again(
    session: PollingSession, venue: PolledVenue
) -> None:
    """The mark of the stream counts for its replacement."""
    venue.marks.of(TRADE).at = 3
    venue.will_answer("trades", tape(2, 3, 4))
    told = await polled(session, venue, TRADE)
    assert [each.tradeid for each in told if isinstance(each, MarketTradeData)] == ["4"]


async def test_prints_that_a_round_could_not_reach_are_said(
    session: PollingSession, venue: PolledVenue, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest 500 are all that the venue lists."""
    venue.marks.of(TRADE).at = 3
    venue.will_answer("trades", tape(3, 4), tape(8, 9))
    await polled(session, venue, TRADE)
    assert ["count=3" in line for line in caplog.messages if "prints_missed" in line] == [True]


async def test_a_bar_is_told_closed_once(session: PollingSession, venue: PolledVenue) -> None:
    """When the venue has the next one; what had ended before anybody asked is history."""
    venue.will_answer("klines", *[[bar(0), bar(1)]] * 3, *[[bar(1), bar(2)]] * 3)
    told = await polled(session, venue, BAR)
    bars = [(each.datetime.minute - 20, each.closed) for each in told if isinstance(each, BarData)]
    assert bars == [(1, False)] * 3 + [(1, True)] + [(2, False)] * 3


async def test_no_bar_is_lost_between_two_rounds(
    session: PollingSession, venue: PolledVenue
) -> None:
    """Several may have ended where the weight budget held a round back."""
    bars = [bar(minute) for minute in range(6)]
    venue.will_answer("klines", bars[:2], bars)
    told = await polled(session, venue, BAR)
    minutes = [each.datetime.minute - 20 for each in told if isinstance(each, BarData)]
    assert minutes == [1, 1, 2, 3, 4, 5]
    assert [each.closed for each in told if isinstance(each, BarData)] == (
        [False] + [True] * 4 + [False]
    )


async def test_bars_of_an_outage_are_told_however_long_it_was(
    session: PollingSession, venue: PolledVenue
) -> None:
    """Page by page, in their order, and each closed but the last."""
    bars = [bar(minute) for minute in range(1500)]
    venue.will_answer("klines", bars[:1], bars, bars)
    told = await polled(session, venue, BAR)
    closed = [each for each in told if isinstance(each, BarData) and each.closed]
    assert len({each.datetime for each in closed}) == len(closed) == 1499
    assert [each.datetime for each in closed] == sorted(each.datetime for each in closed)
    assert [each.closed for each in told if isinstance(each, BarData)].count(False) == 2


@pytest.mark.parametrize("closed", [True, False])
async def test_a_bar_that_the_stream_closed_is_not_closed_again(
    session: PollingSession, venue: PolledVenue, closed: bool
) -> None:
    """One that the stream left moving is closed by polling."""
    start = bar(0)[0]
    candle = mapping.Candle(start, "BTCUSDT", "1m", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, closed)
    update = mapping.CandleUpdate(start + 59_000, "BTCUSDT", candle)
    venue.marks.of(BAR).at = mapping.candle_number(update)
    venue.will_answer("klines", [bar(0), bar(1)])
    told = await polled(session, venue, BAR)
    bars = [(each.datetime.minute - 20, each.closed) for each in told if isinstance(each, BarData)]
    assert bars == [(1, False)] if closed else [(0, True), (1, False)]


async def test_a_book_is_told_best_first(session: PollingSession, venue: PolledVenue) -> None:
    """As the venue sends it, and without a level that cannot be."""
    good = mapping.DepthSnapshot(1, [(100.0, 1.0), (99.0, 2.0)], [(101.0, 1.0)])
    venue.will_answer("depth", mapping.DepthSnapshot(1, [(-1.0, 1.0)], []), good)
    (depth,) = await polled(session, venue, DEPTH)
    assert isinstance(depth, DepthData)
    assert (depth.bids, depth.asks) == (((100.0, 1.0), (99.0, 2.0)), ((101.0, 1.0),))


async def test_a_refusal_of_one_stream_does_not_stop_the_others(
    session: PollingSession, venue: PolledVenue
) -> None:
    """It is told to the adapter; the round goes on."""
    refusal = errors.PermissionDenied("BINANCE", "-2015", "Not from here.")
    venue.will_answer("depth", refusal, mapping.DepthSnapshot(1, [], []))
    venue.will_answer("trades", tape(1), tape(1, 2))
    told = await polled(session, venue, DEPTH, TRADE)
    assert refusal in venue.port.errors
    assert [type(each) for each in told] == [DepthData, MarketTradeData]


async def test_a_stream_of_a_delisted_symbol_fails_instead_of_seeming_polled(
    session: PollingSession, venue: PolledVenue
) -> None:
    """It is not asked for in every round for ever; the others are."""
    reported: list[tuple[StreamKey, StreamState]] = []
    session.report = lambda key, state, reason: reported.append((key, state))
    venue.will_answer("depth", errors.UnknownSymbol("BINANCE", "-1121", "Invalid symbol."))
    venue.will_answer("trades", tape(1), tape(1, 2))
    told = await polled(session, venue, DEPTH, TRADE)
    assert [type(each) for each in told] == [MarketTradeData]
    assert reported == [(DEPTH, StreamState.FAILED)]
    assert venue.asked.count("depth") == 1


async def test_a_delisted_symbol_fails_and_the_others_are_polled(
    session: PollingSession, venue: PolledVenue
) -> None:
    """It used to end the session, which nobody but a person began again."""
    reported: list[tuple[StreamKey, StreamState]] = []
    session.report = lambda key, state, reason: reported.append((key, state))
    other = StreamKey(Channel.TICK, "ETHUSDT", Exchange.BINANCE)
    venue.unlisted["ETHUSDT"] = errors.UnknownSymbol("BINANCE", "-1121", "Invalid symbol.")
    venue.will_answer("ticker/24hr", [ticker()], [ticker()])
    told = await polled(session, venue, TICK, other)
    assert [tick.symbol for tick in told if isinstance(tick, TickData)] == ["BTCUSDT"] * 2
    assert reported == [(other, StreamState.FAILED)]


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimited("BINANCE", "429", "too many", 7.0),
        errors.ConnectionClosed(1006),
        errors.VenueUnavailable("BINANCE", "503", "busy"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_trouble_of_the_whole_venue_ends_the_session(
    session: PollingSession, venue: PolledVenue, error: errors.FoxtrotError
) -> None:
    """The supervisor decides when to try again; nothing more is asked until then."""
    venue.will_answer("depth", error)
    with pytest.raises(ExceptionGroup) as caught:
        await polled(session, venue, DEPTH)
    assert caught.value.exceptions == (error,)
    assert venue.asked == ["depth"]


async def test_an_unknown_symbol_is_refused_at_once(
    session: PollingSession, venue: PolledVenue
) -> None:
    """With advice, and the venue is not asked."""
    wrong = StreamKey(Channel.TICK, "BTCUSD", Exchange.BINANCE)
    outcome = await session.subscribe([wrong, TICK])
    assert list(outcome.refused) == [wrong]
    assert "did you mean BTCUSDT?" in str(outcome.refused[wrong])
    assert venue.asked == []


async def test_an_answer_that_comes_after_the_unsubscribe_is_dropped(
    session: PollingSession, venue: PolledVenue
) -> None:
    """Who gave a stream back hears nothing more of it."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def book(*_: object) -> mapping.DepthSnapshot:
        asked.set()
        await answer.wait()
        return mapping.DepthSnapshot(1, [], [])

    venue.book = book  # type: ignore[method-assign]
    await session.subscribe([DEPTH])
    running = asyncio.ensure_future(session.run())
    async with asyncio.timeout(DEADLINE_S):
        await asked.wait()
        await session.unsubscribe([DEPTH])
        answer.set()
        await session.subscribe([TICK])
        await venue.done.wait()
    running.cancel()
    await asyncio.wait([running], timeout=DEADLINE_S)
    assert venue.port.told == []


async def test_a_probe_asks_the_venue(session: PollingSession, venue: PolledVenue) -> None:
    """And its answer is a sign of life."""
    venue.will_answer("ping", {})
    await session.probe()
    assert venue.asked == ["ping"]
    assert session.received == 1


async def test_no_probe_while_our_own_budget_holds_us_back(
    session: PollingSession, venue: PolledVenue
) -> None:
    """The silence is ours; a probe would only wait in the same line."""
    venue.http.held_back = 1
    await session.probe()
    assert venue.asked == []
