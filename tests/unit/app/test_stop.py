"""When a program ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from foxtrot.app.stop import Interrupted, Stop, interruptible


@pytest.fixture
def stop() -> Iterator[Stop]:
    """A stop that listens to signals."""
    with Stop() as stopping:
        yield stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait(stop: Stop, number: signal.Signals) -> None:
    """A signal sets a flag and wakes who waits; nothing is interrupted."""
    assert not stop.requested
    os.kill(os.getpid(), number)
    assert stop.wait(20.0)
    assert stop.reason == number.name


def test_a_signal_that_is_sent_twice_is_one(stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`timeout` sends it twice: orders are still cancelled; who is out of patience comes later."""
    codes: list[int] = []
    monkeypatch.setattr("foxtrot.app.stop.os._exit", codes.append)
    for _ in range(2):
        signal.raise_signal(signal.SIGTERM)
    assert (stop.requested, codes) == (True, [])
    monkeypatch.setattr("foxtrot.app.stop._ONE_ASK_S", -1.0)  # half a second later
    signal.raise_signal(signal.SIGINT)
    assert codes == [1]


def test_the_deadline_ends_the_wait() -> None:
    """A program with a deadline ends by itself, however long a wait would take."""
    with Stop(0.0) as stop:
        assert stop.wait(20.0)
        assert stop.reason == "time is up"


def test_the_first_reason_counts(stop: Stop) -> None:
    """Who asks second does not change the reason."""
    stop.ask("first")
    stop.ask("second")
    assert stop.reason == "first"


def test_a_full_pipe_does_not_keep_the_program(stop: Stop) -> None:
    """A reader that stands still cannot hold up the end."""
    reader, writer = os.pipe()
    try:
        assert stop.wait_writable(writer)
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writer, bytes(65_536)):
                pass
        stop.ask("enough")
        assert not stop.wait_writable(writer)
    finally:
        os.close(reader)
        os.close(writer)


def test_signals_are_given_back() -> None:
    """Afterwards the process has the handlers that it had before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Stop(), interruptible():
        assert signal.getsignal(signal.SIGINT) not in before
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_an_ignored_signal_stays_ignored() -> None:
    """A program under nohup survives the end of its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.wait(0.0)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interruptible_work_is_interrupted() -> None:
    """A command that waits in one call is left at once."""
    with pytest.raises(Interrupted), interruptible():
        signal.raise_signal(signal.SIGTERM)


def test_closed_standard_streams_are_opened_to_nowhere() -> None:
    """No file or socket gets their numbers, so that nothing said by mistake is written into it."""
    code = (
        "import os, sys\n"
        "kept = os.dup(1)\n"
        "from foxtrot.app.stop import open_standard_streams\n"
        "os.closerange(0, 3)\n"
        "sys.stdout = sys.stderr = None\n"
        "open_standard_streams()\n"
        "print('to nobody', flush=True)\n"
        "os.write(kept, str([os.open(os.devnull, 0) > 2, sys.stderr.fileno()]).encode())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, b"[True, 2]")


def test_a_terminal_of_another_encoding_is_written_all_the_same() -> None:
    """The screen has frames and signs that ASCII and Latin-1 do not have."""
    code = (
        "from foxtrot.app.stop import open_standard_streams\n"
        "open_standard_streams()\n"
        "print('\u2500 up', flush=True)\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=20, env=environment
    )
    assert (done.returncode, done.stdout) == (0, b"? up\n")
