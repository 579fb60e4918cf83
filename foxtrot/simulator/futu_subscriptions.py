"""OpenD's book of subscriptions: who has what, and what of the quota is left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foxtrot.simulator.futu_limits import NO_QUOTA, TOO_SOON, FutuLimits, Refused

Key = tuple[str, int]
"""A security's name and a SubType."""

TYPE_NAMES = {
    1: "Basic",
    2: "OrderBook",
    4: "Ticker",
    5: "RT",
    6: "KL_Day",
    7: "KL_5Min",
    8: "KL_15Min",
    9: "KL_30Min",
    10: "KL_60Min",
    11: "KL_1Min",
    12: "KL_Week",
    13: "KL_Month",
    14: "Broker",
    15: "KL_Qurater",
    16: "KL_Year",
    17: "KL_3Min",
    18: "KL_10Min",
    19: "KL_120Min",
    20: "KL_180Min",
    21: "KL_240Min",
}
"""SubTypes as OpenD spells them."""


class Subscriptions:
    """The quota counts codes times types, over all connections.

    A subscription lasts a minute at least: until then it cannot be ended, and if its connection
    ends, it still counts.

    Args:
        limits: The rules.
    """

    def __init__(self, limits: FutuLimits) -> None:
        self._limits = limits
        self._since: dict[Key, dict[int, float]] = {}
        self._ghosts: dict[Key, float] = {}

    def __repr__(self) -> str:
        return f"<Subscriptions {len(self._since)}>"

    def add(self, holder: int, keys: Iterable[Key], now_s: float) -> None:
        """Give a connection all of these, or none.

        Raises:
            Refused: The quota is not enough.
        """
        wanted = list(dict.fromkeys(keys))
        taken = set(self._since) | set(self._living_ghosts(now_s))
        if len(taken.union(wanted)) > self._limits.subscriptions:
            raise Refused(NO_QUOTA.format(len(taken), self._limits.subscriptions))
        for key in wanted:
            self._since.setdefault(key, {}).setdefault(holder, now_s)

    def remove(self, holder: int, keys: Iterable[Key], now_s: float) -> None:
        """Take all of these from a connection, or none. What it does not have does not matter.

        Raises:
            Refused: One of them is too young.
        """
        held = [key for key in keys if holder in self._since.get(key, {})]
        for name, sub_type in held:
            if now_s - self._since[name, sub_type][holder] < self._limits.subscribed_s:
                raise Refused(TOO_SOON.format(name, TYPE_NAMES[sub_type]))
        for key in held:
            self._release(holder, key)

    def drop(self, holder: int, now_s: float) -> None:
        """A connection is gone."""
        for key in self.held(holder):
            self._ghosts[key] = self._since[key][holder] + self._limits.subscribed_s
            self._release(holder, key)
        self._ghosts = {key: self._ghosts[key] for key in self._living_ghosts(now_s)}

    def held(self, holder: int) -> list[Key]:
        """What a connection has."""
        return [key for key, holders in self._since.items() if holder in holders]

    def holds(self, holder: int, key: Key) -> bool:
        """Whether a connection has this."""
        return holder in self._since.get(key, {})

    def used(self, now_s: float) -> int:
        """How much of the quota is gone."""
        return len(set(self._since) | set(self._living_ghosts(now_s)))

    def _release(self, holder: int, key: Key) -> None:
        holders = self._since[key]
        del holders[holder]
        if not holders:
            del self._since[key]

    def _living_ghosts(self, now_s: float) -> Iterator[Key]:
        return (key for key, until_s in self._ghosts.items() if until_s > now_s)
