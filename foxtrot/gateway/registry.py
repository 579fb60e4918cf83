"""Finds adapters by the name they are installed under: the only dynamic imports in the house."""

from __future__ import annotations

from importlib.metadata import entry_points

from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import BaseAdapter

GROUP = "foxtrot.adapters"


def adapter_class(name: str, *, where: str = "registry") -> type[BaseAdapter]:
    """The adapter class installed under `name`, whatever its case.

    Raises:
        ConfigurationError: No such adapter, or what is installed under the name is not one.
    """
    installed = {point.name.lower(): point for point in entry_points(group=GROUP)}
    point = installed.get(name.lower())
    if point is None:
        known = ", ".join(sorted(installed)) or "none"
        raise ConfigurationError(where, "adapter", f"{name!r} is not installed; known: {known}")
    try:
        loaded = point.load()
    except ImportError as error:
        missing = f"{name!r} cannot be loaded: {error.name or 'a part of it'} is missing"
        raise ConfigurationError(where, "adapter", missing) from None
    if not (isinstance(loaded, type) and issubclass(loaded, BaseAdapter)):
        raise ConfigurationError(where, "adapter", f"{name!r} is not a foxtrot adapter")
    return loaded
