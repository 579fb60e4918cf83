"""What holds for every run: no row of the fault matrix goes without its test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.matrix_guard import MatrixGuard


def pytest_configure(config: pytest.Config) -> None:
    """Watch over the matrix; here, since this is read where xdist's reports arrive as well."""
    config.pluginmanager.register(MatrixGuard(Path(__file__).parent / "faults"))
