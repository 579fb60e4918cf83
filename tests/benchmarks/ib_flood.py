"""A simulated TWS in a process of its own: it floods whoever subscribes, or has orders to list.

Run as a module it serves; imported it starts that process. The market stands still, so that nothing
but the flood is measured. Every size is the monotonic clock, in seconds, at the time of sending.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from foxtrot.simulator.ib import IbLimits, SimulatedIb
from foxtrot.simulator.ib_blast import BlastPlan
from tests.benchmarks.serving import serving, tell

QUOTES, PRINTS = "market_data", "tick_by_tick"
SYMBOLS = {QUOTES: ("AAPL", "MSFT", "NVDA", "TSLA", "IBM"), PRINTS: ("AAPL", "MSFT", "IBM")}
"""Stocks with a stream of their own; TWS allows three of prints."""

ORDER_PRICE = 10.0
"""Far below the market: what is bought at it waits."""


@contextmanager
def flooding_tws(
    channel: str, *, messages: int | None = None, rate_hz: float | None = None
) -> Iterator[int]:
    """Start it; yields the port. Each connection gets a flood of its own."""
    told = ["--flood", channel]
    told += ["--messages", str(messages)] if messages is not None else []
    told += ["--rate", str(rate_hz)] if rate_hz is not None else []
    with serving(__name__, told) as port:
        yield port


@contextmanager
def quiet_tws(orders: int) -> Iterator[int]:
    """Start it with so many open orders of client 1; yields the port. Nobody is flooded."""
    with serving(__name__, ["--orders", str(orders)]) as port:
        yield port


async def serve(plan: BlastPlan | None, orders: int) -> None:
    """Serve until killed."""
    limits = IbLimits(tick_by_tick_again_s=0.0)  # the clients come one right after the other
    venue = SimulatedIb(SYMBOLS[plan.channel if plan else QUOTES], rate_hz=0, limits=limits)
    venue.blast(plan)
    async with venue:
        for number in range(orders):
            symbol = SYMBOLS[QUOTES][number % len(SYMBOLS[QUOTES])]
            venue.desk.place_by_hand(symbol, 1, ORDER_PRICE, client_id=1)
        tell(venue.port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--flood", default="")
    parser.add_argument("--messages", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--orders", type=int, default=0)
    told = parser.parse_args()
    flood = BlastPlan(told.rate, told.messages, stamped=True, channel=told.flood)
    asyncio.run(serve(flood if told.flood else None, told.orders))
