"""The bell that wakes the dispatcher."""

import os
import threading

import pytest

from foxtrot.core.wakeup import EventfdWakeup, SocketWakeup, Wakeup, make_wakeup

KINDS = [SocketWakeup, *([EventfdWakeup] if hasattr(os, "eventfd") else [])]
LONG_S = 20.0  # a wait that really took this long would fail the test by its time limit


@pytest.fixture(params=KINDS)
def wakeup(request: pytest.FixtureRequest):
    """Each kind of bell in turn."""
    bell: Wakeup = request.param()
    yield bell
    bell.close()


def test_a_ring_before_the_wait_is_not_lost(wakeup: Wakeup) -> None:
    """A wait that begins after the ring ends at once."""
    wakeup.ring()
    wakeup.wait(LONG_S)


def test_a_ring_from_another_thread_ends_the_wait(wakeup: Wakeup) -> None:
    """A sleeping thread is woken by a ring from another one, time after time."""
    woken = threading.Semaphore(0)

    def sleep_three_times() -> None:
        for _ in range(3):
            wakeup.wait(LONG_S)
            woken.release()

    sleeper = threading.Thread(target=sleep_three_times)
    sleeper.start()
    for _ in range(3):
        wakeup.ring()
        assert woken.acquire(timeout=5)
    sleeper.join(5)
    assert not sleeper.is_alive()


def test_a_wait_ends_by_itself(wakeup: Wakeup) -> None:
    """Without a ring the wait ends after its time; a negative time is no time."""
    wakeup.wait(0.001)
    wakeup.wait(-1.0)


def test_more_rings_than_anybody_hears_do_no_harm(wakeup: Wakeup) -> None:
    """Ringing without end neither blocks nor fails, and still ends the next wait."""
    for _ in range(10_000):
        wakeup.ring()
    wakeup.wait(LONG_S)


def test_a_closed_bell_is_silent(wakeup: Wakeup) -> None:
    """Closing twice and ringing afterwards do nothing."""
    wakeup.close()
    wakeup.close()
    wakeup.ring()


def test_systems_without_eventfd_get_a_socket_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no eventfd, the bell is a socket pair."""
    monkeypatch.delattr(os, "eventfd", raising=False)
    bell = make_wakeup()
    assert isinstance(bell, SocketWakeup)
    bell.close()
