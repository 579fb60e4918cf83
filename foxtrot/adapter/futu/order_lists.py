"""OpenD's lists of orders and deals, today's and those of the past, as few as will do.

Each kind of list may be asked for ten times in 30 seconds, so who asks in the same moment shares
an answer. Source: OpenAPI documents, "Get open orders", "Get historical orders", and the same of
deals.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Sequence

from foxtrot.adapter.futu import order_mapping
from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.order_feed import NEVER_NS, OrderFeed
from foxtrot.adapter.futu.order_mapping import WireFill, WireOrder
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.errors import VenueUnavailable
from foxtrot.execution.reports import TERMINAL, FillReport, OrderRecord, OrderReport
from foxtrot.model.objects import utc

LONGEST_DAYS = 89
"""OpenD shows 90 days of the past at once."""

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
        self._asking: dict[object, asyncio.Task[list[WireOrder]]] = {}
        self._lock = asyncio.Lock()
        self._deals: dict[str, FillReport] = {}
        self._deals_since = ""
        self._mark = 0

    async def close(self) -> None:
        """Ask nothing more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    # -- orders -----------------------------------------------------------------------------

    async def open(self) -> tuple[OrderReport, ...]:
        """Every open order.

        Raises:
            FoxtrotError: It was not answered.
            ValueError: An order cannot be believed.
        """
        self._outdate_deals()
        reports = [self._feed.order(row) for row in await self._today()]
        return tuple(each for each in reports if each is not None and each.state not in TERMINAL)

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
        self._outdate_deals()
        row = _named(await self._today(), orderid, venue_id)
        if row is None:
            created_ns = record.intent.created_ns if record is not None else 0
            row = _named(await self._past(created_ns), orderid, venue_id)
        if row is None:
            return None
        report = self._feed.order(row)
        if report is None:
            why = order_mapping.no_proof(row.orderStatus) or "its market is not known here"
            raise VenueUnavailable(self._venue, "", why)
        return report

    async def _today(self) -> list[WireOrder]:
        c2s = self._question(Proto.Trd_GetOrderList)
        c2s.refreshCache = True
        return await self._together("today", Proto.Trd_GetOrderList, c2s)

    async def _past(self, since_ns: int) -> list[WireOrder]:
        c2s = self._question(Proto.Trd_GetHistoryOrderList)
        begin = self._bound(c2s, since_ns)
        return await self._together(("past", begin), Proto.Trd_GetHistoryOrderList, c2s)

    # -- deals ------------------------------------------------------------------------------

    async def fills(self, symbols: Sequence[str], since_ns: int) -> tuple[FillReport, ...]:
        """The account's deals in these symbols since a moment; none of paper trading.

        Of paper trading, fills are told as soon as the orders are seen that they are of.

        Raises:
            FoxtrotError: It was not answered.
            ValueError: A deal or an order cannot be believed.
        """
        if not self._account.real:
            for row in (*await self._today(), *await self._past(since_ns)):
                wanted = row.code in symbols
                self._feed.order(row, since_ns=since_ns if wanted else NEVER_NS)
            return ()
        deals = (await self._all_deals(since_ns)).values()
        return tuple(each for each in deals if each.symbol in symbols and each.ts_ns >= since_ns)

    async def _all_deals(self, since_ns: int) -> dict[str, FillReport]:
        """All deals, as one round of questions asks for those of each symbol by itself.

        They are believed until an order is looked for again: a list of deals has to be younger
        than the list of orders that it is to prove something with.
        """
        begin = self._begin(since_ns)
        async with self._lock:
            if not self._deals_since or begin < self._deals_since:
                mark = self._mark
                self._deals = await self._ask_deals(since_ns)
                self._deals_since = begin if mark == self._mark else ""
            return self._deals

    async def _ask_deals(self, since_ns: int) -> dict[str, FillReport]:
        past = self._question(Proto.Trd_GetHistoryOrderFillList)
        self._bound(past, since_ns)
        today = self._question(Proto.Trd_GetOrderFillList)
        today.refreshCache = True
        rows: list[WireFill] = [
            *(await self._client.ask(Proto.Trd_GetHistoryOrderFillList, past)).orderFillList,
            *(await self._client.ask(Proto.Trd_GetOrderFillList, today)).orderFillList,
        ]
        deals = map(self._feed.fill, rows)
        return {each.trade_id: each for each in deals if each is not None}

    def _outdate_deals(self) -> None:
        self._deals_since = ""
        self._mark += 1

    # -- how --------------------------------------------------------------------------------

    def _question(self, proto: Proto) -> Message:
        c2s = c2s_of(proto)
        account = self._account
        c2s.header.trdEnv, c2s.header.accID = account.env, account.acc_id
        c2s.header.trdMarket = account.market
        return c2s

    def _bound(self, c2s: Message, since_ns: int) -> str:
        begin = self._begin(since_ns)
        last = utc(self._time_ns()) + _MARGIN
        c2s.filterConditions.beginTime = f"{begin} 00:00:00"
        c2s.filterConditions.endTime = f"{last:%Y-%m-%d} 23:59:59"
        return begin

    def _begin(self, since_ns: int) -> str:
        earliest = utc(self._time_ns()) - dt.timedelta(days=LONGEST_DAYS) + 2 * _MARGIN
        begin = utc(since_ns) - _MARGIN if since_ns > 0 else earliest
        return f"{max(begin, earliest):%Y-%m-%d}"

    async def _together(self, key: object, proto: Proto, c2s: Message) -> list[WireOrder]:
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key, proto, c2s))
            task.add_done_callback(_seen)
            self._asking[key] = task
        return await asyncio.shield(task)

    async def _ask(self, key: object, proto: Proto, c2s: Message) -> list[WireOrder]:
        await asyncio.sleep(0)  # for others of this moment; who comes later asks anew
        del self._asking[key]
        return list((await self._client.ask(proto, c2s)).orderList)


def _named(rows: Iterable[WireOrder], orderid: str, venue_id: str) -> WireOrder | None:
    for row in rows:
        if (order_mapping.venue_id(row) == venue_id) if venue_id else (row.remark == orderid):
            return row
    return None


def _seen(task: asyncio.Task[list[WireOrder]]) -> None:
    """Whoever asked may have been cancelled."""
    if not task.cancelled():
        task.exception()
