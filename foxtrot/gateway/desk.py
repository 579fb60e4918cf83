"""The order desk of one adapter: where orders go in, and what trades behind it.

An order goes through the guard and the journal on the caller's thread, then to the loop, where
`OrderFlow` owns what becomes of it and `Lookout` asks for what was missed.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.connectivity.supervisor import Listener, Supervisor
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger, remember
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import (
    BridgeNotRunning,
    FoxtrotError,
    JournalError,
    StaleStream,
    VenueUnavailable,
)
from foxtrot.execution.journal import Journal
from foxtrot.execution.order_tracker import OrderTracker
from foxtrot.execution.reports import (
    FillReport,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    order_data,
    refused_order,
)
from foxtrot.gateway.guard import Guard, Market
from foxtrot.gateway.lookout import LOOK_S, Lookout
from foxtrot.gateway.order_flow import OrderFlow, OrderListener, Trading
from foxtrot.gateway.trading import Balances, TradingListener, TradingSession
from foxtrot.gateway.untold import Untold
from foxtrot.model.constants import ConnectionState, StreamState
from foxtrot.model.health import ConnectionStatus, SessionHealth, StreamKey, TradingHealth
from foxtrot.model.objects import NS_PER_S, AccountData, PositionData
from foxtrot.model.requests import OrderRequest

log = get_logger("foxtrot.gateway.desk")

_DAY_NS = 86_400 * NS_PER_S


class DeskListener(Listener, OrderListener, Protocol):
    """Who is told what happens to orders and to the account; must not block."""

    def on_account(self, account: AccountData) -> None:
        """A balance."""

    def on_position(self, position: PositionData) -> None:
        """A position."""


class OrderDesk:
    """Sends orders, and knows what became of them.

    Thread safety: `send`, `modify`, `cancel`, `cancel_all`, `halt`, `refresh` and the snapshots may
    be called from any thread; the rest belongs to the bridge's loop thread.

    Args:
        adapter_name: Whose desk it is.
        make_session: A fresh trading session, told whom to push to.
        open_journal: Opens the account's journal; slow, and awaited before the first session.
        market: What is known now of what a request asks for.
        refused_ids: Names for orders that are refused before they get one of the journal's.
        guard: Judges new orders.
        listener: Who is told.
        flags: The settings of the moment.
        refuses_late: Whether the venue refuses a request that was under way too long.
        rng: Spreads the delays between attempts to connect.
    """

    def __init__(
        self,
        adapter_name: str,
        *,
        make_session: Callable[[TradingListener], TradingSession],
        open_journal: Callable[[], Awaitable[Journal]],
        market: Callable[[OrderRequest], Market],
        guard: Guard,
        refused_ids: Iterator[str],
        listener: DeskListener,
        bridge: AsyncThreadBridge,
        clock: Clock,
        config: StreamConfig,
        flags: Callable[[], FeatureFlags],
        refuses_late: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        self._name, self._guard, self._market = adapter_name, guard, market
        self._listener, self._bridge, self._clock, self._flags = listener, bridge, clock, flags
        self._open_journal, self._config = open_journal, config
        self._journal: Journal | None = None
        self._opening: asyncio.Task[JournalError | None] | None = None
        self._closed = False
        self._supervised: TradingSession | None = None
        self._refused_ids = refused_ids
        self._refused, self._counting = 0, threading.Lock()
        self._trading, self._untold = Trading(), Untold(clock)
        self._tracker = OrderTracker(adapter_name)
        self._flow = OrderFlow(
            adapter_name,
            tracker=self._tracker,
            trading=self._trading,
            untold=self._untold,
            guard=guard,
            listener=listener,
            unlisted=lambda intent: guard.unlisted(market(intent.request)),
            unpriced=lambda intent: guard.unpriced(intent.request, market(intent.request)),
            judge_notional=lambda intent, price: guard.judge_notional(
                intent.request, price, market(intent.request).contract
            ),
            bridge=bridge,
            clock=clock,
            flags=flags,
        )
        self._lookout = Lookout(
            adapter_name,
            self._tracker,
            take=self._flow.apply,
            balances=self.on_balances,
            untold=self._untold,
            clock=clock,
            refuses_late=refuses_late,
        )
        self._supervisor = Supervisor(
            "trading",
            venue=adapter_name,
            make_session=lambda: _DeskSession(make_session(self), self),
            listener=self,
            bridge=bridge,
            clock=clock,
            config=config,
            rng=rng,
            on_absence=self.on_missed,
        )

    # -- lifecycle, on the loop thread ------------------------------------------------------

    def start(self) -> None:
        """Start the trading session; nothing happens if it runs already."""
        self._supervisor.start()

    async def stop(self) -> None:
        """End the session; what is known is kept for the next start."""
        await self._supervisor.stop()

    async def close(self) -> None:
        """End for good, and let go of the journal."""
        await self.stop()
        self._closed = True
        if self._opening is not None:
            await asyncio.wait([self._opening], timeout=self._supervisor.config.close_timeout_s)
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def retune(self, config: StreamConfig) -> None:
        """Take other deadlines and delays."""
        self._config = self._supervisor.config = config

    def recycle(self) -> None:
        """Replace the session by a fresh one."""
        self._supervisor.recycle()

    # -- orders, from any thread ------------------------------------------------------------

    def send(self, request: OrderRequest) -> str:
        """Send an order; returns its orderid at once, whatever becomes of it."""
        return self._begin(request, self._flow.submit)

    def modify(self, orderid: str, request: OrderRequest) -> str:
        """Replace an open order by another; returns the new one's orderid at once."""
        return self._begin(request, lambda intent: self._flow.resubmit(orderid, intent))

    def cancel(self, orderid: str) -> None:
        """Cancel an order; what becomes of that is told by its events."""
        self._on_loop(lambda: self._flow.start_cancel(orderid))

    def cancel_all(self) -> None:
        """Cancel every order of ours; it is tried until none is open."""
        self._on_loop(self._flow.doom)

    def refresh(self) -> None:
        """Ask the venue for orders, fills, balances and positions anew."""
        self._on_loop(lambda: self._lookout.want("asked to"))

    def _begin(self, request: OrderRequest, submit: Callable[[OrderIntent], None]) -> str:
        now_ns, journal = self._clock.time_ns(), self._journal
        refusal = self.unready()
        if refusal or journal is None:
            return self._refuse(OrderIntent(next(self._refused_ids), request, now_ns), refusal)
        intent = OrderIntent(journal.next_orderid(), request, now_ns)
        remember(f"{self._name}.{intent.orderid}")
        log.debug("order_taken", venue=self._name, orderid=intent.orderid, symbol=request.symbol)
        refusal = self._guard.admit(intent.orderid, request, self._market(request))
        if refusal:
            return self._refuse(intent, refusal)
        try:
            journal.intend(intent)
        except JournalError as error:
            return self._refuse(intent, f"journal: {error}")
        self._listener.on_order(order_data(_record(intent), self._name))
        if not self._on_loop(lambda: submit(intent)):
            refusal = "not_ready: foxtrot is closing"
            journal.record([_record(intent, OrderState.REJECTED, f"local:{refusal}")])
            return self._refuse(intent, refusal)
        return intent.orderid

    def unready(self) -> str:
        """Why no order is taken now, whatever it is; empty if one may be."""
        if self._guard.halted:
            return f"halted: {self._guard.halted}; resume() lets orders pass again"
        state = self._supervisor.state
        if state is not ConnectionState.READY:
            reason = self._supervisor.health().reason
            return f"not_ready: trading is {state.value}, not ready ({reason})"
        return "" if self._journal else "not_ready: there is no journal"

    def _refuse(self, intent: OrderIntent, refusal: str) -> str:
        self._guard.ended(intent.orderid)
        with self._counting:
            self._refused += 1
        orderid, created_ns = intent.orderid, intent.created_ns
        order = refused_order(intent.request, orderid, self._name, refusal, created_ns)
        remember(order.vt_orderid)
        log.warning("order_refused", venue=self._name, orderid=orderid, reason=order.reason)
        self._listener.on_order(order)
        return orderid

    def _on_loop(self, work: Callable[[], None]) -> bool:
        try:
            self._bridge.call_soon(work)
        except BridgeNotRunning:
            return False
        return True

    # -- snapshots, from any thread ---------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Where the trading session stands."""
        return self._supervisor.state

    def session(self) -> SessionHealth:
        """Health of the trading session."""
        return self._supervisor.health()

    def health(self) -> TradingHealth:
        """What is open, in doubt, and still to be cancelled."""
        journal, session = self._journal, self._trading.session
        open_orders, doubts = self._tracker.open_records(), self._tracker.doubts()
        return TradingHealth(
            state=self.state,
            halted=self._guard.halted,
            open_orders=len(open_orders),
            in_doubt=tuple(each.orderid for each in doubts),
            in_doubt_since_ns=min((each.updated_ns for each in doubts), default=0),
            outcomes=self._tracker.outcomes() | {"refused": self._refused},
            cancels_pending=self._flow.doomed,
            pushed=session is not None and session.pushes,
            reconciled_ns=self._lookout.last_full_ns,
            journal=journal.trouble if journal is not None else "",
        )

    def record(self, orderid: str) -> OrderRecord | None:
        """What is known of one order."""
        return self._tracker.record(orderid)

    def unwanted(self, orderid: str) -> str:
        """Why an order that still waits for something should not be sent; empty if it should."""
        return self._flow.unwanted(orderid)

    # -- Listener: what the supervisor tells ------------------------------------------------

    def on_connection(self, status: ConnectionStatus) -> None:
        """Pass a change of state on."""
        if status.state is ConnectionState.READY and self._supervised is not None:
            self._untold.begin(pushes=self._supervised.pushes)
            self._trading.begin(self._supervised)
        elif status.previous is ConnectionState.READY:
            self._trading.end()
        self._listener.on_connection(status)

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """There are none."""

    def on_error(self, error: FoxtrotError) -> None:
        """Pass an error on."""
        self._listener.on_error(error)

    # -- TradingListener: what the venue pushes ---------------------------------------------

    def on_report(self, report: OrderReport) -> None:
        """An order."""
        self._flow.on_report(report)

    def on_fill(self, fill: FillReport) -> None:
        """A fill."""
        self._flow.on_fill(fill)

    def on_missed(self, what: str) -> None:
        """Ask for everything soon; what was missed is not owed."""
        session = self._trading.session
        self._untold.begin(pushes=session is not None and session.pushes)
        self._lookout.miss(what)

    def on_balances(self, balances: Balances) -> None:
        """Tell what the account holds."""
        for account in balances.accounts:
            self._listener.on_account(account)
        for position in balances.positions:
            self._listener.on_position(position)

    # -- the session's life, on the loop thread ---------------------------------------------

    async def take_journal(self) -> None:
        """Open the journal the first time, and take up what it knows.

        Raises:
            JournalError: It cannot be opened.
        """
        if self._journal is not None:
            return
        if self._opening is None or self._opening.done():
            self._opening = self._bridge.spawn(self._opened(), name=f"{self._name}.journal")
        # A session may be taken back meanwhile; a journal that is open must not be lost with it.
        error = await asyncio.shield(self._opening)
        if error is not None:
            raise error

    async def _opened(self) -> JournalError | None:
        try:
            journal = await self._open_journal()
        except JournalError as error:
            return error
        try:
            if not self._closed:
                self._flow.restore(journal)
                self._journal = journal
        except JournalError as error:
            return error
        finally:
            if self._journal is None:
                journal.close()
        return None

    async def reconcile(self, session: TradingSession, *, ready: bool) -> None:
        """Learn what happened since the journal was last told of everything."""
        if self._journal is None:
            raise VenueUnavailable(self._name, "", "the journal is closed")
        self._supervised = session
        since_ns, symbols = self._journal.last_seen_ns, self._symbols(self._journal)
        until_ns = await self._lookout.reconcile(session, symbols, since_ns, ready=ready)
        self._journal.seen(until_ns)

    def allow_time(self, session: TradingSession) -> None:
        """Where the fills of each symbol are asked for, many of them take their time."""
        symbols = self._symbols(self._journal) if self._journal is not None else ()
        sync_s = self._config.sync_timeout_s + len(symbols) * session.fills_s
        self._supervisor.config = replace(self._config, sync_timeout_s=sync_s)

    def _symbols(self, journal: Journal) -> set[str]:
        """Where fills of ours may have happened since everything was last known."""
        interest = journal.symbols_of_interest(journal.last_seen_ns - _DAY_NS)
        symbols = {symbol for symbol, _ in interest}
        return symbols | {each.intent.request.symbol for each in self._tracker.open_records()}

    async def tend(self, session: TradingSession) -> None:
        """Look after orders while the session lives."""
        await self._trading.wait(None)
        again_at, full_at = 0.0, self._clock.monotonic() + self._every_s(session)
        while True:
            wanted = await self._lookout.wait(LOOK_S)
            if self._untold.overdue:
                raise StaleStream("of the account")
            now = self._clock.monotonic()
            if wanted and now < again_at:
                await asyncio.sleep(LOOK_S)  # soon; not more often than the venue's limits allow
            elif wanted or now >= full_at:
                gap = self._lookout.gap
                await (self.reconcile(session, ready=True) if gap else self._again(session))
                now = self._clock.monotonic()
                again_at, full_at = now + session.least_poll_s, now + self._every_s(session)
            await self._lookout.look(session, ready=True)

    async def keep_cancelling(self) -> None:
        """Cancel again what is to end, however long questions wait for their turn."""
        while True:
            self._flow.tend()
            await asyncio.sleep(LOOK_S)

    async def _again(self, session: TradingSession) -> None:
        """Look whether all is as it was told; nothing is known to be missing."""
        try:
            await self.reconcile(session, ready=True)
        except VenueUnavailable as error:
            log.warning("lists_unanswered", venue=self._name, **labels(error))

    def _every_s(self, session: TradingSession) -> float:
        """How often to ask for everything: a venue that does not push is asked all the time."""
        if session.pushes:
            return self._supervisor.config.reconcile_s
        return max(self._flags().polling_interval, session.least_poll_s)


class _DeskSession:
    """A venue's trading session, with what the desk does in its life; see `supervisor.Session`."""

    def __init__(self, venue: TradingSession, desk: OrderDesk) -> None:
        self._venue, self._desk = venue, desk
        self.endpoint = venue.endpoint
        self.report: Callable[[StreamKey, StreamState, str], None] = venue.report

    @property
    def received(self) -> int:
        """Application messages so far."""
        return self._venue.received

    async def prepare(self) -> None:
        """Open the journal, and what the venue's session prepares."""
        await self._desk.take_journal()
        self._desk.allow_time(self._venue)
        await self._venue.prepare()

    async def open(self) -> None:
        """Connect and authenticate."""
        await self._venue.open()

    async def sync(self) -> None:
        """Learn all that happened: before that, nothing is ready."""
        await self._venue.sync()
        await self._desk.reconcile(self._venue, ready=False)

    async def run(self) -> None:
        """Live, and look after the orders."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._venue.run())
            group.create_task(self._desk.tend(self._venue))
            group.create_task(self._desk.keep_cancelling())

    async def probe(self) -> None:
        """Ask for a sign of life."""
        await self._venue.probe()

    async def close(self) -> None:
        """Give everything back."""
        await self._venue.close()

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Nothing: a trading session has no streams of the market."""
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Nothing."""


def _record(
    intent: OrderIntent, state: OrderState = OrderState.INTENT, reason: str = ""
) -> OrderRecord:
    return OrderRecord(intent, state, intent.created_ns, reason=reason)
