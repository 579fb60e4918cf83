"""Whatever happens to the bytes on the disk: all that was committed is there, or it is told."""

import contextlib
import functools
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from foxtrot.execution.journal import Journal
from foxtrot.execution.reports import FillReport, OrderRecord, OrderState
from tests.support.journals import as_after_a_kill, fill, intend, outcome

Files = tuple[bytes, bytes]
Content = tuple[str, int, tuple[OrderRecord, ...], tuple[FillReport, ...]]

COMMITS = 24
MEMORY = Path("/dev/shm")  # a place where a synchronised write costs nothing, if there is one
on_disk = settings(max_examples=100, deadline=None)


def content(journal: Journal) -> Content:
    """All that a journal knows, closed orders excepted."""
    orders = tuple(journal.open_records())
    keys = [journal.fills_of([f"{journal.prefix}-1-{n:x}"]) for n in range(1, 16)]
    fills = tuple(found for part in keys for found in part)
    return journal.prefix, journal.last_seen_ns, orders, fills


@functools.cache
def journals() -> tuple[list[Files], list[Content], Files, Content]:
    """The files after each commit of a run as a kill would leave them, then after a good end."""
    with folder() as name:
        journal = Journal.open(Path(name), "main")
        files, contents = [read(as_after_a_kill(journal, Path(name) / "copy"))], [content(journal)]
        for number in range(1, COMMITS + 1):
            if number % 3:
                order = intend(journal, created_ns=number)
            else:
                journal.record(
                    [outcome(order, OrderState.FILLED)], [fill(order.orderid, number)] * 2
                )
            files.append(read(as_after_a_kill(journal, Path(name) / "copy")))
            contents.append(content(journal))
        journal.close()
        return files, contents, (journal.path.read_bytes(), b""), contents[-1]


def folder() -> tempfile.TemporaryDirectory[str]:
    """A data directory for one example."""
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


def read(path: Path) -> Files:
    """The journal's file and its log."""
    return path.read_bytes(), path.with_name("main.db-wal").read_bytes()


def reopened(files: Files) -> Content | None:
    """What is found in `files`; None if the journal set them aside."""
    with folder() as name:
        place = Path(name) / "journal"
        place.mkdir()
        for suffix, data in zip(("main.db", "main.db-wal"), files, strict=True):
            (place / suffix).write_bytes(data)
        with contextlib.closing(Journal.open(Path(name), "main")) as journal:
            return None if journal.set_aside else content(journal)


def flipped(data: bytes, place: float, mask: int) -> bytes:
    """`data` with one byte changed, at that share of its length."""
    changed = bytearray(data)
    changed[int(place * len(data))] ^= mask
    return bytes(changed)


PLACES = st.floats(0, 1, exclude_max=True)
MASKS = st.integers(1, 255)


@on_disk
@given(st.integers(0, COMMITS))
def test_a_kill_after_any_commit_loses_nothing(commits: int) -> None:
    """The files as they are at that moment hold everything."""
    files, contents, _, _ = journals()
    assert reopened(files[commits]) == contents[commits]


@on_disk
@given(PLACES, MASKS)
@example(0.0, 1)
def test_a_flipped_byte_of_a_closed_journal_is_found(place: float, mask: int) -> None:
    """Or does not matter: it is in a place that holds nothing."""
    _, _, (main, log), whole = journals()
    assert reopened((flipped(main, place, mask), log)) in (None, whole)


@on_disk
@given(PLACES, MASKS, st.integers(0, COMMITS))
@example(18 / 20_480, 1, 0)
def test_a_flipped_byte_under_a_log_is_found(place: float, mask: int, commits: int) -> None:
    """Or does not matter: the log holds a newer page."""
    files, contents, _, _ = journals()
    main, log = files[commits]
    assert reopened((flipped(main, place, mask), log)) in (None, contents[commits])


@on_disk
@given(PLACES, MASKS, st.integers(1, COMMITS))
def test_a_flipped_byte_of_a_log_is_found(place: float, mask: int, commits: int) -> None:
    """No commit is passed over in silence, be it the last or the first."""
    files, _, _, _ = journals()
    main, log = files[commits]
    assert reopened((main, flipped(log, place, mask))) is None


@on_disk
@given(PLACES)
def test_a_journal_cut_short_is_found(place: float) -> None:
    """Wherever it is cut."""
    _, _, (main, log), _ = journals()
    assert reopened((main[: int(place * len(main))], log)) is None


@on_disk
@given(PLACES)
def test_a_log_cut_short_loses_its_end_only(place: float) -> None:
    """What is found is what was there after some commit, and never a mixture."""
    files, contents, _, _ = journals()
    main, log = files[-1]
    found = reopened((main, log[: int(place * len(log))]))
    assert found is not None
    assert found in contents
