"""The kill switch, over real signals to this process."""

from __future__ import annotations

import os
import queue
from pathlib import Path

import pytest

from foxtrot.app.switch import HALT, RESUME, switch, tell

WAIT_S = 10.0


class Engine:
    """Remembers what it was told."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self.told: queue.Queue[str] = queue.Queue()

    def halt(self, reason: str) -> None:
        """Take the reason."""
        self.told.put(f"halt: {reason}")

    def resume(self) -> None:
        """Take it."""
        self.told.put("resume")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of this test's own."""
    monkeypatch.setenv("FOXTROT_DATA_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    return tmp_path / "running"


def test_a_running_program_is_found_and_halted_until_it_is_resumed() -> None:
    """What `foxtrot halt` and `foxtrot resume` send reaches the engine, in order."""
    engine = Engine()
    with switch(engine):
        assert tell(HALT) == [os.getpid()]
        assert engine.told.get(timeout=WAIT_S) == "halt: asked to by SIGUSR1"
        assert tell(RESUME) == [os.getpid()]
        assert engine.told.get(timeout=WAIT_S) == "resume"


def test_its_file_is_private_and_ends_with_it(place: Path) -> None:
    """Nobody else reads it, and a program that ended is not told anything."""
    with switch(Engine()):
        (file,) = place.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
    assert tell(HALT) == []


def test_a_process_that_took_over_the_id_is_not_touched(place: Path) -> None:
    """A file that nobody holds is of a program that was killed; its id may be another's by now."""
    place.mkdir()
    (place / f"{os.getpid()}.pid").touch()
    assert tell(HALT) == []
