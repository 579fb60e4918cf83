"""The simulated Binance, as tests of adapters see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.gateway.base import BaseAdapter, Setting
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.binance import Limits, SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.listings import E8
from tests.support.venues import Quote, VenueUnderTest

_CHANNELS = {
    "ticker": Channel.TICK,
    "depth@100ms": Channel.DEPTH,
    "trade": Channel.TRADE,
    "kline_1m": Channel.BAR,
}
"""The stream by which one of ours is recognised; a tick's other stream is left out."""

_LOCAL: dict[str, str] = {"environment": "simulated", "rest_url": "http://127.0.0.1:1"}


class BinanceUnderTest(VenueUnderTest):
    """A simulated Binance on a thread.

    Args:
        symbols: What it trades; a few by default.
        rate_hz: How often its market moves by itself.
        limits: Its rules for clients.
    """

    adapter_class: ClassVar[type[BaseAdapter]] = BinanceAdapter
    exchange = Exchange.BINANCE
    symbols: ClassVar[Sequence[str]] = ("BTCUSDT", "ETHUSDT", "ETHBTC")
    misspelt = ("BTCUSD", "BTCUSDT")
    wrong_settings: ClassVar[Mapping[str, Setting]] = {
        "environment": {"environment": "production"},
        "rest_url": {"environment": "simulated"},
        "websocket_url": {**_LOCAL, "websocket_url": "ws://192.0.2.1:1"},
        "depth_levels": {**_LOCAL, "depth_levels": 7},
        "colour": {**_LOCAL, "colour": "blue"},
        "secret": {**_LOCAL, "api_key": "a-key-without-its-secret"},
        "api_key": {**_LOCAL, "api_key": "env:FOXTROT_NO_SUCH_KEY", "secret": "s"},
    }

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        rate_hz: float = 0.0,
        limits: Limits | None = None,
    ) -> None:
        listed = list(symbols or self.symbols)
        self.sim = SimulatedBinance(listed, seed=7, rate_hz=rate_hz, limits=limits)
        self._thread = SimulatedBinanceThread(self.sim)

    @property
    def faults(self) -> FaultBoard:
        """See `VenueUnderTest`, like all below."""
        return self.sim.faults

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Be gone."""
        self._thread.stop()

    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """REST and websocket of the simulator."""
        return {
            "environment": "simulated",
            "rest_url": self.sim.rest_url,
            "websocket_url": self.sim.websocket_url,
        }

    def move(self, symbol: str, count: int = 1) -> None:
        """Step the market on the venue's thread."""
        self.sim.tick(symbol, count)

    def trade(self, symbol: str) -> str:
        """Step the market until its tape is longer."""
        before = self._last_trade(symbol)
        for _ in range(1_000):
            self.move(symbol)
            if self._last_trade(symbol) != before:
                return str(self._last_trade(symbol))
        raise AssertionError(f"nobody trades {symbol}")

    def newest(self, symbol: str) -> Quote:
        """The best prices of the market itself."""
        quote = self.sim.market.quote(symbol)
        return quote.bid_e8 / E8, quote.ask_e8 / E8

    def live(self) -> set[StreamKey]:
        """Live streams over all connections."""
        return set(_keys(sorted(self.sim.subscriptions())))

    def asked(self) -> list[StreamKey]:
        """Streams of every SUBSCRIBE that was accepted."""
        return _keys([name for _, names in self.sim.seen.subscribes for name in names])

    def returned(self) -> list[StreamKey]:
        """Streams of every UNSUBSCRIBE."""
        return _keys([name for _, names in self.sim.seen.unsubscribes for name in names])

    @property
    def connections(self) -> int:
        """Handshakes that were answered."""
        return self.sim.seen.connections

    def _last_trade(self, symbol: str) -> int:
        trades = self.sim.market.trades(symbol)
        return trades[-1].trade_id if trades else 0


def _keys(names: Sequence[str]) -> list[StreamKey]:
    found = []
    for name in names:
        symbol, _, stream = name.partition("@")
        channel = _CHANNELS.get(stream)
        if channel is not None:
            detail = "1m" if channel is Channel.BAR else ""
            found.append(StreamKey(channel, symbol.upper(), detail))
    return found
