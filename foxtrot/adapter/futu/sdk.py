"""The SDK, futu-api, and what foxtrot relies on of it: its network thread and its messages.

It is used unmodified. What lies above its network (its contexts) keeps a state of its own that
cannot be trusted after an error, and makes a table of every message.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from foxtrot.core.aside import aside
from foxtrot.core.directories import DATA_VARIABLE, data_directory, make_private
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError

log = get_logger("foxtrot.futu.sdk")

_PARTS = {"pandas": "pandas", "simplejson": "simplejson", "Crypto": "pycryptodome"}
"""What the SDK needs; where one is missing, its import prints a line and ends the process."""

_RELIED_ON = {
    "connect": ("addr", "handler", "timeout", "is_encrypt", "is_sync"),
    "send": ("conn_id", "data"),
    "close": ("conn_id",),
}
"""Methods of the SDK's network, and arguments of them."""

_starting = threading.Lock()
"""What is set while the SDK is imported belongs to the process, so nobody else may do it then."""

_INSTALL = "pip install 'futu-api>=10.11'"
FASTER = "protobuf reads messages in Python, slowly; pip install --upgrade protobuf"


class RawAttempt(Protocol):
    """The SDK's ConnectInfo: how an attempt to connect went. `err.name` is Ok if it did well."""

    conn_id: int
    err: object
    msg: str


class RawHandler(Protocol):
    """Whom the SDK's network tells of a connection, on its own thread."""

    def on_connect(self, *args: object, **named: object) -> None:
        """An attempt has ended; the last argument, or `conn_info`, is the `RawAttempt`."""

    def on_disconnect(self, conn_id: int, reason: object, msg: str) -> None:
        """The connection is gone."""

    def on_recv(self, conn_id: int, data: bytes) -> None:
        """Bytes came."""

    def on_tick(self, conn_id: int, now: float) -> None:
        """A second has passed."""


class RawNetwork(Protocol):
    """The SDK's NetManager: one thread for all connections of the process. Nothing here waits."""

    def connect(
        self,
        addr: tuple[str, int],
        handler: RawHandler,
        timeout: float,
        is_encrypt: bool,
        is_sync: bool,
    ) -> tuple[int, RawAttempt]:
        """Begin to connect by IPv4; returns a code, and what will say how it went."""

    def send(self, conn_id: int, data: bytes) -> tuple[int, str]:
        """Write bytes."""

    def close(self, conn_id: int) -> None:
        """Cut a connection; its handler is told."""


@cache
def sdk() -> RawNetwork:
    """The SDK's network, started at the first call; the import takes more than a second.

    Raises:
        ConfigurationError: It is not installed, or another one than expected; names the remedy.
    """
    with ThreadPoolExecutor(1, "foxtrot-import-futu") as thread:  # on the main one it takes SIGINT
        return thread.submit(_started).result()


async def load() -> RawNetwork:
    """As `sdk`, not on the loop's thread."""
    return await aside(sdk, "import-futu")


def _started() -> RawNetwork:
    _check_installed()
    with _starting, _contained():
        first = "futu" not in sys.modules  # who uses the SDK beside foxtrot has his own wishes
        try:
            manager = importlib.import_module("futu.common.network_manager").NetManager
        except (ImportError, SystemExit, AttributeError) as error:
            problem = f"futu-api cannot be imported ({type(error).__name__}); {_INSTALL}"
            raise ConfigurationError("futu", "", problem) from None
        _check(manager)
        if first:
            _silence()
        if slow_protobuf():
            log.warning("slow_protobuf", advice=FASTER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return cast("RawNetwork", manager.default())


def _check_installed() -> None:
    missing = [name for module, name in _PARTS.items() if not importlib.util.find_spec(module)]
    if importlib.util.find_spec("futu") is None:
        missing.insert(0, "futu-api")
    if missing:
        problem = f"not installed: {', '.join(missing)}; {_INSTALL}"
        raise ConfigurationError("futu", "", problem)


def _check(manager: type[object]) -> None:
    for name, expected in (("default", ()), *_RELIED_ON.items()):
        method = getattr(manager, name, None)
        arguments = inspect.signature(method).parameters if callable(method) else {}
        if not callable(method) or any(each not in arguments for each in expected):
            problem = f"the installed futu-api has another NetManager.{name}; {_INSTALL}"
            raise ConfigurationError("futu", "", problem)


def slow_protobuf() -> bool:
    """Whether protobuf reads messages in Python, which takes a hundred times as long."""
    module = importlib.import_module("google.protobuf.internal.api_implementation")
    return bool(module.Type() == "python")


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Keep what the SDK does when imported: its log files below foxtrot's data, `sys.path` as is.

    What its own modules import of each other by bare names stays loaded.
    """
    paths = list(sys.path)
    _load_logger()
    try:
        yield
    finally:
        sys.path[:] = paths


def _load_logger() -> None:
    """Import the SDK's logger by itself: only it needs another home, where it keeps its files.

    The whole import takes a second, in which other threads look for a journal or a secret at home.
    """
    name, package = "futu.common.ft_logger", importlib.util.find_spec("futu")
    roots = package.submodule_search_locations if package is not None else None
    places = [str(Path(root, "common")) for root in roots or ()]
    spec = importlib.machinery.PathFinder.find_spec(name, places)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    logger = importlib.util.module_from_spec(spec)
    with _home_at(log_place()):
        spec.loader.exec_module(logger)
    sys.modules[name] = logger


@contextlib.contextmanager
def _home_at(place: Path) -> Iterator[None]:
    """Let HOME be another place for a moment, in which foxtrot's own data stay where they are."""
    home = "APPDATA" if os.name == "nt" else "HOME"
    ours = {DATA_VARIABLE: str(data_directory()), home: str(place)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in (home, DATA_VARIABLE):
            value = before[name]
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def log_place() -> Path:
    """Where the SDK keeps its log; made if it is missing.

    Raises:
        ConfigurationError: It cannot be.
    """
    place = data_directory() / "futu"
    try:
        make_private(place)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); the SDK needs a place for its log"
        raise ConfigurationError("data directory", "", problem) from None
    return place


def _silence() -> None:
    """Errors to the SDK's file, nothing to stdout, and no thread that holds up the exit."""
    config = importlib.import_module("futu.common.sys_config").SysConfig
    config.set_all_thread_daemon(True)
    config.enable_console_log(False)
    logger = importlib.import_module("futu.common.ft_logger").logger
    logger.file_level = logger.console_level = logging.ERROR
