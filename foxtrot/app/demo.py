"""The demo: a simulated venue on a real socket, an engine, and strategies that watch and trade."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from foxtrot.core.settings import Settings
from foxtrot.model.constants import Environment

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

TRADED = {"BTCUSDT": 0.001, "ETHUSDT": 0.01}
"""What the demo trades, and how much at once: the first follows averages, the second quotes."""
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")


class Demo:
    """Composition of the demo; needs no account and no network.

    Args:
        symbols: What is traded and watched.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol.
    """

    title = "demo"
    environment = Environment.SIMULATED
    log_level = None

    def __init__(
        self, symbols: Sequence[str] = SYMBOLS, *, seed: int = 0, rate_hz: float = 10.0
    ) -> None:
        self._symbols, self._seed, self._rate_hz = tuple(symbols), seed, rate_hz

    def open(self, stack: ExitStack) -> MainEngine:
        """Open the venue and make the engine."""
        from foxtrot.adapter.binance import BinanceAdapter
        from foxtrot.app.simulate import open_binance
        from foxtrot.engine.main_engine import MainEngine

        # What it traded ends with it: the next demo begins with another venue.
        self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="foxtrot-demo-")))
        self.venue = open_binance(stack, self._symbols, seed=self._seed, rate_hz=self._rate_hz)
        settings = {"journal.directory": str(self._folder)}
        engine = stack.enter_context(MainEngine(settings=settings))
        engine.add_adapter(BinanceAdapter)
        return engine

    def start(self, engine: MainEngine) -> None:
        """Connect, and let the strategies subscribe to what they watch."""
        from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET

        engine.connect(
            {
                "environment": "simulated",
                "rest_url": self.venue.rest_url,
                "websocket_url": self.venue.websocket_url,
                "api_key": self._secret("key", SIMULATED_KEY),
                "secret": self._secret("secret", SIMULATED_SECRET),
            },
            "BINANCE",
        )
        self._add_strategies(engine)

    def _add_strategies(self, engine: MainEngine) -> None:
        from foxtrot.app.examples.ma_cross import MaCross
        from foxtrot.app.examples.market_maker import MarketMaker
        from foxtrot.app.examples.trend_watcher import TrendWatcher

        symbols = [f"{each}.BINANCE" for each in self._symbols]
        engine.add_strategy(TrendWatcher, "TrendWatcher", symbols)
        for (symbol, volume), kind in zip(TRADED.items(), (MaCross, MarketMaker), strict=True):
            if symbol in self._symbols:
                engine.add_strategy(kind, kind.__name__, [f"{symbol}.BINANCE"], {"volume": volume})

    def _secret(self, name: str, value: str) -> str:
        """Put a secret where the settings would have it: in a file that is ours alone."""
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(value, encoding="utf-8")
        return f"file:{file}"

    def follow(self, engine: MainEngine, settings: Settings) -> None:
        """There is no settings file to follow."""
