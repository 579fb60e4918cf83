"""Questions and their answers: each gets its own rows, whole or not at all."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib import requests as module
from foxtrot.adapter.ib.requests import Requests
from foxtrot.errors import ConnectionClosed, VenueUnavailable

CONTRACT = "contractDetails"


@pytest.fixture
async def requests() -> Requests:
    """Nothing is asked yet."""
    return Requests("IB")


def hear(requests: Requests, name: str, *args: object) -> bool:
    """A callback; whether it concerned a question alone."""
    answer = requests.route(name)
    return answer is not None and answer(args)


async def test_rows_are_collected_until_the_end(requests: Requests) -> None:
    """Rows with the question's id are its own; what has another id, or none, is not taken."""
    question = requests.open(7, "contract")
    assert hear(requests, CONTRACT, 7, "a")
    assert not hear(requests, CONTRACT, 8, "of somebody else")
    assert not hear(requests, "orderStatus", 7, "Filled")
    assert hear(requests, "execDetails", 7, "contract", "execution")
    assert not question.done.done()
    assert hear(requests, "contractDetailsEnd", 7)
    assert question.done.result() == ["a", ("contract", "execution")]


async def test_an_answer_in_one_piece_needs_no_end(requests: Requests) -> None:
    """Some answers are one callback."""
    question = requests.open(7, "search")
    assert hear(requests, "symbolSamples", 7, ["AAPL", "AAPLX"])
    assert question.done.result() == [["AAPL", "AAPLX"]]


async def test_pages_end_with_the_last(requests: Requests) -> None:
    """Ticks of the past come as lists; the one that says so is the last."""
    question = requests.open(7, "ticks")
    assert hear(requests, "historicalTicksLast", 7, [1, 2], False)
    assert not question.done.done()
    assert hear(requests, "historicalTicksLast", 7, [3], True)
    assert question.done.result() == [1, 2, 3]


async def test_what_is_forgotten_is_not_taken(requests: Requests) -> None:
    """After its asker has gone, a question's rows go to whoever else wants them."""
    requests.open(7, "contract")
    requests.close(7)
    assert not hear(requests, CONTRACT, 7, "late")
    assert not requests.fail(7, ConnectionClosed(1006))


async def test_rows_without_an_id_are_for_the_sinks_as_well(requests: Requests) -> None:
    """A position may be an answer or news; whoever listens hears it in any case."""
    question = requests.open_named("positions")
    assert not hear(requests, "position", "DU1", "AAPL", 10.0, 1.5)
    assert not hear(requests, "positionEnd")
    assert question.done.result() == [("DU1", "AAPL", 10.0, 1.5)]


async def test_a_late_end_belongs_to_the_question_before(requests: Requests) -> None:
    """What was sent before a late end answers the old question, and not the new one."""
    requests.open_named("openOrders")
    requests.close_named("openOrders", sent=True)
    question = requests.open_named("allOpenOrders")
    hear(requests, "openOrder", 1, "old")
    hear(requests, "openOrderEnd")
    assert not question.done.done()
    hear(requests, "openOrder", 2, "new")
    hear(requests, "openOrderEnd")
    assert question.done.result() == [(2, "new")]


async def test_what_was_never_sent_is_owed_no_answer(requests: Requests) -> None:
    """A question that was given up while it waited for its turn does not cost the next one."""
    requests.open_named("positions")
    requests.close_named("positions", sent=False)
    question = requests.open_named("positions")
    hear(requests, "positionEnd")
    assert question.done.result() == []


async def test_an_answer_without_an_end_is_given_up(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are bounded: more than any answer has are an error, and are not kept."""
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    question = requests.open(7, "contract")
    for row in range(5):
        hear(requests, CONTRACT, 7, row)
    assert len(question.rows) == 3
    assert isinstance(question.done.exception(), VenueUnavailable)


async def test_all_fail_when_the_line_is_lost(requests: Requests) -> None:
    """Nobody is left waiting; what was answered before stays answered."""
    answered, waiting = requests.open(7, "a"), requests.open_named("positions")
    hear(requests, "headTimestamp", 7, "1")
    requests.fail_all(ConnectionClosed(1006))
    assert answered.done.result() == ["1"]
    assert isinstance(waiting.done.exception(), ConnectionClosed)
