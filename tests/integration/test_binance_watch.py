"""A name of the SDK is hidden: the same data comes by its public watch calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import aiohttp
import pytest

pytest.register_assert_rewrite("tests.support.rig")

from foxtrot.adapter.binance import client  # noqa: E402
from foxtrot.adapter.binance.watch import WatchSession  # noqa: E402
from foxtrot.model.constants import Channel, StreamState  # noqa: E402
from foxtrot.model.constants import ConnectionState as S  # noqa: E402
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE  # noqa: E402
from foxtrot.model.health import StreamKey  # noqa: E402
from foxtrot.model.objects import BarData, DepthData, MarketTradeData  # noqa: E402
from foxtrot.simulator.binance import SimulatedBinance  # noqa: E402
from tests.support.binance_venue import BinanceUnderTest  # noqa: E402
from tests.support.faults import healed, lost, same_book  # noqa: E402
from tests.support.rig import Rig, eventually, nothing_left, running  # noqa: E402

LOG_LINE = "sdk_fast_path_unavailable"
HIDDEN = "aiohttp.ClientWSTimeout"


@pytest.fixture(scope="module", autouse=True)
def sdk() -> None:
    """The SDK is imported once, before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has looked at the SDK yet."""
    monkeypatch.setattr(client, "_missing", None)


@pytest.fixture
def hidden(unseen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name that only the fast path uses is not there."""
    monkeypatch.delattr(aiohttp, "ClientWSTimeout")


@pytest.fixture
def venue() -> Iterator[BinanceUnderTest]:
    """A venue whose market moves by hand."""
    with nothing_left():
        venue = BinanceUnderTest()
        venue.start()
        try:
            yield venue
        finally:
            venue.faults.clear()
            venue.stop()


@pytest.fixture
def rig(venue: BinanceUnderTest, hidden: None) -> Iterator[Rig]:
    """An engine with the adapter, not connected yet."""
    with running(venue) as rig:
        yield rig


def everything(rig: Rig) -> None:
    """All channels of two symbols are wanted, connected and served."""
    for symbol in ("BTCUSDT", "ETHUSDT"):
        rig.subscribe(symbol, *Channel)
    rig.connect()
    rig.wait_served()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of the fast path."""
    return [r.getMessage() for r in caplog.records if LOG_LINE in r.getMessage()]


def test_all_channels_flow(rig: Rig) -> None:
    """Ticks, depth, trades and bars of every symbol, with the venue's numbers."""
    everything(rig)
    rig.wait_fresh("BTCUSDT", "ETHUSDT")
    rig.wait_flowing()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        same_book(rig, symbol)
