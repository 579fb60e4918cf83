"""What this process takes of the machine, as cheaply as the system tells it."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path

from foxtrot.model.health import ProcessHealth

_STARTED_NS = time.time_ns()
_STATM = Path("/proc/self/statm")
_DESCRIPTORS = next((each for each in ("/proc/self/fd", "/dev/fd") if os.path.isdir(each)), "")


def process_health() -> ProcessHealth:
    """Memory, time on the processors, threads and descriptors of now. Waits for nothing.

    Raises:
        OSError: The system does not tell.
    """
    return ProcessHealth(
        memory_bytes=_memory_bytes(),
        cpu_s=time.process_time(),
        threads=tuple(sorted(thread.name for thread in _threads())),
        descriptors=len(os.listdir(_DESCRIPTORS)) if _DESCRIPTORS else 0,
        started_ns=_STARTED_NS,
    )


def _threads() -> list[threading.Thread]:
    # Not threading.enumerate(), which waits for the lock of whoever starts a thread right now.
    known: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
    return list(known.copy().values())


def _memory_bytes() -> int:
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the most it ever was
    return peak if sys.platform == "darwin" else peak * 1024
