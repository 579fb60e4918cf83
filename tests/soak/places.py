"""The simulated venues of a soak: a process each, what is wanted of it, and what befalls it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.adapter.futu import FutuAdapter
from foxtrot.adapter.ib import IbAdapter
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Channel, Exchange

_START = (sys.executable, "-m")
_WAIT_S = 20.0


@dataclass(frozen=True)
class Fault:
    """What befalls a venue for a while; `then` is said when it is over."""

    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    then: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """One venue: what is watched, what is traded, and its faults."""

    name: str
    adapter: type[BaseAdapter]
    exchange: Exchange
    watched: Mapping[Channel, Sequence[str]]
    volume: float
    """Of an order in the first symbol."""
    faults: Sequence[Fault]
    keys: Mapping[str, str | bool] = field(default_factory=dict)
    """What `connect` takes to trade, beside where it listens."""


_CUTS = (Fault("rst"), Fault("eof"), Fault("refuse"), Fault("latency", {"seconds": 0.1}))
_BAD = tuple(
    Fault(name, {"count": count})
    for name, count in (("malformed_frame", 2), ("garbage_frame", 2), ("hostile_number", 6))
)
_ODD = (Fault("unknown_event"), Fault("duplicate", {"count": 0}), Fault("burst", {"frames": 100}))
_HUSH = (Fault("mute"), Fault("silent"))
_LOST = tuple(
    Fault(name, {"request": request, "count": 1})
    for name in ("ack_swallowed", "ack_reset", "request_reset")
    for request in ("place", "cancel")
)
_COMMON = (*_CUTS, *_BAD, *_ODD, *_HUSH, *_LOST)

_BINANCE_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
_IB_SYMBOLS = tuple(f"{each}-USD-STK" for each in ("AAPL", "MSFT", "IBM", "NVDA", "TSLA", "SPY"))
_FUTU_SYMBOLS = ("00700", "09988", "00005", "01810")

PLACES = {
    place.name: place
    for place in (
        Place(
            "BINANCE",
            BinanceAdapter,
            Exchange.BINANCE,
            dict.fromkeys(Channel, _BINANCE_SYMBOLS),
            0.001,
            (
                *_COMMON,
                Fault("close", {"code": 1001}),
                Fault("close", {"code": 1012}),
                Fault("server_shutdown", {"seconds": 0.5}),
                Fault("depth_gap", {"symbol": "BTCUSDT"}),
                Fault("drop_stream", {"symbol": "ETHUSDT", "count": 0}),
                Fault("http_error", {"status": 503}),
                Fault("user_terminated"),
            ),
            {"api_key": "SIMULATED-KEY-OPENS-NOTHING", "secret": "SIMULATED-SECRET-OPENS-NOTHING"},
        ),
        Place(
            "IB",
            IbAdapter,
            Exchange.SMART,
            {Channel.TICK: _IB_SYMBOLS, Channel.DEPTH: _IB_SYMBOLS[:3]},
            1.0,
            (
                *(each for each in _COMMON if each.name != "duplicate"),
                Fault("corrupt_length"),
                Fault("restart", {"seconds": 0.5}),
                Fault("farm_down", {"rest": True}),
                Fault("notice", {"code": 1100}, {"code": 1101}),
                Fault("notice", {"code": 1100}, {"code": 1102}),
            ),
            {"read_only": False},
        ),
        Place(
            "FUTU",
            FutuAdapter,
            Exchange.SEHK,
            dict.fromkeys(Channel, _FUTU_SYMBOLS),
            100.0,
            (
                *_COMMON,
                Fault("half_frame"),
                Fault("corrupt_length"),
                Fault("bad_checksum", {"count": 3}),
                Fault("unknown_format", {"count": 3}),
                Fault("restart", {"seconds": 0.5}),
                Fault("farm_down", {"rest": True}),
                Fault("drop_stream", {"symbol": "HK.09988", "count": 0}),
                Fault("error_ack", {"request": "subscribe", "count": 2}),
            ),
            {"read_only": False, "password": "123456"},
        ),
    )
}


class Simulated:
    """A venue in a process of its own, told to misbehave over HTTP.

    Args:
        place: Which.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol.
        scaled: Whether Futu's windows are wide open; see `opend`.
    """

    def __init__(self, place: Place, *, seed: int, rate_hz: float, scaled: bool) -> None:
        self.place = place
        options = ("--json", "--port", "0", "--seed", str(seed), "--rate", str(rate_hz))
        program = ["foxtrot", "sim", place.name.lower(), *options]
        if scaled and place.name == "FUTU":
            program = ["tests.soak.opend", str(seed), str(rate_hz)]
        self._process = subprocess.Popen([*_START, *program], stdout=subprocess.PIPE, text=True)
        self._faults = ""

    def opened(self) -> dict[str, str | int | bool]:
        """Wait until it listens; what `connect` takes."""
        assert self._process.stdout is not None
        opened = json.loads(self._process.stdout.readline())
        self._faults = str(opened["faults_url"])
        return {**opened["connect"], **self.place.keys}

    def inject(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._post({"name": fault.name, **fault.params})

    def heal(self, fault: Fault) -> None:
        """Switch everything off."""
        self._ask(urllib.request.Request(self._faults, method="DELETE"))
        if fault.then:
            self._post({"name": fault.name, **fault.then})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_WAIT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _post(self, fault: Mapping[str, object]) -> None:
        self._ask(urllib.request.Request(self._faults, json.dumps(fault).encode()))

    def _ask(self, request: urllib.request.Request) -> None:
        with urllib.request.urlopen(request, timeout=_WAIT_S):
            return
