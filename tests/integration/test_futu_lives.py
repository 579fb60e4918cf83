"""Whatever happened to it, a process that used Futu has nothing left of it, and exits."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.adapter.futu import limits
from foxtrot.adapter.futu.sdk import sdk
from foxtrot.model.constants import ConnectionState as S
from tests.support.futu_venue import FutuUnderTest
from tests.support.rig import eventually, nothing_left
from tests.support.trading_rig import TradingRig, trading

LIVES = 200
SEED = 11

PROGRAM = """
import sys, threading
from foxtrot import MainEngine
from foxtrot.adapter.futu import FutuAdapter
from foxtrot.model.constants import Exchange
from foxtrot.model.events import EVENT_CONNECTION, EVENT_TICK
from foxtrot.model.requests import SubscribeRequest

engine = MainEngine()
engine.add_adapter(FutuAdapter)
happened = threading.Event()
awaited = EVENT_CONNECTION if sys.argv[2] == "silent" else EVENT_TICK
engine.event_engine.register(awaited, lambda event: happened.set())
engine.subscribe(SubscribeRequest("00700", Exchange.SEHK), "FUTU")
setting = {"environment": "simulated", "port": int(sys.argv[1]), "password": "env:TRADE_PASSWORD"}
engine.connect(setting, "FUTU")
assert happened.wait(20)
if sys.argv[2] != "forgotten":
    engine.close()
print("the last line")
"""


@pytest.fixture
def venue() -> Iterator[FutuUnderTest]:
    """An OpenD that listens."""
    venue = FutuUnderTest()
    venue.start()
    try:
        yield venue
    finally:
        venue.faults.clear()
        venue.stop()


@pytest.mark.parametrize("end", ["closed", "forgotten", "silent"])
def test_a_process_that_used_futu_exits(venue: FutuUnderTest, tmp_path: Path, end: str) -> None:
    """Closed, not closed, or closed while OpenD does not answer: it ends by itself."""
    if end == "silent":
        venue.faults.inject("mute")
    environment = os.environ | {
        "FOXTROT_DATA_DIR": str(tmp_path),
        "TRADE_PASSWORD": "123456",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(venue.sim.port), end]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=25, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the last line\n"), done.stderr


def test_two_hundred_lives_leave_nothing(
    venue: FutuUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are cut, refused, garbled and closed at any moment: no thread, descriptor or task."""
    sdk()  # its thread lives as long as the process
    monkeypatch.setattr(limits, "PER_WINDOW", dict.fromkeys(limits.PER_WINDOW, 10_000))
    monkeypatch.setattr(limits, "APART_S", {})
    dice = random.Random(SEED)
    with nothing_left(), trading(venue) as rig:
        rig.subscribe(venue.symbols[0])
        for _ in range(LIVES):
            _live(rig, dice)
        rig.adapter.disconnect()
        eventually(lambda: not rig.tasks(), f"seed {SEED}: tasks end: {rig.tasks()}")
        eventually(lambda: not venue.sim.connections, f"seed {SEED}: every connection is closed")
        venue.faults.clear()
        rig.connect()
        rig.wait_served()
        rig.rest(volume=0.01)


def _live(rig: TradingRig, dice: random.Random) -> None:
    """Connect, suffer, and go at once or when the trouble is over."""
    faults, since = rig.venue.faults, len(rig.log)
    before = dice.choice(("", "half_frame", "bad_checksum", "error_ack"))
    after = dice.choice(("", "rst", "eof", "corrupt_length", "half_frame"))
    if before:
        faults.inject(before, count=1)
    rig.connect()
    if dice.random() < 0.5:
        rig.wait_state(S.READY, since=since)
    if after:
        faults.inject(after)
        rig.venue.move(rig.venue.symbols[0])
    if dice.random() < 0.5:
        rig.adapter.disconnect()
    faults.clear()
