"""The part of the bridge that feeds and supervisors use, inline on the loop that runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class VirtualBridge:
    """Owns tasks as `AsyncThreadBridge` does, without a thread.

    `crashes` holds what its tasks died of; the real bridge logs that.
    """

    def __init__(self) -> None:
        self.crashes: list[str] = []
        self._tasks: set[asyncio.Task[object]] = set()

    def spawn(self, coro: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Start a task; see `AsyncThreadBridge.spawn`."""
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or ".session" in task.get_name():
            return  # the supervisor asks the task of a session itself
        if (error := task.exception()) is not None:
            self.crashes.append(f"{task.get_name()} died of {error!r}")
