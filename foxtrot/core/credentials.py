"""Secrets: where they come from, and a box they do not fall out of.

Settings hold references (`env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`); `resolve` fetches what
they name. A secret that is written out works as well, with a warning, and is protected alike.
Python cannot wipe a string from memory: whoever can read this process can read its secrets.

Thread safety: everything here may be used from any thread.
"""

from __future__ import annotations

import errno
import hmac
import os
import re
import stat
import threading
from pathlib import Path
from typing import Final, NoReturn

from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import register_secret, scrub
from foxtrot.errors import CredentialError

log = get_logger("foxtrot.credentials")

FILE_LIMIT: Final = 64 * 1024
"""Largest secret, in bytes."""

_REFERENCE = re.compile(r"(?i)(env|file|keyring):(.*)", re.DOTALL)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LITERAL = "literal"
_PEM = "-----BEGIN "


class Secret:
    """A value that shows itself to nobody but the caller of `reveal`.

    Args:
        value: The secret.
        label: Where it comes from, as it may be shown: `env:NAME`.
    """

    __slots__ = ("__weakref__", "_label", "_open")

    def __init__(self, value: str, label: str) -> None:
        # Kept in a closure: a debugger's or crash reporter's dump of attributes shows a function.
        object.__setattr__(self, "_open", lambda: value)
        object.__setattr__(self, "_label", scrub(label, limit=128))
        register_secret(value)

    def reveal(self) -> str:
        """Return the value, for the one place that hands it to an SDK."""
        value: str = object.__getattribute__(self, "_open")()
        register_secret(value)  # again, in case newer secrets have pushed it out of the list
        return value

    def __repr__(self) -> str:
        return f"<Secret {object.__getattribute__(self, '_label')}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.reveal()), _bytes(other.reveal()))

    # A hash of the value would tell something about it.
    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be serialised")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")


def is_reference(text: str) -> bool:
    """Whether `text` says where a secret is, rather than being one."""
    return _REFERENCE.match(text) is not None


def resolve(reference: str, *, where: str, field: str) -> Secret:
    """Fetch the secret that `reference` names.

    Args:
        reference: `env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`, or the secret itself.
        where: File or object the reference stands in, for the error's text.
        field: Its key there.

    Raises:
        CredentialError: There is no such secret, or it is not fit for use. The text names the
            field and the reference, never a value.
    """
    place = _Place(where, field)
    if not isinstance(reference, str):
        raise place.error("must be text: env:NAME, file:PATH or keyring:SERVICE/NAME")
    value, label = _fetch(reference, place)
    problem = _problem(value, label)
    secret = None if problem else Secret(value, label)
    del reference, value  # whoever prints a traceback with its locals must find nothing here
    if secret is None:
        raise place.error(problem)
    return secret


class _Place:
    """Where a reference stands; makes the errors about it."""

    __slots__ = ("field", "where")

    def __init__(self, where: str, field: str) -> None:
        self.where, self.field = where, field

    def error(self, problem: str) -> CredentialError:
        return CredentialError(self.where, self.field, scrub(problem))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _problem(value: str, label: str) -> str:
    label = "the secret" if label == _LITERAL else label
    if not value:
        return f"{label} is empty"
    if value != value.strip():
        return f"{label} begins or ends with white space; remove it"
    if len(value) > FILE_LIMIT:
        return f"{label} is longer than {FILE_LIMIT // 1024} KiB"
    if not value.startswith(_PEM) and _CONTROL.search(value):
        return f"{label} holds a line break or another control character"
    if _SURROGATE.search(value):
        return f"{label} holds half a character, which no venue takes"
    return ""


def _fetch(reference: str, place: _Place) -> tuple[str, str]:
    match = _REFERENCE.match(reference)
    if match is None:
        _warn_once(place)
        return reference, _LITERAL
    return _SOURCES[match[1].lower()](match[2], place)


# --- literals -------------------------------------------------------------------------------------

_warned: set[tuple[str, str]] = set()
_warned_lock = threading.Lock()
_WARNED_LIMIT = 1024


def _warn_once(place: _Place) -> None:
    key = (place.where, place.field)
    with _warned_lock:
        if key in _warned or len(_warned) >= _WARNED_LIMIT:
            return
        _warned.add(key)
    log.warning(
        "literal_secret",
        where=place.where,
        field=place.field,
        advice="write env:NAME, file:PATH or keyring:SERVICE/NAME instead",
    )


# --- env: -----------------------------------------------------------------------------------------


def _from_env(name: str, place: _Place) -> tuple[str, str]:
    if not _ENV_NAME.fullmatch(name):
        raise place.error(
            "env: must be followed by the name of an environment variable, such as env:BINANCE_KEY"
        )
    value = os.environ.get(name)
    if value is None:
        raise place.error(f"env:{name}: the environment variable {name} is not set")
    return value, f"env:{name}"


# --- file: ----------------------------------------------------------------------------------------

_OPEN_PROBLEMS: Final = {
    errno.ENOENT: "the file does not exist",
    errno.ELOOP: "is a symbolic link; name the file itself",
    errno.EACCES: "may not be read by this user",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.ENAMETOOLONG: "the path is too long",
}


def _from_file(target: str, place: _Place) -> tuple[str, str]:
    label = f"file:{target}"
    data = _read_private(_absolute(target, place), label, place)
    text = _decoded(data)
    if text is None:
        raise place.error(f"{label}: is not UTF-8 text")
    return text.rstrip("\r\n"), label


def _absolute(target: str, place: _Place) -> str:
    home = Path.home() if target.startswith("~/") and "HOME" in os.environ else None
    path = str(home / target[2:]) if home else target
    if not os.path.isabs(path) or "\0" in path:
        raise place.error(
            "file: must be followed by an absolute path, such as file:/home/me/.secrets/binance"
        )
    return path


def _read_private(path: str, label: str, place: _Place) -> bytes:
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = _OPEN_PROBLEMS.get(error.errno or 0, error.strerror or "cannot be opened")
        raise place.error(f"{label}: {reason}") from None
    except UnicodeEncodeError:
        raise place.error("file: the path holds characters that no file name can have") from None
    problem = _mode_problem(os.fstat(handle))
    if problem:
        os.close(handle)
        raise place.error(f"{label}: {problem}")
    try:
        with open(handle, "rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise place.error(f"{label}: cannot be read: {error.strerror}") from None
    if len(data) > FILE_LIMIT:
        raise place.error(f"{label}: is larger than {FILE_LIMIT // 1024} KiB")
    return data


def _mode_problem(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid != os.geteuid():
        return "belongs to another user; it must be yours"
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return f"may be used by others (mode {mode:04o}); run: chmod 600 on it"
    return ""


def _decoded(data: bytes) -> str | None:
    # The error holds the bytes, so it must not become the context of one that is raised.
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


# --- keyring: -------------------------------------------------------------------------------------


def _from_keyring(target: str, place: _Place) -> tuple[str, str]:
    service, _, name = target.partition("/")
    if not service or not name:
        raise place.error("keyring: must be followed by SERVICE/NAME, such as keyring:binance/key")
    label = f"keyring:{target}"
    try:
        import keyring  # only who uses it needs it installed
    except ImportError:
        raise place.error(
            f"{label}: the keyring package is not installed; run: pip install keyring"
        ) from None
    # Whoever unlocks a keyring is asked by the operating system; that wait is the user's.
    problem = ""
    value: str | None = None
    try:
        value = keyring.get_password(service, name)
    except Exception as error:  # noqa: BLE001  # boundary: a keyring may be any third-party code
        problem = f"the keyring cannot be read ({type(error).__name__})"
    if value is None:
        raise place.error(f"{label}: {problem or 'the keyring has no such entry'}")
    return value, label


_SOURCES: Final = {"env": _from_env, "file": _from_file, "keyring": _from_keyring}
