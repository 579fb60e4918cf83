"""Many requests in no time."""

from __future__ import annotations

import random

from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import healed
from tests.support.rig import eventually, running

SYMBOLS = [f"{chr(65 + n // 26)}{chr(65 + n % 26)}XUSDT" for n in range(60)]


def test_one_by_one_is_paced() -> None:
    """Each request is a message of its own, and the venue never closes for too many of them."""
    venue = BinanceUnderTest(SYMBOLS[:12])
    venue.start()
    try:
        with running(venue) as rig:
            rig.ready()
            for symbol in SYMBOLS[:12]:
                rig.subscribe(symbol)
                rig.wait_served()
            healed(rig)
            assert len(venue.sim.seen.subscribes) == 12
            assert venue.connections == 1
    finally:
        venue.stop()


def test_ten_thousand_requests_end_in_the_right_set() -> None:
    """10,000 subscribes and unsubscribes end in what was wanted last; the venue saw no excess."""
    venue = BinanceUnderTest(SYMBOLS)
    venue.start()
    dice = random.Random(10_000)
    try:
        with running(venue) as rig:
            rig.ready()
            wanted: set[str] = set()
            for _ in range(10_000):
                symbol = dice.choice(SYMBOLS)
                if symbol in wanted:
                    rig.unsubscribe(symbol)
                else:
                    rig.subscribe(symbol)
                wanted ^= {symbol}
            everything = {venue.key(symbol) for symbol in wanted}
            eventually(lambda: venue.live() == everything, "exactly what is wanted is live")
            healed(rig)
            assert venue.connections == 1, "the venue never had to close for too many messages"
    finally:
        venue.stop()
