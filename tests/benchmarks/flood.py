"""A simulated Binance in a process of its own, which floods whoever subscribes.

Run as a module it serves; imported it starts that process. The market stands still, so that nothing
but the flood is measured. The bid's volume of a book ticker is the monotonic clock, in seconds, at
the time of sending.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, product

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_blast import BlastPlan
from foxtrot.simulator.binance_limits import Limits
from tests.benchmarks.serving import serving, tell

_DELAY_S = 0.5
"""Until then clients have their snapshots."""


def symbols(count: int = 5) -> list[str]:
    """So many invented symbols, always the same."""
    names = product("ABCDEFGHIJ", "KLMNOPQRST", "UVWXYZABCD")
    return ["".join(name) + "USDT" for name in islice(names, count)]


@contextmanager
def flooding_venue(
    channel: str = "bookTicker",
    *,
    rate_hz: float | None = None,
    frames: int | None = None,
    count: int = 5,
) -> Iterator[str]:
    """Start the venue; yields `host:port`. Each connection gets a flood of its own."""
    told = [channel, "--count", str(count)]
    told += ["--rate", str(rate_hz)] if rate_hz is not None else []
    told += ["--frames", str(frames)] if frames is not None else []
    with serving(__name__, told) as port:
        yield f"127.0.0.1:{port}"


async def serve(plan: BlastPlan, count: int) -> None:
    """Serve until killed."""
    venue = SimulatedBinance(symbols(count), rate_hz=0, limits=Limits.none())
    venue.blast(plan)
    async with venue:
        tell(venue.port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("channel")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--count", type=int)
    told = parser.parse_args()
    asked = BlastPlan(told.rate, told.frames, stamped=True, channel=told.channel, delay_s=_DELAY_S)
    asyncio.run(serve(asked, told.count))
