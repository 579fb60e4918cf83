"""The streaming session: what is asked, what is refused, and what comes back after a trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from foxtrot.adapter.ib.market_data import StreamSession
from foxtrot.errors import SubscriptionRefused, UnknownSymbol
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.health import StreamKey
from tests.support.ib_door import frame
from tests.support.ib_feed import AT_S, price
from tests.support.ib_lines import (
    BARS,
    CANCEL_BARS,
    CANCEL_DEPTH,
    CANCEL_PRINTS,
    CANCEL_TICK,
    CONFIG,
    DEPTH,
    PRINTS,
    TICK,
    Tws,
    key,
)
from tests.support.virtual_time import VirtualLoop, run_virtually

IDLE_S = CONFIG.stream_idle_s
AAPL, IBM = key("AAPL-USD-STK"), key("IBM-USD-STK")

KINDS = {Channel.DEPTH: DEPTH, Channel.TRADE: PRINTS, Channel.BAR: BARS}

Play = Callable[[Tws, StreamSession], Awaitable[None]]


def played(play: Play, *, fast_looks: bool = True) -> Tws:
    """Run a play with an open session, in virtual time."""

    async def run() -> Tws:
        tws = Tws(replace(CONFIG, stream_look_s=0.5) if fast_looks else CONFIG)
        session = StreamSession(tws.venue, FeedCounters())
        session.report = lambda stream, state, reason: tws.reports.append(
            (str(stream), state.value, reason)
        )
        await session.open()
        running = asyncio.ensure_future(session.run())
        try:
            await play(tws, session)
        finally:
            await session.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return tws

    return run_virtually(run(), VirtualLoop())


def keys_of_all_kinds() -> list[StreamKey]:
    """One stream of each channel."""
    return [key(channel=channel) for channel in Channel]


def test_each_stream_is_asked_for_and_given_back() -> None:
    """Every channel has its own request, and its own cancel with the same id."""

    async def play(tws: Tws, session: StreamSession) -> None:
        outcome = await session.subscribe(keys_of_all_kinds())
        assert not outcome.refused
        assert not outcome.unanswered
        ids = [tws.id_of(kind) for kind in (TICK, DEPTH, PRINTS, BARS)]
        assert len(set(ids)) == 4
        await session.unsubscribe(keys_of_all_kinds())
        cancelled = [
            tws.asked[at][2 if kind in (CANCEL_TICK, CANCEL_DEPTH, CANCEL_BARS) else 1]
            for kind in (CANCEL_TICK, CANCEL_DEPTH, CANCEL_PRINTS, CANCEL_BARS)
            for at, fields in enumerate(tws.asked)
            if fields[0] == kind
        ]
        assert cancelled == [str(number) for number in ids]
        told = len(tws.events)
        tws.say(price(1, 12.0, 1, ids[0]))
        assert len(tws.events) == told

    played(play)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_stream_that_is_given_back_while_it_is_renewed_leaves_none_behind(turns: int) -> None:
    """Whatever waits for its turn at that moment: a line that TWS still counts is lost."""
    book = key(channel=Channel.DEPTH)

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([book])
        tws.say(frame(12, 1, tws.id_of(DEPTH), 9, 1, 0, 10.0, 5))  # fits no book: it is renewed
        for _ in range(turns):
            await asyncio.sleep(0)
        await session.unsubscribe([book])
        await asyncio.sleep(5.0)
        assert tws.count(CANCEL_DEPTH) == tws.count(DEPTH)

    played(play)


def test_ticks_are_told_to_the_engine() -> None:
    """The first tick is whole, and the newest is remembered for whoever asks."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL])
        (tick,) = tws.ticks()
        assert (tick.bid_price_1, tick.ask_price_1, tick.vt_symbol) == (10.0, 11.0, AAPL.vt_symbol)
        assert tws.port.marks.tick(AAPL.symbol, AAPL.exchange) is tick
        assert tws.port.marks.heard_ns(AAPL) > 0

    played(play)


@pytest.mark.parametrize("code", [354, 10089, 10168, 10186, 10197, 420, 101])
def test_a_refused_stream_is_refused_in_words(code: int) -> None:
    """Each stream by itself: the others are held."""

    async def play(tws: Tws, session: StreamSession) -> None:
        tws.refusals[TICK] = code
        outcome = await session.subscribe([AAPL, key(channel=Channel.BAR)])
        assert list(outcome.refused) == [AAPL]
        assert str(code) in str(outcome.refused[AAPL])
        assert tws.ticks() == []

    played(play)


def test_an_unknown_contract_is_refused() -> None:
    """It is never asked for."""

    async def play(tws: Tws, session: StreamSession) -> None:
        nobody = key("NONE-USD-STK")
        outcome = await session.subscribe([nobody, AAPL])
        assert list(outcome.refused) == [nobody]
        assert isinstance(outcome.refused[nobody], UnknownSymbol)
        assert tws.count(TICK) == 1

    played(play)


@pytest.mark.parametrize(("channel", "most"), [(Channel.DEPTH, 3), (Channel.TICK, 100)])
def test_streams_beyond_the_limit_are_refused_in_words(channel: Channel, most: int) -> None:
    """What is asked for fits; the rest is refused before TWS counts it."""

    async def play(tws: Tws, session: StreamSession) -> None:
        wanted = [key(f"S{n}-USD-STK", channel) for n in range(most + 2)]
        outcome = await session.subscribe(wanted)
        assert list(outcome.refused) == wanted[most:]
        assert isinstance(outcome.refused[wanted[-1]], SubscriptionRefused)
        assert f"all {most}" in str(outcome.refused[wanted[-1]])
        await session.unsubscribe(wanted[:1])
        assert not (await session.subscribe(wanted[-1:])).refused

    played(play)


def test_a_late_refusal_ends_its_stream_alone() -> None:
    """As when another session takes the market data away."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL, IBM])
        tws.notice(10197, "competing live session", tws.id_of(TICK, 0))
        assert tws.states(AAPL) == [StreamState.FAILED.value]
        assert "10197" in tws.reports[0][2]
        assert tws.states(IBM) == []
        assert not (await session.subscribe([AAPL])).refused

    played(play)


def test_all_is_asked_for_again_when_tws_has_lost_its_data() -> None:
    """1101: every stream gets a new request, and is stale until data comes."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL, key(channel=Channel.DEPTH), key(channel=Channel.BAR)])
        first = tws.id_of(TICK)
        tws.notice(1100)
        await asyncio.sleep(1.0)
        assert tws.states(AAPL) == ["stale"]
        tws.notice(1101)
        await asyncio.sleep(2.0)
        assert [tws.count(kind) for kind in (TICK, DEPTH, BARS)] == [2, 2, 2]
        assert tws.id_of(TICK) != first
        assert tws.states(AAPL) == ["stale", "active"]
        assert tws.count(CANCEL_TICK) == 0

    played(play)


def test_streams_are_kept_when_tws_has_kept_them() -> None:
    """1102: nothing is asked for again, but for what stays silent."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL, IBM])
        tws.notice(1100)
        await asyncio.sleep(1.0)
        tws.notice(1102)
        tws.say(price(1, 10.2, 1, tws.id_of(TICK, 0)))
        await asyncio.sleep(1.0)
        assert tws.states(AAPL) == ["stale", "active"]
        assert tws.count(TICK) == 2
        await asyncio.sleep(IDLE_S)
        assert tws.count(TICK) == 3
        assert tws.states(IBM) == ["stale", "active"]

    played(play)


def test_a_broken_farm_makes_silent_streams_stale() -> None:
    """2103 is no news of a stream that goes on; who is silent is stale until data comes."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL, IBM, key(channel=Channel.BAR)])
        tws.notice(2103, "Market data farm connection is broken:usfarm")
        tws.say(price(1, 10.2, 1, tws.id_of(TICK, 0)))
        await asyncio.sleep(1.0)
        assert (tws.states(AAPL), tws.states(IBM)) == ([], ["stale"])
        assert "usfarm" in tws.reports[-1][2]
        assert tws.states(key(channel=Channel.BAR)) == []
        tws.notice(2104, "Market data farm connection is OK:usfarm")
        tws.say(price(1, 10.2, 1, tws.id_of(TICK, 1)))
        await asyncio.sleep(1.0)
        assert tws.states(IBM) == ["stale", "active"]
        assert tws.count(TICK) == 2

    played(play)


def test_a_stream_that_stays_dead_after_a_farm_came_back_is_asked_for_again() -> None:
    """2104 without data: after the usual silence the stream is given back and asked afresh."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL])
        tws.notice(2103)
        await asyncio.sleep(1.0)
        tws.notice(2104)
        await asyncio.sleep(IDLE_S + 1.0)
        assert (tws.count(TICK), tws.count(CANCEL_TICK)) == (2, 1)
        assert tws.states(AAPL) == ["stale", "active"]

    played(play)


def test_a_quiet_market_is_no_dead_stream() -> None:
    """A snapshot that shows what the stream said leaves it in peace."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL])
        await asyncio.sleep(IDLE_S + 3.0)
        assert tws.count(TICK, snapshots=True) == 1
        assert tws.states(AAPL) == ["quiet"]
        assert tws.count(TICK) == 1

    played(play)


def test_a_comparison_that_tws_refuses_is_tried_ever_more_rarely() -> None:
    """With all lines in use it refuses every snapshot: a closed market is no flood of questions."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL])
        tws.refusals[TICK] = 101
        await asyncio.sleep(12 * IDLE_S)
        assert tws.count(TICK, snapshots=True) == 3
        assert tws.states(AAPL) == []
        tws.refusals.clear()
        await asyncio.sleep(12 * IDLE_S)
        assert tws.states(AAPL) == ["quiet"]

    played(play)


def test_a_stream_that_misses_a_move_is_asked_for_again() -> None:
    """A snapshot that shows another market proves that the stream is dead."""

    async def play(tws: Tws, session: StreamSession) -> None:
        await session.subscribe([AAPL])
        tws.bid = 20.0
        await asyncio.sleep(IDLE_S + 3.0)
        assert tws.states(AAPL) == ["stale", "active"]
        assert tws.ticks()[-1].bid_price_1 == 20.0

    played(play)


@pytest.mark.parametrize("channel", [Channel.DEPTH, Channel.TRADE, Channel.BAR])
def test_whatever_dies_in_silence_is_asked_for_again(channel: Channel) -> None:
    """Prints, a book, bars: snapshots between which the market moved without a word of it."""

    async def play(tws: Tws, session: StreamSession) -> None:
        stream, kind = key(channel=channel), KINDS[channel]
        tws.last = 10.5
        await session.subscribe([stream])
        await asyncio.sleep(IDLE_S + 3.0)
        assert set(tws.states(stream)) <= {"active"}, "one snapshot alone proves nothing"
        tws.bid, tws.last = 20.0, 20.5
        await asyncio.sleep(2 * IDLE_S + 4.0)
        assert tws.states(stream)[-2:] == ["stale", "active"]
        told = next(reason for _, state, reason in tws.reports if state == "stale")
        assert "stands still while its market moves" in told
        assert tws.count(kind) == 2
        await asyncio.sleep(4 * IDLE_S)
        assert tws.count(kind) == 2, "the market has not moved since"
        assert tws.states(stream)[-1] == "quiet"

    played(play)


@pytest.mark.parametrize("channel", [Channel.DEPTH, Channel.TRADE, Channel.BAR])
def test_what_has_nothing_to_tell_is_not_dead(channel: Channel) -> None:
    """A market that stands still, or moves where the stream does not look, leaves it in peace."""

    async def play(tws: Tws, session: StreamSession) -> None:
        stream = key(channel=channel)
        tws.last = 10.5
        await session.subscribe([stream])
        for step in range(30):
            if channel is not Channel.DEPTH:
                tws.bid = 10.0 + step  # quotes move, and nobody trades
            await asyncio.sleep(IDLE_S)
        assert "stale" not in tws.states(stream)
        assert tws.states(stream)[-1] == "quiet"
        assert tws.count(KINDS[channel]) == 1
        assert tws.count(TICK, snapshots=True) < 10, "it is compared ever more rarely"

    played(play)


def test_a_market_that_moved_while_its_prints_came_is_no_proof() -> None:
    """Only what moved within one silence was not told."""

    async def play(tws: Tws, session: StreamSession) -> None:
        prints = key(channel=Channel.TRADE)
        await session.subscribe([prints])
        for step in range(10):
            tws.last = 10.0 + step
            tws.say(frame(99, tws.id_of(PRINTS), 2, AT_S, tws.last, 3, 0, "ARCA", ""))
            await asyncio.sleep(IDLE_S + 3.0)
        assert tws.count(TICK, snapshots=True) >= 10
        assert "stale" not in tws.states(prints)

    played(play)


def test_bars_that_follow_the_market_by_some_seconds_are_not_dead() -> None:
    """TWS tells them every five seconds: a trade of a moment ago is in none of them yet."""

    async def play(tws: Tws, session: StreamSession) -> None:
        bars = key(channel=Channel.BAR)
        tws.last = 10.5
        await session.subscribe([bars])
        for step in range(5):
            await asyncio.sleep(2 * IDLE_S)
            tws.last = 11.0 + step
            await asyncio.sleep(5.0)
            row = (AT_S + 60, 10, 11, 12, 9, 11, 5)
            tws.say(frame(90, tws.id_of(BARS), 3, *row))
        assert tws.count(TICK, snapshots=True) >= 10
        assert "stale" not in tws.states(bars)

    played(play)


def test_prints_are_compared_with_the_ticks_of_their_contract() -> None:
    """Where those are streamed, no snapshot takes a line: all of them may be in use."""

    async def play(tws: Tws, session: StreamSession) -> None:
        prints = key(channel=Channel.TRADE)
        tws.last = 10.5
        await session.subscribe([AAPL, prints])
        for step in range(20):
            await asyncio.sleep(2.0)
            tws.say(price(4, 11.0 + step, 3, tws.id_of(TICK)))
        assert tws.states(prints)[:2] == ["stale", "active"]
        assert tws.states(AAPL) == ["active"]
        assert tws.count(TICK, snapshots=True) == 0

    played(play)


def test_bars_of_which_nothing_can_be_known_are_left_in_peace() -> None:
    """Who may not see the quotes of a market has no proof, and asks ever more rarely."""

    async def play(tws: Tws, session: StreamSession) -> None:
        bars = key(channel=Channel.BAR)
        await session.subscribe([AAPL, bars, key("IBM-USD-STK", Channel.BAR)])
        await session.unsubscribe([AAPL])
        tws.refusals[TICK] = 354
        await asyncio.sleep(12 * IDLE_S)
        assert "stale" not in tws.states(bars)
        assert tws.count(BARS) == 2
        assert tws.count(TICK, snapshots=True) == 6

    played(play)


def test_a_request_that_tws_has_lost_is_sent_again() -> None:
    """Ticks that were asked for and never began are asked for again, and then given up."""

    async def play(tws: Tws, session: StreamSession) -> None:
        tws.silent = True
        await session.subscribe([AAPL])
        await asyncio.sleep(2 * IDLE_S)
        assert tws.count(TICK) == 2
        assert tws.states(AAPL) == ["stale"]
        await asyncio.sleep(10 * IDLE_S)
        assert tws.states(AAPL) == ["stale", "failed"]
        assert tws.count(CANCEL_TICK) == tws.count(TICK) == CONFIG.stream_strikes + 1

    played(play)


def test_a_torn_book_is_asked_for_again() -> None:
    """A change that fits no row of ours: the book is given back and told whole."""

    async def play(tws: Tws, session: StreamSession) -> None:
        book = key(channel=Channel.DEPTH)
        await session.subscribe([book])
        number = tws.id_of(DEPTH)
        tws.say(frame(12, 1, number, 7, 0, 1, 10.0, 5))
        await asyncio.sleep(0.1)
        assert (tws.count(DEPTH), tws.count(CANCEL_DEPTH)) == (2, 1)
        tws.say(frame(12, 1, tws.id_of(DEPTH), 0, 0, 1, 10.0, 5))
        await asyncio.sleep(1.0)
        assert tws.states(book) == ["stale", "active"]

    played(play)


def test_a_book_that_tws_resets_begins_anew() -> None:
    """317: the rows that were told are void, and new ones follow."""

    async def play(tws: Tws, session: StreamSession) -> None:
        book = key(channel=Channel.DEPTH)
        await session.subscribe([book])
        number = tws.id_of(DEPTH)
        tws.say(frame(12, 1, number, 0, 0, 1, 10.0, 5))
        tws.notice(317, "Market depth data has been RESET", number)
        tws.say(frame(12, 1, number, 0, 0, 1, 9.0, 5))
        assert tws.events[-1].data.bids == ((9.0, 5.0),)  # type: ignore[attr-defined]
        assert tws.states(book) == []

    played(play)


def test_prints_are_not_asked_for_too_soon() -> None:
    """TWS refuses the prints of a contract that it was asked for less than 15 s ago."""

    async def play(tws: Tws, session: StreamSession) -> None:
        prints = key(channel=Channel.TRADE)
        await session.subscribe([prints])
        tws.notice(1101)
        await asyncio.sleep(10.0)
        assert tws.count(PRINTS) == 1
        await asyncio.sleep(6.0)
        assert tws.count(PRINTS) == 2

    played(play)


def test_a_stream_given_back_while_it_is_asked_for_is_gone() -> None:
    """Whoever changes his mind leaves no request behind."""

    async def play(tws: Tws, session: StreamSession) -> None:
        tws.silent = True
        asking = asyncio.ensure_future(session.subscribe([AAPL]))
        await asyncio.sleep(0.1)
        await session.unsubscribe([AAPL])
        outcome = await asking
        assert not outcome.refused
        assert tws.count(CANCEL_TICK) == 1
        await asyncio.sleep(3 * IDLE_S)
        assert tws.count(TICK) == 1

    played(play)
