"""Our own side fails: handlers that raise, sleep or turn things over; calls that cannot be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextlib import closing

import pytest

from foxtrot.errors import BridgeNotRunning, InvalidState, WrongThread
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.health import EngineHealth
from foxtrot.model.objects import MarketTradeData
from tests.support.binance_venue import BinanceUnderTest
from tests.support.engine import Gate
from tests.support.faults import everything, healed
from tests.support.rig import Rig, eventually, running

BOUND = 50
TURNS = 60
"""More turns of the loop than a connect takes."""


def engine_of(rig: Rig) -> EngineHealth:
    """The books of the engine."""
    return rig.engine.health().engine


def check_books(rig: Rig) -> None:
    """Wait until received = delivered + conflated + dropped, with nothing queued."""

    def balanced() -> bool:
        books = engine_of(rig)
        return books.received == books.delivered + books.conflated + books.dropped

    eventually(balanced, "the books balance")


def test_a_handler_that_raises_costs_the_others_nothing(rig: Rig) -> None:
    """Each failure is counted; who fails a hundred times in a row is not called any more."""
    calls = []

    def bad(event: Event) -> None:
        calls.append(event)
        raise ValueError("not my day")

    rig.engine.register(EVENT_TICK, bad)
    rig.ready("BTCUSDT")
    while not engine_of(rig).quarantined:
        rig.wait_fresh("BTCUSDT")
    called = len(calls)
    rig.wait_fresh("BTCUSDT")
    assert len(calls) == called == engine_of(rig).handler_errors == 100
    assert "bad" in engine_of(rig).quarantined[0]
    healed(rig)


def test_behind_a_slow_handler_the_newest_wins_and_states_are_kept(rig: Rig) -> None:
    """While a handler sleeps ticks are conflated; every change of state arrives, in order."""
    gate = Gate()
    everything(rig)
    since = len(rig.log)
    rig.engine.register(EVENT_TICK, gate)
    try:
        rig.venue.move("BTCUSDT")
        gate.wait_entered()
        rig.venue.faults.inject("rst")
        eventually(lambda: rig.venue.connections == 2, "it reconnects all the same")
        eventually(lambda: rig.adapter.state is S.READY, "all is back")
        rig.venue.move("BTCUSDT", 300)
    finally:
        gate.open()
    rig.wait_newest("BTCUSDT", since)
    rig.settle()
    assert rig.states(since=since) == [S.RECONNECTING, S.SYNCING, S.READY]
    assert engine_of(rig).conflated > 0
    assert engine_of(rig).dropped == 0
    check_books(rig)
    healed(rig)


def test_a_flood_behind_a_slow_handler_is_bounded(venue: BinanceUnderTest) -> None:
    """Prints beyond the bound push out the oldest and are counted; the newest come in order."""
    gate = Gate()
    with running(venue, {"engine.bounded_limit": BOUND}) as rig:
        everything(rig)
        rig.engine.register(EVENT_MARKET_TRADE, gate)
        came: list[Event] = []
        rig.engine.event_engine.register(EVENT_MARKET_TRADE, came.append, inline=True)
        rig.venue.trade("BTCUSDT")
        try:
            gate.wait_entered()
            newest = max(int(venue.trade("BTCUSDT")) for _ in range(3 * BOUND))
            eventually(lambda: ids(came[-1:]) == [newest], "all have come before the line is cut")
            eventually(lambda: engine_of(rig).dropped >= BOUND, "the oldest are dropped")
            venue.faults.inject("rst")
            eventually(lambda: venue.connections == 2, "it reconnects all the same")
        finally:
            gate.open()
        rig.wait_state(S.RECONNECTING)
        rig.wait_served()
        check_books(rig)
        told = ids(event for event in rig.log.items if event.type == EVENT_MARKET_TRADE)
        assert told == sorted(set(told))
        assert newest in told
        healed(rig)


def ids(events: Iterable[Event]) -> list[int]:
    """The ids of prints."""
    prints = [each.data for each in events if isinstance(each.data, MarketTradeData)]
    return [int(each.tradeid) for each in prints]


def test_a_handler_may_turn_everything_over(rig: Rig) -> None:
    """A handler takes itself out, subscribes, restarts the venue: nothing is skipped or stuck."""
    turned = []

    def turn_over(event: Event) -> None:
        rig.engine.unregister(EVENT_TICK, turn_over)
        turned.append(event)
        rig.subscribe("ETHUSDT", *Channel)
        rig.unsubscribe("BTCUSDT", Channel.TRADE)
        rig.adapter.restart()

    rig.subscribe("BTCUSDT", Channel.TICK, Channel.TRADE)
    rig.engine.register(EVENT_TICK, turn_over)
    rig.connect()
    rig.wait_state(S.DISCONNECTED)
    healed(rig)
    assert len(turned) == 1
    assert len(rig.adapter.subscriptions()) == 1 + len(Channel)


def test_a_call_that_would_wait_for_itself_is_refused(rig: Rig) -> None:
    """Closing on the loop thread raises at once, and the streams go on."""
    rig.ready("BTCUSDT")

    async def close() -> None:
        rig.adapter.close()

    with pytest.raises(WrongThread):
        rig.engine.bridge.run(close(), timeout=5.0)
    healed(rig)


def test_calls_after_the_end_are_refused_at_once(venue: BinanceUnderTest) -> None:
    """A closed adapter and a stopped bridge say so; what was to run is closed."""
    with running(venue) as rig:
        rig.ready("BTCUSDT")
    with pytest.raises(InvalidState):
        rig.adapter.connect(venue.setting())
    work = asyncio.sleep(0)
    with pytest.raises(BridgeNotRunning), closing(work):
        rig.engine.bridge.run(work, timeout=5.0)


@pytest.mark.timeout(90)
def test_a_loop_that_is_blocked_is_seen_and_goes_on(rig: Rig) -> None:
    """Health tells for how long every venue has stood still, and ticks flow when it is over."""
    rig.ready("BTCUSDT")
    until = threading.Event()
    rig.engine.bridge.call_soon(until.wait, 20.0)
    eventually(lambda: rig.engine.health().bridge.blocked_s > 0.0, "the standstill is seen")
    until.set()
    eventually(lambda: rig.engine.health().bridge.blocked_s == 0.0, "the loop turns again")
    rig.wait_fresh("BTCUSDT")
    healed(rig)


def test_a_connect_may_be_taken_back_at_any_moment(rig: Rig) -> None:
    """After any number of turns of the loop: nothing is left, and all can begin anew."""
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol, *Channel)

    async def turn(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    for count in range(TURNS):
        rig.connect()
        rig.engine.bridge.run(turn(count), timeout=5.0)
        rig.adapter.disconnect()
        eventually(lambda: not rig.tasks(), f"nothing runs after {count} turns: {rig.tasks()}")
        assert rig.adapter.state is S.DISCONNECTED
    eventually(lambda: not rig.venue.live(), "nothing is left at the venue")
    rig.connect()
    healed(rig)
