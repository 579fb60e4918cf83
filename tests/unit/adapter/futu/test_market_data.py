"""The streaming session: asked for, told apart, watched, given back."""

from __future__ import annotations

import asyncio

import pytest

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.market_data import StreamSession
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.futu.slots import BarSlot
from foxtrot.errors import SubscriptionRefused, UnknownSymbol, VenueUnavailable
from foxtrot.model.constants import Channel, Lane
from foxtrot.model.objects import BarData, MarketTradeData
from tests.support.futu_feed import AT_S, SECURITY, SOURCE, as_read, bars, book, prints
from tests.support.futu_opend import Opend, key, played

TENCENT, ALIBABA, HSBC = key("00700"), key("09988"), key("00005")


def test_many_contracts_are_one_request() -> None:
    """The book is asked for with the quote and comes first, so that no tick lacks it."""

    async def play(opend: Opend, session: StreamSession) -> None:
        outcome = await session.subscribe([TENCENT, ALIBABA, HSBC])
        assert not outcome.refused
        ((proto, c2s),) = opend.asked
        assert (proto, list(c2s.subTypeList)) == (Proto.Qot_Sub, [2, 1])
        assert (c2s.isRegOrUnRegPush, c2s.isFirstPush) == (True, True)
        await asyncio.sleep(0.1)
        assert len(opend.ticks()) == 3

    assert played(StreamSession, play).received == 3


def test_one_refused_contract_leaves_the_others() -> None:
    """OpenD refuses a request as a whole; the one that is to blame is found."""

    async def play(opend: Opend, session: StreamSession) -> None:
        opend.refusals["09988"] = "没有HK.09988的行情权限"
        unknown = key("99999")
        outcome = await session.subscribe([TENCENT, ALIBABA, HSBC, unknown])
        assert set(outcome.refused) == {ALIBABA, unknown}
        assert isinstance(outcome.refused[ALIBABA], SubscriptionRefused)
        assert isinstance(outcome.refused[unknown], UnknownSymbol)
        assert opend.pushed == {(code, kind) for code in ("00700", "00005") for kind in (1, 2)}

    played(StreamSession, play)


def test_a_quota_that_is_used_up_refuses_whole_streams() -> None:
    """A contract has its quote and its book, or neither; the rest of the quota is not wasted."""

    async def play(opend: Opend, session: StreamSession) -> None:
        outcome = await session.subscribe([TENCENT, ALIBABA, HSBC])
        assert list(outcome.refused) == [HSBC]
        assert "额度不足" in str(outcome.refused[HSBC])
        assert {code for code, _ in opend.pushed} == {"00700", "09988"}

    played(StreamSession, play, quota=5)


def test_without_the_right_to_a_book_there_are_ticks() -> None:
    """The user is told that they lack bid and ask; a stream of books is refused."""

    async def play(opend: Opend, session: StreamSession) -> None:
        opend.no_books = "没有HK.00700的摆盘权限"
        depth = key(channel=Channel.DEPTH)
        outcome = await session.subscribe([TENCENT, depth])
        assert list(outcome.refused) == [depth]
        assert opend.pushed == {("00700", 1)}
        assert [str(error) for error in opend.errors] == [str(outcome.refused[depth])]

    played(StreamSession, play)


def test_what_is_not_answered_is_not_refused() -> None:
    """It is asked for again by who wants it."""

    async def play(opend: Opend, session: StreamSession) -> None:
        opend.mute.add(Proto.Qot_Sub)
        outcome = await session.subscribe([TENCENT])
        assert outcome.unanswered == {TENCENT}
        opend.mute.clear()
        opend.push()
        assert not (await session.subscribe([TENCENT])).unanswered

    played(StreamSession, play)


def test_a_stream_is_given_back_at_once_and_its_quota_after_a_minute() -> None:
    """OpenD takes nothing back earlier; until then it pushes nothing of it."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT, ALIBABA])
        await asyncio.sleep(10.0)
        await session.unsubscribe([TENCENT])
        assert {code for code, _ in opend.pushed} == {"09988"}
        assert len(opend.book.held(1)) == 4
        await asyncio.sleep(55.0)
        assert {code for code, _ in opend.book.held(1)} == {"09988"}
        ends = [c2s for proto, c2s in opend.asked if proto is Proto.Qot_Sub]
        assert len([c2s for c2s in ends if not c2s.isSubOrUnSub]) == 2  # once for each part

    played(StreamSession, play)


def test_a_stream_wanted_again_within_the_minute_is_kept() -> None:
    """Nothing of it is given back later."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await session.unsubscribe([TENCENT])
        await session.subscribe([TENCENT])
        await asyncio.sleep(120.0)
        assert opend.pushed == {("00700", 1), ("00700", 2)}

    played(StreamSession, play)


def test_a_book_that_ticks_need_stays() -> None:
    """Who gives depth back takes nothing from the ticks of the contract."""

    async def play(opend: Opend, session: StreamSession) -> None:
        depth = key(channel=Channel.DEPTH)
        await session.subscribe([TENCENT, depth])
        await session.unsubscribe([depth])
        await asyncio.sleep(120.0)
        assert opend.pushed == {("00700", 1), ("00700", 2)}

    played(StreamSession, play)


def test_a_stream_that_stands_still_while_its_market_moves_is_asked_for_again() -> None:
    """It is stale until data comes; when asking does not help, it has failed."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(0.1)
        opend.pushes = False
        opend.last = 613.0
        await asyncio.sleep(15.0)
        assert opend.states(TENCENT) == ["stale"]
        opend.push()
        await asyncio.sleep(2.0)
        assert opend.states(TENCENT)[-1] == "active"
        opend.last = 614.0
        await asyncio.sleep(60.0)
        assert opend.states(TENCENT)[-1] == "failed"
        assert not opend.pushed

    played(StreamSession, play)


def test_a_delisted_contract_hides_no_stream_that_stands_still() -> None:
    """OpenD refuses to look at both as long as one of them is delisted."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT, ALIBABA])
        await asyncio.sleep(0.1)
        opend.pushes = False
        opend.last = 613.0
        opend.refusals["09988"] = "未知股票 09988"
        await asyncio.sleep(15.0)
        assert opend.states(TENCENT) == ["stale"]

    played(StreamSession, play)


def test_a_contract_that_opend_does_not_show_uses_up_no_window() -> None:
    """It is subscribed and silent; it is asked for ever more rarely, as one of a quiet market."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        opend.refusals["00700"] = "未知股票 00700"
        await asyncio.sleep(120.0)
        assert opend.kinds()[Proto.Qot_GetSecuritySnapshot] < 6
        opend.refusals.clear()
        opend.volume += 1
        await asyncio.sleep(120.0)
        assert "stale" in opend.states(TENCENT)

    played(StreamSession, play)


async def _quotes_go_on(opend: Opend, seconds: int) -> None:
    """Somebody trades every second, at a price that moves neither bid nor ask."""
    for _ in range(seconds):
        opend.volume += 1
        opend.push()
        await asyncio.sleep(1.0)


def test_a_book_that_dies_beside_quotes_is_found() -> None:
    """The ticks are stale until it is back, though quotes come; when it stays away, failed."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        opend.push_book()
        await _quotes_go_on(opend, 15)
        assert opend.states(TENCENT) == ["active"]
        opend.touch = 612.0, 612.5
        await _quotes_go_on(opend, 12)
        assert opend.states(TENCENT)[-1] == "stale"
        assert "books" in opend.reports[-1][2]
        assert opend.kinds()[Proto.Qot_Sub] == 2
        opend.push_book()
        await _quotes_go_on(opend, 15)
        assert opend.states(TENCENT)[-1] == "active"
        opend.touch = 613.0, 613.5
        await _quotes_go_on(opend, 60)
        assert opend.states(TENCENT)[-2:] == ["stale", "failed"]
        assert not opend.pushed

    played(StreamSession, play)


def test_a_book_without_its_subscription_is_found() -> None:
    """OpenD forgot the book alone: no price need move to show it."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        opend.push_book()
        opend.book.remove(1, [("00700", 2)], asyncio.get_running_loop().time() + 100.0)
        opend.pushed.discard(("00700", 2))
        await _quotes_go_on(opend, 13)
        assert opend.states(TENCENT)[-1] == "stale"
        assert ("00700", 2) in opend.pushed

    played(StreamSession, play)


@pytest.mark.parametrize("touch", [(611.5, 612.0), (611.0, 611.5), (0.0, 0.0)])
def test_a_book_that_nobody_moves_is_no_dead_one(touch: tuple[float, float]) -> None:
    """Neither beside quotes nor where snapshots know other exchanges, or show no bid and ask."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        opend.push_book()
        opend.touch = touch
        await _quotes_go_on(opend, 200)
        assert opend.states(TENCENT) == ["active"]
        assert opend.kinds()[Proto.Qot_GetSecuritySnapshot] < 8

    played(StreamSession, play)


def test_a_quiet_market_does_not_hide_a_dead_book() -> None:
    """Nobody trades, so quotes stand still by right; bid and ask do not."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        opend.push_book()
        await asyncio.sleep(15.0)
        assert opend.states(TENCENT) == ["quiet"]
        opend.touch = 612.0, 612.5
        await asyncio.sleep(30.0)
        assert opend.states(TENCENT)[-1] == "stale"

    played(StreamSession, play)


def test_a_quiet_market_is_left_in_peace() -> None:
    """The snapshot says what the stream said last."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(30.0)
        assert opend.states(TENCENT) == ["quiet"]
        assert opend.kinds()[Proto.Qot_Sub] == 1

    played(StreamSession, play)


def test_a_subscription_that_opend_forgot_is_found() -> None:
    """Though the market stands still, so that no price shows it."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(1.0)
        opend.forget()
        await asyncio.sleep(15.0)
        assert "stale" in opend.states(TENCENT)
        assert ("00700", 1) in opend.pushed

    played(StreamSession, play)


def test_a_stream_whose_right_was_lost_does_not_look_alive() -> None:
    """Another device took the right to quotes: OpenD neither pushes nor shows the contract."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(1.0)
        opend.forget()
        opend.refusals["00700"] = "没有HK.00700的行情权限"
        await asyncio.sleep(120.0)
        assert opend.states(TENCENT) == ["stale", "failed"]

    played(StreamSession, play)


def test_streams_are_stale_while_opend_lacks_its_servers() -> None:
    """The line to OpenD stands; when the servers are back, everything is asked for again."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT, ALIBABA])
        await asyncio.sleep(1.0)
        opend.servers(up=False)
        await asyncio.sleep(60.0)
        assert opend.states(TENCENT)[-1] == "stale"
        assert isinstance(opend.errors[-1], VenueUnavailable)
        opend.forget()
        opend.servers(up=True)
        await asyncio.sleep(1.0)
        assert opend.states(TENCENT)[-1] == opend.states(ALIBABA)[-1] == "active"
        assert len(opend.pushed) == 4

    counters = played(StreamSession, play)
    assert counters.control == 2


def test_a_stream_that_an_outage_has_cost_is_not_called_active_and_costs_no_other() -> None:
    """OpenD forgot all of them and refuses one: that one has failed, the other is pushed."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT, ALIBABA])
        await asyncio.sleep(1.0)
        opend.servers(up=False)
        await asyncio.sleep(10.0)
        opend.forget()
        opend.refusals["09988"] = "没有HK.09988的行情权限"
        opend.servers(up=True)
        await asyncio.sleep(1.0)
        assert (opend.states(TENCENT)[-1], opend.states(ALIBABA)[-1]) == ("active", "failed")
        assert opend.pushed == {("00700", 1), ("00700", 2)}

    played(StreamSession, play)


def test_a_book_whose_right_an_outage_has_cost_is_not_shown() -> None:
    """Quotes come again; bid and ask of before do not stand beside them as if they were live."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(1.0)
        opend.sinks[Proto.Qot_UpdateOrderBook](as_read(book([(611.5, 100)], [(612.0, 200)])))
        assert opend.ticks()[-1].bid_price_1 == 611.5
        opend.servers(up=False)
        await asyncio.sleep(10.0)
        opend.forget()
        opend.no_books = "没有HK.00700的摆盘权限"
        opend.servers(up=True)
        await asyncio.sleep(1.0)
        tick = opend.ticks()[-1]
        assert (tick.bid_price_1, tick.ask_price_1, tick.last_price) == (0.0, 0.0, 612.0)
        assert opend.states(TENCENT)[-1] == "active"

    played(StreamSession, play)


def test_a_right_that_changed_is_heeded_at_once() -> None:
    """A book that another device took is not shown beside quotes that go on; books have failed."""

    async def play(opend: Opend, session: StreamSession) -> None:
        depth = key(channel=Channel.DEPTH)
        await session.subscribe([TENCENT, ALIBABA, depth])
        await asyncio.sleep(1.0)
        opend.sinks[Proto.Qot_UpdateOrderBook](as_read(book([(611.5, 100)], [(612.0, 200)])))
        assert opend.ticks()[-1].bid_price_1 == 611.5
        opend.no_books = "没有HK.00700的摆盘权限"
        opend.rights()
        await asyncio.sleep(1.0)
        tick = next(tick for tick in reversed(opend.ticks()) if tick.symbol == "00700")
        assert (tick.bid_price_1, tick.last_price) == (0.0, 612.0)
        assert opend.states(TENCENT) == ["active"]
        assert opend.states(depth) == ["failed"]

    played(StreamSession, play)


@pytest.mark.parametrize("rights", [False, True])
def test_servers_that_are_lost_before_all_is_asked_for_anew_are_lost(rights: bool) -> None:
    """A line that flaps, or a right that went with them: streams are not told as live."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(1.0)
        if rights:
            opend.rights()
        else:
            opend.servers(up=False)
            await asyncio.sleep(10.0)
            opend.servers(up=True)
        opend.servers(up=False)
        await asyncio.sleep(60.0)
        assert opend.states(TENCENT)[-1] == "stale"
        opend.servers(up=True)
        await asyncio.sleep(1.0)
        assert opend.states(TENCENT)[-1] == "active"

    played(StreamSession, play)


def test_a_stream_goes_on_where_an_earlier_session_left_it() -> None:
    """Prints and bars of the time between are asked for, and told before the next push."""

    async def play(opend: Opend, session: StreamSession) -> None:
        tape, minutes = key(channel=Channel.TRADE), key(channel=Channel.BAR)
        opend.marks.of(tape).number, opend.marks.of(tape).event_ns = 1, int(AT_S) * 10**9
        slot = BarSlot(minutes, SOURCE, SECURITY, opend.marks.of(minutes), Lane.BOUNDED)
        (row,) = bars((1, 611.0)).klList
        slot.mark.moving = mapping.bar(row, SOURCE, slot.interval, closed=False)
        assert not (await session.subscribe([tape, minutes])).refused
        assert opend.pushed == {("00700", 4), ("00700", 11)}
        opend.sinks[Proto.Qot_UpdateTicker](prints((4, 613.0, 9)))
        opend.sinks[Proto.Qot_UpdateKL](bars((4, 613.0)))
        told = [event.data for event in opend.events]
        assert [each.tradeid for each in told if isinstance(each, MarketTradeData)] == list("234")
        closed = [each for each in told if isinstance(each, BarData) and each.closed]
        assert [each.datetime.timestamp() - AT_S for each in closed] == [0.0, 60.0, 120.0]
        assert {each.close_price for each in closed} == {612.0}

    played(StreamSession, play)


def test_the_quotas_are_asked_for_after_a_change_and_once_a_minute() -> None:
    """Other programs use them too; what OpenD does not tell is unknown, and ends no session."""

    async def play(opend: Opend, session: StreamSession) -> None:
        await session.subscribe([TENCENT])
        await asyncio.sleep(3.0)
        assert left(opend) == (98, 100)
        opend.quota = 50
        asked = len(opend.asked_of_quota)
        await asyncio.sleep(62.0)
        assert left(opend) == (48, 50)
        assert len(opend.asked_of_quota) == asked + 2
        opend.mute.add(Proto.Qot_RequestHistoryKLQuota)
        await asyncio.sleep(75.0)
        assert opend.venue.quota is None
        opend.mute.clear()
        await asyncio.sleep(62.0)
        assert left(opend) == (48, 50)

    played(StreamSession, play)


def left(opend: Opend) -> tuple[int, int]:
    """What is known to be left of the quotas."""
    quota = opend.venue.quota
    assert quota is not None
    return quota.subscriptions_left, quota.past_left
