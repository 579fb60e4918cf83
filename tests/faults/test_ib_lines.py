"""The lines to TWS: refused, stuck, broken, quiet; and client ids that a ghost holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Status
from foxtrot.model.events import EVENT_CONNECTION
from foxtrot.model.health import ConnectionStatus
from foxtrot.simulator.ib_requests import ReqCurrentTime
from tests.support.house import everything, healed, why
from tests.support.ib_house import (
    AAPL,
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
        rig.log.wait_type(
            EVENT_CONNECTION,
            where=lambda told: (
                isinstance(told, ConnectionStatus)
                and (told.session, told.state) == (TRADING, S.RECONNECTING)
                and what in told.reason
            ),
        )
        assert "ConnectTimeout" in rig.error_kinds()
        assert S.READY not in rig.states() + rig.states(TRADING)
        healed(rig)


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
