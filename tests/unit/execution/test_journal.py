"""What is written down stays written down, and what cannot be written is refused in words."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from foxtrot.errors import JournalUnavailable
from foxtrot.execution import journal as journal_module
from foxtrot.execution.journal import Durability
from foxtrot.execution.reports import OrderRecord, OrderState
from foxtrot.model.constants import Exchange
from tests.support.clock import ManualClock
from tests.support.journals import TIMEOUT_S, Opener, fill, intend, intent, outcome, run

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
TORN = """
import os, resource, sys
from pathlib import Path
import msgspec
from foxtrot.errors import JournalUnavailable
from foxtrot.execution.journal import Journal
from tests.support.journals import intend, intent
journal = Journal.open(Path(sys.argv[1]), "main")
intend(journal)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
size = journal.path.with_name("main.db-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4 * 4120, most))
order = intent(journal.next_orderid())
request = msgspec.structs.replace(order.request, reference="x" * 40_000)
try:
    journal.intend(msgspec.structs.replace(order, request=request))
except JournalUnavailable:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
intend(journal)
print("written", flush=True)
os.kill(os.getpid(), 9)
"""


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


def test_fills_are_found_by_order(opened: Opener) -> None:
    """Fills come oldest first, each once, however often they were recorded."""
    journal = opened()
    order, other = intend(journal), intend(journal)
    fills = [fill(order.orderid, number) for number in (11, 9, 10)]
    journal.record([], [*fills, fill(other.orderid, 12)])
    journal.record([], fills)
    assert journal.fills_of([order.orderid]) == sorted(fills, key=lambda each: each.ts_ns)
    assert journal.fills_of([]) == []


def test_trade_keys_come_oldest_first(opened: Opener) -> None:
    """Who has room for some of them keeps the newest, which a venue may show again."""
    journal = opened()
    numbers = [3, 9, 1, 12, 6, 11]
    journal.record([], [fill("a", number) for number in numbers])
    assert [int(key) for _, key in journal.trade_keys()] == sorted(numbers)


def test_trade_keys_are_for_not_telling_a_fill_twice(opened: Opener) -> None:
    """A trade id counts within its symbol, and since a time."""
    journal = opened()
    journal.record([], [fill("a", 1), fill("a", 1, symbol="ETHUSDT"), fill("a", 5)])
    journal.close()
    journal = opened()
    assert journal.trade_keys() == {("BTCUSDT", "1"), ("ETHUSDT", "1"), ("BTCUSDT", "5")}
    assert journal.trade_keys(since_ns=5) == {("BTCUSDT", "5")}


def test_orders_that_ended_lately_can_be_asked_for(opened: Opener) -> None:
    """A fill of theirs may have been missed; what is open, or ended long ago, is not among them."""
    journal = opened()
    intend(journal)
    old, young = intend(journal), intend(journal)
    for order, time_ns in ((old, 10), (young, 20)):
        journal.record([outcome(order, OrderState.CANCELED, updated_ns=time_ns)])
    assert [each.orderid for each in journal.ended_since(20)] == [young.orderid]


def test_symbols_of_interest_are_those_we_dealt_in(opened: Opener) -> None:
    """Open orders always count, closed ones and fills if they are young enough."""
    journal = opened()
    intend(journal, symbol="OPEN", created_ns=1)
    for symbol, time_ns in (("OLD", 10), ("YOUNG", 20)):
        order = intend(journal, symbol=symbol)
        journal.record([outcome(order, OrderState.CANCELED, updated_ns=time_ns)])
    journal.record([], [fill("ext-1", 12, symbol="OLDFILL"), fill("ext-1", 22, symbol="FILL")])
    wanted = {(symbol, Exchange.BINANCE) for symbol in ("OPEN", "YOUNG", "FILL")}
    assert journal.symbols_of_interest(since_ns=20) == wanted
    journal.close()
    assert opened().symbols_of_interest(since_ns=20) == wanted


def test_the_file_is_not_read_for_symbols_of_interest(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are asked for once a minute, and all orders of a busy day would hold up the loop."""
    journal = opened()
    order = intend(journal)
    journal.record([outcome(order, OrderState.FILLED)], [fill(order.orderid, 7)])
    for name in ("checked_order", "checked_fill"):
        monkeypatch.delattr(journal_module.rows, name)
    assert journal.symbols_of_interest() == {("BTCUSDT", Exchange.BINANCE)}


def test_ids_are_never_given_twice(opened: Opener) -> None:
    """An id names the journal, the run and the order, and fits what venues take."""
    ids: list[str] = []
    for account in ("main", "main", "other"):
        journal = opened(account)
        with ThreadPoolExecutor(4) as pool:
            ids += pool.map(lambda _: journal.next_orderid(), range(500))  # noqa: B023
        journal.close()
    assert len(set(ids)) == 1500
    assert all(len(i) <= 36 and set(i) <= set("0123456789abcdefghijklmnopqrstuvwxyz-") for i in ids)
    prefix = journal_prefix(ids[500])
    assert {f"{prefix}-1-1", f"{prefix}-2-10"} <= set(ids)
    assert not any(each.startswith(f"{prefix}-") for each in ids[1000:])


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


def test_what_is_newer_is_never_written_over(opened: Opener) -> None:
    """Threads that send orders write beside the loop, and bring back no older state of an order."""
    journal, done = opened(), threading.Event()

    def send() -> None:
        while not done.is_set():
            intend(journal)

    with ThreadPoolExecutor(3) as pool:
        senders = [pool.submit(send) for _ in range(3)]
        closed = [intend(journal) for _ in range(200)]
        for order in closed:
            journal.record([outcome(order, OrderState.ACCEPTED)])
            journal.record([outcome(order, OrderState.FILLED)])
        done.set()
        for sender in senders:
            sender.result(TIMEOUT_S)
    journal.close()
    found = {record.orderid for record in opened().open_records()}
    assert not found & {order.orderid for order in closed}


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


def test_a_refused_order_leaves_nothing_behind_a_later_one(opened: Opener, tmp_path: Path) -> None:
    """What it left in the log before the disk was full is not taken for damage after a kill."""
    assert run(TORN, str(tmp_path)) == ["refused", "written"]
    journal = opened()
    assert journal.set_aside is None
    assert len(journal.open_records()) == 2


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


def test_an_interrupt_within_a_write_leaves_nothing_half_done(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody presses Ctrl-C at that moment; the next write is as good as any."""
    journal = opened()

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.rows, "fill_row", interrupt)
        with pytest.raises(KeyboardInterrupt):
            journal.record([], [fill("a", 1)])
    intend(journal)
    assert journal.trouble == ""
    assert journal.trade_keys() == {("BTCUSDT", "1")}


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
