"""OpenD's encryption: RSA for the handshake, AES-CBC for all that follows.

The ciphers come with the SDK, and are imported by who encrypts.
"""

from __future__ import annotations

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.futu_wire import WireError

_OVERHEAD = 28
"""Bytes of a block that are not used; the SDK fills 100 of 128."""


class Rsa:
    """The key that both sides have.

    Args:
        pem: A private key, PKCS#1, 1024 bits, as OpenD wants it.

    Raises:
        ConfigurationError: It is none.
    """

    def __init__(self, pem: str) -> None:
        from Crypto.Cipher import PKCS1_v1_5
        from Crypto.PublicKey import RSA

        try:
            key = RSA.import_key(pem)
        except (ValueError, IndexError, TypeError):
            raise _wrong("is no private key") from None
        if not key.has_private() or key.size_in_bits() != 1024:
            raise _wrong("must be a private key of 1024 bits")
        self._block = key.size_in_bytes()
        self._cipher = PKCS1_v1_5.new(key)

    def encrypt(self, body: bytes) -> bytes:
        """A body in blocks."""
        step = self._block - _OVERHEAD
        parts = (body[at : at + step] for at in range(0, len(body), step))
        return b"".join(self._cipher.encrypt(part) for part in parts)

    def decrypt(self, body: bytes) -> bytes:
        """The body of blocks.

        Raises:
            WireError: They are none.
        """
        plain = b""
        for at in range(0, len(body), self._block):
            try:
                part = self._cipher.decrypt(body[at : at + self._block], None)
            except ValueError:
                part = None
            if not isinstance(part, bytes):
                raise WireError("the handshake is not encrypted with this OpenD's key")
            plain += part
        return plain


class Aes:
    """The cipher of one connection.

    Args:
        key: 16 characters, as the handshake tells them.
        iv: 16 more.
    """

    def __init__(self, key: str, iv: str) -> None:
        self._key, self._iv = key.encode(), iv.encode()

    def encrypt(self, body: bytes) -> bytes:
        """A body, padded."""
        from Crypto.Cipher import AES
        from Crypto.Util.Padding import pad

        return AES.new(self._key, AES.MODE_CBC, iv=self._iv).encrypt(pad(body, AES.block_size))

    def decrypt(self, body: bytes) -> bytes:
        """The body again.

        Raises:
            WireError: It was not encrypted so.
        """
        from Crypto.Cipher import AES
        from Crypto.Util.Padding import unpad

        try:
            plain = AES.new(self._key, AES.MODE_CBC, iv=self._iv).decrypt(body)
            return unpad(plain, AES.block_size)
        except ValueError:
            raise WireError("a frame is not encrypted as agreed") from None


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError("simulated Futu", "rsa_key", problem)
