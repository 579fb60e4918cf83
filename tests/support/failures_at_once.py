"""Names a test that fails when it does: a long run may be ended before its summary."""

from __future__ import annotations

import pytest


class FailuresAtOnce:
    """Writes a line for each failure; where the terminal is, not in the workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A step of a test is over."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and isinstance(terminal, pytest.TerminalReporter):
            crash = getattr(report.longrepr, "reprcrash", None)
            words = getattr(crash, "message", "").strip().splitlines()
            terminal.ensure_newline()
            terminal.write_line(f"{report.nodeid} {report.when}: {' … '.join(words[-2:])}")
