"""Measures what foxtrot promises, on the loopback, and prints one table: promise, figure, met.

The venues are measured beside each other, each in processes of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from types import FrameType

from tests.benchmarks.harness import percentile
from tests.promises.measure import SUBSCRIPTIONS, closings, flood, recoveries, silences
from tests.promises.venues import CLASSES

RECOVERY_S, SILENCE_S, HEALTHY_S, HUNG_S, ORDER_S = 1.7, 20.0, 2.0, 5.0, 0.05
MEMORY_MIB, TICKS_PER_S = 100.0, 100_000
PACED_S = {"ib": SUBSCRIPTIONS / 40}
"""TWS takes fifty messages a second and foxtrot sends forty, so a hundred requests take this."""

SHARDS = {"ib": 3}
"""In how many processes the drops of a venue are, as it is slow by its own rules."""

_AT_ONCE = 5
_WORDS = {True: "yes", False: "NO", None: "skipped"}


class OutOfTime(BaseException):
    """Somebody ends this process: what is known by now is told."""


@dataclass(frozen=True)
class Row:
    """One promise; `met` is None where nobody could tell."""

    promise: str
    figure: str
    met: bool | None

    def __str__(self) -> str:
        return f"{self.promise:<66} {self.figure:<44} {_WORDS[self.met]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.promises", description=__doc__)
    parser.add_argument("--drops", type=int, default=200, help="of each venue (200)")
    parser.add_argument("--silences", type=int, default=3, help="of each venue (3)")
    parser.add_argument("--closings", type=int, default=20, help="of each venue and kind (20)")
    parser.add_argument(
        "--row",
        action="append",
        default=[],
        metavar="PROMISE|FIGURE|yes, no or skipped",
        help="what was found elsewhere, for the same table",
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _on_term)
    rows = [_given(text) for text in options.row]
    try:
        for measured in (
            _flood(),
            _recovery(options.drops),
            _silence(options.silences),
            _close(options.closings),
        ):
            for row in _as_far_as_it_goes(measured):
                rows.append(row)
    except OutOfTime:
        return 1
    finally:
        lines = [f"{'promise':<66} {'figure':<44} met", "-" * 114, *map(str, rows)]
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    return 0 if all(row.met is not False for row in rows) else 1


def _as_far_as_it_goes(measured: Iterator[Row]) -> Iterator[Row]:
    """The rows, and one more if something kept the rest from being measured."""
    try:
        yield from measured
    except OutOfTime:
        yield Row("the rest", "ended by the time budget", met=False)
        raise
    except Exception as error:  # boundary: one promise that cannot be measured hides no other
        traceback.print_exc()
        yield Row("what comes next of its kind", f"not measured: {type(error).__name__}", met=False)


def _on_term(number: int, frame: FrameType | None) -> None:
    raise OutOfTime


def _given(text: str) -> Row:
    promise, figure, met = text.split("|")
    return Row(promise, figure, {"yes": True, "no": False}.get(met))


def _pool(at_once: int = _AT_ONCE) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(at_once, mp_context=context, max_tasks_per_child=1)


def _flood() -> Iterator[Row]:
    with _pool(1) as pool:
        rate, grown, latencies, missing, lost = pool.submit(flood).result()
    p99 = percentile(latencies, 0.99)
    yield Row(f"flood: {TICKS_PER_S:,} ticks/s for 10 s", f"{rate:,.0f}/s, {lost} lost", lost == 0)
    yield Row("flood: memory grows by 100 MiB at most", f"{grown:.1f} MiB", grown <= MEMORY_MIB)
    figure = f"p99 {p99 * 1e3:.2f} ms, {len(latencies)} of {len(latencies) + missing} came"
    kept = p99 <= ORDER_S and not missing
    yield Row("flood: order events p99 <= 50 ms, none dropped", figure, kept)


def _recovery(drops: int) -> Iterator[Row]:
    with _pool() as pool:
        runs = {
            venue: [
                pool.submit(recoveries, venue, -(-drops // SHARDS.get(venue, 1)))
                for _ in range(SHARDS.get(venue, 1))
            ]
            for venue in CLASSES
        }
        for venue, shards in runs.items():
            times = [each for shard in shards for each in shard.result()]
            bound = RECOVERY_S + PACED_S.get(venue, 0.0)
            promise = f"{venue}: drop to READY, {SUBSCRIPTIONS} streams, p99 <= {bound:g} s"
            if venue in PACED_S:
                promise += f" ({RECOVERY_S:g} + TWS's pace)"
            p99 = percentile(times, 0.99)
            figure = f"p50 {percentile(times, 0.5):.2f} s, p99 {p99:.2f} s, {len(times)} drops"
            yield Row(promise, figure, p99 <= bound)


def _silence(count: int) -> Iterator[Row]:
    with _pool() as pool:
        runs = {venue: pool.submit(silences, venue, count) for venue in CLASSES}
        for venue, run in runs.items():
            longest = max(run.result())
            promise = f"{venue}: silence is detected within {SILENCE_S:g} s"
            yield Row(promise, f"{longest:.1f} s at most, {count} times", longest <= SILENCE_S)


def _close(count: int) -> Iterator[Row]:
    with _pool(3) as pool:
        runs: list[tuple[str, bool, Future[list[tuple[float, int]]]]] = [
            (venue, hung, pool.submit(closings, venue, hung=hung, count=count))
            for hung in (False, True)
            for venue in CLASSES
        ]
        for venue, hung, run in runs:
            bound, word = (HUNG_S, "hung") if hung else (HEALTHY_S, "healthy")
            p99 = percentile([took for took, _ in run.result()], 0.99)
            left = sum(left for _, left in run.result())
            promise = f"{venue}: close, {word}, p99 <= {bound:g} s, nothing left behind"
            figure = f"p99 {p99:.2f} s, {left} left, {count} times"
            yield Row(promise, figure, p99 <= bound and not left)


if __name__ == "__main__":
    sys.exit(main())
