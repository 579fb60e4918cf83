"""The two sessions of a vnpy gateway: its market data, and its account.

vnpy has no word for the state of a connection. Both sessions are called open when the gateway told
anything but words, and lost when a call of it does not return; what a stream is worth is judged by
the age of its ticks. A gateway reconnects by itself, so that silence alone is no reason to make
another one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from decimal import Decimal
from typing import Protocol

from vnpy.trader.gateway import BaseGateway

from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.clock import Clock
from foxtrot.core.logs import get_logger
from foxtrot.desktop.conversion import to_vnpy
from foxtrot.desktop.line import GatewayLine
from foxtrot.desktop.order_book import OrderBook
from foxtrot.errors import ConnectTimeout, FoxtrotError, SubscriptionRefused
from foxtrot.execution.reports import (
    TERMINAL,
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    Unknown,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.order_session import in_two_steps
from foxtrot.gateway.trading import (
    Accepted,
    Answer,
    Balances,
    Doubtful,
    NotSent,
    Refused,
    TradingListener,
)
from foxtrot.model.constants import Exchange, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import ContractData, TickData
from foxtrot.model.requests import CancelRequest, SubscribeRequest

log = get_logger("foxtrot.desktop")

Report = Callable[[StreamKey, StreamState, str], None]

_SHARE = 0.9
"""Of the time that the desk gives a verb."""

_LEAST_POLL_S = 5.0
_BUSY = "the gateway was busy with another call"


class Port(Protocol):
    """What the sessions need of their adapter."""

    adapter_name: str
    clock: Clock
    book: OrderBook
    heard: asyncio.Event
    """Of the gateway of now: set as soon as it told anything but words."""
    last_words: str

    @property
    def endpoint(self) -> str:
        """What it connects to, as it may be shown."""

    @property
    def stream_config(self) -> StreamConfig:
        """Deadlines of the moment."""

    @property
    def verb_s(self) -> float:
        """How long an order may go without an answer."""

    async def hold(self) -> GatewayLine:
        """The gateway, connected; the first makes it."""

    async def let_go(self, line: GatewayLine) -> None:
        """Give it back; the last closes it, and so does who heard nothing of it."""

    def last_tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick."""

    def contract(self, vt_symbol: str) -> ContractData | None:
        """A contract that was told."""

    def unwanted(self, orderid: str) -> str:
        """Why an order that still waits should not be sent; empty if it should."""


class GatewaySession:
    """Market data of a gateway; see `supervisor.Session`."""

    def __init__(self, port: Port, counters: FeedCounters) -> None:
        self._port, self._counters = port, counters
        self.endpoint = port.endpoint
        self.report: Report = lambda key, state, reason: None
        self._line: GatewayLine | None = None
        self._heard = port.heard
        self._since: dict[StreamKey, float] = {}
        self._ticks: dict[StreamKey, TickData | None] = {}

    @property
    def received(self) -> int:
        """Ticks so far."""
        return self._counters.received

    @property
    def line(self) -> GatewayLine:
        """The gateway, once it is open."""
        if self._line is None:
            raise ConnectTimeout(self.endpoint, 0.0)
        return self._line

    async def prepare(self) -> None:
        """Nothing."""

    async def open(self) -> None:
        """Let the gateway connect."""
        self._line = await self._port.hold()
        self._heard = self._port.heard

    async def sync(self) -> None:
        """Wait until the gateway told anything but words.

        Raises:
            ConnectTimeout: It told nothing; its last words are in the text.
        """
        timeout_s = self._port.stream_config.connect_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._heard.wait()
        except TimeoutError:
            words = self._port.last_words or "it said nothing either"
            what = f"contract, account or order; its last words: {words}"
            raise ConnectTimeout(self.endpoint, timeout_s, what) from None

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Ask for ticks; a gateway does not answer that, so what it does not refuse is held."""
        refused: dict[StreamKey, FoxtrotError] = {}
        for key in keys:
            request = to_vnpy(SubscribeRequest(key.symbol, key.exchange))
            try:
                await self.line.call(lambda gateway, asked=request: gateway.subscribe(asked))  # type: ignore[misc]
            except FoxtrotError:
                raise  # of the line, and no answer of the gateway's
            except Exception as error:  # noqa: BLE001 - boundary: a gateway may raise anything
                text = f"{key}: the gateway raised {type(error).__name__}"
                refused[key] = SubscriptionRefused(self._port.adapter_name, "", text)
            else:
                self._since[key] = self._port.clock.monotonic()
        return SubscribeOutcome(refused)

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Forget them: vnpy has no word for it, and what still comes is ignored."""
        for key in keys:
            self._since.pop(key, None)
            self._ticks.pop(key, None)

    async def run(self) -> None:
        """Judge each stream by the age of its ticks, for ever."""
        while True:
            await asyncio.sleep(self._port.stream_config.stream_look_s)
            self._look(self._port.clock.monotonic())

    def _look(self, now: float) -> None:
        idle_s = self._port.stream_config.stream_idle_s
        for key, since in list(self._since.items()):
            tick = self._port.last_tick(key.symbol, key.exchange)
            if tick is not self._ticks.get(key):
                self._ticks[key], self._since[key] = tick, now
                self.report(key, StreamState.ACTIVE, "")
            elif now - since >= idle_s:
                reason = f"no tick for {idle_s:g} s; a vnpy gateway cannot be asked why"
                self.report(key, StreamState.STALE, reason)

    async def probe(self) -> None:
        """See whether a call of the gateway still returns."""
        await self.line.answers()

    async def close(self) -> None:
        """Give the gateway back."""
        line, self._line = self._line, None
        if line is not None:
            await self._port.let_go(line)


class GatewayTradingSession(GatewaySession):
    """The account of a gateway; see `gateway.trading.TradingSession`.

    A gateway cannot be asked for its orders: lists are what it told. An order that it did not tell
    of stays in doubt.
    """

    pushes = True
    least_poll_s = _LEAST_POLL_S
    fills_s = 0.0

    def __init__(self, port: Port, counters: FeedCounters, listener: TradingListener) -> None:
        super().__init__(port, counters)
        self._book, self._listener = port.book, listener

    async def open(self) -> None:
        """Let the gateway connect, and listen to what it tells of the account."""
        await super().open()
        self._book = self._port.book  # of this account, which is known once the gateway is made
        self._book.listener = self._listener

    async def run(self) -> None:
        """Wait for ever: what happens is told."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Listen no more, and give the gateway back."""
        self._book.listener = None
        await super().close()

    # -- verbs ------------------------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """Send an order, and wait until the gateway tells what its venue says of it."""
        return await self._place(intent, self._wait_s)

    async def cancel(self, record: OrderRecord) -> Answer:
        """Cancel an order, and wait until the gateway tells that it has ended."""
        return await self._cancel(record, self._wait_s)

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Cancel an order and, once that is told, send another; half of the time for each."""
        wait_s = self._wait_s / 2  # or the second is cut off, and nobody knows that it never left
        return await in_two_steps(self._cancel(record, wait_s), lambda: self._place(intent, wait_s))

    @property
    def _wait_s(self) -> float:
        """How long to wait for a call, and as long again for what the gateway tells then."""
        return self._port.verb_s * _SHARE / 2

    async def _place(self, intent: OrderIntent, wait_s: float) -> Answer:
        try:
            request = to_vnpy(intent.request)
        except FoxtrotError as error:
            return NotSent(str(error))

        def send(gateway: BaseGateway) -> object:
            why = self._port.unwanted(intent.orderid)
            return NotSent(why) if why else gateway.send_order(request)

        future = self.line.post(send)
        self._book.sending(intent.orderid)
        future.add_done_callback(self._naming(intent.orderid))
        sent = await self._in_time(future, wait_s)
        if isinstance(sent, NotSent | Doubtful):
            return sent
        venue_id = self._bare(sent)
        if not venue_id:
            return Refused(f"the gateway did not take it: {self._port.last_words}")
        return await self._told(venue_id, lambda report: True, "the order", wait_s)

    async def _cancel(self, record: OrderRecord, wait_s: float) -> Answer:
        if not record.venue_id:
            return NotSent("the gateway has no name for this order")
        asked = record.intent.request
        request = to_vnpy(CancelRequest(record.venue_id, asked.symbol, asked.exchange))
        future = self.line.post(lambda gateway: gateway.cancel_order(request))
        sent = await self._in_time(future, wait_s)
        if isinstance(sent, NotSent | Doubtful):
            return sent
        return await self._told(record.venue_id, _has_ended, "the cancel", wait_s)

    def _naming(self, orderid: str) -> Callable[[Future[object]], None]:
        """Note the gateway's name of an order, however late the call returns with it."""
        loop = asyncio.get_running_loop()

        def returned(future: Future[object]) -> None:
            taken = not future.cancelled() and future.exception() is None
            venue_id = self._bare(future.result()) if taken else ""
            with contextlib.suppress(RuntimeError):  # the loop is gone, and the book with it
                loop.call_soon_threadsafe(self._book.named, venue_id, orderid)

        return returned

    def _bare(self, vt_orderid: object) -> str:
        if isinstance(vt_orderid, NotSent):
            return ""
        return str(vt_orderid or "").removeprefix(f"{self._port.adapter_name}.")

    async def _in_time(self, future: Future[object], wait_s: float) -> object:
        """What the call returns; NotSent if it never ran, Doubtful if nobody knows what it did."""
        if future.cancelled():
            return NotSent(_BUSY)
        try:
            async with asyncio.timeout(wait_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if future.cancelled():
                return NotSent(_BUSY)
            return Doubtful("the gateway does not return from the call")
        except Exception as error:  # boundary: a gateway may raise anything, at any moment
            log.exception("gateway_failed", venue=self._port.adapter_name)
            return Doubtful(f"the gateway raised {type(error).__name__}")

    async def _told(
        self, venue_id: str, enough: Callable[[OrderReport], bool], what: str, wait_s: float
    ) -> Answer:
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    told, report = self._book.told, self._book.order(venue_id)
                    if report is not None and enough(report):
                        break
                    await told.wait()
        except TimeoutError:
            return Doubtful(f"the gateway told nothing of {what}")
        if report.state is OrderState.REJECTED:
            return Refused(report.reason)
        return Accepted(report)

    # -- questions --------------------------------------------------------------------------

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """The open orders that the gateway told of."""
        return Known(self._book.open_orders())

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """An order, if the gateway told of it; what it did not tell proves nothing."""
        report = self._book.order(venue_id) or self._book.by_orderid(orderid)
        if report is None:
            return Unknown("a vnpy gateway tells of orders, and cannot be asked for one")
        return Known((report,))

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """The fills that the gateway told of."""
        return Known(self._book.fills(symbols, since_ns))

    async def balances(self) -> Balances | Unknown:
        """What was told last; the gateway is asked to tell anew."""
        self.line.post(lambda gateway: gateway.query_account())
        self.line.post(lambda gateway: gateway.query_position())
        return self._book.balances()

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """A contract that the gateway told of."""
        contract = self._port.contract(f"{symbol}.{exchange.value}")
        return contract or Unknown("the gateway told of no such contract")

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """Nothing: a price cannot be asked for."""
        return Unknown("a vnpy gateway cannot be asked for a price; subscribe first")


def _has_ended(report: OrderReport) -> bool:
    return report.state in TERMINAL
