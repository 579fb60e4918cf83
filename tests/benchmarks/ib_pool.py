"""What it costs to hold an idle connection to a TWS, and how close the history pace keeps to TWS's.

The peers: a semaphore and a list, which is the least that bounds and reuses, without looking
whether a connection lives or telling its holder when it dies; and the goals themselves. The pace
is measured in virtual time.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager

from foxtrot.adapter.ib.limits import IbPaceManager
from foxtrot.adapter.ib.pool import IbConnectionPool
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.errors import FoxtrotError
from tests.benchmarks.harness import Comparison, interleave, percentile
from tests.support.virtual_time import VirtualLoop, run_virtually

LEASES_PER_ROUND = 5_000
REQUESTS = 601
LIMIT_US = 50.0
ALLOWED_S = (REQUESTS - 1) / 60 * 600.0
OURS, LEAST = "acquire and give back", "semaphore and list"


class Line:
    """A connection that is always there."""

    def __init__(self, client_id: int, purpose: Purpose) -> None:
        self.lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def probe(self) -> None:
        """Alive."""


class Ids:
    """Numbers."""

    def __init__(self) -> None:
        self._next = itertools.count(200)

    def lease(self, purpose: Purpose) -> int:
        """The next."""
        return next(self._next)

    def release(self, client_id: int, *, in_use: bool = False) -> None:
        """Never used again."""


def through_pool() -> list[float]:
    """Microseconds of each lease of an idle connection, there and back."""

    async def play() -> list[float]:
        pool = IbConnectionPool("IB", Ids(), Line)
        async with pool.acquire("data_fetch"):
            pass
        times = []
        for _ in range(LEASES_PER_ROUND):
            began = time.perf_counter_ns()
            async with pool.acquire("data_fetch"):
                pass
            times.append((time.perf_counter_ns() - began) / 1000)
        await pool.close()
        return times

    return asyncio.run(play())


def through_list() -> list[float]:
    """The same without all that makes a pool trustworthy."""

    async def play() -> list[float]:
        slots, idle = asyncio.Semaphore(4), [object()]

        @asynccontextmanager
        async def acquire():
            async with slots:
                connection = idle.pop()
                try:
                    yield connection
                finally:
                    idle.append(connection)

        times = []
        for _ in range(LEASES_PER_ROUND):
            began = time.perf_counter_ns()
            async with acquire():
                pass
            times.append((time.perf_counter_ns() - began) / 1000)
        return times

    return asyncio.run(play())


def paced_s() -> float:
    """Virtual seconds that six hundred intervals between requests for small bars take."""

    async def play() -> float:
        pace, loop = IbPaceManager("tws"), asyncio.get_running_loop()
        sent: list[float] = []

        async def ask(number: int) -> None:
            async with pace.historical(str(number % 50), "TRADES", "5 secs", str(number)):
                await pace.message()
                sent.append(loop.time())
                await asyncio.sleep(0.5)

        await asyncio.gather(*(ask(number) for number in range(REQUESTS)))
        return sent[-1] - sent[0]

    return run_virtually(play(), VirtualLoop())


def run(rounds: int) -> list[Comparison]:
    """A lease beside the least and beside its limit; the pace beside what TWS allows."""
    times = interleave(rounds, {OURS: through_pool, LEAST: through_list})
    middle, slow = ([percentile(each, s) for each in times[OURS]] for s in (0.5, 0.99))
    least = [percentile(each, 0.5) for each in times[LEAST]]
    limit = [LIMIT_US] * rounds
    name = "IB pool: lease of an idle connection"
    return [
        Comparison(f"{name}, p50", "µs", middle, LEAST, least, smaller_is_better=True),
        Comparison(f"{name}, p50", "µs", middle, "limit", limit, 1.0, smaller_is_better=True),
        Comparison(f"{name}, p99", "µs", slow, "limit", limit, 1.0, smaller_is_better=True),
        Comparison(
            "IB history: 600 requests of small bars",
            "s",
            [paced_s()],
            "TWS's own limit",
            [ALLOWED_S],
            1.02,
            smaller_is_better=True,
        ),
    ]
