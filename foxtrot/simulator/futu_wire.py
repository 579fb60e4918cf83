"""OpenD's frames: a header of 44 bytes, little-endian, and a body with its SHA-1."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import msgspec

_HEAD = struct.Struct("<2sIBBII20s8s")
_MAGIC: Final = b"FT"
_RESERVED = bytes(8)
PROTOBUF, JSON = 0, 1
LONGEST = 16 << 20


class WireError(Exception):
    """The bytes are no frame that OpenD would read."""


class Frame(msgspec.Struct, frozen=True):
    """One message; `sha` is of the body before it is encrypted."""

    proto_id: int
    serial: int
    body: bytes
    sha: bytes


def encode(
    proto_id: int, serial: int, body: bytes, *, sha: bytes | None = None, kind: int = PROTOBUF
) -> bytes:
    """A frame; without `sha`, that of `body`."""
    digest = sha_of(body) if sha is None else sha
    return _HEAD.pack(_MAGIC, int(proto_id), kind, 0, serial, len(body), digest, _RESERVED) + body


def sha_of(body: bytes) -> bytes:
    """The checksum of a body."""
    return hashlib.sha1(body, usedforsecurity=False).digest()


def with_length(frame: bytes, length: int) -> bytes:
    """The same frame, with another length in its header."""
    magic, proto_id, kind, version, serial, _, sha, reserved = _HEAD.unpack_from(frame)
    head = _HEAD.pack(magic, proto_id, kind, version, serial, length, sha, reserved)
    return head + frame[_HEAD.size :]


def with_kind(frame: bytes, kind: int) -> bytes:
    """The same frame, with another format in its header."""
    return frame[:6] + bytes((kind,)) + frame[7:]


def with_wrong_sha(frame: bytes) -> bytes:
    """The same frame, with a checksum that does not fit."""
    return frame[:16] + bytes(byte ^ 0xFF for byte in frame[16:36]) + frame[36:]


class Reader:
    """Cuts what a client sends into frames.

    Thread safety: none; one connection owns it.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            WireError: The bytes are no frames, or one is too long or of another format.
        """
        self._held += data
        frames, at = [], 0
        while len(self._held) - at >= _HEAD.size:
            magic, proto_id, kind, _, serial, length, sha, _ = _HEAD.unpack_from(self._held, at)
            if magic != _MAGIC:
                raise WireError("a frame does not begin with FT")
            if kind != PROTOBUF:
                raise WireError(f"a frame of format {kind}; this OpenD reads protobuf")
            if length > LONGEST:
                raise WireError(f"a frame of {length} bytes; allowed are {LONGEST}")
            end = at + _HEAD.size + length
            if end > len(self._held):
                break
            frames.append(Frame(proto_id, serial, self._held[at + _HEAD.size : end], sha))
            at = end
        self._held = self._held[at:]
        return frames
