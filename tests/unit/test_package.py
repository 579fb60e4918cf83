"""`import foxtrot` is cheap and quiet, and shows the public face."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import foxtrot

PROBE = """
import sys, threading
opened = []
def audit(event, args):
    if event == "open" and isinstance(args[0], str):
        opened.append(args[0])
import {module}
sys.addaudithook(audit)
for name in [n for n in sys.modules if n.split(".")[0] == "foxtrot"]:
    del sys.modules[name]
import {module}
heavy = sorted({{name.split(".")[0] for name in sys.modules}}
    & {{"ccxt", "aiohttp", "ib_insync", "ib_async", "futu", "vnpy", "pandas", "numpy", "keyring"}})
read = [p for p in opened if not p.endswith((".py", ".pyc")) and "__pycache__" not in p]
print(heavy, threading.active_count(), read)
"""


def probe(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE.format(module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_importing_foxtrot_starts_nothing_and_imports_no_sdk() -> None:
    """No thread, no file but Python's own, no ccxt, no aiohttp."""
    assert probe("foxtrot") == "[] 1 []"


def test_importing_the_binance_adapter_imports_no_sdk() -> None:
    """ccxt is loaded by the first connect."""
    assert "ccxt" not in probe("foxtrot.adapter.binance")


def test_the_public_face_is_sorted_and_complete() -> None:
    """Everything of __all__ is there, and nothing public is missing from it."""
    assert sorted(foxtrot.__all__) == sorted(set(foxtrot.__all__))
    for name in foxtrot.__all__:
        assert getattr(foxtrot, name) is not None
    face = {name: value for name, value in vars(foxtrot).items() if not name.startswith("_")}
    public = {name for name, value in face.items() if not isinstance(value, ModuleType)}
    assert public == set(foxtrot.__all__)


def test_the_map_of_the_house_is_true() -> None:
    """Whoever looks a module up finds it, and no name leads nowhere."""
    root = Path(foxtrot.__file__).parent
    text = (root.parent / "docs" / "architecture.md").read_text()
    shared = ("model", "core", "connectivity", "execution", "gateway", "engine")
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", text))
    there = {path.name for room in shared for path in (root / room).glob("[!_]*.py")}
    assert there - named == set()
    assert named - {path.name for path in root.rglob("*.py")} == set()
