"""What holds for every run: no row of the matrix without its test, no journal in anybody's home."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support.rig", "tests.support.trading_rig")

from foxtrot.core import redaction  # noqa: E402
from foxtrot.core.directories import DATA_VARIABLE  # noqa: E402
from tests.support import hypothesis_profiles  # noqa: E402, F401 - its import is its work
from tests.support.failures_at_once import FailuresAtOnce  # noqa: E402
from tests.support.fault_table import FaultTables  # noqa: E402
from tests.support.long_first import LongFirst  # noqa: E402
from tests.support.loopback_only import loopback_only  # noqa: E402
from tests.support.matrix_guard import MatrixGuard  # noqa: E402

_UNWATCHED = frozenset(
    Path(__file__).with_name(name) for name in ("faults", "fuzz", "property", "security")
)

# An example has no deadline, and none is too slow to be made: a machine may be busy.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Watch over the matrix and count; here, as xdist's reports arrive where this is read."""
    config.pluginmanager.register(FailuresAtOnce(config))
    config.pluginmanager.register(FaultTables())
    config.pluginmanager.register(LongFirst())
    config.pluginmanager.register(MatrixGuard(Path(__file__).parent / "faults"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """What lives until the end is not searched for garbage over and over: it halves the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Faults and random examples run through lines that cases cover: watching takes time alone."""
    for item in items:
        if item.path.parent in _UNWATCHED:
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def children_uncovered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test with the mark `no_cover` of pytest-cov starts is not watched either."""
    if request.node.get_closest_marker("no_cover"):
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(autouse=True, scope="session")
def this_machine_only() -> Iterator[None]:
    """No test reaches another machine."""
    with loopback_only():
        yield


@pytest.fixture(autouse=True)
def no_secrets_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls a secret is an ordinary word to the next."""
    monkeypatch.setattr(redaction, "_known", redaction._KnownValues())


@pytest.fixture(autouse=True)
def data_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A data directory of its own for every test."""
    directory = tmp_path_factory.mktemp("data")
    monkeypatch.setenv(DATA_VARIABLE, str(directory))
    return directory
