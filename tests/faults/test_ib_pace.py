"""TWS says that it was too much, though we kept the pace: another application is at work, too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.adapter.ib import errors, pace_rules
from foxtrot.model.constants import Channel, Interval, Status
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from foxtrot.simulator.ib_requests import ReqHistoricalData
from tests.support.house import WATCHFUL, everything, healed, kept
from tests.support.ib_house import (
    AAPL,
    House,
    hasten,
    living,
    standing,
)
from tests.support.trading_rig import TradingRig

PACING = "Historical Market Data Service error message:Historical data request pacing violation"
FLOOD = "Max rate of messages per second has been exceeded:max=50 rec=51 (1)"


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly, also after TWS found it too much."""
    hasten(monkeypatch)
    monkeypatch.setattr(errors, "PACING_WAIT_S", 0.2)
    monkeypatch.setattr(pace_rules, "_PAUSE_S", 0.2)
    monkeypatch.setattr(pace_rules, "_IDENTICAL_S", 0.2)


@pytest.fixture
def house() -> Iterator[House]:
    """A gateway whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """An engine, not connected yet."""
    config = replace(WATCHFUL, refused_retry_s=0.3)
    with living(house, {"orders.timeout_s": 5.0}, config) as rig:
        yield rig


def hour(rig: TradingRig) -> list[BarData]:
    """The bars of an hour that is over."""
    end = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    start = end - dt.timedelta(hours=1)
    return rig.adapter.query_history(
        HistoryRequest(AAPL, rig.venue.exchange, start, end, Interval.MINUTE)
    )


def test_the_past_is_asked_for_more_slowly(house: House, rig: TradingRig) -> None:
    """F50: 162 for its pace, twice: it is asked again later; orders and streams do not wait."""
    everything(rig)
    asked = len(house.sim.seen.of(ReqHistoricalData))
    house.faults.inject("error_ack", request="history", code=162, body=PACING, count=2)
    bars = hour(rig)
    assert bars
    assert len(house.sim.seen.of(ReqHistoricalData)) - asked >= 3
    orderid = rig.rest()
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert kept(rig)
    healed(rig)


def test_bars_that_were_refused_for_the_pace_come_later(house: House, rig: TradingRig) -> None:
    """F50: a stream of bars that came too fast is asked for again; ticks do not wait for it."""
    house.faults.inject("error_ack", request="history", code=162, body=PACING, count=1)
    rig.subscribe(AAPL, Channel.TICK, Channel.BAR)
    rig.connect()
    rig.wait_served()
    assert kept(rig)
    healed(rig)


def test_a_flood_of_messages_by_another_application(house: House, rig: TradingRig) -> None:
    """F50: error 100: a pause, then half the pace for a while; the line is kept, orders pass."""
    everything(rig)
    house.faults.inject("notice", code=100, body=FLOOD)
    orderid = rig.rest()
    rig.cancel(orderid)
    rig.wait_order(orderid, Status.CANCELLED)
    assert kept(rig)
    healed(rig)
