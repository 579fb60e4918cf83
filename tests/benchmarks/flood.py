"""A simulated Binance in a process of its own, which floods whoever subscribes to book tickers.

Run as a module it serves; imported it starts that process. The bid's volume of a frame is the
monotonic clock, in seconds, at the time of sending.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_limits import Limits

_READY = "listening "
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")


@contextmanager
def flooding_venue(*, rate_hz: float | None = None, frames: int | None = None) -> Iterator[str]:
    """Start the venue; yields `host:port`."""
    command = [sys.executable, "-m", "tests.benchmarks.flood"]
    command += ["--rate", str(rate_hz)] if rate_hz is not None else []
    command += ["--frames", str(frames)] if frames is not None else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield next(
            line[len(_READY) :].strip() for line in process.stdout if line.startswith(_READY)
        )
    finally:
        process.terminate()
        process.wait(10)


async def serve(rate_hz: float | None, frames: int | None) -> None:
    """Serve until killed."""
    venue = SimulatedBinance(SYMBOLS, rate_hz=0.1, limits=Limits.none())
    venue.blast(rate_hz, frames=frames, stamped=True)
    async with venue:
        print(f"{_READY}127.0.0.1:{venue.port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float)
    parser.add_argument("--frames", type=int)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.rate, arguments.frames))
