"""A program that trades on every simulated venue while things go wrong, and shows all it can show.

Its secrets come by the environment: CANARY_KEY, CANARY_SECRET, CANARY_PASSWORD. Started by
`test_canary`, which looks for them in everything that it wrote. Its only argument is a log file.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import traceback
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from foxtrot import MainEngine
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.adapter.futu import FutuAdapter
from foxtrot.adapter.ib import IbAdapter
from foxtrot.core import logs
from foxtrot.core.settings import Settings
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import (
    ConnectionState,
    Direction,
    Environment,
    Exchange,
    Interval,
    OrderType,
    Status,
)
from foxtrot.model.events import EVENT_CONNECTION, EVENT_LOG, EVENT_ORDER, EVENT_TICK
from foxtrot.model.health import ConnectionStatus
from foxtrot.model.objects import OrderData
from foxtrot.model.requests import HistoryRequest, OrderRequest, SubscribeRequest
from foxtrot.monitoring.server import MonitorServer
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from foxtrot.simulator.binance_keys import ApiKey
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu import SimulatedFutu, SimulatedFutuThread
from foxtrot.simulator.ib import SimulatedIb, SimulatedIbThread
from tests.support.events import EventLog
from tests.support.monitor import Client
from tests.support.rig import QUICK, SHORT, eventually

KEY, SECRET, PASSWORD = (os.environ[f"CANARY_{each}"] for each in ("KEY", "SECRET", "PASSWORD"))
ECHO = f"<html>no: X-MBX-APIKEY: {KEY} signature=0123456789abcdef {SECRET}</html>"
"""What a venue may throw back at who asked."""

TRADED = {
    "BINANCE": ("BTCUSDT", Exchange.BINANCE, 0.01),
    "IB": ("AAPL-USD-STK", Exchange.SMART, 10.0),
    "FUTU": ("00700", Exchange.SEHK, 100.0),
}
PAGES = (
    "/metrics",
    "/login",
    "/api/v1/health",
    "/api/v1/adapters",
    "/api/v1/streams",
    "/api/v1/orders",
    "/api/v1/system/config",
    "/api/v1/data/info",
    "/api/v1/ib/pool/health",
    "/api/v1/ib/pace/status",
)
HURT = (
    ("http_error", {"path": "/api/v3/account", "status": 500, "body": ECHO, "count": 2}),
    ("http_error", {"path": "/api/v3/openOrders", "status": 403, "body": ECHO, "count": 1}),
    ("request_reset", {"request": "place"}),
    ("garbage_frame", {}),
    ("rst", {}),
)
"""What befalls Binance, whose requests are signed; a fault stays until it has struck."""


def main(log_file: Path) -> None:
    """Trade, be hurt, fail, and tell everything."""
    logs.configure(level="DEBUG", json=False, file=log_file)
    logging.getLogger("ccxt.base.exchange").setLevel(logging.DEBUG)
    with ExitStack() as stack:
        binance = SimulatedBinance(["BTCUSDT"], rate_hz=20, keys=[ApiKey(KEY, SECRET)])
        ib, futu = SimulatedIb(rate_hz=20), SimulatedFutu(rate_hz=20, password=PASSWORD)
        stack.enter_context(SimulatedBinanceThread(binance))
        stack.enter_context(SimulatedIbThread(ib))
        stack.enter_context(SimulatedFutuThread(futu))
        engine = stack.enter_context(MainEngine(settings=Settings.parse(dict(QUICK))))
        log = EventLog(engine.event_engine)
        for adapter in (BinanceAdapter, IbAdapter, FutuAdapter):
            engine.add_adapter(adapter, config=SHORT)
        engine.add_adapter(BinanceAdapter, "LOCKED_OUT", config=SHORT)
        engine.add_adapter(FutuAdapter, "LOCKED", config=SHORT)
        address = {"environment": "simulated", "rest_url": binance.rest_url}
        opend = {"environment": "simulated", "port": futu.port}
        keys = {"api_key": "env:CANARY_KEY", "secret": "env:CANARY_SECRET"}
        settings: dict[str, Setting] = {
            "BINANCE": {**address, **keys},
            "IB": {"environment": "simulated", "port": ib.port},
            "FUTU": {**opend, "password": "env:CANARY_PASSWORD"},
        }
        for name, setting in settings.items():
            engine.connect(setting, name)
            trade(engine, log, name)
        hurt(engine, log, binance.faults)
        engine.connect({**address, **keys, "secret": "env:CANARY_PASSWORD"}, "LOCKED_OUT")
        engine.connect({**opend, "password": "env:CANARY_SECRET"}, "LOCKED")
        for name in ("LOCKED_OUT", "LOCKED"):
            wait_state(log, name, ConnectionState.FAILED)
        show(engine, log)
        serve(engine)
        misuse(engine, settings["BINANCE"])


def wait_state(log: EventLog, name: str, state: ConnectionState, since: int = 0) -> None:
    """Wait until a session of the adapter that trades is in this state."""
    log.wait_type(
        EVENT_CONNECTION,
        since=since,
        where=lambda status: (
            isinstance(status, ConnectionStatus)
            and (status.adapter_name, status.session, status.state) == (name, "trading", state)
        ),
    )


def trade(engine: MainEngine, log: EventLog, name: str) -> None:
    """Subscribe, place an order that stands, and ask for history."""
    symbol, exchange, volume = TRADED[name]
    engine.subscribe(SubscribeRequest(symbol=symbol, exchange=exchange), name)
    wait_state(log, name, ConnectionState.READY)
    place(engine, log, name, volume)
    history = HistoryRequest(
        symbol=symbol,
        exchange=exchange,
        interval=Interval.HOUR,
        start=datetime.now(UTC) - timedelta(days=1),
    )
    engine.query_history(history, name)


def place(engine: MainEngine, log: EventLog, name: str, volume: float) -> None:
    """Place an order and wait for what becomes of it."""
    since = len(log)
    vt_orderid = send(engine, log, name, volume)
    log.wait_type(
        EVENT_ORDER,
        since=since,
        where=lambda order: (
            isinstance(order, OrderData)
            and order.vt_orderid == vt_orderid
            and order.status is not Status.SUBMITTING
        ),
    )


def send(engine: MainEngine, log: EventLog, name: str, volume: float) -> str:
    """Send an order far from the market."""
    symbol, exchange, _ = TRADED[name]
    vt_symbol = f"{symbol}.{exchange.value}"
    log.wait_for(lambda event: (event.type, event.topic) == (EVENT_TICK, vt_symbol))
    tick = engine.get_tick(vt_symbol)
    assert tick is not None
    request = OrderRequest(
        symbol=symbol,
        exchange=exchange,
        direction=Direction.LONG,
        type=OrderType.LIMIT,
        volume=volume,
        price=round(tick.bid_price_1 * 0.99, 1),
    )
    return engine.send_order(request, name)


def hurt(engine: MainEngine, log: EventLog, faults: FaultBoard) -> None:
    """Let requests with keys and signatures fail in each way that quotes them."""
    adapter = engine.adapter("BINANCE")
    for fault, params in HURT:
        since = len(log)
        eventually(lambda: adapter.state is ConnectionState.READY, "it trades again")
        faults.inject(fault, **params)
        while faults.faults():  # what it is to strike may itself be put off by the one before
            adapter.query_account()
            if fault == "request_reset":
                send(engine, log, "BINANCE", 0.01)  # in doubt, which takes its time
            with contextlib.suppress(AssertionError):
                eventually(lambda: not faults.faults(), "it has struck", timeout=1.0)
        if fault == "rst":
            wait_state(log, "BINANCE", ConnectionState.READY, since)


def show(engine: MainEngine, log: EventLog) -> None:
    """Print whatever can be asked of the program."""
    say(msgspec.json.encode(engine.health()).decode())
    say(engine, engine.settings, engine.bridge, engine.event_engine)
    for name in engine.get_all_adapter_names():
        adapter = engine.adapter(name)
        say(adapter, adapter.diagnostics(), adapter.actions(), vars(adapter))
    for event in log.items:
        if event.type in (EVENT_LOG, EVENT_ORDER, EVENT_CONNECTION):
            say(event)
    sys.stdout.flush()
    faulthandler.dump_traceback(sys.stdout, all_threads=True)


def serve(engine: MainEngine) -> None:
    """Print all that the monitor answers, to who has the token, to who has not, and as metrics."""
    with MonitorServer(engine, 0) as server:
        client = Client(server)
        assert client.get(f"/login?token={server.token.reveal()}").status == 303
        for path in PAGES:
            reply = client.get(path)
            assert reply.status == 200, path
            say(path, reply.headers, reply.body.decode())
            say(client.get(path, Authorization="").body.decode())


def say(*things: object) -> None:
    """Write them down as they present themselves."""
    sys.stdout.write(" ".join(map(str, things)) + "\n")


def misuse(engine: MainEngine, setting: Setting) -> None:
    """Let foxtrot raise, and print each frame of its own with its locals, as crash reporters do."""
    from foxtrot.adapter.binance.settings import BinanceSettings

    parsed = BinanceSettings.parse(setting)
    say(parsed, Environment.SIMULATED)
    for wrong in ({"api_key": ""}, {"rest_url": "http://192.0.2.1"}, {"colour": "blue"}):
        try:
            engine.connect({**setting, **wrong}, "BINANCE")
        except Exception as error:
            report = traceback.TracebackException.from_exception(error, capture_locals=True)
            say("".join(report.format()))
    try:
        raise RuntimeError(f"a bug near {parsed.secret} with {SECRET}")
    except RuntimeError:
        logs.get_logger("foxtrot.test").exception("a bug", secret=SECRET, near=[KEY])
    logging.getLogger("ccxt.base.exchange").debug("headers %s", {"X-MBX-APIKEY": KEY})
    logging.getLogger("FTFileLog").error("unlock with %s", PASSWORD)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
