"""Pure: the facts of a venue, which are flat, as sentences under headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from foxtrot.model.health import Fact

SHORT, NONE_LEFT = 0.2, 0.0
"""The shares of a limit at which it is told by colour."""

_TELLING = ("in_use", "idle", "failed", "waiting", "violations", "state")
"""How the names of those end that are worth a place in the heading."""

_IDS = "client_ids"


class Line(msgspec.Struct, frozen=True):
    """One fact in words; `left` is the share of a limit that is left, 1 for what is none."""

    name: str
    text: str
    left: float = 1.0

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class Group(msgspec.Struct, frozen=True):
    """The facts of one kind, with what a glance should see of them."""

    name: str
    summary: str
    lines: tuple[Line, ...]

    @property
    def left(self) -> float:
        """Of the limit that is nearest."""
        return min((line.left for line in self.lines), default=1.0)


def groups_of(facts: Mapping[str, Fact]) -> tuple[Group, ...]:
    """Facts by the first word of their names: limits, pool, pace and whatever a venue has."""
    heads: dict[str, dict[str, Fact]] = {}
    for name, value in facts.items():
        head, _, rest = name.partition(".")
        if head == _IDS:
            head, rest = "pool", f"{rest}.{_IDS}"
        heads.setdefault(head, {})[rest or head] = value
    return tuple(_group(head, heads[head]) for head in sorted(heads))


def _group(head: str, facts: Mapping[str, Fact]) -> Group:
    lines = tuple(_lines(facts))
    limits = [line for line in lines if line.left < 1.0 or line.text.endswith(" left")]
    if limits:
        nearest = min(limits, key=lambda line: line.left)
        return Group(head, f"{nearest.name} {nearest.text}", lines)
    telling = [
        f"{in_words(name)} {_value(name, value)}"
        for name, value in facts.items()
        if "." not in name and name.endswith(_TELLING)
    ]
    return Group(head, ", ".join(telling), lines)


def _lines(facts: Mapping[str, Fact]) -> Iterator[Line]:
    """One for each fact; those of one thing, such as `x.left` and `x.most`, are one."""
    things: dict[str, dict[str, Fact]] = {}
    for name, value in facts.items():
        thing, _, part = name.rpartition(".")
        things.setdefault(thing or name, {})[part] = value
    for thing, parts in things.items():
        yield _line(thing, parts)


def _line(thing: str, parts: Mapping[str, Fact]) -> Line:
    name = in_words(thing)
    left, most = parts.get("left"), parts.get("most")
    if isinstance(left, int | float) and isinstance(most, int | float):
        return Line(name, f"{left:g} of {most:g} left", left / most if most > 0 else 1.0)
    if len(parts) == 1:
        ((part, value),) = parts.items()
        whole = name if part in (thing, "") else f"{name} {in_words(part)}"
        return Line(whole, _value(part, value))
    told = [
        f"at most {value}" if part == "most" else f"{in_words(part)} {_value(part, value)}"
        for part, value in parts.items()
        if value != ""
    ]
    return Line(name, ", ".join(told))


def in_words(name: str) -> str:
    """A name as people read it; a unit at its end goes, as the value has it."""
    name = name.replace("_last_s", " in the last second")
    return name.removesuffix("_s").replace("_", " ").replace(".", " ")


def _value(name: str, value: Fact) -> str:
    if not name.endswith("_s") or isinstance(value, str) or name.endswith("_last_s"):
        return f"{value:.3g}" if isinstance(value, float) else str(value)
    return f"{value:.3g} s"
