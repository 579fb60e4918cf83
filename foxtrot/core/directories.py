"""Where foxtrot keeps what must survive it, and how it makes such places private."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from pathlib import Path

from foxtrot.core.redaction import scrub
from foxtrot.errors import ConfigurationError

DATA_VARIABLE = "FOXTROT_DATA_DIR"
"""Environment variable that names the data directory, instead of the platform's place for it."""

_PLAIN_NAME = re.compile(r"[a-z0-9_-]{1,64}")


def data_directory() -> Path:
    """Return the user's data directory, such as ~/.local/share/foxtrot; it may not exist yet.

    Raises:
        ConfigurationError: FOXTROT_DATA_DIR is not an absolute path, or names no user's home; or
            it is not set, and the user has none.
    """
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        import platformdirs

        place = Path()
        with contextlib.suppress(RuntimeError):  # so says a newer one of a user without a home
            place = platformdirs.user_data_path("foxtrot", appauthor=False)
        if not place.is_absolute():
            advice = "this user has no home; set it to an absolute path, such as /srv/foxtrot"
            raise ConfigurationError(DATA_VARIABLE, "", advice)
        return place
    try:
        path = Path(named).expanduser()
    except RuntimeError:
        raise ConfigurationError(DATA_VARIABLE, "", "begins with ~, but has no home") from None
    if not path.is_absolute():
        raise ConfigurationError(
            DATA_VARIABLE, "", "must be an absolute path, such as /srv/foxtrot"
        )
    return path


def make_private(directory: Path) -> None:
    """Make `directory` a place that only this user may enter, and what is missing above it too.

    Raises:
        OSError: It cannot be made, belongs to somebody else, or is for all, as /tmp is.
    """
    for place in (*reversed(directory.parents), directory):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
    mode = directory.stat().st_mode
    if mode & stat.S_ISVTX:  # root may close it to everybody else, and must not
        raise PermissionError(errno.EPERM, "it is shared with others; name a directory in it")
    if mode & 0o077:
        directory.chmod(0o700)


def file_name(text: str, kind: str) -> str:
    """What a file about `text` is called.

    A name that could not be a file's, or looks like a secret, is replaced by its digest.
    """
    if _PLAIN_NAME.fullmatch(text) and scrub(text) == text:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}-{digest[:16]}"


def write_private(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all; only this user may read it.

    Two threads must not write the same file at a time; two processes may.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    make_private(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Let what was made, renamed or removed in `directory` survive a loss of power.

    Raises:
        OSError: It cannot be done.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
