"""The simulated OpenD on a thread, for tests of what connects to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from foxtrot.simulator.futu import FutuLimits, SimulatedFutu, SimulatedFutuThread


@contextlib.contextmanager
def running_futu(
    symbols: Sequence[str] | None = None,
    *,
    seed: int = 7,
    rate_hz: float = 0.0,
    limits: FutuLimits | None = None,
    rsa_key: str | None = None,
    port: int = 0,
) -> Iterator[SimulatedFutu]:
    """An OpenD that listens; its market moves by `tick` alone, unless it has a rate."""
    venue = SimulatedFutu(
        symbols, seed=seed, rate_hz=rate_hz, limits=limits, rsa_key=rsa_key, port=port
    )
    with SimulatedFutuThread(venue):
        yield venue
