"""The venues of the demo: each simulated, with its adapter, what is watched and who trades."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from foxtrot.app.venues import contract_of
from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange
from foxtrot.model.requests import SubscribeRequest

if TYPE_CHECKING:
    from foxtrot.gateway.base import BaseAdapter
    from foxtrot.simulator.binance import SimulatedBinance
    from foxtrot.simulator.faults import FaultBoard
    from foxtrot.simulator.futu import SimulatedFutu
    from foxtrot.simulator.ib import SimulatedIb

KeepSecret = Callable[[str, str], str]
"""Puts a secret, by its name, where it is ours alone; returns the reference to it."""


class Stage(ABC):
    """One venue of the demo; `open` comes first."""

    name: ClassVar[str]
    symbols: ClassVar[Sequence[str]]
    """What is watched, as `vt_symbol`."""
    home: ClassVar[frozenset[Exchange]] = frozenset()
    """Exchanges whose symbols are meant for it, though other venues serve them too."""
    traded: ClassVar[Mapping[str, tuple[str, Mapping[str, float | bool]]]]
    """Who trades: by `vt_symbol` the name of an example, and its parameters."""

    @staticmethod
    def lack() -> str:
        """What has to be installed before it can be shown; empty if nothing."""
        return ""

    @abstractmethod
    def open(self, stack: ExitStack, symbols: Sequence[str], seed: int, rate_hz: float) -> None:
        """Open the simulated venue; the stack closes it."""

    @abstractmethod
    def adapter(self) -> type[BaseAdapter]:
        """The adapter that talks to it."""

    @abstractmethod
    def to_read(self) -> dict[str, str | int | bool]:
        """What `connect` takes to reach it, and not to trade."""

    @abstractmethod
    def to_trade(self, keep: KeepSecret) -> dict[str, str | int | bool]:
        """What `connect` takes to reach it and to trade."""

    @property
    @abstractmethod
    def faults(self) -> FaultBoard:
        """Where its faults are switched on."""


class BinanceStage(Stage):
    """Binance, by ccxt."""

    name = "BINANCE"
    symbols = tuple(f"{each}USDT.BINANCE" for each in ("BTC", "ETH", "BNB", "SOL", "XRP", "DOGE"))
    traded = MappingProxyType(
        {
            "BTCUSDT.BINANCE": ("MaCross", {"volume": 0.001}),
            "ETHUSDT.BINANCE": ("MarketMaker", {"volume": 0.01}),
        }
    )

    _venue: SimulatedBinance

    def open(self, stack: ExitStack, symbols: Sequence[str], seed: int, rate_hz: float) -> None:
        """Open it with these symbols alone."""
        from foxtrot.app.simulate import open_binance

        names = [each.removesuffix(".BINANCE") for each in symbols]
        self._venue = open_binance(stack, names, seed=seed, rate_hz=rate_hz)

    def adapter(self) -> type[BaseAdapter]:
        """BinanceAdapter."""
        from foxtrot.adapter.binance import BinanceAdapter

        return BinanceAdapter

    def to_read(self) -> dict[str, str | int | bool]:
        """Its addresses."""
        return {
            "environment": "simulated",
            "rest_url": self._venue.rest_url,
            "websocket_url": self._venue.websocket_url,
        }

    def to_trade(self, keep: KeepSecret) -> dict[str, str | int | bool]:
        """Its addresses, and the key that opens nothing elsewhere."""
        from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET

        key, secret = keep("key", SIMULATED_KEY), keep("secret", SIMULATED_SECRET)
        return {**self.to_read(), "api_key": key, "secret": secret}

    @property
    def faults(self) -> FaultBoard:
        """Where its faults are switched on."""
        return self._venue.faults


class IbStage(Stage):
    """Interactive Brokers, by ib_async or ib_insync."""

    name = "IB"
    symbols = (
        "AAPL-USD-STK.SMART",
        "MSFT-USD-STK.SMART",
        "SPY-USD-STK.SMART",
        "EUR-USD-CASH.IDEALPRO",
    )
    traded = MappingProxyType(
        {
            "AAPL-USD-STK.SMART": ("MaCross", {"volume": 10.0}),
            "MSFT-USD-STK.SMART": (
                "MarketMaker",
                {"volume": 10.0, "most": 50.0, "post_only": False},
            ),
        }
    )

    _venue: SimulatedIb

    @staticmethod
    def lack() -> str:
        """One of the two SDKs."""
        if find_spec("ib_async") or find_spec("ib_insync"):
            return ""
        sdks = "neither ib_async nor ib_insync is installed"
        return f"Interactive Brokers is not shown: {sdks}; pip install ib_async"

    def open(self, stack: ExitStack, symbols: Sequence[str], seed: int, rate_hz: float) -> None:
        """Open it with all that it lists: who subscribes wakes a contract."""
        from foxtrot.app.simulate import open_ib

        self._venue = open_ib(stack, seed=seed, rate_hz=rate_hz)

    def adapter(self) -> type[BaseAdapter]:
        """IbAdapter."""
        from foxtrot.adapter.ib import IbAdapter

        return IbAdapter

    def to_read(self) -> dict[str, str | int | bool]:
        """Its address."""
        host, port = self._venue.host, self._venue.port
        return {"environment": "simulated", "host": host, "port": port, "read_only": True}

    def to_trade(self, keep: KeepSecret) -> dict[str, str | int | bool]:
        """Its address; a TWS asks for no key."""
        return {**self.to_read(), "read_only": False}

    @property
    def faults(self) -> FaultBoard:
        """Where its faults are switched on."""
        return self._venue.faults


class FutuStage(Stage):
    """Futu, by futu-api."""

    name = "FUTU"
    symbols = ("00700.SEHK", "09988.SEHK", "TSLA.NASDAQ", "600519.SSE")
    home = frozenset({Exchange.SEHK, Exchange.SSE, Exchange.SZSE})
    traded = MappingProxyType(
        {
            "00700.SEHK": ("MaCross", {"volume": 100.0}),
            "TSLA.NASDAQ": (
                "MarketMaker",
                {"volume": 10.0, "most": 50.0, "post_only": False, "pause": 6},
            ),
        }
    )

    _venue: SimulatedFutu

    @staticmethod
    def lack() -> str:
        """The SDK."""
        if find_spec("futu"):
            return ""
        return "Futu is not shown: futu-api is not installed; pip install futu-api"

    def open(self, stack: ExitStack, symbols: Sequence[str], seed: int, rate_hz: float) -> None:
        """Open it with all that it lists: who subscribes wakes a contract."""
        from foxtrot.app.simulate import open_futu

        self._venue = open_futu(stack, seed=seed, rate_hz=rate_hz)

    def adapter(self) -> type[BaseAdapter]:
        """FutuAdapter."""
        from foxtrot.adapter.futu import FutuAdapter

        return FutuAdapter

    def to_read(self) -> dict[str, str | int | bool]:
        """Its address."""
        host, port = self._venue.host, self._venue.port
        return {"environment": "simulated", "host": host, "port": port, "read_only": True}

    def to_trade(self, keep: KeepSecret) -> dict[str, str | int | bool]:
        """Its address, and the password that unlocks nothing elsewhere."""
        from foxtrot.simulator.futu_accounts import SIMULATED_PASSWORD

        password = keep("password", SIMULATED_PASSWORD)
        return {**self.to_read(), "read_only": False, "password": password}

    @property
    def faults(self) -> FaultBoard:
        """Where its faults are switched on."""
        return self._venue.faults


STAGES: tuple[type[Stage], ...] = (BinanceStage, IbStage, FutuStage)


def chosen(venues: Sequence[str]) -> list[Stage]:
    """The stages of these venues, without regard to case; all of them, if none is named.

    Raises:
        ConfigurationError: There is no such venue.
    """
    known = {each.name: each for each in STAGES}
    for name in venues:
        if name.upper() not in known:
            problem = f"{name!r} is none of {', '.join(known).lower()}"
            raise ConfigurationError("command line", "--venues", problem)
    return [known[name]() for name in dict.fromkeys(map(str.upper, venues)) or known]


def shared_out(stages: Sequence[Stage], symbols: Sequence[str]) -> dict[Stage, list[str]]:
    """What each stage shows of these symbols; its own choice, if there are none.

    A symbol belongs to the venue whose home its exchange is, else to the first that serves it, of
    those that spell contracts so; without an exchange, to the first of all.
    """
    if not symbols:
        return {stage: list(stage.symbols) for stage in stages}
    shared: dict[Stage, list[str]] = {}
    for symbol in symbols:
        stage = _home(stages, symbol)
        name, exchange = contract_of(stage.adapter(), symbol)
        shared.setdefault(stage, []).append(f"{name}.{exchange.value}")
    return shared


def _home(stages: Sequence[Stage], symbol: str) -> Stage:
    serving = [stage for stage in stages if contract_of(stage.adapter(), symbol)[0] != symbol]
    spelt = [stage for stage in serving if _is_spelt(stage, symbol)]
    at_home = (s for s in spelt if contract_of(s.adapter(), symbol)[1] in s.home)
    return next(at_home, (spelt or serving or stages)[0])


def _is_spelt(stage: Stage, symbol: str) -> bool:
    """Whether the venue's contracts are written so; two venues may serve one exchange."""
    adapter = stage.adapter()(EventEngine())
    try:
        adapter.subscribe(SubscribeRequest(*contract_of(adapter, symbol)))
    except ConfigurationError:
        return False
    return True
