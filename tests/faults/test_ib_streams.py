"""IB's streams: lost with the farm or with IB, refused one by one, dead in silence, unreadable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from foxtrot.adapter.ib import market_data
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.events import EVENT_STREAM
from foxtrot.model.health import StreamStatus
from foxtrot.model.objects import MarketTradeData
from foxtrot.simulator.ib_requests import ReqMktData
from tests.support.faults import prices_of
from tests.support.house import everything, healed, kept, ready, served
from tests.support.ib_house import (
    AAPL,
    MSFT,
    House,
    hasten,
    living,
    standing,
)
from tests.support.rig import WAIT_S, eventually
from tests.support.trading_rig import TradingRig

REFUSALS = [
    (101, "Max number of tickers has been reached", "market data lines"),
    (354, "Requested market data is not subscribed.", "set market_data to delayed"),
    (420, "Invalid Real-time Query:No market data permissions", "API"),
    (10089, "Requested market data requires additional subscription for API.", "subscription"),
    (10168, "Requested market data is not subscribed.", "delayed data is switched off"),
    (10197, "No market data during competing live session", "another session of this login"),
]
HOSTILE = 7
"""Numbers of the simulator that are none; more unreadable ones a minute would cost the line."""

LIVE = frozenset({StreamState.ACTIVE, StreamState.QUIET})


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    hasten(monkeypatch)


@pytest.fixture
def house() -> Iterator[House]:
    """A gateway whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """All channels of three contracts, served."""
    with living(house) as rig:
        everything(rig)
        yield rig


def test_tws_lost_ib_and_its_data(house: House, rig: TradingRig) -> None:
    """F71: after 1101 each stream is asked for again, once, on the line that stands."""
    since, asked = len(rig.log), len(house.asked())
    house.faults.inject("notice", code=1100)
    assert "1100" in rig.wait_stream(AAPL, StreamState.STALE, since=since).reason
    eventually(lambda: len(rig.streams(StreamState.STALE, since)) == 12, "all twelve are stale")
    house.faults.inject("notice", code=1101)
    eventually(lambda: len(house.asked()) - asked >= 12, "they are asked for again")
    served(rig)
    assert set(Counter(house.asked()[asked:]).values()) == {1}
    assert kept(rig)
    healed(rig)


def test_tws_lost_what_was_asked_for_a_moment_ago(
    house: House, rig: TradingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F71: prints that nobody confirmed yet are asked for again after 1101 as all others are."""
    monkeypatch.setattr(market_data, "_SOON_S", 1.0)
    rig.unsubscribe(MSFT, Channel.TRADE)
    served(rig)
    asked = len(house.asked())
    rig.subscribe(MSFT, Channel.TRADE)
    eventually(lambda: len(house.asked()) > asked, "they are asked for")
    house.faults.inject("notice", code=1101)
    eventually(lambda: len(house.asked()) - asked >= 13, "everything is, again")
    assert kept(rig)
    healed(rig)


def test_tws_lost_ib_and_kept_its_data(house: House, rig: TradingRig) -> None:
    """F71: after 1102 no stream is asked for again; those that flow are active."""
    since, asked = len(rig.log), len(house.asked())
    house.faults.inject("notice", code=1100)
    eventually(lambda: len(rig.streams(StreamState.STALE, since)) == 12, "all twelve are stale")
    house.faults.inject("notice", code=1102)
    for symbol in house.symbols:
        house.trade(symbol)
    served(rig)
    assert house.asked()[asked:] == []
    assert kept(rig)
    healed(rig)


@pytest.mark.parametrize("data_lost", [False, True])
def test_a_farm_blinks(house: House, rig: TradingRig, data_lost: bool) -> None:
    """F70: 2103, 2104: streams that stay silent are asked for again, those that flow are not."""
    since, asked = len(rig.log), len(house.asked())
    house.faults.inject("farm_down", rest=data_lost)
    assert "2103" in rig.wait_stream(AAPL, StreamState.STALE, since=since).reason
    since = len(rig.log)
    house.faults.clear("farm_down")
    if not data_lost:
        for symbol in house.symbols:
            house.trade(symbol)
    rig.wait_stream(AAPL, *LIVE, since=since)
    served(rig)
    again = {key for key in house.asked()[asked:] if key.channel is Channel.TICK}
    assert len(again) == (3 if data_lost else 0)
    assert kept(rig)
    healed(rig)


def test_a_farm_that_stays_down(house: House) -> None:
    """F70: its streams are stale and stay wanted, and nobody hammers TWS; then all flows."""
    with living(house, {"liveness.stream_idle_s": 0.2}) as rig:
        everything(rig)
        since, asked = len(rig.log), len(house.asked())
        house.faults.inject("farm_down")
        rig.wait_stream(AAPL, StreamState.STALE, since=since)
        house.move(AAPL)
        before = snapshots(house)
        eventually(lambda: snapshots(house) - before >= 2, "the way around is tried")
        assert len(house.asked()) == asked
        assert kept(rig)
        healed(rig)


def snapshots(house: House) -> int:
    """How often a snapshot was asked for."""
    return sum(each.snapshot for each in house.sim.seen.of(ReqMktData))


def test_a_farm_that_is_down_at_the_start(house: House) -> None:
    """F70: READY is not said of data that cannot come; once the farm is back, it does."""
    house.faults.inject("farm_down")
    with living(house) as rig:
        rig.subscribe(AAPL)
        rig.connect()
        rig.wait_stream(AAPL, StreamState.STALE, since=0)
        healed(rig)


@pytest.mark.parametrize(("code", "text", "words"), REFUSALS)
def test_one_refused_stream_leaves_the_others(
    house: House, code: int, text: str, words: str
) -> None:
    """F61: the user reads why, per symbol; the rest flows, and it comes when it may."""
    house.faults.inject("error_ack", request="market_data", symbol="MSFT", code=code, body=text)
    house.faults.inject(
        "error_ack", request="market_data", symbol="MSFT", code=code, body=text, count=0
    )
    with living(house) as rig:
        rig.subscribe(AAPL)
        rig.subscribe(MSFT)
        rig.connect()
        reason = rig.wait_stream(MSFT, StreamState.FAILED, since=0).reason
        assert str(code) in reason
        assert words in reason
        ready(rig)
        rig.wait_fresh(AAPL)
        assert kept(rig)
        house.faults.clear()
        rig.unsubscribe(MSFT)
        rig.subscribe(MSFT)
        healed(rig)


@pytest.mark.parametrize("code", [10197, 354])
def test_a_stream_that_ends_later_is_told_and_asked_for_again(
    house: House, rig: TradingRig, code: int
) -> None:
    """F63: a phone took the data, or a subscription ran out: that one is FAILED in words."""
    since = len(rig.log)
    house.end_stream(MSFT, code, "No market data")
    assert str(code) in rig.wait_stream(MSFT, StreamState.FAILED, since=since).reason
    rig.wait_fresh(AAPL)
    assert kept(rig)
    rig.unsubscribe(MSFT)
    rig.subscribe(MSFT)
    healed(rig)


def test_more_lines_than_there_are(house: House) -> None:
    """F53: the fourth book is refused in words, and three books flow."""
    with living(house) as rig:
        for symbol in (*house.symbols, "NVDA-USD-STK"):
            rig.subscribe(symbol, Channel.DEPTH)
        rig.connect()
        rig.log.wait_type(
            EVENT_STREAM,
            WAIT_S,
            where=lambda told: (
                isinstance(told, StreamStatus)
                and told.symbol == "NVDA-USD-STK"
                and "all 3 market depths are in use" in told.reason
            ),
        )
        rig.unsubscribe("NVDA-USD-STK", Channel.DEPTH)
        healed(rig)


def test_a_stream_that_dies_in_silence_is_found(house: House, rig: TradingRig) -> None:
    """F21: the market moves and one stream stands still: a snapshot shows it; it is renewed."""
    since, asked = len(rig.log), len(house.asked())
    house.faults.inject("drop_stream", symbol="MSFT", channel="market_data")
    house.trade(MSFT)
    rig.wait_stream(MSFT, StreamState.STALE, since=since)
    house.faults.clear("drop_stream")
    rig.wait_stream(MSFT, *LIVE, since=since)
    assert {key.symbol for key in house.asked()[asked:]} == {MSFT}
    assert kept(rig)
    healed(rig)


@pytest.mark.parametrize(
    ("channel", "name"),
    [(Channel.DEPTH, "depth"), (Channel.TRADE, "tick_by_tick"), (Channel.BAR, "history")],
)
def test_a_book_prints_or_bars_that_die_in_silence_are_found(
    house: House, rig: TradingRig, channel: Channel, name: str
) -> None:
    """F21: its ticks move and one of these stands still: it is told, and that one is renewed."""
    since, asked = len(rig.log), len(house.asked())
    house.faults.inject("drop_stream", symbol="MSFT", channel=name, count=0)

    def found() -> bool:
        house.trade(MSFT)
        return any(told.channel is channel for told in rig.streams(StreamState.STALE, since))

    eventually(found, "it is told as stale")
    house.faults.clear("drop_stream")
    assert {each.symbol for each in rig.streams(StreamState.STALE, since)} == {MSFT}
    eventually(lambda: len(house.asked()) > asked, "it is asked for again")
    assert {(key.symbol, key.channel) for key in house.asked()[asked:]} == {(MSFT, channel)}
    assert kept(rig)
    healed(rig)


def test_a_feed_that_died_in_silence(house: House, rig: TradingRig) -> None:
    """F20: no ticks come though the market moves: every stream of them is found stale."""
    since = len(rig.log)
    house.faults.inject("drop_stream", channel="market_data", count=0)
    for symbol in house.symbols:
        house.trade(symbol)
    for symbol in house.symbols:
        rig.wait_stream(symbol, StreamState.STALE, since=since)
    healed(rig)


@pytest.mark.parametrize("fault", ["malformed_frame", "garbage_frame"])
def test_one_bad_message_costs_one_message(house: House, rig: TradingRig, fault: str) -> None:
    """F31: what cannot be read is counted, and everything goes on."""
    for channel in ("market_data", "depth", "tick_by_tick", "history"):
        house.faults.inject(fault, symbol="AAPL", channel=channel)
        house.trade(AAPL)
    eventually(lambda: rig.adapter.health().malformed >= 4, "each is counted")
    assert kept(rig)
    healed(rig)


def test_an_unknown_message_is_ignored(house: House, rig: TradingRig) -> None:
    """F32: TWS has learnt something new: nothing happens."""
    house.faults.inject("unknown_event", count=0)
    house.trade(AAPL)
    rig.wait_fresh(AAPL)
    assert kept(rig)
    healed(rig)


def test_a_hostile_number_is_told_to_nobody(house: House, rig: TradingRig) -> None:
    """F34: NaN, inf, -1, 1e400 and their like are no prices: dropped, and the last good stays."""
    house.trade(AAPL)
    rig.wait_flowing()
    rig.settle()
    since, (good, _) = len(rig.log), house.newest(AAPL)
    for channel in ("market_data", "depth", "tick_by_tick", "history"):
        house.faults.inject("hostile_number", symbol="AAPL", channel=channel, count=HOSTILE)
        while house.faults.faults():
            house.move(AAPL)
    rig.wait_fresh(AAPL)
    rig.settle()
    for event in rig.log.items[since:]:
        told = prices_of(event.data) if getattr(event.data, "symbol", "") == AAPL else []
        assert all(0.9 * good < price < 1.1 * good for price in told), told
    assert kept(rig)
    healed(rig)


def test_what_comes_twice(house: House, rig: TradingRig) -> None:
    """F40: a tick that says nothing new is not told; prints have no number: told as they come."""
    house.faults.inject("duplicate", channel="market_data")
    since = len(rig.log)
    for _ in range(5):
        house.trade(AAPL)
    rig.wait_newest(AAPL, since)
    healed(rig)


def test_a_burst_is_told_in_full(house: House, rig: TradingRig) -> None:
    """F40: every print, once, in order."""
    tape, since = house.sim.market.trades, len(rig.log)
    before = tape("AAPL")[-1].trade_id if tape("AAPL") else 0
    house.faults.inject("burst", symbol="AAPL", frames=200)
    house.trade(AAPL)
    due = [each.price_e8 / 1e8 for each in tape("AAPL") if each.trade_id > before]
    eventually(lambda: len(prints(rig, since)) >= len(due), "all prints are told")
    assert [each.price for each in prints(rig, since)] == due
    numbers = [int(each.tradeid) for each in prints(rig, since)]
    assert numbers == sorted(set(numbers))
    healed(rig)


def prints(rig: TradingRig, since: int) -> list[MarketTradeData]:
    """The prints that were told of one contract."""
    told = [event.data for event in rig.log.items[since:]]
    return [each for each in told if isinstance(each, MarketTradeData) and each.symbol == AAPL]
