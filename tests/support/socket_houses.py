"""The venues whose every line is a socket of its own, so that one play is played at each."""

from __future__ import annotations

from types import MappingProxyType

from tests.support import futu_house, ib_house

HOMES = MappingProxyType({"ib": ib_house, "futu": futu_house})
"""What a play needs of each: `furnish`, `hasten`, `standing`, `living`, and the same names."""


def at_each(what: str) -> list[tuple[str, str]]:
    """Each venue with each of its own names of `what`."""
    return [(venue, each) for venue, home in HOMES.items() for each in getattr(home, what)]
