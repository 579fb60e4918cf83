"""What goes wrong while the desktop is open: the window goes on, and shows what is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop_window import Shown, open_window, qt, vt_symbol

from vnpy.trader import constant, object  # isort: skip

from foxtrot.desktop.host import host_of
from foxtrot.model.constants import Exchange
from foxtrot.model.events import EVENT_TICK, Event
from foxtrot.model.objects import Source, TickData
from tests.support.binance_venue import BinanceUnderTest
from tests.support.futu_venue import FutuUnderTest
from tests.support.ib_venue import IbUnderTest
from tests.support.rig import nothing_left
from tests.support.venues import VenueUnderTest

BTC, ETH = "BINANCE/BTCUSDT.BINANCE/tick", "BINANCE/ETHUSDT.BINANCE/tick"
BURST = 100_000
NOON_NS = 1_795_262_400_000_000_000

pytestmark = pytest.mark.timeout(120)  # the first one imports three SDKs and Qt

app = pytest.fixture(scope="module")(qt)


@pytest.fixture(scope="module")
def sdks() -> None:
    """What lives as long as the process is made before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401
    from foxtrot.adapter.futu.sdk import sdk
    from foxtrot.adapter.ib import client  # noqa: F401

    sdk()


@pytest.fixture(autouse=True)
def left(app: Any, sdks: None) -> Iterator[None]:
    """No fault leaves a thread behind."""
    with nothing_left():
        yield


@pytest.fixture
def shown(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """The window with one venue, whose market moves."""
    with open_window(app, monkeypatch, [BinanceUnderTest(rate_hz=20.0)]) as shown:
        yield shown


def ready(shown: Shown, *venues: VenueUnderTest) -> None:
    """Wait until venues stream and take orders, as the panel says it."""
    for venue in venues or shown.venues:
        name = venue.adapter_class.default_name
        for key in (name, f"{name}/trading", f"{name}/websocket"):
            shown.until(lambda key=key: shown.state(key) == "ready", f"{key} is ready")


def buy(shown: Shown, venue: VenueUnderTest, price: float) -> str:
    """A limit order for a venue's first symbol; its vt_orderid."""
    symbol, _, exchange = vt_symbol(venue).rpartition(".")
    request = object.OrderRequest(
        symbol,
        constant.Exchange(exchange),
        constant.Direction.LONG,
        constant.OrderType.LIMIT,
        0.5 * venue.unit,
        price,
    )
    return str(shown.engine.send_order(request, venue.adapter_class.default_name))


def is_status(shown: Shown, vt_orderid: str, status: constant.Status) -> bool:
    order = shown.engine.get_order(vt_orderid)
    return order is not None and order.status is status


def test_each_venue_restarts_and_nothing_is_there_twice(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue that goes leaves the others ready; back again it has one row of each thing."""
    venues = [BinanceUnderTest(), IbUnderTest(), FutuUnderTest()]
    with open_window(app, monkeypatch, venues) as shown:
        ready(shown)
        resting = [buy(shown, venue, venue.resting_price(venue.symbols[0])) for venue in venues]
        for vt_orderid in resting:
            shown.until(
                lambda v=vt_orderid: is_status(shown, v, constant.Status.NOTTRADED), "rests"
            )
        for venue in venues:
            away(shown, venue)
        for venue in venues:
            venue.fill(venue.held()[0].orderid)
        for vt_orderid in resting:
            shown.until(lambda v=vt_orderid: is_status(shown, v, constant.Status.ALLTRADED), "fill")
        shown.until(lambda: shown.table("TradeMonitor").rowCount() >= len(venues), "fills shown")
        shown.until(lambda: not shown.engine.get_all_active_orders(), "none is open")
        orders = shown.column("OrderMonitor", "orderid")
        assert sorted(orders) == sorted(each.partition(".")[2] for each in resting)
        fills = [each.trade_id for venue in venues for each in venue.traded()]
        assert sorted(shown.column("TradeMonitor", "tradeid")) == sorted(fills)


def away(shown: Shown, venue: VenueUnderTest) -> None:
    """Let a venue go and come back, and see that it is alone with that."""
    name = venue.adapter_class.default_name
    venue.stop()
    shown.until(lambda: shown.state(name) == "reconnecting", f"{name} is missed")
    others = {each.adapter_class.default_name for each in shown.venues} - {name}
    assert {shown.state(each) for each in others} <= {"ready"}
    reconnects = int(shown.cell(name, "Reconnects"))
    venue.start()
    ready(shown, venue)
    assert int(shown.cell(name, "Reconnects")) >= reconnects
    shown.until(lambda: flows(shown, venue), f"{name} is in the window again")


def flows(shown: Shown, venue: VenueUnderTest) -> bool:
    """Let a market move, and see whether its price comes to the table of ticks."""
    venue.move(venue.symbols[0])
    shown.app.processEvents()
    rows = dict(
        zip(
            shown.column("TickMonitor", "symbol"),
            shown.column("TickMonitor", "bid_price_1"),
            strict=True,
        )
    )
    return rows.get(vt_symbol(venue).rpartition(".")[0]) == str(venue.newest(venue.symbols[0])[0])


def test_a_stream_that_falls_silent_is_stale_alone(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The panel names the one stream without data, in red, while the others stay fresh."""
    settings = {"liveness.stream_idle_s": 0.3, "websocket.fallback_on_error": False}
    venue = BinanceUnderTest(rate_hz=20.0)
    with open_window(app, monkeypatch, [venue], settings=settings) as shown:
        ready(shown)
        shown.until(lambda: shown.state(BTC) == "active", "fresh")
        fresh = colour(shown, BTC)
        venue.faults.inject("drop_stream", symbol="BTCUSDT")
        shown.until(lambda: shown.state(BTC) == "stale", "it is seen")
        assert colour(shown, BTC) != fresh
        assert shown.cell(BTC, "Why")
        assert (shown.state(ETH), colour(shown, ETH)) == ("active", fresh)
        venue.faults.clear()
        shown.until(lambda: shown.state(BTC) == "active", "it is back")
        assert colour(shown, BTC) == fresh
        assert len(shown.column("TickMonitor", "symbol")) == len(venue.symbols)


def colour(shown: Shown, key: str) -> str:
    """In what colour the panel says a state."""
    from foxtrot.desktop.connections.rows import COLUMNS

    return str(shown.panel.item(key).foreground(COLUMNS.index("State")).color().name())


def test_a_websocket_that_is_refused_is_polled_and_given_up_only_in_words(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused again and again a session is failed, its streams are polled, and it comes back."""
    settings = {"websocket.max_reconnect_attempts": 2}
    venue = BinanceUnderTest(rate_hz=20.0)
    with open_window(app, monkeypatch, [venue], settings=settings) as shown:
        ready(shown)
        venue.faults.inject("refuse")
        venue.faults.inject("rst")
        shown.until(lambda: shown.state("BINANCE/websocket") == "reconnecting", "it is seen")
        shown.until(lambda: shown.state(BTC) == "polling", "prices come by request")
        shown.until(lambda: shown.state("BINANCE/websocket") == "failed", "it is given up")
        assert shown.cell("BINANCE/websocket", "Why")
        assert int(shown.cell("BINANCE", "Errors")) > 0
        venue.faults.clear()
        shown.until(lambda: shown.state(BTC) == "active", "it streams again")
        ready(shown)


def test_an_app_that_raises_does_not_end_the_window(shown: Shown) -> None:
    """An app whose handlers fail at each tick is named in the log; the tables go on moving."""
    ready(shown)
    calls: list[object] = []

    def log() -> list[str]:
        return shown.column("LogMonitor", "msg")

    def broken(event: Any) -> None:
        calls.append(event)
        raise KeyError("an app of somebody else")

    shown.engine.event_engine.register("eTick.", broken)
    shown.until(lambda: len(calls) > 3, "it fails again and again")
    told = [text for text in log() if "KeyError" in text]
    assert len(told) == 1
    assert "broken" in told[0]
    before = shown.column("TickMonitor", "datetime")
    shown.until(lambda: shown.column("TickMonitor", "datetime") != before, "prices move")
    request = object.CancelRequest("1", "X", constant.Exchange.GLOBAL)
    shown.engine.cancel_order(request, "BINANCE")
    shown.until(lambda: "no order 1 is known" in " ".join(log()), "what is said is heard")


def test_a_burst_is_shown_by_its_newest(shown: Shown) -> None:
    """A window that stood still while 100,000 ticks came draws the newest of each symbol, once."""
    ready(shown)
    inner = host_of(shown.engine.event_engine).engine.event_engine
    symbols = [f"S{number:02d}USDT" for number in range(50)]
    put_rounds(inner, symbols, 1)
    shown.until(lambda: prices(shown, symbols) == {"1.0"}, "a row for each")
    before = inner.health()
    rounds = BURST // len(symbols)
    drawn = watched(shown)
    put_rounds(inner, symbols, rounds)  # nothing is drawn meanwhile: this is the window's thread
    inner.drain()
    shown.engine.event_engine.drain()
    shown.until(lambda: prices(shown, symbols) == {f"{rounds}.0"}, "the newest of each")
    after = inner.health()
    assert len(drawn) == len(symbols)
    assert after.received - before.received >= BURST
    assert (after.dropped, after.handler_errors) == (before.dropped, 0)
    for engine in (inner, shown.engine.event_engine):  # the venue goes on telling
        shown.until(lambda engine=engine: not engine.health().queued, "nothing is left behind")
    assert len(shown.column("TickMonitor", "symbol")) == len(symbols) + len(shown.venue.symbols)


def watched(shown: Shown) -> list[str]:
    """The prices that the table of ticks will draw of the symbols of the burst."""
    table, drawn = shown.table("TickMonitor"), []
    headers = list(table.headers)

    def changed(item: Any) -> None:
        is_price = item.column() == headers.index("last_price")
        if is_price and table.item(item.row(), headers.index("symbol")).text().startswith("S"):
            drawn.append(item.text())

    table.itemChanged.connect(changed)
    return drawn


def put_rounds(engine: Any, symbols: list[str], rounds: int) -> None:
    """Put a tick of each symbol, as often as said, as fast as it goes."""
    sources = [Source.of(symbol, Exchange.BINANCE, "BINANCE") for symbol in symbols]
    for number in range(1, rounds + 1):
        for source in sources:
            tick = TickData(source, NOON_NS, NOON_NS, float(number))
            engine.put(Event(EVENT_TICK, tick, tick.vt_symbol))


def prices(shown: Shown, symbols: list[str]) -> set[str]:
    """The last prices of symbols in the table."""
    rows = zip(
        shown.column("TickMonitor", "symbol"),
        shown.column("TickMonitor", "last_price"),
        strict=True,
    )
    known = dict(rows)
    return {known.get(f"{symbol}_SPOT_BINANCE", "") for symbol in symbols}
