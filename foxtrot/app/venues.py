"""The venues and strategies of a settings file: connected, started, and followed by the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foxtrot.core import logs
from foxtrot.core.settings import ConnectSettings, Settings, VenueEntry
from foxtrot.engine.strategies import class_of_entry
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.registry import adapter_class
from foxtrot.model.constants import Exchange
from foxtrot.model.requests import SubscribeRequest

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine


class Venues:
    """Composition of `foxtrot run`: every venue and strategy of a settings file.

    Args:
        path: The settings file; watched while the program runs.
    """

    title = "run"
    environment = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._settings = Settings.load(path)
        if not self._settings.venues:
            problem = "is empty or missing; config/ has examples of venues to connect"
            raise ConfigurationError(str(path), "venues", problem)
        self.log_level: str = self._settings.flags.logging_level

    def open(self, stack: ExitStack) -> MainEngine:
        """Make the engine and its adapters."""
        from foxtrot.engine.main_engine import MainEngine

        engine = stack.enter_context(MainEngine(settings=self._path))
        self._settings = engine.settings
        for name, entry in self._settings.venues.items():
            where = f"{self._path}: venues.{name}"
            engine.add_adapter(adapter_class(entry.adapter, where=where), name)
        adapters = [engine.adapter(name) for name in self._settings.venues]
        for strategy in self._settings.strategies:  # before anything connects
            class_of_entry(strategy, adapters, str(self._path))
        return engine

    def start(self, engine: MainEngine) -> None:
        """Subscribe to what the file lists, connect, and start its strategies."""
        for name, entry in self._settings.venues.items():
            adapter = engine.adapter(name)
            with located(self._path, name):
                for request in requests(adapter, entry):
                    adapter.subscribe(request)
                adapter.connect(setting(entry.connect))
        engine.load_strategies()

    def follow(self, engine: MainEngine, settings: Settings) -> None:
        """Take up the level of the log and the subscriptions of the venues that run.

        What `connect` takes counts from their next `restart`.
        """
        logs.set_level(settings.flags.logging_level)
        before, self._settings = self._settings, settings
        running = {name.upper() for name in engine.get_all_adapter_names()}
        for name, entry in settings.venues.items():
            if name.upper() in running and name in before.venues:
                if entry.adapter == before.venues[name].adapter:
                    engine.adapter(name).renew(setting(entry.connect))
                self._resubscribe(engine.adapter(name), before.venues[name], entry, name)

    def _resubscribe(
        self, adapter: BaseAdapter, before: VenueEntry, after: VenueEntry, name: str
    ) -> None:
        old = dict.fromkeys(requests(adapter, before))
        new = dict.fromkeys(requests(adapter, after))
        for request in old:
            if request not in new:
                adapter.unsubscribe(request)
        for request in new:
            if request in old:
                continue
            try:
                adapter.subscribe(request)
            except ConfigurationError as error:
                adapter.write_log(f"{name}: not subscribed: {error}")


def requests(adapter: BaseAdapter, entry: VenueEntry) -> Iterator[SubscribeRequest]:
    """What the settings subscribe at this venue."""
    for each in entry.subscribe:
        symbol, exchange = contract_of(adapter, each.symbol)
        yield SubscribeRequest(symbol, exchange, each.channel, each.interval)


def contract_of(adapter: BaseAdapter | type[BaseAdapter], name: str) -> tuple[str, Exchange]:
    """The symbol and the exchange of `name`; without one, the venue's first.

    A symbol may have dots of its own, so only the name of an exchange of the venue is taken off.
    """
    symbol, _, last = name.rpartition(".")
    for exchange in adapter.exchanges:
        if symbol and last == exchange.value:
            return symbol, exchange
    return name, adapter.exchanges[0]


def setting(connect: ConnectSettings) -> Setting:
    """What `connect` takes, in the types it takes."""
    return {
        key: [str(item) for item in value] if isinstance(value, tuple) else value
        for key, value in connect.items()
    }


@contextmanager
def located(path: Path, name: str) -> Iterator[None]:
    """Let an error say where in the file the mistake is, not only in which section."""
    try:
        yield
    except ConfigurationError as error:
        field = f"venues.{name}.{error.where}"
        if error.field:
            field += f".{error.field}"
        raise type(error)(str(path), field, error.problem) from None
