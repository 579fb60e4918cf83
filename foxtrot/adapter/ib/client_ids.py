"""IbClientIdRegistry: which client id belongs to which connection, over all processes of a user."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from foxtrot.adapter.ib import client_id_file as file
from foxtrot.adapter.ib.client_id_file import Book, Lease, TradingId
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.core.directories import data_directory
from foxtrot.core.logs import get_logger
from foxtrot.errors import ClientIdInUse, ConfigurationError, VenueUnavailable

log = get_logger("foxtrot.ib.client_ids")

T = TypeVar("T")

RANGES: Mapping[Purpose, range] = MappingProxyType(
    {
        Purpose.STREAMING: range(100, 200),
        Purpose.HISTORY: range(200, 300),
        Purpose.API: range(300, 400),
    }
)
"""Client ids by purpose. The one that trades is the setting's own."""

_SHUNNED_S = 60.0
_NS_PER_S = 1_000_000_000


def default_path() -> Path:
    """Where the ids of all processes are kept, within the data directory."""
    return data_directory() / "ib" / "client_ids.json"


class IbClientIdRegistry:
    """Leases the client ids of one TWS. Any thread; may wait for a disk, so not on a loop.

    What is leased stands in a file, so that no other process takes it, and none is lost for good
    with a process that died. Where the file cannot be used, the ids are kept in memory alone, and
    TWS itself refuses what is used twice.

    Args:
        venue: Name of the adapter, for errors.
        endpoint: Of the TWS; each has its own ids.
        trading_id: The setting's client id. Orders belong to it, so it is never another.
        account: Names what is traded with it; empty if that is not to be remembered.
        ranges: Ids of each purpose but trading.
        path: The file.

    Raises:
        ConfigurationError: Two purposes share an id, or a range is empty.
    """

    def __init__(
        self,
        venue: str,
        endpoint: str,
        trading_id: int,
        *,
        account: str = "",
        ranges: Mapping[Purpose, range] = RANGES,
        path: Path | None = None,
    ) -> None:
        _check_ranges(ranges)
        self._venue, self._endpoint, self._trading_id = venue, endpoint, trading_id
        self._account, self._ranges = account, dict(ranges)
        self._path = path or default_path()
        self._began = file.process_began(os.getpid()) or ""
        self._lock = threading.Lock()
        self._unsaved = Book()
        self._given_back: set[int] = set()
        """What was given back while the file could not be used: there it is still leased."""
        self._shunned: dict[int, float] = {}

    def lease(self, purpose: Purpose) -> int:
        """An id that no living process has leased.

        Raises:
            ClientIdInUse: The trading id is leased already.
            VenueUnavailable: The range of this purpose is used up.
        """
        if purpose is Purpose.TRADING:
            return self._change(self._lease_trading_id)
        return self._change(lambda book: self._lease_from(book, purpose))

    def release(self, client_id: int, *, in_use: bool = False) -> None:
        """Give an id back; `in_use`: TWS says that a stranger has it, so try others for a while."""
        with self._lock:
            if self._holder(self._unsaved, client_id) is None:
                self._given_back.add(client_id)
        self._change(lambda book: self._forget(book, client_id))
        if in_use:
            self._shunned[client_id] = time.monotonic() + _SHUNNED_S

    def _change(self, change: Callable[[Book], T]) -> T:
        with self._lock:
            try:
                with file.locked(self._path):
                    book = file.read(self._path)
                    _drop_dead(book)
                    for client_id in self._given_back:
                        self._forget(book, client_id)
                    book.leases += self._unsaved.leases
                    result = change(book)
                    file.write(self._path, book)
                    self._unsaved = Book()
                    self._given_back.clear()
                    return result
            except OSError as error:
                log.warning(
                    "client_ids_not_kept",
                    path=str(self._path),
                    reason=error.strerror or type(error).__name__,
                )
            return change(self._unsaved)

    def _lease_trading_id(self, book: Book) -> int:
        if self._holder(book, self._trading_id):
            raise ClientIdInUse(self._venue, self._trading_id)
        self._remember_account(book)
        return self._add(book, self._trading_id, Purpose.TRADING)

    def _lease_from(self, book: Book, purpose: Purpose) -> int:
        ids, now = self._ranges[purpose], time.monotonic()
        reserved = {self._trading_id, *(each.client_id for each in book.trading)}
        for client_id in ids:
            shunned = self._shunned.get(client_id, now) > now
            if not shunned and client_id not in reserved and not self._holder(book, client_id):
                return self._add(book, client_id, purpose)
        text = f"all client ids for {purpose.value} ({ids[0]} to {ids[-1]}) are in use"
        raise VenueUnavailable(self._venue, "", text)

    def _add(self, book: Book, client_id: int, purpose: Purpose) -> int:
        pid = os.getpid()
        since = time.time_ns() // _NS_PER_S
        book.leases.append(Lease(self._endpoint, client_id, purpose.value, pid, self._began, since))
        return client_id

    def _holder(self, book: Book, client_id: int) -> Lease | None:
        place = (self._endpoint, client_id)
        return next(
            (each for each in book.leases if (each.endpoint, each.client_id) == place), None
        )

    def _forget(self, book: Book, client_id: int) -> None:
        mine = self._holder(book, client_id)
        if mine is not None and mine.pid == os.getpid():
            book.leases.remove(mine)

    def _remember_account(self, book: Book) -> None:
        """An order can be changed and cancelled only under the id that placed it."""
        if not self._account:
            return
        known = next((each for each in book.trading if each.account == self._account), None)
        if known and known.client_id == self._trading_id:
            return
        if known:
            log.warning(
                "trading_client_id_changed",
                venue=self._venue,
                account=self._account,
                was=known.client_id,
                now=self._trading_id,
            )
            book.trading.remove(known)
        book.trading.append(TradingId(self._account, self._trading_id))


def leases(path: Path | None = None) -> Sequence[Lease]:
    """What living processes have leased, of all endpoints; for people to look at.

    Raises:
        OSError: The file cannot be read.
    """
    path = path or default_path()
    if not path.exists():
        return []
    with file.locked(path):
        book = file.read(path)
    _drop_dead(book)
    return sorted(book.leases, key=lambda lease: (lease.endpoint, lease.client_id))


def _drop_dead(book: Book) -> None:
    began = {pid: file.process_began(pid) for pid in {lease.pid for lease in book.leases}}
    book.leases[:] = [lease for lease in book.leases if began[lease.pid] == lease.began]


def _check_ranges(ranges: Mapping[Purpose, range]) -> None:
    seen: set[int] = set()
    for purpose in RANGES:
        ids = ranges.get(purpose, range(0))
        if not ids or ids[0] < 1 or seen & set(ids):
            problem = f"{purpose.value} needs ids of its own, above 0"
            raise ConfigurationError("connect", "client_ids", problem)
        seen |= set(ids)
