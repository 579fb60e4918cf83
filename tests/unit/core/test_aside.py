"""Slow local work runs beside the loop, and its end reaches whoever awaits it."""

import asyncio
import threading

import pytest

from foxtrot.core.aside import aside


async def test_the_loop_goes_on_meanwhile() -> None:
    """The work has a daemon thread with a name; the loop can let it go on."""
    go = threading.Event()

    def work() -> tuple[str, bool]:
        assert go.wait(5.0)
        return threading.current_thread().name, threading.current_thread().daemon

    waiting = asyncio.create_task(aside(work, "test"))
    await asyncio.sleep(0)
    go.set()
    assert await waiting == ("foxtrot-test", True)


async def test_what_it_raises_is_raised_where_it_is_awaited() -> None:
    """As if it had run in place."""

    def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await aside(work, "test")


async def test_work_that_outlives_its_deadline_ends_unheard() -> None:
    """Whoever waits may stop waiting; the late end does no harm."""
    go, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert go.wait(5.0)
        ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await aside(work, "test")
    go.set()
    assert await asyncio.to_thread(ended.wait, 5.0)


def test_a_loop_that_is_closed_by_then_does_no_harm() -> None:
    """The thread ends quietly."""
    go = threading.Event()

    async def leave() -> None:
        task = asyncio.ensure_future(aside(lambda: go.wait(5.0), "test-late"))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    (late,) = [each for each in threading.enumerate() if each.name == "foxtrot-test-late"]
    go.set()
    late.join(5.0)
    assert not late.is_alive()
