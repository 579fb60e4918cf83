"""What a session does, each step as a task of its own, so that none holds up who asked for it.

An SDK may swallow a cancellation. Whoever waits for such a step goes on at its deadline all the
same, and in the end the step is named as left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TypeVar

from foxtrot.connectivity.orchestrator import Subscribable, SubscribeOutcome
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.model.health import StreamKey

T = TypeVar("T")


class Contained:
    """The steps of one session. Belongs to the loop thread.

    Args:
        session: Whose subscriptions are asked for step by step as well.
        bridge: Owns the tasks.
        name: Of the session; the tasks are named after it and the step.
    """

    def __init__(self, session: Subscribable, bridge: AsyncThreadBridge, name: str) -> None:
        self._session, self._bridge, self._name = session, bridge, name
        self._running: set[asyncio.Task[object]] = set()

    async def step(
        self, what: str, work: Coroutine[object, object, T], timeout_s: float | None = None
    ) -> T:
        """Do one step.

        Raises:
            TimeoutError: It still runs; it was cancelled, and is not waited for. Nor is it begun
                again as long as it does not end.
        """
        name = f"{self._name}.{what}"
        if any(task.get_name() == name for task in self._running):
            work.close()
            raise TimeoutError
        task = self._bridge.spawn(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        done: set[asyncio.Task[T]] = set()
        try:
            done, _ = await asyncio.wait([task], timeout=timeout_s)
        finally:
            if not done:
                task.cancel()
        if not done:
            raise TimeoutError
        return task.result()

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """See `Subscribable`."""
        return await self.step("subscribe", self._session.subscribe(keys))

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """See `Subscribable`."""
        await self.step("unsubscribe", self._session.unsubscribe(keys))

    async def end(self, timeout_s: float) -> tuple[str, ...]:
        """Cancel what still runs; returns the names of what did not end in time."""
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=timeout_s)
        return tuple(sorted(task.get_name() for task in running if not task.done()))

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked was told, or is gone
