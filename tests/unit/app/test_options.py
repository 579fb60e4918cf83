"""What commands print."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from foxtrot.app.cli import app
from foxtrot.app.options import show


def test_what_a_terminal_would_obey_is_printed_as_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A contract's name comes from the venue, and whoever sits at its port may say anything."""
    show(["00700.SEHK \x1b[2J腾讯\u202e", "two\nlines"])
    assert capsys.readouterr().out == "00700.SEHK \\x1b[2J腾讯\\u202e\ntwo\nlines\n"


@pytest.mark.parametrize("command", [("ib", "status"), ("futu", "quota"), ("sim",)])
def test_json_in_a_pipe_is_promised_only_where_it_comes(command: tuple[str, ...]) -> None:
    """A command that prints words into a pipe, too, does not say that it prints JSON there."""
    helped = CliRunner().invoke(app, [*command, "--help"])
    assert "--json" in helped.stdout
    assert "piped" not in helped.stdout
