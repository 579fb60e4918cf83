"""A simulated venue, an engine with the venue's adapter, and a log of all events."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from foxtrot import MainEngine
from foxtrot.connectivity.config import StreamConfig
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Channel, ConnectionState, Interval, StreamState
from foxtrot.model.events import (
    EVENT_BAR,
    EVENT_CONNECTION,
    EVENT_DEPTH,
    EVENT_MARKET_TRADE,
    EVENT_STREAM,
    EVENT_TICK,
    Event,
)
from foxtrot.model.health import ConnectionStatus, StreamKey, StreamStatus
from foxtrot.model.objects import MarketTradeData, TickData
from foxtrot.model.requests import SubscribeRequest
from tests.support.events import EventLog
from tests.support.venues import VenueUnderTest

WAIT_S = 15.0
"""Longest wait for anything; generous, because the machine may be busy."""

EVENT_OF = {
    Channel.TICK: EVENT_TICK,
    Channel.DEPTH: EVENT_DEPTH,
    Channel.TRADE: EVENT_MARKET_TRADE,
    Channel.BAR: EVENT_BAR,
}

QUICK: dict[str, object] = {
    "websocket.reconnect_base_delay": 0.05,
    "websocket.reconnect_max_delay": 0.2,
    "polling.interval": 0.05,
    "liveness.idle_s": 1.0,
    "liveness.probe_s": 1.0,
    "subscribe.timeout_s": 1.0,
    "connect.timeout_s": 2.0,
}
"""Settings that make an outage short, but leave a busy machine its time."""

SHORT = StreamConfig(
    policy_wait_s=0.3, try_later_wait_s=0.2, request_timeout_s=2.0, breaker_open_s=0.3
)
"""What the settings do not reach."""

_KNOWN_THREADS = ("_run_safe_shutdown_loop",)
"""Daemon threads that ccxt's resolver leaves behind, by its own choice."""


def eventually(happened: Callable[[], bool], what: str, timeout: float = WAIT_S) -> None:
    """Wait for something that sets no event, such as what the venue has seen.

    Raises:
        AssertionError: It did not come true in time.
    """
    pause = threading.Event()
    for _ in range(int(timeout / 0.01)):
        if happened():
            return
        pause.wait(0.01)
    raise AssertionError(f"not within {timeout:g} s: {what}")


class Rig:
    """One engine with one adapter against one venue.

    Args:
        venue: Started already, or not, as the test wants it.
        flags: Settings over the quick ones.
        config: Deadlines that settings do not reach.
        engine: One that other rigs share, with settings of its own.
    """

    def __init__(
        self,
        venue: VenueUnderTest,
        flags: Mapping[str, object] | None = None,
        config: StreamConfig = SHORT,
        engine: MainEngine | None = None,
    ) -> None:
        self.venue = venue
        self.flags = {**QUICK, **(flags or {})}
        self.engine = engine or MainEngine(settings=self.flags)
        only = venue.adapter_class.default_name if engine else ""
        self.log = EventLog(self.engine.event_engine, adapter_name=only)
        self.adapter: BaseAdapter = self.engine.add_adapter(venue.adapter_class, config=config)
        self.name = self.adapter.adapter_name
        self.surplus = False
        """Whether the venue may send more than is wanted: it swallowed what ended a stream."""

    # -- what a user does -------------------------------------------------------------------

    def connect(self) -> None:
        """Connect to the venue."""
        self.engine.connect(self.venue.setting(), self.name)

    def request(self, symbol: str, channel: Channel = Channel.TICK) -> SubscribeRequest:
        """A request for one channel of one symbol."""
        return SubscribeRequest(symbol, self.venue.exchange, channel, Interval.MINUTE)

    def subscribe(self, symbol: str, *channels: Channel) -> None:
        """Want channels of a symbol; its ticks, if none is named."""
        for channel in channels or (Channel.TICK,):
            self.engine.subscribe(self.request(symbol, channel), self.name)

    def unsubscribe(self, symbol: str, *channels: Channel) -> None:
        """Want them no more."""
        for channel in channels or (Channel.TICK,):
            self.engine.unsubscribe(self.request(symbol, channel), self.name)

    def ready(self, *symbols: str) -> None:
        """Subscribe to the ticks of `symbols`, connect, and wait until all is held."""
        for symbol in symbols:
            self.subscribe(symbol)
        self.connect()
        self.wait_served()

    # -- what a test waits for --------------------------------------------------------------

    def wait_state(
        self, state: ConnectionState, *, since: int = 0, session: str = "websocket"
    ) -> ConnectionStatus:
        """The first event of that state from the `since`-th event on."""
        found = self.log.wait_type(
            EVENT_CONNECTION,
            WAIT_S,
            since=since,
            where=lambda s: (
                isinstance(s, ConnectionStatus) and (s.session, s.state) == (session, state)
            ),
        )
        assert isinstance(found, ConnectionStatus)
        return found

    def wait_stream(self, symbol: str, *states: StreamState, since: int = 0) -> StreamStatus:
        """The first status of a symbol's ticks in one of these states."""
        found = self.log.wait_type(
            EVENT_STREAM,
            WAIT_S,
            since=since,
            where=lambda told: (
                isinstance(told, StreamStatus)
                and (told.symbol, told.channel) == (symbol, Channel.TICK)
                and told.state in states
            ),
        )
        assert isinstance(found, StreamStatus)
        return found

    def wait_served(self) -> None:
        """Wait until every wanted stream is served, and no more of them live at the venue."""
        eventually(self._served, "every wanted stream is served")
        self.settle()

    def wait_carried_out(self) -> None:
        """Wait until every connect, disconnect and restart of before has been carried out."""
        self.engine.bridge.run(asyncio.sleep(0), WAIT_S)  # what was posted is a task by then
        calls = {f"{self.name}.{call}" for call in ("connect", "disconnect", "restart")}
        eventually(lambda: calls.isdisjoint(self.tasks()), f"no call is left: {self.tasks()}")

    def settle(self) -> None:
        """Wait until all that was put before is delivered, so that `len(log)` is a boundary."""
        marker = object()
        self.engine.event_engine.put(Event("eSettled", marker))
        self.log.wait_for(lambda event: event.data is marker, WAIT_S)

    def _served(self) -> bool:
        health = self.adapter.health()
        wanted = {self._key(request) for request in self.adapter.subscriptions()}
        held = {(s.channel, s.symbol) for s in health.streams if s.state in SERVED}
        streamed = {
            self.venue.key(s.symbol, s.channel) for s in health.streams if s.state in _STREAMED
        }
        running = {s.state for s in health.sessions} == {ConnectionState.READY}
        complete = held == {(key.channel, key.symbol) for key in wanted}
        surplus = self.venue.live() - streamed
        given = streamed <= self.venue.live() and (self.surplus or not surplus)
        return running and complete and given

    def wait_fresh(self, *symbols: str) -> None:
        """Move the market; wait until a tick tells what the venue knows, and nothing older."""
        for symbol in symbols:
            since = len(self.log)
            self.venue.move(symbol)
            self.wait_newest(symbol, since)

    def wait_newest(self, symbol: str, since: int = 0) -> None:
        """Wait until a tick tells the best prices of the moment."""
        newest = self.venue.newest(symbol)
        self.log.wait_type(
            EVENT_TICK, WAIT_S, since=since, where=lambda tick: _is(tick, symbol, newest)
        )

    def wait_flowing(self) -> None:
        """Wait until each wanted stream has brought what happened after this call."""
        for request in self.adapter.subscriptions():
            if request.channel is Channel.BAR:
                self.wait_bar(request)
            else:
                self.wait_event(request)

    def wait_bar(self, request: SubscribeRequest) -> None:
        """Move the market until a bar is told: one that looks old may be doubted for a while."""
        since = len(self.log)

        def told() -> bool:
            self.venue.move(request.symbol)
            fresh = [event.data for event in self.log.items[since:] if event.type == EVENT_BAR]
            return request.symbol in {getattr(bar, "symbol", "") for bar in fresh}

        eventually(told, f"a bar of {request.symbol}")

    def wait_event(self, request: SubscribeRequest) -> object:
        """Move the market; the first event of one stream that this causes."""
        since = len(self.log)
        trade_id = self.venue.trade(request.symbol)
        newest = self.venue.newest(request.symbol)

        def fresh(data: object) -> bool:
            if isinstance(data, TickData):
                return _is(data, request.symbol, newest)
            if isinstance(data, MarketTradeData):
                return data.tradeid == (trade_id or data.tradeid) and data.symbol == request.symbol
            return getattr(data, "symbol", "") == request.symbol

        return self.log.wait_type(EVENT_OF[request.channel], WAIT_S, since=since, where=fresh)

    # -- what a test looks at ---------------------------------------------------------------

    def states(self, session: str = "websocket", since: int = 0) -> list[ConnectionState]:
        """The states that a session went through."""
        return [status.state for status in self.statuses(session, since)]

    def statuses(self, session: str = "websocket", since: int = 0) -> list[ConnectionStatus]:
        """The changes of state of a session."""
        told = [event.data for event in self.log.items[since:] if event.type == EVENT_CONNECTION]
        return [s for s in told if isinstance(s, ConnectionStatus) and s.session == session]

    def streams(self, state: StreamState, since: int = 0) -> set[StreamKey]:
        """The streams that were told to be in a state."""
        told = [event.data for event in self.log.items[since:] if event.type == EVENT_STREAM]
        changes = [each for each in told if isinstance(each, StreamStatus)]
        return {self.venue.key(s.symbol, s.channel) for s in changes if s.state is state}

    def ticks(self, symbol: str, since: int = 0) -> list[TickData]:
        """The ticks of a symbol."""
        told = [event.data for event in self.log.items[since:] if event.type == EVENT_TICK]
        return [tick for tick in told if isinstance(tick, TickData) and tick.symbol == symbol]

    def fact(self, name: str) -> int:
        """A number out of the diagnostics."""
        value = self.adapter.diagnostics()[name]
        assert isinstance(value, int)
        return value

    def wait_fact(self, name: str, at_least: int) -> None:
        """Wait until a number of the diagnostics is reached."""
        eventually(lambda: self.fact(name) >= at_least, f"{name} >= {at_least}")

    def error_kinds(self) -> list[str]:
        """The kinds of the errors that the adapter remembers."""
        return [error.kind for error in self.adapter.health().errors]

    def tasks(self) -> tuple[str, ...]:
        """What runs on the loop for the adapter."""
        return self.engine.bridge.health().tasks

    def _key(self, request: SubscribeRequest) -> StreamKey:
        return self.venue.key(request.symbol, request.channel)


R = TypeVar("R", bound=Rig)

_STREAMED = frozenset({StreamState.ACTIVE, StreamState.QUIET})
SERVED = _STREAMED | {StreamState.POLLING}
"""States of a stream in which its data comes."""


def _is(tick: object, symbol: str, quote: tuple[float, float]) -> bool:
    return (
        isinstance(tick, TickData)
        and tick.symbol == symbol
        and (tick.bid_price_1, tick.ask_price_1) == quote
    )


@contextmanager
def closing(rig: R) -> Iterator[R]:
    """Close a rig at the end, and prove that it leaves nothing behind."""
    try:
        yield rig
    finally:
        try:
            rig.adapter.close()
            eventually(lambda: not rig.tasks(), f"tasks end: {rig.tasks()}")
        finally:
            rig.engine.close()


def running(
    venue: VenueUnderTest,
    flags: Mapping[str, object] | None = None,
    config: StreamConfig = SHORT,
) -> AbstractContextManager[Rig]:
    """A rig that is closed at the end."""
    return closing(Rig(venue, flags, config))


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fails if a thread or a file descriptor is there that was not there before."""
    threads, files = _threads(), _files()
    yield
    eventually(lambda: _threads() <= threads, f"threads end: {_threads() - threads}")
    if _files() > files:
        gc.collect()
    eventually(lambda: _files() <= files, f"descriptors are closed: {files} to {_files()}")


def _threads() -> set[str]:
    names = {f"{t.name} {t.ident}" for t in threading.enumerate()}
    return {name for name in names if not any(known in name for known in _KNOWN_THREADS)}


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))
