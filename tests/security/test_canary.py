"""No secret is anywhere: a program that trades on every venue is searched, to its last file."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from foxtrot.core.directories import DATA_VARIABLE

CHILD = Path(__file__).with_name("canary_child.py")
DEADLINE_S = 60.0


@pytest.mark.timeout(DEADLINE_S + 10)
def test_no_secret_leaves_the_program(tmp_path: Path) -> None:
    """Logs at DEBUG, reports of faults, health, the API, reprs, journals, locals: no canary."""
    canaries = {f"CANARY_{name}": f"canary/{secrets.token_hex(8)}" for name in ("KEY", "SECRET")}
    canaries["CANARY_PASSWORD"] = f"canary/{secrets.token_hex(8)}"
    places = {DATA_VARIABLE: str(tmp_path / "data"), "HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path / "log.jsonl")],
        env={**os.environ, **canaries, **places},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:].decode()
    texts = {"stdout": ended.stdout, "stderr": ended.stderr, **dict(files(tmp_path))}
    assert {"log.jsonl"} < set(texts)
    assert any(name.startswith("data") for name in texts)
    # The token stands in its own file, and nowhere else.
    token = texts.pop("data/monitor.token").strip()
    for name, text in texts.items():
        assert token not in text, name
        assert not [each for each in spellings(canaries.values()) if each in text], name


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def spellings(values: Iterable[str]) -> list[bytes]:
    """A secret as it is, as a part of it, in a URL, in base64, and as OpenD is told it."""
    found: list[str] = []
    for value in values:
        digest = hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
        coded = base64.b64encode(value.encode()).decode()
        found += [value, value.partition("/")[2], quote(value, safe=""), coded, digest]
    return [each.encode() for each in found]
