"""Answers: asked once, kept as long as they are worth it, and never more than there is room for."""

from __future__ import annotations

import asyncio

import pytest

from foxtrot.adapter.ib.answers import Answers
from foxtrot.errors import UnknownSymbol, VenueError, VenueUnavailable
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


def test_silence_is_shared_by_those_who_wait_and_does_not_outlive_its_connection() -> None:
    """Who asks after a silence may be answered: by another connection, after a reconnect."""

    async def play() -> None:
        answers: Answers[int, int] = Answers(most=2)
        asked: list[str] = []

        async def silent() -> int:
            asked.append("silent")
            await asyncio.sleep(1.0)
            raise VenueUnavailable("IB", "", "was not answered")

        async def lively() -> int:
            asked.append("lively")
            return 7

        together = await asyncio.gather(
            answers.ask(1, silent), answers.ask(1, silent), return_exceptions=True
        )
        assert [type(each) for each in together] == [VenueUnavailable, VenueUnavailable]
        assert await answers.ask(1, lively) == 7
        assert asked == ["silent", "lively"]

    run_virtually(play(), VirtualLoop())


def test_a_refusal_outlives_its_connection_for_a_while() -> None:
    """The same mistake is not put to the venue again and again."""

    async def play() -> None:
        answers: Answers[int, int] = Answers(most=2)
        asked: list[int] = []

        async def refused() -> int:
            asked.append(1)
            raise UnknownSymbol("IB", "200", "there is none")

        for pause_s in (0.0, 4.0, 5.0):
            await asyncio.sleep(pause_s)
            with pytest.raises(VenueError):
                await answers.ask(1, refused)
        assert len(asked) == 2

    run_virtually(play(), VirtualLoop())
