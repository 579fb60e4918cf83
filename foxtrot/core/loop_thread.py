"""One asyncio loop on one thread, from its birth to its joined end. The bridge makes them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Generic, TypeVar

from foxtrot.core.logs import get_logger
from foxtrot.core.loop_watch import LoopWatch

T = TypeVar("T")
Call = tuple[Context, Callable[..., object], tuple[object, ...]]

_AWAITED_WITHIN_S = 0.05
_TASKS_SHARE = 0.8  # of the time to stop: the tasks'; the rest is for generators and the thread
_GENERATORS_SHARE = 0.1
_BACKLOG_ALARM = 10_000

log = get_logger("foxtrot.bridge")


class _Outcome:
    """What became of a submitted job; outlives the future to notice that nobody looked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: BaseException | None = None
        self.seen = False

    def report(self) -> None:
        """Log a failure that nobody has seen."""
        if self.error is not None and not self.seen:
            _task_failed(self.name, self.error)


class Submitted(concurrent.futures.Future[T]):
    """The future of a job on the loop. A failure that nobody asks for is logged."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.outcome = _Outcome(name)
        weakref.finalize(self, self.outcome.report).atexit = False

    def result(self, timeout: float | None = None) -> T:
        """See `concurrent.futures.Future`."""
        try:
            return super().result(timeout)
        finally:
            self.outcome.seen = self.done()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `concurrent.futures.Future`."""
        try:
            return super().exception(timeout)
        finally:
            self.outcome.seen = self.done()


class _Job(Generic[T]):
    """A coroutine on its way to the loop."""

    def __init__(self, owner: LoopThread, coro: Coroutine[object, object, T], name: str) -> None:
        self._owner, self._coro, self._name = owner, coro, name
        self.future: Submitted[T] = Submitted(name)

    def __call__(self) -> None:
        """Become a task; on the loop thread."""
        if self.future.cancelled():
            self.discard()
            return
        task = self._owner.track(self._coro, self._name)
        task.add_done_callback(self._settle)
        # Without a reference to the job: the future must not keep itself alive.
        self.future.add_done_callback(partial(_pass_on_cancel, self._owner, task))

    def discard(self) -> None:
        """Give up before the start; from any thread."""
        self._coro.close()
        self._cancelled()

    def _cancelled(self) -> None:
        self.future.cancel()
        self.future.set_running_or_notify_cancel()

    def _settle(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._cancelled()
            return
        error = task.exception()
        if not self.future.set_running_or_notify_cancel():
            return
        if error is None:
            self.future.set_result(task.result())
        else:
            self.future.outcome.error = error
            self.future.set_exception(error)


def _pass_on_cancel(
    owner: LoopThread, task: asyncio.Task[T], future: concurrent.futures.Future[T]
) -> None:
    if future.cancelled() and not task.done():
        owner.call(copy_context(), task.cancel, ())


class LoopThread:
    """A loop, its thread, and every task on it; lives once.

    Calls from other threads go through a deque and wake the loop once per burst.

    Thread safety: `call`, `submit`, `close`, `join` and the properties from any thread; `track` on
    the loop thread only.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(_log_loop_exception)
        self._worker_threads: list[threading.Thread] = []
        self._workers = ThreadPoolExecutor(
            thread_name_prefix=f"{name}-worker",
            initializer=lambda: self._worker_threads.append(threading.current_thread()),
        )
        self.loop.set_default_executor(self._workers)
        self.closing = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._watch = LoopWatch(name, self.loop, self._thread)
        self._ready = threading.Event()
        self._lock = threading.RLock()
        self._calls: deque[Call] = deque()
        self._scheduled = False
        self._alarmed = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._unseen: set[asyncio.Task[object]] = set()
        self._left_behind: tuple[str, ...] = ()

    # ------------------------------------------------------------------ from any thread

    def start(self, timeout: float) -> bool:
        """Start the thread; whether its loop turned within `timeout`."""
        self.loop.call_soon(self._ready.set)
        self._thread.start()
        self._watch.start()
        return self._ready.wait(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Whether the caller is on this loop's thread."""
        return threading.current_thread() is self._thread

    @property
    def blocked_s(self) -> float:
        """For how many seconds the loop has stood still; 0 while it turns."""
        return self._watch.blocked_s

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks that have not ended."""
        return tuple(sorted(task.get_name() for task in tuple(self._tasks)))

    def call(self, context: Context, fn: Callable[..., object], args: tuple[object, ...]) -> None:
        """Call `fn(*args)` in `context` on the loop, after all that was asked before."""
        self._calls.append((context, fn, args))
        if not self._scheduled:
            self._schedule()
        elif len(self._calls) >= _BACKLOG_ALARM and not self._alarmed:
            self._alarmed = True
            log.error("call_backlog_alarm", loop=self.name, queued=len(self._calls))

    def submit(self, coro: Coroutine[object, object, T], name: str) -> Submitted[T]:
        """Run `coro` as a task; its future may be waited for, or cancelled, from any thread."""
        job = _Job(self, coro, name)
        self.call(copy_context(), job, ())
        return job.future

    def close(self, timeout: float) -> None:
        """Ask the loop to cancel its tasks and end."""
        with self._lock:
            if self.closing:
                return
            self.closing = True
        self.loop.call_soon_threadsafe(self._begin_shutdown, time.monotonic(), timeout)

    def join(self, timeout: float) -> tuple[str, ...]:
        """Wait for the end; what did not come to one, by name."""
        deadline = time.monotonic() + timeout
        self._thread.join(timeout)
        watch = self._watch.stop(timeout)
        if self._thread.is_alive():
            return (f"thread {self.name}", *(f"task {name}" for name in self.task_names), *watch)
        return (*self._left_behind, *self._join_workers(deadline), *watch)

    # ------------------------------------------------------------------ on the loop thread

    def track(self, coro: Coroutine[object, object, T], name: str) -> asyncio.Task[T]:
        """Make a task that has an owner: this."""
        task = self.loop.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopped:
            try:
                self.loop.run_forever()
            except BaseException:  # boundary: SystemExit in a task does not end the others
                log.exception("loop_interrupted", loop=self.name)
        asyncio.set_event_loop(None)
        self._workers.shutdown(wait=False, cancel_futures=True)
        self.loop.close()
        self._scheduled = False  # from now on every call looks, and finds the end
        self._sweep()

    def _run_calls(self) -> None:
        if self._stopped:
            self._sweep()  # a task that begins now would never end
            return
        calls = self._calls
        for _ in range(len(calls)):
            context, fn, args = calls.popleft()
            try:
                context.run(fn, *args)
            except BaseException as error:  # noqa: BLE001  # boundary: one call harms no other
                self.loop.call_exception_handler({"message": f"{fn!r} failed", "exception": error})
        self._alarmed = self._alarmed and len(calls) > _BACKLOG_ALARM // 2
        self._scheduled = False
        if calls and not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        try:
            self.loop.call_soon_threadsafe(self._run_calls)
        except RuntimeError:  # the loop is closed: this call overlapped with the end
            self._scheduled = False
            self._sweep()

    def _sweep(self) -> None:
        """Give up the calls that nobody will run."""
        while self._calls:
            try:
                _, fn, _ = self._calls.popleft()
            except IndexError:
                return
            if isinstance(fn, _Job):
                fn.discard()
            log.debug("call_dropped", loop=self.name, call=repr(fn))

    def _task_ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task._log_traceback:
            # Whoever awaits it will have looked by then.
            self._unseen.add(task)
            self.loop.call_later(_AWAITED_WITHIN_S, self._report, task)

    def _report(self, task: asyncio.Task[object]) -> None:
        self._unseen.discard(task)
        if task._log_traceback and (error := task.exception()):
            _task_failed(task.get_name(), error)

    def _begin_shutdown(self, asked_at: float, timeout: float) -> None:
        self._run_calls()
        self._shutdown_task = self.loop.create_task(
            self._shutdown(asked_at, timeout), name=f"{self.name}-shutdown"
        )

    async def _shutdown(self, asked_at: float, timeout: float) -> None:
        deadline = asked_at + timeout * _TASKS_SHARE
        try:
            await self._end_tasks(deadline)
            generators = await self._end_generators(timeout * _GENERATORS_SHARE)
            tasks = await self._end_tasks(deadline)  # generators may have started some, too
            self._left_behind = (*tasks, *generators)
        finally:
            for task in tuple(self._unseen):
                self._report(task)
            self._stopped = True
            # A turn later: who ended in this one is told of.
            self.loop.call_soon(self.loop.stop)

    async def _end_generators(self, timeout: float) -> tuple[str, ...]:
        try:
            await asyncio.wait_for(self.loop.shutdown_asyncgens(), timeout)
        except TimeoutError:
            return ("async generators",)
        return ()

    async def _end_tasks(self, deadline: float) -> tuple[str, ...]:
        """Cancel every task, also those that ending ones start; names of those that stay."""
        asked: set[asyncio.Task[object]] = set()
        while pending := {t for t in asyncio.all_tasks() if t is not self._shutdown_task}:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return tuple(sorted(f"task {task.get_name()}" for task in pending))
            for task in pending - asked:
                task.cancel()
            asked |= pending
            await asyncio.wait(pending, timeout=left_s)
        return ()

    def _join_workers(self, deadline: float) -> tuple[str, ...]:
        for worker in self._worker_threads:
            worker.join(max(deadline - time.monotonic(), 0.0))
        return tuple(f"thread {w.name}" for w in self._worker_threads if w.is_alive())


def _task_failed(name: str, error: BaseException) -> None:
    log.error("task_failed", task=name, error=type(error).__name__, exc_info=error)


def _log_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    task = context.get("task") or context.get("future")
    log.error(
        "loop_exception",
        reason=str(context.get("message", "")),
        task=task.get_name() if isinstance(task, asyncio.Task) else "",
        exc_info=error if isinstance(error, BaseException) else None,
    )
