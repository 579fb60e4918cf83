"""A journal is one process's, private, and believed only as long as it is whole."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from foxtrot.errors import Action, JournalError, JournalInUse, JournalUnavailable
from foxtrot.execution.journal import Journal
from tests.support.clock import ManualClock
from tests.support.journals import (
    TIMEOUT_S,
    Opener,
    as_after_a_kill,
    fill,
    intend,
    intent,
    run,
)

HOLD = """
import sys
from pathlib import Path
from foxtrot.execution.journal import Journal
journal = Journal.open(Path(sys.argv[1]), "main")
print("open", flush=True)
sys.stdin.readline()
"""


INTEND = """
import itertools, sys
from pathlib import Path
from foxtrot.execution.journal import Journal
from tests.support.journals import fill, intend, outcome
from foxtrot.execution.reports import OrderState
journal = Journal.open(Path(sys.argv[1]), "main")
for number in itertools.count(1):
    order = intend(journal)
    filled = number % 3 == 0
    if filled:
        journal.record([outcome(order, OrderState.FILLED)], [fill(order.orderid, number)])
    print(order.orderid, number if filled else 0, flush=True)
"""


READ_ONLY = """
import os, sys
from pathlib import Path
from foxtrot.errors import JournalUnavailable
from foxtrot.execution.journal import Journal
import foxtrot.core.directories
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    Journal.open(Path(sys.argv[1]), "main")
except JournalUnavailable as error:
    print(error)
"""


@contextlib.contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs `code`, killed at the end."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def a_journal(directory: Path) -> contextlib.closing[Journal]:
    """The journal, open for a block."""
    return contextlib.closing(Journal.open(directory, "main"))


def test_a_second_opening_is_refused_at_once(opened: Opener, tmp_path: Path) -> None:
    """Also in the same process; another account is free, and so is this one after closing."""
    journal = opened()
    with pytest.raises(JournalInUse, match="stop the other foxtrot") as refusal:
        Journal.open(tmp_path, "main")
    assert refusal.value.action is Action.STOP
    intend(journal)
    opened("other")
    journal.close()
    assert len(opened().open_records()) == 1


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    """No lock is left behind by a process that was killed."""
    with process(HOLD, str(tmp_path)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(JournalInUse):
            Journal.open(tmp_path, "main")
        child.kill()
        child.wait(TIMEOUT_S)
    Journal.open(tmp_path, "main").close()


def test_a_refused_opening_leaves_the_lock_alone(tmp_path: Path) -> None:
    """Trying twice does not open the door: the first holder keeps it."""
    with process(HOLD, str(tmp_path)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        for _ in range(2):
            with pytest.raises(JournalInUse):
                Journal.open(tmp_path, "main")
    with a_journal(tmp_path), process(HOLD, str(tmp_path)) as child:
        with pytest.raises(JournalInUse):
            Journal.open(tmp_path, "main")
        assert child.stdout is not None
        assert child.stdout.readline() == ""


def test_a_lost_lock_file_opens_no_door(tmp_path: Path) -> None:
    """Somebody tidied up while foxtrot ran: the journal itself is locked too."""
    with a_journal(tmp_path) as journal:
        kept = intend(journal)
        journal.path.with_suffix(".lock").unlink()
        with pytest.raises(JournalInUse):
            Journal.open(tmp_path, "main")
        with process(HOLD, str(tmp_path)) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == ""
        other = intend(journal)
    with a_journal(tmp_path) as journal:
        assert {record.intent for record in journal.open_records()} == {kept, other}


@pytest.mark.parametrize("count", [1, 2, 31, 400])
def test_a_killed_process_has_lost_nothing(opened: Opener, tmp_path: Path, count: int) -> None:
    """All that was written before SIGKILL is there, also across a checkpoint of the log."""
    lines = []
    with process(INTEND, str(tmp_path)) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline().split() for _ in range(count)]
        child.kill()
        child.wait(TIMEOUT_S)
    journal = opened()
    assert journal.set_aside is None
    still_open = {record.orderid for record in journal.open_records()}
    assert {orderid for orderid, trade in lines if trade == "0"} <= still_open
    assert {("BTCUSDT", trade) for _, trade in lines if trade != "0"} <= journal.trade_keys()
    assert not still_open & {orderid for orderid, trade in lines if trade != "0"}
    assert journal.next_orderid() not in {orderid for orderid, _ in lines}


def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """The error names the place; no traceback, no journal in memory."""
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    (line,) = run(READ_ONLY, str(locked))
    assert str(locked) in line
    assert "Permission denied" in line


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    """The same for a path that leads nowhere."""
    (tmp_path / "journal").write_text("")
    with pytest.raises(JournalUnavailable, match="cannot be made"):
        Journal.open(tmp_path, "main")


@pytest.mark.parametrize("name", ["main.db", "main.lock"])
def test_a_directory_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    """And nothing is kept open by the attempt."""
    (tmp_path / "journal" / name).mkdir(parents=True)
    with pytest.raises(JournalUnavailable, match="move it out of the way"):
        Journal.open(tmp_path, "main")
    (tmp_path / "journal" / name).rmdir()
    Journal.open(tmp_path, "main").close()


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600 from their first byte, whatever the umask."""
    before = os.umask(0)
    try:
        with a_journal(tmp_path / "data" / "foxtrot") as journal:
            intend(journal)
            found = {p: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "data").rglob("*")}
    finally:
        os.umask(before)
    assert journal.path.with_name("main.db-wal") in found
    assert {
        path for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)
    } == (set())


def test_a_damaged_journal_is_set_aside(opened: Opener, tmp_path: Path) -> None:
    """The file is kept under another name, a new one begun with ids of its own."""
    journal = opened()
    intend(journal)
    journal.close()
    journal.path.write_bytes(b"not what it was" * 1000)
    damaged = journal.path.read_bytes()
    fresh = opened(clock=ManualClock())
    assert fresh.set_aside is not None
    assert fresh.set_aside.name == "main.db.damaged-20231114T221320-1"
    assert fresh.set_aside.read_bytes() == damaged
    assert fresh.open_records() == []
    assert fresh.prefix != journal.prefix
    intend(fresh)
    fresh.close()
    again = opened()
    assert again.set_aside is None
    assert len(again.open_records()) == 1


@pytest.mark.parametrize("table", ["orders", "fills"])
def test_a_row_that_vanished_from_its_page_is_damage(opened: Opener, table: str) -> None:
    """The rows that are left are each right, and yet it is not what was written."""
    journal = opened()
    for number in range(3):
        journal.record([], [fill(intend(journal).orderid, number)])
    journal.close()
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        ((page,),) = connection.execute(query, (table,)).fetchall()
    data = bytearray(journal.path.read_bytes())
    count = (page - 1) * 4096 + 4  # the low byte of the number of cells of a page
    assert data[count] == 3
    data[count] = 2
    journal.path.write_bytes(data)
    assert opened().set_aside


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        (b"symbol TEXT NOT NULL", b"symbol TEXT NOT N\xd9LL"),
        (b"symbol TEXT NOT NULL", b"symbol TEYT NOT NULL"),
        (b"SQLite format 3\0\x10\0\2\2", b"SQLite format 3\0\x10\0\1\1"),
    ],
    ids=["words that cannot be read", "another type", "not in WAL mode"],
)
def test_a_file_that_is_made_otherwise_is_damage(opened: Opener, was: bytes, is_: bytes) -> None:
    """Also where SQLite would take it."""
    journal = opened()
    journal.close()
    data = journal.path.read_bytes()
    broken = data.replace(was, is_, 1)
    assert broken != data
    assert len(broken) == len(data)
    journal.path.write_bytes(broken)
    assert opened().set_aside


def test_two_damaged_journals_of_one_second_are_both_kept(opened: Opener, tmp_path: Path) -> None:
    """Nothing that was set aside is overwritten."""
    for _ in range(2):
        opened(clock=ManualClock()).close()
        (tmp_path / "journal" / "main.db").write_bytes(b"x" * 4096)
    opened(clock=ManualClock())
    assert len(list((tmp_path / "journal").glob("main.db.damaged-*"))) == 2


def test_a_log_without_its_journal_is_set_aside(opened: Opener, tmp_path: Path) -> None:
    """Its frames belong to a file that is gone; they must not flow into a new one."""
    journal = opened()
    intend(journal)
    copy = as_after_a_kill(journal, tmp_path / "copy")
    copy.unlink()
    with contextlib.closing(Journal.open(tmp_path / "copy", "main")) as fresh:
        assert fresh.set_aside is not None
        assert fresh.set_aside.with_name(fresh.set_aside.name + "-wal").exists()
        assert fresh.open_records() == []


@pytest.mark.parametrize("damage", ["log", "file"])
def test_the_log_of_a_damaged_journal_is_kept_whole(
    opened: Opener, tmp_path: Path, damage: str
) -> None:
    """Somebody may want to look; so nothing is written into what is set aside."""
    journal = opened()
    for _ in range(5):
        intend(journal)
    copy = as_after_a_kill(journal, tmp_path / "copy")
    log = bytearray(copy.with_name("main.db-wal").read_bytes())
    if damage == "log":
        log[5000] ^= 1
        copy.with_name("main.db-wal").write_bytes(log)
    else:
        copy.write_bytes(b"")
    with contextlib.closing(Journal.open(tmp_path / "copy", "main")) as fresh:
        assert fresh.set_aside is not None
        assert fresh.set_aside.with_name(fresh.set_aside.name + "-wal").read_bytes() == log


@pytest.mark.parametrize("torn", [0, 10, 24, 1000, 4120, 3 * 4120 + 100])
def test_a_torn_write_is_not_damage(opened: Opener, tmp_path: Path, torn: int) -> None:
    """A process killed within a write leaves parts of it, and all that was committed before.

    That holds for another kill soon after too.
    """
    journal = opened()
    order = intend(journal)
    whole = journal.path.with_name("main.db-wal").stat().st_size
    large = intent(journal.next_orderid())
    request = msgspec.structs.replace(large.request, reference="x" * 40_000)
    journal.intend(msgspec.structs.replace(large, request=request))
    copy = as_after_a_kill(journal, tmp_path / "copy")
    os.truncate(copy.with_name("main.db-wal"), whole + torn)
    with a_journal(tmp_path / "copy") as again:
        assert again.set_aside is None
        assert [record.intent for record in again.open_records()] == [order]
        intend(again)
        as_after_a_kill(again, tmp_path / "again")
    with a_journal(tmp_path / "again") as again:
        assert again.set_aside is None
        assert len(again.open_records()) == 2


def test_a_journal_of_a_newer_foxtrot_is_left_alone(opened: Opener) -> None:
    """It is refused in words, and not a byte of it is changed."""
    journal = opened()
    journal.close()
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        (body,) = connection.execute("SELECT body FROM head").fetchone()
        newer = body.replace(b'"version":1', b'"version":2')
        assert newer != body
        import zlib

        connection.execute("UPDATE head SET body = ?, crc = ?", (newer, zlib.crc32(newer)))
        connection.execute("PRAGMA user_version = 2")
        connection.execute("CREATE TABLE novelty (x)")
        connection.commit()
    before = journal.path.read_bytes()
    with pytest.raises(JournalError, match="newer foxtrot; use that one") as refusal:
        opened()
    assert refusal.value.action is Action.STOP
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("part", ["", "main.db", "main.lock"])
def test_symbolic_links_are_refused(tmp_path: Path, part: str) -> None:
    """The journal is within the data directory, not where a link leads."""
    outside, place = tmp_path / "outside", tmp_path / "data" / "journal"
    place.parent.mkdir()
    if part:
        place.mkdir()
        outside.touch()
        (place / part).symlink_to(outside)
    else:
        outside.mkdir()
        place.symlink_to(outside)
    with pytest.raises(JournalUnavailable, match="move it out of the way"):
        Journal.open(tmp_path / "data", "main")


KEY = "Zx9" * 20


@pytest.mark.parametrize(
    "account", ["../../etc/passwd", "Main", "a" * 65, "", "main.", "x\x00y", "\ud800", KEY, "ß"]
)
def test_any_account_name_makes_a_file_of_its_own(
    opened: Opener, tmp_path: Path, account: str
) -> None:
    """Names that are no file names, or may be secrets, are replaced by a digest."""
    journal = opened(account)
    assert journal.path.parent == tmp_path / "journal"
    assert len(journal.path.stem) == 24
    assert journal.path.stem.startswith("account-")
    journal.close()
    assert opened(account).path == journal.path


def test_a_plain_account_name_is_the_files_name(opened: Opener, tmp_path: Path) -> None:
    """So that people find it."""
    assert opened("binance-testnet_1").path == tmp_path / "journal" / "binance-testnet_1.db"
