"""A simulated venue on a loop and a thread of its own, for programs that have no loop to spare."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from foxtrot.errors import InvalidState, ShutdownTimeout

_START_S, _STOP_S, _HOP_S = 10.0, 10.0, 5.0

T = TypeVar("T")


class Startable(Protocol):
    """A venue that starts and stops on the running loop."""

    async def start(self) -> None:
        """Open the venue."""

    async def stop(self) -> None:
        """Close the venue."""


V = TypeVar("V", bound=Startable)


class VenueThread(Generic[V]):
    """Runs a venue in a daemon thread; `start` returns when it listens, `stop` when it is gone.

    Args:
        venue: What is run. It may be started again after a stop.

    Thread safety: `start` and `stop` from any one thread at a time.
    """

    def __init__(self, venue: V) -> None:
        self.venue = venue
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._halt: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread and wait until the venue listens.

        Raises:
            InvalidState: It is running already.
            OSError: The port is taken.
        """
        if self._thread is not None:
            raise InvalidState("the simulated venue's thread is running already")
        ready: Future[None] = Future()
        thread = threading.Thread(target=self._run, args=(ready,), name="simulated-venue")
        thread.daemon = True
        thread.start()
        self._thread = thread
        try:
            ready.result(_START_S)
        except BaseException:  # boundary: a start that failed leaves no thread
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the venue and join its thread. Safe to call twice.

        Raises:
            ShutdownTimeout: The thread did not end.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, halt = self._loop, self._halt
        if loop is not None and halt is not None and not loop.is_closed():
            loop.call_soon_threadsafe(halt.set)
        thread.join(_STOP_S)
        if thread.is_alive():
            raise ShutdownTimeout("the simulated venue's thread", _STOP_S, [thread.name])

    def _run(self, ready: Future[None]) -> None:
        asyncio.run(self._main(ready))

    async def _main(self, ready: Future[None]) -> None:
        self._loop, self._halt = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self.venue.start()
        except Exception as error:  # noqa: BLE001 - boundary: handed to the thread that waits
            ready.set_exception(error)
            return
        ready.set_result(None)
        try:
            await self._halt.wait()
        finally:
            await self.venue.stop()
            await _abort_stragglers(self._loop)


def on_loop(loop: asyncio.AbstractEventLoop | None, call: Callable[[], T]) -> T:
    """Run a call on a venue's loop and wait for what it returns; at once, if that loop is not up.

    Raises:
        TimeoutError: The loop did not get round to it.
    """
    if loop is None or not loop.is_running() or loop is _running_loop():
        return call()

    async def hop() -> T:
        return call()

    return asyncio.run_coroutine_threadsafe(hop(), loop).result(_HOP_S)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone: simulated venues listen nowhere else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _abort_stragglers(loop: asyncio.AbstractEventLoop) -> None:
    """Close who was accepted in the very moment of the stop: no server knows of it any more.

    asyncio itself keeps the only list of its transports, and calls it private.
    """
    for transport in tuple(getattr(loop, "_transports", {}).values()):
        transport.abort()
    await asyncio.sleep(0)
