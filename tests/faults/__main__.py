"""Plays seeded fault schedules in virtual time; see scripts/faults."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence

from tests.faults.play import play, repeat, shortest


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the arguments say; 1 if a schedule failed."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--upto", type=int, help="only so many of the faults")
    parser.add_argument("--trace", action="store_true", help="show what happened")
    options = parser.parse_args(arguments)
    digests, failed = hashlib.sha256(), 0
    for seed in range(options.seed, options.seed + options.count):
        report = play(seed, options.upto)
        digests.update(report.digest.encode())
        if options.trace:
            _say(*(f"{entry[0]:10.3f}  {' '.join(map(str, entry[1:]))}" for entry in report.trace))
        if report.problems:
            failed += 1
            upto = shortest(seed) if options.upto is None else options.upto
            _say(*report.problems, f"to repeat: {repeat(seed, upto)}")
    played = f"{options.count} schedules played, {failed} failed"
    _say(f"{played}; traces {digests.hexdigest()[:16]}")
    return 1 if failed else 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
