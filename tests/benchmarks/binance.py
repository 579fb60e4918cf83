"""Binance frames to a handler, by channel, against plain ccxt and a bare websocket client.

All read the same flood, each in a process of its own; the venue is in another one.
"""

from __future__ import annotations

from tests.benchmarks.clients import (
    KINDS,
    Run,
    bare_client,
    ccxt_client,
    foxtrot_client,
)
from tests.benchmarks.flood import flooding_venue
from tests.benchmarks.harness import Comparison, interleave
from tests.benchmarks.workers import Worker

FRAMES = {"bookTicker": 300_000, "ticker": 150_000, "depth@100ms": 100_000, "trade": 150_000}
CCXT_FRAMES = 20_000
FULL_HZ, FULL_FRAMES = 50_000.0, 100_000

Runs = dict[str, list[Run]]


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    with Worker() as ours, Worker() as bare, Worker() as ccxt:
        floods = {kind: flood(rounds, kind, ours, bare, ccxt) for kind in KINDS}
        with flooding_venue(rate_hz=FULL_HZ, frames=FULL_FRAMES) as address:
            full = [
                ours.run(foxtrot_client, address, "bookTicker", FULL_FRAMES) for _ in range(rounds)
            ]
    kept = min(run.delivered for run in full)
    paced = f"at a paced {FULL_HZ:,.0f}/s foxtrot delivers {kept:.2%}"
    return [
        comparison
        for kind, runs in floods.items()
        for comparison in _compared(kind, runs, paced if kind == "bookTicker" else "")
    ]


def flood(rounds: int, kind: str, ours: Worker, bare: Worker, ccxt: Worker) -> Runs:
    """The three clients in turn, as fast as each can."""
    frames = FRAMES[kind]
    with flooding_venue(kind, frames=frames) as address:
        return interleave(
            rounds,
            {
                "foxtrot": lambda: ours.run(foxtrot_client, address, kind, frames),
                "bare": lambda: bare.run(bare_client, address, kind, frames),
                "ccxt": lambda: ccxt.run(ccxt_client, address, kind, CCXT_FRAMES),
            },
        )


def _compared(kind: str, runs: Runs, paced: str) -> list[Comparison]:
    kept = {name: min(run.delivered for run in runs[name]) for name in runs}
    shares = ", ".join(f"{name} delivered {share:.2%}" for name, share in kept.items())
    rate = {name: [run.per_second for run in runs[name]] for name in runs}
    cpu = {name: [run.cpu_us for run in runs[name]] for name in runs}
    # The goals are those of frames that become one event each; books are kept, by ccxt as well.
    goals = ((None, None), (None, None)) if kind == "depth@100ms" else ((7.0, 10.0), (0.33, 0.5))
    return [
        Comparison(
            f"{kind} frames to handler", "frames/s", rate["foxtrot"], "ccxt", rate["ccxt"],
            *goals[0], note=f"{shares}; {paced}".removesuffix("; "),
        ),
        Comparison(
            f"{kind} frames to handler", "frames/s", rate["foxtrot"], "bare", rate["bare"],
            *goals[1],
        ),
        *(
            Comparison(
                f"{kind} CPU", "us/frame", cpu["foxtrot"], peer, cpu[peer], smaller_is_better=True
            )
            for peer in ("ccxt", "bare")
        ),
    ]  # fmt: skip
