"""The lines to TWS: refused, stuck, half-open, cut, broken, asleep; and lists that never come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.model.constants import Channel, Status
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_STREAM
from foxtrot.simulator.ib_requests import ReqCurrentTime
from tests.support.house import everything, healed, lost, ready, served, why
from tests.support.ib_house import (
    AAPL,
    IB_SHORT,
    STREAMER,
    TRADER,
    House,
    hasten,
    living,
    standing,
)
from tests.support.rig import eventually
from tests.support.trading_rig import TRADING, TradingRig

WEBSOCKET = "websocket"
IMPATIENT: dict[str, object] = {"liveness.probe_s": 0.4}
LISTS = ("positions", "open_orders", "completed_orders", "executions", "account_updates")


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    hasten(monkeypatch)


@pytest.fixture
def house() -> Iterator[House]:
    """A gateway whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """An engine, not connected yet."""
    with living(house) as rig:
        yield rig


def probes(rig: TradingRig, client_id: int) -> int:
    """How often TWS was asked for its time."""
    assert isinstance(rig.venue, House)
    seen = rig.venue.sim.seen.requests
    return sum(who == client_id and isinstance(what, ReqCurrentTime) for who, what in seen)


def test_a_port_where_nobody_listens(house: House, rig: TradingRig) -> None:
    """F01: TWS is not running: the error says what to look for; once it runs, all is served."""
    house.stop()
    rig.subscribe(AAPL)
    rig.connect()
    rig.wait_trading(S.RECONNECTING)
    rig.wait_state(S.RECONNECTING)
    assert set(rig.error_kinds()) == {"ConnectError"}
    for session in (WEBSOCKET, TRADING):
        assert "is TWS or IB Gateway running there" in why(rig, session)
    house.start()
    healed(rig)


def test_a_gateway_that_hangs_up_at_once(rig: TradingRig) -> None:
    """F01: cut off before the handshake: asked again until it is let in."""
    rig.venue.faults.inject("refuse")
    rig.subscribe(AAPL)
    rig.connect()
    rig.wait_trading(S.RECONNECTING)
    rig.wait_state(S.RECONNECTING)
    assert "trusted" in why(rig, TRADING)
    healed(rig)


@pytest.mark.parametrize(
    ("fault", "params", "what"),
    [
        ("slow_handshake", {"seconds": 30, "count": 0}, "handshake"),
        ("request_swallowed", {"request": "start_api", "count": 0}, "order id and accounts"),
    ],
    ids=["no handshake", "no next valid id"],
)
def test_a_welcome_that_never_ends_is_given_up(
    house: House, fault: str, params: dict[str, object], what: str
) -> None:
    """F04: the deadline of a connection is total, and the error says what was missing."""
    with living(house, {"connect.timeout_s": 1.0}) as rig:
        house.faults.inject(fault, **params)
        rig.subscribe(AAPL)
        rig.connect()
        reason = rig.wait_trading(S.RECONNECTING)
        assert what in reason
        assert "ConnectTimeout" in rig.error_kinds()
        assert S.READY not in rig.states() + rig.states(TRADING)
        healed(rig)


def test_accept_then_close_backs_off(rig: TradingRig) -> None:
    """F06: a line that ends soon after READY is not tried at once again and again."""
    everything(rig)
    for round_ in range(1, 4):
        since = len(rig.log)
        rig.venue.faults.inject("eof", path=TRADER)
        assert rig.wait_state(S.RECONNECTING, since=since, session=TRADING).attempt == round_
        rig.wait_trading(S.READY, since)
    delays = [s.delay_s for s in rig.statuses(TRADING) if s.state is S.RECONNECTING]
    assert delays[0] <= 0.06 < delays[2]
    healed(rig)


@pytest.mark.parametrize("fault", ["rst", "eof"])
def test_a_cut_line_comes_back_with_everything(rig: TradingRig, fault: str) -> None:
    """F11: a reset and an end without a word: all streams and orders are there again."""
    everything(rig)
    orderid = rig.rest()
    reasons = lost(rig, fault)
    assert all(reasons)
    healed(rig)
    assert rig.last_of_each()[-1].orderid == orderid
    assert rig.held(orderid).open


@pytest.mark.parametrize("path", [STREAMER, TRADER])
def test_a_length_that_cannot_be_true_ends_the_line(rig: TradingRig, path: str) -> None:
    """F14: two gigabytes are announced: nothing is waited for, a fresh line is made at once."""
    everything(rig)
    since = len(rig.log)
    session = TRADING if path == TRADER else WEBSOCKET
    rig.venue.faults.inject("corrupt_length", path=path)
    if path == TRADER:
        rig.send()
    else:
        rig.venue.move(AAPL)
    status = rig.wait_state(S.RECONNECTING, since=since, session=session)
    assert "impossible length" in status.reason
    healed(rig)


def test_a_half_open_line_is_found(house: House) -> None:
    """F20: TWS stands and says nothing any more: idle, a probe, then fresh lines."""
    with living(house, IMPATIENT) as rig:
        everything(rig)
        orderid = rig.rest()
        for reason in lost(rig, "mute"):
            assert "probe" in reason
        assert "HeartbeatTimeout" in rig.error_kinds()
        healed(rig)
        assert rig.held(orderid).open


def test_a_quiet_market_is_no_fault(house: House) -> None:
    """F20: nothing moves: probes are answered, and every line stays."""
    with living(house, IMPATIENT) as rig:
        everything(rig)
        eventually(lambda: probes(rig, 1) > 0 and probes(rig, 100) > 0, "both lines are probed")
        assert rig.states() == rig.states(TRADING) == [S.CONNECTING, S.SYNCING, S.READY]
        healed(rig)


def test_a_ghost_of_the_trading_line_is_waited_for(house: House, rig: TradingRig) -> None:
    """F62: TWS holds the id of a dead line: trading waits for that id, and orders are kept."""
    everything(rig)
    orders = [rig.rest() for _ in range(2)]
    since = len(rig.log)
    house.faults.inject("ghost_client", seconds=0.6, path=TRADER)
    house.faults.inject("rst", path=TRADER)
    reason = rig.wait_trading(S.RECONNECTING, since)
    house.fill(orders[0])
    eventually(lambda: "ClientIdInUse" in rig.error_kinds(), "326 is named")
    assert rig.refused(rig.send()).startswith("local:not_ready: ")
    rig.wait_trading(S.READY, since)
    assert reason
    assert {each for each in house.ids if each < 100} == {1}
    rig.wait_order(orders[0], Status.ALLTRADED)
    rig.cancel(orders[1])
    rig.wait_order(orders[1], Status.CANCELLED)
    assert not rig.states(WEBSOCKET, since)
    healed(rig)


def test_a_ghost_of_a_streaming_line_is_walked_around(house: House, rig: TradingRig) -> None:
    """F62: streams belong to no client id: another one is taken at once."""
    everything(rig)
    since = len(rig.log)
    house.faults.inject("ghost_client", path=STREAMER)
    house.faults.inject("rst", path=STREAMER)
    rig.wait_state(S.READY, since=since)
    assert 100 not in house.ids
    assert not rig.states(TRADING, since)
    house.faults.clear()
    healed(rig)


@pytest.mark.parametrize("request_", LISTS)
def test_a_list_that_is_never_answered_is_no_empty_list(house: House, request_: str) -> None:
    """F72: no READY, no order, a typed error; the market's data does not wait for it."""
    with living(house, config=replace(IB_SHORT, request_timeout_s=0.3)) as rig:
        house.faults.inject("request_swallowed", request=request_, count=0)
        rig.subscribe(AAPL)
        rig.connect()
        reason = rig.wait_trading(S.RECONNECTING)
        assert "was not answered within 0.3 s" in reason
        assert "VenueUnavailable" in rig.error_kinds()
        assert S.READY not in rig.states(TRADING)
        assert rig.refused(rig.send()).startswith("local:not_ready: ")
        rig.wait_state(S.READY)
        rig.wait_fresh(AAPL)
        healed(rig)


def test_after_a_sleep_nothing_is_believed_unasked(
    house: House, rig: TradingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F92: the lid was closed: streams are stale and orders asked for, at once; lines are kept."""
    everything(rig)
    orderid = rig.rest()
    since, wanted = len(rig.log), len(rig.adapter.subscriptions())
    made, reconciled = rig.venue.connections, rig.trading().reconciled_ns
    monkeypatch.setattr(rig.adapter.clock, "time_ns", lambda: time.time_ns() + 3_600_000_000_000)

    def doubted() -> bool:
        told = [event.data for event in rig.log.items[since:] if event.type == EVENT_STREAM]
        return len({str(s) for s in told if "nothing ran" in str(s)}) >= wanted

    eventually(doubted, "every stream is stale")
    eventually(lambda: rig.trading().reconciled_ns > reconciled, "orders are asked for")
    healed(rig)
    assert rig.venue.connections - made <= 1  # the one that polled meanwhile
    assert {1, 100} <= house.ids
    assert rig.held(orderid).open


@pytest.mark.parametrize("ahead_s", [-3_600, 3_600])
def test_a_clock_that_is_wrong_stops_nothing(rig: TradingRig, ahead_s: int) -> None:
    """F45: an hour off: streams flow, and what filled meanwhile is found by TWS's own list."""
    rig.venue.faults.inject("clock_skew", seconds=ahead_s)
    rig.subscribe(AAPL, Channel.TICK, Channel.DEPTH, Channel.TRADE)
    rig.connect()
    rig.wait_served()
    orderid = rig.rest()
    since = len(rig.log)
    rig.venue.faults.inject("restart", seconds=0.2)
    rig.wait_trading(S.RECONNECTING, since)
    rig.venue.fill(orderid)
    rig.wait_order(orderid, Status.ALLTRADED)
    served(rig)
    ready(rig)
    rig.wait_agreed()


def test_everything_late_is_everything(rig: TradingRig) -> None:
    """F72: with 0.1 s on each answer and each report all goes on as without."""
    rig.venue.faults.inject("latency", seconds=0.1)
    everything(rig)
    orderid = rig.rest()
    rig.venue.fill(orderid, 0.2)
    rig.wait_trades(orderid)
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert rig.states() == rig.states(TRADING) == [S.CONNECTING, S.SYNCING, S.READY]
    healed(rig)
