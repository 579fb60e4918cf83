"""What is installed is what was meant: pinned, with its hash, under a name that was looked at."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
IMPOSTORS = {"ccxtpro", "ccxt-pro", "ccxt-mexc-futures", "ib-insync-async", "ibapi-python", "futu"}
"""Packages named like the SDKs that are none, or were used to steal keys."""

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==\S+", re.MULTILINE)
_KEYS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}"
    r"|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}"
)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_is_pinned_with_its_hashes(lock: Path) -> None:
    """A package that was replaced on its way is not installed."""
    text = lock.read_text()
    for entry in re.split(r"\n(?=\S)", text):
        if not entry.strip() or entry.startswith("#"):
            continue
        assert _PINNED.match(entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_no_package_is_named_like_an_sdk_and_is_none() -> None:
    """Impostors of the SDKs have stolen keys."""
    names = {
        name.lower().replace("_", "-")
        for lock in LOCKS
        for name in _PINNED.findall(lock.read_text())
    }
    assert {"ccxt", "futu-api", "ib-async"} <= names
    assert not names & IMPOSTORS


def test_nobody_is_sent_to_pypi_for_foxtrot() -> None:
    """The package of that name there is somebody else's; advice names what is lacking itself."""
    told = [ROOT / "README.md", ROOT / "config" / "README.md", *(ROOT / "docs").rglob("*.md")]
    told += (ROOT / "foxtrot").rglob("*.py")
    wrong = [path.name for path in told if re.search(r"pip install '?foxtrot", path.read_text())]
    assert wrong == []


def test_what_runs_foreign_data_as_code_is_forbidden() -> None:
    """The checks that refuse eval, unsafe YAML and pickles are switched on for the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    lint = project["ruff"]["lint"]
    assert "S" in lint["select"]
    assert not [rule for rule in lint["ignore"] if rule.startswith("S") and rule != "S101"]
    contracts = {contract["name"]: contract for contract in project["importlinter"]["contracts"]}
    unpickled = contracts["Nothing is unpickled"]
    assert unpickled["source_modules"] == ["foxtrot"]
    assert {"pickle", "shelve", "marshal"} <= set(unpickled["forbidden_modules"])


def test_no_key_is_kept_with_the_code() -> None:
    """Nobody's key is in a file of the project; what tests use opens nothing."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no checkout, so there is no list of its files")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            assert not _KEYS.search(path.read_text(errors="replace")), name
