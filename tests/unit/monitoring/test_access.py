"""The token is long, private, and nowhere but in its file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from foxtrot.core.redaction import scrub
from foxtrot.errors import CredentialError
from foxtrot.monitoring.access import Budget, Token
from tests.support.clock import ManualClock


def test_the_token_is_made_once_and_only_its_owner_may_read_it(data_directory: Path) -> None:
    """A second start uses the same token, so that what was told the first one goes on."""
    before = os.umask(0)
    try:
        token = Token()
    finally:
        os.umask(before)
    assert token.file == data_directory / "monitor.token"
    assert stat.S_IMODE(token.file.stat().st_mode) == 0o600
    assert Token().reveal() == token.reveal()


def test_no_two_tokens_are_alike_and_each_has_256_bits(tmp_path: Path) -> None:
    """It cannot be guessed."""
    tokens = {Token(tmp_path / str(number)).reveal() for number in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


def test_only_the_token_opens(tmp_path: Path) -> None:
    """A part of it, nothing, the cookie in its place, or other letters do not."""
    token = Token(tmp_path / "token")
    assert token.fits(token.reveal())
    assert token.fits_cookie(token.cookie)
    for wrong in ("", token.reveal()[:-1], token.reveal() + "x", token.cookie, "ÄÖ\udcff"):
        assert not token.fits(wrong)
    assert not token.fits_cookie(token.reveal())
    assert not token.fits_cookie("")


def test_the_token_is_in_no_text(tmp_path: Path) -> None:
    """Neither the token nor what a browser keeps gets through the redaction."""
    token = Token(tmp_path / "token")
    assert token.reveal() not in repr(token)
    assert token.reveal() not in scrub(f"GET /?token={token.reveal()} and {token.reveal()}")
    assert token.cookie not in scrub(f"it was {token.cookie}.")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_token_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    """Somebody may know it; the error says what to do, and not what it is."""
    token = Token(tmp_path / "token")
    token.file.chmod(mode)
    with pytest.raises(CredentialError, match="remove it") as caught:
        Token(token.file)
    assert token.reveal() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", "a" * 21, "a b" * 20, "ä" * 40])
def test_a_file_without_a_good_token_is_refused(tmp_path: Path, text: str) -> None:
    """An empty or short one would let everybody in."""
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    if not text:
        file.write_text("\n")
    with pytest.raises(CredentialError, match="128 bits"):
        Token(file)


def test_a_link_in_the_place_of_the_token_is_not_followed(tmp_path: Path) -> None:
    """Who may write there could point it at a token that he knows."""
    target = Token(tmp_path / "other").file
    (tmp_path / "token").symlink_to(target)
    with pytest.raises(CredentialError):
        Token(tmp_path / "token")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_in_the_place_of_the_token_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """A directory is named, and a pipe is not waited for."""
    file = tmp_path / "token"
    make(file)
    file.chmod(0o600)
    with pytest.raises(CredentialError, match="token: is not a regular file"):
        Token(file)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "plain").write_text("")
    with pytest.raises(CredentialError, match="plain"):
        Token(tmp_path / "plain" / "token")


def test_a_budget_fills_up_again_with_time_but_not_above_a_second() -> None:
    """Ten a second are ten a second, also after a long quiet."""
    clock = ManualClock()
    budget = Budget(10, clock)
    assert [budget.take() for _ in range(12)] == [True] * 10 + [False] * 2
    clock.advance(0.5)
    assert [budget.take() for _ in range(6)] == [True] * 5 + [False]
    clock.advance(3600)
    assert sum(budget.take() for _ in range(50)) == 10
