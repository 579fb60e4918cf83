"""The roll-out against the simulated Binance: up by stages, and down by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from foxtrot.connectivity.rollout import Stage
from foxtrot.core.settings import Settings
from foxtrot.model.constants import Mode, StreamState
from foxtrot.model.events import EVENT_TIMER, Event
from tests.support.binance_venue import BinanceUnderTest
from tests.support.clock import ManualClock
from tests.support.rig import Rig, eventually, running

STAGE_S = 86_400.0
PLAN: dict[str, object] = {
    "rollout.enabled": True,
    "rollout.symbols": ["BTCUSDT", "ETHUSDT"],
    **{f"rollout.{stage.value}_s": STAGE_S for stage in Stage},
}
SERVED = frozenset({StreamState.ACTIVE, StreamState.QUIET, StreamState.POLLING})


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A rig at the simulated Binance that streams three symbols."""
    venue = BinanceUnderTest()
    venue.start()
    with ExitStack() as stack:
        stack.callback(venue.stop)
        made = stack.enter_context(running(venue))
        made.ready(*venue.symbols)
        yield made


def modes(rig: Rig) -> dict[str, Mode] | None:
    """How each symbol is served; None while one is not."""
    streams = rig.adapter.health().streams
    if any(each.state not in SERVED for each in streams):
        return None
    return {each.symbol: each.mode for each in streams}


def wait_streamed(rig: Rig, *symbols: str) -> None:
    """Wait until just these are streamed, and the venue gives no other stream."""
    wanted = {
        each: Mode.WEBSOCKET if each in symbols else Mode.POLLING for each in rig.venue.symbols
    }
    eventually(lambda: modes(rig) == wanted, f"{symbols} are streamed")
    eventually(lambda: {key.symbol for key in rig.venue.live()} == set(symbols), "the venue agrees")


def go(rig: Rig, clock: ManualClock, seconds: float) -> None:
    """Time passes for the roll-out."""
    clock.advance(seconds)
    rig.engine.event_engine.put(Event(EVENT_TIMER))
    assert rig.engine.event_engine.drain()


def spoil(rig: Rig, clock: ManualClock) -> None:
    """Let the venue send prices that cannot be, until that has a consequence."""
    rig.venue.faults.inject("hostile_number", count=0)

    def rolled_back() -> bool:
        rig.venue.move("BTCUSDT")
        go(rig, clock, 1.0)
        return rig.engine.health().rollouts[rig.name].rolled_back

    eventually(rolled_back, "it is rolled back")
    rig.venue.faults.clear()


def test_days_of_stages_end_in_polling_when_the_venue_sends_nonsense(rig: Rig) -> None:
    """Each day streams more symbols, and each stage brings fresh data of all that was wanted.

    Five minutes with too much that cannot be used take everything back, by itself and for good.
    """
    clock = ManualClock()
    rig.engine.rollouts.clock = clock
    rig.engine.reload_settings(Settings.parse({**rig.flags, **PLAN}))
    for streamed in ((), ("BTCUSDT",), ("BTCUSDT", "ETHUSDT"), ("BTCUSDT", "ETHUSDT")):
        wait_streamed(rig, *streamed)
        rig.wait_fresh(*rig.venue.symbols)
        go(rig, clock, 0.0)
        go(rig, clock, STAGE_S)
    wait_streamed(rig, *rig.venue.symbols)
    assert rig.engine.health().rollouts[rig.name].stage == "all"
    go(rig, clock, 0.0)
    spoil(rig, clock)
    wait_streamed(rig)
    shown = rig.engine.health().rollouts[rig.name]
    assert (shown.stage, shown.rolled_back) == ("polling", True)
    assert shown.reason.startswith("errors: ")
    go(rig, clock, 30 * STAGE_S)
    rig.wait_fresh(*rig.venue.symbols)
    assert set((modes(rig) or {}).values()) == {Mode.POLLING}
