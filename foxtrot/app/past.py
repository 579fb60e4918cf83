"""`foxtrot history`: bars of the past as CSV, with a progress bar for who waits."""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from foxtrot.app.stages import chosen, shared_out
from foxtrot.app.stop import silence_stdout
from foxtrot.app.venues import contract_of, located, setting
from foxtrot.core import logs
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError, FoxtrotError
from foxtrot.model.constants import Interval
from foxtrot.model.events import EVENT_LOG, Event
from foxtrot.model.objects import BarData, LogData
from foxtrot.model.requests import HistoryRequest

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

_COLUMNS = ("datetime", "open", "high", "low", "close", "volume", "turnover")


class Query(msgspec.Struct, frozen=True):
    """Which bars."""

    symbol: str
    start: datetime
    end: datetime | None
    interval: Interval


def fetch_csv(
    query: Query, *, config: Path | None, simulated: bool, venue: str, target: Path | None
) -> None:
    """Fetch the bars and write them to `target`, or to stdout.

    Raises:
        ConfigurationError: It is not said where from, or not one venue is meant.
        FoxtrotError: The venue did not give them, or they cannot be written.
    """
    if (config is None) != simulated:
        raise ConfigurationError(
            "command line", "", "say where from: --config FILE or --simulated, and not both"
        )

    def opened(stack: ExitStack) -> tuple[MainEngine, str]:
        if config is not None:
            return _from_settings(stack, config, venue)
        return _simulated(stack, query.symbol, venue)

    write_csv(query, opened, target)


def write_csv(
    query: Query, opened: Callable[[ExitStack], tuple[MainEngine, str]], target: Path | None
) -> None:
    """Fetch the bars from the adapter that is opened, by its name; see `fetch_csv`."""
    logs.configure(level="WARNING", json=False)
    try:
        with _target(target) as sink, ExitStack() as stack:
            engine, name = opened(stack)
            engine.register(EVENT_LOG, _say)
            bars = _fetch(engine, name, query)
            _write(sink, bars)
    except FoxtrotError:
        raise  # one of a deadline is an OSError, too, and none of writing
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        if target is None:
            silence_stdout()
        reason = error.strerror or type(error).__name__
        raise FoxtrotError(f"{target or 'stdout'}: cannot be written: {reason}") from None
    count = "1 bar" if len(bars) == 1 else f"{len(bars):,} bars"
    print(count, file=sys.stderr)  # noqa: T201 - a person reads it


def _say(event: Event) -> None:
    """Show what the venue remarks, such as since when it has bars."""
    if isinstance(event.data, LogData):
        print(event.data.msg, file=sys.stderr)  # noqa: T201 - a person reads it


def _from_settings(stack: ExitStack, path: Path, venue: str) -> tuple[MainEngine, str]:
    from foxtrot.engine.main_engine import MainEngine
    from foxtrot.gateway.registry import adapter_class

    settings = Settings.load(path)
    name = _choose(settings, path, venue)
    entry = settings.venues[name]
    kind = adapter_class(entry.adapter, where=f"{path}: venues.{name}")
    engine = stack.enter_context(MainEngine(settings=settings))
    adapter = engine.add_adapter(kind, name)
    with located(path, name):
        adapter.connect(setting(entry.connect))
    return engine, name


def _choose(settings: Settings, path: Path, venue: str) -> str:
    names = list(settings.venues)
    chosen = [name for name in names if not venue or name.upper() == venue.upper()]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(names) or "none"
    problem = f"there is no {venue!r}" if venue else "name one with --venue"
    raise ConfigurationError(str(path), "venues", f"{problem}; the file has {known}")


def _simulated(stack: ExitStack, symbol: str, venue: str) -> tuple[MainEngine, str]:
    from foxtrot.engine.main_engine import MainEngine

    ((stage, symbols),) = shared_out(chosen([venue] if venue else ()), [symbol]).items()
    if lack := stage.lack():
        raise ConfigurationError("command line", "--simulated", lack)
    stage.open(stack, symbols, seed=0, rate_hz=10.0)
    engine = stack.enter_context(MainEngine())
    engine.add_adapter(stage.adapter(), stage.name).connect(stage.to_read())
    return engine, stage.name


def _fetch(engine: MainEngine, name: str, query: Query) -> list[BarData]:
    from rich.console import Console
    from rich.progress import Progress

    symbol, exchange = contract_of(engine.adapter(name), query.symbol)
    request = HistoryRequest(symbol, exchange, query.start, query.end, query.interval)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{query.symbol} {query.interval.value}", total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return engine.query_history(request, name, told)


def _write(sink: TextIO, bars: list[BarData]) -> None:
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for bar in bars:
        prices = (bar.open_price, bar.high_price, bar.low_price, bar.close_price)
        moment = bar.datetime.isoformat().replace("+00:00", "Z")
        writer.writerow((moment, *prices, bar.volume, bar.turnover))
    sink.flush()


@contextmanager
def _target(path: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that is whole or not there: it takes its name when all is written."""
    if path is None:
        yield sys.stdout
    elif path.exists() and not path.is_file():  # a device or a pipe is written, not replaced
        with path.open("w", encoding="utf-8", newline="") as sink:
            yield sink
    else:
        yield from _whole(path)


def _whole(path: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as sink:
            yield sink
        os.replace(name, path)
    except BaseException:  # boundary: whatever happened, nothing half-written is left
        os.unlink(name)
        raise
