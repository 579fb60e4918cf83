"""What becomes of orders: the loop's half of the desk. Sends, cancels, takes answers and pushes.

Every piece of news goes through the tracker; what it changes is written down, then told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from decimal import Decimal
from typing import Protocol, TypeVar

import msgspec

from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger, recalled
from foxtrot.core.settings import FeatureFlags
from foxtrot.execution.journal import Journal
from foxtrot.execution.order_tracker import NOTHING, Changes, OrderTracker
from foxtrot.execution.reports import (
    FillReport,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    Unknown,
    order_data,
    trade_data,
)
from foxtrot.execution.transitions import UNANSWERED
from foxtrot.gateway.guard import Guard
from foxtrot.gateway.trading import (
    Accepted,
    Answer,
    Doubtful,
    NotSent,
    Refused,
    TradingSession,
)
from foxtrot.gateway.untold import Untold
from foxtrot.model.objects import NS_PER_S, OrderData, TradeData

T = TypeVar("T")

log = get_logger("foxtrot.gateway.orders")

CANCEL_WAIT_S = 1.0
"""How long a cancel waits for a session that is about to be ready."""

CANCEL_AGAIN_S = 1.0
"""How long until an order that is to end is cancelled again."""

PLACES_AT_ONCE = 32
"""How many new orders are under way at a time: what waits for its turn, a halt still stops."""

PLACE_WAIT_S = 1.0
"""How long a new order waits for its turn."""

CANCELS_AT_ONCE = 20
"""How many cancels of a `cancel_all` are under way at a time."""

CANCELLED_BEFORE = "cancelled before it was sent"

_OVERLAP_NS = 60 * NS_PER_S
"""For so long before all was known last, orders that ended are taken up again at the start."""

_CANCELLABLE = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.IN_DOUBT})


class OrderListener(Protocol):
    """Who is told what becomes of orders; from any thread, must not block."""

    def on_order(self, order: OrderData) -> None:
        """An order changed."""

    def on_trade(self, trade: TradeData) -> None:
        """A fill of ours."""

    def write_log(self, msg: str) -> None:
        """A line for the people who watch."""


class Trading:
    """The trading session of the moment, and when it may be used."""

    def __init__(self) -> None:
        self._session: TradingSession | None = None
        self._ready = asyncio.Event()

    @property
    def session(self) -> TradingSession | None:
        """The session, if it is ready."""
        return self._session

    def begin(self, session: TradingSession) -> None:
        """It is ready."""
        self._session = session
        self._ready.set()

    def end(self) -> None:
        """It is not ready any more."""
        self._session = None
        self._ready.clear()

    async def wait(self, timeout_s: float | None) -> TradingSession | None:
        """The session; waits for one that is about to be ready."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return None
        return self._session


class OrderFlow:
    """The orders of one adapter, on the loop thread.

    Args:
        adapter_name: Whose orders these are.
        tracker: What is known of them.
        trading: The session of the moment.
        untold: Is told what answers told first.
        guard: Counts what is open, and is told of refusals.
        listener: Who is told.
        unlisted: Whether a request can be judged only with a contract that is looked up.
        unpriced: Whether a request's notional can be judged only with a price of the venue's.
        judge_notional: Why an order of such a price is too large; empty if it is not.
        flags: The settings of the moment.
    """

    def __init__(
        self,
        adapter_name: str,
        *,
        tracker: OrderTracker,
        trading: Trading,
        untold: Untold,
        guard: Guard,
        listener: OrderListener,
        unlisted: Callable[[OrderIntent], bool],
        unpriced: Callable[[OrderIntent], bool],
        judge_notional: Callable[[OrderIntent, Decimal], str],
        bridge: AsyncThreadBridge,
        clock: Clock,
        flags: Callable[[], FeatureFlags],
    ) -> None:
        self._name, self._tracker, self._trading = adapter_name, tracker, trading
        self._guard, self._listener = guard, listener
        self._unlisted, self._unpriced = unlisted, unpriced
        self._judge_notional = judge_notional
        self._untold = untold
        self._bridge, self._clock, self._flags = bridge, clock, flags
        self._journal: Journal | None = None
        self._doomed: dict[str, float] = {}
        self._cancelling: set[str] = set()
        self._replacing: set[str] = set()
        self._places = asyncio.Semaphore(PLACES_AT_ONCE)
        self._log = log.bind(venue=adapter_name)

    # -- what is known ----------------------------------------------------------------------

    @property
    def doomed(self) -> int:
        """Orders that are still to be cancelled."""
        return len(self._doomed)

    def unwanted(self, orderid: str) -> str:
        """Why a new order should not leave any more; empty if it should."""
        if self._guard.halted:
            return f"halted: {self._guard.halted}"
        return CANCELLED_BEFORE if orderid in self._doomed else ""

    def restore(self, journal: Journal) -> None:
        """Take up what is open, and what ended since the venue was last asked, and tell it once.

        What ended lately may lack a fill, and may have been written down but not told.

        Raises:
            JournalError: It cannot be read; nothing was taken up.
        """
        ended = journal.ended_since(journal.last_seen_ns - _OVERLAP_NS)
        records = [*ended, *journal.open_records()]
        fills = journal.fills_of(each.orderid for each in records)
        now_ns = self._clock.time_ns()
        self._tracker.restore(records, fills, trade_keys=journal.trade_keys(), now_ns=now_ns)
        self._journal = journal
        for orderid in dict.fromkeys(each.orderid for each in records):
            record = self._tracker.record(orderid)
            if record is None:
                continue
            if record.is_open and not record.external:
                self._guard.opened(orderid)
            self._listener.on_order(order_data(record, self._name))
        for fill in fills:
            self._tell_fill(fill)
        if journal.set_aside is not None:
            self.alarm("the journal was damaged and is kept aside; the venue is asked for all")

    def apply(self, changes: Changes) -> None:
        """Write changes down, then tell them."""
        if not changes:
            return
        if self._journal is not None and (changes.records or changes.fills):
            self._journal.record(changes.records, changes.fills)
        for record in changes.records:
            self._tell(record)
        for fill in changes.fills:
            self._tell_fill(fill)
        for text in changes.alarms:
            self.alarm(text)

    def alarm(self, text: str) -> None:
        """Somebody should look."""
        self._log.error("order_alarm", reason=text)
        self._listener.write_log(f"{self._name}: {text}")

    def _tell(self, record: OrderRecord) -> None:
        if not record.is_open:
            self._guard.ended(record.orderid)
            self._doomed.pop(record.orderid, None)
        why = {"reason": record.reason} if record.reason else {}
        with recalled(f"{self._name}.{record.orderid}"):
            self._log.info(
                "order",
                orderid=record.orderid,
                state=record.state.value,
                traded=f"{record.traded:f}",
                **why,
            )
        self._listener.on_order(order_data(record, self._name))

    def _tell_fill(self, fill: FillReport) -> None:
        record = self._tracker.record(fill.orderid)
        if record is None:
            self._listener.on_trade(trade_data(fill, self._name))
            return
        self._listener.on_trade(trade_data(fill, self._name, record.intent.request.offset))

    # -- what the venue pushes --------------------------------------------------------------

    def on_report(self, report: OrderReport) -> None:
        """An order, as it is now or was a moment ago."""
        changes = self._tracker.reported(report, self._now_ns)
        for record in changes.records:
            if record.state is OrderState.REJECTED and not record.external:
                self._guard.rejected(record.orderid)
        self.apply(changes)
        self._was_told(report)

    def on_fill(self, fill: FillReport) -> None:
        """A fill."""
        self.apply(self._tracker.filled(fill, self._now_ns))
        self._was_told(fill)

    def _was_told(self, news: OrderReport | FillReport) -> None:
        record = self._tracker.match(news)
        if record is not None:
            self._untold.told(record.orderid)

    # -- what an answer says ----------------------------------------------------------------

    def _learn(self, report: OrderReport, fills: Iterable[FillReport] = ()) -> None:
        changes = NOTHING
        for fill in fills:
            changes += self._tracker.filled(fill, self._now_ns)
        changes += self._tracker.reported(report, self._now_ns)
        self.apply(changes)
        record = self._tracker.match(report)
        if record is not None and (changes.records or changes.fills):
            self._untold.owe(record.orderid, report.ts_ns)

    # -- new orders -------------------------------------------------------------------------

    def submit(self, intent: OrderIntent) -> None:
        """Send a new order that is written down, if nothing came in the way since."""
        self._tracker.intend(intent, self._now_ns)
        session = self._session_for(intent)
        if session is not None:
            self._spawn(self._place(session, intent), f"place.{intent.orderid}")

    def resubmit(self, orderid: str, intent: OrderIntent) -> None:
        """Replace an open order by a new one that is written down."""
        self._tracker.intend(intent, self._now_ns)
        session = self._session_for(intent)
        if session is not None:
            self._spawn(self._replace(session, orderid, intent), f"replace.{orderid}")

    def _session_for(self, intent: OrderIntent) -> TradingSession | None:
        """The session to send by; without one, or when halted or cancelled, the order ends here."""
        session, reason = self._trading.session, self.unwanted(intent.orderid)
        if reason or session is None:
            self._not_sent(intent.orderid, reason or "trading is not ready")
            return None
        return session

    async def _place(self, session: TradingSession, intent: OrderIntent) -> None:
        refusal = await self._judge_late(session, intent)
        if refusal:
            self._not_sent(intent.orderid, refusal)
            return
        if not await self._turn():
            self._not_sent(
                intent.orderid, f"{PLACES_AT_ONCE} orders before it are still unanswered"
            )
            return
        try:
            await self._place_now(intent)
        finally:
            self._places.release()

    async def _turn(self) -> bool:
        """Whether it is this order's turn soon; a price is not worth sending much later."""
        try:
            async with asyncio.timeout(PLACE_WAIT_S):
                return await self._places.acquire()
        except TimeoutError:
            return False

    async def _place_now(self, intent: OrderIntent) -> None:
        session = self._session_for(intent)  # something may have come in the way meanwhile
        if session is not None:
            self._tracker.sent(intent.orderid, self._now_ns)
            self._take(intent.orderid, await self._within(session.place(intent)))
            self.tend()

    async def _replace(self, session: TradingSession, orderid: str, intent: OrderIntent) -> None:
        refusal = await self._judge_late(session, intent)
        if refusal:
            self._not_sent(intent.orderid, refusal)
            return
        record = self._tracker.record(orderid)
        if record is None or record.state not in _CANCELLABLE or orderid in self._replacing:
            self._not_sent(intent.orderid, f"{orderid} is not open, so it cannot be modified")
            return
        self._replacing.add(orderid)
        try:
            await self._replace_now(record, intent)
        finally:
            self._replacing.discard(orderid)

    async def _replace_now(self, record: OrderRecord, intent: OrderIntent) -> None:
        session = self._session_for(intent)  # as in `_place_now`
        if session is None:
            return
        self._tracker.sent(intent.orderid, self._now_ns)
        self.apply(self._tracker.cancelling(record.orderid, self._now_ns))
        both = await self._within(session.replace(record, intent))
        cancel, new = both if isinstance(both, tuple) else (both, both)
        self._take_cancel(record.orderid, cancel)
        self._take(intent.orderid, new)

    async def _judge_late(self, session: TradingSession, intent: OrderIntent) -> str:
        """Why an order is refused by what only the venue knows; empty if it is not."""
        try:
            return await self._judge_contract(session, intent) or await self._judge_price(
                session, intent
            )
        except Exception as error:  # noqa: BLE001 - boundary: a venue's code may raise anything
            self._log.exception("late_judgement_failed")
            return f"guard: a rule could not be judged ({type(error).__name__}); see the log"

    async def _judge_contract(self, session: TradingSession, intent: OrderIntent) -> str:
        if not self._unlisted(intent):
            return ""
        asked = intent.request
        contract = await self._asked(session.look_up(asked.symbol, asked.exchange))
        if isinstance(contract, Unknown):
            return f"contract: {asked.vt_symbol} is not known ({contract.reason})"
        return self._guard.judge_contract(asked, contract)

    async def _judge_price(self, session: TradingSession, intent: OrderIntent) -> str:
        if not self._unpriced(intent):
            return ""
        asked = intent.request
        price = await self._asked(session.reference_price(asked.symbol, asked.exchange))
        if isinstance(price, Unknown):
            return f"max_notional: no price is known to judge it by ({price.reason})"
        return self._judge_notional(intent, price)

    async def _asked(self, question: Coroutine[object, object, T | Unknown]) -> T | Unknown:
        timeout_s = self._flags().orders_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await question
        except TimeoutError:
            return Unknown(f"no answer within {timeout_s:g} s")

    def _not_sent(self, orderid: str, reason: str) -> None:
        ended = self._tracker.not_sent
        if reason == CANCELLED_BEFORE:
            ended = self._tracker.withdrawn
        self.apply(ended(orderid, reason, self._now_ns))

    async def _within(
        self, verb: Coroutine[object, object, Answer | tuple[Answer, Answer]]
    ) -> Answer | tuple[Answer, Answer]:
        """The answer to a verb; whatever happens instead of one proves nothing."""
        timeout_s = self._flags().orders_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await verb
        except TimeoutError:
            return Doubtful(f"no answer within {timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - boundary: a venue's code may raise anything
            self._log.exception("order_verb_failed")
            return Doubtful(f"{type(error).__name__} while it was sent")

    def _take(self, orderid: str, answer: Answer | tuple[Answer, Answer]) -> None:
        """Take the answer to a new order."""
        match answer:
            case Accepted(report, fills):
                self._guard.accepted(orderid)
                self._learn(report, fills)
            case Refused(reason, hold_s):
                self._guard.rejected(orderid)
                self._hold(hold_s, reason)
                self.apply(self._tracker.refused(orderid, reason, self._now_ns))
            case NotSent(reason):
                self._not_sent(orderid, reason)
            case Doubtful(reason, hold_s):
                self._hold(hold_s, reason)
                self.apply(self._tracker.doubted(orderid, reason, self._now_ns))

    def _hold(self, hold_s: float, reason: str) -> None:
        if hold_s:
            self._log.warning("orders_held", hold_s=hold_s, reason=reason)
            self._guard.hold(hold_s, f"the venue asked to wait ({reason})")

    # -- cancels ----------------------------------------------------------------------------

    def start_cancel(self, orderid: str) -> None:
        """Cancel an order; what cannot be cancelled is told as it is."""
        record = self._tracker.record(orderid)
        if record is None:
            self._log.warning("cancel_refused", orderid=orderid, reason="no such order is known")
            self._listener.write_log(
                f"{self._name}: no order {orderid} is known, nothing to cancel"
            )
        elif not record.is_open:
            self._log.info("cancel_refused", orderid=orderid, reason=record.state.value)
            self._listener.on_order(order_data(record, self._name))
        elif record.state in UNANSWERED:  # the venue could not know it yet: as soon as it does
            self._doomed[orderid] = 0.0
        else:
            self._spawn(self._cancel(orderid), f"cancel.{orderid}")

    def doom(self) -> None:
        """Cancel every order of ours, and go on until none is open."""
        ours = [each.orderid for each in self._tracker.open_records() if not each.external]
        self._doomed |= dict.fromkeys(ours, 0.0)
        self._log.warning("cancelling_all", orders=len(ours))
        self.tend()

    def tend(self) -> None:
        """Cancel again what is to end and has not."""
        if self._trading.session is None:
            return
        now = self._clock.monotonic()
        for orderid, again_at in list(self._doomed.items()):
            record = self._tracker.record(orderid)
            if record is None or not record.is_open:
                del self._doomed[orderid]
            elif orderid in self._cancelling or record.state not in _CANCELLABLE:
                continue
            elif again_at <= now:
                if len(self._cancelling) >= CANCELS_AT_ONCE:
                    return
                self._doomed[orderid] = now + CANCEL_AGAIN_S
                self._cancelling.add(orderid)
                with recalled(f"{self._name}.{orderid}"):  # not of the order that is told just now
                    self._spawn(self._cancel_doomed(orderid), f"cancel.{orderid}")

    async def _cancel_doomed(self, orderid: str) -> None:
        try:
            await self._cancel(orderid)
        finally:
            self._cancelling.discard(orderid)
            self.tend()

    async def _cancel(self, orderid: str) -> None:
        session = await self._trading.wait(CANCEL_WAIT_S)
        record = self._tracker.record(orderid)
        if record is None or not record.is_open:
            return
        if session is None:
            self._cancel_failed(record, "trading is not ready")
            return
        self.apply(self._tracker.cancelling(orderid, self._now_ns))
        self._take_cancel(orderid, await self._within(session.cancel(record)))

    def _take_cancel(self, orderid: str, answer: Answer | tuple[Answer, Answer]) -> None:
        match answer:
            case Accepted(report):
                self._learn(report)
            case Refused(reason) | NotSent(reason):
                self.apply(self._tracker.cancel_refused(orderid, reason, self._now_ns))
            case Doubtful(reason):
                self._log.warning("cancel_in_doubt", orderid=orderid, reason=reason)

    def _cancel_failed(self, record: OrderRecord, reason: str) -> None:
        self._log.warning("cancel_refused", orderid=record.orderid, reason=reason)
        told = order_data(record, self._name)
        reason = f"local:not_ready: not cancelled, {reason}"
        self._listener.on_order(msgspec.structs.replace(told, reason=reason))

    # -- helpers ----------------------------------------------------------------------------

    @property
    def _now_ns(self) -> int:
        return self._clock.time_ns()

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        self._bridge.spawn(work, name=f"{self._name}.{name}")
