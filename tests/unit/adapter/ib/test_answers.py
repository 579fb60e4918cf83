"""Answers: asked once, kept as long as they are worth it, and never more than there is room for."""

from __future__ import annotations

import asyncio

from foxtrot.adapter.ib.answers import Answers
from tests.support.virtual_time import VirtualLoop, run_virtually


def test_answers_age_and_make_room() -> None:
    """An old answer is asked for again, and the oldest goes when there are too many."""

    async def play() -> None:
        asked: list[int] = []
        answers: Answers[int, int] = Answers(most=2, kept_s=60.0)

        async def ask(key: int) -> int:
            async def question() -> int:
                asked.append(key)
                return key * 10

            return await answers.ask(key, question)

        assert [await ask(key) for key in (1, 2, 1, 3, 1)] == [10, 20, 10, 30, 10]
        assert asked == [1, 2, 3, 1]
        await asyncio.sleep(60.0)
        assert await ask(1) == 10
        assert asked == [1, 2, 3, 1, 1]

    run_virtually(play(), VirtualLoop())
