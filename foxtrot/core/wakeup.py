"""Wakes one sleeping thread from any other, in a few microseconds."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from typing import Protocol


class Wakeup(Protocol):
    """A bell: `ring` from any thread, `wait` on one. Rings before a wait are not lost."""

    def ring(self) -> None:
        """End the current wait, or the next one; nothing happens once the bell is closed."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Sleep until rung, or for `timeout_s` at most; may end early for no reason."""
        ...

    def close(self) -> None:
        """Give the descriptors back."""
        ...


class EventfdWakeup:
    """A bell on an eventfd.

    Writing gives up the GIL around the wake, so the sleeper does not wake into a held GIL as it
    does after a lock. The epoll is edge-triggered: a ring needs no second system call to reset.
    """

    def __init__(self) -> None:
        # The lock keeps a late ring off a descriptor that somebody else may own by then.
        # Re-entrant: a finaliser run by the collector may ring inside a ring.
        self._lock = threading.RLock()
        self._closed = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._fd, select.EPOLLIN | select.EPOLLET)

    def ring(self) -> None:
        """See `Wakeup`."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._fd, 1)

    def wait(self, timeout_s: float) -> None:
        """See `Wakeup`."""
        self._epoll.poll(timeout_s if timeout_s > 0 else 0, 1)  # room for one is made soonest

    def close(self) -> None:
        """See `Wakeup`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._epoll.close()
            os.close(self._fd)


class SocketWakeup:
    """The same on a socket pair, for systems without eventfd."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # as in EventfdWakeup
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def ring(self) -> None:
        """See `Wakeup`."""
        # An error means full: the sleeper has rings enough; or closed: nobody sleeps here any more.
        with self._lock, contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def wait(self, timeout_s: float) -> None:
        """See `Wakeup`."""
        ready, _, _ = select.select([self._reader], [], [], max(timeout_s, 0.0))
        if ready:
            self._reader.recv(4096)

    def close(self) -> None:
        """See `Wakeup`."""
        with self._lock:
            self._reader.close()
            self._writer.close()


def make_wakeup() -> Wakeup:
    """The quickest bell this system has."""
    return EventfdWakeup() if hasattr(os, "eventfd") else SocketWakeup()
