"""Orders, from the call to the venue and back, beside vnpy's engine over plain ccxt.

The venue runs in a process of its own and each client in another; all clocks are one machine's.
What foxtrot adds to the peer is its guard and a journal on the caller's thread. A figure of both
durabilities is measured in the same rounds. Without vnpy, that peer is left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.benchmarks.harness import Comparison, interleave, percentile
from tests.benchmarks.order_clients import Halted, Marks, foxtrot_halt, foxtrot_orders
from tests.benchmarks.order_venue import (
    CANCELLED,
    FILLED,
    PLACED,
    Stamps,
    close_venue,
    open_venue,
    take_stamps,
)
from tests.benchmarks.order_ways import REST, SOCKET, submitted
from tests.benchmarks.workers import Worker

ORDERS = 200
RESTING = 100
TICKS_HZ = 1_000.0
NORMAL, FULL, VNPY = "foxtrot", "foxtrot, survives power loss", "vnpy over ccxt"
SHARES = {"p50": 0.5, "p99": 0.99}
BLOCKED_S, CANCELLED_S = 0.05, 1.0
"""What is promised of a halt."""

_STORM = "while a thread sends without pause, far above the default limit of 10 orders a second"

Figures = dict[str, list[float]]
"""Microseconds of each order, by what was measured."""


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    found = []
    for ticks_hz in (None, TICKS_HZ):
        found += _compared(paths(rounds, ticks_hz), ticks_hz)
    return [*found, *_compared_halts(halts(rounds)), *_compared_ways(ways(rounds))]


@contextmanager
def venue(ticks_hz: float | None) -> Iterator[tuple[str, Worker]]:
    """A venue that stamps, and the process it runs in."""
    with Worker() as process:
        address = process.run(open_venue, ticks_hz)
        try:
            yield address, process
        finally:
            process.run(close_venue)


def paths(rounds: int, ticks_hz: float | None) -> dict[str, list[Figures]]:
    """Every client in turn."""
    ticks = ticks_hz is not None
    with venue(ticks_hz) as (address, process), Worker() as ours, Worker() as theirs:

        def measured(work: Callable[[], Marks]) -> Figures:
            return _figures(work(), process.run(take_stamps))

        def through_foxtrot(durability: str) -> Figures:
            return measured(lambda: ours.run(foxtrot_orders, address, ORDERS, durability, ticks))

        cases = {
            NORMAL: partial(through_foxtrot, "process"),
            FULL: partial(through_foxtrot, "power"),
        }
        if importlib.util.find_spec("vnpy") is not None:
            from tests.benchmarks.order_vnpy import vnpy_orders

            cases[VNPY] = lambda: measured(lambda: theirs.run(vnpy_orders, address, ORDERS, ticks))
        return interleave(rounds, cases)


def _figures(marks: Marks, stamps: Stamps) -> Figures:
    pairs = {
        "send_order, call to return": lambda each: (marks.called[each], marks.returned[each]),
        "send_order, call to wire": lambda each: (marks.called[each], stamps[PLACED, each]),
        "fill leaves venue, to handler": lambda each: (stamps[FILLED, each], marks.filled[each]),
        "send_order to open, to handler": lambda each: (marks.called[each], marks.opened[each]),
    }
    return {
        name: [(end - begin) * 1e6 for begin, end in map(pair, marks.called)]
        for name, pair in pairs.items()
    }


def _compared(found: dict[str, list[Figures]], ticks_hz: float | None) -> list[Comparison]:
    beside = f", {ticks_hz:,.0f} ticks/s beside" if ticks_hz else ""
    pairs = [(NORMAL, VNPY), (FULL, VNPY)] if VNPY in found else [(FULL, NORMAL)]
    return [
        Comparison(
            f"{what}{' (power)' if ours == FULL else ''}{beside}, {name}",
            "us",
            [percentile(each[what], share) for each in found[ours]],
            peer,
            [percentile(each[what], share) for each in found[peer]],
            smaller_is_better=True,
        )
        for ours, peer in pairs
        for what in found[NORMAL][0]
        for name, share in SHARES.items()
    ]


def halts(rounds: int) -> list[tuple[Halted, Stamps]]:
    """One halt each round, in a flow of ticks."""
    with venue(TICKS_HZ) as (address, process), Worker() as ours:
        found = []
        for _ in range(rounds + 1):
            halted = ours.run(foxtrot_halt, address, RESTING, ticks=True)
            found.append((halted, process.run(take_stamps)))
        return found[1:]  # the first round only warms up


def _compared_halts(found: list[tuple[Halted, Stamps]]) -> list[Comparison]:
    last_s = {
        "no order passes": [
            max(halted.returned_s, *_arrivals(stamps, halted.sent)) - halted.called_s
            for halted, stamps in found
        ],
        f"last of {RESTING} cancels on the wire": [
            max(stamps[CANCELLED, each] for each in halted.resting) - halted.called_s
            for halted, stamps in found
        ],
    }
    return [
        Comparison(
            f"halt to {what}", "s", times, "promise", [promise] * len(times), 1.0,
            smaller_is_better=True, note=_STORM,
        )
        for (what, times), promise in zip(last_s.items(), (BLOCKED_S, CANCELLED_S), strict=True)
    ]  # fmt: skip


def _arrivals(stamps: Stamps, orderids: list[str]) -> list[float]:
    """When those of the orders that were sent reached the venue."""
    return [stamps[PLACED, each] for each in orderids if (PLACED, each) in stamps]


def ways(rounds: int) -> dict[str, list[Figures]]:
    """REST and the trading websocket in turn."""
    with venue(None) as (address, process), Worker() as client:

        def measured(way: str) -> Figures:
            marks = client.run(submitted, address, ORDERS, way)
            stamps = process.run(take_stamps)
            begins = marks.called.items()
            return {
                "to wire": [(stamps[PLACED, each] - at_s) * 1e6 for each, at_s in begins],
                "to answer": [(marks.opened[each] - at_s) * 1e6 for each, at_s in begins],
            }

        return interleave(rounds, {way: partial(measured, way) for way in (SOCKET, REST)})


def _compared_ways(found: dict[str, list[Figures]]) -> list[Comparison]:
    return [
        Comparison(
            f"order by {SOCKET} {what}, {name}",
            "us",
            [percentile(each[what], share) for each in found[SOCKET]],
            REST,
            [percentile(each[what], share) for each in found[REST]],
            smaller_is_better=True,
        )
        for what in ("to wire", "to answer")
        for name, share in SHARES.items()
    ]
