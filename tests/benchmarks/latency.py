"""From the venue's socket to the handler, at a steady rate, each client in a process of its own."""

from __future__ import annotations

from tests.benchmarks.clients import Run, bare_client, ccxt_client, foxtrot_client
from tests.benchmarks.flood import flooding_venue
from tests.benchmarks.harness import Comparison, interleave
from tests.benchmarks.workers import Worker

SECONDS = {1_000: 2.0, 10_000: 1.0}
"""How long, by frames a second."""

SLICES = 2
"""In each round: many short ones, for who shares the machine spoils a 99th percentile at once."""


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    with Worker() as ours, Worker() as bare, Worker() as ccxt:
        return [
            comparison
            for rate_hz in SECONDS
            for comparison in _compared(rate_hz, paced(rounds, rate_hz, ours, bare, ccxt))
        ]


def paced(
    rounds: int, rate_hz: int, ours: Worker, bare: Worker, ccxt: Worker
) -> dict[str, list[Run]]:
    """The three clients in turn."""
    frames = int(rate_hz * SECONDS[rate_hz])
    with flooding_venue(rate_hz=rate_hz) as address:
        return interleave(
            rounds * SLICES,
            {
                "foxtrot": lambda: ours.run(foxtrot_client, address, "bookTicker", frames),
                "bare": lambda: bare.run(bare_client, address, "bookTicker", frames),
                "ccxt": lambda: ccxt.run(ccxt_client, address, "bookTicker", frames),
            },
        )


def _compared(rate_hz: int, runs: dict[str, list[Run]]) -> list[Comparison]:
    kept = min(run.delivered for run in runs["ccxt"])
    return [
        Comparison(
            f"socket to handler at {rate_hz:,}/s, {name}",
            "us",
            [getattr(run, field) for run in runs["foxtrot"]],
            peer,
            [getattr(run, field) for run in runs[peer]],
            floor,
            aim,
            smaller_is_better=True,
            note=f"ccxt delivered {kept:.1%}" if peer == "ccxt" and name == "p50" else "",
        )
        for peer, floor, aim in (("bare", 2.5, 1.5), ("ccxt", None, None))
        for name, field in (("p50", "p50_us"), ("p99", "p99_us"))
    ]
