"""The guard of the matrix itself: seen to bark, and seen to be quiet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0
CONFTEST = """
from pathlib import Path
from tests.support.matrix_guard import MatrixGuard

def pytest_configure(config):
    config.addinivalue_line("markers", "slow: as in the project")
    config.pluginmanager.register(MatrixGuard(Path(__file__).parent))
"""
TESTS = """
import pytest

pytestmark = pytest.mark.no_cover  # it starts pytest, with nothing of foxtrot

def test_runs(): pass

@pytest.mark.parametrize("number", [1, 2])
def test_runs_twice(number): pass

@pytest.mark.slow
def test_is_slow(): pass

@pytest.mark.skip(reason="not today")
def test_is_skipped(): pass
"""
PROVED = ("test_a.py::test_runs", "test_a.py::test_runs_twice", "test_b.py")
EVERYDAY = ("-m", "not slow")
WORKERS = ("-p", "xdist", "-n", "2")


def run(folder: Path, *rows: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run pytest over a folder whose matrix names these tests; its exit code and what it said."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_a.py").write_text(TESTS)
    (folder / "test_b.py").write_text("def test_also_runs(): pass")
    named = "".join(f'[[row]]\ntests = ["{row}"]\n' for row in rows)
    (folder / "matrix.toml").write_text(named)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(90)
@pytest.mark.parametrize("options", [(), EVERYDAY, (*EVERYDAY, *WORKERS)])
@pytest.mark.parametrize("row", ["test_a.py::test_is_skipped", "test_a.py::test_is_gone"])
def test_a_row_whose_test_did_not_run_fails_the_run(
    tmp_path: Path, row: str, options: tuple[str, ...]
) -> None:
    """A skipped or missing test proves nothing, alone or on several workers."""
    code, said = run(tmp_path, *PROVED, row, options=options)
    assert code == pytest.ExitCode.TESTS_FAILED, said
    assert f"fault matrix: did not run: {row}" in said


@pytest.mark.timeout(90)
@pytest.mark.parametrize("options", [(), EVERYDAY, (*EVERYDAY, *WORKERS)])
def test_rows_whose_tests_ran_pass(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Each row has its test or its file; what is slow is excused where slow tests are left out."""
    code, said = run(tmp_path, *PROVED, "test_a.py::test_is_slow", options=options)
    assert code == pytest.ExitCode.OK, said


@pytest.mark.parametrize(
    "options", [("-k", "runs"), ("test_a.py",), ("test_a.py::test_runs", "test_b.py")]
)
def test_who_runs_a_part_is_left_in_peace(tmp_path: Path, options: tuple[str, ...]) -> None:
    """A quick run of some tests does not fail for the others."""
    code, said = run(tmp_path, *PROVED, "test_a.py::test_is_skipped", options=options)
    assert code == pytest.ExitCode.OK, said
