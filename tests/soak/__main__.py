"""A soak: `scripts/soak --minutes N [--venue V]`. Prints its seed and every figure, draws plots.

The simulated venues are processes of their own, so that what is measured is foxtrot alone. Time is
scaled by the settings: an outage is short, and so is the way back. Exit code 0: every fault was
followed by recovery, nothing grew, no order is in doubt, and after `close` nothing was left.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from foxtrot import MainEngine
from foxtrot.adapter.futu import limits
from foxtrot.core import logs
from foxtrot.core.process import process_health
from foxtrot.execution import reconciler
from foxtrot.model.objects import NS_PER_S
from tests.soak.gauges import ALLOWED, Gauges
from tests.soak.places import PLACES, Simulated
from tests.soak.play import NotHealed, Soak, Table
from tests.soak.plot import plot
from tests.support.rig import QUICK, SHORT

DAEMONS = ("_run_safe_shutdown_loop", "_loop")
"""What SDKs leave behind by their own choice: the resolver of ccxt, the network of futu."""
_CONFIG = replace(SHORT, stream_look_s=0.2, refused_retry_s=0.5)
_FLAGS: dict[str, object] = {
    **QUICK, "orders.timeout_s": 2.0, "orders.max_rejections": 1_000, "liveness.stream_idle_s": 2.0
}  # fmt: skip
_LEFT_S = 10.0


@dataclass
class Outcome:
    """What a soak found."""

    problems: list[str] = field(default_factory=list)

    def check(self, fine: bool, problem: str) -> None:
        """Note a problem."""
        if not fine:
            self.problems.append(problem)


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak; 0 if all was well."""
    options = _options(arguments)
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    names = [options.venue.upper()] if options.venue else list(PLACES)
    say(f"soak of {', '.join(names)}: {options.minutes:g} minutes, seed {seed}")
    logs.configure(level="CRITICAL")
    outcome = Outcome()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        venues = [
            stack.enter_context(
                Simulated(PLACES[name], seed=seed, rate_hz=options.rate, scaled=options.scaled)
            )
            for name in names
        ]
        if options.scaled:
            limits.PER_WINDOW, limits.APART_S = dict.fromkeys(limits.PER_WINDOW, 10_000), {}
            reconciler.GRACE_NS, reconciler.APART_NS = NS_PER_S, NS_PER_S // 5
        _soak(options, seed, venues, {**_FLAGS, "journal.directory": directory}, outcome)
    for problem in outcome.problems:
        say(f"PROBLEM: {problem}")
    say("well" if not outcome.problems else f"to repeat: scripts/soak --seed {seed}")
    return 1 if outcome.problems else 0


def say(text: object) -> None:
    """A line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--venue", choices=[name.lower() for name in PLACES], help="all, if none")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument("--rate", type=float, default=20.0, help="market steps per second, symbol")
    parser.add_argument(
        "--scaled", action="store_true", help="for a fault a second: what no setting scales"
    )
    parser.add_argument("--out", type=Path, help="where the plots go; none are drawn without")
    return parser.parse_args(arguments)


def _soak(
    options: argparse.Namespace,
    seed: int,
    venues: Iterable[Simulated],
    flags: dict[str, object],
    outcome: Outcome,
) -> None:
    began = time.monotonic()
    engine = MainEngine(settings=flags)
    gauges, tables = Gauges(engine), []
    try:
        for venue in venues:
            place = venue.place
            adapter = engine.add_adapter(place.adapter, config=_CONFIG)
            dice = random.Random(f"{place.name} {seed}")
            tables.append(Table(engine, adapter, venue, dice))
            tables[-1].start()
        Soak(tables, gauges, say).run(options.minutes, options.every)
    except NotHealed as error:
        outcome.check(False, str(error))
    finally:
        _report(engine, tables, gauges, time.monotonic() - began, outcome)
        started = time.monotonic()
        engine.close()
        say(f"closed in {time.monotonic() - started:.2f} s")
    _look_for_remains(outcome)
    if options.out is not None:
        title = f"{options.minutes:g} min, a fault every {options.every:g} s, seed {seed}"
        for path in plot(gauges.samples, options.out, title):
            say(f"wrote {path}")


def _report(
    engine: MainEngine,
    tables: Sequence[Table],
    gauges: Gauges,
    took_s: float,
    outcome: Outcome,
) -> None:
    health = engine.event_engine.health()
    say(
        f"\n{took_s:.0f} s; events: {health.received} received, {health.delivered} delivered, "
        f"{health.conflated} conflated, {health.dropped} dropped; "
        f"{health.handler_errors} errors of handlers"
    )
    for table in tables:
        result, told = table.result, sorted(table.result.recoveries_s) or [0.0]
        longest = told[-1]
        say(
            f"{table.name}: {result.faults.total()} faults, {table.reconnects()} reconnects, "
            f"back after {statistics.median(told):.2f} s in the middle, "
            f"{told[int(len(told) * 0.99)]:.2f} s in 99 of 100, {longest:.2f} s at most; "
            f"{sum(result.events.values()) / max(took_s, 1.0):.0f} events/s, "
            f"{result.orders} orders, {table.in_doubt} in doubt"
        )
        say("  " + ", ".join(f"{name} {count}" for name, count in sorted(result.faults.items())))
        outcome.check(not table.in_doubt, f"{table.name}: {table.in_doubt} orders are in doubt")
    outcome.check(not health.handler_errors, "handlers raised")
    say(f"\n{'gauge':<12} {'1st':>8} {'2nd':>8} {'last':>8}  third, low of quiet moments")
    for verdict in gauges.verdicts():
        say(verdict)
        outcome.check(verdict.flat, str(verdict))
    for gauge in ALLOWED:
        values = [getattr(each, gauge) for each in gauges.samples] or [0]
        say(f"{gauge:<12} from {min(values):.1f} to {max(values):.1f} at any time")


def _look_for_remains(outcome: Outcome) -> None:
    """After `close` there is this thread, and what SDKs never end."""
    deadline, pause = time.monotonic() + _LEFT_S, threading.Event()
    while (left := _remains()) and time.monotonic() < deadline:
        pause.wait(0.05)
    outcome.check(not left, f"threads are left: {', '.join(left)}")
    say(f"after close: {process_health().descriptors} descriptors, threads beside SDKs': {left}")


def _remains() -> list[str]:
    own = threading.main_thread().name
    names = (name for name in process_health().threads if name != own)
    return [name for name in names if not any(known in name for known in DAEMONS)]


if __name__ == "__main__":
    sys.exit(main())
