"""The trading session of a model venue, in virtual time: requests that get lost, and questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.errors import ConnectError, FoxtrotError, VenueUnavailable
from foxtrot.execution.reports import (
    TERMINAL,
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    Unknown,
)
from foxtrot.gateway.trading import Answer, Balances, Doubtful, NotSent, TradingListener
from foxtrot.model.constants import Exchange, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import ContractData
from tests.support.model_trading import LONGEST_WAY_S, NAME, News, TradingVenue
from tests.support.order_faults import ON_CANCEL, ON_REQUEST, Fault, Trouble

T = TypeVar("T")
Answers = Answer | tuple[Answer, Answer]

_UNHEARD = frozenset(
    {
        Trouble.LOST_REQUEST,
        Trouble.LOST_ANSWER,
        Trouble.LATE_REQUEST,
        Trouble.HIDDEN,
        Trouble.CANCEL_LOST,
        Trouble.CANCEL_UNHEARD,
    }
)
_LOST = frozenset({Trouble.LOST_REQUEST, Trouble.CANCEL_LOST})
_LATE_S = 12.0
"""More than foxtrot waits for an answer."""


class ModelTrading:
    """One trading session; see `gateway.trading.TradingSession`.

    Args:
        venue: The other end.
        listener: Who is told what is pushed.
        owner: Whether the process that made it is alive. What is on the line when it dies is still
            carried out; beyond that a dead process does nothing.
    """

    endpoint = "model.example:1"
    least_poll_s = 1.0
    fills_s = 0.0

    def __init__(
        self, venue: TradingVenue, listener: TradingListener, owner: Callable[[], bool]
    ) -> None:
        self._venue, self._listener, self._owner = venue, listener, owner
        self.report: Callable[[StreamKey, StreamState, str], None] = lambda key, state, why: None
        self.received = 0
        self.opened = self.closed = self.is_silent = False
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[FoxtrotError] = self._loop.create_future()
        self._awaited: dict[asyncio.Future[Answers], bool] = {}

    @property
    def pushes(self) -> bool:
        """See `TradingSession`."""
        return self._venue.pushes

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return self.opened and not self.closed and not self._lost.done() and self._owner()

    def is_of(self, owner: Callable[[], bool]) -> bool:
        """Whether a process made it."""
        return self._owner == owner

    # -- Line: what the venue does ----------------------------------------------------------

    def lose(self, error: FoxtrotError) -> None:
        """The connection is gone; some of those who wait for an answer learn of it at once."""
        if not self.is_up:
            return
        self._lost.set_result(error)
        for answer, told in list(self._awaited.items()):
            if told and not answer.done():
                answer.set_result(Doubtful("the connection was lost"))

    def fall_silent(self) -> None:
        """Nothing is pushed any more, and nobody says so."""
        self.is_silent = True

    def hear(self, news: News) -> bool:
        """A push arrives; returns whether anybody was there to hear it."""
        if not self.is_up or self.is_silent:
            return False
        self.received += 1
        if isinstance(news, OrderReport):
            self._listener.on_report(news)
        elif isinstance(news, FillReport):
            self._listener.on_fill(news)
        else:
            self._listener.on_balances(news)
        return True

    # -- Session ----------------------------------------------------------------------------

    async def prepare(self) -> None:
        """See `Session`."""

    async def open(self) -> None:
        """See `Session`."""
        await self._pass_line()
        if self._venue.has(Trouble.MAINTENANCE):
            raise VenueUnavailable(NAME, "503", "maintenance")
        if self._venue.has(Trouble.AWAY):
            raise ConnectError(self.endpoint, "no way there")
        self._venue.note("open")
        self.opened = True
        self._venue.line, self._venue.opened_ns = self, self._venue.clock.time_ns()

    async def sync(self) -> None:
        """See `Session`."""
        await self._pass_line()

    async def run(self) -> None:
        """See `Session`."""
        await asyncio.wait([self._lost])
        raise self._lost.result()

    async def probe(self) -> None:
        """See `Session`."""
        await self._pass_line()
        if self.is_silent:
            await self._loop.create_future()
        self.received += 1

    async def close(self) -> None:
        """See `Session`."""
        if self.closed and self._owner():
            self._venue.complain("a session is closed twice")
        self.closed = True
        await asyncio.sleep(0.01)

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Nothing."""
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Nothing."""

    # -- orders -----------------------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """See `TradingSession`."""
        if self._owner():
            self._venue.on_send(intent.orderid)
        fault = self._struck(ON_REQUEST, intent.orderid)
        carry = lambda: self._venue.accept(intent, fault)  # noqa: E731
        return _single(await self._request(intent.orderid, fault, carry))

    async def cancel(self, record: OrderRecord) -> Answer:
        """See `TradingSession`."""
        fault = self._struck(ON_CANCEL, record.orderid)
        carry = lambda: self._venue.cancel(record, fault)  # noqa: E731
        return _single(await self._request(record.orderid, fault, carry))

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """See `TradingSession`."""
        if self._owner():
            self._venue.on_send(intent.orderid)
        fault = self._struck(ON_REQUEST, intent.orderid)
        carry = lambda: self._venue.swap(record, intent, fault)  # noqa: E731
        both = await self._request(intent.orderid, fault, carry)
        return both if isinstance(both, tuple) else (both, both)

    def _struck(self, kinds: frozenset[Trouble], orderid: str) -> Fault | None:
        self._refuse_misuse(orderid)
        fault = self._venue.take(kinds) if self._owner() else None
        if fault is not None:
            self._venue.note("strikes", fault.kind.value)
        return fault

    def _refuse_misuse(self, orderid: str) -> None:
        if self.closed and self._owner():
            self._venue.complain(f"{orderid} is sent by a session that is closed")

    async def _request(
        self, orderid: str, fault: Fault | None, carry: Callable[[], Answers]
    ) -> Answers:
        """Send a request and wait for its answer, if there is one."""
        await self._be_alive()
        venue, kind = self._venue, fault.kind if fault is not None else None
        there, back = venue.latency(), venue.latency()
        if kind is Trouble.LATE_REQUEST:
            there = venue.dice.uniform(1.0, LONGEST_WAY_S)
        elif kind is Trouble.LATE_ANSWER:
            back = _LATE_S
        venue.begins(orderid, min(there + back, 0.6))
        answer: asyncio.Future[Answers] = self._loop.create_future()
        self._awaited[answer] = venue.dice.random() < 0.7
        if fault is not None:
            venue.on_strike(fault, orderid)
        if kind is Trouble.NOT_SENT:
            self._loop.call_later(there, _settle, answer, NotSent("nobody is there"))
        elif kind not in _LOST:
            heard = kind not in _UNHEARD
            self._loop.call_later(there, self._arrive, answer, carry, back if heard else None)
        if fault is not None and kind in _UNHEARD and (kind in _AT_ONCE or fault.amount < 0.5):
            self._loop.call_later(venue.latency(), _settle, answer, Doubtful("it was reset"))
        try:
            result = await answer
        finally:
            del self._awaited[answer]
            venue.ends(orderid)
        return Doubtful("it was cut short") if kind is Trouble.CUT_ANSWER else result

    def _arrive(
        self, answer: asyncio.Future[Answers], carry: Callable[[], Answers], back: float | None
    ) -> None:
        """A request is at the venue, whatever became of the session."""
        if self._venue.has(Trouble.MAINTENANCE):
            _settle(answer, Doubtful("no proof: HTTP 503"))
            return
        if self._lost.done() and self._venue.dice.random() < 0.5:
            return
        result = carry()
        if back is not None:
            self._loop.call_later(back, self._return, answer, result)

    def _return(self, answer: asyncio.Future[Answers], result: Answers) -> None:
        if not self._lost.done():
            _settle(answer, result)

    # -- questions --------------------------------------------------------------------------

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """See `TradingSession`."""
        venue = self._venue
        return await self._ask(
            lambda: tuple(each for each in venue.shown() if each.state not in TERMINAL)
        )

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """See `TradingSession`."""
        shy = self._venue.shy.get(orderid)
        if shy is not None and self._venue.now < shy.until:
            await self._pass_line()
            return Unknown("timeout")
        if shy is not None:
            del self._venue.shy[orderid]
        return await self._ask(
            lambda: tuple(
                each
                for each in self._venue.shown()
                if shy is None
                and each.symbol == symbol
                and (each.venue_id == venue_id if venue_id else each.orderid == orderid)
            )
        )

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """See `TradingSession`."""
        return await self._ask(
            lambda: tuple(each for s in symbols for each in self._venue.fills(s, since_ns))
        )

    async def balances(self) -> Balances | Unknown:
        """See `TradingSession`."""
        answer = await self._ask(lambda: (self._venue.balances(),))
        return answer if isinstance(answer, Unknown) else answer.items[0]

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """All are listed."""
        return Unknown("it is not listed")

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """See `TradingSession`."""
        self._venue.begins(symbol, 0.3)
        try:
            answer = await self._ask(lambda: (Decimal(100),))
        finally:
            self._venue.ends(symbol)
        return answer if isinstance(answer, Unknown) else answer.items[0]

    async def _ask(self, look: Callable[[], tuple[T, ...]]) -> Known[T] | Unknown:
        """Ask; the answer is as old as the moment when the question was at the venue."""
        await self._pass_line()
        if self._venue.has(Trouble.LISTS_HANG):
            await asyncio.wait([self._lost], timeout=self._venue.dice.uniform(2.0, 10.0))
            return Unknown("no answer in time")
        if self._lost.done() or self._venue.has(Trouble.MAINTENANCE):
            return Unknown("HTTP 503")
        found = look()
        await self._pass_line()
        return Unknown("the connection was lost") if self._lost.done() else Known(found)

    async def _pass_line(self) -> None:
        await self._be_alive()
        await asyncio.sleep(self._venue.latency())

    async def _be_alive(self) -> None:
        """A dead process does not go on."""
        if not self._owner():
            await self._loop.create_future()


_AT_ONCE = frozenset({Trouble.LATE_REQUEST, Trouble.HIDDEN})


def _settle(answer: asyncio.Future[Answers], result: Answers) -> None:
    if not answer.done():
        answer.set_result(result)


def _single(answer: Answers) -> Answer:
    assert not isinstance(answer, tuple), "only a replacement has two answers"
    return answer
