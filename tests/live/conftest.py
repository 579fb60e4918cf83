"""Tests against a venue's testnet: only where somebody asked for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WHY = "talks to a testnet over the internet; set FOXTROT_LIVE=1 to run it"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lives here, and skip it unless it is wanted."""
    wanted = os.environ.get("FOXTROT_LIVE") == "1"
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.live)
            if not wanted:
                item.add_marker(pytest.mark.skip(reason=WHY))
