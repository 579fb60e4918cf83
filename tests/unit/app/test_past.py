"""Bars of the past as CSV: where they are written, and what is left where they cannot be."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from foxtrot.app.past import Query, write_csv
from foxtrot.core.event_engine import Handler
from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import BridgeTimeout, FoxtrotError
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from tests.support.fake_adapter import FakeAdapter

HEAD = b"datetime,open,high,low,close,volume,turnover\n"
QUERY = Query("BTCUSDT", datetime(2026, 1, 1, tzinfo=UTC), None, Interval.DAILY)


class Archive:
    """As much of an engine as a history needs; it has no bars."""

    def register(self, type: str, handler: Handler) -> None:
        """Say nothing."""

    def adapter(self, name: str) -> type[FakeAdapter]:
        """Who knows the exchanges."""
        return FakeAdapter

    def query_history(self, request: HistoryRequest, *rest: object) -> list[BarData]:
        """No bars."""
        assert request.exchange is Exchange.BINANCE
        return []


def write(target: Path) -> None:
    """Write a history of no bars."""

    def opened(stack: ExitStack) -> tuple[MainEngine, str]:
        return cast(MainEngine, Archive()), "FAKE"

    write_csv(QUERY, opened, target)


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    """A file takes its name when it is whole; a device or a pipe keeps what it is."""
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        write(pipe)
        assert reader.read() == HEAD
    assert pipe.is_fifo()
    write(file)
    assert file.read_bytes() == HEAD


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "Is a directory"), ("no/file", "No such file")],
)
def test_what_cannot_be_written_is_said_in_words(tmp_path: Path, name: str, problem: str) -> None:
    """A directory, a path that is not there: one line, and no half file."""
    with pytest.raises(FoxtrotError, match=f"cannot be written: {problem}"):
        write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_in_words() -> None:
    """Bars that are not on the disk are no success."""
    full = os.open("/dev/full", os.O_WRONLY)  # under another name, that nothing can replace
    with os.fdopen(full), pytest.raises(FoxtrotError, match="No space left on device"):
        write(Path(f"/dev/fd/{full}"))


def test_a_venue_that_is_too_slow_is_said_in_words(tmp_path: Path) -> None:
    """Who waits ten minutes learns that the venue did not answer, not that a file is at fault."""

    class Slow(Archive):
        def query_history(self, request: HistoryRequest, *rest: object) -> list[BarData]:
            raise BridgeTimeout("fetch_history", 600.0)

    def opened(stack: ExitStack) -> tuple[MainEngine, str]:
        return cast(MainEngine, Slow()), "FAKE"

    with pytest.raises(BridgeTimeout, match="did not finish within 600 s"):
        write_csv(QUERY, opened, tmp_path / "bars.csv")
    assert list(tmp_path.iterdir()) == []
