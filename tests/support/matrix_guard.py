"""A row of a fault matrix is satisfied only by a test that ran: a plugin of pytest sees to it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

_OUTPUT = "matrix_excused"
_EVERYDAY = ("", "not slow")
"""Choices by mark with which a run still counts as one of everything."""


class MatrixGuard:
    """Fails a run of a whole folder in which a row of its `matrix.toml` was not proved.

    Whoever names some files, tests or words wants a part, and is left in peace. What `-m "not
    slow"` leaves out is excused. With xdist the workers know what was chosen, and the one that
    started them knows what ran.

    Args:
        folder: Holds `matrix.toml` and the tests that its rows name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ran: set[str] = set()
        self._excused: set[str] | None = None
        """Tests that need not run; None while only a part was chosen."""
        self._missing: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """See whether the whole folder was chosen."""
        ours = [item for item in items if item.path.parent == self._folder]
        mark = config.getoption("markexpr")
        narrowed = config.getoption("keyword") or config.getoption("lf", default=False)
        named = any("::" in str(arg) for arg in config.args)
        whole = {item.path for item in ours} == set(self._folder.glob("test_*.py"))
        if narrowed or named or mark not in _EVERYDAY or not whole:
            return
        slow = {_name(item.nodeid) for item in ours if item.get_closest_marker("slow")}
        self._excused = slow if mark else set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what ran and was not skipped."""
        if report.when == "call" and not report.skipped:
            self._ran.add(_name(report.nodeid))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take from a worker of xdist what was chosen."""
        excused = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if excused is not None:
            self._excused = set(excused)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail the run if a row was not proved."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = None if self._excused is None else sorted(self._excused)
            return
        if exitstatus != pytest.ExitCode.OK or self._excused is None:
            return
        proved = self._ran | self._excused
        proved |= {name.partition("::")[0] for name in proved}
        rows = tomllib.loads((self._folder / "matrix.toml").read_text())["row"]
        self._missing = sorted({test for row in rows for test in row["tests"]} - proved)
        if self._missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what did not run."""
        for test in self._missing:
            terminalreporter.write_line(f"fault matrix: did not run: {test}", red=True)


def _name(nodeid: str) -> str:
    """File and function, as a matrix names a test."""
    return nodeid.partition("[")[0].rpartition("/")[2]
