"""The simulated Binance, as tests of adapters see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.accounts import Order
from foxtrot.simulator.binance import ApiKey, Limits, SimulatedBinance
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET, Keys
from foxtrot.simulator.listings import E8
from tests.support.simulated import SimulatedUnderTest
from tests.support.venues import Held, Traded

_CHANNELS = {
    "ticker": Channel.TICK,
    "depth@100ms": Channel.DEPTH,
    "trade": Channel.TRADE,
    "kline_1m": Channel.BAR,
}
"""The stream by which one of ours is recognised; a tick's other stream is left out."""

_SECOND_KEY = "SECOND-KEY-OPENS-NOTHING"

_LOCAL: dict[str, str] = {"environment": "simulated", "rest_url": "http://127.0.0.1:1"}


class BinanceUnderTest(SimulatedUnderTest[SimulatedBinance]):
    """A simulated Binance on a thread.

    Args:
        symbols: What it trades; a few by default.
        rate_hz: How often its market moves by itself.
        limits: Its rules for clients.
        may_trade: Whether the key may send orders.
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
    lacks: ClassVar[Mapping[str, str]] = {
        "duplicate_reports": "what comes twice are its frames",
        "two_step_replace": "an order is replaced by one request",
    }

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        rate_hz: float = 0.0,
        limits: Limits | None = None,
        may_trade: bool = True,
    ) -> None:
        listed = list(symbols or self.symbols)
        keys = (ApiKey(may_trade=may_trade), ApiKey(_SECOND_KEY, account="second"))
        super().__init__(
            SimulatedBinance(listed, seed=7, rate_hz=rate_hz, limits=limits, keys=keys)
        )

    @classmethod
    def many(cls, count: int) -> list[str]:
        """Two letters, XUSDT."""
        return [f"{chr(65 + n // 26)}{chr(65 + n % 26)}XUSDT" for n in range(count)]

    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """REST and websocket of the simulator."""
        return {
            "environment": "simulated",
            "rest_url": self.sim.rest_url,
            "websocket_url": self.sim.websocket_url,
        }

    def live(self) -> set[StreamKey]:
        """Live streams over all connections."""
        return set(_keys(sorted(self.sim.subscriptions())))

    def asked(self) -> list[StreamKey]:
        """Streams of every SUBSCRIBE that was accepted."""
        return _keys([name for _, names in self.sim.seen.subscribes for name in names])

    def returned(self) -> list[StreamKey]:
        """Streams of every UNSUBSCRIBE."""
        return _keys([name for _, names in self.sim.seen.unsubscribes for name in names])

    # -- trading ----------------------------------------------------------------------------

    def keys(self) -> dict[str, str]:
        """The canary that opens nothing."""
        return {"api_key": SIMULATED_KEY, "secret": SIMULATED_SECRET}

    def other_keys(self) -> dict[str, str]:
        """Those of the account named second."""
        return {"api_key": _SECOND_KEY, "secret": SIMULATED_SECRET}

    def allow_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A minute's budget lasts for some ten seconds, then."""
        monkeypatch.setattr("foxtrot.adapter.binance.limits.ACCOUNT_POLL_S", 0.0)

    def forget_keys(self) -> None:
        """Every key is unknown."""
        self.sim.keys = Keys(())

    def resting_price(self, symbol: str) -> float:
        """A tenth below the best bid, on the grid of prices."""
        return round(self.newest(symbol)[0] * 0.9, 2 if symbol.endswith("USDT") else 5)

    def fill(self, orderid: str, volume: float | None = None) -> None:
        """At its limit."""
        self.sim.desk.fill(orderid, volume)

    def end(self, orderid: str, *, expired: bool = False) -> None:
        """By the desk."""
        (self.sim.desk.expire if expired else self.sim.desk.cancel)(orderid)

    def forget_orders(self) -> None:
        """Another one at its place, as the testnet is once a month."""
        self.stop()
        port = self.sim.port
        listed = list(self.sim.market.listings)
        super().__init__(SimulatedBinance(listed, seed=7, rate_hz=0.0, port=port))
        self.start()

    def place_by_hand(self, symbol: str, volume: float, price: float) -> str:
        """By the desk."""
        return str(self.sim.desk.place(symbol, "BUY", volume, price).order_id)

    def held(self) -> list[Held]:
        """The books of the account."""
        return [_held(order) for order in self.sim.desk.account().orders]

    def traded(self) -> list[Traded]:
        """The fills of the account."""
        return [
            Traded(fill.symbol, str(fill.trade_id), fill.client_id, fill.quantity_e8 / E8)
            for fill in self.sim.desk.account().fills
        ]

    def received(self) -> Mapping[str, int]:
        """As the account counted them."""
        return dict(self.sim.desk.account().received)

    def cancels(self) -> list[str]:
        """Out of what was requested."""
        return [
            params.get("origClientOrderId") or params["orderId"]
            for method, path, params in self.sim.seen.requests
            if (method, path) == ("DELETE", "/api/v3/order")
        ]

    def balances(self) -> dict[str, tuple[float, float]]:
        """The books of the account."""
        return {
            asset: ((balance.free_e8 + balance.locked_e8) / E8, balance.locked_e8 / E8)
            for asset, balance in self.sim.desk.account().balances.items()
        }

    def deposit(self, asset: str, amount: float) -> None:
        """By the desk."""
        self.sim.desk.deposit(asset, amount)

    def position(self, symbol: str) -> float:
        """The balance of what is traded."""
        return self.balances()[self.sim.market.listings[symbol].base][0]


def _held(order: Order) -> Held:
    return Held(
        str(order.order_id),
        order.client_id,
        order.symbol,
        order.quantity_e8 / E8,
        order.filled_e8 / E8,
        order.open,
    )


def _keys(names: Sequence[str]) -> list[StreamKey]:
    found = []
    for name in names:
        symbol, _, stream = name.partition("@")
        channel = _CHANNELS.get(stream)
        if channel is not None:
            detail = "1m" if channel is Channel.BAR else ""
            found.append(StreamKey(channel, symbol.upper(), Exchange.BINANCE, detail))
    return found
