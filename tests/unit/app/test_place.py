"""The options of a gateway, spelled once and given to every command that means one."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner

from foxtrot.app.futu import FutuPlace, OpendPlace
from foxtrot.app.options import Json
from foxtrot.app.place import placed

app = typer.Typer()


@app.command()
@placed
def look(word: str, count: int = 1, *, place: OpendPlace, json: Json = False) -> None:
    """Look at it."""
    typer.echo(f"{word} {count} {place} {json}")


def said(*arguments: str) -> str:
    """What the command says."""
    return CliRunner().invoke(app, arguments).output.strip()


def test_each_field_of_a_place_is_an_option() -> None:
    """What is given reaches the command as one place, beside its own options."""
    place = OpendPlace(host="opend", port=5, allow_remote=True, config=Path("x"), rsa_key_file="k")
    options = ("--host=opend", "--port=5", "--allow-remote", "--config=x", "--rsa-key-file=k")
    assert said("hello", "--count=2", *options, "--json") == f"hello 2 {place} True"
    assert said("hello") == f"hello 1 {OpendPlace()} False"


def test_a_command_has_the_options_of_its_place_alone() -> None:
    """Who asks about no account is not offered one."""
    assert "No such option" in said("hello", "--account=1")
    assert "account" in FutuPlace.__struct_fields__


def test_a_value_that_an_option_does_not_allow_is_refused() -> None:
    """The limits of an option hold for each command."""
    assert "65535" in said("hello", "--port=70000")
