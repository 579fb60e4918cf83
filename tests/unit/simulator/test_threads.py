"""A venue in a thread: readiness, errors, joining."""

from __future__ import annotations

import asyncio
import threading

import pytest

from foxtrot.errors import InvalidState, ShutdownTimeout
from foxtrot.simulator import threads
from foxtrot.simulator.threads import VenueThread


class Venue:
    """Notes what is done to it, and fails or hangs on demand."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[str] = []
        self.hold: asyncio.Event | None = None

    async def start(self) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")
        if self.hold is not None:
            await self.hold.wait()


def test_start_returns_when_the_venue_listens() -> None:
    """Then it is started, and after the block it is stopped and joined."""
    venue = Venue()
    with VenueThread(venue):
        assert venue.calls == ["start"]
    assert venue.calls == ["start", "stop"]


def test_an_error_of_the_start_reaches_the_caller() -> None:
    """The thread is gone, and the next start may succeed."""
    venue = Venue(OSError("taken"))
    runner = VenueThread(venue)
    with pytest.raises(OSError, match="taken"):
        runner.start()
    venue.error = None
    with runner:
        assert venue.calls == ["start"]


def test_starting_twice_is_an_error_and_stopping_twice_is_none() -> None:
    """The state is clear."""
    runner = VenueThread(Venue())
    runner.start()
    with pytest.raises(InvalidState):
        runner.start()
    runner.stop()
    runner.stop()


def test_a_thread_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop` never waits for ever."""
    monkeypatch.setattr(threads, "_STOP_S", 0.05)
    venue = Venue()
    runner = VenueThread(venue)
    runner.start()
    venue.hold = asyncio.Event()
    loop = runner._loop
    with pytest.raises(ShutdownTimeout, match="simulated-venue"):
        runner.stop()
    assert loop is not None
    loop.call_soon_threadsafe(venue.hold.set)
    for thread in threading.enumerate():
        if thread.name == "simulated-venue":
            thread.join(5)
