"""Market data of the simulated OpenD: frame by frame, and with the unmodified SDK."""

from __future__ import annotations

import asyncio
import math
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from Crypto.PublicKey import RSA

from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.support import futu_sdk
from tests.support.futu_venue import running_futu
from tests.unit.simulator.futu_raw import DEADLINE_S, connected

QUOTE, BOOK, PRINTS, MINUTES = 1, 2, 4, 11
TENCENT = "HK.00700"
KEY = RSA.generate(1024).export_key().decode()


@pytest.fixture
async def venue() -> AsyncIterator[SimulatedFutu]:
    async with SimulatedFutu([TENCENT, "US.AAPL"], seed=7, rate_hz=0.0) as venue:
        yield venue


@pytest.fixture(params=["plain", "encrypted"])
def live(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[tuple[SimulatedFutu, Any]]:
    """An OpenD and the SDK's quote context, with and without ciphers."""
    pem = KEY if request.param == "encrypted" else None
    with running_futu([TENCENT, "US.AAPL"], rsa_key=pem) as venue:
        path = tmp_path / "key.pem"
        path.write_text(KEY)
        with futu_sdk.quoting(venue.port, path if pem else None) as context:
            yield venue, context
        assert venue.violations == []


def test_the_sdk_gets_all_that_it_subscribes_to(live: tuple[SimulatedFutu, Any]) -> None:
    """First pushes follow the answer; a step of the market brings quote, book and bar."""
    venue, context = live
    told = futu_sdk.listening(context)
    types = ["QUOTE", "ORDER_BOOK", "TICKER", "K_1M"]
    assert context.subscribe([TENCENT], types) == (0, None)
    assert {told.get(timeout=DEADLINE_S)[0] for _ in range(3)} == {"quote", "book", "bar"}
    seen: dict[str, Any] = {}
    for _ in range(100):
        venue.tick(TENCENT)
        if venue.on_loop(lambda: venue.market.trades(TENCENT)):
            break
    while set(seen) != {"quote", "book", "bar", "print"}:
        kind, data = told.get(timeout=DEADLINE_S)
        seen[kind] = data
    trade = seen["print"].to_dict("records")[-1]
    assert trade["type"] == "AUTO_MATCH"
    assert trade["price"] * trade["volume"] == trade["turnover"]
    assert len(seen["book"]["Bid"]) == len(seen["book"]["Ask"]) == 10
    assert seen["book"]["Bid"][0][0] < seen["book"]["Ask"][0][0]
    assert seen["quote"].iloc[0]["price_spread"] == 0.5


def test_the_sdk_asks_for_what_it_has(live: tuple[SimulatedFutu, Any]) -> None:
    """Snapshots need no subscription; the latest book, print and bar do, and OpenD says so."""
    _, context = live
    code, table = context.get_market_snapshot([TENCENT, "US.AAPL"])
    assert code == 0
    assert all(row["bid_price"] < row["ask_price"] for row in table.to_dict("records"))
    assert "请先订阅" in context.get_order_book(TENCENT)[1]
    context.subscribe([TENCENT], ["ORDER_BOOK", "K_1M"])
    assert len(context.get_order_book(TENCENT, 5)[1]["Bid"]) == 5
    assert len(context.get_cur_kline(TENCENT, 7, "K_1M")[1]) == 7
    code, info = context.query_subscription()
    assert (code, info["total_used"], info["remain"]) == (0, 2, 98)


def test_the_sdk_leaves_nothing_behind() -> None:
    """Neither a thread of a connection nor its handler of SIGINT outlives a test."""
    futu_sdk.load()  # its network thread lives as long as the process
    with running_futu([TENCENT]) as venue:
        before = set(threading.enumerate())
        with futu_sdk.quoting(venue.port) as context:
            assert context.get_global_state()[0] == 0
        left = set(threading.enumerate()) - before
        for thread in left:
            thread.join(DEADLINE_S)
        assert not any(thread.is_alive() for thread in left)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_sdk_is_refused_in_opends_words() -> None:
    """Quota, the one-minute rule, an unknown stock, and a snapshot too many."""
    limits = FutuLimits(subscriptions=2, snapshot=1)
    with running_futu(limits=limits) as venue, futu_sdk.quoting(venue.port) as context:
        context.subscribe([TENCENT], ["QUOTE", "ORDER_BOOK"])
        full = context.subscribe(["US.AAPL"], ["QUOTE"])
        assert full == (-1, "订阅额度不足，订阅失败，已用订阅额度：2/2")
        young = context.unsubscribe([TENCENT], ["QUOTE"])
        assert young == (-1, "HK.00700的Basic订阅时间过短，至少需要订阅1分钟")
        assert context.get_market_snapshot(["HK.99999"])[0] == -1
        code, words = context.get_market_snapshot([TENCENT])
        assert code == -1
        assert "频率太高" in words


async def test_pushes_go_to_who_registered_for_them(venue: SimulatedFutu) -> None:
    """A subscription without pushes can be asked and is silent; who has none hears nothing."""
    async with connected(venue) as one, connected(venue) as other:
        await one.subscribe(QUOTE)
        await other.ask(
            Proto.Qot_Sub,
            securityList=[{"market": 1, "code": "00700"}],
            subTypeList=[QUOTE],
            isSubOrUnSub=True,
        )
        venue.tick(TENCENT)
        assert (await one.read())[0] == Proto.Qot_UpdateBasicQot
        asked = await other.ask(
            Proto.Qot_GetBasicQot, securityList=[{"market": 1, "code": "00700"}]
        )
        assert len(asked.s2c.basicQotList) == 1
        assert other.pushed == []


@pytest.mark.parametrize(
    ("proto", "field", "rows"),
    [
        (Proto.Qot_GetKL, "reqNum", "klList"),
        (Proto.Qot_GetTicker, "maxRetNum", "tickerList"),
        (Proto.Qot_GetOrderBook, "num", "orderBookBidList"),
    ],
)
async def test_who_asks_for_nothing_gets_nothing(
    venue: SimulatedFutu, proto: Proto, field: str, rows: str
) -> None:
    """None is none, and fewer than none is refused in words."""
    async with connected(venue) as client:
        await client.subscribe(QUOTE, BOOK, PRINTS, MINUTES)
        venue.tick(TENCENT, 50)
        kind = {"rehabType": 1, "klType": 1} if proto is Proto.Qot_GetKL else {}
        asked = {"security": {"market": 1, "code": "00700"}, **kind}
        none = await client.ask(proto, **asked, **{field: 0})
        assert (none.retType, len(getattr(none.s2c, rows))) == (0, 0)
        less = await client.ask(proto, **asked, **{field: -3})
        assert (less.retType, less.retMsg) == (-1, "请求数量错误")


async def test_after_the_end_of_a_subscription_nothing_comes() -> None:
    """It is ended, and the quota is free."""
    limits = FutuLimits(subscribed_s=0.0)
    venue = SimulatedFutu([TENCENT], rate_hz=0.0, limits=limits)
    async with venue, connected(venue) as client:
        await client.subscribe(QUOTE, BOOK)
        ended = await client.ask(Proto.Qot_Sub, isSubOrUnSub=False, isUnsubAll=True)
        venue.tick(TENCENT)
        info = await client.ask(Proto.Qot_GetSubInfo, isReqAllConn=True)
    assert ended.retType == 0
    assert info.s2c.totalUsedQuota == 0
    assert client.pushed == []


async def test_prints_of_the_past_are_told_as_such(venue: SimulatedFutu) -> None:
    """Who subscribes gets the last ones again, with the same sequence numbers."""
    venue.wake(TENCENT)
    venue.tick(TENCENT, 100)
    last = [trade.trade_id for trade in venue.market.trades(TENCENT)][-10:]
    async with connected(venue) as client:
        await client.subscribe(PRINTS, first=True)
        told = client.parsed(await client.read()).s2c.tickerList
    assert [row.sequence for row in told] == last
    assert {row.pushDataType for row in told} == {3}


async def test_times_are_epochs_and_the_texts_are_of_the_markets_zone(venue: SimulatedFutu) -> None:
    """The same moment reads as Hong Kong's time here and as New York's there."""
    async with connected(venue) as client:
        rows = {}
        for market, code in ((1, "00700"), (11, "AAPL")):
            snapshot = await client.ask(
                Proto.Qot_GetSecuritySnapshot, securityList=[{"market": market, "code": code}]
            )
            rows[code] = snapshot.s2c.snapshotList[0].basic
    assert abs(rows["00700"].updateTimestamp - rows["AAPL"].updateTimestamp) < DEADLINE_S
    assert rows["00700"].updateTime[:13] != rows["AAPL"].updateTime[:13]


@pytest.mark.parametrize(("name", "count"), [("silent", 0), ("drop_stream", 0), ("duplicate", 2)])
async def test_a_stream_is_lost_or_doubled(venue: SimulatedFutu, name: str, count: int) -> None:
    """The connection stands, and answers."""
    async with connected(venue) as client:
        await client.subscribe(QUOTE)
        venue.faults.inject(name, symbol=TENCENT, channel="quote")
        venue.tick(TENCENT)
        await client.ask(Proto.KeepAlive, time=1)
    assert [raw[0] for raw in client.pushed] == [Proto.Qot_UpdateBasicQot] * count


async def test_a_push_that_cannot_be_read(venue: SimulatedFutu) -> None:
    """Garbage, an unknown message, a cut one: each with a checksum that fits, then good ones."""
    async with connected(venue) as client:
        await client.subscribe(PRINTS, QUOTE)
        for name in ("garbage_frame", "unknown_event", "malformed_frame", "hostile_number"):
            venue.faults.inject(name, channel="quote")
        venue.tick(TENCENT, 2)
        await client.ask(Proto.KeepAlive, time=1)
    told = [raw for raw in client.pushed if raw[0] != Proto.Qot_UpdateTicker]
    assert [raw[0] for raw in told] == [3005, 3999, 3005, 3005]
    assert not math.isnan(client.parsed(told[-1]).s2c.basicQotList[0].curPrice)


async def test_a_hostile_number_takes_the_place_of_a_price(venue: SimulatedFutu) -> None:
    """NaN first, or what is wanted; a text that is no number is NaN."""
    async with connected(venue) as client:
        await client.subscribe(QUOTE)
        venue.faults.inject("hostile_number")
        venue.tick(TENCENT)
        assert math.isnan(client.parsed(await client.read()).s2c.basicQotList[0].curPrice)
        venue.faults.inject("hostile_number", body="-5")
        venue.tick(TENCENT)
        assert client.parsed(await client.read()).s2c.basicQotList[0].curPrice == -5
        venue.faults.inject("hostile_number", body="many")
        venue.tick(TENCENT)
        assert math.isnan(client.parsed(await client.read()).s2c.basicQotList[0].curPrice)


async def test_opend_tells_that_it_lost_its_servers(venue: SimulatedFutu) -> None:
    """Those who want to know hear of it, and of the return; the global state says it, too."""
    async with connected(venue) as client:
        venue.faults.inject("farm_down", rest=True)
        lost = client.parsed(await client.read())
        assert not lost.s2c.connectStatus.qotLogined
        state = await client.ask(Proto.GetGlobalState, userID=0)
        assert not state.s2c.qotLogined
        venue.faults.clear("farm_down")
        back = client.parsed(await client.read())
        assert back.s2c.connectStatus.qotLogined


async def test_a_restart_ends_every_line_and_lets_nobody_in(venue: SimulatedFutu) -> None:
    """Until it is over."""
    async with connected(venue) as client:
        venue.faults.inject("restart", seconds=60)
        assert await client.ended() == b""
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, BrokenPipeError)):
            async with connected(venue):
                pass
