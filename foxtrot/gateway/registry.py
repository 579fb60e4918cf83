"""Finds adapters and strategies by name: the only dynamic imports in the house."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import BaseAdapter

log = get_logger("foxtrot.gateway")

T = TypeVar("T")

ADAPTERS = "foxtrot.adapters"
STRATEGIES = "foxtrot.strategies"


def adapter_class(name: str, *, where: str = "registry") -> type[BaseAdapter]:
    """The adapter class installed under `name`, whatever its case.

    Raises:
        ConfigurationError: No such adapter, or what is installed under the name is not one.
    """
    base: type[BaseAdapter] = BaseAdapter  # type: ignore[type-abstract]
    return _load(_installed(ADAPTERS, name, where, "adapter"), base, where, "adapter")


def adapter_names() -> tuple[str, ...]:
    """The names of all that are installed."""
    return tuple(sorted(point.name for point in entry_points(group=ADAPTERS)))


def strategy_class(name: str, base: type[T], *, where: str = "registry") -> type[T]:
    """The strategy class that is installed under `name`, or that `package.module:Class` names.

    Args:
        name: Either; a name is matched whatever its case.
        base: What it must be a class of.
        where: The setting that names it, for the text of an error.

    Raises:
        ConfigurationError: No such strategy, it cannot be loaded, or it is not one.
    """
    if ":" in name:
        point = EntryPoint(name, name, STRATEGIES)
    else:
        point = _installed(STRATEGIES, name, where, "class")
    return _load(point, base, where, "class")


def _installed(group: str, name: str, where: str, field: str) -> EntryPoint:
    installed = {point.name.lower(): point for point in entry_points(group=group)}
    point = installed.get(name.lower())
    if point is None:
        known = ", ".join(sorted(installed)) or "none"
        raise ConfigurationError(where, field, f"{name!r} is not installed; known: {known}")
    return point


def _load(point: EntryPoint, base: type[T], where: str, field: str) -> type[T]:
    try:
        loaded = point.load()
    except Exception as error:  # boundary: the author of what is loaded made a mistake
        reason = _reason(error, point)
        if not reason:
            log.exception("load_failed", name=point.name)
            reason = f"{type(error).__name__}; the log shows where"
        problem = f"{point.name!r} cannot be loaded: {reason}"
        raise ConfigurationError(where, field, problem) from None
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        kind = "adapter" if field == "adapter" else "strategy"
        raise ConfigurationError(where, field, f"{point.name!r} is not a foxtrot {kind}")
    return loaded


def _reason(error: Exception, point: EntryPoint) -> str:
    """Why, where a word says it; empty if it takes a traceback."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name or 'a part of it'} is missing"
    if isinstance(error, AttributeError) and error.name == point.attr:
        return f"there is no {point.attr} in {point.module}"
    return ""
