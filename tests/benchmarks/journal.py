"""What it costs the caller's thread to have an order in the journal before it is sent.

The peers: a line of JSON appended to a plain file and synchronised, which is the least that
survives the loss of power, and no journal at all. The files are where temporary files are.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from foxtrot.execution.journal import Durability, Journal
from foxtrot.execution.reports import OrderIntent
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest
from tests.benchmarks.harness import Comparison, interleave, percentile

ORDERS_PER_ROUND = 2000
REQUEST = OrderRequest(
    "BTCUSDT", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 0.5, 64_000.25, reference="toy"
)
NORMAL, FULL = "intend, survives kill -9", "intend, survives power loss"
APPENDED, NONE = "append + fsync", "no journal"
SHARES = {"p50": 0.5, "p99": 0.99}


def timed(next_orderid: Callable[[], str], write: Callable[[OrderIntent], object]) -> list[float]:
    """Microseconds that each of a round's orders takes to be made and written."""
    times = []
    for number in range(ORDERS_PER_ROUND):
        began = time.perf_counter_ns()
        write(OrderIntent(next_orderid(), REQUEST, number))
        times.append((time.perf_counter_ns() - began) / 1000)
    return times


def through_journal(durability: Durability) -> list[float]:
    """A journal of one round."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder), "bench", durability=durability)
        try:
            return timed(journal.next_orderid, journal.intend)
        finally:
            journal.close()


def through_file() -> list[float]:
    """A plain file, synchronised after each line."""
    with tempfile.TemporaryFile(buffering=0) as file:

        def write(intent: OrderIntent) -> None:
            file.write(msgspec.json.encode(intent) + b"\n")
            os.fdatasync(file.fileno())

        return timed(plain_ids(), write)


def through_nothing() -> list[float]:
    """The order is made and forgotten."""
    return timed(plain_ids(), lambda intent: None)


def plain_ids() -> Callable[[], str]:
    """Ids of the same form."""
    counter = itertools.count(1)
    return lambda: f"fx012345-1-{next(counter)}"


def run(rounds: int) -> list[Comparison]:
    """Both durabilities, each against both peers."""
    times = interleave(
        rounds,
        {
            NORMAL: partial(through_journal, Durability.PROCESS),
            FULL: partial(through_journal, Durability.POWER),
            APPENDED: through_file,
            NONE: through_nothing,
        },
    )
    figures = {
        (case, name): [percentile(each, share) for each in found]
        for case, found in times.items()
        for name, share in SHARES.items()
    }
    return [
        Comparison(
            f"{case}, {name}",
            "µs",
            figures[case, name],
            peer,
            figures[peer, name],
            smaller_is_better=True,
        )
        for case, peer in ((NORMAL, APPENDED), (FULL, APPENDED), (NORMAL, NONE))
        for name in SHARES
    ]
