"""The part of the bridge that feeds and desks use, inline on the loop that runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualBridge:
    """Owns tasks as `AsyncThreadBridge` does, without a thread.

    `crashes` holds what its tasks died of; the real bridge logs that.
    """

    def __init__(self) -> None:
        self.crashes: list[str] = []
        self._tasks: set[asyncio.Task[object]] = set()
        self._killed = False

    def spawn(self, coro: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Start a task; see `AsyncThreadBridge.spawn`."""
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if self._killed:
            task.cancel()
        return task

    def call_soon(self, fn: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `fn(*args)` on the loop; see `AsyncThreadBridge.call_soon`."""
        asyncio.get_running_loop().call_soon(self._call, fn, args)

    def kill(self) -> None:
        """End its tasks as the death of a process would: nothing that is asked is done any more."""
        self._killed = True
        for task in self._tasks:
            task.cancel()

    def _call(self, fn: Callable[..., object], args: tuple[object, ...]) -> None:
        if self._killed:
            return
        try:
            fn(*args)
        except Exception as error:
            self.crashes.append(f"a call raised {error!r}")

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or ".session" in task.get_name():
            return  # the supervisor asks the task of a session itself
        if (error := task.exception()) is not None:
            self.crashes.append(f"{task.get_name()} died of {error!r}")
