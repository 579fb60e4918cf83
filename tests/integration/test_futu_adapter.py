"""The adapter at the simulated OpenD: connections come, go and come back, and none is left."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator

import pytest

from foxtrot.adapter.futu import FutuAdapter
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.sdk import sdk
from foxtrot.errors import ConfigurationError, UnknownSymbol
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Exchange, Interval, Status
from foxtrot.model.requests import HistoryRequest, SubscribeRequest
from tests.support.futu_books import LOT, PASSWORD, FutuBooks
from tests.support.rig import eventually, nothing_left
from tests.support.trading_rig import TRADING, TradingRig, trading

TENCENT, BABA = "00700", "09988"


@pytest.fixture
def house() -> Iterator[FutuBooks]:
    """An OpenD that listens."""
    house = FutuBooks()
    house.start()
    try:
        yield house
    finally:
        house.stop()


@pytest.fixture
def rig(house: FutuBooks) -> Iterator[TradingRig]:
    """Connected, trading, and with ticks of one stock."""
    with trading(house) as rig:
        rig.subscribe(TENCENT)
        rig.connect()
        rig.wait_trading(S.READY)
        rig.wait_state(S.READY)
        rig.wait_fresh(TENCENT)
        yield rig


def test_a_life_leaves_nothing_behind(house: FutuBooks) -> None:
    """Connect, stream, ask for the past, trade, close: no thread, socket or connection is left."""
    sdk()  # its thread lives as long as the process
    with nothing_left(), trading(house) as rig:
        rig.subscribe(TENCENT)
        rig.connect()
        rig.wait_trading(S.READY)
        rig.wait_fresh(TENCENT)
        assert isinstance(rig.adapter, FutuAdapter)
        start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
        request = HistoryRequest(TENCENT, Exchange.SEHK, start, None, Interval.MINUTE)
        assert len(rig.adapter.query_history(request)) == 120
        orderid = rig.send(volume=LOT)
        rig.wait_order(orderid, Status.NOTTRADED)
        rig.cancel(orderid)
        rig.wait_order(orderid, Status.CANCELLED)
        rig.adapter.close()
        eventually(lambda: not house.sim.connections, "every connection is closed")
    assert not house.sim.violations


@pytest.mark.parametrize("fault", ["rst", "eof", "half_frame", "corrupt_length"])
def test_every_line_that_breaks_is_replaced(house: FutuBooks, rig: TradingRig, fault: str) -> None:
    """A line that is cut, or cannot be trusted any more: streams and trading are back."""
    since = len(rig.log)
    house.faults.inject(fault)
    house.move(TENCENT)
    rig.wait_state(S.READY, since=since)
    rig.wait_fresh(TENCENT)
    rig.wait_trading(S.READY)
    assert not house.sim.violations


def test_an_opend_that_was_restarted_is_unlocked_again(house: FutuBooks, rig: TradingRig) -> None:
    """OpenD goes away and comes back, locked: streams and orders work as before."""
    since = len(rig.log)
    house.stop()
    rig.wait_state(S.RECONNECTING, since=since)
    rig.wait_state(S.RECONNECTING, since=since, session=TRADING)
    house.start()
    rig.wait_state(S.READY, since=since)
    rig.wait_state(S.READY, since=since, session=TRADING)
    rig.wait_fresh(TENCENT)
    orderid = rig.send(volume=LOT)
    rig.wait_order(orderid, Status.NOTTRADED)


def test_a_half_open_line_is_replaced(house: FutuBooks, rig: TradingRig) -> None:
    """OpenD is connected and says nothing any more: the probe finds out, both sessions renew."""
    since = len(rig.log)
    house.faults.inject("mute")
    rig.wait_state(S.RECONNECTING, since=since)
    rig.wait_state(S.RECONNECTING, since=since, session=TRADING)
    house.faults.clear("mute")
    rig.wait_state(S.READY, since=since)
    rig.wait_state(S.READY, since=since, session=TRADING)
    rig.wait_fresh(TENCENT)


def test_symbols_are_checked_before_and_at_opend(rig: TradingRig) -> None:
    """A spelling that cannot be is refused at once; what does not exist, by OpenD's word."""
    adapter = rig.adapter
    assert isinstance(adapter, FutuAdapter)
    with pytest.raises(ConfigurationError, match="5 digits"):
        adapter.subscribe(SubscribeRequest("700", Exchange.SEHK))
    found = adapter.validate_symbols(["00700.SEHK", "99999.SEHK", "09988.SEHK", "nowhere"])
    assert [type(each) for each in found.values()] == [
        Instrument, UnknownSymbol, Instrument, UnknownSymbol,
    ]  # fmt: skip


def test_nothing_secret_is_said(rig: TradingRig, capsys: pytest.CaptureFixture[str]) -> None:
    """The password is in no log, error or health; nothing goes to stdout."""
    rig.adapter.restart()
    rig.wait_fresh(TENCENT)
    said = capsys.readouterr()
    told = f"{said.err}{rig.adapter.health()}{rig.adapter.diagnostics()}{rig.log.items}"
    assert not re.search(rf"(?<!\d){PASSWORD}(?!\d)", told)
    assert hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest() not in told
    assert said.out == ""
