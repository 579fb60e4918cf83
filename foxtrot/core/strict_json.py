"""Reads a JSON object from somebody one does not trust, and says plainly what is wrong with it.

Beyond what the standard library checks: size, depth, duplicate keys, NaN and Infinity, numbers too
long to be meant, byte order marks, characters that cannot be encoded.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Final, cast

from foxtrot.core.redaction import scrub
from foxtrot.errors import ConfigurationError

SIZE_LIMIT: Final = 1024 * 1024
DEPTH_LIMIT: Final = 32
_DIGITS_LIMIT = 32
_LONG_NUMBER = f"holds a number of more than {_DIGITS_LIMIT} characters"

JsonObject = dict[str, object]

# A string, closed or running to the end of the text, or one bracket.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOMS: Final = {
    b"\xef\xbb\xbf": "begins with a byte order mark; save it as UTF-8 without one",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
}
_OPEN_PROBLEMS: Final = {
    errno.ENOENT: "the file does not exist",
    errno.EACCES: "the file may not be read by this user",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.ELOOP: "the path is a loop of symbolic links",
    errno.ENAMETOOLONG: "the path is too long",
}


def read(path: Path) -> bytes:
    """Return the bytes of a regular file of at most 1 MiB.

    Raises:
        ConfigurationError: It is missing, unreadable, no regular file, or too large.
    """
    where = scrub(str(path))
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = _OPEN_PROBLEMS.get(error.errno or 0, error.strerror or "cannot be opened")
        raise ConfigurationError(where, "", reason) from None
    except ValueError:
        raise ConfigurationError(where, "", "no file can have such a name") from None
    try:
        return _read_regular(handle, where)
    except OSError as error:
        reason = f"the file cannot be read: {error.strerror}"
        raise ConfigurationError(where, "", reason) from None
    finally:
        os.close(handle)


def parse(text: str | bytes, where: str) -> JsonObject:
    """Return the JSON object in `text`.

    Raises:
        ConfigurationError: It is not one; the error never shows a value.
    """
    source = _decode(text, where) if isinstance(text, bytes) else text
    if len(source) > SIZE_LIMIT:
        raise ConfigurationError(where, "", _too_large())
    if source.startswith("\ufeff"):
        raise ConfigurationError(where, "", _BOMS[b"\xef\xbb\xbf"])
    if not source.strip():
        raise ConfigurationError(where, "", "is empty; the smallest settings are {}")
    _check_depth(source, where)
    value = _load(source, where)
    if not isinstance(value, dict):
        raise ConfigurationError(where, "", f"must be a JSON object, not {kind(value)}")
    _check_text(value, where)
    return cast(JsonObject, value)


def kind(value: object) -> str:
    """What `value` is, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        ((int, float), "a number"),
        (str, "text"),
        (dict, "an object"),
        ((list, tuple), "a list"),
    )
    return next((name for types, name in names if isinstance(value, types)), "something else")


def _read_regular(handle: int, where: str) -> bytes:
    mode = os.fstat(handle).st_mode
    if stat.S_ISDIR(mode):
        raise ConfigurationError(where, "", "is a directory; name the file")
    if not stat.S_ISREG(mode):
        raise ConfigurationError(where, "", "is not a regular file")
    with open(handle, "rb", closefd=False) as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise ConfigurationError(where, "", _too_large())
    return data


def _too_large() -> str:
    return f"is larger than {SIZE_LIMIT // 1024} KiB"


def _decode(data: bytes, where: str) -> str:
    if len(data) > SIZE_LIMIT:
        raise ConfigurationError(where, "", _too_large())
    for mark, problem in _BOMS.items():
        if data.startswith(mark):
            raise ConfigurationError(where, "", problem)
    # The decoder's error holds the bytes: it must not become the context of ours.
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ConfigurationError(where, "", f"line {line} is not UTF-8 text")


def _check_depth(source: str, where: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(source):
        mark = source[token.start()]
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        if depth > DEPTH_LIMIT:
            line = source.count("\n", 0, token.start()) + 1
            problem = f"line {line}: nested deeper than {DEPTH_LIMIT} levels"
            raise ConfigurationError(where, "", problem)


def _load(source: str, where: str) -> object:
    hooks = _Hooks(where)
    # The decoder's error holds the document, with its secrets: see _decode.
    try:
        return json.loads(
            source,
            object_pairs_hook=hooks.pairs,
            parse_constant=hooks.constant,
            parse_int=hooks.integer,
            parse_float=hooks.real,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        problem = f"is not valid JSON at {place}: {error.msg[:1].lower()}{error.msg[1:]}"
    raise ConfigurationError(where, "", problem)


class _Hooks:
    """What json.loads calls back, refusing what the standard library lets pass."""

    def __init__(self, where: str) -> None:
        self._where = where

    def pairs(self, pairs: list[tuple[str, object]]) -> JsonObject:
        result: JsonObject = {}
        for key, value in pairs:
            if key in result:
                raise ConfigurationError(self._where, scrub(key, limit=64), "stands there twice")
            result[key] = value
        return result

    def constant(self, name: str) -> object:
        raise ConfigurationError(self._where, "", f"holds {name}, which is not a JSON number")

    def integer(self, digits: str) -> int:
        if len(digits) > _DIGITS_LIMIT:
            raise ConfigurationError(self._where, "", _LONG_NUMBER)
        return int(digits)

    def real(self, digits: str) -> float:
        if len(digits) > _DIGITS_LIMIT:
            raise ConfigurationError(self._where, "", _LONG_NUMBER)
        number = float(digits)
        if not math.isfinite(number):
            raise ConfigurationError(self._where, "", "holds a number that is too large")
        return number


def _check_text(value: object, where: str) -> None:
    if isinstance(value, str) and _SURROGATE.search(value):
        raise ConfigurationError(where, "", "holds half of a \\uD800 pair, which is no character")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, where)
            _check_text(item, where)
    if isinstance(value, list):
        for item in value:
            _check_text(item, where)
