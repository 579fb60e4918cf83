"""Parameters: known names, values of the type of their defaults, and words for the rest."""

import math
from typing import ClassVar

import pytest

from foxtrot.engine.parameters import checked
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Direction


class Owner:
    """Declares one of each kind."""

    fast = 10
    size = 1.5
    on = True
    label = "x"
    hours = (9, 10)
    days: ClassVar[list[int]] = [1]
    side = Direction.LONG
    anything = None


NAMES = ("fast", "size", "on", "label", "hours", "days", "side", "anything")


def test_what_is_not_given_has_its_default() -> None:
    """Every declared parameter has a value."""
    assert checked(Owner, NAMES, {}) == {name: getattr(Owner, name) for name in NAMES}


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("fast", 3, 3),
        ("size", 2, 2.0),
        ("on", False, False),
        ("label", "", ""),
        ("hours", [1, 2], (1, 2)),
        ("days", (1, 2), [1, 2]),
        ("side", Direction.SHORT, Direction.SHORT),
        ("side", "Short", Direction.SHORT),
        ("anything", {"a": 1}, {"a": 1}),
    ],
)
def test_a_value_fits_its_default(name: str, given: object, value: object) -> None:
    """What JSON cannot say is made of what it can: tuples of lists, members of their values."""
    result = checked(Owner, NAMES, {name: given})[name]
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("fst", 1, 'fst: unknown parameter; did you mean "fast"?'),
        ("zzz", 1, f"zzz: unknown parameter; there is {', '.join(NAMES)}"),
        ("fast", 1.0, "fast: must be a whole number, as its default is; was 1.0"),
        ("fast", True, "fast: must be a whole number, as its default is; was True"),
        ("fast", "10", "fast: must be a whole number, as its default is; was text"),
        ("size", "1", "size: must be a number, as its default is; was text"),
        ("size", True, "size: must be a number, as its default is; was True"),
        ("size", math.nan, "size: must be a finite number; was nan"),
        ("on", 1, "on: must be true or false, as its default is; was 1"),
        ("label", None, "label: must be text, as its default is; was None"),
        ("hours", 9, "hours: must be a tuple, as its default is; was 9"),
        ("side", "Up", "side: must be one of Long, Short, Net; was text"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(name: str, given: object, problem: str) -> None:
    """The text names class and parameter, and what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        checked(Owner, NAMES, {name: given})
    assert str(caught.value) == f"Owner: {problem}"


def test_a_parameter_needs_a_default() -> None:
    """Its type would not be known."""
    with pytest.raises(ConfigurationError, match="Owner: slow: is declared, but the class gives"):
        checked(Owner, ("slow",), {})


def test_a_class_without_parameters_says_so() -> None:
    """There is none to mean."""
    with pytest.raises(ConfigurationError, match="unknown parameter; there is none"):
        checked(Owner, (), {"fast": 1})
