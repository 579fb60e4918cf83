"""Windows and gaps say how long to wait."""

import pytest

from foxtrot.connectivity.pacing import RollingWindow, Spacing


def test_the_first_send_does_not_wait_and_the_next_keep_their_gap() -> None:
    """Three sends at once go out at 0, 0.3 and 0.6 s."""
    spacing = Spacing(0.3)
    assert [spacing.reserve(10.0) for _ in range(3)] == pytest.approx([0.0, 0.3, 0.6])


def test_a_gap_that_has_passed_is_not_saved_up() -> None:
    """A long pause earns no burst."""
    spacing = Spacing(0.3)
    spacing.reserve(10.0)
    assert spacing.reserve(100.0) == 0.0
    assert spacing.reserve(100.0) == pytest.approx(0.3)


def test_a_window_is_free_until_it_is_full() -> None:
    """The limit may be used at once; the next unit waits for the oldest to leave."""
    window = RollingWindow(3, 60.0)
    assert [window.reserve(10.0 + n) for n in range(3)] == [0.0, 0.0, 0.0]
    assert window.reserve(13.0) == pytest.approx(57.0)


def test_a_request_may_take_several_units() -> None:
    """Weights count: a heavy request waits until enough light ones have left."""
    window = RollingWindow(10, 60.0)
    assert window.reserve(0.0, 4) == 0.0
    assert window.reserve(1.0, 4) == 0.0
    assert window.reserve(2.0, 2) == 0.0
    assert window.reserve(3.0, 8) == pytest.approx(58.0)


def test_nobody_overtakes() -> None:
    """A light request does not slip in before a heavy one that is waiting."""
    window = RollingWindow(10, 60.0)
    window.reserve(0.0, 9)
    assert window.reserve(1.0, 5) == pytest.approx(59.0)
    assert window.reserve(1.0, 1) == pytest.approx(59.0)


def test_more_than_the_window_holds_is_an_error() -> None:
    """What could never be sent is refused at once, and takes nothing."""
    window = RollingWindow(10, 60.0)
    with pytest.raises(ValueError, match="11 units at once, but the window holds 10"):
        window.reserve(0.0, 11)
    assert window.reserve(0.0, 10) == 0.0
