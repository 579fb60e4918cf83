"""A trading session whose every answer the test gives by hand, for what no venue can produce."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import TypeVar

from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import FoxtrotError
from foxtrot.execution.order_tracker import OrderTracker
from foxtrot.execution.reports import (
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    OrderState,
    Unknown,
)
from foxtrot.gateway.guard import Guard
from foxtrot.gateway.order_flow import OrderFlow, Trading
from foxtrot.gateway.trading import Answer, Balances
from foxtrot.gateway.untold import Untold
from foxtrot.model.constants import Exchange, StreamState
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import ContractData, OrderData, TradeData
from tests.support.orders import intent
from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_time import VirtualLoop, run_virtually

T = TypeVar("T")


class ScriptedSession:
    """See `gateway.trading.TradingSession`.

    Verbs wait for `answer`; questions are answered at once by `orders`, `trades`, `found` and
    `held`, which the test may change.
    """

    endpoint = "scripted.example:1"
    least_poll_s = 1.0
    fills_s = 0.0

    def __init__(self) -> None:
        self.pushes = True
        self.received = 0
        self.report: Callable[[StreamKey, StreamState, str], None] = lambda key, state, why: None
        self.calls: list[tuple[str, str]] = []
        self.orders: Known[OrderReport] | Unknown = Known(())
        self.found: Known[OrderReport] | Unknown = Known(())
        self.trades: Known[FillReport] | Unknown = Known(())
        self.held: Balances | Unknown = Balances()
        self.contract: ContractData | Unknown = Unknown("there is none")
        self.price: Callable[[], Coroutine[object, object, Decimal | Unknown]] = _no_price
        self._waiting: dict[tuple[str, str], asyncio.Future[Answer | tuple[Answer, Answer]]] = {}
        self._lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()

    # -- what a test does -------------------------------------------------------------------

    def answer(self, verb: str, orderid: str, answer: object) -> None:
        """Answer a verb that waits; an exception is raised by it."""
        waiting = self._waiting.pop((verb, orderid))
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)  # type: ignore[arg-type]

    def lose(self, error: FoxtrotError) -> None:
        """End the session."""
        self._lost.set_result(error)

    # -- Session ----------------------------------------------------------------------------

    async def prepare(self) -> None:
        """See `Session`, like all below."""

    async def open(self) -> None:
        """Nothing to do."""

    async def sync(self) -> None:
        """Nothing to do."""

    async def run(self) -> None:
        """Until it is lost."""
        raise await asyncio.shield(self._lost)

    async def probe(self) -> None:
        """Alive."""
        self.received += 1

    async def close(self) -> None:
        """Nothing to do."""

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Nothing."""
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Nothing."""

    # -- TradingSession ---------------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """Waits for `answer`."""
        return await self._verb("place", intent.orderid)  # type: ignore[return-value]

    async def cancel(self, record: OrderRecord) -> Answer:
        """Waits for `answer`."""
        return await self._verb("cancel", record.orderid)  # type: ignore[return-value]

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Waits for `answer`."""
        return await self._verb("replace", intent.orderid)  # type: ignore[return-value]

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """`orders`."""
        return self._asked("open_orders", "", self.orders)

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """`found`."""
        return self._asked("find", orderid, self.found)

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """`trades`."""
        return self._asked("fills", ",".join(symbols), self.trades)

    async def balances(self) -> Balances | Unknown:
        """`held`."""
        return self._asked("balances", "", self.held)

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """`contract`."""
        self.calls.append(("look_up", symbol))
        return self.contract

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """`price`."""
        self.calls.append(("price", symbol))
        return await self.price()

    def _asked(self, verb: str, what: str, answer: T) -> T:
        self.calls.append((verb, what))
        return answer

    async def _verb(self, verb: str, orderid: str) -> Answer | tuple[Answer, Answer]:
        self.calls.append((verb, orderid))
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[verb, orderid] = waiting
        return await waiting  # type: ignore[no-any-return]


async def _no_price() -> Decimal | Unknown:
    return Unknown("there is none")


class Floor:
    """An `OrderFlow` in virtual time, with a session that is ready."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = loop.clock
        self.bridge = VirtualBridge()
        self.tracker = OrderTracker("FAKE")
        self.trading = Trading()
        self.untold = Untold(self.clock)
        self.flags = FeatureFlags.model_validate({"orders.max_open": 2})
        self.guard = Guard(lambda: self.flags, self.clock.monotonic)
        self.told: list[OrderData] = []
        self.trades: list[TradeData] = []
        self.lines: list[str] = []
        self.unlisted = self.unpriced = False
        self.flow = OrderFlow(
            "FAKE",
            tracker=self.tracker,
            trading=self.trading,
            untold=self.untold,
            guard=self.guard,
            listener=self,
            unlisted=lambda intent: self.unlisted,
            unpriced=lambda intent: self.unpriced,
            judge_notional=lambda intent, price: self.guard.judge_notional(
                intent.request, price, None
            ),
            bridge=self.bridge,  # type: ignore[arg-type]
            clock=self.clock,
            flags=lambda: self.flags,
        )
        self.session = ScriptedSession()
        self.begin(self.session)

    def begin(self, session: ScriptedSession) -> None:
        """A session is ready."""
        self.session = session
        self.untold.begin(pushes=session.pushes)
        self.trading.begin(session)

    def submit(self, orderid: str = "fx-1") -> None:
        """Send an order of 1 that is written down, and counted by the guard."""
        self.guard.opened(orderid)
        self.flow.submit(intent(orderid, created_ns=self.clock.time_ns()))

    def state(self, orderid: str = "fx-1") -> OrderState:
        """What the tracker says."""
        record = self.tracker.record(orderid)
        assert record is not None
        return record.state

    def reason(self, orderid: str = "fx-1") -> str:
        """Why."""
        record = self.tracker.record(orderid)
        assert record is not None
        return record.reason

    def on_order(self, order: OrderData) -> None:
        """See `OrderListener`, like the next two."""
        self.told.append(order)

    def on_trade(self, trade: TradeData) -> None:
        """Keep it."""
        self.trades.append(trade)

    def write_log(self, msg: str) -> None:
        """Keep it."""
        self.lines.append(msg)


async def settled() -> None:
    """Let everything happen that can without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


def on_floor(play: Callable[[Floor], Coroutine[object, object, None]]) -> Floor:
    """Play a scene on a floor in virtual time; no task may be left, none may have crashed."""
    loop = VirtualLoop()

    async def scene() -> Floor:
        floor = Floor(loop)
        await play(floor)
        return floor

    floor = run_virtually(scene(), loop)
    assert floor.bridge.crashes == []
    return floor
