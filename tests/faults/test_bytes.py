"""Frames that cannot be read, numbers that cannot be true, answers that are no answers."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from foxtrot.errors import VenueUnavailable
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE
from foxtrot.model.objects import MarketTradeData, TickData
from foxtrot.model.requests import HistoryRequest
from foxtrot.simulator.binance_distortion import HOSTILE_NUMBERS
from tests.support.faults import everything, healed, lost, spent
from tests.support.rig import Rig, eventually

PREFIX = "websocket."


@pytest.mark.parametrize("fault", ["malformed_frame", "garbage_frame"])
@pytest.mark.parametrize("channel", ["bookTicker", "ticker", "trade", "depth@100ms", "kline_1m"])
def test_one_bad_frame_costs_one_frame(rig: Rig, fault: str, channel: str) -> None:
    """A frame that cannot be read is counted; the connection and all streams go on."""
    everything(rig)
    rig.venue.faults.inject(fault, channel=channel)
    rig.venue.trade("BTCUSDT")
    rig.wait_fact("websocket.malformed", 1)
    healed(rig)
    assert rig.fact("websocket.malformed") == 1
    assert rig.venue.connections == 1


def test_many_bad_frames_are_a_bad_connection(rig: Rig) -> None:
    """More than ten unreadable frames in a minute: the session is replaced."""
    everything(rig)
    status = None
    rig.venue.faults.inject("garbage_frame", count=11)
    since = len(rig.log)
    for _ in range(11):
        rig.venue.move("BTCUSDT")
    status = rig.wait_state(S.RECONNECTING, since=since)
    assert "unreadable" in status.reason
    healed(rig)


@pytest.mark.parametrize(
    ("channel", "name", "type_"),
    [
        (Channel.TICK, "bookTicker", "bookTicker"),
        (Channel.TICK, "ticker", "24hrTicker"),
        (Channel.TRADE, "trade", "trade"),
        (Channel.DEPTH, "depth@100ms", "depthUpdate"),
        (Channel.BAR, "kline_1m", "kline"),
    ],
)
def test_three_bad_frames_of_a_type_restart_its_stream(
    rig: Rig, channel: Channel, name: str, type_: str
) -> None:
    """That stream of that symbol is asked for afresh; the session and all others go on."""
    everything(rig)
    asked = len(rig.venue.asked())
    rig.venue.faults.inject("malformed_frame", symbol="BTCUSDT", channel=name, count=3)
    while rig.venue.faults.faults():
        rig.venue.trade("BTCUSDT")
    eventually(lambda: len(rig.venue.asked()) > asked, "it is asked for afresh")
    healed(rig)
    restarted = [rig.venue.key("BTCUSDT", channel)]
    assert rig.venue.asked()[asked:] == rig.venue.returned() == restarted
    assert rig.fact(f"malformed.{type_}") == rig.adapter.health().malformed == 3
    assert rig.error_kinds() == ["MalformedMessage"]
    assert rig.adapter.health().errors[0].error_class == "malformed"
    assert rig.venue.connections == 1


def test_bad_frames_of_several_types_restart_nothing(rig: Rig) -> None:
    """Three in a row are of one type; what is wrong with all types is for the session's rule."""
    everything(rig)
    for name in ("bookTicker", "trade", "kline_1m"):
        rig.venue.faults.inject("malformed_frame", symbol="BTCUSDT", channel=name, count=2)
    while rig.venue.faults.faults():
        rig.venue.trade("BTCUSDT")
    rig.wait_fact("websocket.malformed", 6)
    healed(rig)
    assert rig.venue.returned() == []
    assert rig.venue.connections == 1


def test_ten_bad_frames_are_not_enough(rig: Rig) -> None:
    """Ten unreadable frames in a minute are survived."""
    everything(rig)
    rig.venue.faults.inject("garbage_frame", count=10)
    rig.venue.move("BTCUSDT", 10)
    rig.wait_fact("websocket.malformed", 10)
    healed(rig)
    assert rig.venue.connections == 1


@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
@pytest.mark.parametrize("channel", ["bookTicker", "ticker", "trade"])
def test_a_hostile_number_is_told_to_nobody(rig: Rig, channel: str, number: str) -> None:
    """A price that cannot be true is rejected or unreadable, counted, and the last good stays."""
    everything(rig)
    rig.venue.faults.inject("hostile_number", body=number, channel=channel, symbol="BTCUSDT")
    rig.venue.trade("BTCUSDT")
    eventually(
        lambda: rig.fact("websocket.rejected") + rig.fact("websocket.malformed") == 1, "counted"
    )
    healed(rig)
    assert rig.fact("websocket.rejected") + rig.fact("websocket.malformed") == 1
    assert all(believable(event.data) for event in rig.log.items)
    assert rig.venue.connections == 1


@pytest.mark.parametrize("number", ["0", "-1", "1000000000000", "9" * 400, "1_000", " 5 ", "0x10"])
def test_numbers_beyond_the_vocabulary(rig: Rig, number: str) -> None:
    """Zero, a trillion, and what only Python takes for a number are no prices."""
    everything(rig)
    rig.venue.faults.inject("hostile_number", body=number, channel="bookTicker")
    rig.venue.move("BTCUSDT")
    eventually(
        lambda: rig.fact("websocket.rejected") + rig.fact("websocket.malformed") == 1, "counted"
    )
    healed(rig)
    assert all(believable(event.data) for event in rig.log.items)


def test_an_unknown_event_is_ignored(rig: Rig) -> None:
    """A kind of message that is new is counted and harms nothing."""
    everything(rig)
    rig.venue.faults.inject("unknown_event", count=3)
    rig.venue.move("BTCUSDT", 3)
    rig.wait_fact("websocket.ignored", 3)
    healed(rig)
    assert rig.fact("websocket.malformed") == 0
    assert rig.venue.connections == 1


def test_a_cut_answer_to_the_contracts_is_asked_for_again(rig: Rig) -> None:
    """Half of exchangeInfo is no exchangeInfo: not READY with half of the contracts."""
    rig.venue.faults.inject("truncated_body", path="/api/v3/exchangeInfo")
    rig.ready(*rig.venue.symbols)
    assert rig.states().count(S.READY) == 1
    assert len(rig.engine.get_all_contracts()) == len(rig.venue.symbols)
    healed(rig)


@pytest.mark.parametrize("path", ["/api/v3/depth", "/api/v3/ticker/24hr"])
def test_a_cut_snapshot_costs_no_stream(rig: Rig, path: str) -> None:
    """Half of a snapshot is fetched again or done without; the streams stay."""
    rig.venue.faults.inject("truncated_body", path=path)
    everything(rig)
    spent(rig)
    healed(rig)
    assert rig.venue.connections == 1


def test_a_cut_history_is_an_error(rig: Rig) -> None:
    """Half of a page of bars is not taken for the whole."""
    everything(rig)
    rig.venue.faults.inject("truncated_body", path="/api/v3/klines")
    asked = HistoryRequest(
        "BTCUSDT", rig.venue.exchange, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    )
    with pytest.raises(VenueUnavailable, match="klines"):
        rig.engine.query_history(asked, rig.name)
    healed(rig)


def test_the_books_balance(rig: Rig) -> None:
    """Every frame of a stream is an event, or counted as what became of it instead."""
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol, Channel.TRADE, Channel.BAR)
    rig.connect()
    rig.wait_served()
    rig.wait_flowing()
    for fault in ("malformed_frame", "garbage_frame", "unknown_event", "duplicate"):
        spend(rig, fault)
    spend(rig, "hostile_number", channel="trade", body="-1")
    rig.wait_flowing()
    eventually(
        lambda: rig.fact(PREFIX + "received") == lost_count(rig) + told(rig), "the books balance"
    )
    counts = {name: rig.fact(PREFIX + name) for name in ("malformed", "ignored", "stale")}
    assert counts == {"malformed": 4, "ignored": 2, "stale": 2}
    assert rig.fact(PREFIX + "rejected") == 2


def spend(rig: Rig, fault: str, **params: object) -> None:
    """Let a fault strike twice."""
    rig.venue.faults.inject(fault, count=2, **params)
    while rig.venue.faults.faults():
        rig.venue.trade("BTCUSDT")


def believable(data: object) -> bool:
    """Whether each number of a tick or trade can be true."""
    if isinstance(data, MarketTradeData):
        return 0 < data.price < 1e12 and math.isfinite(data.volume)
    if not isinstance(data, TickData):
        return True
    if not 0 <= data.last_price < 1e12:  # 0 until the first statistics are there
        return False
    return 0 < data.bid_price_1 <= data.ask_price_1 < 1e12


def lost_count(rig: Rig) -> int:
    """Frames that became no event."""
    names = set(FeedCounters.NAMES) - {"received"}
    return sum(rig.fact(PREFIX + name) for name in names)


def told(rig: Rig) -> int:
    """Events of market data so far."""
    kinds = (EVENT_MARKET_TRADE, EVENT_BAR, EVENT_DEPTH)
    return sum(len(rig.log.of(kind)) for kind in kinds)


def test_a_bad_frame_before_the_loss_is_no_excuse(rig: Rig) -> None:
    """Faults that come together end as each alone would."""
    everything(rig)
    rig.venue.faults.inject("malformed_frame", count=3)
    rig.venue.move("BTCUSDT", 1)
    lost(rig, "rst")
    healed(rig)
