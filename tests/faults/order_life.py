"""One life of foxtrot's order desk in virtual time: from its start to its end, or to a kill."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import FoxtrotError, JournalUnavailable
from foxtrot.execution.journal import Journal
from foxtrot.execution.reports import FillReport, OrderIntent, OrderRecord, OrderState, order_data
from foxtrot.execution.transitions import TRANSITIONS
from foxtrot.gateway.desk import OrderDesk
from foxtrot.gateway.guard import Guard, Market
from foxtrot.gateway.trading import TradingListener
from foxtrot.model.constants import ConnectionState, Product, Status
from foxtrot.model.health import ConnectionStatus, StreamKey
from foxtrot.model.objects import AccountData, ContractData, OrderData, PositionData, TradeData
from foxtrot.model.requests import OrderRequest
from tests.faults.play import CRASH
from tests.support.journals import as_after_a_kill
from tests.support.model_session import ModelTrading
from tests.support.model_trading import EXCHANGE, NAME, TradingVenue
from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_time import VirtualClock

ACCOUNT = "main"
_ACTIVE = frozenset({Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED})

_LATELY_NS = 60_000_000_000
Key = tuple[str, str]


class Complaints(Protocol):
    """Where it is written what must not be."""

    def complain(self, text: str) -> None:
        """Write it down."""


class WatchedJournal(Journal):
    """A real journal that knows what passes through it, and may die around a write."""

    life: Life

    def intend(self, intent: OrderIntent) -> None:
        """See `Journal`."""
        self.life.around("before intend")
        if self.life.alive:
            super().intend(intent)
            self.life.was_intended(OrderRecord(intent, OrderState.INTENT, intent.created_ns))
            self.life.around("after intend")

    def record(self, records: Sequence[OrderRecord], fills: Sequence[FillReport] = ()) -> None:
        """See `Journal`."""
        self.life.around("before record")
        if self.life.alive:
            super().record(records, fills)
            self.life.recorded(records, fills)
            self.life.around("after record")


class Life:
    """A desk over a journal that lies in `directory`, and the listener of all that it tells.

    What it is told has to fit what was written down before, and to go the way that orders go.
    """

    def __init__(
        self, venue: TradingVenue, clock: VirtualClock, directory: Path, seed: int
    ) -> None:
        self.venue, self.clock, self.directory = venue, clock, directory
        self.alive, self.ended = True, False
        self.disk_full = self.halted = False
        self.journal: WatchedJournal | None = None
        self.dies_at = ""
        """The moment of a journal's write at which it is killed; "" means none."""
        self.intended: set[str] = set()
        self.records: dict[str, OrderRecord] = {}
        self.tellable: set[tuple[str, Status, float]] = set()
        """What may be told of orders: what was written down."""
        self.before: set[Key] = set()
        """Fills that the journal held at the start."""
        self.retold: set[Key] = set()
        """Those of them whose orders were open, to be told again."""
        self.may_retell: set[Key] = set()
        """Those whose orders ended lately; they may be told again."""
        self.written: set[Key] = set()
        self.trades: Counter[Key] = Counter()
        self.orders: dict[str, OrderData] = {}
        self.positions: dict[str, float] = {}
        self.doomed: set[str] = set()
        self.alarms: list[str] = []
        self.after_kill: Callable[[Path], None] = lambda directory: None
        self.bridge = VirtualBridge()
        flags = FeatureFlags.model_validate({"websocket.reconnect_max_delay": 10.0})
        self.guard = Guard(lambda: flags, clock.monotonic)
        self.desk = OrderDesk(
            NAME,
            make_session=self._make_session,
            open_journal=self._open_journal,
            market=self._market,
            refused_ids=map("local-{}".format, itertools.count(1)),
            guard=self.guard,
            listener=self,
            bridge=cast(AsyncThreadBridge, self.bridge),
            clock=clock,
            config=StreamConfig().with_flags(flags),
            flags=lambda: flags,
            rng=random.Random(seed),
        )

    # -- its end ----------------------------------------------------------------------------

    def around(self, moment: str) -> None:
        """A write of the journal is about to be, or was done."""
        if self.alive and self.dies_at == moment:
            self.kill()

    def kill(self) -> None:
        """It ends here and now; what it still does has no effect."""
        self.alive = False
        self.venue.note("killed", self.dies_at)
        target = self.directory
        if self.journal is not None:
            target = self.directory.with_name(f"{self.directory.name}+")
            as_after_a_kill(self.journal, target)
        self.bridge.kill()
        self.after_kill(target)

    async def end(self) -> None:
        """Stop in good order; a dead one only gives its files back."""
        if self.alive:
            await self.desk.close()
        elif self.journal is not None:
            Journal.close(self.journal)

    async def restart(self) -> None:
        """Disconnect and connect again."""
        await self.desk.stop()
        if not self.ended:
            self.desk.start()

    def check_send(self, orderid: str) -> None:
        """No order is sent during a halt, nor before the venue has told all."""
        if self.halted:
            self._complain(f"{orderid} is sent, though orders are halted")
        if not self.ready:
            self._complain(f"{orderid} is sent, though trading is {self.desk.state.value}")

    def halt(self, halted: bool) -> None:
        """Block new orders and cancel all, or let orders pass again."""
        self.halted = halted
        if not halted:
            self.guard.resume()
            return
        self.guard.halt("a drill")
        self.cancel_all()

    def cancel_all(self) -> None:
        """Cancel all; none of what is open now may be open in the end."""
        records = self.desk._tracker.open_records()
        self.doomed |= {each.orderid for each in records if not each.external}
        self.desk.cancel_all()

    # -- what it is made of -----------------------------------------------------------------

    def _make_session(self, listener: TradingListener) -> ModelTrading:
        line = self.venue.line
        if isinstance(line, ModelTrading) and not line.closed and line.is_of(self._is_alive):
            self.venue.complain("a session is made while another is not closed")
        return ModelTrading(self.venue, listener, self._is_alive)

    def _is_alive(self) -> bool:
        return self.alive

    async def _open_journal(self) -> Journal:
        if self.disk_full:
            raise JournalUnavailable("journal", "the disk is full; make space")
        journal = WatchedJournal.open(self.directory, ACCOUNT, clock=self.clock)
        journal.life = self
        records = journal.open_records()
        self.before = set(journal.trade_keys())
        self.retold = {
            (each.symbol, each.trade_id)
            for each in journal.fills_of(record.orderid for record in records)
        }
        self.written |= self.before
        ended = journal.ended_since(journal.last_seen_ns - _LATELY_NS)
        self.may_retell = {
            (each.symbol, each.trade_id)
            for each in journal.fills_of(record.orderid for record in ended)
        }
        for record in (*records, *ended):
            self._may_tell(record)
        self.journal = journal
        return journal

    def fill_disk(self, full: bool) -> None:
        """From now on nothing can be written, or all can again."""
        self.disk_full = full
        if self.journal is not None:
            self.journal._connection.execute(f"PRAGMA query_only={'ON' if full else 'OFF'}")

    def _market(self, request: OrderRequest) -> Market:
        contract = ContractData(
            NAME, request.symbol, EXCHANGE, request.symbol, Product.SPOT, 1.0, 0.01, 0.1
        )
        return Market(contract, None, None, self.clock.time_ns())

    # -- what is written down ---------------------------------------------------------------

    def recorded(self, records: Sequence[OrderRecord], fills: Sequence[FillReport]) -> None:
        """Every record has to follow from the one before."""
        for record in records:
            before = self.records.get(record.orderid)
            self._may_tell(record)
            self.records[record.orderid] = record
            self.venue.note(
                "state", self.plain(record.orderid), record.state.value, str(record.traded)
            )
            if before is None:
                continue
            if record.state is not before.state and record.state not in TRANSITIONS[before.state]:
                self._complain(f"{record.orderid}: {before.state} to {record.state}")
            if record.traded < before.traded:
                self._complain(f"{record.orderid}: traded shrinks to {record.traded}")
        for fill in fills:
            self.written.add((fill.symbol, fill.trade_id))

    def was_intended(self, record: OrderRecord) -> None:
        """An order of ours is in the journal, and not sent yet."""
        self.intended.add(record.orderid)
        self._may_tell(record)

    def _may_tell(self, record: OrderRecord) -> None:
        order = order_data(record, NAME)
        self.tellable.add((order.orderid, order.status, order.traded))

    def plain(self, text: str) -> str:
        """A text without what is made of chance outside the seed."""
        return text.replace(self.journal.prefix, "fx") if self.journal is not None else text

    def _complain(self, text: str) -> None:
        self.venue.complain(self.plain(text))

    # -- DeskListener: what it tells --------------------------------------------------------

    def on_order(self, order: OrderData) -> None:
        """An order has to be told as it was written down, and never as alive after its end."""
        if not self.alive:
            return
        orderid, before = order.orderid, self.orders.get(order.orderid)
        self.orders[orderid] = order
        if before is not None and order.traded < before.traded:
            self._complain(f"{orderid} is told with less traded")
        if (
            before is not None
            and before.status not in _ACTIVE
            and before.status is not order.status
        ):
            self._complain(f"{orderid} is told as {order.status}, and was {before.status}")
        if before is None and orderid in self.intended and order.status is not Status.SUBMITTING:
            self._complain(f"{orderid} is told as {order.status} first")
        told = (orderid, order.status, order.traded)
        refused = order.status is Status.REJECTED and order.reason.startswith("local:")
        if not refused and told not in self.tellable:
            self._complain(f"{orderid} is told as {order.status} and was not written down so")

    def on_trade(self, trade: TradeData) -> None:
        """A fill has to be written down, and comes once."""
        if not self.alive:
            return
        key = (trade.symbol, trade.tradeid)
        self.trades[key] += 1
        if self.trades[key] > 1:
            self._complain(f"fill {key} is told again")
        if key not in self.written:
            self._complain(f"fill {key} is told and was not written down")

    def on_account(self, account: AccountData) -> None:
        """Nothing to check."""

    def on_position(self, position: PositionData) -> None:
        """The last one counts."""
        if self.alive:
            self.positions[position.symbol] = position.volume

    def write_log(self, msg: str) -> None:
        """Alarms come this way."""
        if self.alive:
            self.alarms.append(self.plain(msg))

    def on_connection(self, status: ConnectionStatus) -> None:
        """Nothing is ready before the venue has told all that happened."""
        if not self.alive:
            return
        self.venue.note("trading", status.state.value, status.reason)
        if status.state is not ConnectionState.READY:
            return
        waiting = {(each.symbol, each.trade_id) for each in self.desk._tracker.fills_waiting()}
        for fill in self.venue.truth.book.trades:
            key = (fill.symbol, fill.trade_id)
            if fill.ts_ns < self.venue.known_by_ns() and key not in self.written | waiting:
                self._complain(f"trading is ready, and fill {key} of before is not known")

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """There are none."""

    def on_error(self, error: FoxtrotError) -> None:
        """An error must have a cause outside."""
        if self.alive and CRASH.match(str(error)):
            self._complain(f"crash: {error}")

    @property
    def ready(self) -> bool:
        """Whether it trades."""
        return self.alive and self.desk.state is ConnectionState.READY
