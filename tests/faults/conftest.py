"""A Binance that can be told to misbehave, and the record of which fault tests ran."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.support.rig")

from tests.support.binance_venue import BinanceUnderTest  # noqa: E402
from tests.support.rig import Rig, nothing_left, running  # noqa: E402

HERE = Path(__file__).parent
RAN = pytest.StashKey[set[str]]()
WHOLE = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def sdk() -> None:
    """The SDK is imported once, before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401


@pytest.fixture(autouse=True)
def left(sdk: None) -> Iterator[None]:
    """No fault leaves a thread or a descriptor behind."""
    with nothing_left():
        yield


@pytest.fixture
def venue() -> Iterator[BinanceUnderTest]:
    """A venue that listens and whose market moves by hand."""
    venue = BinanceUnderTest()
    venue.start()
    try:
        yield venue
    finally:
        venue.faults.clear()
        venue.stop()


@pytest.fixture
def rig(venue: BinanceUnderTest) -> Iterator[Rig]:
    """An engine with the adapter, not connected yet."""
    with running(venue) as rig:
        yield rig


# -- a row whose test did not run fails the run of the whole folder ----------------------------


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """See whether the whole folder was chosen: then every test of the matrix has to run."""
    chosen = {item.path for item in items if item.path.parent == HERE}
    narrowed = config.getoption("keyword") or config.getoption("markexpr")
    named = any("::" in str(arg) for arg in config.args)
    config.stash[WHOLE] = chosen == set(HERE.glob("test_*.py")) and not narrowed and not named
    config.stash[RAN] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what ran and was not skipped; with xdist this is called where all reports arrive."""
    if report.when == "call" and not report.skipped and _config is not None:
        _config.stash.setdefault(RAN, set()).add(report.nodeid.partition("[")[0])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run of the whole folder in which a row of the matrix was not proved."""
    config = session.config
    if hasattr(config, "workerinput") or exitstatus != 0 or not config.stash.get(WHOLE, False):
        return
    ran = {nodeid.rpartition("/")[2] for nodeid in config.stash[RAN]}
    rows = tomllib.loads((HERE / "matrix.toml").read_text())["row"]
    proved = ran | {nodeid.partition("::")[0] for nodeid in ran}
    missing = {test for row in rows for test in row["tests"]} - proved
    if missing:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"fault matrix: did not run: {sorted(missing)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_config: pytest.Config | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Keep the configuration, where reports are counted."""
    global _config
    _config = config
