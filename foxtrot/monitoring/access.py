"""The token that opens foxtrot's pages, kept in a private file, and how often one may ask.

Thread safety: a `Token` may be used from any thread.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from foxtrot.core.clock import Clock
from foxtrot.core.directories import data_directory, make_private
from foxtrot.core.logs import register_secret
from foxtrot.errors import CredentialError

_TOKEN_BYTES = 32
_SHORTEST_TOKEN = 22  # 128 bits, six to a character
_LONGEST_FILE = 512


class Token:
    """What opens the door; kept in a file that only this user may read, and made if it lacks.

    Args:
        file: Where it is kept; in the data directory if not given.

    Raises:
        CredentialError: The file cannot be made or read, is another user's, or holds no token.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or data_directory() / "monitor.token"
        self._value = _read(self.file) or _make(self.file)
        register_secret(self._value)
        # Not the token: a browser keeps its cookies in a file.
        self._cookie = hmac.new(self._value.encode(), b"cookie", hashlib.sha256).hexdigest()
        register_secret(self._cookie)

    @property
    def cookie(self) -> str:
        """What a browser shows instead, once it has shown the token."""
        return self._cookie

    def reveal(self) -> str:
        """The token itself."""
        return self._value

    def fits(self, shown: str) -> bool:
        """Whether somebody shows the token; takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self._value.encode())

    def fits_cookie(self, shown: str) -> bool:
        """Whether a browser was let in before."""
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self._cookie.encode())

    def __repr__(self) -> str:
        return f"<Token in {self.file}>"


def _read(file: Path) -> str:
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        held = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unusable(file, f"cannot be read: {error.strerror}") from None
    state = os.fstat(held)
    if not stat.S_ISREG(state.st_mode):
        os.close(held)
        raise _unusable(file, "is not a regular file; remove it, and a token is made")
    with os.fdopen(held, "rb") as source:
        if state.st_uid != os.getuid() or state.st_mode & 0o077:
            raise _unusable(file, "may be read by others; remove it, and a new one is made")
        text = source.read(_LONGEST_FILE).decode("ascii", "replace").strip()
    if len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise _unusable(file, "holds no token of 128 bits; remove it, and a new one is made")
    return text


def _make(file: Path) -> str:
    value = secrets.token_urlsafe(_TOKEN_BYTES)
    draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make_private(file.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="ascii") as target:
            target.write(f"{value}\n")
        try:
            os.link(draft, file)
        except FileExistsError:
            return _read(file)  # another process was faster
        finally:
            draft.unlink()
    except OSError as error:
        raise _unusable(file, f"cannot be written: {error.strerror}") from None
    return value


def _unusable(file: Path, problem: str) -> CredentialError:
    return CredentialError(str(file), "", problem)


class Budget:
    """So many requests a second, and as many at once after a quiet second."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._per_s, self._clock = per_s, clock
        self._left, self._at = per_s, clock.monotonic()

    def take(self) -> bool:
        """Whether one more fits."""
        now = self._clock.monotonic()
        self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
