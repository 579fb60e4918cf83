"""The file of leased client ids: locked, read, and written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from foxtrot.core.directories import make_private, write_private
from foxtrot.core.logs import get_logger

log = get_logger("foxtrot.ib.client_ids")

_LOCK_S = 2.0
_LOCK_STEP_S = 0.01
_LARGEST = 1024 * 1024

Text = Annotated[str, msgspec.Meta(max_length=256)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Lease(msgspec.Struct, frozen=True):
    """Who has an id. `began` tells a process from one that got the same pid later."""

    endpoint: Text
    client_id: Number
    purpose: Text
    pid: Number
    began: Text
    since: Number
    """Seconds since the epoch."""


class TradingId(msgspec.Struct, frozen=True):
    """Under which client id an account was traded last."""

    account: Text
    client_id: Number


class Book(msgspec.Struct):
    """What the file holds."""

    leases: list[Lease] = msgspec.field(default_factory=list)
    trading: list[TradingId] = msgspec.field(default_factory=list)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep all other processes and threads out; the lock ends with the process at the latest.

    Raises:
        OSError: It cannot be made, or somebody holds it for seconds.
    """
    make_private(path.parent)
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_S
        while not _try_lock(handle):
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock")
            time.sleep(_LOCK_STEP_S)
        yield
    finally:
        os.close(handle)


def read(path: Path) -> Book:
    """What is leased; nothing if the file is missing, or damaged, which is then set aside.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as source:
            data = source.read(_LARGEST + 1)
    except FileNotFoundError:
        return Book()
    try:
        return msgspec.json.decode(data, type=Book)
    except (msgspec.DecodeError, UnicodeDecodeError):
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        log.warning("client_ids_damaged", path=str(path), kept_as=str(aside))
        return Book()


def write(path: Path, book: Book) -> None:
    """Replace the file.

    Raises:
        OSError: It cannot be written; the old one is as it was.
    """
    write_private(path, msgspec.json.format(msgspec.json.encode(book), indent=1) + b"\n")


def process_began(pid: int) -> str | None:
    """When a process began, in the system's own terms; None if there is none.

    Empty where the system does not tell: then a pid is taken for the same process.

    Raises:
        OSError: It cannot be looked at now.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return "" if not Path("/proc/self").exists() and _answers(pid) else None
    except ProcessLookupError:  # it ended while it was looked at
        return None
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
