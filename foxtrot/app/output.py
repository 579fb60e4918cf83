"""Where a running program is shown: a live screen, or JSON lines for other programs."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import msgspec
from rich.console import Console
from rich.live import Live

from foxtrot.app import jsonlines, snapshot
from foxtrot.app.screen import render
from foxtrot.app.stop import Stop
from foxtrot.app.watch import LogTap, Watch
from foxtrot.core import logs
from foxtrot.model.constants import Environment
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_BAR,
    EVENT_CONNECTION,
    EVENT_DEPTH,
    EVENT_LOG,
    EVENT_MARKET_TRADE,
    EVENT_ORDER,
    EVENT_STREAM,
    EVENT_TICK,
    EVENT_TRADE,
    Event,
)

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

log = logs.get_logger("foxtrot.app")

_PENDING = 20_000
"""Lines that may wait for a slow reader; past it the oldest are dropped and counted."""

_SAFE_WRITE = 4096
"""What a pipe that select calls writable takes without blocking."""


def open_orders(engine: MainEngine) -> int:
    """How many orders of ours live at the venues, as far as is known; also after the end."""
    return len(engine.get_all_active_orders())


def left_open(count: int) -> str:
    """How the last line tells of orders that stay at the venue."""
    if not count:
        return ""
    return f"; {count} {'order stays' if count == 1 else 'orders stay'} open at the venue"


class Output(Protocol):
    """A way to show a program."""

    period_s: float
    """How often `show` is to be called."""

    def __enter__(self) -> Self:
        """Show that the program is starting."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Give the terminal back."""

    def attach(self, engine: MainEngine) -> None:
        """Listen to the engine from now on."""

    def show(self, engine: MainEngine) -> None:
        """Show what there is."""

    def finish(self, engine: MainEngine) -> None:
        """Show the last word; the engine is closed already."""


class ScreenOutput:
    """A live picture on a terminal; logs go into its events panel, and to `log_file`."""

    period_s = 0.25

    def __init__(
        self,
        title: str,
        stop: Stop,
        *,
        environment: Environment | None = None,
        console: Console | None = None,
        log_level: str = "INFO",
        log_file: Path | None = None,
    ) -> None:
        self._title, self._stop, self._environment = title, stop, environment
        self._console = console or Console()
        self._log_level, self._log_file = log_level, log_file
        self._watch = Watch()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        tap = LogTap(self._watch)
        logs.configure(level=self._log_level, json=True, stream=tap, file=self._log_file)
        first = snapshot.starting(self._title, self._environment)
        live = Live(
            render(first, *self._console.size),
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stderr=False,
            redirect_stdout=False,
        )
        self._live = self._stack.enter_context(live)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._stack.close()
        logs.configure(level="WARNING")

    def attach(self, engine: MainEngine) -> None:
        """Listen to the engine from now on."""
        self._watch.attach(engine.event_engine)

    def show(self, engine: MainEngine) -> None:
        """Draw the picture anew."""
        view = snapshot.take(engine, self._watch, self._title, self._stop.running_s)
        self._live.update(render(view, *self._console.size), refresh=True)

    def finish(self, engine: MainEngine) -> None:
        """Leave one line on the terminal that the picture was on."""
        self._stack.close()
        health = engine.health().engine
        self._console.print(
            f"foxtrot {self._title} ended after {self._stop.running_s:.0f} s: "
            f"{health.received:,} events, {health.conflated:,} conflated, "
            f"{health.dropped:,} dropped{left_open(open_orders(engine))}.",
            highlight=False,
        )


class JsonOutput:
    """One JSON object a line on a file descriptor; logs go to stderr, and to `log_file`.

    A line that cannot be written, as the disk is full, is lost and counted; the program goes on.

    Thread safety: handlers run on the dispatcher and never wait for the reader; the lines are
    written by the main thread.
    """

    period_s = 0.05

    def __init__(
        self,
        title: str,
        stop: Stop,
        *,
        fd: int | None = None,
        log_level: str = "WARNING",
        log_file: Path | None = None,
    ) -> None:
        self._title, self._stop = title, stop
        self._fd = sys.stdout.fileno() if fd is None else fd
        self._log_level, self._log_file = log_level, log_file
        self._pending: deque[Event] = deque(maxlen=_PENDING)
        self._taken = self._written = self._lost = 0
        self._torn = self._told = False
        self._ticks = 0
        self._encoder = msgspec.json.Encoder()
        self._environments: dict[str, str] = {}

    def __enter__(self) -> Self:
        logs.configure(level=self._log_level, file=self._log_file)
        self._write(jsonlines.start(self._title))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Nothing to give back."""

    def attach(self, engine: MainEngine) -> None:
        """Listen to the engine from now on."""
        self._engine = engine
        for type_ in (
            EVENT_TICK,
            EVENT_DEPTH,
            EVENT_MARKET_TRADE,
            EVENT_BAR,
            EVENT_CONNECTION,
            EVENT_STREAM,
            EVENT_ORDER,
            EVENT_TRADE,
            EVENT_ACCOUNT,
            EVENT_LOG,
        ):
            engine.event_engine.register(type_, self._take)

    def show(self, engine: MainEngine) -> None:
        """Write what came since the last time; what comes meanwhile waits for the next."""
        for _ in range(len(self._pending)):
            event = self._pending.popleft()
            self._written += 1
            self._ticks += event.type == EVENT_TICK
            line = jsonlines.line(event, self._environment_of)
            if line is not None and not self._write(line):
                return

    def finish(self, engine: MainEngine) -> None:
        """Write what is left, and the summary."""
        self.show(engine)
        health = engine.health()
        unwritten = self._taken - self._written + self._lost
        last = jsonlines.summary(
            health,
            self._stop,
            ticks=self._ticks,
            unwritten=unwritten,
            open_orders=open_orders(engine),
        )
        self._write(last)

    def _take(self, event: Event) -> None:
        self._taken += 1
        self._pending.append(event)

    def _environment_of(self, adapter_name: str) -> str:
        known = self._environments.get(adapter_name)
        if known is None:
            named = {name.upper() for name in self._engine.get_all_adapter_names()}
            if adapter_name.upper() not in named:
                return ""
            environment = self._engine.adapter(adapter_name).environment
            if environment is None:
                return ""
            known = self._environments[adapter_name] = environment.value
        return known

    def _write(self, fields: dict[str, object]) -> bool:
        """Write one line; False if the end came before the reader took it."""
        line = (b"\n" if self._torn else b"") + self._encoder.encode(fields) + b"\n"
        data = line
        while data:
            if not self._stop.wait_writable(self._fd):
                return False
            try:
                data = data[os.write(self._fd, data[:_SAFE_WRITE]) :]
            except BrokenPipeError:
                self._stop.ask("nobody reads")
                return False
            except OSError as error:
                self._lose(error, torn=self._torn or len(data) < len(line))
                return True
        self._torn = self._told = False
        return True

    def _lose(self, error: OSError, *, torn: bool) -> None:
        self._lost += 1
        self._torn = torn
        if not self._told:
            self._told = True
            log.warning("output_unwritable", reason=error.strerror or type(error).__name__)
