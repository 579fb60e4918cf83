"""What commands print."""

from __future__ import annotations

import pytest

from foxtrot.app.options import show


def test_what_a_terminal_would_obey_is_printed_as_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A contract's name comes from the venue, and whoever sits at its port may say anything."""
    show(["00700.SEHK \x1b[2J腾讯\u202e", "two\nlines"])
    assert capsys.readouterr().out == "00700.SEHK \\x1b[2J腾讯\\u202e\ntwo\nlines\n"
