"""vnpy's own apps on foxtrot's venues."""

from __future__ import annotations

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

VT_SYMBOL = "BTCUSDT_SPOT_BINANCE.GLOBAL"


class BuyOnce(CtaTemplate):  # type: ignore[misc]
    """Buys above the market at its first tick."""

    author = "a user"
    asked = False

    def on_init(self) -> None:
        """Nothing to learn."""

    def on_tick(self, tick: Any) -> None:
        """Buy, once."""
        if not self.asked and tick.ask_price_1 and self.trading:
            self.asked = True
            self.buy(round(tick.ask_price_1 * 1.01, 2), 0.001)


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
        desk.engine.add_app(RiskManagerApp)
        keys = {"api_key": "env:DESK_API_KEY", "secret": "env:DESK_SECRET"}
        desk.engine.connect({**venue.setting(), **keys}, "BINANCE")
        desk.engine.connect({}, "PLAIN")
        desk.wait_said("trading: ready")
        desk.wait("eContract.", lambda contract: contract.vt_symbol == VT_SYMBOL)
        yield desk


def test_a_cta_strategy_trades_and_risk_control_stops_an_order(desk: Desk) -> None:
    """A strategy is filled through the bridge; an order that is too large never reaches it."""
    cta = desk.engine.get_engine("CtaStrategy")
    cta.init_engine()  # as the app's window does
    cta.classes["BuyOnce"] = BuyOnce
    cta.add_strategy("BuyOnce", "once", VT_SYMBOL, {})
    assert cta.init_strategy("once").result(10) is None
    cta.start_strategy("once")
    eventually(lambda: cta.strategies["once"].pos == 0.001, "the strategy is filled")
    (trade,) = desk.log.of("eTrade.")
    assert trade.vt_symbol == VT_SYMBOL
    orders = len(desk.engine.get_all_orders())
    request = object.OrderRequest(
        "BTCUSDT_SPOT_BINANCE",
        constant.Exchange.GLOBAL,
        constant.Direction.LONG,
        constant.OrderType.LIMIT,
        1_000.0,
        1.0,
    )
    assert desk.engine.send_order(request, "BINANCE") == ""
    assert len(desk.engine.get_all_orders()) == orders


def test_another_gateway_of_vnpy_works_beside_ours(desk: Desk) -> None:
    """A gateway that foxtrot knows nothing of goes on in the same desktop."""
    contract = desk.wait("eContract.", lambda contract: contract.gateway_name == "PLAIN")
    desk.engine.get_gateway("PLAIN").tick(9.0, 10.0)
    tick = desk.wait(f"eTick.{contract.vt_symbol}")
    assert (tick.gateway_name, tick.bid_price_1) == ("PLAIN", 9.0)
