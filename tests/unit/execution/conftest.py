"""A journal for each test that asks for one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.execution.journal import Journal
from tests.support.journals import Opener


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens the journal of an account, and closes it after the test."""
    with contextlib.ExitStack() as stack:

        def open_(account: str = "main", **options: object) -> Journal:
            journal = Journal.open(tmp_path, account, **options)  # type: ignore[arg-type]
            stack.callback(journal.close)
            return journal

        yield open_
