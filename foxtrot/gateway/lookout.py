"""Asks the venue what was missed: lists after every gap, and single orders that are in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger
from foxtrot.errors import VenueUnavailable
from foxtrot.execution.decisions import (
    AddFill,
    Adopt,
    Ask,
    Asked,
    AskFills,
    Correct,
    Decision,
    Resolve,
    apply,
)
from foxtrot.execution.order_tracker import Changes, OrderTracker
from foxtrot.execution.reconciler import Reconciler
from foxtrot.execution.reports import FillReport, OrderReport, Unknown
from foxtrot.gateway.trading import Balances, TradingSession
from foxtrot.gateway.untold import Untold
from foxtrot.model.objects import NS_PER_S

log = get_logger("foxtrot.gateway.lookout")

LOOK_S = 0.25
"""How often the reconciler is asked what is due."""


_TOLD_EACH = 50
"""Of so many symbols' fills, whoever waits hears how far it is."""


class Lookout:
    """Drives the reconciler against a session. Belongs to the loop thread.

    Args:
        venue: The adapter's name.
        tracker: What is known.
        take: Is given what changes.
        balances: Is given what the account holds.
        untold: Is told what lists told first.
        clock: Both times.
        refuses_late: Whether the venue refuses a request that was under way too long.
    """

    def __init__(
        self,
        venue: str,
        tracker: OrderTracker,
        *,
        take: Callable[[Changes], None],
        balances: Callable[[Balances], None],
        untold: Untold,
        clock: Clock,
        refuses_late: bool = True,
    ) -> None:
        self._venue, self._tracker, self._clock = venue, tracker, clock
        self._take, self._balances, self._untold = take, balances, untold
        self._reconciler = Reconciler(tracker, refuses_late=refuses_late)
        self._wanted = asyncio.Event()
        self.gap = False
        """Whether something is known to be missing."""
        self.last_full_ns = 0
        """When all lists were last answered."""

    def want(self, why: str) -> None:
        """Ask for everything soon, though nothing is known to be missing."""
        log.info("backfill_wanted", venue=self._venue, reason=why)
        self._wanted.set()

    def miss(self, what: str) -> None:
        """Something happened that was not told: ask for everything soon."""
        self.gap = True
        self.want(what)

    async def reconcile(
        self, session: TradingSession, symbols: Iterable[str], since_ns: int, *, ready: bool
    ) -> int:
        """Ask for open orders, fills and balances, then for every order that does not fit.

        Returns:
            The moment, on the wall clock, up to which everything is known now.

        Raises:
            FoxtrotError: A list was not answered. That is not an empty list.
        """
        wanted, gap = self._wanted.is_set(), self.gap
        self._wanted.clear()
        self.gap = False
        try:
            return await self._ask_all(session, symbols, since_ns, ready)
        except BaseException:  # boundary: whatever ended the round, it is raised on
            if wanted:
                self._wanted.set()
            self.gap = self.gap or gap
            raise

    async def _ask_all(
        self, session: TradingSession, symbols: Iterable[str], since_ns: int, ready: bool
    ) -> int:
        until_ns = self._clock.time_ns()
        asked = self._asked(ready)
        orders = await session.open_orders()
        self._need("open orders", orders)
        self._follow(self._reconciler.open_orders(orders, asked, self._now_ns))
        asks = self._reconciler.backfill(symbols, since_ns)
        for number, ask in enumerate(asks):
            if number and not number % _TOLD_EACH:
                log.info("backfill_progress", venue=self._venue, symbols=number, of=len(asks))
            self._need("fills", await self._fills(session, ask, ready))
        held = await session.balances()
        self._need("balances", held)
        if isinstance(held, Balances):
            self._balances(held)
        await self.look(session, ready=ready)
        self.last_full_ns = until_ns
        return until_ns

    async def look(self, session: TradingSession, *, ready: bool) -> None:
        """Ask what is due; of a session that is not ready yet, whatever is open."""
        if not ready:  # what the last one left unanswered is not waited for
            self._follow(self._reconciler.look(self._now_ns, ready=False))
        decisions = self._reconciler.look(self._now_ns, ready=True)
        asks = [self._one(session, each, ready) for each in decisions if isinstance(each, Ask)]
        asks += [
            self._fills(session, each, ready) for each in decisions if isinstance(each, AskFills)
        ]
        self._follow(each for each in decisions if not isinstance(each, Ask | AskFills))
        await asyncio.gather(*asks)

    async def wait(self, timeout_s: float) -> bool:
        """Wait until everything is wanted; returns whether it was, before the time was up."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wanted.wait()
        except TimeoutError:
            return False
        return True

    async def _one(self, session: TradingSession, ask: Ask, ready: bool) -> object:
        asked = self._asked(ready)
        answer = await session.find(ask.symbol, ask.orderid, ask.venue_id)
        self._follow(self._reconciler.order(ask, answer, asked, self._now_ns))
        return answer

    async def _fills(self, session: TradingSession, ask: AskFills, ready: bool) -> object:
        asked = self._asked(ready)
        answer = await session.fills([ask.symbol], ask.since_ns)
        self._follow(self._reconciler.fills(ask, answer, asked, self._now_ns))
        return answer

    def _follow(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            changes = apply(self._tracker, decision, self._clock.time_ns())
            self._take(changes)
            if changes.records or changes.fills:
                self._note(_news_of(decision))

    def _note(self, news: OrderReport | FillReport | None) -> None:
        record = self._tracker.match(news) if news is not None else None
        # Not every venue pushes what others do, by hand or as another client.
        if record is not None and news is not None and not record.external:
            self._untold.owe(record.orderid, news.ts_ns)

    def _need(self, what: str, answer: object) -> None:
        if isinstance(answer, Unknown):
            unheard = VenueUnavailable(self._venue, "", f"{what}: {answer.reason}")
            raise answer.error or unheard

    def _asked(self, ready: bool) -> Asked:
        return self._reconciler.asked(self._now_ns, ready=ready)

    @property
    def _now_ns(self) -> int:
        return round(self._clock.monotonic() * NS_PER_S)


def _news_of(decision: Decision) -> OrderReport | FillReport | None:
    """What a venue's list told that its stream should have told, too."""
    match decision:
        case Adopt(report) | Correct(report) | Resolve(_, report):
            return report
        case AddFill(fill):
            return fill
    return None
