"""What is written down stays written down, and what cannot be written is refused in words."""

import contextlib
import math
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from foxtrot.errors import Action, JournalError, JournalInUse, JournalUnavailable
from foxtrot.execution import journal as journal_module
from foxtrot.execution.journal import Durability, Journal
from foxtrot.execution.reports import OrderRecord, OrderState
from foxtrot.model.constants import Exchange
from tests.support.clock import ManualClock
from tests.support.journals import as_after_a_kill, fill, intend, intent, outcome

TIMEOUT_S = 20
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
FULL = """
import os, resource, sys
from pathlib import Path
from foxtrot.errors import JournalUnavailable
from foxtrot.execution.journal import Journal
from foxtrot.execution.reports import OrderState
from tests.support.journals import fill, intend, outcome
journal = Journal.open(Path(sys.argv[1]), "main")
orders = [intend(journal) for _ in range(5)]
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
size = journal.path.with_name("main.db-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), most))
for order in orders[:3]:
    filled = outcome(order, OrderState.FILLED)
    journal.record([filled], [fill(order.orderid, 7), fill(order.orderid, 8)])
try:
    intend(journal)
except JournalUnavailable as error:
    print(error.problem)
print(len(journal.open_records()), len(journal.trade_keys()), bool(journal.trouble))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
intend(journal)
print(repr(journal.trouble), flush=True)
os.kill(os.getpid(), 9)
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


def run(code: str, *arguments: str) -> list[str]:
    """The lines that `code` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
    )
    return done.stdout.splitlines()


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


Opener = Callable[..., Journal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens the journal of an account, and closes it after the test."""
    with contextlib.ExitStack() as stack:

        def open_(account: str = "main", **options: object) -> Journal:
            journal = Journal.open(tmp_path, account, **options)  # type: ignore[arg-type]
            stack.callback(journal.close)
            return journal

        yield open_


def test_intents_are_there_at_the_next_opening(opened: Opener) -> None:
    """An intent is found again as it was written, its numbers exact."""
    journal = opened()
    order = intend(journal, created_ns=5)
    journal.close()
    (record,) = opened().open_records()
    assert record == OrderRecord(order, OrderState.INTENT, 5)
    assert record.volume == Decimal("0.5")


def test_open_orders_come_oldest_first(opened: Opener) -> None:
    """They are told again in the order in which they were sent."""
    journal = opened()
    orders = [intend(journal, created_ns=100 - number) for number in range(40)]
    journal.close()
    assert [r.intent for r in opened().open_records()] == orders[::-1]


def test_records_replace_what_was_known(opened: Opener) -> None:
    """The newest record of an order is kept, and a closed order is open no more."""
    journal = opened()
    first, second = intend(journal), intend(journal)
    accepted = msgspec.structs.replace(outcome(first, OrderState.ACCEPTED), traded=Decimal("0.10"))
    journal.record([accepted, outcome(second, OrderState.REJECTED)])
    assert journal.open_records() == [accepted]
    journal.close()
    assert opened().open_records() == [accepted]


def test_external_orders_are_kept_too(opened: Opener) -> None:
    """An order that somebody else sent is recorded without an intent before it."""
    journal = opened()
    order = outcome(intent("ext-8"), OrderState.ACCEPTED)
    external = msgspec.structs.replace(order, external=True)
    journal.record([external])
    journal.close()
    journal = opened()
    assert journal.open_records() == [external]
    assert not journal.owns("ext-8")


def test_fills_are_found_by_order(opened: Opener) -> None:
    """Fills come oldest first, each once, however often they were recorded."""
    journal = opened()
    order, other = intend(journal), intend(journal)
    fills = [fill(order.orderid, number) for number in (11, 9, 10)]
    journal.record([], [*fills, fill(other.orderid, 12)])
    journal.record([], fills)
    assert journal.fills_of([order.orderid]) == sorted(fills, key=lambda each: each.ts_ns)
    assert journal.fills_of([]) == []


def test_trade_keys_are_for_not_telling_a_fill_twice(opened: Opener) -> None:
    """A trade id counts within its symbol, and since a time."""
    journal = opened()
    journal.record([], [fill("a", 1), fill("a", 1, symbol="ETHUSDT"), fill("a", 5)])
    journal.close()
    journal = opened()
    assert journal.trade_keys() == {("BTCUSDT", "1"), ("ETHUSDT", "1"), ("BTCUSDT", "5")}
    assert journal.trade_keys(since_ns=5) == {("BTCUSDT", "5")}


def test_the_newest_fill_of_a_symbol_is_known(opened: Opener) -> None:
    """It says from when on the venue is asked for more; 0 where there is none."""
    journal = opened()
    journal.record([], [fill("a", 9), fill("a", 3), fill("b", 20, symbol="ETHUSDT")])
    assert journal.last_fill_ns("BTCUSDT") == 9
    assert journal.last_fill_ns("SOLUSDT") == 0


def test_symbols_of_interest_are_those_we_dealt_in(opened: Opener) -> None:
    """Open orders always count, closed ones and fills if they are young enough."""
    journal = opened()
    intend(journal, symbol="OPEN", created_ns=1)
    for symbol, time_ns in (("OLD", 10), ("YOUNG", 20)):
        order = intend(journal, symbol=symbol)
        journal.record([outcome(order, OrderState.CANCELED, updated_ns=time_ns)])
    journal.record([], [fill("ext-1", 12, symbol="OLDFILL"), fill("ext-1", 22, symbol="FILL")])
    found = journal.symbols_of_interest(since_ns=20)
    assert found == {(symbol, Exchange.BINANCE) for symbol in ("OPEN", "YOUNG", "FILL")}


def test_ids_are_never_given_twice(opened: Opener) -> None:
    """An id names the journal, the run and the order, and fits what venues take."""
    ids: list[str] = []
    for account in ("main", "main", "other"):
        journal = opened(account)
        with ThreadPoolExecutor(4) as pool:
            ids += pool.map(lambda _: journal.next_orderid(), range(500))  # noqa: B023
        assert all(journal.owns(orderid) for orderid in ids[-500:])
        journal.close()
    assert len(set(ids)) == 1500
    assert all(len(i) <= 36 and set(i) <= set("0123456789abcdefghijklmnopqrstuvwxyz-") for i in ids)
    assert ids[0].split("-") == [journal_prefix(ids[500]), "1", "1"]
    assert ids[535].split("-")[1:] == ["2", "10"]
    assert not journal.owns(ids[0])


def journal_prefix(orderid: str) -> str:
    """What an id begins with, up to the first hyphen."""
    return orderid.partition("-")[0]


def test_ten_threads_write_at_once(opened: Opener) -> None:
    """Each intent of each thread is there after it returned."""
    journal, barrier = opened(), threading.Barrier(10)

    def work(_: int) -> list[str]:
        barrier.wait(TIMEOUT_S)
        return [intend(journal).orderid for _ in range(50)]

    with ThreadPoolExecutor(10) as pool:
        ids = {orderid for part in pool.map(work, range(10)) for orderid in part}
    journal.close()
    assert {record.orderid for record in opened().open_records()} == ids
    assert len(ids) == 500


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


def a_journal(directory: Path) -> contextlib.closing[Journal]:
    """The journal, open for a block."""
    return contextlib.closing(Journal.open(directory, "main"))


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


@pytest.mark.parametrize("room", [0, 30, 4500])
def test_a_full_disk_refuses_orders_until_there_is_space(
    opened: Opener, tmp_path: Path, room: int
) -> None:
    """What became of orders meanwhile is remembered and written with the next success."""
    problem, known, trouble = run(FULL, str(tmp_path), str(room))
    assert "look at it (SQLITE_IOERR_WRITE)" in problem
    assert known.split() == ["2", "2", "True"]
    assert trouble == "''"
    journal = opened()
    assert journal.set_aside is None
    assert len(journal.open_records()) == 3
    assert journal.trade_keys() == {("BTCUSDT", "7"), ("BTCUSDT", "8")}


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


def test_a_journal_that_was_moved_away_is_not_written(opened: Opener, tmp_path: Path) -> None:
    """Its writes would go where nobody looks; put back, it goes on."""
    journal = opened()
    kept = intend(journal)
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    with pytest.raises(JournalUnavailable, match="put it back"):
        intend(journal)
    journal.record([outcome(kept, OrderState.ACCEPTED)])
    assert "put it back" in repr(journal)
    (tmp_path / "elsewhere").rename(tmp_path / "journal")
    other = intend(journal)
    assert journal.trouble == ""
    journal.close()
    assert {r.intent for r in opened().open_records()} == {kept, other}


def test_a_log_that_was_deleted_stops_orders(opened: Opener) -> None:
    """Without its write-ahead log a journal would forget the newest orders."""
    journal = opened()
    journal.path.with_name("main.db-wal").unlink()
    with pytest.raises(JournalUnavailable):
        intend(journal)


def test_what_cannot_be_read_back_is_not_written(opened: Opener) -> None:
    """A number that is not finite, or half a character, would spoil the whole file."""
    journal = opened()
    order = intent(journal.next_orderid())
    for change in ({"volume": math.nan}, {"price": math.inf}, {"reference": "\ud800"}):
        request = msgspec.structs.replace(order.request, **change)
        with pytest.raises(JournalError, match="not finite, or half a character") as refusal:
            journal.intend(msgspec.structs.replace(order, request=request))
        assert refusal.value.action is Action.STOP
    bad = msgspec.structs.replace(outcome(order, OrderState.ACCEPTED), traded=Decimal("NaN"))
    good = outcome(intent("ext-7"), OrderState.ACCEPTED)
    journal.record([bad, good], [fill("\udfff", 1)])
    journal.close()
    journal = opened()
    assert journal.set_aside is None
    assert journal.open_records() == [good]


def test_hostile_text_is_kept_as_it_is(opened: Opener) -> None:
    """Names of symbols and reasons come from outside."""
    journal = opened()
    text = "a\x00b'\"; DROP TABLE orders; \u202e\U0001f600\r\n" + "x" * 5000
    record = outcome(intent("ext-\x00'", symbol=text), OrderState.ACCEPTED)
    journal.record([msgspec.structs.replace(record, reason=text)], [fill(text, 1, symbol=text)])
    journal.close()
    journal = opened()
    assert journal.open_records()[0].reason == text
    assert journal.fills_of([text]) == [fill(text, 1, symbol=text)]
    assert journal.last_fill_ns(text) == 1


def test_memory_is_bounded_while_the_disk_is_away(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go first; the venue knows them still."""
    monkeypatch.setattr(journal_module, "UNSAVED_MOST", 3)
    journal = opened()
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    for number in range(5):
        journal.record([], [fill("a", number)])
    assert journal.trade_keys() == {("BTCUSDT", str(number)) for number in (2, 3, 4)}
    (tmp_path / "elsewhere").rename(tmp_path / "journal")


def test_close_writes_what_is_unsaved(opened: Opener, tmp_path: Path) -> None:
    """A last chance for what the disk refused before."""
    journal = opened()
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    journal.record([], [fill("a", 1)])
    (tmp_path / "elsewhere").rename(tmp_path / "journal")
    journal.close()
    journal.close()
    assert opened().trade_keys() == {("BTCUSDT", "1")}


def test_a_closed_journal_refuses(opened: Opener) -> None:
    """An order of a session that is over is refused in words, not by a traceback of SQLite."""
    journal = opened()
    journal.close()
    with pytest.raises(JournalUnavailable, match="is closed; connect again"):
        intend(journal)
    journal.record([], [fill("a", 1)])
    with pytest.raises(JournalUnavailable):
        journal.trade_keys()
    assert repr(journal) == "<Journal main closed open=0>"


def test_seen_is_remembered(opened: Opener) -> None:
    """A new journal has seen nothing of ours before it was begun; later it is what it was told."""
    clock = ManualClock(time_ns=1_000)
    journal = opened(clock=clock)
    assert journal.last_seen_ns == 1_000
    clock.advance(60)
    journal.close()
    journal = opened(clock=clock)
    assert journal.last_seen_ns == 1_000
    journal.seen(7_000)
    journal.close()
    assert opened().last_seen_ns == 7_000


def test_prune_forgets_only_what_is_closed_and_old(opened: Opener) -> None:
    """Open orders stay with all their fills, however old."""
    journal = opened()
    live, done, young = (intend(journal) for _ in range(3))
    journal.record(
        [
            outcome(done, OrderState.FILLED, updated_ns=10),
            outcome(young, OrderState.FILLED, updated_ns=30),
        ],
        [fill(order.orderid, number) for order, number in ((live, 1), (done, 2), (young, 3))],
    )
    assert journal.prune(before_ns=20) == 2
    assert journal.trade_keys() == {("BTCUSDT", "1"), ("BTCUSDT", "3")}
    assert [record.intent for record in journal.open_records()] == [live]
    assert journal.prune(before_ns=20) == 0


def test_power_waits_for_the_disk(opened: Opener) -> None:
    """With durability POWER every commit is synchronised, with PROCESS only checkpoints are."""
    for durability, mode in ((Durability.POWER, 2), (Durability.PROCESS, 1)):
        journal = opened(durability=durability)
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == (mode,)
        intend(journal)
        journal.close()
    assert len(opened().open_records()) == 2


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


def test_the_log_of_a_damaged_journal_is_kept_whole(opened: Opener, tmp_path: Path) -> None:
    """Somebody may want to look; so nothing is written into what is set aside."""
    journal = opened()
    for _ in range(5):
        intend(journal)
    copy = as_after_a_kill(journal, tmp_path / "copy")
    log = bytearray(copy.with_name("main.db-wal").read_bytes())
    log[5000] ^= 1
    copy.with_name("main.db-wal").write_bytes(log)
    with contextlib.closing(Journal.open(tmp_path / "copy", "main")) as fresh:
        assert fresh.set_aside is not None
        assert fresh.set_aside.with_name(fresh.set_aside.name + "-wal").read_bytes() == log


def test_a_torn_write_is_not_damage(opened: Opener, tmp_path: Path) -> None:
    """A process killed within a write leaves half a frame, and all that was committed before it."""
    journal = opened()
    order = intend(journal)
    whole = journal.path.with_name("main.db-wal").stat().st_size
    intend(journal)
    copy = as_after_a_kill(journal, tmp_path / "copy")
    for extra in (0, 10, 24, 1000):
        directory = tmp_path / str(extra)
        shutil.copytree(copy.parent, directory / "journal")
        os.truncate(directory / "journal" / "main.db-wal", whole + extra)
        for _ in range(2):
            with contextlib.closing(Journal.open(directory, "main")) as again:
                assert again.set_aside is None
                assert [record.intent for record in again.open_records()][:1] == [order]
                intend(again)


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
    with pytest.raises(JournalUnavailable, match="symbolic link"):
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
