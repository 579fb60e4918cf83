"""`foxtrot check-config`: everything that can be known about a settings file without connecting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from foxtrot.app.venues import located, requests, setting
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.settings import FeatureFlags, Settings
from foxtrot.core.settings_model import KEYS
from foxtrot.engine.strategies import class_of_entry
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.registry import adapter_class


def check(path: Path) -> Iterator[str]:
    """Lines that say what the file holds; no secret is among them.

    Raises:
        ConfigurationError: A setting is wrong, or a secret is not where the file says.
    """
    settings = Settings.load(path)
    adapters = [configured(path, settings, name) for name in settings.venues]
    for strategy in settings.strategies:
        class_of_entry(strategy, adapters, str(path))
    yield f"{path} is good."
    for adapter in adapters:
        yield from _venue(adapter, settings)
    if not adapters:
        yield "  no venues: nothing would be connected"
    for strategy in settings.strategies:
        yield f"  strategy {strategy.name}: {strategy.class_} on {', '.join(strategy.symbols)}"
    yield from _flags(settings)


def configured(path: Path, settings: Settings, name: str) -> BaseAdapter:
    """The adapter of a venue of the file, with all that is wanted of it; it connects to nothing.

    Raises:
        ConfigurationError: Names the place in the file.
    """
    entry = settings.venues[name]
    kind = adapter_class(entry.adapter, where=f"{path}: venues.{name}")
    adapter = kind(EventEngine(), name, settings=settings)
    with located(path, name):
        adapter.configure(setting(entry.connect))
        for request in requests(adapter, entry):
            adapter.subscribe(request)
    return adapter


def _venue(adapter: BaseAdapter, settings: Settings) -> Iterator[str]:
    environment = adapter.environment.value.upper() if adapter.environment else "unknown"
    streamed = settings.for_adapter(adapter.adapter_name).websocket_enabled
    mode = "websocket" if streamed else "polling"
    yield f"  {adapter.adapter_name}: {environment}, {adapter.endpoint}, by {mode}"
    wanted = adapter.subscriptions()
    kinds = Counter(request.channel.value for request in wanted)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    yield f"    subscribes to {counts}" if wanted else "    subscribes to nothing"


def _flags(settings: Settings) -> Iterator[str]:
    for prefix, flags in (
        ("", settings.flags),
        *((f"adapters.{name}.", flags) for name, flags in settings.overrides.items()),
    ):
        base = settings.flags if prefix else FeatureFlags()
        for key, attribute in KEYS.items():
            if getattr(flags, attribute) != getattr(base, attribute):
                yield f"  {prefix}{key} = {getattr(flags, attribute)}"
