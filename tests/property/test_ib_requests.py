"""Answers to TWS's questions, in any order that TWS may send them."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.ib.requests import Requests

ANSWERS = st.dictionaries(st.integers(1, 9), st.lists(st.integers(), max_size=6), max_size=6)


@given(ANSWERS, st.randoms(use_true_random=False))
def test_each_question_gets_its_own_rows_in_their_order(
    answers: dict[int, list[int]], dice: object
) -> None:
    """However the answers are mixed, none gets another's row, loses one, or ends early."""

    async def play() -> None:
        requests = Requests("IB")
        row, end = requests.route("contractDetails"), requests.route("contractDetailsEnd")
        assert row is not None
        assert end is not None
        questions = {number: requests.open(number, "x") for number in answers}
        left = {number: [*rows, None] for number, rows in answers.items()}
        while left:
            number = dice.choice(sorted(left))  # type: ignore[attr-defined]
            piece = left[number].pop(0)
            assert not questions[number].done.done()
            assert end((number,)) if piece is None else row((number, piece))
            if not left[number]:
                del left[number]
        for number, rows in answers.items():
            assert questions[number].done.result() == rows

    asyncio.run(play())
