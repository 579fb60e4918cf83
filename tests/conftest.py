"""What holds for every run: no row of the matrix without its test, no journal in anybody's home."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.support.rig", "tests.support.trading_rig")

from foxtrot.core.directories import DATA_VARIABLE  # noqa: E402
from tests.support.fault_table import FaultTables  # noqa: E402
from tests.support.matrix_guard import MatrixGuard  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Watch over the matrix and count; here, as xdist's reports arrive where this is read."""
    config.pluginmanager.register(FaultTables())
    config.pluginmanager.register(MatrixGuard(Path(__file__).parent / "faults"))


@pytest.fixture(autouse=True)
def data_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A data directory of its own for every test."""
    directory = tmp_path_factory.mktemp("data")
    monkeypatch.setenv(DATA_VARIABLE, str(directory))
    return directory
