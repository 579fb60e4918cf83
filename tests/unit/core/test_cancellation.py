"""A cancellation that a library swallows ends the task all the same."""

from __future__ import annotations

import asyncio

import pytest

from foxtrot.core.cancellation import heed_cancellation


async def test_a_swallowed_cancellation_is_raised_where_it_is_heeded() -> None:
    """The task ends as cancelled, though the library made another error of it."""
    begun = asyncio.Event()

    async def library() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TimeoutError from None

    async def work() -> None:
        while True:
            try:
                await library()
            except TimeoutError:
                heed_cancellation()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


async def test_nobody_is_cancelled_who_was_not_asked_to_be() -> None:
    """An own deadline that has passed is no cancellation of the task."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    heed_cancellation()
