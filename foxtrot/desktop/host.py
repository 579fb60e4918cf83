"""The engine behind the gateways of a desktop: one for all of them, and nobody sees it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary, ref

from vnpy.event import EventEngine

from foxtrot.core.logs import get_logger
from foxtrot.core.settings import Settings
from foxtrot.desktop.events import DesktopEventEngine
from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import InvalidState
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_CONNECTION,
    EVENT_CONTRACT,
    EVENT_LOG,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_QUOTE,
    EVENT_STREAM,
    EVENT_TICK,
    EVENT_TRADE,
    Event,
)

log = get_logger("foxtrot.desktop")

GivenSettings = Settings | Mapping[str, object] | str | Path | None
"""What `MainEngine` takes: a settings file, or settings already read."""

_TOLD = (
    EVENT_TICK,
    EVENT_POSITION,
    EVENT_ACCOUNT,
    EVENT_QUOTE,
    EVENT_CONTRACT,
    EVENT_LOG,
    EVENT_CONNECTION,
    EVENT_STREAM,
)
_CRITICAL = (EVENT_ORDER, EVENT_TRADE)


class Guest(Protocol):
    """A gateway of the desktop."""

    def told(self, event: Event) -> None:
        """Take what its adapter tells; on the engine's dispatcher thread."""


class Host:
    """One foxtrot engine for all gateways of a desktop: one guard, one bridge, one halt.

    The engine starts with the first guest and is closed with the last.

    Thread safety: every method from any thread; `leave` waits until the adapter is closed.

    Args:
        desk: vnpy's event engine; one of ours is held open until the last guest has left.
        settings: For the engine.
    """

    def __init__(self, desk: EventEngine, settings: GivenSettings = None) -> None:
        self._desk = ref(desk)  # the host is found by it, and must not keep it
        self._settings = settings
        self._engine: MainEngine | None = None
        self._guests: dict[str, Guest] = {}
        self._lock = threading.Lock()

    @property
    def engine(self) -> MainEngine:
        """The engine.

        Raises:
            InvalidState: There is no guest.
        """
        if self._engine is None:
            raise InvalidState("no gateway of foxtrot is open in this desktop")
        return self._engine

    def join(self, adapter_class: type[BaseAdapter], name: str, guest: Guest) -> BaseAdapter:
        """Add an adapter whose events go to `guest`.

        Raises:
            ConfigurationError: There is one of that name, or the settings are wrong.
        """
        with self._lock:
            engine = self._engine or self._opened()
            adapter = engine.add_adapter(adapter_class, name)
            self._guests[name] = guest
            return adapter

    def leave(self, name: str) -> None:
        """Close an adapter, and the engine with the last; what it told before still arrives.

        One that hangs keeps no other from leaving.

        Raises:
            FoxtrotError: Something did not close in time; all else was closed all the same.
        """
        with self._lock:
            engine = self._engine
            if engine is None or name not in self._guests:
                return
        try:
            engine.adapter(name).close()
            engine.event_engine.drain()
        finally:
            self._forget(name)

    def _forget(self, name: str) -> None:
        with self._lock:
            if name not in self._guests:
                return
            try:
                if len(self._guests) == 1 and self._engine is not None:
                    engine, self._engine = self._engine, None
                    engine.close()
            finally:
                del self._guests[name]
                if not self._guests:
                    self._let_go()

    def _let_go(self) -> None:
        desk = self._desk()
        if isinstance(desk, DesktopEventEngine):
            desk.let_go()

    def _opened(self) -> MainEngine:
        engine = self._engine = MainEngine(settings=self._settings)
        desk = self._desk()
        if isinstance(desk, DesktopEventEngine):
            desk.hold()
        for type_ in _TOLD:  # critical, too: set aside, it would show old prices for ever
            engine.event_engine.register(type_, self._tell, critical=self._warn)
        for type_ in _CRITICAL:  # nobody can trade by a desktop that is not told of its orders
            engine.event_engine.register(type_, self._tell_order, critical=self._halt)
        return engine

    def _tell_order(self, event: Event) -> None:
        self._tell(event)

    def _tell(self, event: Event) -> None:
        name = getattr(event.data, "adapter_name", "")
        guest = self._guests.get(name)
        if guest is None and event.type == EVENT_LOG:  # the engine's own lines
            guest = next(iter(list(self._guests.values())), None)
        if guest is not None:
            guest.told(event)

    def _warn(self, handler: str, error: BaseException) -> None:
        log.error("desktop_not_told", error=type(error).__name__)

    def _halt(self, handler: str, error: BaseException) -> None:
        self.engine.halt(f"the desktop was not told of an order: {type(error).__name__}")


_hosts: WeakKeyDictionary[EventEngine, Host] = WeakKeyDictionary()
_finding = threading.Lock()


def host_of(event_engine: EventEngine, settings: GivenSettings = None) -> Host:
    """The host of a desktop, which is known by its event engine.

    Args:
        event_engine: vnpy's, or the one that vnpy was given.
        settings: For the engine, if this is the first that asks for it.
    """
    with _finding:
        host = _hosts.get(event_engine)
        if host is None:
            host = _hosts[event_engine] = Host(event_engine, settings)
        return host
