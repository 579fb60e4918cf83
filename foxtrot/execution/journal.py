"""The journal: what we mean to send is written down before it is sent, and what became of it after.

One SQLite file for each account, open in one process. Nothing here is part of deciding anything.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, KeysView, Sequence
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from foxtrot.core.clock import Clock, SystemClock
from foxtrot.core.logs import get_logger
from foxtrot.errors import JournalError, JournalUnavailable
from foxtrot.execution import journal_file as file
from foxtrot.execution import journal_rows as rows
from foxtrot.execution.journal_rows import Damaged, Head, Row, Unwritable
from foxtrot.execution.reports import FillReport, OrderIntent, OrderRecord, OrderState
from foxtrot.model.constants import Exchange

log = get_logger("foxtrot.execution")

K = TypeVar("K")
V = TypeVar("V")

WAIT_S: Final = 5.0
"""Longest wait for another thread's write."""
UNSAVED_MOST: Final = 10_000
"""How many orders, and how many fills, are kept in memory while the disk cannot be written."""
_CHECKPOINT_EVERY = 300  # commits; some 1,000 pages, which take 0.1 s to check at the next start
_UNWRITABLE = "holds a number that is not finite or too large, or half a character"


class Durability(Enum):
    """What a written intent survives: the end of the process, or the loss of power too."""

    PROCESS = "process"
    POWER = "power"


_SYNCHRONOUS = {Durability.PROCESS: "NORMAL", Durability.POWER: "FULL"}


class Journal:
    """Orders and fills of one account, on disk; made by `Journal.open`.

    `prefix` begins the id of every order sent through this file. `set_aside` is where a damaged
    file was put when a new one was begun: then the caller alarms and asks the venue for everything.
    `trouble` says in words why nothing can be written at present; "" if the last write went well.

    Thread safety: every method may be called from any thread; one write at a time.
    """

    def __init__(
        self,
        path: Path,
        lock: sqlite3.Connection,
        connection: sqlite3.Connection,
        head: Head,
        orders: Iterable[OrderRecord],
        dealings: file.Dealings,
        set_aside: Path | None,
    ) -> None:
        self.path = path
        self.prefix = head.prefix
        self.set_aside = set_aside
        self.trouble = ""
        self._lock, self._connection = lock, connection
        self._head = self._saved_head = head
        self._ids = itertools.count(1)
        self._disk = threading.Lock()
        self._memory = threading.Lock()
        self._open = {record.orderid: record for record in orders}
        self._dealings = dealings
        self._unsaved_orders: dict[str, OrderRecord] = {}
        self._unsaved_fills: dict[tuple[str, str], FillReport] = {}
        self._commits = 0
        self._closed = False
        self._identity = _identity(path)

    @classmethod
    def open(
        cls,
        directory: Path,
        account: str,
        *,
        durability: Durability = Durability.PROCESS,
        clock: Clock | None = None,
    ) -> Journal:
        """Open the journal of `account` under the data directory, or begin one.

        A damaged file is set aside, and a new journal begun. The whole file is read and checked,
        two seconds for 100,000 orders and as many fills: `prune` now and then.

        Raises:
            JournalInUse: It is open already, here or in another process.
            JournalUnavailable: It cannot be read or written at present.
            JournalError: It was written by a newer foxtrot.
        """
        path = file.path_of(directory, account)
        with contextlib.ExitStack() as undo:
            lock = file.lock(path)
            undo.callback(lock.close)
            aside, (connection, head, orders, dealings) = _open_or_begin(
                path, clock or SystemClock()
            )
            undo.callback(connection.close)
            head = file.begin_run(path, connection, head, _SYNCHRONOUS[durability])
            journal = cls(path, lock, connection, head, orders, dealings, aside)
            undo.pop_all()
        return journal

    @property
    def last_seen_ns(self) -> int:
        """What `seen` was told last; for a journal that was never told, when it was begun."""
        return self._head.seen_ns

    def next_orderid(self) -> str:
        """Make a client order id that no order ever had: `<prefix>-<run>-<number>`, base 36."""
        run, number = file.base36(self._head.run), file.base36(next(self._ids))
        return f"{self.prefix}-{run}-{number}"

    def intend(self, intent: OrderIntent) -> None:
        """Write down an order that is about to be sent; on return it is in the file.

        Raises:
            JournalUnavailable: The file cannot be written at present. The order must not be sent.
            JournalError: The order holds what cannot be written. It must not be sent.
        """
        record = OrderRecord(intent, OrderState.INTENT, intent.created_ns)
        try:
            row = rows.order_row(record)
        except Unwritable:
            raise JournalError(str(self.path), f"{intent.orderid} {_UNWRITABLE}") from None
        self._save(row)
        with self._memory:
            self._open.setdefault(record.orderid, record)

    def record(self, records: Sequence[OrderRecord], fills: Sequence[FillReport] = ()) -> None:
        """Write what became of orders, with their fills, in one transaction.

        What cannot be written now is kept, the newest of each, and goes with the next write.
        """
        with self._memory:
            for record in records:
                self._note(record)
            for fill in fills:
                self._unsaved_fills[fill.symbol, fill.trade_id] = fill
                self._dealings.note(fill.symbol, fill.exchange, fill.ts_ns)
            dropped = _trim(self._unsaved_orders) + _trim(self._unsaved_fills)
        if dropped:
            log.error("journal.dropped", path=str(self.path), count=dropped)
        self._try_to_save()

    def seen(self, until_ns: int) -> None:
        """Note that all that the venue did until `until_ns` has been told to this journal."""
        with self._memory:
            self._head = msgspec.structs.replace(self._head, seen_ns=until_ns)
        self._try_to_save()

    def open_records(self) -> list[OrderRecord]:
        """Orders that may live at the venue, oldest first."""
        with self._memory:
            records = list(self._open.values())
        return sorted(records, key=lambda record: record.intent.created_ns)

    def ended_since(self, since_ns: int) -> list[OrderRecord]:
        """Orders that ended since then: a fill of theirs may have been missed."""
        records = self._read(rows.ORDERS_SINCE, since_ns, rows.checked_order)
        return [record for record in records if not record.is_open]

    def fills_of(self, orderids: Iterable[str]) -> list[FillReport]:
        """All fills of these orders that are known, oldest first."""
        fills = [
            fill
            for orderid in set(orderids)
            for fill in self._fills(rows.FILLS_OF, orderid)
            if fill.orderid == orderid
        ]
        return sorted(fills, key=lambda fill: (fill.ts_ns, fill.trade_id))

    def trade_keys(self, since_ns: int = 0) -> KeysView[tuple[str, str]]:
        """(symbol, trade id) of every fill since then, oldest first, so that none is told twice."""
        fills = sorted(self._fills(rows.FILLS_SINCE, since_ns), key=lambda fill: fill.ts_ns)
        keys = ((fill.symbol, fill.trade_id) for fill in fills if fill.ts_ns >= since_ns)
        return dict.fromkeys(keys).keys()

    def symbols_of_interest(self, since_ns: int = 0) -> set[tuple[str, Exchange]]:
        """(symbol, exchange) of every open order, and of every order or fill since then.

        Known without the file, which may be slow and holds all of a busy day.
        """
        with self._memory:
            requests = [record.intent.request for record in self._open.values()]
            found = self._dealings.since(since_ns)
        return found | {(request.symbol, request.exchange) for request in requests}

    def prune(self, before_ns: int) -> int:
        """Forget closed orders not touched since then, and old fills of no order; returns how many.

        Other writes wait for it: call it before trading starts.

        Raises:
            JournalUnavailable: The file cannot be written at present.
        """
        with self._transaction() as connection:
            before = connection.total_changes
            for statement in (rows.FORGET_ORDERS, rows.FORGET_FILLS):
                connection.execute(statement, (before_ns,))
            return connection.total_changes - before

    def close(self) -> None:
        """Write what is unsaved, and let others open the file. Later writes are refused."""
        if self._closed:
            return
        if self._unsaved_orders or self._unsaved_fills or self._head is not self._saved_head:
            self._try_to_save()
        with contextlib.suppress(JournalUnavailable), self._holding():
            self._closed = True
            self._connection.close()
            self._lock.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.trouble or "ready"
        return f"<Journal {self.path.stem} {state} open={len(self._open)}>"

    def _note(self, record: OrderRecord) -> None:
        request = record.intent.request
        self._dealings.note(request.symbol, request.exchange, record.updated_ns)
        self._unsaved_orders[record.orderid] = record
        if record.is_open:
            self._open[record.orderid] = record
        else:
            self._open.pop(record.orderid, None)

    def _fills(self, query: str, value: str | int) -> Iterable[FillReport]:
        saved = self._read(query, value, rows.checked_fill)
        with self._memory:
            unsaved = dict(self._unsaved_fills)
        return ({(fill.symbol, fill.trade_id): fill for fill in saved} | unsaved).values()

    def _try_to_save(self) -> None:
        with contextlib.suppress(JournalUnavailable):  # logged, and told by `trouble`
            self._save()

    def _save(self, *intents: Row) -> None:
        with self._transaction() as connection:
            # Taken while the file is ours: an older copy must not be written over a newer one.
            with self._memory:
                orders, fills = dict(self._unsaved_orders), dict(self._unsaved_fills)
                head = self._head
            order_rows = [*_rows(orders.values(), rows.order_row), *intents]
            connection.executemany(rows.PUT_ORDER, order_rows)
            if fills:
                connection.executemany(rows.PUT_FILL, _rows(fills.values(), rows.fill_row))
            if head is not self._saved_head:
                connection.execute(rows.PUT_HEAD, rows.head_row(head))
        with self._memory:
            self._saved_head = head
            _forget(self._unsaved_orders, orders)
            _forget(self._unsaved_fills, fills)

    @contextlib.contextmanager
    def _holding(self) -> Iterator[None]:
        if not self._disk.acquire(timeout=WAIT_S):
            raise self._complain(f"another write has not ended within {WAIT_S:g} s")
        try:
            if self._closed:
                raise self._complain("is closed; connect again")
            yield
        except sqlite3.Error as error:
            raise self._complain(file.problem_of(error)) from None
        finally:
            self._disk.release()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._holding():
            # Writes to a file that was deleted succeed, and nobody would ever read them.
            if not self._identity or _identity(self.path) != self._identity:
                raise self._complain("was moved or deleted; put it back, or restart foxtrot")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:  # boundary: also an interrupt on the caller's thread; goes on
                self._roll_back()
                raise
            self._clean_up()

    def _clean_up(self) -> None:
        if self.trouble:
            log.info("journal.writable_again", path=str(self.path))
            self.trouble = ""
        self._commits += 1
        if self._commits < _CHECKPOINT_EVERY:
            return
        self._commits = 0
        try:
            file.checkpoint(self._connection)
        except sqlite3.Error as error:
            problem = file.problem_of(error)
            log.warning("journal.checkpoint_failed", path=str(self.path), problem=problem)

    def _roll_back(self) -> None:
        # Frames of a failed write must not stand behind those of the next: see wal.is_damaged.
        self._commits = _CHECKPOINT_EVERY
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _complain(self, problem: str) -> JournalUnavailable:
        if problem != self.trouble:
            self.trouble = problem
            log.error("journal.unavailable", path=str(self.path), problem=problem)
        return JournalUnavailable(str(self.path), problem)

    def _read(self, query: str, value: str | int, checked: Callable[[Row], V]) -> list[V]:
        try:
            with self._holding():
                return [checked(row) for row in self._connection.execute(query, (value,))]
        except Damaged:
            raise self._complain("is damaged; restart foxtrot, which will set it aside") from None


def _open_or_begin(path: Path, clock: Clock) -> tuple[Path | None, file.Opened]:
    aside = None
    if file.is_there(path):
        try:
            return None, file.open_checked(path)
        except Damaged as damage:
            problem = str(damage)
        aside = file.set_aside(path, clock.time_ns())
        log.error("journal.damaged", path=str(path), kept=str(aside), problem=problem)
    file.create(path, clock.time_ns())
    try:
        return aside, file.open_checked(path)
    except Damaged as damage:
        raise JournalUnavailable(str(path), f"its disk fails; look at it ({damage})") from None


def _identity(path: Path) -> tuple[int, ...]:
    try:
        places = os.stat(path), os.stat(file.wal_of(path))
    except OSError:
        return ()
    return tuple(number for place in places for number in (place.st_dev, place.st_ino))


def _rows(values: Iterable[V], row_of: Callable[[V], Row]) -> list[Row]:
    found = []
    for value in values:
        try:
            found.append(row_of(value))
            continue
        except Unwritable:
            pass
        log.error("journal.unwritable", kind=type(value).__name__, problem=_UNWRITABLE)
    return found


def _trim(unsaved: dict[K, V]) -> int:
    surplus = len(unsaved) - UNSAVED_MOST
    for key in list(unsaved)[: max(surplus, 0)]:
        del unsaved[key]
    return max(surplus, 0)


def _forget(unsaved: dict[K, V], saved: dict[K, V]) -> None:
    for key, value in saved.items():
        if unsaved.get(key) is value:
            del unsaved[key]
