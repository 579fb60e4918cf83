"""`python -m tests.benchmarks`: measure foxtrot beside its peers. Reports; gates nothing."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from tests.benchmarks.harness import Comparison, regressions, save, store, table

SUITES = (
    "engine",
    "hand_over",
    "path",
    "binance",
    "latency",
    "modes",
    "streams",
    "journal",
    "orders",
    "recovery",
    "ib",
    "ib_session",
    "ib_pool",
    "futu",
    "futu_orders",
    "monitor",
)
STORED = Path(__file__).with_name("baseline.json")


def main() -> None:
    """Run the chosen suites, print the table, write the results."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"which of {', '.join(SUITES)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder of results")
    parser.add_argument(
        "--compare",
        nargs="?",
        type=Path,
        const=STORED,
        help=f"report ratios that are worse than those of an earlier run ({STORED.name})",
    )
    parser.add_argument("--store", action="store_true", help=f"keep the ratios in {STORED.name}")
    parser.add_argument("--tolerance", type=float, default=0.15, help="how much worse (0.15)")
    options = parser.parse_args()
    if unknown := set(options.suites) - set(SUITES):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")

    if options.compare and not options.compare.is_file():
        parser.error(f"no results at {options.compare}")

    comparisons: list[Comparison] = []
    for name in options.suites or SUITES:
        print(f"measuring {name} …", flush=True)
        comparisons += importlib.import_module(f"tests.benchmarks.{name}").run(options.rounds)
    print(table(comparisons))
    print(f"written to {save(comparisons, options.out)}")
    if options.compare:
        worse = regressions(comparisons, options.compare, options.tolerance)
        print("\n".join(["regressions:", *worse]) if worse else "no regression")
    if options.store:
        store(comparisons, STORED)


if __name__ == "__main__":
    main()
