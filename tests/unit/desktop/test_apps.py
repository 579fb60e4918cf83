"""vnpy's own apps on foxtrot's venues."""

from __future__ import annotations

import datetime as dt
import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop import Desk, main_engine_class, open_desk, require

require("vnpy", "talib", "loguru", "vnpy_ctastrategy", "vnpy_riskmanager", "vnpy_sqlite")

main_engine_class()

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what the apps import
    from vnpy_ctastrategy import CtaStrategyApp, CtaTemplate
    from vnpy_riskmanager import RiskManagerApp

from vnpy.trader import constant, object  # noqa: E402

from foxtrot.desktop.events import DesktopEventEngine  # noqa: E402
from foxtrot.desktop.gateway import as_vnpy_gateway  # noqa: E402
from tests.support.binance_venue import BinanceUnderTest  # noqa: E402
from tests.support.desktop_gateway import PlainGateway  # noqa: E402
from tests.support.rig import QUICK, eventually  # noqa: E402

SYMBOL = "BTCUSDT_SPOT_BINANCE"
VT_SYMBOL = f"{SYMBOL}.GLOBAL"


class BuyOnce(CtaTemplate):  # type: ignore[misc]
    """Buys above the market at its first tick, and leaves an order below it."""

    author = "a user"
    asked = False

    def on_init(self) -> None:
        """Nothing to learn, and nothing heard yet."""
        self.heard: list[str] = []
        self.fills: list[float] = []

    def on_tick(self, tick: Any) -> None:
        """Buy, once."""
        if not self.asked and tick.ask_price_1 and self.trading:
            self.asked = True
            self.buy(round(tick.ask_price_1 * 1.01, 2), 0.001)
            self.buy(round(tick.ask_price_1 * 0.9, 2), 0.001)

    def on_order(self, order: Any) -> None:
        """Note what became of an order."""
        self.heard.append(order.status.name)

    def on_trade(self, trade: Any) -> None:
        """Note a fill."""
        self.fills.append(trade.volume)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[BinanceUnderTest]:
    """A market that moves."""
    venue = BinanceUnderTest(rate_hz=20.0)
    for name, value in venue.keys().items():
        monkeypatch.setenv(f"DESK_{name.upper()}", value)
    venue.start()
    yield venue
    venue.stop()


@pytest.fixture
def desk(venue: BinanceUnderTest) -> Iterator[Desk]:
    """vnpy with the venue connected, another gateway beside it, and both apps."""
    with open_desk(DesktopEventEngine()) as desk:
        desk.engine.add_gateway(as_vnpy_gateway(venue.adapter_class, QUICK))
        desk.engine.add_gateway(PlainGateway)
        desk.engine.add_app(CtaStrategyApp)
        desk.engine.add_app(RiskManagerApp).active = True  # before 2.0 it waits to be switched on
        keys = {"api_key": "env:DESK_API_KEY", "secret": "env:DESK_SECRET"}
        desk.engine.connect({**venue.setting(), **keys}, "BINANCE")
        desk.engine.connect({}, "PLAIN")
        desk.wait_said("trading: ready")
        desk.wait("eContract.", lambda contract: contract.vt_symbol == VT_SYMBOL)
        desk.engine.subscribe(object.SubscribeRequest(SYMBOL, constant.Exchange.GLOBAL), "BINANCE")
        desk.wait(f"eTick.{VT_SYMBOL}")  # without a price no order is sent
        yield desk


def order(symbol: str, exchange: Any, price: float, volume: float) -> Any:
    """A limit order to buy."""
    limit, long = constant.OrderType.LIMIT, constant.Direction.LONG
    return object.OrderRequest(symbol, exchange, long, limit, volume, price)


def test_a_cta_strategy_trades_until_it_is_stopped(desk: Desk, venue: BinanceUnderTest) -> None:
    """A strategy hears of its orders and its fill once; stopped, it leaves none open."""
    cta = desk.engine.get_engine("CtaStrategy")
    cta.init_engine()  # as the app's window does
    cta.classes["BuyOnce"] = BuyOnce
    cta.add_strategy("BuyOnce", "once", VT_SYMBOL, {})
    strategy = cta.strategies["once"]
    try:
        assert cta.init_strategy("once").result(10) is None
        cta.start_strategy("once")
        eventually(lambda: strategy.pos == 0.001, "the strategy is filled")
        eventually(lambda: "NOTTRADED" in strategy.heard, "its other order rests")
        cta.stop_strategy("once")
        eventually(lambda: "CANCELLED" in strategy.heard, "it is cancelled")
    finally:
        cta.remove_strategy("once")
    assert strategy.fills == [0.001]
    (trade,) = desk.log.of("eTrade.")
    assert trade.vt_symbol == VT_SYMBOL
    assert [(each.traded, each.open) for each in venue.held()] == [(0.001, False), (0.0, False)]


def test_risk_control_stops_an_order(desk: Desk, venue: BinanceUnderTest) -> None:
    """An order that is too large never reaches the venue, nor the table of orders."""
    request = order(SYMBOL, constant.Exchange.GLOBAL, 1.0, 1_000.0)
    assert desk.engine.send_order(request, "BINANCE") == ""
    assert not desk.engine.get_all_orders()
    assert not venue.held()


@pytest.fixture
def collected() -> Iterator[None]:
    """vnpy's recorder leaves its thread's database to the collector, and Python warns of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_the_data_recorder_keeps_ticks(collected: None, desk: Desk) -> None:
    """What is recorded of a venue of ours is in vnpy's database, under vnpy's name of it."""
    require("vnpy_datarecorder", "vnpy_spreadtrading")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the app imports
        from vnpy_datarecorder import DataRecorderApp

    recorder = desk.engine.add_app(DataRecorderApp)
    recorder.timer_interval = 1
    recorder.add_tick_recording(VT_SYMBOL)
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    exchange = constant.Exchange.GLOBAL

    def kept() -> list[Any]:
        return list(recorder.database.load_tick_data(SYMBOL, exchange, now - day, now + day))

    eventually(lambda: len(kept()) > 0, "ticks are kept")
    assert {tick.vt_symbol for tick in kept()} == {VT_SYMBOL}
    recorder.remove_tick_recording(VT_SYMBOL)


def test_another_gateway_of_vnpy_trades_beside_ours(desk: Desk, venue: BinanceUnderTest) -> None:
    """A gateway that foxtrot knows nothing of trades in the same desktop, and is not mixed up."""
    plain = desk.engine.get_gateway("PLAIN")
    contract = desk.wait("eContract.", lambda contract: contract.gateway_name == "PLAIN")
    plain.tick(9.0, 10.0)
    tick = desk.wait(f"eTick.{contract.vt_symbol}")
    assert (tick.gateway_name, tick.bid_price_1) == ("PLAIN", 9.0)
    price = venue.on_grid(venue.crossing_price("BTCUSDT") * 1.01)
    ours = order(SYMBOL, constant.Exchange.GLOBAL, price, 0.001)
    theirs = order(contract.symbol, contract.exchange, 10.0, 1.0)
    sent = [desk.engine.send_order(ours, "BINANCE"), desk.engine.send_order(theirs, "PLAIN")]
    plain.fill(sent[1].partition(".")[2])
    for vt_orderid in sent:
        desk.wait("eTrade.", lambda trade, v=vt_orderid: trade.vt_orderid == v)
    trades = desk.log.of("eTrade.")
    assert sorted(trade.gateway_name for trade in trades) == ["BINANCE", "PLAIN"]
    assert {v: desk.engine.get_order(v).status.name for v in sent} == dict.fromkeys(
        sent, "ALLTRADED"
    )
