"""Long tests begin first, or all wait for the last of them: a plugin of pytest."""

from __future__ import annotations

import os
from typing import Final

import pytest

USUAL_S: Final = 30.0
"""The limit of a test that asks for no other, as in pyproject.toml."""


class LongFirst:
    """Deals the tests that may take longer than usual out to xdist's workers.

    With `--dist worksteal` each worker begins with a run of tests as they were collected, all runs
    being of one length; so the long ones come to stand at the beginning of each.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Order them; the same on every worker, and not at all without any."""
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        if workers > 1:
            items[:] = dealt(items, workers)


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests in as many runs as there are workers, each beginning with its long ones."""
    long = [item for item in items if _limit_s(item) > USUAL_S]
    short = [item for item in items if _limit_s(item) <= USUAL_S]
    size = len(items) // workers
    runs: list[pytest.Item] = []
    for worker in range(workers):
        mine = long[worker::workers]
        count = size - len(mine) if worker < workers - 1 else len(short)
        runs += [*mine, *short[:count]]
        del short[:count]
    return runs


def _limit_s(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark is not None and mark.args else USUAL_S
