"""JSON from somebody one does not trust: each trouble has words of its own."""

import json
import os
from pathlib import Path

import pytest

from foxtrot.core import strict_json
from foxtrot.errors import ConfigurationError

_JSON_ERRORS = [
    (b"", "is empty; the smallest settings are {}"),
    (b"[]", "must be a JSON object, not a list"),
    (b"null", "must be a JSON object, not null"),
    (b'{\n"a" 1}', "is not valid JSON at line 2, column 5: expecting ':' delimiter"),
    (b'{"venues": {}, "venues": {}}', "venues: stands there twice"),
    (b'{"polling.interval": NaN}', "holds NaN, which is not a JSON number"),
    (b'{"polling.interval": -Infinity}', "holds -Infinity, which is not a JSON number"),
    (b'{"polling.interval": 1e999}', "holds a number that is too large"),
    (b'{"polling.interval": ' + b"9" * 5000 + b"}", "holds a number of more than 32 characters"),
    (b"\n" + b"[" * 100_000, "line 2: nested deeper than 32 levels"),
    (b'{"a":' * 100_000, "line 1: nested deeper than 32 levels"),
    (b"\xef\xbb\xbf{}", "begins with a byte order mark; save it as UTF-8 without one"),
    ("\ufeff{}", "begins with a byte order mark; save it as UTF-8 without one"),
    ("{}".encode("utf-16"), "is UTF-16; save it as UTF-8"),
    (b'{\n"a": "\xff"}', "line 2 is not UTF-8 text"),
    (b" " * (1024 * 1024 + 1), "is larger than 1024 KiB"),
    (" " * (1024 * 1024 + 1), "is larger than 1024 KiB"),
    (b'{"a": "\\ud800"}', "holds half of a \\uD800 pair, which is no character"),
]


@pytest.mark.parametrize(("source", "problem"), _JSON_ERRORS)
def test_what_is_no_clean_json_object_is_refused(source: str | bytes, problem: str) -> None:
    """The error says what is wrong and where, and drags no document along."""
    with pytest.raises(ConfigurationError) as caught:
        strict_json.parse(source, "s.json")
    assert str(caught.value) == f"s.json: {problem}"
    assert caught.value.__context__ is None


def test_brackets_inside_text_are_not_depth() -> None:
    """Only structure counts as nesting."""
    assert strict_json.parse(json.dumps({"a": '["' * 100}), "s.json")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "the file does not exist"),
        (lambda path: path.mkdir(), "is a directory; name the file"),
        (lambda path: os.mkfifo(path), "is not a regular file"),
        (lambda path: path.symlink_to(path), "the path is a loop of symbolic links"),
        (lambda path: path.write_bytes(b" " * (1024 * 1024 + 1)), "is larger than 1024 KiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(make: object, problem: str, tmp_path: Path) -> None:
    """Each reason has words of its own."""
    path = tmp_path / "settings.json"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigurationError) as caught:
        strict_json.read(path)
    assert str(caught.value) == f"{path}: {problem}"


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing permission is said, also where the tests run as root."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigurationError, match="the file may not be read by this user"):
        strict_json.read(tmp_path / "settings.json")


def test_a_name_no_file_can_have_is_refused() -> None:
    """A NUL in the path is no crash."""
    with pytest.raises(ConfigurationError, match="no file can have such a name"):
        strict_json.read(Path("a\0b"))
