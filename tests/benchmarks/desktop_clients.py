"""Three windows that read the same flood, each drawn, but on no screen.

`foxtrot desktop` as it is opened by its command; foxtrot's gateway in vnpy's own window on vnpy's
own event engine, as somebody who adds one line to a run.py has it; and vnpy's own with a gateway
over plain ccxt, as short as one that shows prices can be. None has an app but foxtrot's panel.
An empty window says what the machine makes of a loop that has nothing to do.
"""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.clients import ccxt_config
from tests.benchmarks.flood import symbols
from tests.support.desktop import main_engine_class

main_engine_class()
os.environ["QT_QPA_PLATFORM"] = "offscreen"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what vnpy and Qt's helpers import
    from vnpy.event import EventEngine
    from vnpy.trader.constant import Exchange
    from vnpy.trader.engine import MainEngine
    from vnpy.trader.gateway import BaseGateway
    from vnpy.trader.object import SubscribeRequest, TickData
    from vnpy.trader.ui import MainWindow, QtWidgets, create_qapp

from foxtrot.adapter.binance import BinanceAdapter  # noqa: E402
from foxtrot.app.program import tune  # noqa: E402
from foxtrot.desktop.connections import ConnectionsApp  # noqa: E402
from foxtrot.desktop.engine import DesktopEngine  # noqa: E402
from foxtrot.desktop.gateway import as_vnpy_gateway  # noqa: E402
from foxtrot.desktop.names import vnpy_symbol  # noqa: E402
from foxtrot.desktop.window import DesktopWindow  # noqa: E402
from foxtrot.model.constants import Exchange as FoxtrotExchange  # noqa: E402
from tests.benchmarks.desktop_screen import Idle, Screen, Shown, idle  # noqa: E402

SIZE = 1920, 1080
WAIT_S = 20.0
IDLE_S = 3.0


def foxtrot_desktop(address: str, count: int, frames: int) -> Shown:
    """foxtrot's window, on foxtrot's event engine."""
    tune()
    engine = DesktopEngine()
    engine.add_gateway(as_vnpy_gateway(BinanceAdapter), "BINANCE")
    engine.add_app(ConnectionsApp)
    return _shown(engine, DesktopWindow, _connect_foxtrot, address, count, frames)


def foxtrot_gateway(address: str, count: int, frames: int) -> Shown:
    """vnpy's window and event engine."""
    engine = MainEngine(EventEngine())
    engine.add_gateway(as_vnpy_gateway(BinanceAdapter), "BINANCE")
    return _shown(engine, MainWindow, _connect_foxtrot, address, count, frames)


def ccxt_gateway(address: str, count: int, frames: int) -> Shown:
    """vnpy's window and event engine, and ccxt."""
    engine = MainEngine(EventEngine())
    engine.add_gateway(CcxtTicks, "CCXT")

    def connect(engine: MainEngine, address: str, names: list[str]) -> None:
        engine.connect({"address": address, "names": names}, "CCXT")

    return _shown(engine, MainWindow, connect, address, count, frames)


def idle_window(address: str, count: int, frames: int) -> Idle:
    """An empty one, for about as long as a flood takes."""
    app, window = _app(), QtWidgets.QWidget()
    window.resize(*SIZE)
    window.show()
    return idle(app, IDLE_S)


def _connect_foxtrot(engine: MainEngine, address: str, names: list[str]) -> None:
    for name in names:
        engine.subscribe(SubscribeRequest(*vnpy_symbol(name, FoxtrotExchange.BINANCE)), "BINANCE")
    setting = {
        "environment": "simulated",
        "rest_url": f"http://{address}",
        "five_levels": "false",  # the other side has none
    }
    engine.connect(setting, "BINANCE")


def _app() -> Any:
    return QtWidgets.QApplication.instance() or create_qapp("bench")


def _shown(
    engine: MainEngine,
    window_class: type[MainWindow],
    connect: Callable[[MainEngine, str, list[str]], None],
    address: str,
    count: int,
    frames: int,
) -> Shown:
    app = _app()
    with Screen(app, count, frames) as screen:
        window = window_class(engine, engine.event_engine)
        try:
            window.resize(*SIZE)
            window.show()
            connect(engine, address, symbols(count))
            return screen.watch()
        finally:
            engine.close()
            window.deleteLater()
            app.processEvents()


class CcxtTicks(BaseGateway):
    """`watch_bids_asks`, and a tick of each that it returns; nothing is checked."""

    exchanges = [Exchange.GLOBAL]  # noqa: RUF012 - as vnpy's gateways have it

    def __init__(self, event_engine: EventEngine, gateway_name: str) -> None:
        super().__init__(event_engine, gateway_name)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def connect(self, setting: dict[str, Any]) -> None:
        """Watch `names` at `address` from now on."""
        self._thread.start()
        watching = self._watch(setting["address"], setting["names"])
        self._watching = asyncio.run_coroutine_threadsafe(watching, self._loop)

    async def _watch(self, address: str, names: list[str]) -> None:
        from ccxt.pro.binance import binance

        exchange = binance(ccxt_config(address))
        pairs = [f"{name.removesuffix('USDT')}/USDT" for name in names]
        try:
            while True:
                for ticker in (await exchange.watch_bids_asks(pairs)).values():
                    self.on_tick(self._tick(ticker))
        finally:
            await exchange.close()

    def _tick(self, ticker: dict[str, Any]) -> TickData:
        return TickData(
            gateway_name=self.gateway_name, symbol=ticker["symbol"], exchange=Exchange.GLOBAL,
            datetime=datetime.now(UTC), bid_price_1=ticker["bid"],
            ask_price_1=ticker["ask"], bid_volume_1=ticker["bidVolume"],
            ask_volume_1=ticker["askVolume"],
        )  # fmt: skip

    def close(self) -> None:
        """End the exchange and its thread."""
        if not self._thread.is_alive():
            return
        self._watching.cancel()
        ended = asyncio.run_coroutine_threadsafe(self._ended(), self._loop)
        ended.result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    async def _ended(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def subscribe(self, req: SubscribeRequest) -> None:
        """Decided by `connect`."""

    def send_order(self, req: object) -> str:
        """No orders here."""
        return ""

    def cancel_order(self, req: object) -> None:
        """No orders here."""

    def query_account(self) -> None:
        """Nothing is asked for."""

    def query_position(self) -> None:
        """Nothing is asked for."""
