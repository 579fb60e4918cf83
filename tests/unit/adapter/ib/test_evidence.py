"""What a code proves about an order: rejected on positive evidence only, else in doubt."""

import pytest

from foxtrot.adapter.ib import evidence
from foxtrot.gateway.trading import Doubtful, Refused


@pytest.mark.parametrize("code", [103, 104, 105, 110, 200, 201, 203, 321, 387, 10006, 10052, 10149])
def test_a_refusal_is_believed_with_its_words(code: int) -> None:
    """TWS did not take the order, and said so."""
    assert evidence.of_new_order(code, "no") == Refused(f"{code}: no")


@pytest.mark.parametrize("code", [202, 399, 404, 2109, 2137, 10349])
def test_a_notice_is_no_answer(code: int) -> None:
    """Who waits for what becomes of an order goes on waiting."""
    assert evidence.of_new_order(code, "take note") is None
    assert evidence.of_cancel(code, "take note") is None


@pytest.mark.parametrize("code", [135, 161, 10147, 10148])
def test_a_cancel_that_found_nothing_proves_nothing(code: int) -> None:
    """The order may have traded, or be another client's: the venue is asked."""
    assert isinstance(evidence.of_cancel(code, "no such order"), Doubtful)


@pytest.mark.parametrize("code", [136, 137])
def test_an_order_that_cannot_be_cancelled_lives(code: int) -> None:
    """TWS says that no cancel will ever do."""
    assert evidence.of_cancel(code, "no") == Refused(f"{code}: no")


@pytest.mark.parametrize("code", [100, 320, 322, 99_999])
def test_a_code_that_nobody_knows_is_a_doubt(code: int) -> None:
    """Neither a new order nor a cancel is decided by it."""
    assert isinstance(evidence.of_new_order(code, "?"), Doubtful)
    assert isinstance(evidence.of_cancel(code, "?"), Doubtful)
