"""What is asked of a loop while it ends comes to an end as well."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextvars import copy_context

from foxtrot.core.loop_thread import LoopThread
from tests.support.engine import WAIT_S


async def nothing() -> None:
    """Do nothing."""


def end(thread: LoopThread) -> None:
    """End `thread` and see that nothing is left."""
    thread.close(WAIT_S)
    assert thread.join(WAIT_S) == ()
    assert not thread.alive


def test_a_job_that_comes_after_the_end_is_cancelled() -> None:
    """Who submits at the very moment of the end waits for nothing; the coroutine is closed."""
    thread = LoopThread("late")
    assert thread.start(WAIT_S)
    end(thread)
    assert thread.submit(nothing(), "too late").cancelled()


def test_a_job_that_finds_the_loop_open_but_ended_is_cancelled() -> None:
    """A job given between the loop's last turn and its closing is not forgotten."""
    thread = LoopThread("closing")
    assert thread.start(WAIT_S)
    close, late = thread.loop.close, []

    def close_late() -> None:
        late.append(thread.submit(nothing(), "in between"))
        close()

    thread.loop.close = close_late  # type: ignore[method-assign]
    end(thread)
    assert [future.cancelled() for future in late] == [True]


def test_calls_that_come_after_the_end_do_nothing() -> None:
    """A late call is dropped without an error."""
    thread, done = LoopThread("late"), threading.Event()
    assert thread.start(WAIT_S)
    end(thread)
    thread.call(copy_context(), done.set, ())
    assert not done.is_set()


def test_what_an_ending_generator_starts_is_ended_too() -> None:
    """A task begun while async generators are closed is cancelled and joined."""
    thread, cancelled = LoopThread("generator"), threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            thread.track(wait(), "goodbye")
            await asyncio.sleep(0)

    async def begin() -> None:
        await anext(generator)

    generator = numbers()
    assert thread.start(WAIT_S)
    thread.submit(begin(), "begin").result(WAIT_S)
    end(thread)
    assert cancelled.is_set()
