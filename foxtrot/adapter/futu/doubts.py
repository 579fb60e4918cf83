"""Contracts that OpenD may refuse to show, and which of them are asked for next. Pure.

OpenD shows all contracts of a request or none. One without rights is found by halves, and many of
them would use up the window of all snapshots: so those in doubt are asked for apart from the
others, group by group, as often as whoever asks can spare a request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from foxtrot.adapter.futu.limits import SNAPSHOT_CODES
from foxtrot.adapter.futu.symbols import Security

Group = tuple[Security, ...]
"""Contracts that one request asks for."""


class Doubts:
    """What was shown, what was refused alone, and groups of which one contract was refused."""

    def __init__(self) -> None:
        self._good: set[Security] = set()
        self._bad: set[Security] = set()
        self._open: set[Security] = set()
        self._groups: list[Group] = []

    def recall(self, wanted: Iterable[Security]) -> None:
        """Those that were refused before are in doubt."""
        self._doubt(tuple(self._bad.difference(self._open).intersection(wanted)))

    def keep(self, wanted: Collection[Security]) -> None:
        """Nobody wants the others any more."""
        self._open.intersection_update(wanted)

    def undoubted(self, wanted: Iterable[Security]) -> list[Group]:
        """Those in no doubt, to be asked for at once; new ones do not spoil what is shown."""
        rest = [each for each in wanted if each not in self._open]
        shown = [each for each in rest if each in self._good]
        new = [each for each in rest if each not in self._good]
        return [*_groups_of(shown), *_groups_of(new)]

    def next(self) -> Group:
        """The group to ask for when a request can be spared; empty if there is none.

        What was shown before comes first and what was refused alone last, large groups before
        small ones.
        """
        self._groups = self._left()
        return max(self._groups, key=self._urgency, default=())

    def shown(self, group: Group) -> set[Security]:
        """OpenD shows these; returns those that it did not show before."""
        news = set(group) - (self._good - self._open)
        self._settle(group)
        self._good.update(group)
        self._bad.difference_update(group)
        return news

    def refused(self, group: Group) -> bool:
        """OpenD refuses these; returns whether it is about one contract, which is known then."""
        self._settle(group)
        if len(group) == 1:
            self._good.difference_update(group)
            self._bad.update(group)
            return True
        middle = len(group) // 2
        self._doubt(group[:middle])
        self._doubt(group[middle:])
        return False

    def _doubt(self, securities: Group) -> None:
        self._groups.extend(_groups_of(securities))
        self._open.update(securities)

    def _settle(self, group: Group) -> None:
        self._open.difference_update(group)
        self._groups = self._left()

    def _left(self) -> list[Group]:
        left = (tuple(each for each in group if each in self._open) for group in self._groups)
        return [group for group in left if group]

    def _urgency(self, group: Group) -> tuple[bool, bool, int]:
        return not self._good.isdisjoint(group), self._bad.isdisjoint(group), len(group)


def _groups_of(securities: Collection[Security]) -> list[Group]:
    every = tuple(securities)
    return [every[at : at + SNAPSHOT_CODES] for at in range(0, len(every), SNAPSHOT_CODES)]
