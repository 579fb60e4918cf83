"""TWS's lists of orders: the open ones, those that ended, and what was executed.

TWS tells of what ended only since midnight. So that an order is in none of the lists proves that
it never arrived only if it was sent since; see `since_ns`.
Source: TWS API documents, "Retrieving currently active orders", "Executions and Commissions".
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar, cast

from msgspec.structs import replace

from foxtrot.adapter.ib import order_mapping
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.order_feed import OrderFeed
from foxtrot.adapter.ib.order_mapping import Terms
from foxtrot.adapter.ib.order_slips import Slip
from foxtrot.adapter.ib.sdk import RawContract, RawExecution, RawOrder, RawOrderState, sdk
from foxtrot.execution.reports import TERMINAL, ZERO, OrderReport, OrderState
from foxtrot.model.constants import OrderType
from foxtrot.model.objects import NS_PER_S

T = TypeVar("T")

Completed = tuple[RawContract, RawOrder, RawOrderState]
Execution = tuple[RawContract, RawExecution]

FRESH_S = 1.0
"""For so long a list of executions is one of now: what was executed since is pushed."""


class Lists:
    """The open and the ended orders. One that ended while they were asked for is in both.

    They are `whole` if nothing came with them that could not be read.
    """

    def __init__(
        self, still_open: Iterable[OrderReport], ended: Iterable[OrderReport], *, whole: bool
    ) -> None:
        self.whole = whole
        self._by_venue_id: dict[str, OrderReport] = {}
        self._by_orderid: dict[str, OrderReport] = {}
        for report in (*still_open, *ended):
            self._by_venue_id[report.venue_id] = report
            self._by_orderid[report.orderid] = report

    def find(self, orderid: str, venue_id: str) -> OrderReport | None:
        """One order, by the venue's id or else by ours; its end, if it is in both lists."""
        named = self._by_venue_id.get(venue_id) if venue_id else None
        return named or (self._by_orderid.get(orderid) if orderid else None)


class OrderLists:
    """Asks TWS for its lists; who asks while others wait for their turn shares their answer.

    Args:
        client: The connection that trades.
        feed: Its sink, which takes the rows of open orders as it takes pushes.
    """

    def __init__(self, client: IbClient, feed: OrderFeed) -> None:
        self._client, self._feed = client, feed
        self._all, self._open = Shared(self._ask_all), Shared(self._ask_open)
        self._executions = Shared(self._ask_executions)
        self._executed_at = float("-inf")
        self.ahead_ns = 0
        """By how much TWS's clock was ahead of ours when executions were last asked for."""

    async def ask(self) -> Lists:
        """All of them, asked for after this was called.

        Raises:
            FoxtrotError: A list was not answered. That is not an empty list.
            ValueError: One cannot be believed.
        """
        return await self._all.ask()

    async def find(self, symbol: str, orderid: str, venue_id: str) -> OrderReport | None:
        """One order, in any list or by its fills alone; None if TWS shows nothing of it.

        Raises:
            FoxtrotError: A list was not answered.
            ValueError: One cannot be believed.
        """
        lists = await self.ask()
        found = lists.find(orderid, venue_id) or self._by_fills(orderid, venue_id)
        if found is None and not lists.whole:
            raise ValueError("it may be what could not be read of TWS's lists")
        if found is None or found.symbol == symbol:
            return found
        return self._leg(found, symbol) or replace(found, symbol=symbol)

    async def open(self) -> tuple[OrderReport, ...]:
        """The open orders of the account, whoever sent them.

        Raises:
            FoxtrotError: They were not told.
        """
        return await self._open.ask()

    async def executions(self) -> None:
        """Have the log of fills complete since midnight, and know by which clock they are dated.

        Raises:
            FoxtrotError: They were not told.
            ValueError: They cannot be believed.
        """
        if asyncio.get_running_loop().time() - self._executed_at >= FRESH_S:
            await self._executions.ask()

    def _by_fills(self, orderid: str, venue_id: str) -> OrderReport | None:
        """An order that only its fills show; whether the rest of it lives, they do not say."""
        fills = self._feed.fills.of_order(orderid, venue_id)
        if not fills:
            return None
        record, traded = self._feed.record(orderid), sum((each.volume for each in fills), ZERO)
        volume = record.volume if record is not None else traded
        kind = record.intent.request.type if record is not None else OrderType.LIMIT
        what = Terms(fills[0].direction, kind, volume)
        return order_mapping.report(
            (fills[0].symbol, fills[0].exchange),
            what,
            venue_id=fills[0].venue_id,
            orderid=orderid,
            traded=traded,
            state=OrderState.FILLED if traded >= volume else OrderState.PARTIALLY_FILLED,
            ts_ns=max(each.ts_ns for each in fills),
        )

    def _leg(self, whole: OrderReport, symbol: str) -> OrderReport | None:
        """What a combination has traded in one of its contracts; None if it is no combination."""
        fills = [
            each for each in self._feed.fills.of_order("", whole.venue_id) if each.symbol == symbol
        ]
        if not fills:
            return None
        traded, has_ended = sum((each.volume for each in fills), ZERO), whole.state in TERMINAL
        return replace(
            whole,
            symbol=symbol,
            exchange=fills[0].exchange,
            direction=fills[0].direction,
            volume=traded if has_ended else ZERO,  # how much there will be is not known before
            traded=traded,
            state=OrderState.FILLED if has_ended else OrderState.PARTIALLY_FILLED,
            price=ZERO,
        )

    async def _ask_all(self) -> Lists:
        unread = self._feed.unread
        # In this order: what ends meanwhile is in the later list.
        still_open = await self._open.ask()
        rows = await self._client.ask_named(
            "completedOrders", lambda raw: raw.reqCompletedOrders(False)
        )
        await self._executions.ask()
        ended = tuple(self._ended(cast("list[Completed]", rows)))
        return Lists(still_open, ended, whole=self._feed.unread == unread)

    async def _ask_open(self) -> tuple[OrderReport, ...]:
        feed, listed = self._feed, dict[int, Slip]()
        feed.listed = listed
        try:
            await self._client.ask_named("openOrders", lambda raw: raw.reqOpenOrders())
            await self._client.ask_named("allOpenOrders", lambda raw: raw.reqAllOpenOrders())
        finally:
            feed.listed = None
        return tuple(
            slip.report() for slip in listed.values() if slip.is_settled or not feed.waits_for(slip)
        )

    async def _ask_executions(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        nothing_excluded = sdk().ExecutionFilter()
        rows = await self._client.ask(
            "executions", lambda raw, number: raw.reqExecutions(number, nothing_excluded)
        )
        for contract, execution in cast("list[Execution]", rows):
            self._feed.executed(contract, execution)
        self.ahead_ns = await self._their_time_ns() - self._feed.time_ns()
        self._executed_at = asked_at

    async def _their_time_ns(self) -> int:
        """TWS's clock; it tells whole seconds."""
        (seconds,) = await self._client.ask_named("currentTime", lambda raw: raw.reqCurrentTime())
        return cast("int", seconds) * NS_PER_S

    def _ended(self, rows: Iterable[Completed]) -> Iterable[OrderReport]:
        for contract, order, state in rows:
            if self._feed.is_foreign(order.account):
                continue
            name = self._feed.name(order.orderRef, order.permId, contract)
            try:
                yield order_mapping.completed_report(name, order, state)
            except ValueError as error:
                self._feed.unread += 1
                self._feed.tell_unread(contract, order, error)


class Shared(Generic[T]):
    """One question for all who ask before it is sent; who asks later needs a later answer.

    It ends with its connection, which answers every question by then.
    """

    def __init__(self, question: Callable[[], Awaitable[T]]) -> None:
        self._question, self._turn = question, asyncio.Lock()
        self._next: asyncio.Task[T] | None = None
        self._tasks: set[asyncio.Task[T]] = set()

    async def ask(self) -> T:
        """The answer to a question that is sent from now on."""
        task = self._next
        if task is None:
            task = self._next = asyncio.ensure_future(self._ask())
            self._tasks.add(task)
            task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def _ask(self) -> T:
        async with self._turn:
            self._next = None
            return await self._question()

    def _done(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if self._next is task:
            self._next = None
        if not task.cancelled():
            task.exception()  # seen: whoever asked may have been cancelled


def since_ns(now_ns: int) -> int:
    """Since when TWS's lists are whole: the last midnight, here, where TWS is thought to run."""
    today = dt.datetime.fromtimestamp(now_ns // NS_PER_S).astimezone().date()
    midnight = dt.datetime.combine(today, dt.time()).astimezone()  # of its own offset from UTC
    return round(midnight.timestamp()) * NS_PER_S
