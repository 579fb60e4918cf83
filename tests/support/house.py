"""What the houses of the fault tests share: a life that begins whole has to end whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from foxtrot.execution import reconciler
from foxtrot.gateway import untold
from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import SubscribeRequest
from tests.support.futu_books import FutuBooks
from tests.support.ib_venue import IbUnderTest
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import TRADING, TradingRig

SocketHouse = IbUnderTest | FutuBooks

WATCHFUL = replace(SHORT, stream_look_s=0.1)
"""Streams are looked at often."""

SOON: dict[str, object] = {"liveness.stream_idle_s": 0.5, "subscribe.timeout_s": 0.3}
"""A stream is compared with a snapshot soon, and who says nothing has not refused it."""


@contextmanager
def open_house(house: SocketHouse) -> Iterator[None]:
    """A house that listens; in the end, no client broke a rule of it."""
    house.start()
    try:
        yield
        assert house.sim.violations == []
    finally:
        house.faults.clear()
        house.stop()


def doubt_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that nobody lists is late after 1 s."""
    monkeypatch.setattr(untold, "SILENCE_S", 60.0)
    monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S)
    monkeypatch.setattr(reconciler, "UNBOUNDED", 1)
    monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)


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


def kept(rig: TradingRig) -> bool:
    """Whether no line was lost."""
    return S.RECONNECTING not in (*rig.states(), *rig.states(TRADING))


def lost(rig: TradingRig, fault: str, **params: object) -> tuple[str, str]:
    """Inject what ends both sessions; why each of them says it ended."""
    since = len(rig.log)
    rig.venue.faults.inject(fault, **params)
    market = rig.wait_state(S.RECONNECTING, since=since).reason
    return market, rig.wait_trading(S.RECONNECTING, since)


def why(rig: TradingRig, session: str) -> str:
    """Why a session was not there, the first time."""
    return next(each.reason for each in rig.statuses(session) if each.state is S.RECONNECTING)


def _same_book(rig: TradingRig, request: SubscribeRequest) -> bool:
    assert isinstance(rig.venue, SocketHouse)
    told = rig.engine.get_depth(request.vt_symbol)
    levels = rig.venue.levels(request.symbol)
    return told is not None and (list(told.bids), list(told.asks)) == levels
