"""The simulated IB as a house whose lines and lists misbehave, and what has to come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest

from foxtrot.adapter.ib.slots import DEPTH_ROWS
from foxtrot.connectivity.config import StreamConfig
from foxtrot.execution import reconciler
from foxtrot.gateway import untold
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import SubscribeRequest
from foxtrot.simulator.ib import IbLimits
from foxtrot.simulator.listings import E8
from tests.support.ib_venue import IbUnderTest
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import TRADING, TradingRig, trading

AAPL, MSFT, IBM = IbUnderTest.symbols
TEN = (*IbUnderTest.symbols, *(f"{name}-USD-STK" for name in ("NVDA", "TSLA", "SPY")))
TEN += tuple(f"T{number:03d}-USD-STK" for number in range(4))
"""What the house trades; `symbols` are the first three."""

TRADER = "client/1"
"""The connection that trades, as faults name it."""

STREAMER = "client/100"
"""The first connection that streams."""

IB_SHORT = replace(SHORT, stream_look_s=0.1)
"""Streams are looked at often."""

SOON: dict[str, object] = {"liveness.stream_idle_s": 0.5, "subscribe.timeout_s": 0.3}
"""A stream is compared with a snapshot soon, and who says nothing has not refused it."""


class House(IbUnderTest):
    """The gateway with ten contracts; its market moves by hand."""

    def __init__(self) -> None:
        limits = IbLimits(tick_by_tick_again_s=0.0, snapshot_s=0.3)
        super().__init__(TEN, limits=limits)

    def end_stream(self, symbol: str, code: int, text: str) -> None:
        """End the quotes of a symbol with an error."""

        def act() -> None:
            for each in self.sim.streams.live:
                if (each.contract.name, each.channel) == (self._names[symbol], "market_data"):
                    self.sim.streams.close(each.connection, each.req_id)
                    each.connection.error(each.req_id, code, text)

        self.sim.on_loop(act)

    def error(self, order_id: int, code: int, text: str) -> None:
        """Say something of an order to the connection that trades."""

        def act() -> None:
            for each in self.sim.connections:
                if each.path == TRADER:
                    each.error(order_id, code, text)

        self.sim.on_loop(act)

    def book(self, symbol: str) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Bids and asks, as many as are asked for."""

        def side(levels: Iterable[tuple[int, int]]) -> list[tuple[float, float]]:
            return [(price / E8, size / E8) for price, size in levels]

        book = self.sim.market.book(self._names[symbol], DEPTH_ROWS)
        return side(book.bids), side(book.asks)


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly, and an order that nobody lists is late after 1 s."""
    for name, seconds in House.waits.items():
        monkeypatch.setattr(name, seconds)
    monkeypatch.setattr(untold, "SILENCE_S", 60.0)
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S)
    monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)


@contextmanager
def standing() -> Iterator[House]:
    """A house that listens; in the end, no client broke a rule of it."""
    house = House()
    house.start()
    try:
        yield house
        assert house.sim.violations == []
    finally:
        house.faults.clear()
        house.stop()


@contextmanager
def living(
    house: House, flags: Mapping[str, object] | None = None, config: StreamConfig = IB_SHORT
) -> Iterator[TradingRig]:
    """An engine that trades and streams there, not connected yet."""
    with trading(house, {**SOON, **(flags or {})}, config) as rig:
        yield rig


def everything(rig: TradingRig) -> None:
    """All channels of three symbols are wanted, connected and served, and orders are taken."""
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol, *Channel)
    rig.connect()
    rig.wait_served()


def served(rig: TradingRig) -> None:
    """Wait until each wanted stream is served, and has brought what happened after that."""
    rig.wait_served()
    rig.wait_flowing()


def ready(rig: TradingRig) -> None:
    """Wait until orders are taken."""
    eventually(lambda: rig.trading().state is S.READY, "trading is ready")


def healed(rig: TradingRig) -> None:
    """The books at the end: no fault, every stream flows, both sides tell the same of orders."""
    rig.venue.faults.clear()
    served(rig)
    for request in rig.adapter.subscriptions():
        if request.channel is Channel.DEPTH:
            eventually(lambda r=request: _same_book(rig, r), f"the book of {request.symbol}")  # type: ignore[misc]
    ready(rig)
    rig.wait_agreed()


def _same_book(rig: TradingRig, request: SubscribeRequest) -> bool:
    assert isinstance(rig.venue, House)
    told = rig.engine.get_depth(request.vt_symbol)
    return told is not None and (list(told.bids), list(told.asks)) == rig.venue.book(request.symbol)


def kept(rig: TradingRig) -> bool:
    """Whether no line was lost."""
    return S.RECONNECTING not in (*rig.states(), *rig.states(TRADING))
