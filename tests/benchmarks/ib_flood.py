"""A simulated TWS in a process of its own, which floods whoever subscribes.

Run as a module it serves; imported it starts that process. The market stands still, so that nothing
but the flood is measured. Every size is the monotonic clock, in seconds, at the time of sending.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from foxtrot.simulator.ib import IbLimits, SimulatedIb
from foxtrot.simulator.ib_blast import BlastPlan

QUOTES, PRINTS = "market_data", "tick_by_tick"
SYMBOLS = {QUOTES: ("AAPL", "MSFT", "NVDA", "TSLA", "IBM"), PRINTS: ("AAPL", "MSFT", "IBM")}
"""Stocks with a stream of their own; TWS allows three of prints."""

_READY = "listening "


@contextmanager
def flooding_tws(
    channel: str, *, messages: int | None = None, rate_hz: float | None = None
) -> Iterator[int]:
    """Start it; yields the port. Each connection gets a flood of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.ib_flood", channel]
    command += ["--messages", str(messages)] if messages is not None else []
    command += ["--rate", str(rate_hz)] if rate_hz is not None else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith(_READY))
        yield int(next(lines)[len(_READY) :])
    finally:
        process.terminate()
        process.wait(10)


async def serve(plan: BlastPlan) -> None:
    """Serve until killed."""
    limits = IbLimits(tick_by_tick_again_s=0.0)  # the clients come one right after the other
    venue = SimulatedIb(SYMBOLS[plan.channel], rate_hz=0, limits=limits)
    venue.blast(plan)
    async with venue:
        print(f"{_READY}{venue.port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("channel")
    parser.add_argument("--messages", type=int)
    parser.add_argument("--rate", type=float)
    told = parser.parse_args()
    asyncio.run(serve(BlastPlan(told.rate, told.messages, stamped=True, channel=told.channel)))
