"""The kill switch of a running program: signals from outside, and `foxtrot halt` that sends them.

A running program holds a locked file of its process id in the data directory. The lock tells it
from a process that took over the id of one that is gone, and that a signal would kill.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

from foxtrot.core.directories import data_directory, make_private
from foxtrot.core.logs import get_logger

HALT, RESUME = signal.SIGUSR1, signal.SIGUSR2
_JOIN_S = 2.0
_CALLS = {b"h": HALT, b"r": RESUME}

log = get_logger("foxtrot.app.switch")


class Switched(Protocol):
    """What can be halted: the engine."""

    def halt(self, reason: str) -> None:
        """Block new orders and cancel the open ones."""

    def resume(self) -> None:
        """Let new orders pass again."""


@contextlib.contextmanager
def switch(engine: Switched) -> Iterator[None]:
    """Halt on SIGUSR1 and resume on SIGUSR2, and be found by `foxtrot halt`, until left.

    A thread of its own does it: the main thread may wait for a slow reader of its output.
    """
    reader, writer = os.pipe()
    thread = threading.Thread(target=_serve, args=(engine, reader), name="foxtrot-switch")

    def on_signal(number: int, frame: FrameType | None) -> None:
        os.write(writer, b"h" if number == HALT else b"r")

    thread.start()
    try:
        for number in _CALLS.values():
            signal.signal(number, on_signal)
        with _found():
            yield
    finally:
        # Ignored, not given back: by default a signal that comes late would kill.
        for number in _CALLS.values():
            signal.signal(number, signal.SIG_IGN)
        os.close(writer)
        thread.join(_JOIN_S)


def tell(number: signal.Signals) -> list[int]:
    """Send a signal to every running program of this data directory; their process ids."""
    told = []
    for file in sorted(_folder().glob("*.pid")):
        if not _is_held(file):
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(file.stem), number)
            told.append(int(file.stem))
    return told


def _serve(engine: Switched, reader: int) -> None:
    with os.fdopen(reader, "rb", buffering=0) as calls:
        while call := calls.read(1):
            if _CALLS[call] is HALT:
                engine.halt("asked to by SIGUSR1")
            else:
                engine.resume()


def _folder() -> Path:
    return data_directory() / "running"


@contextlib.contextmanager
def _found() -> Iterator[None]:
    file = _folder() / f"{os.getpid()}.pid"
    try:
        make_private(file.parent)
        held = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        log.warning("halt_by_signal_only", reason=error.strerror, file=str(file))
        yield
        return
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(held)


def _is_held(file: Path) -> bool:
    """Whether the process that made a file lives: it holds the lock for as long."""
    try:
        tried = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(tried)
    return False
