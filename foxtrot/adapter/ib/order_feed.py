"""What TWS tells of orders, fills and the account: taken, put together, and passed on once.

State comes from `openOrder`, `orderStatus` and `execDetails` alone. An error says why, and answers
who waits for an answer; it never ends an order that was seen alive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from foxtrot.adapter.ib import evidence
from foxtrot.adapter.ib.account import Holdings, PositionRow
from foxtrot.adapter.ib.errors import Effect, effect_of
from foxtrot.adapter.ib.evidence import Proof
from foxtrot.adapter.ib.fill_log import FillLog, Revisions
from foxtrot.adapter.ib.order_mapping import Name
from foxtrot.adapter.ib.order_slips import OrderKey, Slip, Slips
from foxtrot.adapter.ib.sdk import (
    RawCommissionReport,
    RawContract,
    RawExecution,
    RawOrder,
    RawOrderState,
)
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.execution.reports import FillReport, OrderRecord, OrderReport
from foxtrot.gateway.trading import Accepted, Answer, Balances, Refused, TradingListener
from foxtrot.model.objects import PositionData

log = get_logger("foxtrot.ib.orders")

_OPEN_ORDER = "openOrder"
"""The callback that shows an order."""

_MOST_TOLD = 100
"""Lines of what cannot be read that people are told in one session."""

Asked = dict[OrderKey, list[asyncio.Future[Answer]]]
"""Who waits for an answer about an order."""


class OrderFeed:
    """The sink of a trading connection. Belongs to the loop thread.

    Args:
        adapter_name: Whose.
        client_id: Of the connection: order ids are its own.
        account: The one that is traded; what TWS tells of others is passed over.
        name_of: How a contract is spelled here.
        record: What is known here of an order, by its orderid.
        listener: Who is told what happens to the account.
        say: A line for the people who watch.
        time_ns: The wall clock.
        revisions: Of the account's fills, as the sessions before knew them.
    """

    def __init__(
        self,
        adapter_name: str,
        client_id: int,
        account: str,
        *,
        name_of: Callable[[RawContract], Name],
        record: Callable[[str], OrderRecord | None],
        listener: TradingListener,
        say: Callable[[str], None],
        time_ns: Callable[[], int],
        revisions: Revisions,
    ) -> None:
        self._adapter_name, self._client_id, self._account = adapter_name, client_id, account
        self._name_of, self.record, self._listener = name_of, record, listener
        self._say, self.time_ns = say, time_ns
        self.slips, self.fills = Slips(), FillLog(revisions)
        self.holdings = Holdings(adapter_name, account, name_of)
        self.placing: Asked = {}
        self.cancelling: Asked = {}
        self.listed: dict[int, Slip] | None = None
        """What a list that is under way has shown, by the slip's identity."""
        self.counting = False
        """Whether balances are being asked for: the answer tells them, not each of its rows."""
        self.listing = False
        """Whether positions are: what moves after the list was answered is added to it."""
        self.moves: list[PositionRow] = []
        self.unread = 0
        """Messages that could not be read; a list that is taken meanwhile proves no absence."""
        self._told_unread: set[str] = set()
        self._outgoing: list[OrderReport | FillReport] = []
        self._accounts_changed = False

    # -- orders -----------------------------------------------------------------------------

    def openOrder(
        self, order_id: int, contract: RawContract, order: RawOrder, state: RawOrderState
    ) -> None:
        """An order: its terms and names, and where it was a moment ago."""
        if self.is_foreign(order.account):
            return
        name = self.name(order.orderRef, order.permId, contract)
        try:
            slip = self.slips.opened(order_id, order, name, state.status, self.time_ns())
        except ValueError as error:
            self.tell_unread(contract, order, error)
            raise
        slip.con_id = contract.conId
        self._took(slip)

    def orderStatus(
        self,
        order_id: int,
        status: str,
        filled: float,
        remaining: float,
        average: float,
        perm_id: int,
        parent_id: int,
        last_price: float,
        client_id: int,
        why_held: str,
        cap_price: float,
    ) -> None:
        """An order: where it is, and what traded."""
        key = (client_id, order_id)
        slip = self.slips.changed(key, perm_id, status, filled, self.time_ns())
        if slip is not None:
            self._took(slip)

    def execDetails(self, req_id: int, contract: RawContract, execution: RawExecution) -> None:
        """A fill, pushed."""
        fill = self.executed(contract, execution)
        if fill is not None and self.fills.push(fill.trade_id):
            self._send(fill)

    def executed(self, contract: RawContract, execution: RawExecution) -> FillReport | None:
        """Take a fill, pushed or listed; returns it if it is of this account."""
        if self.is_foreign(execution.acctNumber):
            return None
        name = self.name(execution.orderRef, execution.permId, contract)
        taken = self.fills.take(name, execution)
        if taken.before is not None:
            self._corrected(taken.before, taken.fill)
        return taken.fill

    def commissionReport(self, report: RawCommissionReport) -> None:
        """What a fill cost."""
        self.fills.charge(report)

    def name(self, orderid: str, perm_id: int, contract: RawContract) -> Name:
        """How the contract of an order is spelled: as it was when the order was sent."""
        record = self.record(orderid) if orderid else None
        if record is not None and not record.external:
            request = record.intent.request
            return request.symbol, request.exchange
        slip = self.slips.by_perm_id(perm_id)
        is_leg = slip is not None and slip.con_id not in (0, contract.conId)
        return self._name_of(contract) if slip is None or is_leg else slip.name

    def _took(self, slip: Slip) -> None:
        if self.listed is not None:
            self.listed[id(slip)] = slip
        if slip.is_settled or not (slip.refusal or self.waits_for(slip)):
            self.tell(slip)
        self._settle(slip)

    def tell(self, slip: Slip) -> None:
        """Tell of an order as it is now, if that was not told yet."""
        report = slip.news()
        if report is not None:
            self._send(report)

    def waits_for(self, slip: Slip) -> bool:
        """Whether an order is being sent, and its answer still to come."""
        return any(not each.done() for each in self.placing.get(slip.key, ()))

    def is_sending(self, orderid: str) -> bool:
        """Whether an order of ours has no answer yet."""
        sending = (self.slips.get(key) for key in self.placing)
        return any(slip is not None and slip.orderid == orderid for slip in sending)

    def _settle(self, slip: Slip) -> None:
        """Answer who waits, if this is what he waits for."""
        if slip.is_refused:
            _answer(self.placing, slip.key, Refused(slip.refusal))
        elif slip.is_settled:
            _answer(self.placing, slip.key, Accepted(slip.report()))
        if slip.has_ended:
            _answer(self.cancelling, slip.key, Accepted(slip.report()))

    def is_foreign(self, account: str) -> bool:
        """Whether something is of an account that is not traded here."""
        return account not in ("", self._account)

    def _corrected(self, before: FillReport, fill: FillReport) -> None:
        log.error(
            "fill_corrected",
            venue=self._adapter_name,
            trade_id=fill.trade_id,
            orderid=fill.orderid,
            price=f"{before.price:f}",
            corrected_price=f"{fill.price:f}",
            volume=f"{before.volume:f}",
            corrected_volume=f"{fill.volume:f}",
        )
        self._say(
            f"{self._adapter_name}: IB corrected fill {fill.trade_id} of order {fill.orderid}"
            f" from {before.volume:f} at {before.price:f} to {fill.volume:f} at {fill.price:f}"
        )

    # -- errors -----------------------------------------------------------------------------

    def error(self, req_id: int, code: int, text: str, advanced: str = "") -> None:
        """An error or a notice: of an order, of TWS's line to IB, or of neither."""
        slip = self.slips.get((self._client_id, req_id)) if req_id > 0 else None
        if slip is not None:
            self._take_error(slip, code, text)
        elif req_id <= 0:
            self._take_line(code)

    def _take_error(self, slip: Slip, code: int, text: str) -> None:
        words, proof = evidence.words(code, text), evidence.proof_of(code)
        if proof is Proof.CANCELLED:
            slip.cancelled = words  # its status says so, too
            return
        log.warning(
            "order_error",
            venue=self._adapter_name,
            orderid=slip.orderid,
            proves=proof.value,
            reason=words,
        )
        self._say(f"{self._adapter_name}: {slip.orderid or 'an order'}: {words}")
        cancel, new = evidence.of_cancel(code, text), evidence.of_new_order(code, text)
        answered = cancel is not None and _answer(self.cancelling, slip.key, cancel)
        if answered and proof is not Proof.REFUSED:  # that may be of the order all the same
            return
        asked = new is not None and _answer(self.placing, slip.key, new)
        if code in evidence.ID_OF_ANOTHER and not slip.perm_id:
            self.slips.drop(slip)
        elif proof is Proof.REFUSED:
            slip.refusal = words
            self._took(slip)
        if new is not None and not asked and not slip.has_ended:
            self._listener.on_missed(f"what error {code} means for {slip.orderid}")

    def _take_line(self, code: int) -> None:
        if effect_of(code) in (Effect.LINE_BACK, Effect.LINE_BACK_EMPTY):
            self._listener.on_missed("TWS was without IB for a while")

    # -- the account ------------------------------------------------------------------------

    def position(self, account: str, contract: RawContract, volume: float, cost: float) -> None:
        """A position."""
        if self.listing:
            self.moves.append((account, contract, volume, cost))
            return
        self._moved(self.holdings.moved(account, contract, volume, cost))

    def updatePortfolio(
        self,
        contract: RawContract,
        volume: float,
        price: float,
        value: float,
        cost: float,
        unrealized: float,
        realized: float,
        account: str,
    ) -> None:
        """What a position has gained."""
        changed = self.holdings.valued(contract, volume, unrealized, account)
        if not self.counting:
            self._moved(changed)

    def updateAccountValue(self, key: str, value: str, currency: str, account: str) -> None:
        """One of many numbers of the account, of which few are shown."""
        if self.holdings.worth(key, value, currency, account) and not self._accounts_changed:
            self._accounts_changed = True
            asyncio.get_running_loop().call_soon(self._tell_accounts)

    def _moved(self, position: PositionData | None) -> None:
        if position is not None:
            self._listener.on_balances(Balances(positions=(position,)))

    def _tell_accounts(self) -> None:
        """Tell the numbers of one read together: alone, each would be at odds with the others."""
        self._accounts_changed = False
        if not self.counting:
            self._listener.on_balances(Balances(accounts=self.holdings.accounts()))

    # -- what is told -----------------------------------------------------------------------

    def missed(self, callback: str, *, asking: bool) -> None:
        """A message could not be read; a list that is being asked for would bring it so again."""
        self.unread += 1
        what = f"a message of TWS could not be read ({callback})"
        if callback != _OPEN_ORDER:  # it is told with its name
            self._say_once(f"{what}; what it told is missing here: compare orders and fills")
        if not asking:
            self._listener.on_missed(what)

    def tell_unread(self, contract: RawContract, order: RawOrder, error: ValueError) -> None:
        """An order cannot be read, so that nothing here shows it."""
        name = f"{order.orderRef} ({order.permId}) in {contract.symbol}".lstrip()
        self._say_once(
            f"order {name} cannot be read, so it is not shown here; look at it in TWS: {error}"
        )

    def _say_once(self, text: str) -> None:
        words = scrub(text, limit=TEXT_LIMIT)
        if words in self._told_unread or len(self._told_unread) >= _MOST_TOLD:
            return
        self._told_unread.add(words)
        log.error("order_news_unread", venue=self._adapter_name, reason=words)
        self._say(f"{self._adapter_name}: {words}")

    def _send(self, news: OrderReport | FillReport) -> None:
        """Tell it after all that came in the same read: a fill's commission follows it."""
        self._outgoing.append(news)
        if len(self._outgoing) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        for news in outgoing:
            if isinstance(news, FillReport):
                self._listener.on_fill(self.fills.charged(news))
            else:
                self._listener.on_report(news)


@contextlib.contextmanager
def waiting(asked: Asked, key: OrderKey) -> Iterator[asyncio.Future[Answer]]:
    """Wait for an answer about an order, beside others who may do so."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    asked.setdefault(key, []).append(answer)
    try:
        yield answer
    finally:
        asked[key].remove(answer)
        if not asked[key]:
            del asked[key]


def _answer(asked: Asked, key: OrderKey, answer: Answer) -> bool:
    """Give the answer to all who wait for it; whether somebody did."""
    open_ones = [each for each in asked.get(key, ()) if not each.done()]
    for each in open_ones:
        each.set_result(answer)
    return bool(open_ones)
