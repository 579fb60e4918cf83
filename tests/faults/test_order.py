"""Twice, too early, too late, too many at once, or with a hole."""

from __future__ import annotations

import pytest

from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_MARKET_TRADE
from foxtrot.model.objects import MarketTradeData
from tests.support.faults import everything, healed, lost, same_book
from tests.support.rig import Rig, eventually

TAPE = "BTCUSDT"


def trade_ids(rig: Rig, symbol: str = TAPE) -> list[int]:
    """The prints of a symbol as they were told."""
    told = [data for data in rig.log.of(EVENT_MARKET_TRADE) if isinstance(data, MarketTradeData)]
    return [int(trade.tradeid) for trade in told if trade.symbol == symbol]


def test_what_comes_twice_is_told_once(rig: Rig) -> None:
    """Duplicated frames are counted as stale; no trade has two events."""
    everything(rig)
    rig.venue.faults.inject("duplicate", count=0)
    for _ in range(5):
        rig.venue.trade(TAPE)
    rig.wait_flowing()
    ids = trade_ids(rig)
    assert ids == sorted(set(ids))
    assert rig.fact("websocket.stale") >= 10
    healed(rig)


def test_a_burst_is_told_in_full(rig: Rig) -> None:
    """A thousand updates in one segment: every trade arrives, in order."""
    everything(rig)
    sim = rig.venue.sim  # type: ignore[attr-defined]
    before = sim.market.trades(TAPE)[-1].trade_id if sim.market.trades(TAPE) else None
    rig.venue.trade(TAPE)
    first = sim.market.trades(TAPE)[-1].trade_id
    rig.venue.faults.inject("burst", frames=500)
    last = int(rig.venue.trade(TAPE))
    eventually(lambda: last in trade_ids(rig), "the last trade is told")
    ids = trade_ids(rig)
    assert before is None or before < first
    assert ids[ids.index(first) :] == list(range(first, last + 1))
    assert len(ids) > 100
    healed(rig)


def test_a_hole_in_the_book_is_mended(rig: Rig) -> None:
    """A lost difference is seen by its ids; the book is fetched anew and equals the venue's."""
    everything(rig)
    rig.wait_flowing()
    snapshots, held = books_asked(rig), rig.fact("websocket.held")
    rig.venue.faults.inject("depth_gap", symbol=TAPE)
    rig.venue.move(TAPE, 2)
    rig.wait_fact("websocket.held", held + 1)  # the one after the hole waits for the snapshot
    eventually(lambda: books_asked(rig) > snapshots, "a snapshot is asked for")
    rig.venue.move(TAPE, 3)
    same_book(rig, TAPE)
    assert rig.venue.connections == 1
    healed(rig)


def test_hole_after_hole(rig: Rig) -> None:
    """Gaps in every book, again and again, end with the venue's books."""
    everything(rig)
    for _ in range(4):
        rig.venue.faults.inject("depth_gap", count=3)
        for symbol in rig.venue.symbols:
            rig.venue.move(symbol, 3)
    healed(rig)
    assert rig.venue.connections == 1


def test_a_replay_after_a_reconnect_is_seen_through(rig: Rig) -> None:
    """Old data that a venue sends first is not told: no trade twice, no price of yesterday."""
    everything(rig)
    for symbol in rig.venue.symbols:
        rig.venue.trade(symbol)
    rig.wait_flowing()
    stale = rig.fact("websocket.stale")
    rig.venue.faults.inject("stale_replay", count=0)
    since = len(rig.log)
    lost(rig, "rst")
    rig.wait_state(S.READY, since=since)
    rig.wait_fact("websocket.stale", stale + 3)
    for symbol in rig.venue.symbols:
        newest = rig.venue.newest(symbol)
        tick = rig.engine.get_tick(f"{symbol}.{rig.venue.exchange.value}")
        assert tick is not None
        assert (tick.bid_price_1, tick.ask_price_1) == newest
        assert {(t.bid_price_1, t.ask_price_1) for t in rig.ticks(symbol, since)} <= {newest}
    healed(rig)
    ids = trade_ids(rig)
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_clock_that_is_wrong_stops_nothing(rig: Rig, seconds: float) -> None:
    """The venue's clock jumps by an hour and back: the data flows on, stamped as the venue says."""
    everything(rig)
    rig.wait_flowing()
    rig.venue.faults.inject("clock_skew", seconds=seconds)
    rig.wait_fresh(TAPE)
    rig.venue.trade(TAPE)
    rig.wait_event(rig.request(TAPE, Channel.TRADE))
    rig.wait_event(rig.request(TAPE, Channel.DEPTH))
    rig.venue.faults.clear()
    rig.wait_fresh(TAPE)
    rig.wait_event(rig.request(TAPE, Channel.TRADE))
    rig.wait_event(rig.request(TAPE, Channel.DEPTH))
    assert rig.venue.connections == 1


def test_bars_come_back_after_a_clock_was_set_back(rig: Rig) -> None:
    """Bars that look older are doubted for two seconds, then the venue's clock is believed."""
    rig.subscribe(TAPE, Channel.BAR)
    rig.connect()
    rig.wait_served()
    rig.venue.faults.inject("clock_skew", seconds=3600.0)
    rig.wait_flowing()
    rig.venue.faults.clear()
    since = len(rig.log)

    def told() -> bool:
        rig.venue.move(TAPE)
        return any(event.type == "eBar." for event in list(rig.log.items)[since:])

    eventually(told, "bars are told again")


def books_asked(rig: Rig) -> int:
    """How many order books were requested."""
    sim = rig.venue.sim  # type: ignore[attr-defined]
    return sum(1 for _, path, _ in sim.seen.requests if path.endswith("/depth"))
