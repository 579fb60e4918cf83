"""OpenD's windows as numbers, and the turns that keep them.

Source: OpenAPI documents, "Rate limits" (2026-07). OpenD counts per account or per user over all
connections, so all adapters of the process share the turns of one OpenD.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Mapping
from types import MappingProxyType

from foxtrot.adapter.futu.errors import WINDOW_S
from foxtrot.adapter.futu.schema import Message, Proto
from foxtrot.connectivity.pacing import RollingWindow
from foxtrot.errors import RateLimited
from foxtrot.model.health import Fact

PER_WINDOW: Mapping[Proto, int] = MappingProxyType(
    {
        Proto.Trd_PlaceOrder: 15,
        Proto.Trd_ModifyOrder: 20,
        Proto.Trd_GetOrderList: 10,
        Proto.Trd_GetOrderFillList: 10,
        Proto.Trd_GetHistoryOrderList: 10,
        Proto.Trd_GetHistoryOrderFillList: 10,
        Proto.Trd_GetFunds: 10,
        Proto.Trd_GetPositionList: 10,
        Proto.Trd_UnlockTrade: 10,
        Proto.Qot_RequestHistoryKL: 60,
        Proto.Qot_GetSecuritySnapshot: 60,
        Proto.Qot_RequestTradeDate: 30,
        Proto.Qot_GetMarketState: 10,
    }
)
"""Requests in `WINDOW_S` seconds, of one account where it is about one."""

APART_S: Mapping[Proto, float] = MappingProxyType(
    {Proto.Trd_PlaceOrder: 0.025, Proto.Trd_ModifyOrder: 0.048}
)
"""Between two orders of an account, and between two cancels: OpenD refuses what comes within 0.02
and 0.04 s, and a line may bring them closer together than they were sent."""

SUBSCRIBED_S = 60.0
"""A subscription may not be given back before it has lasted so long."""

SNAPSHOT_CODES = 400
"""Codes in one snapshot."""

BARS_PER_PAGE = 1_000
DEPTH_LEVELS = 10

_SLACK_S = 0.5
"""The n-th and the first must be *more* than the window apart, by OpenD's clock."""

_ORDERS = frozenset({Proto.Trd_PlaceOrder, Proto.Trd_ModifyOrder})
ORDER_WAIT_S = 1.0
"""Longest an order or a cancel waits for its turn: it is refused rather than sent late."""
LONGEST_WAIT_S = 90.0


class Pace:
    """The turns of one OpenD. Lives on the loop thread."""

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._windows: dict[tuple[int, int], RollingWindow] = {}
        self._next_at: dict[RollingWindow, float] = {}
        """When the next request that counts in a window may be sent, though the window has room."""
        self._queues: dict[RollingWindow, asyncio.Lock] = {}

    async def turn(self, proto: int, c2s: Message, *, spare: int = 0) -> None:
        """Wait until this may be sent; at once, for what has no limit.

        A later page of bars belongs to the first. Orders go in the order in which they came, and so
        do cancels.

        Args:
            proto: What is asked.
            c2s: About which account.
            spare: So many turns are left to others.

        Raises:
            RateLimited: That would be too long; nothing may be sent, and no turn was taken.
        """
        limit = PER_WINDOW.get(Proto(proto))
        if limit is None or (proto == Proto.Qot_RequestHistoryKL and c2s.HasField("nextReqKey")):
            return
        window, loop = self._window(proto, c2s, limit), asyncio.get_running_loop()
        until = loop.time() + (ORDER_WAIT_S if proto in _ORDERS else LONGEST_WAIT_S)
        async with self._queue(proto, window):
            while (free_at := self._free_at(window, now := loop.time(), spare)) > now:
                if free_at > until:
                    text = f"{limit} requests {Proto(proto).name} in {WINDOW_S:g} s are used up"
                    raise RateLimited(self._venue, "", text, free_at - now)
                await asyncio.sleep(free_at - now)
            window.reserve(now)  # not before: who does not wait to the end has taken no turn
            self._next_at[window] = now + APART_S.get(Proto(proto), 0.0)

    def facts(self, now: float) -> dict[str, Fact]:
        """What is left of each limit that was ever touched, of all accounts the least.

        From any thread; `now` by the loop's clock.
        """
        facts: dict[str, Fact] = {}
        for (proto, _), window in self._windows.copy().items():
            name, left = f"limits.{Proto(proto).name}", window.left(now)
            facts[f"{name}.left"] = min(left, int(facts.get(f"{name}.left", left)))
            facts[f"{name}.most"] = PER_WINDOW[Proto(proto)]
        return facts

    def _free_at(self, window: RollingWindow, now: float, spare: int) -> float:
        return max(window.free_at(now, 1 + spare), self._next_at.get(window, now))

    def _queue(
        self, proto: int, window: RollingWindow
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Timers that are due together go off in any order, so orders wait behind each other."""
        if proto not in _ORDERS:
            return contextlib.nullcontext()
        return self._queues.setdefault(window, asyncio.Lock())

    def _window(self, proto: int, c2s: Message, limit: int) -> RollingWindow:
        account = c2s.header.accID if 2100 < proto < 3000 else 0
        key = (proto, account)
        if key not in self._windows:
            self._windows[key] = RollingWindow(limit, WINDOW_S + _SLACK_S)
        return self._windows[key]


_paces: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Pace]] = (
    weakref.WeakKeyDictionary()
)


def known_pace(loop: asyncio.AbstractEventLoop, endpoint: str) -> Pace | None:
    """The turns of the OpenD at `endpoint`, if anybody on `loop` has asked for one; any thread."""
    return _paces.get(loop, {}).get(endpoint)


def pace_of(venue: str, endpoint: str) -> Pace:
    """The turns of the OpenD at `endpoint`; the same for everybody on this loop."""
    paces = _paces.setdefault(asyncio.get_running_loop(), {})
    return paces.setdefault(endpoint, Pace(venue))
