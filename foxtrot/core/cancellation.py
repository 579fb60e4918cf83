"""Cancellations that a library swallows."""

from __future__ import annotations

import asyncio


def heed_cancellation() -> None:
    """Raise the cancellation that this task was asked for and a library answered otherwise.

    To be called where a library's call has ended: a task group cancels a child only once, and one
    that goes on would never end.

    Raises:
        asyncio.CancelledError: The task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
