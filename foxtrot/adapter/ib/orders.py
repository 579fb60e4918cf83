"""The trading session: orders over one connection, whose client id they belong to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import cast

from foxtrot.adapter.ib import order_mapping
from foxtrot.adapter.ib.account import PositionRow
from foxtrot.adapter.ib.evidence import ID_OF_ANOTHER
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.order_feed import OrderFeed, waiting
from foxtrot.adapter.ib.order_lists import OrderLists, since_ns
from foxtrot.adapter.ib.order_mapping import Terms
from foxtrot.adapter.ib.order_slips import Slip, unanswered, uncancelled
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.sdk import RawClient, RawOrder, sdk
from foxtrot.adapter.ib.session import IbSession, Venue
from foxtrot.core.logs import get_logger
from foxtrot.errors import FoxtrotError, VenueUnavailable
from foxtrot.execution.reports import (
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    Unknown,
    exact,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.order_session import BaseOrderSession, barrier, in_two_steps
from foxtrot.gateway.session import not_open
from foxtrot.gateway.trading import (
    Accepted,
    Answer,
    Balances,
    Doubtful,
    NotSent,
    Refused,
    TradingListener,
)
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData

log = get_logger("foxtrot.ib.orders")

LEAST_POLL_S = 2.0
"""Between two rounds of questions, of about ten messages each."""

_LISTS = frozenset(
    {
        "openOrders",
        "allOpenOrders",
        "completedOrders",
        "executions",
        "positions",
        "accountUpdates",
    }
)
"""Questions whose answers bring again what was pushed; no other does."""

_OLD_ID = tuple(f"{code}:" for code in ID_OF_ANOTHER)

_OFFERED = (2, 67)
_PRICES = (*_OFFERED, 4, 68, 9, 75)
"""Kinds of ticks that say what a contract costs: ask, last and close, each also delayed."""
_NO_PRICE = Unknown("TWS has no price of it")


class OrderSession(IbSession, BaseOrderSession[Venue]):
    """A session that trades; see `gateway.trading.TradingSession`.

    Orders belong to the client id that sent them: only a connection with that id hears of them and
    can cancel them, so this one has the setting's, always.

    Args:
        venue: What the sessions of one adapter share.
        counters: Of what is told of the account.
        listener: Who is told what happens to the account.
        record: What is known here of an order, by its orderid.
        unwanted: Why an order should not leave any more, by its orderid.
    """

    def __init__(
        self,
        venue: Venue,
        counters: FeedCounters,
        listener: TradingListener,
        record: Callable[[str], OrderRecord | None],
        unwanted: Callable[[str], str],
    ) -> None:
        super().__init__(venue, counters, Purpose.TRADING)
        self._listener, self._record, self._unwanted = listener, record, unwanted
        self._feed_of_now: OrderFeed | None = None
        self._lists_of_now: OrderLists | None = None
        self._values_subscribed = False
        self.pushes = True
        self.least_poll_s = LEAST_POLL_S

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and listen to the account.

        Raises:
            ConfigurationError: TWS has several accounts, and the setting names none.
        """
        await super().open()
        client, port = self.client, self._venue.port
        feed = self._feed_of_now = OrderFeed(
            self._venue.name,
            client.client_id,
            client.account,
            name_of=self._venue.contracts.name_of,
            record=self._record,
            listener=self._listener,
            say=port.write_log,
            time_ns=port.clock.time_ns,
            revisions=self._venue.revisions.setdefault(client.account, {}),
        )
        before = self._venue.holdings.get(client.account)
        if before is not None:
            feed.holdings.follow(before)
        self._venue.holdings[client.account] = feed.holdings
        self._lists_of_now = OrderLists(client, feed)
        client.inbox.trading, client.inbox.on_unreadable = feed, self._on_unreadable

    async def sync(self) -> None:
        """Have every list of TWS's answered once, before any is believed to be empty."""
        await super().sync()
        try:
            await self._lists.ask()
            await self._ask_holdings()
        except ValueError as error:
            raise self._unbelievable(error) from None

    async def run(self) -> None:
        """Wait for the loss of the connection; look up meanwhile what the account holds."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._learn_contracts())

    async def _learn_contracts(self) -> None:
        """Have the contracts of positions and open orders told: without, none can be closed."""
        for name in dict.fromkeys((*self._feed.slips.names(), *self._feed.holdings.names())):
            try:
                await self._venue.contracts.resolve(self.client, *name)
            except FoxtrotError as error:
                log.warning("contract_unknown", symbol=name[0], reason=str(error))

    def _on_unreadable(self, callback: str) -> None:
        self._counters.unreadable(callback)
        client = self._connection
        asking = client is not None and not _LISTS.isdisjoint(client.requests.in_flight)
        self._feed.missed(callback, asking=asking)

    @property
    def _feed(self) -> OrderFeed:
        if self._feed_of_now is None:
            raise not_open()
        return self._feed_of_now

    @property
    def _lists(self) -> OrderLists:
        if self._lists_of_now is None:
            raise not_open()
        return self._lists_of_now

    # -- TradingSession: orders -------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """Send a new order, once; what TWS refuses is not sent again, whatever the reason."""
        return await self._place(intent, self._until())

    async def cancel(self, record: OrderRecord) -> Answer:
        """Cancel an order of this client id."""
        return await self._cancel(record, self._until())

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Cancel an order and, once TWS says that it is cancelled, send another."""
        until = self._until()
        return await in_two_steps(self._cancel(record, until), lambda: self._place(intent, until))

    async def _place(self, intent: OrderIntent, until: float) -> Answer:
        request, sent = intent.request, list[Slip]()
        try:
            if self.client.line_down:
                return NotSent(f"TWS cannot reach IB ({self.client.line_down})")
            async with asyncio.timeout_at(until):
                contracts = self._venue.contracts
                found = await contracts.resolve(self.client, request.symbol, request.exchange)
                account, name = self.client.account, self._venue.name
                order = sdk().Order(**order_mapping.order_fields(intent, account, name))
                stop = barrier(self._unwanted, intent.orderid)
                answer = await self._send(found, order, sent, stop)
        except TimeoutError:
            answer = unanswered(sent[0]) if sent else NotSent("its turn did not come in time")
            if isinstance(answer, Accepted):
                self._feed.tell(sent[0])  # or the stream, which kept it back, would owe it
        except (FoxtrotError, ValueError) as error:
            answer = NotSent(str(error))
        if isinstance(answer, Refused) and answer.reason.startswith(_OLD_ID):
            await self._learn_next_id()
        if isinstance(answer, Accepted) and answer.report.orderid != intent.orderid:
            return Doubtful("TWS's answer is about another order")
        return answer

    async def _send(
        self, found: Instrument, order: RawOrder, sent: list[Slip], stop: Callable[[], None]
    ) -> Answer:
        what, name = order_mapping.terms(order), (found.symbol, found.exchange)
        with contextlib.ExitStack() as stack:
            answers: list[asyncio.Future[Answer]] = []

            def write(raw: RawClient) -> None:
                stop()
                # An id of the moment of writing: TWS refuses one below another's.
                number = self.client.next_order_id()
                key = (self.client.client_id, number)
                sent.append(self._feed.slips.placed(key, name, what, order.orderRef))
                answers.append(stack.enter_context(waiting(self._feed.placing, key)))
                raw.placeOrder(number, found.contract, order)

            await self.client.tell(write, order=True)
            return await self._heard(answers[0])

    async def _learn_next_id(self) -> None:
        """Orders of this client id were sent from elsewhere: the next one has to be above them."""
        try:
            (number,) = await self.client.ask_named("nextValidId", lambda raw: raw.reqIds(1))
            self.client.saw_order_id(cast("int", number) - 1)
        except FoxtrotError as error:
            log.warning("next_id_unknown", venue=self._venue.name, reason=str(error))

    async def _cancel(self, record: OrderRecord, until: float) -> Answer:
        slip: Slip | Answer | None = None
        try:
            if self.client.line_down:
                return NotSent(f"TWS cannot reach IB ({self.client.line_down})")
            async with asyncio.timeout_at(until):
                slip = await self._slip_of(record)
                return await self._cancel_now(slip) if isinstance(slip, Slip) else slip
        except TimeoutError:
            return uncancelled(slip)
        except (FoxtrotError, ValueError) as error:
            return NotSent(str(error))

    async def _cancel_now(self, slip: Slip) -> Answer:
        number = slip.key[1]
        with waiting(self._feed.cancelling, slip.key) as answer:
            await self.client.tell(lambda raw: raw.cancelOrder(number, ""), order=True)
            return await self._heard(answer)

    async def _slip_of(self, record: OrderRecord) -> Slip | Answer:
        """The order to cancel, or why there is nothing to cancel."""
        slip = self._feed.slips.of_record(record)
        if slip is None:
            symbol = record.intent.request.symbol
            found = await self._lists.find(symbol, record.orderid, record.venue_id)
            slip = self._feed.slips.of_record(record)
            if slip is None:
                return Accepted(found) if found is not None else self._unlisted(record)
        if slip.has_ended:
            return Accepted(slip.report())
        client_id, order_id = slip.key
        if not order_id:
            return Refused("it was made in TWS; cancel it there")
        if client_id != self.client.client_id:
            return Refused(f"only a connection of client id {client_id}, which sent it, can")
        return slip

    def _unlisted(self, record: OrderRecord) -> Answer:
        """What becomes of the cancel of an order that TWS shows nowhere."""
        if not self._is_older_than_lists(record):
            return Doubtful("TWS lists no such order; it may be on its way")
        request = record.intent.request
        what = Terms(request.direction, request.type, record.volume)
        report = order_mapping.report(
            (request.symbol, request.exchange),
            what,
            venue_id=record.venue_id,
            orderid=record.orderid,
            traded=record.traded,
            state=OrderState.CANCELED,
            ts_ns=0,
            reason="not open any more; whether it traded on an earlier day, TWS does not say",
        )
        return Accepted(report)

    async def _heard(self, answer: asyncio.Future[Answer]) -> Answer:
        """What TWS says to an order or a cancel; without end, but for the connection's."""
        either = [cast("asyncio.Future[object]", each) for each in (answer, self._lost)]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        return Doubtful(f"the line was lost before the answer: {self._lost.result()}")

    # -- TradingSession: questions ----------------------------------------------------------

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """Every open order of the account, whoever sent it."""
        return await self._known(lambda: self._lists.open())

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """One order, whatever its state: in the lists of open and ended orders, and by its fills.

        That TWS lists it nowhere is proof only while it reaches IB, and for an order of today: it
        forgets at midnight what has ended. An order in doubt that is older stays so, until
        somebody cancels it.
        """
        if self._feed_of_now is not None and self._feed.is_sending(orderid):
            return Unknown("it is being sent")

        async def ask() -> tuple[OrderReport, ...]:
            found = await self._lists.find(symbol, orderid, venue_id)
            return (found,) if found is not None else ()

        answer = await self._known(ask)
        record = self._record(orderid)
        if isinstance(answer, Unknown) or answer.items or record is None:
            return answer
        if self.client.line_down:  # a TWS started anew knows of no order before it has found IB
            return Unknown(f"TWS cannot reach IB ({self.client.line_down})")
        if record.state is OrderState.IN_DOUBT and self._is_older_than_lists(record):
            return Unknown("it is of an earlier day, and TWS lists what ended since midnight only")
        return answer

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """The account's fills in these symbols since a moment, and since midnight at most.

        They are dated by TWS's clock, the moment is by ours. TWS lists no older ones. Of an order
        that ended before, the list of ended orders tells how much it traded, as long as it has it:
        such an order is known to have traded, and its fills are known to be missing; at which
        prices, nobody is told.
        """

        async def ask() -> tuple[FillReport, ...]:
            unsure_ns, account = self._venue.unsure_ns, self.client.account
            begin_ns = min(since_ns, unsure_ns.get(account, since_ns))
            if self.client.line_down:  # what IB does now, TWS lists when it has found it again
                unsure_ns[account] = begin_ns
            await self._lists.executions()
            return self._feed.fills.since(frozenset(symbols), begin_ns + self._lists.ahead_ns)

        return await self._known(ask)

    async def balances(self) -> Balances | Unknown:
        """All that the account holds."""

        async def ask() -> Balances:
            await self._ask_holdings()
            return self._feed.holdings.balances()

        return await self._told(ask)

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """Ask TWS for a contract; adapters are told of it, too."""
        try:
            return (await self._venue.contracts.resolve(self.client, symbol, exchange)).data
        except FoxtrotError as error:
            return Unknown(str(error))

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """What a contract is offered at now, or else was sold for last."""
        until = self._until()

        async def ask() -> tuple[Decimal, ...]:
            found = await self._venue.contracts.resolve(self.client, symbol, exchange)
            return _prices(await self._snapshot(found, until))

        prices = await self._told(ask)
        return prices if isinstance(prices, Unknown) else next(iter(prices), _NO_PRICE)

    async def _snapshot(self, found: Instrument, until: float) -> list[object]:
        """What TWS tells until the price that is wanted most came, or the time is up.

        Where something is missing, it would go on for 11 s.
        """
        rows: list[object] = []

        def is_best(row: object) -> bool:
            rows.append(row)
            match row:
                case (int(kind), float(price), *_):
                    return kind in _OFFERED and price > 0
            return False

        try:
            await self.client.ask(
                "a price",
                lambda raw, number: raw.reqMktData(number, found.contract, "", True, False, []),
                timeout_s=until - asyncio.get_running_loop().time(),
                cancel=lambda raw, number: raw.cancelMktData(number),
                enough=is_best,
            )
        except VenueUnavailable:
            if not rows:
                raise
        return rows

    def _is_older_than_lists(self, record: OrderRecord) -> bool:
        return record.intent.created_ns < since_ns(self._venue.port.clock.time_ns())

    async def _positions(self) -> list[PositionRow]:
        rows = await self.client.ask_named("positions", lambda raw: raw.reqPositions())
        self._feed.moves.clear()
        return cast("list[PositionRow]", rows)

    async def _ask_holdings(self) -> None:
        client, feed = self.client, self._feed
        account = client.account
        feed.counting = feed.listing = True
        try:
            held = await self._positions()
            if await self._venue.contracts.complete(client, [row[1] for row in held]):
                held = await self._positions()  # by the names that are known now
            feed.holdings.listed([*held, *feed.moves])
            feed.listing = False  # what moves while the values are asked for is told at once
            if self._values_subscribed:  # or TWS may find that there is nothing new to say
                await client.tell(lambda raw: raw.reqAccountUpdates(False, account))
            self._values_subscribed = True
            await client.ask_named(
                "accountUpdates", lambda raw: raw.reqAccountUpdates(True, account)
            )
        finally:
            feed.counting = feed.listing = False
        if not feed.holdings.has_values:
            raise VenueUnavailable(self._venue.name, "", "the account's values were not told")


def _prices(rows: Sequence[object]) -> tuple[Decimal, ...]:
    """The prices of a snapshot, the best to go by first."""
    ticks = [cast("tuple[int, float]", row[:2]) for row in rows if isinstance(row, tuple)]
    found = {kind: exact(price) for kind, price in ticks if kind in _PRICES and price > 0}
    return tuple(found[kind] for kind in _PRICES if kind in found)
