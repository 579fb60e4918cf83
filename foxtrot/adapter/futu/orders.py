"""The trading session: orders over one connection, told of by pushes and by lists."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar, cast

from foxtrot.adapter.futu import evidence, order_mapping, symbols
from foxtrot.adapter.futu.account import Holdings, TradedAccount, choose
from foxtrot.adapter.futu.order_feed import OrderFeed
from foxtrot.adapter.futu.order_lists import OrderLists
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.errors import Action, ConnectionClosed, FoxtrotError, RateLimited, VenueUnavailable
from foxtrot.execution.reports import (
    TERMINAL,
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
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import ContractData

log = get_logger("foxtrot.futu.orders")

T = TypeVar("T")

LEAST_POLL_S = 6.0
"""Between two rounds of questions: each list may be asked for ten times in 30 seconds."""

BALANCES_S = 4.0
"""Between two looks at what the account holds; OpenD does not tell it by itself."""

_SETTLED_S = 0.2
"""After the first news of an order: what becomes of it at once is seen in one look."""

_SHARE = 0.9
"""Of the time for an order: so that who waits hears what is known, not only that time is up."""

_LARGEST_PRICE = 1e12
_SECURITIES = 1
"""TrdCategory."""
_CANCEL = 2
"""ModifyOrderOp."""
_DROPPED = 1006


class OrderSession(FutuSession):
    """A session that trades; see `gateway.trading.TradingSession`.

    Args:
        venue: What the sessions of one adapter share.
        counters: Of what is told of the account.
        listener: Who is told what happens to the account.
        record: What is known here of an order, by its orderid.
    """

    def __init__(
        self,
        venue: Venue,
        counters: FeedCounters,
        listener: TradingListener,
        record: Callable[[str], OrderRecord | None],
    ) -> None:
        super().__init__(venue, counters)
        self._listener, self._record = listener, record
        self._parts: tuple[TradedAccount, OrderFeed, OrderLists, Holdings] | None = None
        self.pushes = True
        self.least_poll_s = LEAST_POLL_S

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, choose the account, listen to it, and unlock it.

        Raises:
            ConfigurationError: No account fits the settings, or several do.
            AuthenticationError: The trade password is wrong.
            FoxtrotError: OpenD cannot be had, or did not answer.
        """
        await super().open()
        account = await self._account_of_settings()
        self._put_together(account)
        hop = partial(_hop, asyncio.get_running_loop())
        client = self.client
        client.on_push(Proto.Trd_UpdateOrder, hop(self._on_order))
        client.on_push(Proto.Trd_UpdateOrderFill, hop(self._on_fill))
        c2s = c2s_of(Proto.Trd_SubAccPush)
        c2s.accIDList.append(account.acc_id)
        await client.ask(Proto.Trd_SubAccPush, c2s)
        if account.real:
            await self._unlock(account)

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Nothing: a trading session has no streams of the market."""
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Wait for the loss of the connection; look at what the account holds meanwhile."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._learn_contracts())
            group.create_task(self._keep_balances())

    async def close(self) -> None:
        """Close the connection."""
        if self._parts is not None:
            await self._lists.close()
        await super().close()

    async def _account_of_settings(self) -> TradedAccount:
        c2s = c2s_of(Proto.Trd_GetAccList)
        c2s.userID, c2s.trdCategory, c2s.needGeneralSecAccount = 0, _SECURITIES, True
        answer = await self.client.ask(Proto.Trd_GetAccList, c2s)
        return choose(answer.accList, self._venue.settings)

    def _put_together(self, account: TradedAccount) -> None:
        venue = self._venue
        name_of, time_ns = venue.contracts.name_of, venue.port.clock.time_ns
        feed = OrderFeed(
            venue.name,
            account,
            name_of=name_of,
            record=self._record,
            listener=self._listener,
            say=venue.port.write_log,
        )
        lists = OrderLists(venue.name, self.client, account, feed, time_ns)
        self._parts = account, feed, lists, Holdings(venue.name, account.acc_id, name_of)

    async def _unlock(self, account: TradedAccount) -> None:
        """Unlock trading: whoever restarts OpenD locks it, so each session does it anew."""
        password = self._venue.settings.password
        if password is None:
            log.warning("trading_not_unlocked", venue=self._venue.name, reason="no password is set")
            return
        c2s = c2s_of(Proto.Trd_UnlockTrade)
        c2s.unlock, c2s.securityFirm = True, account.firm
        c2s.pwdMD5 = hashlib.md5(password.reveal().encode(), usedforsecurity=False).hexdigest()
        await self.client.ask(Proto.Trd_UnlockTrade, c2s)

    async def _learn_contracts(self) -> None:
        """Have the contracts of positions told: without, none can be closed."""
        try:
            await self._venue.contracts.resolve_all(self.client, self._holdings.names())
        except FoxtrotError as error:
            log.warning("contracts_unknown", venue=self._venue.name, reason=str(error))

    async def _keep_balances(self) -> None:
        while True:
            await self._feed.changed.wait()
            await asyncio.sleep(_SETTLED_S)
            self._feed.changed.clear()
            answer = await self.balances()
            if isinstance(answer, Balances):
                self._listener.on_balances(answer)
            await asyncio.sleep(BALANCES_S)

    @property
    def _account(self) -> TradedAccount:
        return self._whole[0]

    @property
    def _feed(self) -> OrderFeed:
        return self._whole[1]

    @property
    def _lists(self) -> OrderLists:
        return self._whole[2]

    @property
    def _holdings(self) -> Holdings:
        return self._whole[3]

    @property
    def _whole(self) -> tuple[TradedAccount, OrderFeed, OrderLists, Holdings]:
        if self._parts is None:
            raise ConnectionClosed(_DROPPED, "the session is not open")
        return self._parts

    # -- what is pushed ---------------------------------------------------------------------

    def _on_order(self, push: Message) -> None:
        self._counters.received += 1
        try:
            self._feed.on_order(push.header.accID, push.order)
        except ValueError as error:
            self._unreadable(Proto.Trd_UpdateOrder, error)

    def _on_fill(self, push: Message) -> None:
        self._counters.received += 1
        try:
            self._feed.on_fill(push.header.accID, push.orderFill)
        except ValueError as error:
            self._unreadable(Proto.Trd_UpdateOrderFill, error)

    def _unreadable(self, proto: Proto, error: ValueError) -> None:
        log.error("push_not_believed", venue=self._venue.name, type=proto.name, reason=str(error))
        self._counters.unreadable(proto.name)
        self._listener.on_missed(f"a push of OpenD's cannot be believed ({error})")

    # -- TradingSession: orders -------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """Send a new order, once: one round trip. What became of it is pushed."""
        return await self._place(intent, self._until())

    async def cancel(self, record: OrderRecord) -> Answer:
        """Cancel an order; that it has ended is pushed."""
        return await self._cancel(record, self._until())

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Cancel an order and, once Futu says that it is cancelled, send another.

        Futu could change the order instead, but it would keep its remark, our old name for it.
        """
        until = self._until()
        if self._parts is None:
            absent = NotSent("the session is not open")
            return absent, absent
        with self._feed.end_of(record.venue_id) as end:
            cancel = await self._cancel(record, until)
            if not isinstance(cancel, Accepted):
                reason = f"not attempted, as the cancel came to nothing: {cancel.reason}"
                return cancel, NotSent(reason)
            if cancel.report.state not in TERMINAL:
                cancel = await self._ended(cancel, end, until)
        if cancel.report.state is not OrderState.CANCELED:
            reason = f"not attempted, as the other one is {cancel.report.state.value}"
            return cancel, NotSent(reason)
        return cancel, await self._place(intent, until)

    def _until(self) -> float:
        now = asyncio.get_running_loop().time()
        return now + self._venue.flags.orders_timeout_s * _SHARE

    async def _place(self, intent: OrderIntent, until: float) -> Answer:
        c2s = c2s_of(Proto.Trd_PlaceOrder)
        try:
            async with asyncio.timeout_at(until):
                self._fill_in(c2s, intent)
                s2c = await self.client.ask(Proto.Trd_PlaceOrder, c2s)
        except (FoxtrotError, TimeoutError) as error:
            return evidence.of_request(error, sent=_was_sent(c2s))
        venue_id = s2c.orderIDEx or (str(s2c.orderID) if s2c.orderID else "")
        if not venue_id:
            return Doubtful("OpenD took the order and does not say what it is called")
        unproven = self._feed.unproven.get(intent.orderid)
        if unproven:
            return Doubtful(unproven)
        return Accepted(self._acknowledged(intent, venue_id))

    def _fill_in(self, c2s: Message, intent: OrderIntent) -> None:
        account, request = self._account, intent.request
        security = symbols.parse(request.symbol, request.exchange)
        terms = order_mapping.terms(
            intent, security, account.markets, real=account.real, venue=self._venue.name
        )
        self._head(c2s, terms.trd_market)
        c2s.trdSide, c2s.orderType, c2s.timeInForce = terms.side, terms.kind, terms.tif
        c2s.secMarket, c2s.code, c2s.qty = terms.sec_market, terms.code, terms.quantity
        if terms.price is not None:
            c2s.price = terms.price
        if terms.stop_price is not None:
            c2s.auxPrice = terms.stop_price
        c2s.remark = intent.orderid

    def _acknowledged(self, intent: OrderIntent, venue_id: str) -> OrderReport:
        """What OpenD's answer proves: the order lives at Futu, under this name.

        It has no time of Futu's. If pushes were faster, they know better; else they are owed.
        """
        request, record = intent.request, self._record(intent.orderid)
        pushed = record is not None and bool(record.venue_id)
        return OrderReport(
            venue_id=venue_id,
            orderid=intent.orderid,
            symbol=request.symbol,
            exchange=request.exchange,
            direction=request.direction,
            type=request.type,
            volume=exact(request.volume),
            traded=Decimal(0),
            state=OrderState.ACCEPTED,
            ts_ns=0 if pushed else self._venue.port.clock.time_ns(),
            price=exact(request.price),
            stop_price=exact(request.stop_price),
        )

    async def _cancel(self, record: OrderRecord, until: float) -> Answer:
        c2s = c2s_of(Proto.Trd_ModifyOrder)
        try:
            async with asyncio.timeout_at(until):
                named = await self._named(record)
                if not isinstance(named, str):
                    return named
                request = record.intent.request
                security = symbols.parse(request.symbol, request.exchange)
                markets, venue = self._account.markets, self._venue.name
                self._head(c2s, order_mapping.trd_market(security, markets, venue))
                c2s.orderID, c2s.orderIDEx, c2s.modifyOrderOp = 0, named, _CANCEL
                await self.client.ask(Proto.Trd_ModifyOrder, c2s)
        except (FoxtrotError, TimeoutError, ValueError) as error:
            answer = evidence.of_request(error, sent=_was_sent(c2s))
            if isinstance(answer, Refused) and not isinstance(error, RateLimited):
                return await self._looked_at(record, answer, until)
            return answer
        return Accepted(_pending(record, named))

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
                lost = cast("asyncio.Future[object]", self._lost)
                either = {cast("asyncio.Future[object]", end), lost}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return cancel
        return Accepted(end.result()) if end.done() else cancel

    def _head(self, c2s: Message, trd_market: int) -> None:
        account = self._account
        c2s.header.trdEnv, c2s.header.accID = account.env, account.acc_id
        c2s.header.trdMarket = trd_market

    # -- TradingSession: questions ----------------------------------------------------------

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """Every open order of the account, whoever sent it."""
        return await self._known(lambda: self._lists.open())

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """One order, whatever its state, of the last three months."""

        async def ask() -> tuple[OrderReport, ...]:
            found = await self._lists.find(self._record(orderid), orderid, venue_id)
            return (found,) if found is not None else ()

        return await self._known(ask)

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """The account's fills in these symbols since a moment; those of paper trading are told."""
        return await self._known(lambda: self._lists.fills(symbols, since_ns))

    async def balances(self) -> Balances | Unknown:
        """All that the account holds."""

        async def ask() -> tuple[Balances, ...]:
            await self._ask_holdings()
            return (self._holdings.balances(),)

        answer = await self._known(ask)
        return answer if isinstance(answer, Unknown) else answer.items[0]

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """A contract that nobody has asked for yet."""

        async def ask() -> tuple[ContractData, ...]:
            return ((await self._venue.contracts.resolve(self.client, symbol, exchange)).data,)

        answer = await self._known(ask)
        return answer if isinstance(answer, Unknown) else answer.items[0]

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """The ask of a snapshot, or else the last price."""

        async def ask() -> tuple[Decimal, ...]:
            c2s = c2s_of(Proto.Qot_GetSecuritySnapshot)
            market, code = symbols.parse(symbol, exchange)
            c2s.securityList.add(market=market, code=code)
            answer = await self.client.ask(Proto.Qot_GetSecuritySnapshot, c2s)
            rows = (row.basic for row in answer.snapshotList)
            prices = [price for row in rows for price in (row.askPrice, row.curPrice)]
            return tuple(exact(price) for price in prices if 0 < price < _LARGEST_PRICE)

        answer = await self._known(ask)
        if isinstance(answer, Unknown):
            return answer
        return answer.items[0] if answer.items else Unknown("nobody offers it, nor has traded it")

    async def _ask_holdings(self) -> None:
        account = self._account
        funds, positions = c2s_of(Proto.Trd_GetFunds), c2s_of(Proto.Trd_GetPositionList)
        for c2s in (funds, positions):
            self._head(c2s, account.market)
            c2s.refreshCache = True
        funds.currency = account.currency
        worth = await self.client.ask(Proto.Trd_GetFunds, funds)
        held = await self.client.ask(Proto.Trd_GetPositionList, positions)
        if not worth.HasField("funds"):
            raise VenueUnavailable(self._venue.name, "", "OpenD tells nothing of the account")
        self._holdings.funded(worth.funds)
        self._holdings.listed(held.positionList)

    async def _known(self, ask: Callable[[], Awaitable[tuple[T, ...]]]) -> Known[T] | Unknown:
        try:
            return Known(await ask())
        except (FoxtrotError, ValueError) as error:
            return self._unknown(error)

    def _unknown(self, error: FoxtrotError | ValueError) -> Unknown:
        """No answer; what OpenD will never answer is no reason to ask again and again."""
        log.warning("question_unanswered", venue=self._venue.name, reason=str(error))
        if isinstance(error, FoxtrotError) and error.action is Action.STOP:
            return Unknown(str(error), error)
        return Unknown(str(error))


def _hop(
    loop: asyncio.AbstractEventLoop, take: Callable[[Message], None]
) -> Callable[[Message], None]:
    """Have a push, told on the network's thread, taken on the loop's."""

    def sink(push: Message) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and who listened
            loop.call_soon_threadsafe(take, push)

    return sink


def _was_sent(c2s: Message) -> bool:
    """Whether a command may have left: it is numbered right before it does."""
    return c2s.HasField("packetID")


def _pending(record: OrderRecord, venue_id: str) -> OrderReport:
    """An order whose cancel OpenD has taken."""
    request = record.intent.request
    return OrderReport(
        venue_id=venue_id,
        orderid="" if record.external else record.orderid,
        symbol=request.symbol,
        exchange=request.exchange,
        direction=request.direction,
        type=request.type,
        volume=record.volume,
        traded=record.traded,
        state=OrderState.PENDING_CANCEL,
        ts_ns=0,
        price=exact(request.price),
        stop_price=exact(request.stop_price),
    )
