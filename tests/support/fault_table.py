"""Which faults met orders in which states: counted by tests, shown at the end of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pytest

from foxtrot.execution.reports import OrderState

STATES = tuple(state.value for state in OrderState)
Cells = Counter[tuple[str, str]]
"""How often a fault, by its label, met an order in a state."""

_PROPERTY = "faults and states: "


def note(test: pytest.Item, title: str, cells: Mapping[tuple[str, str], int]) -> None:
    """Hand in the cells of a test; a worker of xdist passes them on with its report."""
    rows = [[fault, state, count] for (fault, state), count in cells.items()]
    test.user_properties.append((f"{_PROPERTY}{title}", rows))


def table(cells: Mapping[tuple[str, str], int], states: Sequence[str] = STATES) -> str:
    """One line for each fault, one column for each state."""
    wide = [max(len(state), 5) + 2 for state in states]
    rows = [("fault", states)]
    for fault in sorted({fault for fault, _ in cells}):
        rows.append((fault, [str(cells.get((fault, state), 0)) for state in states]))
    return "\n".join(f"{fault:<20}{_line(entries, wide)}" for fault, entries in rows)


def _line(entries: Iterable[str], wide: Iterable[int]) -> str:
    return "".join(f"{entry:>{width}}" for entry, width in zip(entries, wide, strict=True))


class FaultTables:
    """Adds up what tests hand in, on any worker, and shows it: a plugin of pytest."""

    def __init__(self) -> None:
        self._tables: dict[str, Cells] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test has handed in."""
        if report.when != "call":
            return
        for name, rows in report.user_properties:
            if isinstance(rows, list) and name.startswith(_PROPERTY):
                cells = self._tables.setdefault(name.removeprefix(_PROPERTY), Counter())
                cells.update({(fault, state): count for fault, state, count in rows})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show it."""
        for title, cells in self._tables.items():
            terminalreporter.section(f"faults and the states of the orders they met: {title}")
            terminalreporter.write_line(table(cells))
