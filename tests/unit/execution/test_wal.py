"""A log that ends in the middle is torn; one that is broken further up is damaged."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from foxtrot.execution.wal import is_damaged


@pytest.fixture
def log(tmp_path: Path) -> bytes:
    """A log of a few transactions, as SQLite writes it."""
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE t (x)")
        for number in range(5):
            connection.execute("INSERT INTO t VALUES (?)", (str(number) * 3000,))
        return (tmp_path / "x.db-wal").read_bytes()


def test_a_log_as_sqlite_writes_it_is_whole(log: bytes) -> None:
    """Also an empty one."""
    assert len(log) > 5 * 4096
    assert not is_damaged(log)
    assert not is_damaged(b"")


def test_a_log_cut_anywhere_is_torn_only(log: bytes) -> None:
    """That is what a process killed within a write leaves behind."""
    assert not any(is_damaged(log[:size]) for size in range(0, len(log), 97))


def test_zeros_at_the_end_are_torn_only(log: bytes) -> None:
    """Some file systems have grown a file, but not filled it, when the power goes."""
    assert not is_damaged(log + bytes(5000))
    assert not is_damaged(bytes(5000))


def test_one_flipped_bit_anywhere_is_damage(log: bytes) -> None:
    """In the header, in a frame's header, in a page, in the last frame as in the first."""
    source = random.Random(7)
    places = [*range(80), *range(len(log) - 80, len(log)), *range(80, len(log) - 80, 61)]
    for place in places:
        flipped = bytearray(log)
        flipped[place] ^= 1 << source.randrange(8)
        assert is_damaged(bytes(flipped)), f"byte {place}"


def test_a_frame_that_is_missing_from_the_middle_is_damage(log: bytes) -> None:
    """Each checksum goes on from the one before."""
    frame = 24 + 4096
    assert is_damaged(log[: 32 + frame] + log[32 + 2 * frame :])


def test_what_is_no_log_is_damage() -> None:
    """A file of somebody else in its place."""
    assert is_damaged(b"\x89PNG" * 100)
