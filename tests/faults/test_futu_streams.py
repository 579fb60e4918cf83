"""Futu's streams: refused one by one, beyond the quota, lost by OpenD, dead in silence, garbled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from foxtrot.adapter.futu import market_data
from foxtrot.adapter.futu.sdk import sdk
from foxtrot.model.constants import Channel, Mode, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.objects import MarketTradeData
from foxtrot.simulator.futu_schema import Proto
from tests.support.faults import prices_of
from tests.support.futu_house import (
    ANY_NUMBER,
    BABA,
    STREAMER,
    TENCENT,
    House,
    hasten,
    living,
    standing,
)
from tests.support.house import WATCHFUL, everything, healed, kept, lost, served
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig

LIVE = StreamState.ACTIVE, StreamState.QUIET
CHANNELS = "quote", "order_book", "ticker", "kline"
HOSTILE = 6
"""Numbers of the simulator that are none."""

AGAIN = replace(WATCHFUL, refused_retry_s=0.3)
"""What was refused is asked for again soon."""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The SDK's network thread lives as long as the process, so it is there before all else."""
    sdk()


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    hasten(monkeypatch)


@pytest.fixture
def house() -> Iterator[House]:
    """An OpenD whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """All channels of three stocks, served."""
    with living(house, config=AGAIN) as rig:
        everything(rig)
        yield rig


@pytest.mark.parametrize(
    ("text", "words"),
    [("股票行情订阅失败", "股票行情订阅失败"), ("没有HK.09988的行情权限", "行情权限")],
    ids=["refused", "no right"],
)
def test_one_refused_stream_leaves_the_others(house: House, text: str, words: str) -> None:
    """F61: the user reads why, the stock is polled, the rest flows; it is had when it may be."""
    house.faults.inject("error_ack", request="subscribe", symbol="HK.09988", body=text, count=0)
    with living(house, config=AGAIN) as rig:
        rig.subscribe(TENCENT)
        rig.subscribe(BABA)
        rig.connect()
        assert words in rig.wait_stream(BABA, StreamState.POLLING).reason
        rig.wait_fresh(TENCENT, BABA)
        since = len(rig.log)
        house.faults.clear()
        rig.wait_stream(BABA, *LIVE, since=since)
        assert kept(rig)
        healed(rig)


def test_a_symbol_that_is_refused_on_the_way_back(house: House) -> None:
    """F53: lost and back, and one of three is refused: told, asked for again, and had at last."""
    with living(house, config=AGAIN) as rig:
        everything(rig)
        since = len(rig.log)
        refusal = {"request": "subscribe", "symbol": "HK.09988", "body": "订阅失败", "count": 0}
        house.faults.inject("error_ack", **refusal)
        house.faults.inject("rst", path=STREAMER)
        assert "订阅失败" in rig.wait_stream(BABA, StreamState.POLLING, since=since).reason
        rig.wait_state(S.DEGRADED, since=since)
        rig.wait_fresh(TENCENT, BABA)
        since = len(rig.log)
        house.faults.clear()
        rig.wait_stream(BABA, *LIVE, since=since)
        healed(rig)


def test_a_subscription_that_is_not_answered_is_asked_for_again(house: House) -> None:
    """F53: OpenD takes it and says nothing, or does not take it: nothing hangs, all flows."""
    for fault in ("request_swallowed", "ack_swallowed"):
        house.faults.inject(fault, request="subscribe", count=1)
    with living(house) as rig:
        rig.subscribe(TENCENT, *Channel)
        rig.connect()
        healed(rig)
        assert kept(rig)


def test_more_streams_than_the_quota_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """F53: the last is refused in words and polled; it is streamed once another was given back.

    A subscription lasts a minute: who is asked too early says so, and is asked again.
    """
    monkeypatch.setattr(market_data, "_LASTING_S", 0.1)
    limits = msgspec.structs.replace(ANY_NUMBER, subscriptions=2, subscribed_s=1.0)
    with standing(limits) as small, living(small, config=AGAIN) as rig:
        rig.subscribe(TENCENT)
        rig.connect()
        rig.wait_served()
        rig.subscribe(BABA)
        status = rig.wait_stream(BABA, StreamState.POLLING)
        assert "额度不足" in status.reason
        rig.wait_fresh(TENCENT, BABA)
        since = len(rig.log)
        rig.unsubscribe(TENCENT)
        rig.wait_stream(BABA, *LIVE, since=since)
        gave_back = [c2s for c2s in small.sim.seen.of(Proto.Qot_Sub) if not c2s.isSubOrUnSub]
        assert len(gave_back) > 2, "it was refused, and asked again"
        assert kept(rig)
        healed(rig)


def test_data_that_nobody_asked_for_any_more(house: House, rig: TradingRig) -> None:
    """F33: the wish to have no more pushes is lost: what still comes is counted, told to nobody."""
    house.faults.inject("request_swallowed", request="register_push", count=0)
    rig.unsubscribe(BABA)
    eventually(lambda: house.asked_of(Proto.Qot_RegQotPush) > 0, "it was asked")
    rig.settle()
    ignored, since = rig.fact("websocket.ignored"), len(rig.log)
    house.trade(BABA)
    eventually(lambda: rig.fact("websocket.ignored") > ignored, "it is counted")
    rig.wait_fresh(TENCENT)
    assert not rig.ticks(BABA, since)
    house.faults.clear()
    healed(rig)


def test_a_stream_that_dies_in_silence_is_found(house: House, rig: TradingRig) -> None:
    """F21: the market moves and one stock stands still: a snapshot shows it; it is renewed."""
    since, asked = len(rig.log), house.subscribed()
    house.faults.inject("drop_stream", symbol="HK.09988", channel="quote", count=0)
    house.trade(BABA)
    rig.wait_stream(BABA, StreamState.STALE, since=since)
    house.faults.clear("drop_stream")
    rig.wait_stream(BABA, *LIVE, since=since)
    assert set(house.subscribed() - asked) == {BABA}
    assert kept(rig)
    healed(rig)


def test_a_stream_that_stays_dead_is_polled(house: House, rig: TradingRig) -> None:
    """F21: renewed in vain: its ticks come by snapshots, the others are not touched."""
    since = len(rig.log)
    house.faults.inject("drop_stream", symbol="HK.09988", count=0)
    house.trade(BABA)
    rig.wait_stream(BABA, StreamState.POLLING, since=since)
    rig.wait_fresh(TENCENT, BABA)
    assert kept(rig)
    healed(rig)


@pytest.mark.parametrize("data_lost", [False, True])
def test_opend_loses_futus_servers(house: House, rig: TradingRig, data_lost: bool) -> None:
    """F70: every stream is stale, in words, and the line stands; back, all is asked for again."""
    since, polled = len(rig.log), house.asked_of(Proto.Qot_Sub)
    house.faults.inject("farm_down", rest=data_lost)
    assert (
        "lost Futu's quote servers"
        in rig.wait_stream(TENCENT, StreamState.STALE, since=since).reason
    )
    eventually(lambda: len(rig.streams(StreamState.STALE, since)) == 12, "all twelve are stale")
    assert house.asked_of(Proto.Qot_Sub) == polled, "nobody hammers OpenD"
    since = len(rig.log)
    house.faults.clear("farm_down")
    rig.wait_stream(TENCENT, *LIVE, since=since)
    assert kept(rig)
    healed(rig)


def test_a_login_that_somebody_else_took_over(house: House, rig: TradingRig) -> None:
    """F63: OpenD's own words reach the people, once; nobody fights for it, lines stay."""
    since = len(rig.log)
    house.faults.inject("notice", code=7, body="账号在其他地方登录")
    rig.wait_log("账号在其他地方登录", since)
    rig.wait_fresh(TENCENT)
    rig.settle()
    said = [event for event in rig.log.items[since:] if "账号在其他地方登录" in str(event.data)]
    assert len(said) == 1
    assert kept(rig)
    healed(rig)


@pytest.mark.parametrize(
    "fault", ["malformed_frame", "garbage_frame", "bad_checksum", "unknown_format"]
)
def test_one_bad_push_costs_one_push(house: House, rig: TradingRig, fault: str) -> None:
    """F31: what cannot be read, or is not what was sent, is counted; everything goes on."""
    whole = fault in ("malformed_frame", "garbage_frame")
    for channel in CHANNELS:
        place = {"symbol": "HK.00700", "channel": channel} if whole else {"path": STREAMER}
        house.faults.inject(fault, **place)
        house.trade(TENCENT)
    eventually(lambda: rig.adapter.health().malformed >= 4, "each is counted")
    assert kept(rig)
    healed(rig)


def test_an_unknown_message_is_ignored(house: House, rig: TradingRig) -> None:
    """F32: OpenD has learnt something new: nothing happens."""
    house.faults.inject("unknown_event", count=0)
    house.trade(TENCENT)
    rig.wait_fresh(TENCENT)
    assert kept(rig)
    healed(rig)


def test_a_hostile_number_is_told_to_nobody(house: House, rig: TradingRig) -> None:
    """F34: NaN, inf, -1 and their like are no prices: dropped, and the last good stays."""
    house.trade(TENCENT)
    rig.wait_flowing()
    rig.settle()
    since, (good, _) = len(rig.log), house.newest(TENCENT)
    rejected = rig.adapter.health().rejected
    for channel in CHANNELS:
        house.faults.inject("hostile_number", symbol="HK.00700", channel=channel, count=HOSTILE)
        while house.faults.faults():
            house.trade(TENCENT)
    rig.wait_fresh(TENCENT)
    rig.settle()
    for event in rig.log.items[since:]:
        told = prices_of(event.data) if getattr(event.data, "symbol", "") == TENCENT else []
        assert all(0.9 * good < price < 1.1 * good for price in told), told
    assert rig.adapter.health().rejected - rejected >= len(CHANNELS) * HOSTILE
    assert kept(rig)
    healed(rig)


def test_what_comes_twice_is_told_once(house: House, rig: TradingRig) -> None:
    """F40: every push twice: each print once, and no tick that says nothing new."""
    house.faults.inject("duplicate")
    since = len(rig.log)
    for _ in range(5):
        house.trade(TENCENT)
    rig.wait_newest(TENCENT, since)
    rig.wait_flowing()
    numbers = [each.tradeid for each in prints(rig, since)]
    assert len(numbers) == len(set(numbers)) > 0
    assert rig.fact("websocket.stale") > 0
    healed(rig)


def test_a_burst_is_told_in_full(house: House, rig: TradingRig) -> None:
    """F40: every print, once, in order."""
    tape, since = house.sim.market.trades, len(rig.log)
    before = tape("HK.00700")[-1].trade_id if tape("HK.00700") else 0
    house.faults.inject("burst", symbol="HK.00700", frames=200)
    house.trade(TENCENT)
    due = [str(each.trade_id) for each in tape("HK.00700") if each.trade_id > before]
    eventually(lambda: len(prints(rig, since)) >= len(due), "all prints are told")
    assert [each.tradeid for each in prints(rig, since)] == due
    healed(rig)


def test_prints_of_an_absence_are_told_once(house: House, rig: TradingRig) -> None:
    """F42: what was traded while nobody listened is asked for on the way back, each told once."""
    house.trade(TENCENT)
    rig.wait_flowing()
    since, last = len(rig.log), int(house.trade(TENCENT))
    eventually(lambda: str(last) in numbers_of(rig), "the line is in step")
    house.faults.inject("refuse")
    lost(rig, "rst")
    missed = [house.trade(TENCENT) for _ in range(5)]
    house.faults.clear()
    served(rig)
    told = [int(each.tradeid) for each in prints(rig, since)]
    assert set(map(int, missed)) <= set(told)
    assert told == sorted(set(told))
    healed(rig)


def test_polling_outlives_refusals(house: House) -> None:
    """F50: another program uses the snapshots up: told, waited for, polled again."""
    with living(house, {"websocket.enabled": False, "polling.interval": 0.05}) as rig:
        rig.subscribe(TENCENT)
        rig.connect()
        rig.wait_served()
        text = "获取股票快照频率太高，请求失败，每30秒最多60次。"
        house.faults.inject("error_ack", request="snapshot", body=text)
        eventually(lambda: "RateLimited" in rig.error_kinds(), "the cause is told")
        assert {stream.mode for stream in rig.adapter.health().streams} == {Mode.POLLING}
        assert S.RECONNECTING not in rig.states(Mode.POLLING.value)


def prints(rig: TradingRig, since: int) -> list[MarketTradeData]:
    """The prints that were told of one stock."""
    told = [event.data for event in rig.log.items[since:]]
    return [each for each in told if isinstance(each, MarketTradeData) and each.symbol == TENCENT]


def numbers_of(rig: TradingRig) -> list[str]:
    """Their numbers, from the beginning."""
    return [each.tradeid for each in prints(rig, 0)]
