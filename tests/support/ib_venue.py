"""The simulated gateway of Interactive Brokers on a thread, for tests of what connects to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from foxtrot.simulator.ib import IbLimits, SimulatedIb, SimulatedIbThread

SYMBOLS = ("AAPL", "MSFT", "IBM", "EUR.USD", "SPX")
"""A universe for tests that need no futures and options, so that it is made at once."""


@contextlib.contextmanager
def running_ib(
    symbols: Sequence[str] | None = SYMBOLS,
    *,
    seed: int = 7,
    rate_hz: float = 0.0,
    limits: IbLimits | None = None,
    server_version: int = 176,
    port: int = 0,
) -> Iterator[SimulatedIb]:
    """A gateway that listens; its market moves by `tick` alone, unless it has a rate."""
    venue = SimulatedIb(
        symbols,
        seed=seed,
        rate_hz=rate_hz,
        limits=limits,
        server_version=server_version,
        port=port,
    )
    with SimulatedIbThread(venue):
        yield venue
