"""OpenD's frames: a header of 44 bytes, little-endian, a body with its SHA-1, perhaps encrypted.

Source: OpenAPI documents, "Protocol". Pure but for the ciphers, which come with the SDK.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from foxtrot.errors import ConfigurationError, StreamingError

_HEAD = struct.Struct("<2sIBBII20s8s")
_MAGIC = b"FT"
_RESERVED = bytes(8)
_PROTOBUF = 0
_RSA_OVERHEAD = 28
"""Bytes of an RSA block that are not used: OpenD fills 100 of 128, though PKCS#1 has room."""

LONGEST = 64 << 20
"""Bytes of a body; a longer one is a length that cannot be trusted."""

Frame = tuple[int, int, bytes]
"""Message id, serial number, body; an empty body is one that cannot be read."""


class Cipher(Protocol):
    """Encrypts bodies."""

    def encrypt(self, body: bytes) -> bytes:
        """What goes over the line."""

    def decrypt(self, body: bytes) -> bytes:
        """What it means.

        Raises:
            ValueError: Nothing.
        """


class Rsa:
    """The key that this side and OpenD share, for the handshake.

    Args:
        file: The private key, PEM, as OpenD's setting `rsa_private_key` names it.

    Raises:
        ConfigurationError: It cannot be read, or is none.
    """

    def __init__(self, file: str) -> None:
        from Crypto.Cipher import PKCS1_v1_5
        from Crypto.PublicKey import RSA

        problem = "holds no private key in PEM form"
        try:
            key = RSA.import_key(Path(file).read_bytes())
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            key = None
        except (ValueError, IndexError, TypeError):
            key = None
        if key is None or not key.has_private():
            raise ConfigurationError("connect", "rsa_key_file", problem)
        self._block, self._cipher = key.size_in_bytes(), PKCS1_v1_5.new(key)

    def encrypt(self, body: bytes) -> bytes:
        """A body in blocks."""
        step = self._block - _RSA_OVERHEAD
        parts = (body[at : at + step] for at in range(0, len(body), step))
        return b"".join(self._cipher.encrypt(part) for part in parts)

    def decrypt(self, body: bytes) -> bytes:
        """The body of blocks."""
        parts = []
        for at in range(0, len(body), self._block):
            part = self._cipher.decrypt(body[at : at + self._block], None)
            if not isinstance(part, bytes):
                raise ValueError("not encrypted with this key")  # noqa: TRY004
            parts.append(part)
        return b"".join(parts)


class Aes:
    """The cipher of one connection, AES-CBC.

    Args:
        key: 16 characters, as the handshake tells them.
        iv: 16 more.

    Raises:
        StreamingError: They are not.
    """

    def __init__(self, key: str, iv: str) -> None:
        from Crypto.Cipher import AES
        from Crypto.Util.Padding import pad, unpad

        if not len(key.encode()) == len(iv.encode()) == AES.block_size:
            raise StreamingError("OpenD tells a key that no cipher can use")
        self._new: Callable[[], Cipher] = lambda: AES.new(
            key.encode(), AES.MODE_CBC, iv=iv.encode()
        )
        self._pad: Callable[[bytes, int], bytes] = pad
        self._unpad: Callable[[bytes, int], bytes] = unpad
        self._block = AES.block_size

    def encrypt(self, body: bytes) -> bytes:
        """A body, padded."""
        return self._new().encrypt(self._pad(body, self._block))

    def decrypt(self, body: bytes) -> bytes:
        """The body again."""
        return self._unpad(self._new().decrypt(body), self._block)


def encode(proto: int, serial: int, body: bytes, cipher: Cipher | None = None) -> bytes:
    """A frame; the checksum is of the plain body."""
    sha = hashlib.sha1(body, usedforsecurity=False).digest()
    sealed = body if cipher is None else cipher.encrypt(body)
    return _HEAD.pack(_MAGIC, proto, _PROTOBUF, 0, serial, len(sealed), sha, _RESERVED) + sealed


class Reader:
    """Cuts what comes into frames. One thread owns it; `cipher` may be set between two frames."""

    def __init__(self, cipher: Cipher | None = None) -> None:
        self.cipher = cipher
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now; the iterator must be exhausted.

        Raises:
            StreamingError: What comes is no sequence of frames; nothing after it can be trusted.
        """
        held, at, size = self._held + data if self._held else data, 0, _HEAD.size
        end = len(held)
        while end - at >= size:
            magic, proto, kind, _, serial, length, sha, _ = _HEAD.unpack_from(held, at)
            if magic != _MAGIC or length > LONGEST:
                raise StreamingError("what came is not OpenD's protocol")
            begin, after = at + size, at + size + length
            if after > end:
                break
            body = held[begin:after]
            at = after
            yield proto, serial, self._plain(body, sha) if kind == _PROTOBUF else b""
        self._held = held[at:]

    def _plain(self, body: bytes, sha: bytes) -> bytes:
        if self.cipher is not None:
            try:
                body = self.cipher.decrypt(body)
            except ValueError:
                return b""
        fits = hashlib.sha1(body, usedforsecurity=False).digest() == sha
        return body if fits else b""
