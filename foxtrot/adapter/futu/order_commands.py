"""New orders, cancels and replacements: each is sent once, in time or never, and judged.

What no good answer proves is in `evidence.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import cast

from foxtrot.adapter.futu import evidence, order_mapping, symbols
from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.order_feed import OrderFeed
from foxtrot.adapter.futu.order_lists import OrderLists
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.errors import FoxtrotError, RateLimited
from foxtrot.execution.reports import (
    TERMINAL,
    ZERO,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    exact,
)
from foxtrot.gateway.order_session import barrier, in_two_steps
from foxtrot.gateway.trading import Accepted, Answer, Doubtful, Refused
from foxtrot.model.requests import OrderRequest

_CANCEL = 2
"""ModifyOrderOp."""

_NS_PER_MS = 1_000_000
"""Futu's times are in milliseconds."""


class OrderCommands:
    """What changes something at Futu. Belongs to the loop thread; `until` is of the loop's clock.

    Args:
        venue: Name of the adapter.
        client: The connection.
        account: For whom.
        feed: Hears what becomes of orders.
        lists: Where an order is looked for.
        record: What is known here of an order, by its orderid.
        unwanted: Why an order should not leave any more, by its orderid; empty if it should.
    """

    def __init__(
        self,
        venue: str,
        client: FutuClient,
        account: TradedAccount,
        feed: OrderFeed,
        lists: OrderLists,
        *,
        record: Callable[[str], OrderRecord | None],
        unwanted: Callable[[str], str],
    ) -> None:
        self._venue, self._client, self._account = venue, client, account
        self._feed, self._lists = feed, lists
        self._record, self._unwanted = record, unwanted

    async def place(self, intent: OrderIntent, until: float) -> Answer:
        """Send a new order, once: one round trip; not if it is cancelled before its turn."""
        c2s = c2s_of(Proto.Trd_PlaceOrder)
        try:
            async with asyncio.timeout_at(until):
                self._fill_in(c2s, intent)
                stop = barrier(self._unwanted, intent.orderid)
                s2c = await self._client.ask(Proto.Trd_PlaceOrder, c2s, turned=stop)
        except (FoxtrotError, TimeoutError) as error:
            return evidence.of_request(error, sent=_was_sent(c2s))
        venue_id = s2c.orderIDEx or (str(s2c.orderID) if s2c.orderID else "")
        if not venue_id:
            return Doubtful("OpenD took the order and does not say what it is called")
        unproven = self._feed.unproven.get(intent.orderid)
        if unproven:
            return Doubtful(unproven)
        return Accepted(self._acknowledged(intent, venue_id))

    async def cancel(self, record: OrderRecord, until: float) -> Answer:
        """Cancel an order; that it has ended is pushed."""
        c2s = c2s_of(Proto.Trd_ModifyOrder)
        try:
            async with asyncio.timeout_at(until):
                named = await self._named(record)
                if not isinstance(named, str):
                    return named
                request = record.intent.request
                security = symbols.parse(request.symbol, request.exchange)
                market = order_mapping.trd_market(security, self._account.markets, self._venue)
                self._account.head(c2s.header, market)
                c2s.orderID, c2s.orderIDEx, c2s.modifyOrderOp = 0, named, _CANCEL
                await self._client.ask(Proto.Trd_ModifyOrder, c2s)
        except (FoxtrotError, TimeoutError, ValueError) as error:
            answer = evidence.of_request(error, sent=_was_sent(c2s))
            if isinstance(answer, Refused) and not isinstance(error, RateLimited):
                return await self._looked_at(record, answer, until)
            return answer
        return Accepted(_pending(record, named))

    async def replace(
        self, record: OrderRecord, intent: OrderIntent, until: float
    ) -> tuple[Answer, Answer]:
        """Cancel an order and, once Futu says that it is cancelled, send another."""
        return await in_two_steps(
            self._cancel_and_wait(record, until), lambda: self.place(intent, until)
        )

    async def _cancel_and_wait(self, record: OrderRecord, until: float) -> Answer:
        with self._feed.end_of(record.venue_id) as end:
            cancel = await self.cancel(record, until)
            if isinstance(cancel, Accepted) and cancel.report.state not in TERMINAL:
                return await self._ended(cancel, end, until)
            return cancel

    def _fill_in(self, c2s: Message, intent: OrderIntent) -> None:
        account, request = self._account, intent.request
        security = symbols.parse(request.symbol, request.exchange)
        terms = order_mapping.terms(
            intent, security, account.markets, real=account.real, venue=self._venue
        )
        self._account.head(c2s.header, terms.trd_market)
        c2s.trdSide, c2s.orderType, c2s.timeInForce = terms.side, terms.kind, terms.tif
        c2s.secMarket, c2s.code, c2s.qty = terms.sec_market, terms.code, terms.quantity
        if terms.price is not None:
            c2s.price = terms.price
        if terms.stop_price is not None:
            c2s.auxPrice = terms.stop_price
        c2s.remark = intent.orderid

    def _acknowledged(self, intent: OrderIntent, venue_id: str) -> OrderReport:
        """What OpenD's answer proves: the order lives at Futu, under this name.

        It has no time of Futu's; it is dated before all that can be pushed. If pushes were faster,
        they know better, else they are owed.
        """
        record, state = self._record(intent.orderid), OrderState.ACCEPTED
        pushed = record is not None and bool(record.venue_id)
        ts_ns = 0 if pushed else intent.created_ns // _NS_PER_MS * _NS_PER_MS
        return _report(intent.request, venue_id, intent.orderid, state, ts_ns=ts_ns)

    async def _named(self, record: OrderRecord) -> str | Answer:
        """Futu's name of an order to cancel, or why there is nothing to cancel."""
        if record.venue_id:
            return record.venue_id
        found = await self._lists.find(record, record.orderid, "")
        if found is None:
            return Doubtful("OpenD lists no such order; it may be on its way")
        return Accepted(found) if found.state in TERMINAL else found.venue_id

    async def _looked_at(self, record: OrderRecord, refused: Refused, until: float) -> Answer:
        """What a refused cancel means: that the order lives on, or that it has ended."""
        known = self._record(record.orderid)
        if known is not None and not known.is_open:
            return refused
        try:
            async with asyncio.timeout_at(until):
                found = await self._lists.find(record, record.orderid, record.venue_id)
        except (FoxtrotError, TimeoutError, ValueError):
            found = None
        if found is None:
            return Doubtful(f"no proof, as OpenD does not show the order: {refused.reason}")
        return Accepted(found) if found.state in TERMINAL else refused

    async def _ended(
        self, cancel: Accepted, end: asyncio.Future[OrderReport], until: float
    ) -> Accepted:
        """The cancel once its order has ended, or as it is when time is up."""
        try:
            async with asyncio.timeout_at(until):
                lost = cast("asyncio.Future[object]", self._client.lost)
                either = {cast("asyncio.Future[object]", end), lost}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return cancel
        return Accepted(end.result()) if end.done() else cancel


def _was_sent(c2s: Message) -> bool:
    """Whether a command may have left: it is numbered right before it does."""
    return c2s.HasField("packetID")


def _pending(record: OrderRecord, venue_id: str) -> OrderReport:
    """An order whose cancel OpenD has taken."""
    orderid = "" if record.external else record.orderid
    request, state = record.intent.request, OrderState.PENDING_CANCEL
    return _report(request, venue_id, orderid, state, traded=record.traded)


def _report(
    request: OrderRequest,
    venue_id: str,
    orderid: str,
    state: OrderState,
    *,
    traded: Decimal = ZERO,
    ts_ns: int = 0,
) -> OrderReport:
    return OrderReport(
        venue_id=venue_id,
        orderid=orderid,
        symbol=request.symbol,
        exchange=request.exchange,
        direction=request.direction,
        type=request.type,
        volume=exact(request.volume),
        traded=traded,
        state=state,
        ts_ns=ts_ns,
        price=exact(request.price),
        stop_price=exact(request.stop_price),
    )
