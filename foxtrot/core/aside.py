"""Slow local work beside the loop: a thread of its own that a stuck disk or import may keep."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T], name: str) -> T:
    """Run `work` on a daemon thread named `foxtrot-<name>`; returns or raises what it does.

    Whoever awaits it sets the deadline; work that outlives it ends unheard.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - boundary: it belongs to who awaits
            _tell(loop, done, lambda error=error: done.set_exception(error))  # type: ignore[misc]
        else:
            _tell(loop, done, lambda: done.set_result(result))

    context = copy_context()  # its log lines belong to whoever awaits it
    threading.Thread(target=context.run, args=(run,), name=f"foxtrot-{name}", daemon=True).start()
    return await done


def _tell(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], settle: Callable[[], None]
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop may be closed by now
        loop.call_soon_threadsafe(lambda: None if done.done() else settle())
