"""Options that several commands have, and what is made of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foxtrot.core.redaction import printable
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Interval

if TYPE_CHECKING:
    from foxtrot.app.past import Query

Seconds = Annotated[
    float | None, typer.Option("--seconds", min=0, help="End by itself after so long.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line; always so when piped.")]
AskedJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Symbols = Annotated[
    str | None, typer.Option("--symbols", help="Such as BTCUSDT,ETHUSDT.", show_default=False)
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same prices.")]
Rate = Annotated[
    float, typer.Option("--rate", min=0, max=10_000, help="Market steps per second and symbol.")
]
Config = Annotated[Path | None, typer.Option("--config", help="Settings with a venue.")]
Venue = Annotated[str, typer.Option("--venue", help="Which venue, if several would do.")]
Start = Annotated[
    str | None, typer.Option("--start", help="ISO date or time, UTC; a day ago if not given.")
]
End = Annotated[str | None, typer.Option("--end", help="ISO date or time; or now.")]
BarLength = Annotated[
    str, typer.Option("--interval", help="Length of a bar: 1m 5m 15m 1h 4h d w; or 5s.")
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write there; or to stdout.")]
Host = Annotated[str, typer.Option("--host", help="Where it runs; or this machine.")]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65_535, help="Its API port.", show_default=False)
]
Remote = Annotated[bool, typer.Option("--allow-remote", help="Let it be another machine.")]
Account = Annotated[str, typer.Option("--account", help="If the login has several.")]
World = Annotated[str, typer.Option("--environment", help="paper, live or simulated.")]
Monitor = Annotated[
    str | None,
    typer.Option(
        "--monitor",
        metavar="[[HOST:]PORT]",
        help="Serve the dashboard and the API, on this machine alone unless a host is named; "
        "port 8650 if none is.",
    ),
]
LogFile = Annotated[
    Path | None, typer.Option("--log-file", help="Write the log there too, as JSON lines.")
]


def listed(text: str | None) -> list[str]:
    """The parts of a text with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def query(symbol: str, start: str | None, end: str | None, interval: str) -> Query:
    """Which bars are meant.

    Raises:
        ConfigurationError: A moment or the interval is none.
    """
    from foxtrot.app.past import Query

    began = _moment(start, "--start") or dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    return Query(symbol, began, _moment(end, "--end"), _interval(interval))


def show(lines: Iterable[str]) -> None:
    """Print lines as they come; a venue's words in them are words, and move no cursor."""
    for line in lines:
        typer.echo(printable(line))


def _moment(text: str | None, option: str) -> dt.datetime | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        problem = "is no ISO date or time, such as 2026-01-31 or 2026-01-31T12:00"
        raise ConfigurationError("command line", option, problem) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _interval(text: str) -> Interval:
    lengths = [each.value for each in Interval if each is not Interval.TICK]
    if text not in lengths:
        problem = f"must be one of {', '.join(lengths)}"
        raise ConfigurationError("command line", "--interval", problem)
    return Interval(text)
