"""A trading session of IB on a simulated gateway in the same loop, and who it tells."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.fill_log import Revisions
from foxtrot.adapter.ib.orders import OrderSession
from foxtrot.adapter.ib.session import Venue
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.adapter.ib.slots import Marks
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.clock import SystemClock
from foxtrot.core.settings import Settings
from foxtrot.execution.reports import FillReport, OrderIntent, OrderRecord, OrderReport, OrderState
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.trading import Balances
from foxtrot.model.constants import Direction, Environment, Exchange, OrderType
from foxtrot.model.requests import OrderRequest
from foxtrot.simulator.ib import SimulatedIb

SYMBOLS = ("AAPL", "MSFT")
AAPL, SMART = "AAPL-USD-STK", Exchange.SMART
DEADLINE_S = 5.0


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[OrderReport] = []
        self.fills: list[FillReport] = []
        self.missed: list[str] = []
        self.balances: list[Balances] = []
        self.said: list[str] = []
        self._news = asyncio.Event()

    def on_report(self, report: OrderReport) -> None:
        """See `TradingListener`, like all below."""
        self.reports.append(report)
        self._news.set()

    def on_fill(self, fill: FillReport) -> None:
        """Keep it."""
        self.fills.append(fill)
        self._news.set()

    def on_missed(self, what: str) -> None:
        """Keep it."""
        self.missed.append(what)
        self._news.set()

    def on_balances(self, balances: Balances) -> None:
        """Keep it."""
        self.balances.append(balances)
        self._news.set()

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait until something was told."""
        async with asyncio.timeout(DEADLINE_S):
            while not happened():
                self._news.clear()
                await self._news.wait()

    def states(self, orderid: str) -> list[OrderState]:
        """What was told of an order, in turn."""
        return [each.state for each in self.reports if each.orderid == orderid]


class Desk:
    """Sessions of one account, one after the other, and what is known of its orders."""

    def __init__(self, gateway: SimulatedIb) -> None:
        self.gateway, self.told = gateway, Told()
        self.records: dict[str, OrderRecord] = {}
        self.contracts = Contracts("IB")
        self.client_id = 1
        self.revisions: dict[str, Revisions] = {}
        self.unwanted: Callable[[str], str] = lambda orderid: ""
        self.patience_s = 2.0
        """How long TWS may take for an answer."""

    def record_of(
        self, intent: OrderIntent, state: OrderState = OrderState.ACCEPTED, venue_id: str = ""
    ) -> OrderRecord:
        """What the desk would know of an order."""
        record = OrderRecord(intent, state, intent.created_ns, venue_id=venue_id)
        self.records[intent.orderid] = record
        return record

    @contextlib.asynccontextmanager
    async def session(self, *, sync: bool = True) -> AsyncIterator[OrderSession]:
        """A session, open and in step."""
        port = SimpleNamespace(
            stream_config=StreamConfig(connect_timeout_s=5.0, request_timeout_s=self.patience_s),
            flags=Settings.parse({"orders.timeout_s": self.patience_s}).flags,
            clock=SystemClock(),
            write_log=self.told.said.append,
        )
        settings = IbSettings(
            Environment.SIMULATED, "127.0.0.1", self.gateway.port, client_id=self.client_id
        )
        venue = Venue("IB", settings, self.contracts, Marks(), cast("Any", port))
        venue.revisions = self.revisions
        session = OrderSession(
            venue, FeedCounters(), self.told, self.records.get, lambda each: self.unwanted(each)
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                await session.prepare()
                await session.open()
                if sync:
                    await session.sync()
            yield session
        finally:
            await session.close()
            await venue.release()


@contextlib.asynccontextmanager
async def desk_of(**gateway: Any) -> AsyncIterator[Desk]:
    """A gateway whose market stands still, and a desk at it."""
    async with SimulatedIb(SYMBOLS, seed=7, rate_hz=0.0, **gateway) as venue:
        yield Desk(venue)


def intent(
    orderid: str = "fx-1",
    *,
    volume: float = 10.0,
    price: float = 50.0,
    kind: OrderType = OrderType.LIMIT,
    direction: Direction = Direction.LONG,
    symbol: str = AAPL,
    created_ns: int | None = None,
) -> OrderIntent:
    """A limit order far below the market, to be sent now."""
    request = OrderRequest(symbol, SMART, direction, kind, volume, price)
    return OrderIntent(
        orderid, request, SystemClock().time_ns() if created_ns is None else created_ns
    )
