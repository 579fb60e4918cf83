"""Runs a composition of parts from its first picture to its last word."""

from __future__ import annotations

import gc
import sys
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
from rich.console import Console

from foxtrot.app.monitor import Place, monitoring
from foxtrot.app.output import JsonOutput, Output, ScreenOutput, open_orders
from foxtrot.app.stop import Stop
from foxtrot.app.switch import switch
from foxtrot.core.settings import Settings
from foxtrot.model.constants import ConnectionState, Environment

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

_SWITCH_INTERVAL_S = 0.0005
_GC_THRESHOLDS = (50_000, 20, 1_000)
_CANCEL_S, _CANCEL_LOOK_S = 1.0, 0.02


class Options(msgspec.Struct, frozen=True):
    """How a program runs and where it is shown."""

    seconds: float | None = None
    json: bool = False
    log_file: Path | None = None
    cancel_on_exit: bool = False
    monitor: Place | None = None


class Composition(Protocol):
    """What a program is made of."""

    @property
    def title(self) -> str:
        """What is shown as the program's name."""

    @property
    def environment(self) -> Environment | None:
        """Known before anything is loaded; None where a file says it."""

    @property
    def log_level(self) -> str | None:
        """Least level of a log line; None leaves it to the output."""

    def open(self, stack: ExitStack) -> MainEngine:
        """Make the parts; whatever has to be closed is put on the stack."""

    def start(self, engine: MainEngine) -> None:
        """Subscribe and connect."""

    def follow(self, engine: MainEngine, settings: Settings) -> None:
        """Take up settings that were changed while running."""


def run(composition: Composition, options: Options) -> None:
    """Run until a signal, the deadline, or until nobody reads the output."""
    with Stop(options.seconds) as stop, _output(composition, options, stop) as output:
        with ExitStack() as parts:
            tune()
            engine = composition.open(parts)
            output.attach(engine)
            _watch(engine)
            with switch(engine), monitoring(engine, options.monitor):
                try:
                    composition.start(engine)
                    _turn(composition, engine, output, stop)
                finally:  # a screen that cannot be drawn must not leave orders behind
                    if options.cancel_on_exit:
                        _cancel_all(engine)
        output.finish(engine)


def tune() -> None:
    """Set this process up for low latency and against core dumps, in which secrets would lie.

    It is ours alone, which a library cannot say.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.set_threshold(*_GC_THRESHOLDS)
    if find_spec("resource"):  # not on Windows, which dumps nothing unless told to
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _watch(engine: MainEngine) -> None:
    """Let what passes a threshold be told, whether or not anybody looks at the monitor."""
    from foxtrot.monitoring.watch import Watch

    engine.add_engine(Watch)


def _turn(composition: Composition, engine: MainEngine, output: Output, stop: Stop) -> None:
    settings = engine.settings
    settled = False
    while not stop.wait(output.period_s):
        if engine.settings is not settings:
            settings = engine.settings
            composition.follow(engine, settings)
        if not settled and _ready(engine):
            gc.freeze()
            settled = True
        output.show(engine)


def _cancel_all(engine: MainEngine) -> None:
    """Halt, and wait a little for what that cancels; what then is still open is told at the end."""
    engine.halt("the program ends")
    deadline = time.monotonic() + _CANCEL_S
    while open_orders(engine) and time.monotonic() < deadline:
        time.sleep(_CANCEL_LOOK_S)


def _ready(engine: MainEngine) -> bool:
    return any(each.state is ConnectionState.READY for each in engine.health().adapters)


def _output(composition: Composition, options: Options, stop: Stop) -> Output:
    console = Console()
    if options.json or not console.is_terminal or console.is_dumb_terminal:
        level = composition.log_level or "WARNING"
        return JsonOutput(composition.title, stop, log_level=level, log_file=options.log_file)
    return ScreenOutput(
        composition.title,
        stop,
        environment=composition.environment,
        log_level=composition.log_level or "INFO",
        console=console,
        log_file=options.log_file,
    )
