"""The lines to TWS and OpenD: refused, half-open, cut, asleep; and answers that never come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.model.constants import Channel, Status, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_STREAM
from tests.support.house import WATCHFUL, everything, healed, kept, lost, ready, served, why
from tests.support.rig import eventually
from tests.support.socket_houses import HOMES, at_each
from tests.support.trading_rig import TRADING, TradingRig

WEBSOCKET = "websocket"
IMPATIENT = {"liveness.probe_s": 0.4}
NEVER_S = 60.0
"""A deadline that no test lives to see."""
PARTS = 5
"""Lots of an order that is filled in parts."""


@pytest.fixture(scope="module", params=HOMES)
def home(request: pytest.FixtureRequest):
    """A venue's own; what lives as long as the process is there before anything is counted."""
    home = HOMES[request.param]
    home.furnish()
    return home


@pytest.fixture(autouse=True)
def hastened(home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    home.hasten(monkeypatch)


@pytest.fixture
def house(home):
    """A venue whose market moves by hand."""
    with home.standing() as house:
        yield house


@pytest.fixture
def rig(home, house) -> Iterator[TradingRig]:
    """An engine, not connected yet."""
    with home.living(house) as rig:
        yield rig


def test_a_port_where_nobody_listens(home, house) -> None:
    """F01: nobody runs there: said at once, with what to look for; once it runs, all is served."""
    house.stop()
    with home.living(house, {"connect.timeout_s": NEVER_S}) as rig:
        rig.subscribe(house.symbols[0])
        rig.connect()
        rig.wait_trading(S.RECONNECTING)
        rig.wait_state(S.RECONNECTING)
        assert set(rig.error_kinds()) == {"ConnectError"}
        for session in (WEBSOCKET, TRADING):
            assert home.NOT_RUNNING in why(rig, session)
        house.start()
        healed(rig)


def test_accept_then_close_backs_off(home, rig: TradingRig) -> None:
    """F06: a line that ends soon after READY is not tried at once again and again."""
    everything(rig)
    for round_ in range(1, 4):
        since = len(rig.log)
        rig.venue.faults.inject("eof", path=home.TRADER)
        assert rig.wait_state(S.RECONNECTING, since=since, session=TRADING).attempt == round_
        rig.wait_trading(S.READY, since)
    delays = [s.delay_s for s in rig.statuses(TRADING) if s.state is S.RECONNECTING]
    assert delays[0] <= 0.06 < delays[2]
    healed(rig)


@pytest.mark.parametrize("fault", ["rst", "eof"])
def test_a_cut_line_comes_back_with_everything(home, rig: TradingRig, fault: str) -> None:
    """F11: a reset and an end without a word: all streams and orders are there again."""
    everything(rig)
    orderid = rig.rest(volume=home.LOT)
    assert all(lost(rig, fault))
    healed(rig)
    assert rig.last_of_each()[-1].orderid == orderid
    assert rig.held(orderid).open


def test_a_half_open_line_is_found(home, house) -> None:
    """F20: the other side stands and says nothing any more: idle, a probe, then fresh lines."""
    with home.living(house, IMPATIENT) as rig:
        everything(rig)
        orderid = rig.rest(volume=home.LOT)
        for reason in lost(rig, "mute"):
            assert "probe" in reason
        assert "HeartbeatTimeout" in rig.error_kinds()
        healed(rig)
        assert rig.held(orderid).open


def test_a_feed_that_says_nothing_proves_nothing(rig: TradingRig) -> None:
    """F20: nothing is told, and nothing has happened: quiet, and live as soon as it has."""
    everything(rig)
    since = len(rig.log)
    rig.venue.faults.inject("silent")
    for symbol in rig.venue.symbols:
        rig.wait_stream(symbol, StreamState.QUIET, since=since)
    assert kept(rig)
    healed(rig)


@pytest.mark.parametrize(("home", "request_"), at_each("LISTS"), indirect=["home"])
def test_a_list_that_is_never_answered_is_no_empty_list(home, house, request_: str) -> None:
    """F72: no READY, no order, a typed error; the market's data does not wait for it."""
    with home.living(house, config=replace(WATCHFUL, request_timeout_s=0.3)) as rig:
        house.faults.inject("request_swallowed", request=request_, count=0)
        rig.subscribe(house.symbols[0])
        rig.connect()
        reason = rig.wait_trading(S.RECONNECTING)
        assert "was not answered within 0.3 s" in reason
        assert "VenueUnavailable" in rig.error_kinds()
        assert S.READY not in rig.states(TRADING)
        assert rig.refused(rig.send(volume=home.LOT)).startswith("local:not_ready: ")
        rig.wait_state(S.READY)
        rig.wait_fresh(house.symbols[0])
        healed(rig)


def test_after_a_sleep_nothing_is_believed_unasked(
    home, rig: TradingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F92: the lid was closed: streams are stale and orders asked for, at once; lines are kept."""
    everything(rig)
    orderid = rig.rest(volume=home.LOT)
    since, wanted = len(rig.log), len(rig.adapter.subscriptions())
    reconciled = rig.trading().reconciled_ns
    monkeypatch.setattr(rig.adapter.clock, "time_ns", lambda: time.time_ns() + 3_600_000_000_000)

    def doubted() -> bool:
        told = [event.data for event in rig.log.items[since:] if event.type == EVENT_STREAM]
        return len({str(s) for s in told if "nothing ran" in str(s)}) >= wanted

    eventually(doubted, "every stream is stale")
    eventually(lambda: rig.trading().reconciled_ns > reconciled, "orders are asked for")
    healed(rig)
    assert kept(rig)
    assert rig.held(orderid).open


@pytest.mark.parametrize("ahead_s", [-3_600, 3_600])
def test_a_clock_that_is_wrong_stops_nothing(home, rig: TradingRig, ahead_s: int) -> None:
    """F45: an hour off: streams flow, and what filled meanwhile is found by the venue's lists."""
    rig.venue.faults.inject("clock_skew", seconds=ahead_s)
    rig.subscribe(rig.venue.symbols[0], Channel.TICK, Channel.DEPTH, Channel.TRADE)
    rig.connect()
    rig.wait_served()
    orderid = rig.rest(volume=home.LOT)
    since = len(rig.log)
    rig.venue.faults.inject("restart", seconds=0.2)
    rig.wait_trading(S.RECONNECTING, since)
    rig.venue.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    served(rig)
    ready(rig)
    rig.wait_agreed()


def test_everything_late_is_everything(home, rig: TradingRig) -> None:
    """F72: with 0.1 s on each answer and each report all goes on as without."""
    rig.venue.faults.inject("latency", seconds=0.1)
    everything(rig)
    orderid = rig.rest(volume=PARTS * home.LOT)
    rig.venue.fill(orderid, home.LOT)
    rig.wait_trades(orderid)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert kept(rig)
    healed(rig)
