"""Structured logs: an event name and named fields, without secrets, through stdlib logging.

Embedded, foxtrot prints nothing: its events are ordinary records of loggers "foxtrot.<room>", the
fields in the text and, as a dict, in `record.foxtrot`; the host's logging decides what is shown.
`configure` is for foxtrot's own programs.

Thread safety: loggers may be used from any thread; `configure` belongs to the main thread.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import math
import os
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from enum import Enum
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from foxtrot.core.redaction import REDACTED, TEXT_LIMIT, is_secret_field, register_secret, scrub
from foxtrot.errors import ConfigurationError

__all__ = [
    "LEVELS",
    "FoxtrotLogger",
    "configure",
    "correlated",
    "correlation_id",
    "get_logger",
    "guard_sdk_loggers",
    "recalled",
    "register_secret",
    "remember",
    "scrub",
    "set_level",
]

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

correlation_id: ContextVar[str] = ContextVar("foxtrot_correlation_id", default="")
"""Ties the lines of one call together; merged into every line while it is set."""

_numbers = itertools.count(1)
_recalled: ContextVar[bool] = ContextVar("foxtrot_recalled", default=False)
_of_orders: OrderedDict[str, str] = OrderedDict()
_orders_lock = threading.Lock()
_ORDERS_KEPT = 20_000

_TRACEBACK_LIMIT = 16_384
_DEPTH_LIMIT = 4
_ITEM_LIMIT = 64
_INT_BITS = 256  # beyond 4300 digits Python refuses to print an integer at all
_FILE_BYTES = 10 * 1024 * 1024
_FILE_COUNT = 5

# Filters do not reach a logger's children, so the SDKs' child loggers are named one by one.
_SDK_LOGGERS = (
    "ccxt.base.exchange",
    *(
        f"{sdk}{child}"
        for sdk in ("ib_insync", "ib_async")
        for child in (
            "", ".client", ".Decoder", ".flexreport", ".ib", ".IBC", ".Watchdog", ".wrapper",
        )
    ),
    "FTFileLog",
    "FTConsoleLog",
    "FTLog",
)  # fmt: skip
_SDK_NAMES = ("ccxt", "ib_insync", "ib_async", "FTFileLog", "FTConsoleLog", "FTLog")
_SDK_ROOTS = ("ccxt.", "ib_insync.", "ib_async.", "FT")


# Without a handler of its own, stdlib logging would print foxtrot's warnings to stderr.
logging.getLogger("foxtrot").addHandler(logging.NullHandler())


class FoxtrotLogger(structlog.BoundLoggerBase):
    """A bound structlog logger over one stdlib logger; a filtered level costs one lookup."""

    _logger: logging.Logger

    def debug(self, event: str, **fields: object) -> None:
        """Log frames and state changes."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log what an operator wants to know of normal work."""
        if self._logger.isEnabledFor(logging.INFO):
            self._emit(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log trouble that heals by itself."""
        if self._logger.isEnabledFor(logging.WARNING):
            self._emit(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log trouble that needs a person."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._emit(logging.ERROR, event, fields)

    def critical(self, event: str, **fields: object) -> None:
        """Log what stops the program."""
        if self._logger.isEnabledFor(logging.CRITICAL):
            self._emit(logging.CRITICAL, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log at ERROR with the traceback of the exception that is being handled."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._emit(logging.ERROR, event, {"exc_info": True, **fields})

    def log(self, level: int, event: str, **fields: object) -> None:
        """Log at a level given as a number."""
        if self._logger.isEnabledFor(level):
            self._emit(level, event, fields)

    def is_enabled_for(self, level: int) -> bool:
        """Whether a line of `level` would be written; for fields that are dear to compute."""
        return self._logger.isEnabledFor(level)

    def _emit(self, level: int, event: str, fields: dict[str, object]) -> None:
        _, extra = self._process_event(logging.getLevelName(level).lower(), event, fields)
        self._logger.log(level, _Line(extra["foxtrot"]), extra=extra, stacklevel=3)


@contextlib.contextmanager
def correlated(what: str) -> Iterator[str]:
    """Give the lines of this call, here and across the bridge, one id; an outer one is kept.

    What was only `recalled` is not: who sends an order for news of another begins a new matter.
    """
    current = correlation_id.get()
    if current and not _recalled.get():
        yield current
        return
    with _under(f"{what}-{next(_numbers)}", recalled=False) as current:
        yield current


def remember(vt_orderid: str) -> None:
    """Let the lines about an order, on whatever thread, bear the id of now: see `recalled`."""
    if current := correlation_id.get():
        with _orders_lock:
            _of_orders[vt_orderid] = current
            if len(_of_orders) > _ORDERS_KEPT:
                _of_orders.popitem(last=False)


@contextlib.contextmanager
def recalled(vt_orderid: str) -> Iterator[None]:
    """Give the lines of this block the id under which the order was sent, if it is remembered."""
    if known := _of_orders.get(vt_orderid):
        with _under(known, recalled=True):
            yield
    else:
        yield


@contextlib.contextmanager
def _under(current: str, *, recalled: bool) -> Iterator[str]:
    tokens = correlation_id.set(current), _recalled.set(recalled)
    try:
        yield current
    finally:
        correlation_id.reset(tokens[0])
        _recalled.reset(tokens[1])


def get_logger(name: str) -> FoxtrotLogger:
    """Return the structured logger of a room, such as `get_logger("foxtrot.binance")`."""
    return FoxtrotLogger(logging.getLogger(name), _PROCESSORS, {})


class _Line:
    """Renders the fields for a host's formatter, only if one asks."""

    __slots__ = ("_fields",)

    def __init__(self, fields: EventDict) -> None:
        self._fields = fields

    def __str__(self) -> str:
        fields = dict(self._fields)
        text = [str(fields.pop("event"))]
        trace = fields.pop("exception", None)
        text += [f"{name}={value}" for name, value in fields.items()]
        return " ".join(text) + (f"\n{trace}" if trace else "")


# --- processors -----------------------------------------------------------------------------------


def _merge_correlation_id(_logger: object, _method: str, fields: EventDict) -> EventDict:
    if current := correlation_id.get():
        fields.setdefault("correlation_id", current)
    return fields


def _format_exception(_logger: object, _method: str, fields: EventDict) -> EventDict:
    # The exception itself goes no further: its attributes and locals may hold secrets.
    given = fields.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    if isinstance(given, tuple):
        given = given[1]
    if isinstance(given, BaseException):
        fields["exception"] = _traceback(given)
    return fields


def _redact(_logger: object, _method: str, fields: EventDict) -> EventDict:
    trace = fields.pop("exception", None)
    clean: EventDict = {"event": _clean(fields.pop("event"), 0)}
    for name, value in fields.items():
        clean[_clean_name(name)] = REDACTED if is_secret_field(name) else _clean(value, 0)
    if trace:
        clean["exception"] = trace
    return clean


def _hand_over(_logger: object, _method: str, fields: EventDict) -> tuple[tuple[()], EventDict]:
    return (), {"foxtrot": fields}


_PROCESSORS: list[Processor] = [
    _merge_correlation_id,
    _format_exception,
    _redact,
    cast(Processor, _hand_over),
]


def _traceback(error: BaseException) -> str:
    text = scrub("".join(traceback.format_exception(error)).rstrip(), keep_newlines=True)
    if len(text) > _TRACEBACK_LIMIT:  # who called stands first, what was raised stands last
        half = _TRACEBACK_LIMIT // 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    # Indented, so that a line inside a foreign text cannot pose as a log line.
    return "\n".join(f"  | {line}" for line in text.splitlines())


def _clean(value: object, depth: int) -> object:
    if isinstance(value, Enum):
        return _clean(value.value, depth)
    if isinstance(value, int) and value.bit_length() > _INT_BITS:
        return f"<integer of {value.bit_length()} bits>"
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return scrub(str(value), limit=TEXT_LIMIT)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth < _DEPTH_LIMIT and isinstance(value, Mapping):
        return _clean_mapping(value, depth)
    if depth < _DEPTH_LIMIT and isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item, _ in zip(value, range(_ITEM_LIMIT), strict=False)]
    return scrub(_describe(value), limit=TEXT_LIMIT)


def _clean_mapping(value: Mapping[object, object], depth: int) -> dict[str, object]:
    return {
        _clean_name(str(name)): REDACTED if is_secret_field(str(name)) else _clean(item, depth + 1)
        for (name, item), _ in zip(value.items(), range(_ITEM_LIMIT), strict=False)
    }


def _clean_name(name: str) -> str:
    return name if name.isidentifier() and len(name) < 60 else scrub(name, limit=64)


def _describe(value: object) -> str:
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, Exception) else str(value)
    except Exception:  # noqa: BLE001  # boundary: a foreign __str__ must not break the caller
        return f"<unprintable {type(value).__name__}>"


# --- other people's loggers -----------------------------------------------------------------------


class _ScrubFilter(logging.Filter):
    """Rewrites a foreign record: message and traceback without secrets, and no live objects."""

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "foxtrot"):
            return True
        record.msg, record.args = scrub(_message(record), keep_newlines=True), ()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.exc_text = _traceback(error)
        elif record.exc_text:
            record.exc_text = scrub(record.exc_text, keep_newlines=True)
        record.exc_info = None
        return True


_SCRUB_FILTER = _ScrubFilter()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # boundary: arguments of foreign log calls may not fit
        return _describe(record.msg)


def guard_sdk_loggers() -> None:
    """Scrub what the venues' SDKs log: ccxt writes keys and signatures at DEBUG. Idempotent."""
    existing = [name for name in logging.root.manager.loggerDict if name.startswith(_SDK_ROOTS)]
    for name in (*_SDK_LOGGERS, *existing):
        logging.getLogger(name).addFilter(_SCRUB_FILTER)


# --- foxtrot's own programs -----------------------------------------------------------------------

_RESERVED = frozenset({"timestamp", "level", "logger"})

log = get_logger("foxtrot.logs")


class _Render(Protocol):
    def __call__(self, logger: object, name: str, event_dict: EventDict) -> str | bytes: ...


class _Formatter(logging.Formatter):
    """Turns any record, ours or foreign, into one line."""

    def __init__(self, render: _Render) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        fields: EventDict = getattr(record, "foxtrot", None) or _foreign_fields(record)
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: EventDict = {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        for name, value in fields.items():
            line[f"{name}_" if name in _RESERVED else name] = value
        return str(self._render(None, record.levelname.lower(), line))


def _foreign_fields(record: logging.LogRecord) -> EventDict:
    fields: EventDict = {"event": scrub(_message(record), limit=4 * TEXT_LIMIT)}
    if record.exc_info and record.exc_info[1]:
        fields["exception"] = _traceback(record.exc_info[1])
    elif record.exc_text:
        fields["exception"] = scrub(record.exc_text, limit=_TRACEBACK_LIMIT, keep_newlines=True)
    return fields


class _Chatter(logging.Filter):
    """Keeps what the venues' SDKs say of normal work out, unless all is asked for."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING or not record.name.startswith(_SDK_NAMES):
            return True
        return logging.getLogger().isEnabledFor(logging.DEBUG)


class _OwnHandler(logging.Handler):
    """Marks the handlers that `configure` may replace; a line that cannot be written is lost.

    The standard library would print a traceback for each, with what stands in the record.
    """

    _failed = _told = False

    def emit(self, record: logging.LogRecord) -> None:
        self._failed = False
        super().emit(record)
        self._told = self._told and self._failed

    def handleError(self, record: logging.LogRecord) -> None:
        self._failed = True
        if not self._told:
            self._told = True  # first: the line about it comes here, too
            error = sys.exc_info()[1]
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            log.warning("log_unwritable", where=self._where, reason=reason)

    @property
    def _where(self) -> str:
        return "stderr"


class _StreamHandler(_OwnHandler, logging.StreamHandler[TextIO]):
    pass


class _FileHandler(_OwnHandler, RotatingFileHandler):
    """A rotating file that only its owner can read, and never a symbolic link."""

    @property
    def _where(self) -> str:
        return self.baseFilename

    def _open(self) -> TextIOWrapper:
        return cast(
            TextIOWrapper,
            open(self.baseFilename, self.mode, encoding=self.encoding, opener=_open_private),
        )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def configure(
    *,
    level: str = "INFO",
    json: bool | None = None,
    stream: TextIO | None = None,
    file: Path | None = None,
) -> None:
    """Show log lines, for a program that is foxtrot's own. May be called again.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL; changed later by `set_level`.
        json: One JSON object a line; by default wherever `stream` is not a terminal.
        stream: Where lines go; stderr if None.
        file: Write JSON lines there too, rotated at 10 MiB, readable by the owner only.

    Raises:
        ConfigurationError: The level is unknown, or the file cannot be written.
    """
    target = stream or sys.stderr
    terminal = target.isatty()
    handlers: list[logging.Handler] = [_StreamHandler(target)]
    render = _json_renderer() if (not terminal if json is None else json) else _console(terminal)
    handlers[0].setFormatter(_Formatter(render))
    if file is not None:
        handlers.append(_file_handler(file))
    set_level(level)
    guard_sdk_loggers()
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _OwnHandler)]:
        root.removeHandler(old)
        with contextlib.suppress(OSError):  # what it could not write is lost
            old.close()
    for handler in handlers:
        handler.addFilter(_Chatter())
        root.addHandler(handler)


def set_level(level: str) -> None:
    """Change the level of a configured program at once.

    Raises:
        ConfigurationError: The level is unknown.
    """
    if level not in LEVELS:
        raise ConfigurationError("logging", "logging.level", f"must be one of {', '.join(LEVELS)}")
    logging.getLogger().setLevel(level)


def _json_renderer() -> _Render:
    return structlog.processors.JSONRenderer(default=str)


def _console(colors: bool) -> _Render:
    return structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=28)


def _file_handler(file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = _FileHandler(
            file, maxBytes=_FILE_BYTES, backupCount=_FILE_COUNT, encoding="utf-8"
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(str(file), "", f"cannot write the log file: {reason}") from None
    handler.setFormatter(_Formatter(_json_renderer()))
    return handler
