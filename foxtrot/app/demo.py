"""The demo: simulated venues on real sockets, an engine, and strategies that watch and trade."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from foxtrot.app.stages import Stage, chosen, shared_out
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Environment

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine


class Demo:
    """Composition of the demo; needs no account and no network.

    Args:
        symbols: What is watched; the venues' own choice, if empty.
        venues: Which venues, by name; all whose SDK is installed, if empty.
        seed: Same seed, same prices.
        rate_hz: Steps of each market per second and symbol.

    Raises:
        ConfigurationError: A venue is unknown, or its SDK is not installed.
    """

    title = "demo"
    environment = Environment.SIMULATED
    log_level = None

    def __init__(
        self,
        symbols: Sequence[str] = (),
        *,
        venues: Sequence[str] = (),
        seed: int = 0,
        rate_hz: float = 10.0,
    ) -> None:
        self._seed, self._rate_hz = seed, rate_hz
        self._lacking = tuple(text for stage in chosen(venues) if (text := stage.lack()))
        if venues and self._lacking:
            raise ConfigurationError("command line", "--venues", "; ".join(self._lacking))
        self._stages = [stage for stage in chosen(venues) if not stage.lack()]
        self._symbols = symbols
        self._shown: dict[Stage, list[str]] = {}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The venues that are shown, once it is open."""
        return tuple(self._shown)

    def open(self, stack: ExitStack) -> MainEngine:
        """Open the venues and make the engine."""
        from foxtrot.engine.main_engine import MainEngine

        # What it traded ends with it: the next demo begins with other venues.
        self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="foxtrot-demo-")))
        self._shown = shared_out(self._stages, self._symbols)
        for stage, symbols in self._shown.items():
            stage.open(stack, symbols, self._seed, self._rate_hz)
        settings = {"journal.directory": str(self._folder)}
        engine = stack.enter_context(MainEngine(settings=settings))
        for stage in self._shown:
            engine.add_adapter(stage.adapter(), stage.name)
        return engine

    def start(self, engine: MainEngine) -> None:
        """Connect, and let the strategies subscribe to what they watch."""
        for text in self._lacking:
            engine.write_log(text)
        for stage in self._shown:
            engine.connect(stage.to_trade(self._keep), stage.name)
        self._add_strategies(engine)

    def _add_strategies(self, engine: MainEngine) -> None:
        from foxtrot.app.examples.ma_cross import MaCross
        from foxtrot.app.examples.market_maker import MarketMaker
        from foxtrot.app.examples.trend_watcher import TrendWatcher

        traders = {kind.__name__: kind for kind in (MaCross, MarketMaker)}
        for stage, symbols in self._shown.items():
            here = stage.name
            engine.add_strategy(TrendWatcher, f"TrendWatcher-{here}", symbols, adapter_name=here)
            for symbol, (kind, parameters) in stage.traded.items():
                if symbol in symbols:
                    name = f"{kind}-{symbol.partition('.')[0].partition('-')[0]}"
                    engine.add_strategy(
                        traders[kind], name, [symbol], parameters, adapter_name=here
                    )

    def _keep(self, name: str, value: str) -> str:
        """Put a secret where the settings would have it: in a file that is ours alone."""
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(value, encoding="utf-8")
        return f"file:{file}"

    def follow(self, engine: MainEngine, settings: Settings) -> None:
        """There is no settings file to follow."""
