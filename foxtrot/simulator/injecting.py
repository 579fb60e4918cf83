"""What is injected into a venue or a line, checked: faults and toxics alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

import msgspec

from foxtrot.errors import ConfigurationError


class Injected(Protocol):
    """A fault or a toxic."""

    @property
    def name(self) -> str:
        """What it is."""


InjectedT = TypeVar("InjectedT", bound=Injected)


def check_name(what: str, name: object, known: Iterable[str]) -> None:
    """Refuse a name that is none.

    Raises:
        ConfigurationError: It is not known; names those that are.
    """
    names = list(known)
    if name not in names:
        problem = f"{name!r} is not known; known are: {', '.join(names)}"
        raise ConfigurationError(what, "name", problem)


def converted(
    what: str,
    kind: type[InjectedT],
    params: Mapping[str, object],
    ranges: Iterable[tuple[str, float, float]],
) -> InjectedT:
    """What parameters describe.

    Args:
        what: Its kind as people call it.
        kind: Its type.
        params: Its name, which is known, and its parameters.
        ranges: A field, the least and the most that it may be; None may always be.

    Raises:
        ConfigurationError: A parameter is unknown, of a wrong type or out of range.
    """
    try:
        made = msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(what, str(params["name"]), str(error)) from error
    for field, low, high in ranges:
        value = getattr(made, field)
        if value is not None and not low <= value <= high:
            problem = f"{field} is {value!r}, allowed is {low:g} to {high:g}"
            raise ConfigurationError(what, made.name, problem)
    return made
