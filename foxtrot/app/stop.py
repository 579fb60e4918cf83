"""When a program ends: a signal, a deadline, or nobody who listens."""

from __future__ import annotations

import contextlib
import io
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_ONE_ASK_S = 0.5
"""Signals within so long are one: `timeout` and a terminal that closes send theirs twice."""


class Interrupted(BaseException):
    """Somebody wants the program to end. Not KeyboardInterrupt, which typer takes for a failure."""


class Stop:
    """Asked to end or not yet; signals only set a flag, so that closing is never interrupted.

    A second signal, of a person who is out of patience, ends the process at once.

    Thread safety: belongs to the main thread, where Python delivers signals.

    Args:
        seconds: Ends by itself after so long; None for never.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.reason = ""
        self._asked_at = math.inf
        self._began = time.monotonic()
        self._deadline = math.inf if seconds is None else self._began + seconds
        self._reader, self._writer = os.pipe()
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}

    @property
    def running_s(self) -> float:
        """Seconds since the program began."""
        return time.monotonic() - self._began

    @property
    def requested(self) -> bool:
        """Whether it is time to end."""
        if not self.reason and time.monotonic() >= self._deadline:
            self.ask("time is up")
        return bool(self.reason)

    def ask(self, reason: str) -> None:
        """End the program soon."""
        if not self.reason:
            self.reason, self._asked_at = reason, time.monotonic()
            os.write(self._writer, b".")

    def wait(self, timeout_s: float) -> bool:
        """Wait, but not longer than until the end; True if it has come."""
        self._select((), timeout_s)
        return self.requested

    def wait_writable(self, fd: int) -> bool:
        """Wait until `fd` takes what is written; False if the end comes first."""
        while not self.requested:
            if fd in self._select((fd,), 1.0):
                return True
        return fd in select.select((), (fd,), (), 0.0)[1]

    def _select(self, writable: tuple[int, ...], timeout_s: float) -> list[int]:
        left_s = max(0.0, min(timeout_s, self._deadline - time.monotonic()))
        return select.select((self._reader,), writable, (), left_s)[1]

    def __enter__(self) -> Self:
        on_signals(self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Only what is safe while the main thread may hold any lock.
        if time.monotonic() - self._asked_at > _ONE_ASK_S:
            os._exit(1)
        self.ask(signal.Signals(number).name)


def open_standard_streams() -> None:
    """Let no file or socket get the number of a stdin, stdout or stderr that is closed.

    What a terminal of another encoding has no character for is shown as a question mark.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def silence_stdout() -> None:
    """Write to nowhere from now on: who read us has seen enough, and a last flush would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make every signal to end raise `Interrupted`, for what waits in one call or still loads."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    on_signals(_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def on_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Call `handler` for every signal to end, but for those that are ignored."""
    for number in _SIGNALS:
        # Who started us may want a signal to be ignored, as nohup does.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted
