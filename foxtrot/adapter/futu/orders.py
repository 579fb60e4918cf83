"""The trading session: orders over one connection, told of by pushes and by lists."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from foxtrot.adapter.futu import overview, symbols
from foxtrot.adapter.futu.account import Holdings, TradedAccount, choose
from foxtrot.adapter.futu.order_commands import OrderCommands
from foxtrot.adapter.futu.order_feed import OrderFeed
from foxtrot.adapter.futu.order_lists import OrderLists
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    Action,
    AuthenticationError,
    FoxtrotError,
    PermissionDenied,
    VenueUnavailable,
)
from foxtrot.execution.reports import (
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    Unknown,
    exact,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.order_session import BaseOrderSession
from foxtrot.gateway.session import not_open
from foxtrot.gateway.trading import Answer, Balances, NotSent, TradingListener
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData

log = get_logger("foxtrot.futu.orders")

X = TypeVar("X")

LEAST_POLL_S = 6.0
"""Between two rounds of questions: each list may be asked for ten times in 30 seconds."""

BALANCES_S = 4.0
"""Between two looks at what the account holds; OpenD does not tell it by itself."""

_SETTLED_S = 0.2
"""After the first news of an order: what becomes of it at once is seen in one look."""

_LARGEST_PRICE = 1e12

_NOT_OPEN = NotSent("the session is not open")
_NO_PRICE = Unknown("nobody offers it, nor has traded it")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a session has once it knows its account."""

    account: TradedAccount
    feed: OrderFeed
    lists: OrderLists
    holdings: Holdings
    commands: OrderCommands


class OrderSession(FutuSession, BaseOrderSession[Venue]):
    """A session that trades; see `gateway.trading.TradingSession`.

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
        super().__init__(venue, counters)
        self._listener, self._record, self._unwanted = listener, record, unwanted
        self._loop = asyncio.get_running_loop()
        self._parts: _Parts | None = None
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
        client = self.client
        client.unreadable = self._hop(self._on_unreadable)
        client.on_push(Proto.Trd_UpdateOrder, self._hop(self._on_order))
        client.on_push(Proto.Trd_UpdateOrderFill, self._hop(self._on_fill))
        c2s = c2s_of(Proto.Trd_SubAccPush)
        c2s.accIDList.append(account.acc_id)
        await client.ask(Proto.Trd_SubAccPush, c2s)
        if account.real:
            await self._unlock(account)

    async def run(self) -> None:
        """Wait for the loss of the connection; look at what the account holds meanwhile."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._learn_contracts())
            group.create_task(self._keep_balances())

    async def close(self) -> None:
        """Close the connection."""
        await super().close()  # who waits for an answer is told why there is none
        if self._parts is not None:
            await self._parts.lists.close()

    async def _account_of_settings(self) -> TradedAccount:
        return choose(await overview.accounts(self.client), self._venue.settings)

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
            time_ns=time_ns,
            paid=venue.paid,
        )
        client = self.client
        lists = OrderLists(venue.name, client, account, feed, time_ns)
        commands = OrderCommands(
            venue.name,
            client,
            account,
            feed,
            lists,
            record=self._record,
            unwanted=self._unwanted,
        )
        new = Holdings(venue.name, account.acc_id, name_of)
        holdings = venue.holdings.setdefault(account.acc_id, new)
        self._parts = _Parts(account, feed, lists, holdings, commands)

    async def _unlock(self, account: TradedAccount) -> None:
        """Unlock trading: whoever restarts OpenD locks it, so each session does it anew."""
        password = self._venue.settings.password
        if password is None:
            self._not_unlocked("no `password` is set")
            return
        c2s = c2s_of(Proto.Trd_UnlockTrade)
        c2s.unlock, c2s.securityFirm = True, account.firm
        c2s.pwdMD5 = hashlib.md5(password.reveal().encode(), usedforsecurity=False).hexdigest()
        try:
            await self.client.ask(Proto.Trd_UnlockTrade, c2s)
        except PermissionDenied as refusal:  # it may be unlocked, which nobody can ask
            self._not_unlocked(refusal.text)
        except AuthenticationError as error:
            shown = f"{error.text}; the password was {password}"
            raise AuthenticationError(error.venue, error.code, shown) from None

    def _not_unlocked(self, why: str) -> None:
        advice = f"{why}: orders are refused until somebody unlocks OpenD"
        log.warning("trading_not_unlocked", venue=self._venue.name, reason=advice)

    async def _learn_contracts(self) -> None:
        """Have the contracts of positions told: without, none can be closed."""
        try:
            await self._venue.contracts.resolve_all(self.client, self._whole.holdings.names())
        except FoxtrotError as error:
            log.warning("contracts_unknown", venue=self._venue.name, reason=str(error))

    async def _keep_balances(self) -> None:
        while True:
            await self._whole.feed.changed.wait()
            await asyncio.sleep(_SETTLED_S)
            self._whole.feed.changed.clear()
            answer = await self.balances()
            if isinstance(answer, Balances):
                self._listener.on_balances(answer)
            elif answer.error is None:  # it may be had the next time
                self._whole.feed.changed.set()
            await asyncio.sleep(BALANCES_S)

    @property
    def _whole(self) -> _Parts:
        if self._parts is None:
            raise not_open()
        return self._parts

    # -- what is pushed ---------------------------------------------------------------------

    def _on_order(self, push: Message) -> None:
        self._counters.received += 1
        try:
            self._whole.feed.on_order(push.header.accID, push.order)
        except ValueError as error:
            self._unreadable(Proto.Trd_UpdateOrder, error)

    def _on_fill(self, push: Message) -> None:
        self._counters.received += 1
        try:
            self._whole.feed.on_fill(push.header.accID, push.orderFill)
        except ValueError as error:
            self._unreadable(Proto.Trd_UpdateOrderFill, error)

    def _unreadable(self, proto: Proto, error: ValueError) -> None:
        log.error("push_not_believed", venue=self._venue.name, type=proto.name, reason=str(error))
        self._on_unreadable(proto.name)

    def _on_unreadable(self, kind: str) -> None:
        self._counters.unreadable(kind)
        self._listener.on_missed(f"a push of OpenD's could not be read ({kind})")

    def _on_notice(self, s2c: Message) -> None:
        super()._on_notice(s2c)
        if s2c.HasField("connectStatus") and s2c.connectStatus.trdLogined:
            self._hop(self._listener.on_missed)("OpenD has Futu's trading servers again")

    def _hop(self, take: Callable[[X], None]) -> Callable[[X], None]:
        """Have taken on the loop's thread what is told on the network's."""

        def sink(told: X) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and who listened
                self._loop.call_soon_threadsafe(take, told)

        return sink

    # -- TradingSession: orders -------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """Send a new order, once: one round trip. What became of it is pushed."""
        if self._parts is None:
            return _NOT_OPEN
        return await self._parts.commands.place(intent, self._until())

    async def cancel(self, record: OrderRecord) -> Answer:
        """Cancel an order; that it has ended is pushed."""
        if self._parts is None:
            return _NOT_OPEN
        return await self._parts.commands.cancel(record, self._until())

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Cancel an order and, once Futu says that it is cancelled, send another."""
        if self._parts is None:
            return _NOT_OPEN, _NOT_OPEN
        return await self._parts.commands.replace(record, intent, self._until())

    # -- TradingSession: questions ----------------------------------------------------------

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """Every open order of the account, whoever sent it."""
        return await self._known(lambda: self._whole.lists.open())

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """One order, whatever its state, of the last three months."""

        async def ask() -> tuple[OrderReport, ...]:
            found = await self._whole.lists.find(self._record(orderid), orderid, venue_id)
            return (found,) if found is not None else ()

        return await self._known(ask)

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """The account's fills in these symbols since a moment; those of paper trading are told."""
        return await self._known(lambda: self._whole.lists.fills(symbols, since_ns))

    async def balances(self) -> Balances | Unknown:
        """All that the account holds."""

        async def ask() -> Balances:
            await self._ask_holdings()
            return self._whole.holdings.balances()

        return await self._told(ask)

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """A contract that nobody has asked for yet."""

        async def ask() -> ContractData:
            return (await self._venue.contracts.resolve(self.client, symbol, exchange)).data

        return await self._told(ask)

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

        prices = await self._told(ask)
        return prices if isinstance(prices, Unknown) else next(iter(prices), _NO_PRICE)

    async def _ask_holdings(self) -> None:
        account = self._whole.account
        funds, positions = c2s_of(Proto.Trd_GetFunds), c2s_of(Proto.Trd_GetPositionList)
        for c2s in (funds, positions):
            account.head(c2s.header, account.market)
            c2s.refreshCache = True
        funds.currency = account.currency
        worth = await self.client.ask(Proto.Trd_GetFunds, funds)
        held = await self.client.ask(Proto.Trd_GetPositionList, positions)
        if not worth.HasField("funds"):
            raise VenueUnavailable(self._venue.name, "", "OpenD tells nothing of the account")
        self._whole.holdings.funded(worth.funds)
        self._whole.holdings.listed(held.positionList)

    def _unknown(self, error: FoxtrotError) -> Unknown:
        """No answer; what OpenD will never answer is no reason to ask again and again."""
        log.warning("question_unanswered", venue=self._venue.name, reason=str(error))
        return Unknown(str(error), error if error.action is Action.STOP else None)
