"""A process of its own that writes one byte at a steady rate: the market, as a loop sees it."""

from __future__ import annotations

import ctypes
import os
import sys
import time

_PR_SET_TIMERSLACK = 29


def main(fd: int, rate: float, count: int) -> None:
    """Write `count` bytes to `fd`, `rate` a second; what is late is written at once."""
    # Linux lets a sleep end 50 us late by default: at 10,000/s half of the bytes came in pairs.
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    due = time.perf_counter() + 0.05
    for _ in range(count):
        wait_s = due - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        os.write(fd, b"x")
        due += 1 / rate


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
