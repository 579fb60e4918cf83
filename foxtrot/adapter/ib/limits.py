"""IbPaceManager: every message and every historical request to a TWS waits here for its turn."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from functools import partial
from typing import TypeVar

from foxtrot.adapter.ib.pace_rules import (
    MESSAGES_PER_S,
    OPEN_REQUESTS,
    REQUESTS_PER_10_MIN,
    HistoryAsk,
    HistoryPace,
    MessagePace,
)
from foxtrot.core.logs import get_logger
from foxtrot.errors import RateLimited
from foxtrot.model.health import Fact

log = get_logger("foxtrot.ib.limits")

MOST_WAITING = 4_000
"""Messages, or historical requests, that wait; who comes then is refused."""

_CROWDED_S = 60.0
_PATIENCE_S = 5.0
_NOTICED_S = 0.001
_RATE_S = 1.0


class PaceScope(Enum):
    """What a pacing violation is about: error 100, or error 162 of historical data."""

    MESSAGES = "messages"
    HISTORY = "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceStatistics:
    """How busy a TWS is with us. Counts since the start, unless the name says else."""

    messages: int
    orders: int
    messages_last_s: int
    messages_waiting: int
    messages_waited: int
    longest_wait_s: float
    history: int
    history_last_10_min: int
    history_open: int
    history_waiting: int
    history_waited: int
    history_longest_wait_s: float
    history_paused_s: float
    violations: int


class _Waiter:
    """Who waits for a turn."""

    __slots__ = ("future", "since", "take_back")

    def __init__(self, now: float) -> None:
        self.since = now
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.take_back: Callable[[], None] | None = None

    def grant(self, take_back: Callable[[], None]) -> None:
        """Its turn has come."""
        self.take_back = take_back
        self.future.set_result(None)


class _Asker(_Waiter):
    """Who waits for the turn of a historical request."""

    __slots__ = ("ask",)

    def __init__(self, now: float, ask: HistoryAsk) -> None:
        super().__init__(now)
        self.ask = ask


_W = TypeVar("_W", bound=_Waiter)


class _Counts:
    """What became of the turns of one kind."""

    def __init__(self) -> None:
        self.granted = self.waited = 0
        self.longest_s = 0.0

    def grant(self, waited_s: float) -> None:
        """A turn was given."""
        self.granted += 1
        self.waited += waited_s > _NOTICED_S
        self.longest_s = max(self.longest_s, waited_s)


class IbPaceManager:
    """Hands out the turns of one TWS; all of its connections ask here. Lives on the loop thread.

    A turn is given when it comes, never promised ahead: promises that a loop which stood still
    keeps all at once would be the burst that TWS punishes.

    Args:
        endpoint: Of the TWS, for errors and the log.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.loop: asyncio.AbstractEventLoop | None = None
        self._messages, self._history = MessagePace(), HistoryPace()
        self._orders: deque[_Waiter] = deque()
        self._others: deque[_Waiter] = deque()
        self._asking: deque[_Asker] = deque()
        self._held_up_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent: deque[float] = deque(maxlen=100)
        self._order_counts, self._other_counts = _Counts(), _Counts()
        self._history_counts = _Counts()
        self._violations = 0

    async def message(self, *, order: bool = False) -> None:
        """Wait for the turn of one message; an order, and what else is urgent, comes before all.

        Raises:
            RateLimited: Thousands wait already.
        """
        queue = self._orders if order else self._others
        await self._turn(queue, _Waiter(_now()))

    def historical(
        self, contract_key: str, what: str, bar: str, identity: str
    ) -> AbstractAsyncContextManager[None]:
        """Wait for the turn of a historical request, and hold it open in the body.

        The message itself waits for its own turn inside. A stream that follows the answer, such as
        keep-up-to-date bars, needs not be held open.

        Args:
            contract_key: The contract and its exchange.
            what: Such as TRADES or BID_ASK.
            bar: The bar size as TWS spells it, or "ticks".
            identity: What else makes two requests identical: end, duration, hours.

        Raises:
            RateLimited: Thousands wait already.
        """
        return self._historical(HistoryAsk(contract_key, what, bar, identity))

    def violated(self, scope: PaceScope) -> None:
        """TWS says that the pace was too fast all the same: slow down, and recover in time."""
        now = _now()
        self._violations += 1
        rules = self._messages if scope is PaceScope.MESSAGES else self._history
        rules.violated(now)
        log.warning(
            "pace_violated",
            endpoint=self._endpoint,
            scope=scope.value,
            history_paused_s=round(self._paused_s(now), 1),
        )
        self._pump()

    def statistics(self, now: float | None = None) -> PaceStatistics:
        """What was sent and who waits; from other threads, `now` by the loop's clock is needed."""
        now = _now() if now is None else now
        orders, others, history = self._order_counts, self._other_counts, self._history_counts
        return PaceStatistics(
            messages=orders.granted + others.granted,
            orders=orders.granted,
            messages_last_s=sum(at > now - _RATE_S for at in tuple(self._sent)),
            messages_waiting=len(self._orders) + len(self._others),
            messages_waited=orders.waited + others.waited,
            longest_wait_s=max(orders.longest_s, others.longest_s),
            history=history.granted,
            history_last_10_min=self._history.used(now),
            history_open=self._history.open,
            history_waiting=len(self._asking),
            history_waited=history.waited,
            history_longest_wait_s=history.longest_s,
            history_paused_s=self._paused_s(now),
            violations=self._violations,
        )

    def facts(self, now: float) -> dict[str, Fact]:
        """The same as facts, with what is left of the limits; from any thread."""
        pace = self.statistics(now)
        facts: dict[str, Fact] = {f"pace.{name}": value for name, value in asdict(pace).items()}
        facts["limits.messages.left"] = max(MESSAGES_PER_S - pace.messages_last_s, 0)
        facts["limits.messages.most"] = MESSAGES_PER_S
        facts["limits.history.left"] = max(REQUESTS_PER_10_MIN - pace.history_last_10_min, 0)
        facts["limits.history.most"] = REQUESTS_PER_10_MIN
        facts["limits.history_open.left"] = OPEN_REQUESTS - pace.history_open
        facts["limits.history_open.most"] = OPEN_REQUESTS
        return facts

    @asynccontextmanager
    async def _historical(self, ask: HistoryAsk) -> AsyncIterator[None]:
        await self._turn(self._asking, _Asker(_now(), ask))
        try:
            yield
        finally:
            self._history.end()
            self._pump()

    async def _turn(self, queue: deque[_W], waiter: _W) -> None:
        if len(queue) >= MOST_WAITING:
            text = f"{len(queue)} others wait for their turn"
            raise RateLimited(self._endpoint, "", text, _CROWDED_S)
        queue.append(waiter)
        self._pump()
        try:
            await waiter.future
        except BaseException:  # boundary: however the waiting ended, its turn is not lost
            if waiter.take_back is not None:
                waiter.take_back()
            elif waiter in queue:
                queue.remove(waiter)
            self._pump()
            raise

    def _paused_s(self, now: float) -> float:
        return max(self._history.paused_until - now, 0.0)

    # ------------------------------------------------------------------ giving turns

    def _pump(self) -> None:
        """Give every turn that has come, and wake up for the next."""
        now = _now()
        self._wake_at(min(self._pump_messages(now), self._pump_history(now)))

    def _pump_messages(self, now: float) -> float:
        while queue := self._orders or self._others:
            if queue[0].future.done():
                queue.popleft()
                continue
            if (at := self._messages.free_at(now)) > now:
                return at
            self._messages.take(now)
            self._sent.append(now)
            counts = self._order_counts if queue is self._orders else self._other_counts
            waiter = queue.popleft()
            counts.grant(now - waiter.since)
            waiter.grant(partial(self._messages.give_back, now))
        return math.inf

    def _pump_history(self, now: float) -> float:
        """Nobody overtakes where all share; who only waits for its like lets the others pass.

        So does who waits under a hard limit, in which long bars have no part.
        """
        hard_wait, wake_at = self._must_yield(now), math.inf
        for waiter in tuple(self._asking):
            is_hard = self._history.is_hard(waiter.ask, now)
            if waiter.future.done() or (is_hard and hard_wait):
                continue
            if (at := self._history.shared_at(waiter.ask, now)) > now:
                wake_at = min(wake_at, at)
                if not is_hard:
                    return wake_at
                hard_wait = True
                continue
            if (at := self._history.own_at(waiter.ask, now)) > now:
                wake_at = min(wake_at, at)
                continue
            self._asking.remove(waiter)
            self._held_up_since = None if is_hard else self._held_up_since
            self._history_counts.grant(now - waiter.since)
            waiter.grant(self._history.take(waiter.ask, now))
        return wake_at

    def _must_yield(self, now: float) -> bool:
        """Whether messages wait: what is asked now would be sent later than the rules are told.

        That matters where the rules are hard. Where the messages never end, such as those of many
        contracts that are polled, a request passes now and then all the same.
        """
        if not (self._orders or self._others):
            self._held_up_since = None
        elif self._held_up_since is None:
            self._held_up_since = now
        return self._held_up_since is not None and now - self._held_up_since < _PATIENCE_S

    def _wake_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(at, self._pump) if math.isfinite(at) else None


def pace_of(endpoint: str) -> IbPaceManager:
    """The pace manager that all who ask on this loop share, as long as one of them keeps it."""
    loop = asyncio.get_running_loop()
    pace = _paces.get((endpoint, id(loop)))
    if pace is None:
        pace = _paces[endpoint, id(loop)] = IbPaceManager(endpoint)
        pace.loop = loop  # as long as it is kept, no other loop has that id
    return pace


_paces: weakref.WeakValueDictionary[tuple[str, int], IbPaceManager] = weakref.WeakValueDictionary()


def _now() -> float:
    return asyncio.get_running_loop().time()
