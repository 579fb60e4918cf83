"""The security matrix is whole: each row has a rule, and tests that exist."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MATRIX = tomllib.loads((TESTS / "security" / "matrix.toml").read_text())
RISKS = {f"S{number:02}" for number in range(1, 21)}


@cache
def functions(path: Path) -> frozenset[str]:
    """Every test of a file."""
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def test_every_risk_has_a_rule_or_a_reason() -> None:
    """None is forgotten, none is told twice."""
    ids = [row["id"] for row in MATRIX["row"]] + list(MATRIX["not_covered"])
    assert sorted(ids) == sorted(RISKS)
    assert all(len(reason) > 20 for reason in MATRIX["not_covered"].values())


@pytest.mark.parametrize("row", MATRIX["row"], ids=lambda row: row["id"])
def test_each_rule_is_proved_by_tests_that_exist(row: dict[str, str | list[str]]) -> None:
    """A rule is worth nothing without its test."""
    assert set(row) == {"id", "risk", "rule", "tests"}
    assert row["tests"]
    for test in row["tests"]:
        name, _, function = test.partition("::")
        path = TESTS / name
        assert path.is_file(), test
        assert function in functions(path) if function else functions(path), test
