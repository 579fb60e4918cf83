"""A venue in a process of its own, so that it takes nothing from the one that is measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_READY = "listening at port "
_END_S = 10.0


@contextmanager
def serving(module: str, told: Sequence[str]) -> Iterator[int]:
    """Run a module with these arguments until the end; yields the port that it tells."""
    command = [sys.executable, "-m", module, *told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith(_READY))
        yield int(next(lines)[len(_READY) :])
    finally:
        process.terminate()
        process.wait(_END_S)


def tell(port: int) -> None:
    """Say in that process that the venue listens."""
    print(f"{_READY}{port}", flush=True)
