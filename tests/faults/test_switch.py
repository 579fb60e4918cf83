"""The settings send streams to polling and back, a thousand times, under load."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from foxtrot.core.settings import Settings
from foxtrot.model.constants import Channel
from foxtrot.model.events import EVENT_MARKET_TRADE
from foxtrot.model.objects import MarketTradeData
from foxtrot.simulator.binance import Limits
from foxtrot.simulator.binance_connection import Connection
from tests.support.binance_venue import BinanceUnderTest
from tests.support.pulse import Pulse, beating
from tests.support.rig import Rig, running

FLIPS, LONG_FLIPS = 1_000, 2_500
PAUSES_S = (0.0, 0.0, 0.01, 0.01, 0.02, 0.02, 0.08)
"""Some flips come before the last one was obeyed, some after."""
POLL_S = 0.5
MARGIN_S = 0.25
"""What a request adds to an interval of polling, on a machine that has time."""
RATE_HZ = 50.0
UNCOUNTED = Limits(connections=None)
"""Thousands of switches are more than the 300 connections that a venue gives in five minutes."""
TAPE = "BTCUSDT"
"""One tape only: reading it takes so much of the budget of requests."""


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A thousand changes are not logged."""
    log = logging.getLogger("foxtrot")
    before = log.level
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(before)


class Doorman:
    """Stands where the venue begins a stream, and writes down each that it sends already."""

    def __init__(self, venue: BinanceUnderTest) -> None:
        self._sim, self._subscribe = venue.sim, venue.sim.subscribe
        self.doubled: list[str] = []
        self.sockets = 0
        venue.sim.subscribe = self.subscribe  # type: ignore[method-assign]

    def subscribe(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """See `SimulatedBinance.subscribe`."""
        standing = [each for each in self._sim.connections if each.open]
        self.sockets = max(self.sockets, len(standing))
        self.doubled += [name for name in streams for each in standing if name in each.streams]
        self._subscribe(connection, streams)


def flip(rig: Rig, count: int, slower: float) -> None:
    """Change the settings so often; in the end as they were."""
    dice, pause = random.Random(count), threading.Event()
    settings: dict[str, object] = {}
    for _ in range(count):
        change(dice, settings, rig.venue.symbols)
        rig.engine.reload_settings(Settings.parse({**rig.flags, **settings}))
        pause.wait(slower * dice.choice(PAUSES_S))
    rig.engine.reload_settings(Settings.parse(rig.flags))


def change(dice: random.Random, settings: dict[str, object], symbols: Sequence[str]) -> None:
    """Everything or some symbols, for all adapters or for this one."""
    prefix = dice.choice(("", "adapters.BINANCE."))
    if dice.random() < 0.4:
        key = f"{prefix}websocket.enabled"
        settings[key] = not settings.get(key, True)
    else:
        some = dice.sample(symbols, dice.randint(0, len(symbols)))
        settings[f"{prefix}websocket.symbols"] = some


def check_gaps(pulse: Pulse, times_ns: list[int], what: str) -> None:
    """Nobody waited longer for the next than an interval of polling."""
    gaps_s = sorted((pulse.lived_s(*pair) for pair in pairwise(times_ns)), reverse=True)
    assert gaps_s[0] <= POLL_S + MARGIN_S * pulse.busy, f"gaps in {what}: {gaps_s[:5]}"


def check_tape(pulse: Pulse, rig: Rig) -> None:
    """No trade twice, none older than the one before, none told late."""
    told = [t for t in rig.log.of(EVENT_MARKET_TRADE) if isinstance(t, MarketTradeData)]
    numbers = [int(trade.tradeid) for trade in told]
    assert numbers == sorted(set(numbers))
    check_gaps(pulse, [trade.ts_recv_ns for trade in told], "the tape")
    oldest_s = max(pulse.lived_s(trade.ts_event_ns, trade.ts_recv_ns) for trade in told)
    assert oldest_s <= POLL_S + MARGIN_S * pulse.busy


def switch(count: int, slower: float = 1.0) -> None:
    """Flip so often under load, then look at what was told and at what the venue saw."""
    venue = BinanceUnderTest(rate_hz=RATE_HZ, limits=UNCOUNTED)
    venue.start()
    try:
        doorman = Doorman(venue)
        with beating() as pulse, running(venue, {"polling.interval": POLL_S}) as rig:
            rig.subscribe(TAPE, Channel.TRADE)
            rig.ready(*venue.symbols)
            flip(rig, count, slower)
            rig.wait_served()
            for symbol in venue.symbols:
                times_ns = [tick.ts_recv_ns for tick in rig.ticks(symbol)]
                check_gaps(pulse, times_ns, f"the ticks of {symbol}")
            check_tape(pulse, rig)
            assert rig.error_kinds() == []
        assert (doorman.doubled, doorman.sockets) == ([], 1)
        assert venue.connections >= count / 50, "the websocket came and went all the time"
    finally:
        venue.stop()


@pytest.mark.timeout(120)
def test_a_thousand_switches_leave_no_gap_and_no_doubled_stream() -> None:
    """Settings change as fast as they can be written: prices go on, each told once."""
    switch(FLIPS)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thousands_of_switches_leave_no_gap_and_no_doubled_stream() -> None:
    """What holds for a thousand holds for thousands, at a pace that the budget of weight allows."""
    switch(LONG_FLIPS, slower=5.0)
