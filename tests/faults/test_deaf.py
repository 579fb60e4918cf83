"""A part of the SDK that does not hear its cancellation is left to itself, and named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.adapter.binance.market_data import StreamSession
from foxtrot.model.constants import ConnectionState as S
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import everything, healed
from tests.support.rig import SHORT, Rig, eventually, running

HURRIED = replace(SHORT, sync_timeout_s=0.5, end_timeout_s=0.2, close_timeout_s=0.5)
STEPS = ["open", "sync", "subscribe", "run", "close"]


class Deaf:
    """Lets one step of the first session hang, deaf to its cancellation, until `give_in`."""

    def __init__(self, patch: pytest.MonkeyPatch, step: str) -> None:
        self.hanging = False
        self._over: asyncio.Event | None = None
        self._real = getattr(StreamSession, step)
        patch.setattr(StreamSession, step, self._step(self))

    @staticmethod
    def _step(deaf: Deaf) -> object:
        async def step(session: StreamSession, *args: object) -> object:
            if deaf._over is not None:
                return await deaf._real(session, *args)
            deaf._over, deaf.hanging = asyncio.Event(), True
            while not deaf._over.is_set():
                try:
                    await deaf._over.wait()
                except asyncio.CancelledError:
                    continue
            return await deaf._real(session, *args)

        return step

    def give_in(self) -> None:
        """Go on at last; on the loop."""
        if self._over is not None:
            self._over.set()


@pytest.fixture
def rig(venue: BinanceUnderTest) -> Iterator[Rig]:
    """An adapter with little patience."""
    with running(venue, {"connect.timeout_s": 0.5}, HURRIED) as rig:
        yield rig


@pytest.mark.parametrize("step", STEPS)
def test_a_session_that_does_not_end_is_left_behind(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Reconnecting goes on without it; it is an alarm by name, and can be seen to be there."""
    deaf = Deaf(monkeypatch, step)
    try:
        rig.subscribe("BTCUSDT")
        rig.connect()
        if step in ("subscribe", "run", "close"):
            rig.wait_state(S.SYNCING)
            eventually(lambda: deaf.hanging or step == "close", f"{step} hangs")
            rig.venue.faults.inject("rst")
        eventually(lambda: "ShutdownTimeout" in rig.error_kinds(), "it is an alarm")
        (alarm,) = [e for e in rig.adapter.health().errors if e.kind == "ShutdownTimeout"]
        assert alarm.text.endswith(f"BINANCE.websocket.session.{step}")
        assert f"BINANCE.websocket.session.{step}" in rig.tasks()
        everything(rig)
    finally:
        rig.engine.bridge.call_soon(deaf.give_in)
    eventually(lambda: len(rig.tasks()) <= 4, "it has ended")
    healed(rig)


@pytest.mark.parametrize("step", STEPS)
def test_close_ends_whatever_hangs(rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Closing waits for the deadlines and no longer."""
    deaf = Deaf(monkeypatch, step)
    try:
        rig.subscribe("BTCUSDT")
        rig.connect()
        if step == "close":
            rig.wait_served()
        else:
            eventually(lambda: deaf.hanging, f"{step} hangs")
        rig.adapter.disconnect()
        rig.wait_state(S.DISCONNECTED)
        left = (f"BINANCE.websocket.session.{step}",)
        eventually(lambda: rig.tasks() == left, "nothing else is left")
    finally:
        rig.engine.bridge.call_soon(deaf.give_in)
    eventually(lambda: not rig.tasks(), "it has ended")
