"""TWS's pacing rules, each with a little air. Pure: they say when, `limits.py` waits.

Source: TWS API documents, "historical_limitations" and "order_limitations"; IB Campus, "pacing
limitations". What a request waits for between here and the venue's count is what the air is for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from foxtrot.connectivity.pacing import RollingWindow

_K = TypeVar("_K")
_Share = tuple[RollingWindow, int]

MESSAGES_PER_S = 40
MESSAGE_BURST = 5
"""Of the 50 that TWS takes in a second, a client sends 44 at most: what was held up on its way
arrives together with what comes after it."""

SMALL_BARS = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs", "ticks"})
"""Only they have hard limits; of longer bars TWS asks restraint, and slows down who shows none."""

REQUESTS_PER_10_MIN = 60
_TEN_MIN_S = 602.0
_IDENTICAL_S = 15.2
_PER_CONTRACT = 5  # the sixth is the violation
_PER_CONTRACT_S = 2.04
OPEN_REQUESTS = 50

_MESSAGE_PAUSE_S = 1.0
_MESSAGE_SLOW_S = 60.0
_PAUSE_S = 15.0
_LONGEST_PAUSE_S = 240.0
_STRICT_S = 600.0
_KEPT_WINDOWS = 1_000


class MessagePace:
    """A smooth rate with a small burst, and half of it for a while after a violation."""

    def __init__(self) -> None:
        self._used_up_at = float("-inf")  # if nothing is sent: when the burst is whole again
        self._slow_until = float("-inf")

    def free_at(self, now: float) -> float:
        """When the next message may be sent."""
        return max(now, self._used_up_at - (MESSAGE_BURST - 1) * self._gap_s(now))

    def take(self, now: float) -> None:
        """A message is sent now."""
        self._used_up_at = max(self._used_up_at, now) + self._gap_s(now)

    def give_back(self, now: float) -> None:
        """What was just taken is not sent."""
        self._used_up_at -= self._gap_s(now)

    def violated(self, now: float) -> None:
        """Send nothing for a second, then at half of the rate."""
        self._slow_until = now + _MESSAGE_SLOW_S
        free_at = now + _MESSAGE_PAUSE_S
        burst_s = (MESSAGE_BURST - 1) * self._gap_s(now)
        self._used_up_at = max(self._used_up_at, free_at + burst_s)

    def _gap_s(self, now: float) -> float:
        return (2.0 if now < self._slow_until else 1.0) / MESSAGES_PER_S


@dataclass(frozen=True, slots=True)
class HistoryAsk:
    """What the rules want to know of a request; `contract` names its exchange too."""

    contract: str
    what: str
    bar: str
    identity: str

    @property
    def units(self) -> int:
        """BID_ASK counts twice."""
        return 2 if self.what.upper() == "BID_ASK" else 1


class HistoryPace:
    """The rules of historical requests; one for all connections to a TWS."""

    def __init__(self) -> None:
        self.open = 0
        self.paused_until = float("-inf")
        self._pause_s = _PAUSE_S
        self._strict_until = float("-inf")
        self._spacing = RollingWindow(1, 1.0 / MESSAGES_PER_S)
        self._ten_minutes = RollingWindow(REQUESTS_PER_10_MIN, _TEN_MIN_S)
        self._contracts: dict[tuple[str, str], RollingWindow] = {}
        self._identical: dict[HistoryAsk, RollingWindow] = {}

    def shared_at(self, ask: HistoryAsk, now: float) -> float:
        """When what all requests share lets it pass; infinity: when an open one has ended."""
        if self.open >= OPEN_REQUESTS:
            return math.inf
        times = [window.free_at(now, units) for window, units in self._shared(ask, now)]
        return max(self.paused_until, *times)

    def own_at(self, ask: HistoryAsk, now: float) -> float:
        """When the requests for the same thing let it pass."""
        return max(window.free_at(now, units) for window, units in self._own(ask, now))

    def take(self, ask: HistoryAsk, now: float) -> Callable[[], None]:
        """It is sent now; `end` it when it is answered. Returns how to take it back unsent."""
        self.open += 1
        taken = (*self._shared(ask, now), *self._own(ask, now))
        for window, units in taken:
            window.reserve(now, units)
        _drop_empty(self._contracts, now)
        _drop_empty(self._identical, now)

        def take_back() -> None:
            for window, units in taken:
                window.give_back(now, units)
            self.end()

        return take_back

    def end(self) -> None:
        """A request was answered, or given up."""
        self.open -= 1

    def violated(self, now: float) -> None:
        """Ask nothing for a while, longer each time, and hold all bars to the hard limits.

        What was under way when the first one was told is told the same; that is one violation.
        """
        if now < self.paused_until:
            return
        again = now < self._strict_until
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S) if again else _PAUSE_S
        self.paused_until = now + self._pause_s
        self._strict_until = self.paused_until + _STRICT_S

    def used(self, now: float) -> int:
        """Requests under the hard limits in the last ten minutes; BID_ASK counts twice."""
        return REQUESTS_PER_10_MIN - self._ten_minutes.left(now)

    def is_hard(self, ask: HistoryAsk, now: float) -> bool:
        """Whether TWS counts it, and punishes one too many."""
        return ask.bar in SMALL_BARS or now < self._strict_until

    def _shared(self, ask: HistoryAsk, now: float) -> list[_Share]:
        shares = [(self._spacing, 1)]
        return [*shares, (self._ten_minutes, ask.units)] if self.is_hard(ask, now) else shares

    def _own(self, ask: HistoryAsk, now: float) -> list[_Share]:
        key = (ask.contract, ask.what)
        same = self._contracts.setdefault(key, RollingWindow(_PER_CONTRACT, _PER_CONTRACT_S))
        shares = [(same, ask.units)]
        if self.is_hard(ask, now):
            twins = self._identical.setdefault(ask, RollingWindow(1, _IDENTICAL_S))
            shares.append((twins, 1))
        return shares


def _drop_empty(windows: dict[_K, RollingWindow], now: float) -> None:
    if len(windows) > _KEPT_WINDOWS:
        for key in [key for key, window in windows.items() if not window.used(now)]:
            del windows[key]
