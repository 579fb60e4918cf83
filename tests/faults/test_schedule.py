"""Faults in any order while subscriptions come and go: reproducible by seed."""

from __future__ import annotations

import os
import random

import pytest

from foxtrot.model.constants import Channel
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import ALL, healed
from tests.support.rig import Rig, running

SEEDS = [int(os.environ["FOXTROT_SEED"])] if "FOXTROT_SEED" in os.environ else [1, 2, 3]
STEPS = 14

FAULTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("close", {"code": 1001}),
    ("close", {"code": 1012}),
    ("rst", {}),
    ("eof", {}),
    ("cut_24h", {}),
    ("server_shutdown", {}),
    ("burst", {"frames": 50}),
    ("silent", {}),
    ("mute", {}),
    ("no_pong", {}),
    ("malformed_frame", {"count": 2}),
    ("garbage_frame", {"count": 2}),
    ("hostile_number", {"count": 3}),
    ("unknown_event", {"count": 2}),
    ("no_ack", {"count": 1}),
    ("depth_gap", {"count": 2}),
    ("duplicate", {"count": 5}),
    ("latency", {"seconds": 0.05}),
    ("refuse", {"count": 2}),
    ("stale_replay", {"count": 5}),
    ("http_error", {"count": 2, "status": 503}),
    ("truncated_body", {"count": 1}),
    ("clock_skew", {"seconds": 30.0}),
)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_schedule_ends_healed(seed: int) -> None:
    """After faults and churn by the dice, what is wanted is live, fresh, and nothing else is."""
    venue = BinanceUnderTest()
    venue.start()
    history: list[str] = [f"FOXTROT_SEED={seed}"]
    try:
        with running(venue) as rig:
            rig.ready(*venue.symbols)
            play(rig, random.Random(seed), history)
            healed(rig)
            wanted = {venue.key(r.symbol, r.channel) for r in rig.adapter.subscriptions()}
            assert venue.live() == wanted
    except BaseException as error:
        error.add_note("\n".join(history))
        raise
    finally:
        venue.faults.clear()
        venue.stop()


def play(rig: Rig, dice: random.Random, history: list[str]) -> None:
    """Some steps of a schedule; each is noted before it is done."""
    for _ in range(STEPS):
        roll, symbol = dice.random(), dice.choice(rig.venue.symbols)
        channel = dice.choice(ALL)
        if roll < 0.4:
            name, params = dice.choice(FAULTS)
            history.append(f"inject {name} {params}")
            rig.venue.faults.inject(name, **params)
        elif roll < 0.6:
            history.append(f"subscribe {symbol} {channel.value}")
            rig.subscribe(symbol, channel)
        elif roll < 0.75:
            history.append(f"unsubscribe {symbol} {channel.value}")
            rig.unsubscribe(symbol, channel)
        elif roll < 0.9:
            history.append("clear, and wait until all is served")
            rig.venue.faults.clear()
            rig.wait_served()
        else:
            history.append("restart")
            rig.adapter.restart()
        rig.venue.move(symbol, dice.randint(1, 10))
    rig.subscribe(rig.venue.symbols[0], Channel.TICK, Channel.DEPTH)
