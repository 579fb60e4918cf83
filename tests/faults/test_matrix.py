"""The matrix is true: its tests exist, its faults exist, and no fault is left out."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from foxtrot.simulator.faults import KINDS

HERE = Path(__file__).parent
MATRIX = tomllib.loads((HERE / "matrix.toml").read_text())
VENUES = {"binance", "ib", "futu"}
FIELDS = {"id", "venue", "inject", "correct", "bound_s", "tests"}


def existing() -> set[str]:
    """Every test function of this folder, as the matrix names it."""
    found = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{path.name}::{node.name}")
    return found


def named() -> set[str]:
    """Every test that a row names; a file stands for all that it holds."""
    entries = {test for row in MATRIX["row"] for test in row["tests"]}
    files = tuple(f"{entry}::" for entry in entries if "::" not in entry)
    inside = {test for test in existing() if files and test.startswith(files)}
    return {entry for entry in entries if "::" in entry} | inside


def covered() -> set[tuple[str, str]]:
    """Each fault of the list with each venue it is tried at; `F80-evidence` is of F80."""
    found = set()
    for row in MATRIX["row"]:
        venues = VENUES if row["venue"] == "any" else {row["venue"]}
        found |= {(row["id"].partition("-")[0], venue) for venue in venues}
    return found


def excused() -> set[tuple[str, str]]:
    """Each fault of the list with each venue that cannot suffer it."""
    names = [name.split() for name in MATRIX["not_covered"]]
    return {(fault, venue) for fault, *venues in names for venue in venues}


def test_no_fault_of_the_list_is_forgotten() -> None:
    """Every fault is tried at every venue, or it is written down why it is not."""
    listed = {(fault, venue) for fault in MATRIX["faults"] for venue in VENUES}
    assert listed - covered() - excused() == set()
    assert excused() <= listed


def test_each_row_is_complete() -> None:
    """A row says what goes wrong, what is correct, in which time, and who proves it."""
    for row in MATRIX["row"]:
        assert set(row) == FIELDS
        assert row["tests"]
        assert row["correct"]


def test_ids_are_unique() -> None:
    """A fault of a venue has one row; what is covered is not excused."""
    ids = [(row["id"], row["venue"]) for row in MATRIX["row"]]
    assert len(ids) == len(set(ids))
    assert not excused() & covered()


def test_each_named_test_exists() -> None:
    """A row is worth nothing without its test."""
    assert named() - existing() == set()


def test_each_named_file_exists() -> None:
    """A row that names a file is worth nothing without the file."""
    files = {test.partition("::")[0] for row in MATRIX["row"] for test in row["tests"]}
    assert all((HERE / name).is_file() for name in files)


def test_each_fault_test_is_named() -> None:
    """What is tested over the real client can be found in the matrix."""
    others = ("test_matrix", "test_guard", "test_schedules_virtual", "test_order_schedules")
    unnamed = {test for test in existing() if not test.startswith(others)} - named()
    assert unnamed == set()


def test_each_fault_of_the_vocabulary_is_injected() -> None:
    """The simulators know no fault that nobody tries, but for those whose gap is written down."""
    injected = {name for row in MATRIX["row"] for name in row["inject"]}
    assert injected == set(KINDS) - set(MATRIX["not_covered"])


def test_what_is_not_covered_has_a_reason() -> None:
    """A gap is written down in words."""
    assert all(len(reason) > 20 for reason in MATRIX["not_covered"].values())
