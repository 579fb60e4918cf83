"""One vnpy gateway object, called on one thread, and what it tells."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from vnpy.event import EVENT_TIMER
from vnpy.event import Event as VnpyEvent
from vnpy.trader.gateway import BaseGateway

from foxtrot.core.event_engine import EventEngine
from foxtrot.core.logs import get_logger
from foxtrot.errors import StreamingError

log = get_logger("foxtrot.desktop")

T = TypeVar("T")
VnpyHandler = Callable[[VnpyEvent], object]
Sink = Callable[[str, object], None]
"""Told the type of an event and vnpy's object, on whatever thread the gateway has."""

_WAITING = 10_000
"""Most calls that wait for the one before."""


class Caller:
    """Runs calls one after the other on a thread of its own: many gateways block, or bear no two.

    Thread safety: every method from any thread.

    Args:
        name: Of the thread, after "foxtrot-".
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[object], Callable[[], object]] | None]
        self._calls = queue.SimpleQueue()
        self._began = 0.0
        self._thread = threading.Thread(target=self._run, name=f"foxtrot-{name}", daemon=True)
        self._thread.start()

    def post(self, call: Callable[[], T]) -> Future[T]:
        """Run `call` in its turn; one whose future is cancelled before that never runs.

        Where too many wait the future comes back cancelled.
        """
        future: Future[T] = Future()
        if self._calls.qsize() < _WAITING:
            self._calls.put((future, call))  # type: ignore[arg-type]
        else:
            future.cancel()
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call` in its turn; returns or raises what it does.

        Raises:
            StreamingError: Too many calls wait for their turn.
        """
        future = self.post(call)
        if future.cancelled():  # which must not look like a cancellation of who asks
            raise StreamingError("too many calls wait for the gateway, which does not return")
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """End after the calls that wait; one that never returns keeps its thread."""
        self._calls.put(None)

    @property
    def busy_s(self) -> float:
        """How long the call of now has been running; 0 if there is none."""
        began = self._began
        return time.monotonic() - began if began else 0.0

    def _run(self) -> None:
        while (entry := self._calls.get()) is not None:
            future, call = entry
            if not future.set_running_or_notify_cancel():
                continue
            self._began = time.monotonic()
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - boundary: it belongs to who asked
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                self._began = 0.0


class GatewayEvents:
    """What a gateway takes for vnpy's event engine: its events go to `sink`, the timer to it.

    Thread safety: every method from any thread.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._handlers: dict[str, list[VnpyHandler]] = {}
        self._general: list[VnpyHandler] = []

    def detach(self) -> None:
        """Hand nothing on any more: another gateway speaks now."""
        self._sink = lambda type_, data: None
        self._handlers, self._general = {}, []

    def put(self, event: VnpyEvent) -> None:
        """Hand an event on; handlers of the gateway's own get it, too."""
        self._sink(event.type, event.data)
        self.serve(event)

    def serve(self, event: VnpyEvent) -> None:
        """Call the gateway's own handlers."""
        for handler in [*self._handlers.get(event.type, ()), *self._general]:
            try:
                handler(event)
            except Exception:  # boundary: a gateway's handler ends neither its thread nor ours
                log.exception("gateway_handler_failed", event_type=event.type)

    def register(self, type: str, handler: VnpyHandler) -> None:
        """Call `handler` for events of `type`: the timer's, and those of the gateway itself."""
        handlers = self._handlers.get(type, [])
        if handler not in handlers:
            self._handlers[type] = [*handlers, handler]

    def unregister(self, type: str, handler: VnpyHandler) -> None:
        """Undo `register`."""
        self._handlers[type] = [h for h in self._handlers.get(type, ()) if h != handler]

    def register_general(self, handler: VnpyHandler) -> None:
        """Call `handler` for all of these events."""
        if handler not in self._general:
            self._general = [*self._general, handler]

    def unregister_general(self, handler: VnpyHandler) -> None:
        """Undo `register_general`."""
        self._general = [h for h in self._general if h != handler]


class GatewayLine:
    """A gateway from its making to its close; used once. Belongs to the loop thread.

    Args:
        gateway_class: vnpy's class.
        name: Of the gateway.
        timer: Whose timer events it gets.
        sink: Told what it tells.
    """

    def __init__(
        self, gateway_class: type[BaseGateway], name: str, timer: EventEngine, sink: Sink
    ) -> None:
        self._class, self._name, self._timer = gateway_class, name, timer
        self._events = GatewayEvents(sink)
        self._caller = Caller(f"vnpy-{name}")
        self._ticking: Future[None] | None = None
        self._patient = 0
        self.gateway: BaseGateway = None

    async def open(self, setting: dict[str, object]) -> None:
        """Make the gateway and let it connect; returns when `connect` of the gateway does."""
        try:
            self.gateway = await self._caller.run(lambda: self._class(self._events, self._name))
            self._timer.register(EVENT_TIMER, self._on_timer)
            await self._caller.run(lambda: self.gateway.connect(setting))
        except BaseException:  # boundary: whatever came between, nothing is left open
            self.abandon()
            raise

    async def call(self, call: Callable[[BaseGateway], T]) -> T:
        """Call the gateway in its turn."""
        return await self._caller.run(lambda: call(self.gateway))

    async def call_patiently(self, call: Callable[[BaseGateway], T]) -> T:
        """The same for a call that may take minutes, and is no reason to give the gateway up."""
        self._patient += 1
        try:
            return await self.call(call)
        finally:
            self._patient -= 1

    async def answers(self) -> None:
        """Return when a call of the gateway does."""
        if not self._patient:
            await self.call(lambda gateway: None)

    def hangs(self, patience_s: float) -> bool:
        """Whether a call has not returned for so long."""
        return not self._patient and self._caller.busy_s > patience_s

    def post(self, call: Callable[[BaseGateway], T]) -> Future[T]:
        """Call the gateway in its turn, and do not wait."""
        return self._caller.post(lambda: call(self.gateway))

    async def close(self) -> None:
        """Close the gateway; returns when that does."""
        self._timer.unregister(EVENT_TIMER, self._on_timer)
        try:
            await self._caller.run(self.gateway.close)
        except Exception:  # boundary: a gateway that cannot close is left to itself
            log.exception("gateway_close_failed", venue=self._name)
        finally:
            self._events.detach()
            self._caller.stop()

    def abandon(self) -> None:
        """Close it when its turn comes, if ever; nobody waits, nor hears it any more."""
        self._events.detach()
        self._timer.unregister(EVENT_TIMER, self._on_timer)
        self._caller.post(lambda: self.gateway.close() if self.gateway is not None else None)
        self._caller.stop()

    def _on_timer(self, event: object) -> None:
        if self._ticking is None or self._ticking.done():
            self._ticking = self._caller.post(lambda: self._events.serve(VnpyEvent(EVENT_TIMER)))
