"""Which foxtrot this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """The installed version; "unknown" when run from a checkout that is not installed."""
    try:
        return installed("foxtrot")
    except PackageNotFoundError:
        return "unknown"
