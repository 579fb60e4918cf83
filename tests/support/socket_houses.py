"""The venues whose every line is a socket of its own, so that one play is played at each."""

from __future__ import annotations

from types import MappingProxyType, ModuleType

from foxtrot.adapter.futu.sdk import sdk
from tests.support import futu_house, ib_house

HOMES = MappingProxyType({"ib": ib_house, "futu": futu_house})
"""What a play needs of each: `standing`, `living`, `hasten`, and names of the same meaning."""


def at_each(what: str) -> list[tuple[str, str]]:
    """Each venue with each of its own names of `what`."""
    return [(venue, each) for venue, home in HOMES.items() for each in getattr(home, what)]


def furnish(home: ModuleType) -> None:
    """Have there what lives as long as the process, before anything is counted."""
    if home is futu_house:
        sdk()
