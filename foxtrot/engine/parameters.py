"""The parameters of a strategy: declared by its class, given by whoever adds it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from enum import Enum

from foxtrot.errors import ConfigurationError

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_ABSENT = object()


def checked(owner: type, names: Sequence[str], given: Mapping[str, object]) -> dict[str, object]:
    """What to set on an object of `owner`: every parameter, given or with its default.

    A value has the type of the default: a whole number may stand for a number, a list for a tuple,
    its value for a member of an enum; a default of None takes anything.

    Args:
        owner: The class that declares the parameters, as class attributes with their defaults.
        names: Which attributes are parameters.
        given: Values by name.

    Raises:
        ConfigurationError: A name that is no parameter, one without a default, or a value of
            another type.
    """
    for name in given:
        if name not in names:
            raise _error(owner, name, _unknown(name, names))
    defaults = {name: getattr(owner, name, _ABSENT) for name in names}
    for name, default in defaults.items():
        if default is _ABSENT:
            raise _error(owner, name, "is declared, but the class gives it no default")
    return {
        name: _fitted(owner, name, given[name], default) if name in given else default
        for name, default in defaults.items()
    }


def _fitted(owner: type, name: str, value: object, default: object) -> object:
    kind = type(default)
    if default is None or (type(value) is kind and kind is not float):
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise _error(owner, name, f"must be a finite number; was {value}")
        return float(value)
    if isinstance(default, list | tuple) and isinstance(value, list | tuple):
        return list(value) if isinstance(default, list) else tuple(value)
    if isinstance(default, Enum):
        return _member(owner, name, value, type(default))
    allowed = _WORDS.get(kind, f"a {kind.__name__}")
    raise _error(owner, name, f"must be {allowed}, as its default is; was {_shown(value)}")


def _member(owner: type, name: str, value: object, kind: type[Enum]) -> Enum:
    for member in kind:
        if value in (member, member.value):
            return member
    allowed = ", ".join(str(member.value) for member in kind)
    raise _error(owner, name, f"must be one of {allowed}; was {_shown(value)}")


def _shown(value: object) -> str:
    """A number; of text only that it is some, as it may be a secret in the wrong place."""
    number = value is None or isinstance(value, bool | int | float)
    return f"{value!r:.64}" if number else _WORDS.get(type(value), type(value).__name__)


def _unknown(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f'unknown parameter; did you mean "{near[0]}"?'
    return f"unknown parameter; there is {', '.join(names) or 'none'}"


def _error(owner: type, name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(owner.__name__, name, problem)
