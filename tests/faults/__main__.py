"""Plays seeded fault schedules, in virtual time or over a real client; see scripts/faults."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from foxtrot.core.directories import DATA_VARIABLE
from tests.faults.kill_play import play_kills
from tests.faults.order_play import play_orders, repeat_orders, shortest_orders
from tests.faults.play import play, repeat, shortest
from tests.faults.storm_play import play_storms
from tests.faults.venue_order_play import play_orders_many
from tests.faults.venue_play import VENUES, play_many
from tests.support import lines
from tests.support.fault_table import Cells, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the arguments say; 1 if a schedule failed."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--upto", type=int, help="only so many of the faults")
    parser.add_argument("--trace", action="store_true", help="show what happened")
    help_text = "over the real client and a simulated venue, some at a time; else in virtual time"
    parser.add_argument("--venue", choices=("all", *lines.VENUES), help=help_text)
    parser.add_argument("--orders", action="store_true", help="what befalls orders")
    parser.add_argument("--kill", action="store_true", help="programs that are killed; real ones")
    parser.add_argument(
        "--storm",
        action="store_true",
        help="faults of venues and of lines, streams and orders together",
    )
    options = parser.parse_args(arguments)
    if options.orders and options.venue not in (None, *VENUES):
        parser.error(f"--orders goes with --venue {VENUES[0]} or with none; a storm has orders too")
    seeds = range(options.seed, options.seed + options.count)
    if options.kill:
        return _play_kills(seeds, trace=options.trace)
    if options.storm or options.venue not in (None, *VENUES):
        where = lines.VENUES if options.venue in (None, "all") else (options.venue,)
        return _play_storms(where, seeds, options.upto, trace=options.trace)
    if options.orders:
        play_them = _play_orders_virtually if options.venue is None else _play_orders
        return play_them(seeds, options.upto, trace=options.trace)
    if options.venue is not None:
        return _play_venue(options.venue, seeds, options.upto, trace=options.trace)
    return _play_virtually(seeds, options.upto, trace=options.trace)


def _play_virtually(seeds: range, upto: int | None, *, trace: bool) -> int:
    digests, failed = hashlib.sha256(), 0
    for seed in seeds:
        report = play(seed, upto)
        digests.update(report.digest.encode())
        if trace:
            _show(report.trace)
        if report.problems:
            failed += 1
            least = shortest(seed) if upto is None else upto
            _say(*report.problems, f"to repeat: {repeat(seed, least)}")
    _say(f"{len(seeds)} schedules played, {failed} failed; traces {digests.hexdigest()[:16]}")
    return 1 if failed else 0


def _play_venue(venue: str, seeds: range, upto: int | None, *, trace: bool) -> int:
    _hush()
    failed = 0
    for report in play_many(venue, seeds, upto):
        failed += bool(report.problem)
        if trace or report.problem:
            _say(report.text)
    _say(f"{len(seeds)} schedules played, {failed} failed")
    return 1 if failed else 0


def _play_storms(venues: Sequence[str], seeds: range, upto: int | None, *, trace: bool) -> int:
    _hush()
    failed = 0
    with _data_of_its_own():
        for report in play_storms(venues, seeds, upto):
            failed += bool(report.problem)
            if trace or report.problem:
                _say(report.text)
    _say(f"{len(seeds)} storms over {', '.join(venues)} played, {failed} failed")
    return 1 if failed else 0


def _play_orders(seeds: range, upto: int | None, *, trace: bool) -> int:
    _hush()
    failed, cells = 0, Cells()
    for report in play_orders_many(seeds, upto):
        failed += bool(report.problem)
        cells.update(report.cells)
        if trace or report.problem:
            _say(report.text)
    _say(table(cells), f"{len(seeds)} schedules played, {failed} failed")
    return 1 if failed else 0


def _play_orders_virtually(seeds: range, upto: int | None, *, trace: bool) -> int:
    _hush()
    digests, failed, cells = hashlib.sha256(), 0, Cells()
    for seed in seeds:
        outcome = play_orders(seed, upto)
        digests.update(outcome.digest.encode())
        cells.update(outcome.cells)
        if trace:
            _show(outcome.trace)
        if outcome.problems:
            failed += 1
            least = shortest_orders(seed) if upto is None else upto
            _say(*outcome.problems, f"to repeat: {repeat_orders(seed, least)}")
    _say(table(cells))
    _say(f"{len(seeds)} schedules played, {failed} failed; traces {digests.hexdigest()[:16]}")
    return 1 if failed else 0


def _play_kills(seeds: range, *, trace: bool) -> int:
    _hush()
    failed, starts = 0, []
    for report in play_kills(seeds):
        failed += bool(report.problem)
        starts += report.ready_s
        if trace or report.problem:
            _say(report.text)
    _say(
        f"{len(seeds)} programs killed, {failed} failed",
        f"{len(starts)} starts, the longest until ready: {max(starts, default=0.0):.1f} s",
    )
    return 1 if failed else 0


@contextmanager
def _data_of_its_own() -> Iterator[None]:
    """No journal and no client ids in anybody's home."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ[DATA_VARIABLE] = directory
        try:
            yield
        finally:
            del os.environ[DATA_VARIABLE]


def _hush() -> None:
    for name in ("foxtrot", "aiohttp", "asyncio"):  # outages are what it is about
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _show(trace: Sequence[Sequence[object]]) -> None:
    _say(*(f"{entry[0]:10.3f}  {' '.join(map(str, entry[1:]))}" for entry in trace))


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
