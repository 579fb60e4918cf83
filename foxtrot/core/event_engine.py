"""The EventEngine: a dispatcher, and other threads for the handlers that need one."""

from __future__ import annotations

import time
from itertools import chain

import msgspec

from foxtrot.core.dispatcher import Dispatcher, EventLike
from foxtrot.core.handlers import Critical, Handler, InlineTable
from foxtrot.errors import ConfigurationError, ShutdownTimeout
from foxtrot.model.health import EngineHealth

__all__ = ["EventEngine", "EventLike", "Handler"]


class EventEngine(Dispatcher):
    """Hands each event to its handlers, in order, on one thread; vnpy's interface.

    What it takes, and what becomes of events that pile up: see `Dispatcher`. A handler that sleeps
    or blocks is registered with a `lane`, a dispatcher of its own with the same limits and its own
    books, which gets from this one what its handlers want. An `inline` one runs in `put`.

    Thread safety: every method from any thread, handlers included, but that `drain` waits for the
    handlers and refuses to be called in one, and `stop` there only asks.
    """

    _own_lanes: tuple[Dispatcher, ...] = ()  # replaced, never changed

    # ------------------------------------------------------------------ owner

    def start(self) -> None:
        """Start the dispatcher. What was put before is served first.

        Raises:
            InvalidState: It was started or stopped before.
        """
        with self._lock:
            super().start()
            for lane in self._own_lanes:
                lane.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Refuse further events, serve what is queued, end the dispatcher. Idempotent.

        Lanes of handlers are the last to end; what these put then is dropped and counted.
        In a handler it only asks: the dispatcher cannot wait for itself.

        Raises:
            ShutdownTimeout: A handler did not return in time; the error names it.
        """
        deadline = time.monotonic() + timeout
        self.ask_to_stop(timeout)
        if self.in_handler():
            return
        left_behind = self.join(timeout)
        for lane in self._own_lanes:
            lane.ask_to_stop(_until(deadline))
            left_behind += lane.join(_until(deadline))
        if left_behind:
            raise ShutdownTimeout("EventEngine", timeout, left_behind)

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until all that was put before this call was served; whether it was.

        Raises:
            WrongThread: Called in a handler, which would wait for itself.
        """
        deadline = time.monotonic() + timeout
        return super().drain(timeout) and all(
            lane.drain(_until(deadline)) for lane in self._own_lanes
        )

    def in_handler(self) -> bool:
        """Whether the caller is one of the handlers, on whatever thread of the engine."""
        return super().in_handler() or any(lane.in_handler() for lane in self._own_lanes)

    def health(self) -> EngineHealth:
        """Counters and lag at this moment; exact while nothing moves. Never raises."""
        own, lanes = super().health(), {lane.name: lane.health() for lane in self._own_lanes}
        parts: list[EngineHealth | InlineTable] = [own, *lanes.values()]
        if self._inline is not None:
            parts.append(self._inline)
        return msgspec.structs.replace(
            own,
            handler_errors=sum(part.handler_errors for part in parts),
            quarantined=tuple(chain(*(part.quarantined for part in parts))),
            failing=tuple(chain(*(part.failing for part in parts))),
            lanes=lanes,
        )

    # ------------------------------------------------------------------ registration

    def register(
        self,
        type: str,
        handler: Handler,
        *,
        lane: str = "",
        inline: bool = False,
        critical: Critical | None = None,
    ) -> None:
        """Call `handler` with every event of `type`, or of `type + topic`; once, however often.

        A handler that was set aside for its failures gets a new chance.

        Args:
            type: Type of event, or type and topic.
            handler: Called with the event.
            lane: Name of the thread to call it on, for one that sleeps or blocks; made when it is
                first named. The dispatcher by default.
            inline: Call it on the thread that puts the event, before it is queued.
            critical: Makes the handler one that is never set aside, whatever it is registered for:
                when it fails, this is called with its name and the error, once until it succeeds.

        Raises:
            ConfigurationError: It cannot have a `lane` and be `inline`.
        """
        if lane and inline:
            raise ConfigurationError("EventEngine.register", "lane", "not for an inline handler")
        if lane:
            self._lane(lane).register(type, handler, critical=critical)
            self._handlers.relay(self._own_lanes)
        elif inline:
            with self._lock:
                self._inline = self._inline or InlineTable()
            self._inline.add(type, handler, critical)
        else:
            super().register(type, handler, critical=critical)

    def unregister(self, type: str, handler: Handler) -> None:
        """Undo `register`. An event in dispatch may still reach the handler."""
        for lane in self._own_lanes:
            lane.unregister(type, handler)
        if self._inline is not None:
            self._inline.remove(type, handler)
        super().unregister(type, handler)

    def _lane(self, name: str) -> Dispatcher:
        with self._lock:
            for lane in self._own_lanes:
                if lane.name == name:
                    return lane
            lane = self.sibling(name)
            self._own_lanes += (lane,)
            if self._started and not self._ended:
                lane.start()
            return lane

    def _finish(self) -> None:
        super()._finish()
        for lane in self._own_lanes:
            lane.ask_to_stop(max(self._give_up_at - self._monotonic(), 0.0))

    def __repr__(self) -> str:
        health = self.health()
        return (
            f"<EventEngine {self._state} queued={health.queued} delivered={health.delivered}"
            f" conflated={health.conflated} dropped={health.dropped}>"
        )


def _until(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)
