"""Fuzzes every parser at the boundary with atheris: `python -m tests.fuzz --seconds N [TARGET …]`.

Each target runs in a process of its own, beginning with its corpus; what breaks one is kept below
tests/fuzz/corpus, so that it is tried ever after. Without atheris it says so, with exit code 75.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
_SKIPPED = 75
_ONE_S = 20
"""Longest that one input may take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz; 1 if a target broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        _say("skipped: atheris is not installed (pip install atheris); tests/fuzz has run without")
        return _SKIPPED
    broken = [name for name in options.targets or TARGETS if not _run(name, options.seconds)]
    _say(f"broken: {', '.join(broken)}" if broken else "no target broke")
    return 1 if broken else 0


def _run(name: str, seconds: int) -> bool:
    with tempfile.TemporaryDirectory() as found:
        told = [
            f"-max_total_time={seconds}",
            f"-timeout={_ONE_S}",
            f"-artifact_prefix={CORPUS / name}/",
            "-max_len=8192",
            found,
            str(CORPUS / name),
        ]
        command = [sys.executable, "-m", "tests.fuzz.inside", name, *told]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    last = next((line for line in reversed(lines) if line.startswith("Done")), "")
    _say(f"{name:<16} {last or 'BROKE'}")
    if done.returncode:
        _say(*lines[-40:])
    return done.returncode == 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
