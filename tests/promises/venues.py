"""A venue behind a proxy with an engine of default settings, in the process that measures."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from foxtrot import MainEngine
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core import logs
from foxtrot.core.directories import DATA_VARIABLE
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import ConnectionState
from foxtrot.model.events import EVENT_CONNECTION, Event
from foxtrot.model.health import ConnectionStatus
from foxtrot.model.requests import SubscribeRequest
from foxtrot.simulator.proxy import HOST, TcpProxy, TcpProxyThread
from tests.support.binance_venue import BinanceUnderTest
from tests.support.futu_venue import FutuUnderTest
from tests.support.ib_venue import IbUnderTest
from tests.support.venues import VenueUnderTest

CLASSES = {"binance": BinanceUnderTest, "ib": IbUnderTest, "futu": FutuUnderTest}
WAIT_S = 60.0
RATE_HZ = 2.0


@dataclass
class Stand:
    """What is measured: an engine with one adapter, not connected yet."""

    venue: VenueUnderTest
    proxy: TcpProxy
    engine: MainEngine
    adapter: BaseAdapter

    def connect(self, *, trades: bool = False) -> None:
        """Connect through the proxy, and wait until every session is READY."""
        keys = self.venue.keys() if trades else {}
        setting = {**self.venue.setting(), **keys}
        address = f"{HOST}:{self.proxy.port}"
        if "port" in setting:
            setting["port"] = self.proxy.port
        else:
            setting |= {"rest_url": f"http://{address}", "websocket_url": f"ws://{address}"}
        sessions = ("websocket", "trading") if trades else ("websocket",)
        with ExitStack() as stack:
            waits = [
                stack.enter_context(self.heard(session, ConnectionState.READY))
                for session in sessions
            ]
            self.engine.connect(setting, self.adapter.adapter_name)
            for wait in waits:
                wait()

    @contextmanager
    def heard(self, session: str, state: ConnectionState) -> Iterator[Callable[[], None]]:
        """Yields a wait for the next time that a session is in a state.

        The wait raises TimeoutError if it does not come.
        """
        told = threading.Event()

        def hear(event: Event) -> None:
            status = event.data
            assert isinstance(status, ConnectionStatus)
            if (status.session, status.state) == (session, state):
                told.set()

        def wait() -> None:
            if not told.wait(WAIT_S):
                raise TimeoutError(f"{session} is not {state.value}: {self.adapter.health()}")

        self.engine.register(EVENT_CONNECTION, hear)
        try:
            yield wait
        finally:
            self.engine.unregister(EVENT_CONNECTION, hear)


@contextmanager
def standing(name: str, symbols: int, *, flap: bool = False) -> Iterator[Stand]:
    """A venue that listens, and an engine of default settings that wants quotes of so many symbols.

    Args:
        name: binance, ib or futu.
        symbols: How many are wanted.
        flap: Each loss is one for itself: the delay starts over at each.
    """
    logs.configure(level="CRITICAL")
    kind = CLASSES[name]
    names = kind.many(symbols) if symbols > len(kind.symbols) else list(kind.symbols)[:symbols]
    venue = kind(names, rate_hz=RATE_HZ)
    venue.start()
    port: int = venue.sim.port
    config = StreamConfig(stable_after_s=0.0) if flap else StreamConfig()
    with tempfile.TemporaryDirectory() as directory, TcpProxyThread(TcpProxy(port)) as thread:
        os.environ[DATA_VARIABLE] = directory
        engine = MainEngine(settings={})
        adapter = engine.add_adapter(kind.adapter_class, config=config)
        for symbol in names:
            engine.subscribe(SubscribeRequest(symbol, kind.exchange), adapter.adapter_name)
        try:
            yield Stand(venue, thread.venue, engine, adapter)
        finally:
            engine.close()
            venue.stop()
