"""The SDK is imported without its habits, and what keeps it from being used is said."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot.adapter.futu import sdk as module
from foxtrot.errors import ConfigurationError
from tests.support.futu_venue import running_futu

PROGRAM = """
import asyncio, os, signal, sys
handler, home, path = signal.getsignal(signal.SIGINT), os.environ["HOME"], list(sys.path)
homes = set()

class Spy:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("futu", "pandas")):
            homes.add(os.environ["HOME"])

sys.meta_path.insert(0, Spy())
from foxtrot.adapter.futu.client import FutuClient
assert "futu" not in sys.modules, "imported too early"
from foxtrot.adapter.futu.limits import Pace
from foxtrot.adapter.futu.settings import FutuSettings
from foxtrot.connectivity.config import StreamConfig

async def main():
    settings = FutuSettings.parse(
        {"environment": "simulated", "port": int(sys.argv[1]), "password": "env:TRADE_PASSWORD"}
    )
    client = FutuClient("FUTU", settings, StreamConfig(), Pace("FUTU"))
    await client.open()
    if sys.argv[2] == "close":
        await client.close()
    print(repr(settings), file=sys.stderr)

from foxtrot.adapter.futu.sdk import sdk
sdk()  # on the main thread, where the SDK would take SIGINT
asyncio.run(main())
assert signal.getsignal(signal.SIGINT) is handler, "SIGINT"
assert os.environ["HOME"] == home and sys.path == path
assert homes == {home}, "others that look for their files meanwhile look elsewhere"
assert os.environ["FOXTROT_DATA_DIR"] == sys.argv[3]
"""


@pytest.mark.parametrize("end", ["close", "leave"])
def test_a_process_that_used_it_exits_and_shows_no_trace(tmp_path: Path, end: str) -> None:
    """SIGINT, HOME and sys.path are as before, stdout and home are empty; it exits."""
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    environment = os.environ | {
        "HOME": str(home),
        "FOXTROT_DATA_DIR": str(data),
        "TRADE_PASSWORD": "hunter2-of-the-test",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with running_futu() as venue:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, str(venue.port), end, str(data)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=25, check=False
        )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(home.iterdir()) == []
    assert "hunter2" not in done.stderr
    logs = [path for path in data.rglob("*.log") if path.is_file()]
    assert [path.read_text() for path in logs] == [""]


def test_a_missing_part_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK or a part of it, the error says what is missing; nothing ends the process."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"futu-api, pandas.*pip install"):
        module._started()


def test_an_sdk_that_ends_the_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK calls sys.exit where pandas is broken; here that is a wrong installation."""

    def leaving(name: str) -> None:
        raise SystemExit(1)

    monkeypatch.setattr(importlib, "import_module", leaving)
    before = os.environ.get("HOME")
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        module._started()
    assert os.environ.get("HOME") == before


def test_another_sdk_than_expected_is_named_at_the_start() -> None:
    """A release whose network has changed is refused before anything is sent."""

    class Changed:
        @classmethod
        def default(cls) -> None: ...

        def connect(self, addr: object) -> None: ...

    with pytest.raises(ConfigurationError, match=r"another NetManager\.connect"):
        module._check(Changed)
