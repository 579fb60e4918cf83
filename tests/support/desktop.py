"""The vnpy desktop for tests: whether it can be had, and a home of its own for what it writes."""

from __future__ import annotations

import importlib.util

import pytest

EXTRA = "pip install 'foxtrot[desktop]'"


def require(*modules: str) -> None:
    """Skip the test module, and say what to install, where one of `modules` is missing."""
    missing = [each for each in modules if importlib.util.find_spec(each) is None]
    if missing:
        names = ", ".join(missing)
        pytest.skip(f"{names} cannot be imported here: {EXTRA}", allow_module_level=True)
