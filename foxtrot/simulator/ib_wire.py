"""Frames and fields of the TWS socket protocol.

A message is a length of four bytes, big-endian, and that many bytes of fields, each ended by a NUL.
Source: the layouts that every TWS client of server versions 157 to 178 reads and writes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

LEAST_VERSION, MOST_VERSION = 157, 178
"""The server versions this venue can speak."""

UNSET_DOUBLE = "1.7976931348623157E308"
UNSET_INTEGER = "2147483647"

LONGEST = 1 << 20
"""Bytes of the longest message that a client may send."""

_HELLO = b"API\0"
_LENGTH = struct.Struct(">I")

Value = str | int | float | bool | None
"""What a field is made of; None is an empty field, an endless number is `Infinite`."""


class WireError(Exception):
    """What came in is no message of this protocol; the text says why."""


def field(value: Value) -> str:
    """One field as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return "Infinite" if value == math.inf else repr(value)
    return str(value)


def encode(*values: Value) -> bytes:
    """One message with its length in front."""
    return frame("".join([f"{field(value)}\0" for value in values]).encode())


def frame(payload: bytes) -> bytes:
    """A payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


class Reader:
    """Cuts what a client sends into messages; the first is the hello, with its field `v157..178`.

    Thread safety: none; one connection owns it.
    """

    def __init__(self) -> None:
        self._held = b""
        self._greeted = False

    def feed(self, data: bytes) -> list[list[str]]:
        """The messages that are complete now, as their fields.

        Raises:
            WireError: The bytes are no frames, or a message is too long.
        """
        self._held += data
        if not self._greeted and not self._greet():
            return []
        messages, at = [], 0
        while len(self._held) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held, at)
            if length > LONGEST:
                raise WireError(f"a message of {length} bytes; allowed are {LONGEST}")
            end = at + _LENGTH.size + length
            if end > len(self._held):
                break
            messages.append(_fields(self._held[at + _LENGTH.size : end]))
            at = end
        self._held = self._held[at:]
        return messages

    def _greet(self) -> bool:
        if not _HELLO.startswith(self._held[: len(_HELLO)]):
            raise WireError("the client does not say API")
        if len(self._held) < len(_HELLO):
            return False
        self._held = self._held[len(_HELLO) :]
        self._greeted = True
        return True


def _fields(payload: bytes) -> list[str]:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise WireError("a message is not UTF-8") from None
    fields = text.split("\0")
    return fields[:-1] if fields[-1] == "" else fields


class Cursor:
    """Reads the fields of one message in their order, and nothing but what they may be.

    Args:
        fields: All of them, the message's id included.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._at = 0

    def text(self) -> str:
        """The next field.

        Raises:
            WireError: There is none; so all methods.
        """
        if self._at >= len(self._fields):
            raise WireError(f"field {self._at} is missing")
        self._at += 1
        return self._fields[self._at - 1]

    def integer(self) -> int:
        """A whole number."""
        text = self.text()
        try:
            return int(text)
        except ValueError:
            raise self._wrong("a whole number") from None

    def optional_integer(self) -> int | None:
        """A whole number; None where the field is empty."""
        if self._fields[self._at : self._at + 1] == [""]:
            self._at += 1
            return None
        return self.integer()

    def number(self) -> float | None:
        """A number; None where the field is empty."""
        text = self.text()
        if not text:
            return None
        try:
            value = math.inf if text == "Infinite" else float(text)
        except ValueError:
            raise self._wrong("a number") from None
        if math.isnan(value):
            raise self._wrong("a number")
        return value

    def flag(self) -> bool:
        """A truth, `1` or `0`."""
        text = self.text()
        if text not in ("0", "1"):
            raise self._wrong("1 or 0")
        return text == "1"

    def expect(self, wanted: int) -> None:
        """The next field is this number: the version of a message."""
        if self.integer() != wanted:
            raise self._wrong(f"the version {wanted}")

    def skip(self, count: int) -> None:
        """Pass over fields that mean nothing here."""
        for _ in range(count):
            self.text()

    def end(self) -> None:
        """All fields were read.

        Raises:
            WireError: Some are left.
        """
        left = len(self._fields) - self._at
        if left:
            raise WireError(f"{left} fields too many, from field {self._at} on")

    def _wrong(self, wanted: str) -> WireError:
        text = self._fields[self._at - 1]
        return WireError(f"field {self._at - 1} is {text[:40]!r}, not {wanted}")
