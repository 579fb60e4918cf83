"""The simulated OpenD as a house whose lines and lists misbehave, and what has to come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import pytest

from foxtrot.adapter.futu import limits
from foxtrot.connectivity.config import StreamConfig
from foxtrot.execution import reconciler
from foxtrot.gateway import untold
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import SubscribeRequest
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu, SimulatedFutuThread
from foxtrot.simulator.futu_schema import Proto
from foxtrot.simulator.listings import E8
from tests.support.futu_books import FutuBooks
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import TRADING, TradingRig, trading

TENCENT, BABA, HSBC = FutuBooks.symbols
XIAOMI = "01810"
FOUR = (TENCENT, BABA, HSBC, XIAOMI)
"""What the house trades; `symbols` are the first three."""

LOT = 100.0
QUOTES, TRADER = "/quotes", "/trading"
"""The connections that stream and that trade, as faults name them."""

LEVELS = 10
FUTU_SHORT = replace(SHORT, stream_look_s=0.1)
"""Streams are looked at often."""

SOON: dict[str, object] = {"liveness.stream_idle_s": 0.5, "subscribe.timeout_s": 0.3}
"""A stream is compared with a snapshot soon."""

ANY_NUMBER = FutuLimits(
    place=None, modify=None, orders=None, unlock=None, snapshot=None, history=None
)
"""OpenD's windows are wide open, but for tests that are about them."""

_CHANNELS = MappingProxyType({1: Channel.TICK, 2: Channel.DEPTH, 4: Channel.TRADE, 11: Channel.BAR})
"""What the SubTypes serve; a book serves ticks, too."""

_WAITS: Mapping[str, float] = MappingProxyType(
    {
        "foxtrot.adapter.futu.market_data._RETRY_S": 0.3,
        "foxtrot.adapter.futu.polling._AFTER_ERROR_S": 0.2,
        "foxtrot.adapter.futu.orders.BALANCES_S": 0.2,
    }
)


class House(FutuBooks):
    """An OpenD with four stocks; its market moves by hand.

    Args:
        limits: Its rules for clients.
    """

    def __init__(self, limits: FutuLimits = ANY_NUMBER) -> None:
        self.paper = False
        names = tuple(f"HK.{symbol}" for symbol in FOUR)
        self.sim = SimulatedFutu(names, seed=7, rate_hz=0.0, limits=limits)
        self._thread = SimulatedFutuThread(self.sim)

    def trade(self, symbol: str) -> str:
        """Step the market until its tape is longer; the number of the newest print."""
        before = self._last_print(symbol)
        for _ in range(1_000):
            self.move(symbol)
            if self._last_print(symbol) != before:
                return str(self._last_print(symbol))
        raise AssertionError(f"nobody trades {symbol}")

    def live(self) -> set[StreamKey]:
        """What any client has pushed to it."""
        return {
            self.key(each.contract.code, _CHANNELS[each.sub_type]) for each in self.sim.quotes.live
        }

    def asked_of(self, proto: Proto) -> int:
        """How often this was asked, by anybody."""
        return len(self.sim.seen.of(proto))

    def subscribed(self) -> Counter[str]:
        """How often each stock was asked for, whatever of it."""
        wanted = [c2s for c2s in self.sim.seen.of(Proto.Qot_Sub) if c2s.isSubOrUnSub]
        return Counter(security.code for c2s in wanted for security in c2s.securityList)

    def levels(self, symbol: str) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Bids and asks, as many as are told."""

        def side(levels: Iterable[tuple[int, int]]) -> list[tuple[float, float]]:
            return [(price / E8, size / E8) for price, size in levels]

        book = self.sim.market.book(f"HK.{symbol}", LEVELS)
        return side(book.bids), side(book.asks)

    def _last_print(self, symbol: str) -> int:
        trades = self.sim.market.trades(f"HK.{symbol}")
        return trades[-1].trade_id if trades else 0


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly, and an order that nobody lists is late after 1 s."""
    for name, seconds in _WAITS.items():
        monkeypatch.setattr(name, seconds)
    wide = dict.fromkeys(limits.PER_WINDOW, 10_000)
    for room in ("limits", "polling"):
        monkeypatch.setattr(f"foxtrot.adapter.futu.{room}.PER_WINDOW", wide)
    monkeypatch.setattr(untold, "SILENCE_S", 60.0)
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S)
    monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)


@contextmanager
def standing(limits: FutuLimits = ANY_NUMBER) -> Iterator[House]:
    """A house that listens; in the end, no client broke a rule of it."""
    house = House(limits)
    house.start()
    try:
        yield house
        assert house.sim.violations == []
    finally:
        house.faults.clear()
        house.stop()


@contextmanager
def living(
    house: House, flags: Mapping[str, object] | None = None, config: StreamConfig = FUTU_SHORT
) -> Iterator[TradingRig]:
    """An engine that trades and streams there, not connected yet."""
    with trading(house, {**SOON, **(flags or {})}, config) as rig:
        rig.surplus = True  # a book is pushed for ticks, too
        yield rig


def everything(rig: TradingRig) -> None:
    """All channels of three stocks are wanted, connected and served, and orders are taken."""
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol, *Channel)
    rig.connect()
    rig.wait_served()


def served(rig: TradingRig) -> None:
    """Wait until each wanted stream is served, and has brought what happened after that."""
    rig.wait_served()
    rig.wait_flowing()


def healed(rig: TradingRig) -> None:
    """The books at the end: no fault, every stream flows, both sides tell the same of orders."""
    rig.venue.faults.clear()
    served(rig)
    for request in rig.adapter.subscriptions():
        if request.channel is Channel.DEPTH:
            eventually(lambda r=request: _same_book(rig, r), f"the book of {request.symbol}")  # type: ignore[misc]
    eventually(lambda: rig.trading().state is S.READY, "trading is ready")
    rig.wait_agreed()


def lost(rig: TradingRig, fault: str, **params: object) -> tuple[str, str]:
    """Inject what ends both sessions; why each of them says it ended."""
    since = len(rig.log)
    rig.venue.faults.inject(fault, **params)
    market = rig.wait_state(S.RECONNECTING, since=since).reason
    return market, rig.wait_trading(S.RECONNECTING, since)


def kept(rig: TradingRig) -> bool:
    """Whether no line was lost."""
    return S.RECONNECTING not in (*rig.states(), *rig.states(TRADING))


def _same_book(rig: TradingRig, request: SubscribeRequest) -> bool:
    assert isinstance(rig.venue, House)
    told = rig.engine.get_depth(request.vt_symbol)
    levels = rig.venue.levels(request.symbol)
    return told is not None and (list(told.bids), list(told.asks)) == levels
