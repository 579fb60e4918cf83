"""The AsyncThreadBridge: one asyncio loop on a thread of its own, and the ways to and from it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple

from foxtrot.core.loop_thread import LoopThread
from foxtrot.errors import (
    BridgeNotRunning,
    BridgeTimeout,
    InvalidState,
    ShutdownTimeout,
    WrongThread,
)
from foxtrot.model.health import BridgeHealth

__all__ = ["AsyncThreadBridge", "Lease"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AsyncThreadBridge:
    """Runs coroutines on one loop thread for callers on any other.

    The caller's context variables travel along, so log lines on both sides carry the same
    correlation id. May be started again after a stop.

    Thread safety: every method from any thread, but that `run` and `stop` refuse the loop's own
    thread, which they would block, and `spawn` refuses every other.
    """

    def __init__(self, name: str = "foxtrot-bridge") -> None:
        self._name = name
        self._thread: LoopThread | None = None
        self._process = os.getpid()  # a fork takes no thread along
        # Held while starting and stopping; never taken on the loop thread, which stop() waits for.
        self._lifecycle = threading.RLock()
        self._lease_lock = threading.Lock()
        self._leases: list[Lease] = []
        self._leased = False  # whether a lease started it, so that the last one stops it

    # ------------------------------------------------------------------ lifetime

    def start(self, timeout: float = 5.0) -> None:
        """Start the loop thread and wait until its loop turns.

        Raises:
            InvalidState: It is running.
            BridgeTimeout: The thread did not get going in time.
        """
        self._refuse_loop_thread("start")
        with self._lifecycle:
            if self._thread is not None:
                raise InvalidState(f"{self._name} is running already")
            thread = LoopThread(self._name)
            if not thread.start(timeout):
                thread.close(timeout)
                raise BridgeTimeout(f"start of {self._name}", timeout)
            self._leased = False
            self._thread, self._process = thread, os.getpid()

    def stop(self, timeout: float = 10.0) -> None:
        """Cancel the tasks, wait for them, close the loop and join its thread. Idempotent.

        Raises:
            WrongThread: Called on the loop thread.
            ShutdownTimeout: Something did not end; the error names each thread and task.
        """
        self._refuse_loop_thread("stop")
        with self._lifecycle:
            thread = self._thread
            if thread is None:
                return
            thread.close(timeout)
            left_behind = thread.join(timeout)
            if not thread.alive:
                self._thread = None
            if left_behind:
                raise ShutdownTimeout(self._name, timeout, left_behind)

    def lease(self, owner: str, timeout: float = 5.0) -> Lease:
        """Use the bridge together with others: the first lease starts it, the last one stops it.

        A bridge that was started by `start` is stopped by `stop` only.
        """
        self._refuse_loop_thread("lease")
        with self._lifecycle:
            if self._thread is None:
                self.start(timeout)
                self._leased = True
            lease = Lease(self, owner)
            with self._lease_lock:
                self._leases.append(lease)
            return lease

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------ work

    def run(self, coro: Coroutine[object, object, T], timeout: float) -> T:
        """Run `coro` on the loop and wait for its result.

        Raises:
            WrongThread: Called on the loop thread.
            BridgeNotRunning: There is no loop, or it ended before the coroutine did.
            BridgeTimeout: No result in time; the coroutine was cancelled.
        """
        what = getattr(coro, "__qualname__", type(coro).__name__)
        if self.on_loop_thread:
            coro.close()
            raise WrongThread(f"run({what}) on the loop thread would wait for itself; await it")
        future = self.submit(coro, name=what)
        try:
            return future.result(timeout)
        except concurrent.futures.CancelledError:
            if self._is_running:
                raise
            raise BridgeNotRunning(f"{self._name} stopped before {what} ended") from None
        except TimeoutError:
            if future.cancel():
                raise BridgeTimeout(what, timeout) from None
            return future.result(0)  # it came in the last moment, or the coroutine raised this
        finally:
            future.cancel()  # an interrupted wait; otherwise it is done

    def submit(
        self, coro: Coroutine[object, object, T], *, name: str
    ) -> concurrent.futures.Future[T]:
        """Run `coro` as a task without waiting; cancelling the future cancels the task.

        Raises:
            BridgeNotRunning: There is no loop.
        """
        try:
            thread = self._open_thread()
        except BridgeNotRunning:
            coro.close()
            raise
        return thread.submit(coro, name)

    def spawn(self, coro: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Start a task that the bridge owns; on the loop thread.

        Raises:
            WrongThread: Called on another thread.
        """
        thread = self._thread
        if thread is None or not thread.is_current:
            coro.close()
            raise WrongThread(f"spawn({name}) works on the loop thread only; use submit")
        return thread.track(coro, name)

    def call_soon(self, fn: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `fn(*args)` on the loop, after all that was asked before; the loop wakes once.

        Raises:
            BridgeNotRunning: There is no loop.
        """
        self._open_thread().call(copy_context(), fn, args)

    # ------------------------------------------------------------------ state

    @property
    def on_loop_thread(self) -> bool:
        """Whether the caller is on the loop thread."""
        thread = self._thread
        return thread is not None and thread.is_current

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop.

        Raises:
            BridgeNotRunning: There is none.
        """
        return self._open_thread().loop

    def health(self) -> BridgeHealth:
        """Its tasks and the owners of its leases by name. Never raises."""
        thread = self._thread
        return BridgeHealth(
            running=self._is_running,
            tasks=thread.task_names if thread else (),
            leases=tuple(sorted(lease.owner for lease in tuple(self._leases))),
            blocked_s=thread.blocked_s if thread else 0.0,
        )

    def __repr__(self) -> str:
        health = self.health()
        state = "RUNNING" if health.running else "STOPPED"
        return (
            f"<AsyncThreadBridge {self._name} {state}"
            f" tasks={len(health.tasks)} leases={len(health.leases)}>"
        )

    @property
    def _is_running(self) -> bool:
        thread = self._thread
        return thread is not None and not thread.closing

    def _open_thread(self) -> LoopThread:
        thread = self._thread
        if self._process != os.getpid():
            problem = f"{self._name} stayed behind in the process that this one was forked from"
            raise BridgeNotRunning(f"{problem}; make an engine of its own here")
        # What the ending tasks ask for is still done.
        if thread is None or (thread.closing and not thread.is_current):
            raise BridgeNotRunning(f"{self._name} is not running")
        return thread

    def _refuse_loop_thread(self, what: str) -> None:
        if self.on_loop_thread:
            raise WrongThread(f"{what}() on the loop thread would wait for itself")

    def _release(self, lease: Lease, timeout: float) -> None:
        if self.on_loop_thread:
            self._drop_lease(lease, may_be_last=False)
            return
        with self._lifecycle:
            self._drop_lease(lease, may_be_last=True)
            if self._leased and not self._leases:
                self.stop(timeout)

    def _drop_lease(self, lease: Lease, *, may_be_last: bool) -> None:
        with self._lease_lock:
            if lease not in self._leases:
                return
            if self._leased and not may_be_last and len(self._leases) == 1:
                raise WrongThread("the last lease on the loop thread would wait for itself")
            self._leases.remove(lease)


class Lease:
    """One owner's share in a bridge; give it back with `release` or by leaving `with`."""

    def __init__(self, bridge: AsyncThreadBridge, owner: str) -> None:
        self.bridge = bridge
        self.owner = owner

    def release(self, timeout: float = 10.0) -> None:
        """Give the share back; the last one stops a bridge that a lease started. Idempotent.

        Raises:
            WrongThread: The last one was to be given back on the loop thread.
            ShutdownTimeout: As `AsyncThreadBridge.stop`.
        """
        self.bridge._release(self, timeout)

    def __enter__(self) -> AsyncThreadBridge:
        return self.bridge

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
