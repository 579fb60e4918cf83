"""Cards CL: closing at any moment, and what is left then (the fixture `left` looks: nothing)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import pytest

from foxtrot.errors import InvalidState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_CONNECTION
from tests.conformance.base import Cards
from tests.support.rig import WAIT_S, Rig, eventually


def _never_connected(rig: Rig) -> None:
    rig.subscribe(rig.venue.symbols[0])


def _just_asked(rig: Rig) -> None:
    rig.connect()


def _shaking_hands(rig: Rig) -> None:
    rig.venue.faults.inject("slow_handshake", seconds=10)
    rig.connect()
    rig.wait_state(S.CONNECTING)


def _hanging(rig: Rig) -> None:
    rig.venue.faults.inject("mute", rest=True)
    rig.connect()
    rig.wait_state(S.CONNECTING)


def _syncing(rig: Rig) -> None:
    name, params = rig.venue.stalls["sync"]
    rig.venue.faults.inject(name, **params)
    rig.subscribe(rig.venue.symbols[0])
    rig.connect()
    rig.wait_state(S.SYNCING)


def _subscribing(rig: Rig) -> None:
    name, params = rig.venue.stalls["subscribe"]
    rig.venue.faults.inject(name, **params)
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol)
    rig.connect()
    eventually(lambda: rig.venue.asked() != [], "the venue was asked")


def _serving(rig: Rig) -> None:
    rig.ready(*rig.venue.symbols)


def _half_open(rig: Rig) -> None:
    rig.ready(*rig.venue.symbols)
    rig.venue.faults.inject("mute", rest=True)


def _just_lost(rig: Rig) -> None:
    rig.ready(*rig.venue.symbols)
    rig.venue.faults.inject("rst")
    rig.wait_state(S.RECONNECTING)


def _given_up(rig: Rig) -> None:
    rig.ready(*rig.venue.symbols)
    rig.venue.faults.inject("refuse", count=0, rest=True)
    rig.venue.stop()
    rig.wait_state(S.RECONNECTING)


def _restarting(rig: Rig) -> None:
    rig.ready(*rig.venue.symbols)
    rig.adapter.restart()


def _disconnecting(rig: Rig) -> None:
    rig.ready(*rig.venue.symbols)
    rig.engine.disconnect(rig.name)


PHASES: Mapping[str, Callable[[Rig], None]] = {
    "never connected": _never_connected,
    "just asked": _just_asked,
    "shaking hands": _shaking_hands,
    "hanging": _hanging,
    "syncing": _syncing,
    "subscribing": _subscribing,
    "serving": _serving,
    "half open": _half_open,
    "just lost": _just_lost,
    "venue gone": _given_up,
    "restarting": _restarting,
    "disconnecting": _disconnecting,
}


class ClosingCards(Cards):
    """CL010 to CL050."""

    @pytest.mark.parametrize("phase", PHASES)
    def test_CL010_closing_in_every_phase(self, rig: Rig, phase: str) -> None:
        """CL010: whatever an adapter does, it can be closed.

        Prerequisite: a phase of a connection's life. Action: close.
        Expected: no event after close. Pass: it returns, without an error; CLOSED; no task runs,
        no thread, no descriptor is left.
        """
        PHASES[phase](rig)
        rig.adapter.close()
        assert rig.adapter.state is S.CLOSED
        eventually(lambda: not rig.tasks(), f"tasks end: {rig.tasks()}")
        told = len(rig.log.of(EVENT_CONNECTION))
        rig.engine.close()
        assert len(rig.log.of(EVENT_CONNECTION)) >= told

    def test_CL020_again_and_again(self, rig: Rig) -> None:
        """CL020: many lives of one adapter leave nothing behind.

        Prerequisite: the venue listens. Action: connect and disconnect five times, then close.
        Expected: READY each time. Pass: nothing is left.
        """
        for symbol in rig.venue.symbols:
            rig.subscribe(symbol)
        for _ in range(5):
            since = len(rig.log)
            rig.connect()
            rig.wait_state(S.READY, since=since)
            rig.engine.disconnect(rig.name)
            rig.wait_state(S.DISCONNECTED, since=since)

    def test_CL030_many_restarts_at_once(self, rig: Rig) -> None:
        """CL030: impatient people do no harm.

        Prerequisite: READY. Action: restart, disconnect and connect, ten times without waiting.
        Expected: what the last word was. Pass: READY, all streams flow, one session.
        """
        rig.ready(*rig.venue.symbols)
        for _ in range(10):
            rig.adapter.restart()
            rig.engine.disconnect(rig.name)
            rig.connect()
        rig.wait_carried_out()
        rig.wait_served()
        rig.wait_flowing()
        assert len(rig.adapter.health().sessions) == 1

    @pytest.mark.parametrize("seed", range(3))
    def test_CL040_many_hands(self, rig: Rig, seed: int) -> None:
        """CL040: start, stop and restart may come from any thread, in any state.

        Prerequisite: the venue listens. Action: eight threads connect, disconnect, restart,
        subscribe, unsubscribe and look, by seeded dice; then one last connect.
        Expected: what the last word was. Pass: READY, one session, exactly what is wanted flows.
        """
        hammer(rig, seed)
        for symbol in rig.venue.symbols:
            rig.subscribe(symbol)
        rig.connect()
        rig.wait_carried_out()
        rig.wait_served()
        rig.wait_flowing()
        assert len(rig.adapter.health().sessions) == 1

    @pytest.mark.parametrize("seed", range(3))
    def test_CL050_closed_under_many_hands(self, rig: Rig, seed: int) -> None:
        """CL050: close wins over whatever else is asked at the same time.

        Prerequisite: READY. Action: as CL040, and some of the threads close.
        Expected: CLOSED. Pass: nobody but a late connect is refused; no task runs, nothing is left.
        """
        rig.ready(*rig.venue.symbols)
        hammer(rig, seed, close=True)
        rig.adapter.close()
        assert rig.adapter.state is S.CLOSED
        eventually(lambda: not rig.tasks(), f"tasks end, seed {seed}: {rig.tasks()}")


def hammer(rig: Rig, seed: int, *, close: bool = False) -> None:
    """Ask for everything at once from eight threads; returns when all calls have returned."""
    calls: list[Callable[[], object]] = [
        rig.connect,
        rig.adapter.restart,
        rig.adapter.disconnect,
        rig.adapter.health,
        rig.adapter.diagnostics,
        *(lambda symbol=symbol: rig.subscribe(symbol) for symbol in rig.venue.symbols),  # type: ignore[misc]
        *(lambda symbol=symbol: rig.unsubscribe(symbol) for symbol in rig.venue.symbols),  # type: ignore[misc]
    ]

    def hand(number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        for _ in range(20):
            with suppress(InvalidState) if close else nullcontext():  # a connect after the close
                dice.choice(calls)()
        if close and number % 4 == 0:
            rig.adapter.close()

    with ThreadPoolExecutor(8, thread_name_prefix="hand") as hands:
        for done in [hands.submit(hand, number) for number in range(8)]:
            done.result(WAIT_S)
