"""The adapter at the simulated IB: connections come, go and come back, and none is left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from foxtrot.adapter.ib import IbAdapter
from foxtrot.adapter.ib.client_ids import leases
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_STREAM
from foxtrot.simulator.ib import IbLimits
from tests.support.ib_venue import IbUnderTest
from tests.support.rig import WAIT_S, eventually, nothing_left
from tests.support.trading_rig import TRADING, TradingRig, trading

AAPL, MSFT, IBM = "AAPL-USD-STK", "MSFT-USD-STK", "IBM-USD-STK"


@pytest.fixture
def house() -> Iterator[IbUnderTest]:
    """A gateway that listens."""
    house = IbUnderTest(limits=IbLimits())
    house.start()
    try:
        yield house
    finally:
        house.stop()


@pytest.fixture
def rig(house: IbUnderTest) -> Iterator[TradingRig]:
    """Connected, trading, and with ticks of one stock."""
    with trading(house) as rig:
        rig.subscribe(AAPL)
        rig.connect()
        rig.wait_trading(S.READY)
        rig.wait_state(S.READY)
        rig.wait_fresh(AAPL)
        yield rig


def test_a_life_leaves_nothing_behind(house: IbUnderTest) -> None:
    """Connect, stream, ask for the past, close: no thread, socket, connection or id is left."""
    with nothing_left(), trading(house) as rig:
        rig.subscribe(AAPL)
        rig.connect()
        rig.wait_trading(S.READY)
        rig.wait_fresh(AAPL)
        assert isinstance(rig.adapter, IbAdapter)
        assert rig.adapter.search_contracts("MSFT")
        assert 1 in house.ids
        assert len(leases()) == 3
        rig.adapter.close()
        eventually(lambda: not house.sim.connections, "every connection is closed")
        assert not leases()
    assert not house.sim.violations


def test_the_nightly_restart_is_survived(house: IbUnderTest, rig: TradingRig) -> None:
    """TWS ends every line and comes back: every stream is there, under the same trading id."""
    rig.subscribe(MSFT)
    rig.subscribe(IBM)
    rig.wait_fresh(MSFT, IBM)
    since = len(rig.log)
    house.faults.inject("restart", seconds=0.3)
    rig.wait_state(S.READY, since=since)
    rig.wait_state(S.READY, since=since, session=TRADING)
    rig.wait_fresh(AAPL, MSFT, IBM)
    assert 1 in house.ids
    assert not house.sim.violations


def test_a_stuck_client_id_is_waited_for(house: IbUnderTest, rig: TradingRig) -> None:
    """TWS holds the id of a dead line: trading comes back with that id, and with no other."""
    since = len(rig.log)
    house.faults.inject("ghost_client", seconds=0.5, path="client/1")
    house.faults.inject("rst", path="client/1")
    rig.wait_state(S.RECONNECTING, since=since, session=TRADING)
    rig.wait_state(S.READY, since=since, session=TRADING)
    assert "ClientIdInUse" in rig.error_kinds()
    assert 1 in house.ids
    assert S.READY in rig.states()
    assert not rig.states(since=since)


def test_a_half_open_line_is_replaced(house: IbUnderTest, rig: TradingRig) -> None:
    """TWS is connected and says nothing any more: the probe finds out, and both sessions renew."""
    since = len(rig.log)
    house.faults.inject("mute")
    rig.wait_state(S.RECONNECTING, since=since)
    rig.wait_state(S.RECONNECTING, since=since, session=TRADING)
    house.faults.clear("mute")
    rig.wait_state(S.READY, since=since)
    rig.wait_state(S.READY, since=since, session=TRADING)
    rig.wait_fresh(AAPL)
    assert 1 in house.ids


def test_a_laptop_that_slept_asks_before_it_believes(
    rig: TradingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the lid was closed streams are stale, orders are asked for, and the lines are kept."""
    since = len(rig.log)
    reconciled = rig.adapter.health().trading.reconciled_ns
    monkeypatch.setattr(rig.adapter.clock, "time_ns", lambda: time.time_ns() + 3_600_000_000_000)
    rig.log.wait_type(
        EVENT_STREAM, WAIT_S, since=since, where=lambda status: "nothing ran" in status.reason
    )
    eventually(
        lambda: rig.adapter.health().trading.reconciled_ns > reconciled, "orders are asked for"
    )
    rig.wait_fresh(AAPL)
    assert not rig.states(since=since)
    assert not rig.states(TRADING, since=since)


@pytest.mark.parametrize("fault", ["corrupt_length", "rst", "eof"])
def test_a_line_that_breaks_is_replaced(house: IbUnderTest, rig: TradingRig, fault: str) -> None:
    """Garbage, a reset or an end of one line: a fresh one has every stream."""
    since = len(rig.log)
    house.faults.inject(fault)
    house.move(AAPL)
    rig.wait_state(S.RECONNECTING, since=since)
    house.faults.clear()
    rig.wait_state(S.READY, since=since)
    rig.wait_fresh(AAPL)


def test_a_live_account_is_never_taken_for_another() -> None:
    """The setting says simulated, TWS has a live account: nothing is traded, and it says why."""
    house = IbUnderTest(accounts=("U7654321",))
    house.start()
    try:
        with trading(house) as rig:
            rig.connect()
            told = rig.wait_state(S.FAILED, session=TRADING)
            assert "live account U7654321" in told.reason
            assert "U7654321" not in rig.adapter.account
            assert house.sim.seen.connections <= 2
    finally:
        house.stop()
