"""The journal's file: where it is, who may open it, how it is made, and whether it is whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

import msgspec

from foxtrot.core.directories import file_name, make_private, sync_directory
from foxtrot.errors import JournalError, JournalInUse, JournalUnavailable
from foxtrot.execution import journal_rows as rows
from foxtrot.execution import wal
from foxtrot.execution.journal_rows import Damaged, Head
from foxtrot.execution.reports import OrderRecord
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import utc

_APPLICATION_ID = 0x666F786A
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_COMPANIONS = ("-wal", "-shm", "-journal")
_SMALLEST_DATABASE = 512

_UNREACHABLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)
_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full; make space",
    sqlite3.SQLITE_READONLY: "it may not be written; mount its disk for writing",
    sqlite3.SQLITE_PERM: "it may not be written; give this user the right to",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; give this user the right to",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restart foxtrot, which will set it aside",
}


class Dealings:
    """When something last became of an order or a fill, by symbol and exchange."""

    def __init__(self) -> None:
        self._last_ns: dict[tuple[str, Exchange], int] = {}

    def note(self, symbol: str, exchange: Exchange, at_ns: int) -> None:
        """Something did."""
        key = symbol, exchange
        self._last_ns[key] = max(at_ns, self._last_ns.get(key, at_ns))

    def since(self, since_ns: int) -> set[tuple[str, Exchange]]:
        """Where something did since then."""
        return {key for key, last_ns in self._last_ns.items() if last_ns >= since_ns}


Opened = tuple[sqlite3.Connection, Head, list[OrderRecord], Dealings]


def path_of(directory: Path, account: str) -> Path:
    """Where the journal of `account` is, within the data directory."""
    return directory / "journal" / f"{file_name(account, 'account')}.db"


def lock(path: Path) -> sqlite3.Connection:
    """Make this process the only one that may open the journal, until the result is closed.

    The lock is the operating system's, held by SQLite on an empty file beside the journal: it ends
    with the process, however that ends.

    Raises:
        JournalInUse: Somebody holds it, in this process or in another.
        JournalUnavailable: The directory cannot be written.
    """
    target = path.with_suffix(".lock")
    try:
        make_private(path.parent)
        _make_file(target)
    except OSError as error:
        raise JournalUnavailable(str(path), f"cannot be made: {error.strerror}") from None
    if path.parent.is_symlink() or any(p.is_symlink() or p.is_dir() for p in (path, target)):
        raise JournalUnavailable(str(path), "is a link or a directory; move it out of the way")
    with contextlib.ExitStack() as undo:
        try:
            holder = sqlite3.connect(
                target, timeout=0, isolation_level=None, check_same_thread=False
            )
            undo.callback(holder.close)
            holder.execute("PRAGMA journal_mode=MEMORY")
            holder.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise trouble(path, error) from None
        undo.pop_all()
    return holder


def open_checked(path: Path) -> Opened:
    """Open the journal and read all of it; returns its open orders and its dealings too.

    Raises:
        Damaged: Something in it is not as it was written.
        JournalError: It was written by a newer foxtrot.
        JournalUnavailable: It cannot be read at present.
    """
    try:
        _check_bytes(path)
    except OSError as error:
        raise JournalUnavailable(str(path), f"cannot be read: {error.strerror}") from None
    connection = _connect(path)
    try:
        _configure(connection)
        head = _checked_head(connection, path)
        orders = [rows.checked_order(row) for row in connection.execute(rows.ORDERS)]
        open_orders = [record for record in orders if record.is_open]
        dealings = Dealings()
        for record in orders:
            request = record.intent.request
            dealings.note(request.symbol, request.exchange, record.updated_ns)
        for fill in map(rows.checked_fill, connection.execute(rows.FILLS)):
            dealings.note(fill.symbol, fill.exchange, fill.ts_ns)
        connection.execute("BEGIN")  # a damaged header may say that nobody writes it
        connection.execute(rows.PUT_HEAD, rows.head_row(head))
        connection.execute("ROLLBACK")
    except UnicodeError:  # SQLite's own words, which quote a broken table
        connection.close()
        raise Damaged("its tables are not the journal's") from None
    except sqlite3.Error as error:
        connection.close()
        if _is_damage(error) or _refuses_to_write(error, path):
            raise Damaged(f"SQLite says {_code_name(error)}") from None
        raise trouble(path, error) from None
    except (Damaged, JournalError):
        connection.close()
        raise
    return connection, head, open_orders, dealings


def begin_run(path: Path, connection: sqlite3.Connection, head: Head, synchronous: str) -> Head:
    """Count one more opening, then write as durably as `synchronous` says.

    Raises:
        JournalUnavailable: It cannot be written at present.
    """
    head = msgspec.structs.replace(head, run=head.run + 1)
    try:
        # Still FULL here: a run that is counted twice would give an id twice.
        connection.execute(rows.PUT_HEAD, rows.head_row(head))
        # What a kill left beyond the last frame must not follow frames that are yet to come.
        checkpoint(connection)
        connection.execute(f"PRAGMA synchronous={synchronous}")
    except sqlite3.Error as error:
        raise trouble(path, error) from None
    return head


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring what is in the write-ahead log into the file, and empty the log."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def create(path: Path, now_ns: int) -> None:
    """Make an empty journal; it appears whole or not at all.

    Raises:
        JournalUnavailable: It cannot be made at present.
    """
    draft = path.with_suffix(".new")
    prefix = "fx" + "".join(secrets.choice(_DIGITS) for _ in range(6))
    head = Head(rows.SCHEMA_VERSION, prefix, 0, now_ns)
    try:
        for leftover in (draft, *_companions(draft)):
            leftover.unlink(missing_ok=True)
        _make_file(draft)
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN")
            for statement in rows.SCHEMA.values():
                connection.execute(statement)
            connection.execute(rows.PUT_HEAD, rows.head_row(head))
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={rows.SCHEMA_VERSION}")
            connection.execute("COMMIT")
        draft.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise JournalUnavailable(str(path), f"cannot be made: {error.strerror}") from None
    except sqlite3.Error as error:
        raise trouble(path, error) from None


def set_aside(path: Path, now_ns: int) -> Path:
    """Rename the journal and its companions; returns the new name.

    Raises:
        JournalUnavailable: They cannot be renamed.
    """
    stamp = f"{utc(now_ns):%Y%m%dT%H%M%S}"
    names = (f"{path.name}.damaged-{stamp}-{number}" for number in range(1, 1000))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    try:
        for old, new in zip((path, *_companions(path)), (aside, *_companions(aside)), strict=True):
            if old.exists():
                old.replace(new)
    except OSError as error:
        problem = f"is damaged and cannot be set aside: {error.strerror}"
        raise JournalUnavailable(str(path), problem) from None
    return aside


def is_there(path: Path) -> bool:
    """Whether there is a journal, or what belongs to one."""
    return any(each.exists() for each in (path, *_companions(path)))


def wal_of(path: Path) -> Path:
    """The write-ahead log of the journal at `path`."""
    return path.with_name(f"{path.name}-wal")


def base36(number: int) -> str:
    """`number` in digits and small letters."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def trouble(path: Path, error: sqlite3.Error) -> JournalError:
    """What SQLite says, as an error that says what to do."""
    if _primary_code(error) in _HELD:
        return JournalInUse(str(path))
    return JournalUnavailable(str(path), problem_of(error))


def problem_of(error: sqlite3.Error) -> str:
    """What keeps SQLite from writing, and what to do."""
    unknown = f"its disk fails; look at it ({_code_name(error)})"
    return _HINTS.get(_primary_code(error), unknown)


def _refuses_to_write(error: sqlite3.Error, path: Path) -> bool:
    """Whether SQLite takes a file for read-only that the system lets us write."""
    return _primary_code(error) == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK)


def _check_bytes(path: Path) -> None:
    if not path.exists():
        raise Damaged("the file is missing, though its log is there")
    if path.stat().st_size < _SMALLEST_DATABASE:
        raise Damaged("the file is cut short")
    log = wal_of(path)
    if log.exists() and wal.is_damaged(log.read_bytes()):
        raise Damaged("its write-ahead log has a broken frame")


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.chmod(0o600)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
    except OSError as error:
        raise JournalUnavailable(str(path), f"cannot be opened: {error.strerror}") from None
    except sqlite3.Error as error:
        raise trouble(path, error) from None
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    # Exclusive: no -shm file, and a second lock. The log is emptied by hand: see wal.is_damaged.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=ON")


def _checked_head(connection: sqlite3.Connection, path: Path) -> Head:
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        raise Damaged("its header is wrong")
    if connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        raise Damaged("its pages do not fit together")
    found = connection.execute(rows.HEADS).fetchall()
    if len(found) != 1:
        raise Damaged("its first row is missing")
    head = rows.checked_head(found[0])
    if head.version > rows.SCHEMA_VERSION:
        raise JournalError(str(path), "was written by a newer foxtrot; use that one")
    marks = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    tables = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    if marks != [_APPLICATION_ID, rows.SCHEMA_VERSION] or dict(tables) != rows.SCHEMA:
        raise Damaged("its tables are not the journal's")
    return head


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _code_name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)


def _is_damage(error: sqlite3.Error) -> bool:
    return _primary_code(error) not in _UNREACHABLE | _HELD


def _companions(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in _COMPANIONS)


def _make_file(path: Path) -> None:
    # O_EXCL: to open and close a file that SQLite holds would end its lock.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
