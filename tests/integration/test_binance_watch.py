"""A name of the SDK is hidden: the same data comes by its public watch calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import aiohttp
import pytest

from foxtrot.adapter.binance import client, wire
from foxtrot.model.constants import Channel, Exchange, Interval, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import (
    EVENT_BAR,
    EVENT_DEPTH,
    EVENT_MARKET_TRADE,
    EVENT_STREAM,
)
from foxtrot.model.health import StreamKey, StreamStatus
from foxtrot.model.objects import BarData, DepthData, MarketTradeData
from foxtrot.simulator.listings import E8
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import healed, lost, same_book
from tests.support.rig import SHORT, Rig, eventually, nothing_left, running

FLAGS: dict[str, object] = {"subscribe.timeout_s": 0.4}
"""A market that stands still has nothing to say to a new subscription."""

LOG_LINE = "sdk_fast_path_unavailable"
HIDDEN = "aiohttp.ClientWSTimeout"


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has looked at the SDK yet."""
    monkeypatch.setattr(client, "_missing", None)


@pytest.fixture
def hidden(unseen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name that only the fast path uses is not there."""
    monkeypatch.delattr(aiohttp, "ClientWSTimeout")


@pytest.fixture
def venue() -> Iterator[BinanceUnderTest]:
    """A venue whose market moves by hand."""
    with nothing_left():
        venue = BinanceUnderTest()
        venue.start()
        try:
            yield venue
        finally:
            venue.faults.clear()
            venue.stop()


@pytest.fixture
def rig(venue: BinanceUnderTest, hidden: None) -> Iterator[Rig]:
    """An engine with the adapter, not connected yet."""
    with running(venue, FLAGS) as rig:
        yield rig


def everything(rig: Rig) -> None:
    """All channels of two symbols are wanted, connected and served."""
    for symbol in ("BTCUSDT", "ETHUSDT"):
        rig.subscribe(symbol, *Channel)
    rig.connect()
    rig.wait_served()


def venue_of(rig: Rig) -> BinanceUnderTest:
    """The venue, as what it is."""
    assert isinstance(rig.venue, BinanceUnderTest)
    return rig.venue


def prints(rig: Rig) -> list[MarketTradeData]:
    """The prints so far."""
    return [t for t in rig.log.of(EVENT_MARKET_TRADE) if isinstance(t, MarketTradeData)]


def _number(data: object) -> int:
    return int(data.tradeid) if isinstance(data, MarketTradeData) else -1


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of the fast path."""
    return [r.getMessage() for r in caplog.records if LOG_LINE in r.getMessage()]


def test_all_channels_flow(rig: Rig) -> None:
    """Ticks, depth, trades and bars of every symbol, with the venue's numbers."""
    everything(rig)
    rig.wait_fresh("BTCUSDT", "ETHUSDT")
    rig.wait_flowing()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        same_book(rig, symbol)
    assert rig.ticks("BTCUSDT")[-1].day.volume > 0.0
    assert rig.ticks("BTCUSDT")[-1].last_price > 0.0


def test_what_the_data_says_is_what_the_fast_path_says(rig: Rig) -> None:
    """Times, levels, sides and lengths are those of the venue's messages."""
    everything(rig)
    rig.wait_flowing()
    trade = rig.log.of(EVENT_MARKET_TRADE)[-1]
    assert isinstance(trade, MarketTradeData)
    tape = {str(t.trade_id): t for t in venue_of(rig).sim.market.trades(trade.symbol)}
    assert trade.price == tape[trade.tradeid].price_e8 / E8
    depth = rig.log.of(EVENT_DEPTH)[-1]
    assert isinstance(depth, DepthData)
    assert (len(depth.bids), len(depth.asks)) == (20, 20)
    assert depth.ts_event_ns > 0
    bar = rig.log.of(EVENT_BAR)[-1]
    assert isinstance(bar, BarData)
    assert (bar.interval, bar.closed, bar.datetime.second) == (Interval.MINUTE, False, 0)
    assert bar.low_price <= bar.close_price <= bar.high_price


def test_the_newest_of_a_burst_arrives(rig: Rig) -> None:
    """ccxt hands out the first of a burst; what is told last is the venue's last all the same."""
    everything(rig)
    for _ in range(5):
        rig.venue.faults.inject("burst", frames=50)
        rig.venue.move("ETHBTC")  # which nobody watches; the burst is over when this returns
        for symbol in ("BTCUSDT", "ETHUSDT"):
            rig.wait_newest(symbol)
            same_book(rig, symbol)
    assert rig.states().count(S.RECONNECTING) == 1  # for the choice, not for a stale price


def test_no_print_of_a_burst_is_lost_or_told_twice(rig: Rig) -> None:
    """Of prints ccxt keeps a thousand, and all of them are told, in their order."""
    everything(rig)
    first = int(rig.venue.trade("BTCUSDT"))
    rig.venue.faults.inject("burst", symbol="BTCUSDT", frames=200)
    last = int(rig.venue.trade("BTCUSDT"))
    rig.log.wait_until(lambda events: [e for e in events if _number(e.data) == last])
    told = [int(t.tradeid) for t in prints(rig)]
    assert told[told.index(first) :] == list(range(first, last + 1))


@pytest.mark.parametrize("fault", ["rst", "eof", "close"])
def test_a_lost_connection_is_restored(rig: Rig, fault: str) -> None:
    """A fresh client, and every stream flows again; nothing old is told again."""
    everything(rig)
    rig.wait_fresh("BTCUSDT")
    status = lost(rig, fault)
    assert "100" in status.reason or "dropped" in status.reason
    healed(rig)
    assert rig.states()[-3:] == [S.RECONNECTING, S.SYNCING, S.READY]
    numbers = [int(t.tradeid) for t in prints(rig) if t.symbol == "BTCUSDT"]
    assert numbers == sorted(set(numbers))


def test_a_depth_gap_gets_a_new_book(rig: Rig) -> None:
    """ccxt finds the gap and gives up; the session is replaced and the book is the venue's."""
    everything(rig)
    since = len(rig.log)
    rig.venue.faults.inject("depth_gap", symbol="BTCUSDT")
    rig.venue.move("BTCUSDT", 3)
    rig.wait_state(S.RECONNECTING, since=since)
    healed(rig)


def test_unsubscribing_stops_one_and_keeps_the_others(rig: Rig) -> None:
    """Ticks share a call; the one that stays is never without data, the venue sends no more."""
    everything(rig)
    rig.unsubscribe("BTCUSDT", *Channel)
    rig.wait_served()
    assert venue_of(rig).live() == {k for k in venue_of(rig).live() if k.symbol == "ETHUSDT"}
    since = len(rig.log)
    rig.venue.move("BTCUSDT", 5)
    rig.wait_fresh("ETHUSDT")
    rig.wait_flowing()
    assert rig.ticks("BTCUSDT", since) == []
    assert rig.states() == [S.CONNECTING, S.RECONNECTING, S.SYNCING, S.READY]


def test_what_was_given_back_can_be_had_again(rig: Rig) -> None:
    """ccxt forgets what it watched, so it asks the venue anew."""
    everything(rig)
    rig.unsubscribe("BTCUSDT", *Channel)
    rig.wait_served()
    rig.subscribe("BTCUSDT", *Channel)
    rig.wait_served()
    rig.wait_fresh("BTCUSDT", "ETHUSDT")
    rig.wait_flowing()


def test_lists_that_share_a_connection_do_not_end_each_other(
    venue: BinanceUnderTest, hidden: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ccxt starts over with its connections after 50; whoever ends a list ends the other's part."""

    def on_one_connection(config: dict[str, object]) -> object:
        exchange = plain(config)
        exchange.options["streamLimits"]["spot"] = 1
        return exchange

    plain = wire.plain_exchange
    monkeypatch.setattr(wire, "plain_exchange", on_one_connection)
    with running(venue, FLAGS) as rig:
        everything(rig)
        assert venue.connections == 1
        rig.unsubscribe("BTCUSDT")
        rig.wait_served()
        rig.wait_fresh("ETHUSDT")
        rig.wait_flowing()
        assert rig.states().count(S.RECONNECTING) == 1


def test_a_refused_stream_fails_alone_and_is_asked_for_again(
    venue: BinanceUnderTest, hidden: None
) -> None:
    """A list that is refused is halved; ccxt would never ask for the refused one again."""
    config = replace(SHORT, refused_retry_s=2.0)
    with running(venue, FLAGS, config) as rig:
        venue.faults.inject("error_ack", symbol="ETHUSDT", channel="bookTicker", count=2)
        venue.faults.inject("error_ack", symbol="BTCUSDT", channel="trade", count=1)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            rig.subscribe(symbol, Channel.TICK, Channel.TRADE)
        since = len(rig.log)
        rig.connect()
        rig.wait_state(S.DEGRADED, since=since)
        failed = {
            StreamKey(s.channel, s.symbol, s.exchange)
            for s in rig.log.of(EVENT_STREAM)
            if isinstance(s, StreamStatus) and s.state is StreamState.FAILED
        }
        refused = {
            StreamKey(Channel.TICK, "ETHUSDT", Exchange.BINANCE),
            StreamKey(Channel.TRADE, "BTCUSDT", Exchange.BINANCE),
        }
        assert failed == refused
        rig.wait_state(S.READY, since=since)
        healed(rig)
        assert rig.states().count(S.RECONNECTING) == 1


def test_a_frame_that_kills_the_sdks_loop_is_found_out(rig: Rig) -> None:
    """ccxt falls silent for good at a bad frame; a look at the market replaces the session."""
    rig.ready("BTCUSDT")
    rig.wait_fresh("BTCUSDT")
    since = len(rig.log)
    rig.venue.faults.inject("malformed_frame", channel="bookTicker")
    rig.venue.move("BTCUSDT", 3)
    assert "stands still" in rig.wait_state(S.RECONNECTING, since=since).reason
    healed(rig)


def test_a_silent_venue_is_found_out(rig: Rig) -> None:
    """Alive, but no data, while its market moves: the session is replaced."""
    rig.ready("BTCUSDT")
    rig.wait_fresh("BTCUSDT")
    since = len(rig.log)
    rig.venue.faults.inject("silent")
    rig.venue.move("BTCUSDT", 3)
    assert "stands still" in rig.wait_state(S.RECONNECTING, since=since).reason
    healed(rig)


def test_a_mute_venue_is_left(rig: Rig) -> None:
    """Nothing is answered, no request either: the session is replaced."""
    rig.ready("BTCUSDT")
    since = len(rig.log)
    rig.venue.faults.inject("mute", rest=True)
    rig.wait_state(S.RECONNECTING, since=since)
    healed(rig)


def test_a_venue_that_refuses_is_not_ready(venue: BinanceUnderTest, hidden: None) -> None:
    """The SDK's word is not taken for a connection: attempts count, prices come by polling."""
    with running(venue) as rig:
        venue.faults.inject("refuse")
        rig.subscribe("BTCUSDT")
        rig.connect()
        rig.wait_state(S.READY, session="polling")
        assert S.SYNCING not in rig.states()
        venue.faults.clear()
        rig.wait_state(S.READY)
        healed(rig)


def test_a_quiet_market_is_no_alarm(rig: Rig) -> None:
    """Nothing moves, the probe finds the market as it was told, and the session stays."""
    rig.ready("BTCUSDT")
    pings = [path for _, path, _ in venue_of(rig).sim.seen.requests].count("/api/v3/ping")

    def probed() -> bool:
        paths = [path for _, path, _ in venue_of(rig).sim.seen.requests]
        return paths.count("/api/v3/ping") >= pings + 2

    eventually(probed, "two probes")
    assert rig.states() == [S.CONNECTING, S.RECONNECTING, S.SYNCING, S.READY]


def test_the_log_says_once_what_is_missing(
    venue: BinanceUnderTest, hidden: None, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning for the process, whatever reconnects and however many adapters there are."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for _ in range(2):
            with running(venue, FLAGS) as rig:
                rig.ready("BTCUSDT")
                lost(rig, "rst")
                rig.wait_served()
        assert [r.levelname for r in caplog.records if LOG_LINE in r.getMessage()] == ["WARNING"]
        assert HIDDEN in lines(caplog)[0]


def test_with_all_names_the_fast_path_is_used(
    venue: BinanceUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    """One connection carries everything, at the first attempt, and the log says nothing."""
    with caplog.at_level("INFO", logger="foxtrot"), running(venue) as rig:
        everything(rig)
        rig.wait_flowing()
        assert rig.states() == [S.CONNECTING, S.SYNCING, S.READY]
        assert venue.connections == 1
        assert lines(caplog) == []
