"""OpenD's lists of orders and deals, today's and those of the past, as few as will do.

Each kind of list may be asked for ten times in 30 seconds, so who asks in the same moment shares
an answer. Source: OpenAPI documents, "Get open orders", "Get historical orders", and the same of
deals.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from foxtrot.adapter.futu import order_mapping
from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.order_feed import NEVER_NS, OrderFeed
from foxtrot.adapter.futu.order_mapping import WireFill, WireOrder
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.errors import VenueUnavailable
from foxtrot.execution.reconciler import CLOCKS_APART_NS
from foxtrot.execution.reports import TERMINAL, FillReport, OrderRecord, OrderReport
from foxtrot.gateway.session import not_open
from foxtrot.model.objects import NS_PER_S, utc

T = TypeVar("T")

LONGEST_DAYS = 89
"""OpenD shows 90 days of the past at once."""

SPARED = 3
"""Turns that looking for orders in doubt leaves to sessions, which are not ready without a list."""

BELIEVED_S = 1.0
"""How long the rows of one question serve the next ones of its round."""

_MARGIN = dt.timedelta(days=1)
"""Times are asked for in the zone of a market, which is less than a day from any other."""


class OrderLists:
    """The lists of one account, over one connection. Belongs to the loop thread.

    Args:
        venue: Name of the adapter.
        client: The connection.
        account: Whose.
        feed: Takes what is listed.
        time_ns: The wall clock.
    """

    def __init__(
        self,
        venue: str,
        client: FutuClient,
        account: TradedAccount,
        feed: OrderFeed,
        time_ns: Callable[[], int],
    ) -> None:
        self._venue, self._client, self._account = venue, client, account
        self._feed, self._time_ns = feed, time_ns
        self._ahead_ns = 0
        """By how much Futu's clock was ahead of ours when deals were last asked for."""
        self._asking: dict[object, asyncio.Task[list[WireOrder]]] = {}
        self._running: set[asyncio.Task[list[WireOrder]]] = set()
        self._deals = _Round(self._ask_deals)
        self._orders = _Round(self._ask_orders)

    async def close(self) -> None:
        """Ask nothing more."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # -- orders -----------------------------------------------------------------------------

    async def open(self) -> tuple[OrderReport, ...]:
        """Every open order.

        Raises:
            FoxtrotError: It was not answered.
            ValueError: An order cannot be believed.
        """
        self._outdate()
        reports = self._feed.orders(await self._today())
        return tuple(each for each in reports if each.state not in TERMINAL)

    async def find(
        self, record: OrderRecord | None, orderid: str, venue_id: str
    ) -> OrderReport | None:
        """One order, whatever its state: today's, or one of the past.

        OpenD's day may have ended a moment ago, so an order that is not listed today is looked for
        among the past ones, however young it is.

        Raises:
            VenueUnavailable: Futu does not know itself what became of it.
            FoxtrotError: It was not answered.
            ValueError: An order cannot be believed.
        """
        self._outdate()
        rows = await self._today(SPARED)
        row = _named(rows, orderid, venue_id)
        if row is None:
            created_ns = record.intent.created_ns if record is not None else 0
            rows = [*rows, *await self._past(self._begin(created_ns))]
            row = _named(rows, orderid, venue_id)
        if row is None:
            if record is not None and not venue_id:
                self._refuse_nameless(rows, record)
            return None
        report = self._feed.order(row)
        if report is None:
            why = order_mapping.no_proof(row.orderStatus) or "its market is not known here"
            raise VenueUnavailable(self._venue, "", why)
        return report

    def _refuse_nameless(self, rows: Iterable[WireOrder], record: OrderRecord) -> None:
        """Take an order like ours for what it may be if its remark is not told: no proof."""
        for row in rows:
            if order_mapping.may_be(row, record.intent, CLOCKS_APART_NS):
                name = order_mapping.venue_id(row)
                why = f"order {name} may be it, as it says the same, and its remark is not told"
                raise VenueUnavailable(self._venue, "", why)

    async def _today(self, spare: int = 0) -> list[WireOrder]:
        c2s = self._question(Proto.Trd_GetOrderList)
        c2s.refreshCache = True
        return await self._together(("today", spare), Proto.Trd_GetOrderList, c2s, spare)

    async def _past(self, begin: str) -> list[WireOrder]:
        c2s = self._question(Proto.Trd_GetHistoryOrderList)
        self._bound(c2s, begin)
        return await self._together(("past", begin), Proto.Trd_GetHistoryOrderList, c2s)

    # -- deals ------------------------------------------------------------------------------

    async def fills(self, symbols: Sequence[str], since_ns: int) -> tuple[FillReport, ...]:
        """The account's deals in these symbols since a moment; none of paper trading.

        They are dated by Futu's clock, the moment is by ours. Of paper trading, fills are told as
        soon as the orders are seen that they are of.

        Raises:
            FoxtrotError: It was not answered.
            ValueError: A deal or an order cannot be believed.
        """
        begin = self._begin(since_ns)
        if not self._account.real:
            rows = await self._orders.rows(begin)
            since = since_ns + self._ahead_ns
            self._feed.orders(rows, lambda row: since if row.code in symbols else NEVER_NS)
            return ()
        deals = await self._deals.rows(begin)
        since = since_ns + self._ahead_ns
        return tuple(each for each in deals if each.symbol in symbols and each.ts_ns >= since)

    async def _ask_deals(self, begin: str) -> list[FillReport]:
        await self._compare_clocks()
        past = self._question(Proto.Trd_GetHistoryOrderFillList)
        self._bound(past, begin)
        today = self._question(Proto.Trd_GetOrderFillList)
        today.refreshCache = True
        # Today's first: what is of yesterday by then stands among the past ones.
        new = (await self._client.ask(Proto.Trd_GetOrderFillList, today)).orderFillList
        old = (await self._client.ask(Proto.Trd_GetHistoryOrderFillList, past)).orderFillList
        rows: list[WireFill] = [*old, *new]
        return list({each.trade_id: each for each in self._feed.deals(rows)}.values())

    async def _ask_orders(self, begin: str) -> list[WireOrder]:
        await self._compare_clocks()
        today = await self._today()  # first, as of deals
        return [*await self._past(begin), *today]

    async def _compare_clocks(self) -> None:
        theirs_s = int((await self._client.state()).time)
        self._ahead_ns = theirs_s * NS_PER_S - self._time_ns()

    def _outdate(self) -> None:
        self._deals.outdate()
        self._orders.outdate()

    # -- how --------------------------------------------------------------------------------

    def _question(self, proto: Proto) -> Message:
        c2s = c2s_of(proto)
        self._account.head(c2s.header, self._account.market)
        return c2s

    def _bound(self, c2s: Message, begin: str) -> None:
        last = utc(self._time_ns()) + _MARGIN
        c2s.filterConditions.beginTime = f"{begin} 00:00:00"
        c2s.filterConditions.endTime = f"{last:%Y-%m-%d} 23:59:59"

    def _begin(self, since_ns: int) -> str:
        earliest = utc(self._time_ns()) - dt.timedelta(days=LONGEST_DAYS) + 2 * _MARGIN
        begin = utc(since_ns) - _MARGIN if since_ns > 0 else earliest
        return f"{max(begin, earliest):%Y-%m-%d}"

    async def _together(
        self, key: object, proto: Proto, c2s: Message, spare: int = 0
    ) -> list[WireOrder]:
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key, proto, c2s, spare))
            self._asking[key] = task
            self._running.add(task)
            task.add_done_callback(self._done)
        await asyncio.wait([task])  # who is cancelled leaves it to the others
        if task.cancelled():  # by the end of the session, which cancels nobody who waits
            raise not_open()
        return task.result()

    async def _ask(self, key: object, proto: Proto, c2s: Message, spare: int) -> list[WireOrder]:
        """Until its turn has come, others may join; who comes later asks anew."""
        await asyncio.sleep(0)  # for others of this moment
        own = asyncio.current_task()

        def close() -> None:
            if self._asking.get(key) is own:
                del self._asking[key]

        try:
            answer = await self._client.ask(proto, c2s, turned=close, spare=spare)
            return list(answer.orderList)
        finally:
            close()

    def _done(self, task: asyncio.Task[list[WireOrder]]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever asked may have been cancelled


class _Round(Generic[T]):
    """Rows that a round of questions shares, which asks for those of each symbol by itself.

    They are believed for a moment, and not after an order was looked for: a list of fills has to be
    younger than the list of orders that it is to prove something with.

    Args:
        ask: Gets them, from a day on.
    """

    def __init__(self, ask: Callable[[str], Awaitable[list[T]]]) -> None:
        self._ask, self._lock = ask, asyncio.Lock()
        self._rows: list[T] = []
        self._begin = ""
        self._mark, self._until = 0, 0.0

    def outdate(self) -> None:
        """Believe them no more, those that are under way neither."""
        self._begin = ""
        self._mark += 1

    async def rows(self, begin: str) -> list[T]:
        """Those of a day and since."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if not self._begin or begin < self._begin or loop.time() >= self._until:
                mark, self._begin = self._mark, ""
                self._rows = await self._ask(begin)
                self._begin = begin if mark == self._mark else ""
                self._until = loop.time() + BELIEVED_S  # from the answer on: it may take longer
            return self._rows


def _named(rows: Iterable[WireOrder], orderid: str, venue_id: str) -> WireOrder | None:
    for row in rows:
        if (order_mapping.venue_id(row) == venue_id) if venue_id else (row.remark == orderid):
            return row
    return None
