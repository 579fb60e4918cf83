"""Notices that a loop stands still, and shows where: whoever blocks it blocks every venue."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable

from foxtrot.core.logs import get_logger

log = get_logger("foxtrot.bridge")

BEAT_S = 0.5
"""How often the loop is asked for a sign of life."""

BLOCKED_AFTER_S = 1.0
"""How long it may take to give one."""


class LoopWatch:
    """Asks a loop for signs of life from a thread of its own.

    Thread safety: `start` and `stop` belong to the loop's owner; `blocked_s` is for any thread.

    Args:
        name: The loop's name, for logs.
        loop: Watched while it runs.
        loop_thread: Whose stack is shown when it stands still.
        clock: Seconds, never stepping back.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        loop_thread: threading.Thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._loop, self._loop_thread, self._clock = name, loop, loop_thread, clock
        self._ending = threading.Event()
        self._turned = threading.Event()
        self._blocked_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"{name}-watch", daemon=True)

    @property
    def blocked_s(self) -> float:
        """For how many seconds the loop has stood still; 0 while it turns."""
        since = self._blocked_since
        return self._clock() - since if since is not None else 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float) -> tuple[str, ...]:
        """Watch no more; the name of the thread if it does not end in time."""
        self._ending.set()
        self._turned.set()
        self._thread.join(timeout)
        return (f"thread {self._thread.name}",) if self._thread.is_alive() else ()

    def _run(self) -> None:
        while not self._ending.wait(BEAT_S):
            self._turned.clear()
            asked_at = self._clock()
            try:
                self._loop.call_soon_threadsafe(self._turned.set)
            except RuntimeError:  # the loop is closed
                return
            if not self._turned.wait(BLOCKED_AFTER_S):
                self._wait_blocked(asked_at)

    def _wait_blocked(self, since: float) -> None:
        self._blocked_since = since
        log.error(
            "loop_blocked",
            loop=self._name,
            blocked_s=round(self.blocked_s, 3),
            advice="something on the loop waits or computes; its stack shows what",
            stack=self._stack(),
        )
        self._turned.wait()  # `stop` sets it as well
        log.warning("loop_turns_again", loop=self._name, blocked_s=round(self.blocked_s, 3))
        self._blocked_since = None

    def _stack(self) -> list[str]:
        frame = sys._current_frames().get(self._loop_thread.ident or 0)
        entries = traceback.extract_stack(frame) if frame is not None else []
        return [f"{each.filename}:{each.lineno} {each.name}" for each in entries]
