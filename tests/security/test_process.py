"""What a running foxtrot loads, writes and opens on the machine of who trades: one run, watched."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from foxtrot.core.directories import DATA_VARIABLE

FOXTROT = Path(sys.executable).with_name("foxtrot")
DEADLINE_S = 25.0
TRAPS = ("ccxt", "ib_async", "ib_insync", "futu", "msgspec", "Common_pb2", "sitecustomize")
_SDKS_OWN = ".com.futunn.FutuOpenD"
_LISTENS, _LOOPBACK = "0A", ("0100007F", "00000000000000000000000001000000")
"""A state and addresses, as /proc/net/tcp and tcp6 write them."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="open ports and limits are read from /proc"
)


@dataclass(frozen=True)
class Seen:
    """What was found while it ran, and the directory that it ran in."""

    folder: Path
    trap: Path
    listening: tuple[str, ...]
    limits: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The demo under a careless umask, among files named like libraries, in an empty home."""
    folder = tmp_path_factory.mktemp("home")
    trap = folder / "trapped"
    (folder / "data").mkdir(mode=0o700)
    for place in (folder, folder / "data"):
        for name in TRAPS:
            (place / f"{name}.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    before = os.umask(0)
    try:
        with _demo(folder) as program:
            own = set(_sockets(program.pid))
            listening = tuple(address for address, inode in _listening() if inode in own)
            limits = Path(f"/proc/{program.pid}/limits").read_text()
    finally:
        os.umask(before)
    return Seen(folder, trap, listening, limits)


@contextlib.contextmanager
def _demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """From its first tick to its end in good order."""
    log_file = folder / "logs" / "foxtrot.jsonl"
    program = subprocess.Popen(
        [str(FOXTROT), "demo", "--json", "--log-file", str(log_file)],
        cwd=folder,
        env={**os.environ, DATA_VARIABLE: str(folder / "data"), "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        assert any('"event":"tick"' in line for line in program.stdout)
        yield program
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=DEADLINE_S)
        assert program.returncode == 0, errors
    finally:
        program.kill()
        program.communicate()


def test_what_it_writes_is_its_users_alone(seen: Seen) -> None:
    """Directories are 0700 and files 0600, even under a careless umask."""
    places = [seen.folder / "data", seen.folder / "logs"]
    written = [path for place in places for path in place.rglob("*") if path.stem not in TRAPS]
    assert any(path.is_file() for path in written)
    for path in (*places, *written):
        if _SDKS_OWN in path.parts:
            continue  # the SDK makes it so, in a directory that nobody else may enter
        allowed = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == allowed, path


def test_no_code_is_taken_from_where_it_runs(seen: Seen) -> None:
    """A file named like a library, in the data or the working directory, is not imported."""
    assert not seen.trap.exists()


def test_no_code_is_taken_from_where_the_module_is_started(tmp_path: Path) -> None:
    """`python -m foxtrot` imports no more from the working directory than `foxtrot` does."""
    (tmp_path / "typer.py").write_text("raise SystemExit('trapped')\n")
    command = [sys.executable, "-m", "foxtrot", "--version"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("foxtrot ")


def test_nothing_listens_beyond_this_machine(seen: Seen) -> None:
    """The demo's venues, and whatever else it opens, are for this machine only."""
    assert seen.listening
    assert set(seen.listening) <= set(_LOOPBACK)


def test_no_core_is_dumped(seen: Seen) -> None:
    """In a dump of the memory secrets would lie."""
    assert re.search(r"Max core file size\s+0\s+0\s", seen.limits)


def test_the_scan_sees_who_listens_to_everybody() -> None:
    """The look at open ports would find one that is open to other machines."""
    with socket.create_server(("", 0)):
        own = set(_sockets(os.getpid()))
        addresses = {address for address, inode in _listening() if inode in own}
    assert "00000000" in addresses


def _sockets(pid: int) -> Iterator[str]:
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(handle)):
                yield found[1]


def _listening() -> Iterator[tuple[str, str]]:
    """Address and inode of each socket that listens."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS:
                yield fields[1].partition(":")[0], fields[9]
