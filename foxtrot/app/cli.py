"""The command line. Each command imports what it needs when it runs, so that the first is fast."""

from __future__ import annotations

import errno
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from foxtrot.app import brokers
from foxtrot.app.monitor import completed, place_of
from foxtrot.app.options import (
    AskedJson,
    BarLength,
    Config,
    Csv,
    End,
    Json,
    LogFile,
    Monitor,
    Rate,
    Seconds,
    Seed,
    Start,
    Symbols,
    Venue,
    listed,
    query,
    show,
)
from foxtrot.app.stop import (
    Interrupted,
    interruptible,
    open_standard_streams,
    silence_stdout,
)
from foxtrot.errors import ConfigurationError, FoxtrotError

# The base of all that is wrong with a command line. typer brings click along, and newer ones under
# another name; what they have in common is this family.
_Misuse: type[Exception] = typer.BadParameter.__mro__[2]

USAGE, FAILURE = 2, 1
"""Exit codes: what was asked is wrong; what was asked did not work."""

app = typer.Typer(
    name="foxtrot",
    help="One process, several trading venues, streams that do not lie.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(brokers.ib_commands, name="ib")
app.add_typer(brokers.futu_commands, name="futu")


def _show_version(wanted: bool) -> None:
    if wanted:
        from foxtrot.app.version import version

        typer.echo(f"foxtrot {version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """One process, several trading venues, streams that do not lie."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    seconds: Seconds = None,
    json: Json = False,
    symbols: Symbols = None,
    venues: Annotated[
        str | None, typer.Option("--venues", help="Such as binance,futu; all if not given.")
    ] = None,
    seed: Seed = 0,
    rate: Rate = 10.0,
    log_file: LogFile = None,
    monitor: Monitor = None,
) -> None:
    """Show simulated venues at work: no account, no network."""
    from foxtrot.app.demo import Demo
    from foxtrot.app.program import Options, run

    composition = Demo(listed(symbols), venues=listed(venues), seed=seed, rate_hz=rate)
    run(composition, Options(seconds, json, log_file, monitor=place_of(monitor)))


@app.command("run")
def run_settings(
    config: Annotated[Path, typer.Option("--config", help="The settings file.")],
    seconds: Seconds = None,
    json: Json = False,
    log_file: LogFile = None,
    monitor: Monitor = None,
    cancel_on_exit: Annotated[
        bool, typer.Option("--cancel-on-exit", help="Cancel every open order at the end.")
    ] = False,
) -> None:
    """Connect the venues of a settings file, and follow the file while it runs."""
    from foxtrot.app.program import Options, run
    from foxtrot.app.venues import Venues

    run(Venues(config), Options(seconds, json, log_file, cancel_on_exit, place_of(monitor)))


@app.command()
def desktop(
    simulated: Annotated[
        bool, typer.Option("--simulated", help="With simulated venues: no account, no network.")
    ] = False,
    config: Config = None,
    seconds: Seconds = None,
) -> None:
    """Open the vnpy desktop with foxtrot's venues; needs vnpy."""
    from foxtrot.app.desktop import run

    code = run(simulated=simulated, config=config, seconds=seconds)
    if code:
        raise typer.Exit(code)


@app.command()
def halt() -> None:
    """Block new orders of every running foxtrot of this user, and cancel the open ones."""
    from foxtrot.app.switch import HALT

    _tell(HALT, "halt")


@app.command()
def resume() -> None:
    """Let new orders pass again, after a halt."""
    from foxtrot.app.switch import RESUME

    _tell(RESUME, "resume")


@app.command("sim")
def simulate(
    venue: Annotated[str, typer.Argument(help="binance, ib, futu or proxy.", show_default=False)],
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="0: a free one. Usual: 9001 to 9004."),
    ] = None,
    seed: Seed = 0,
    rate: Rate = 10.0,
    symbols: Symbols = None,
    full_speed: Annotated[
        bool, typer.Option("--full-speed", help="Flood who subscribes to quotes.")
    ] = False,
    seconds: Seconds = None,
    json: AskedJson = False,
    key: Annotated[
        str | None, typer.Option("--key", help="Of the simulated Binance; never a real one.")
    ] = None,
    secret: Annotated[str | None, typer.Option("--secret", help="Its secret.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="HOST:PORT behind the proxy.")] = None,
) -> None:
    """Serve a simulated venue on this machine, with orders and faults at will, until Ctrl-C."""
    from foxtrot.app.simulate import Plan, serve

    wanted = listed(symbols) or None
    serve(venue, Plan(port, seed, rate, wanted, full_speed, seconds, json, key, secret, to))


@app.command()
def doctor(config: Config = None) -> None:
    """Look at this machine: what foxtrot needs, what is wrong, and how to mend it.

    With --config at the settings too, without their secrets, and whether their venues answer.
    """
    from foxtrot.app.doctor import examine

    ill = False
    for finding in examine(config):
        ill = ill or bool(finding.advice)
        typer.echo(f"{'!!' if finding.advice else 'ok'}  {finding.subject}: {finding.found}")
        if finding.advice:
            typer.echo(f"    {finding.advice}")
    if ill:
        raise typer.Exit(FAILURE)


@app.command("check-config")
def check_config(
    file: Annotated[Path, typer.Argument(help="The settings file.", show_default=False)],
) -> None:
    """Check a settings file without connecting, and say what is in it."""
    from foxtrot.app.checking import check

    show(check(file))


@app.command()
def history(
    symbol: Annotated[
        str, typer.Argument(help="BTCUSDT, 00700.SEHK, AAPL-USD-STK.SMART", show_default=False)
    ],
    start: Start = None,
    end: End = None,
    interval: BarLength = "1m",
    config: Config = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="From the simulated venue of its exchange.")
    ] = False,
    venue: Venue = "",
    csv: Csv = None,
) -> None:
    """Fetch bars of the past as CSV."""
    from foxtrot.app.past import fetch_csv

    bars = query(symbol, start, end, interval)
    fetch_csv(bars, config=config, simulated=simulated, venue=venue, target=csv)


def _tell(number: signal.Signals, what: str) -> None:
    from foxtrot.app.switch import tell

    told = tell(number)
    for pid in told:
        typer.echo(f"process {pid} was told to {what}")
    if not told:
        raise FoxtrotError("no foxtrot runs with this data directory, so nothing was told")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the program `foxtrot`."""
    open_standard_streams()
    sys.exit(_exit_code(list(sys.argv[1:] if arguments is None else arguments)))


def _exit_code(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        with interruptible():
            code = app(completed(arguments), standalone_mode=False)
            sys.stdout.flush()
    except (Interrupted, KeyboardInterrupt):
        return 0
    except BrokenPipeError:
        silence_stdout()
        return 0
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):  # which typer turns into this
            raise
        silence_stdout()
        return 0
    except typer.Abort:
        return 0
    except _Misuse as error:
        return _fail(_usage(error), USAGE, debug=debug)
    except ConfigurationError as error:
        return _fail(str(error), USAGE, debug=debug)
    except FoxtrotError as error:
        return _fail(str(error), FAILURE, debug=debug)
    except OSError as error:
        return _fail(_refused(error), FAILURE, debug=debug)
    except Exception as error:  # noqa: BLE001 - boundary: a person gets a line, not a traceback
        hint = "" if debug else "; foxtrot --debug COMMAND shows where"
        return _fail(f"unexpected {type(error).__name__}{hint}", FAILURE, debug=debug)
    return code if isinstance(code, int) else 0


def _usage(error: Exception) -> str:
    text = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
    context = getattr(error, "ctx", None)
    stop = "" if text.endswith("?") else "."
    return f"{text}{stop} See: {context.command_path} --help" if context else text


def _refused(error: OSError) -> str:
    """What the system would not do, such as to write to a full disk."""
    if error.errno == errno.ENOSPC:
        silence_stdout()  # it may hold more, which the interpreter would try to write at the end
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or type(error).__name__}"


def _fail(text: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"error: {text}", file=sys.stderr)  # noqa: T201 - a person reads it
    return code
