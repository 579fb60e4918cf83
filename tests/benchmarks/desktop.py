"""From the venue's frame to the cell of the table, in windows of vnpy that are drawn on no screen.

foxtrot's desktop beside vnpy's own window with a gateway over plain ccxt, and beside the same
window with foxtrot's gateway. All read the same flood, each in a process of its own; the venue is
in another one.

A table need not show what nobody could see: foxtrot's draws the newest price of each symbol as
often as a quarter of the window's time allows, and its strategies get every tick. So the latency
of what was drawn stands beside the age of what can be read in the table at any moment. An empty
window, measured in turn with them, says how late the loop is of one that has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from tests.benchmarks.desktop_clients import (
    ccxt_gateway,
    foxtrot_desktop,
    foxtrot_gateway,
    idle_window,
)
from tests.benchmarks.desktop_screen import Idle, Shown
from tests.benchmarks.flood import flooding_venue
from tests.benchmarks.harness import Comparison, interleave
from tests.benchmarks.workers import Worker

SYMBOLS = 50
SECONDS = {1_000: 3.0, 5_000: 3.0}
"""How long, by frames a second."""

BURST = 100_000
LAG_LIMIT_US = 50_000.0
"""For the 99th percentile at the highest rate."""

CCXT, PLAIN, EMPTY = "ccxt in vnpy's window", "foxtrot in vnpy's window", "empty window"
_CLIENTS: dict[str, Callable[[str, int, int], Shown | Idle]] = {
    "ours": foxtrot_desktop,
    PLAIN: foxtrot_gateway,
    CCXT: ccxt_gateway,
    EMPTY: idle_window,
}
_FIGURES = {
    "to the cell, p50": "p50_us",
    "to the cell, p99": "p99_us",
    "age of what is shown, p50": "age_p50_us",
    "age of what is shown, p99": "age_p99_us",
    "late loop of the window, p50": "lag_p50_us",
    "late loop of the window, p99": "lag_p99_us",
    "table behind at the end": "behind_us",
    "oldest price at the end": "left_us",
    "CPU, each frame": "cpu_us",
}
_OF_A_BURST = {
    "from the first price to the last": "spent_us",
    "late loop of the window, p99": "lag_p99_us",
    "longest standstill": "lag_max_us",
    "oldest price at the end": "left_us",
    "CPU, each frame": "cpu_us",
}

_LAGS = ("lag_p50_us", "lag_p99_us", "lag_max_us")
_TOLD = {
    CCXT: (*_FIGURES.values(), *_OF_A_BURST.values()),
    PLAIN: ("p50_us", "p99_us", "spent_us", "cpu_us", *_LAGS[1:]),
    EMPTY: _LAGS,
}
"""Which figures are told beside whom."""

Runs = dict[str, list[Any]]


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    with Worker() as ours, Worker() as plain, Worker() as ccxt, Worker() as empty:
        workers = {"ours": ours, PLAIN: plain, CCXT: ccxt, EMPTY: empty}
        paced = {rate_hz: _paced(rounds, rate_hz, workers) for rate_hz in SECONDS}
        burst = _flood(rounds, BURST, None, workers)
    return [
        *(each for rate_hz, runs in paced.items() for each in _compared(rate_hz, runs)),
        _limit(paced[max(paced)]),
        *_figures(f"Desktop, {BURST:,} at once", _OF_A_BURST, burst),
    ]


def _paced(rounds: int, rate_hz: int, workers: dict[str, Worker]) -> Runs:
    return _flood(rounds, int(rate_hz * SECONDS[rate_hz]), float(rate_hz), workers)


def _flood(rounds: int, frames: int, rate_hz: float | None, workers: dict[str, Worker]) -> Runs:
    """The windows in turn."""

    def case(name: str, address: str) -> Callable[[], Shown | Idle]:
        return lambda: workers[name].run(_CLIENTS[name], address, SYMBOLS, frames)

    with flooding_venue(rate_hz=rate_hz, frames=frames, count=SYMBOLS) as address:
        return interleave(rounds, {name: case(name, address) for name in workers})


def _compared(rate_hz: int, runs: Runs) -> list[Comparison]:
    return _figures(f"Desktop at {rate_hz:,}/s", _FIGURES, runs)


def _figures(name: str, figures: dict[str, str], runs: Runs) -> list[Comparison]:
    drawn = {who: median(run.delivered for run in runs[who]) for who in runs if who != EMPTY}
    shares = ", ".join(f"{who} {share:.1%}" for who, share in drawn.items())
    return [
        Comparison(
            f"{name}, {what}",
            "us",
            [getattr(run, field) for run in runs["ours"]],
            peer,
            [getattr(run, field) for run in runs[peer]],
            smaller_is_better=True,
            note=f"of the frames were drawn: {shares}" if number == 0 and peer == CCXT else "",
        )
        for peer, told in _TOLD.items()
        for number, (what, field) in enumerate(figures.items())
        if field in told
    ]


def _limit(runs: Runs) -> Comparison:
    lags = [run.lag_p99_us for run in runs["ours"]]
    return Comparison(
        f"Desktop at {max(SECONDS):,}/s, late loop of the window, p99", "us", lags,
        "limit", [LAG_LIMIT_US] * len(lags), 1.0, smaller_is_better=True,
    )  # fmt: skip
