"""The heartbeat of a simulated market that moves by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from foxtrot.simulator.log import log


class Pulse:
    """Calls `beat` at a rate, on the loop that it was started on.

    Args:
        rate_hz: Calls per second; with 0 there are none.
        beat: What is called. If it raises, the market stands still, and the log says so.
    """

    def __init__(self, rate_hz: float, beat: Callable[[], None]) -> None:
        self._rate_hz, self._beat = rate_hz, beat
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        if not self._rate_hz:
            return
        self._task = asyncio.create_task(self._run(), name="simulator-pulse")
        self._task.add_done_callback(_report)

    async def stop(self) -> None:
        """End. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + 1 / self._rate_hz, loop.time() - 1.0)
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._beat()


def _report(task: asyncio.Task[None]) -> None:
    """A market that stands still because of an error must say so."""
    if not task.cancelled() and task.exception() is not None:
        log.error("simulated_market_stopped", exc_info=task.exception())
