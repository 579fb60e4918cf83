"""`python -m tests.benchmarks`: measure foxtrot beside its peers. Reports; gates nothing."""

from __future__ import annotations

import argparse
import ast
import importlib
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.harness import Comparison, regressions, save, store, table, unknown

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
    "desktop",
)
FOLDER = Path(__file__).parent
STORED = FOLDER / "baseline.json"


def main() -> None:
    """Run the chosen suites, print the table, write the results."""
    parser = _parser()
    options = parser.parse_args()
    if others := set(options.suites) - set(SUITES):
        parser.error(f"no suite {', '.join(sorted(others))}; there are {', '.join(SUITES)}")
    if options.compare and not options.baseline.is_file():
        parser.error(f"no results at {options.baseline}")

    comparisons, skipped = _measured(options.suites or SUITES, options.rounds)
    print(table(comparisons))
    print("\n".join(skipped), end="\n" if skipped else "")
    print(f"written to {save(comparisons, options.out)}")
    if options.compare:
        _tell_changes(comparisons, options.baseline, options.tolerance)
    if options.store:
        store(comparisons, options.baseline)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog="\n".join(["suites:", *(f"  {name:<12}{_about(name)}" for name in SUITES)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="see below; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks"), help="folder of results (benchmarks)"
    )
    parser.add_argument(
        "--compare", action="store_true", help="tell which ratios are worse than those kept"
    )
    parser.add_argument("--store", action="store_true", help="keep the ratios of this run")
    parser.add_argument(
        "--baseline", type=Path, default=STORED, metavar="FILE", help=f"of both ({STORED.name})"
    )
    parser.add_argument("--tolerance", type=float, default=0.15, help="how much worse (0.15)")
    return parser


def _about(name: str) -> str:
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _measured(suites: Sequence[str], rounds: int) -> tuple[list[Comparison], list[str]]:
    """The figures, and which suites could not run here, as lines of text."""
    comparisons, skipped = [], []
    for name in suites:
        try:
            suite = importlib.import_module(f"tests.benchmarks.{name}")
        except ImportError as error:
            skipped.append(f"SKIPPED {name}: {error}")
            print(skipped[-1], flush=True)
            continue
        print(f"measuring {name} …", flush=True)
        comparisons += suite.run(rounds)
    return comparisons, skipped


def _tell_changes(comparisons: Sequence[Comparison], stored: Path, tolerance: float) -> None:
    worse, new = regressions(comparisons, stored, tolerance), unknown(comparisons, stored)
    held = len(comparisons) - len(new)
    print("\n".join(["regressions:", *worse]) if worse else f"no regression in {held} ratios")
    if new:
        print("\n".join([f"not in {stored.name}, so not compared:", *new]))


if __name__ == "__main__":
    main()
