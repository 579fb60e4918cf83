"""The demo: a simulated venue on a real socket, an engine, and a strategy that watches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from foxtrot.core.settings import Settings
from foxtrot.model.constants import Environment

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

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

        self.venue = open_binance(stack, self._symbols, seed=self._seed, rate_hz=self._rate_hz)
        engine = stack.enter_context(MainEngine())
        engine.add_adapter(BinanceAdapter)
        return engine

    def start(self, engine: MainEngine) -> None:
        """Connect, and let the strategy subscribe to what it watches."""
        from foxtrot.app.examples.trend_watcher import TrendWatcher

        engine.connect(
            {
                "environment": "simulated",
                "rest_url": self.venue.rest_url,
                "websocket_url": self.venue.websocket_url,
            },
            "BINANCE",
        )
        symbols = [f"{each}.BINANCE" for each in self._symbols]
        engine.add_strategy(TrendWatcher, "TrendWatcher", symbols)

    def follow(self, engine: MainEngine, settings: Settings) -> None:
        """There is no settings file to follow."""
