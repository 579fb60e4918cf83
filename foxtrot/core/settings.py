"""The settings file: flat dotted flags, overridable for one adapter, venues and strategies.

Settings are immutable: a reload makes new ones, and `changes` tells them apart.

Thread safety: everything here may be used from any thread.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from foxtrot.core import strict_json
from foxtrot.core.redaction import scrub
from foxtrot.core.settings_model import (
    ADAPTER_NAME,
    KEYS,
    Applies,
    ConnectSettings,
    FeatureFlags,
    SubscriptionEntry,
    VenueEntry,
    allowed,
    applies,
)
from foxtrot.core.settings_strategies import RiskLimits, StrategyEntry
from foxtrot.errors import ConfigurationError

__all__ = [
    "Applies",
    "Changes",
    "ConnectSettings",
    "FeatureFlags",
    "RiskLimits",
    "Settings",
    "StrategyEntry",
    "SubscriptionEntry",
    "VenueEntry",
    "changes",
]

_OVERRIDE = re.compile(rf"adapters\.({ADAPTER_NAME})\.(.+)", re.DOTALL)
_VENUES_LIMIT = 64
_STRATEGIES_LIMIT = 256
_SECTIONS: Final = ("venues", "strategies")
_KEY_LIMIT = 96
_LARGEST_ECHO = 10**15
_BASE_DELAY: Final = "websocket.reconnect_base_delay"
_MAX_DELAY: Final = "websocket.reconnect_max_delay"

EntryT = TypeVar("EntryT", bound=BaseModel)
_INNER: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {"subscribe": SubscriptionEntry, "risk": RiskLimits}
)
"""Models of the entries that stand inside another entry."""


@dataclass(frozen=True)
class Settings:
    """All settings of one process."""

    flags: FeatureFlags = field(default_factory=FeatureFlags)
    venues: Mapping[str, VenueEntry] = field(default_factory=lambda: MappingProxyType({}))
    overrides: Mapping[str, FeatureFlags] = field(default_factory=lambda: MappingProxyType({}))
    strategies: tuple[StrategyEntry, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> Settings:
        """Read the settings file `path`.

        Raises:
            ConfigurationError: It cannot be read, or a setting is wrong.
        """
        return cls.parse(strict_json.read(Path(path)), where=scrub(str(path)))

    @classmethod
    def parse(cls, source: str | bytes | Mapping[str, object], where: str = "settings") -> Settings:
        """Read settings from JSON or from a mapping of the same form.

        Raises:
            ConfigurationError: A setting is wrong; the text names file, key and what is allowed.
        """
        entries = source if isinstance(source, Mapping) else strict_json.parse(source, where)
        return _Parser(where).settings(cast(Mapping[object, object], entries))

    def for_adapter(self, name: str) -> FeatureFlags:
        """The flags as the adapter `name` is to see them, whatever the case of its letters."""
        return self.overrides.get(name.upper(), self.flags)


@dataclass(frozen=True)
class Changes:
    """Which keys differ between two settings, by what it takes to bring them into force.

    `needs_restart` holds what the running program does not take up: keys of the engine need a new
    process, as do strategies; keys under `venues.<NAME>.connect` a reconnect of that venue
    (`reconnect`).
    """

    applied: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.applied or self.needs_restart)

    @property
    def reconnect(self) -> tuple[str, ...]:
        """Venues to be reconnected (`restart`) for their new connect settings to count."""
        parts = [key.split(".") for key in self.needs_restart]
        names = [part[1] for part in parts if part[0] == "venues" and part[2:3] == ["connect"]]
        return tuple(dict.fromkeys(names))


def changes(old: Settings, new: Settings) -> Changes:
    """Compare two settings by what counts in the end, not by what is written."""
    at_once: list[str] = []
    later: list[str] = []
    for key, when in (
        *_changed_flags(old, new),
        *_changed_venues(old.venues, new.venues),
        *_changed_strategies(old.strategies, new.strategies),
    ):
        (at_once if when is Applies.AT_ONCE else later).append(key)
    return Changes(tuple(at_once), tuple(later))


def _changed_flags(old: Settings, new: Settings) -> Iterator[tuple[str, Applies]]:
    names = sorted({*old.overrides, *new.overrides})
    for key, attribute in KEYS.items():
        common = (getattr(old.flags, attribute), getattr(new.flags, attribute))
        if common[0] != common[1]:
            yield key, applies(key)
        for name in names:
            own = [getattr(each.for_adapter(name), attribute) for each in (old, new)]
            if own[0] != own[1] and tuple(own) != common:
                yield f"adapters.{name}.{key}", applies(key)


def _changed_venues(
    old: Mapping[str, VenueEntry], new: Mapping[str, VenueEntry]
) -> Iterator[tuple[str, Applies]]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield f"venues.{name}", Applies.ON_RESTART
            continue
        before, after = old[name], new[name]
        if before.adapter != after.adapter:
            yield f"venues.{name}.adapter", Applies.ON_RESTART
        missing = object()
        for key in dict.fromkeys((*before.connect, *after.connect)):
            if before.connect.get(key, missing) != after.connect.get(key, missing):
                yield f"venues.{name}.connect.{key}", Applies.ON_RECONNECT
        if before.subscribe != after.subscribe:
            yield f"venues.{name}.subscribe", Applies.AT_ONCE


def _changed_strategies(
    old: Iterable[StrategyEntry], new: Iterable[StrategyEntry]
) -> Iterator[tuple[str, Applies]]:
    before, after = ({entry.name: entry for entry in entries} for entries in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield f"strategies.{name}", Applies.ON_RESTART


class _Parser:
    """Sorts the entries of one settings object and words what is wrong with them."""

    def __init__(self, where: str) -> None:
        self._where = where

    def settings(self, entries: Mapping[object, object]) -> Settings:
        common: dict[str, object] = {}
        own: dict[str, dict[str, object]] = {}
        for key, value in entries.items():
            if not isinstance(key, str):
                raise self._error("", "every key must be text")
            match = _OVERRIDE.fullmatch(key)
            if match and match[2] in KEYS:
                self._put(own.setdefault(match[1].upper(), {}), match[2], value, key)
            elif key in KEYS:
                common[key] = value
            elif key not in (*_SECTIONS, "$schema"):
                raise self._unknown(key, value)
        flags = self._flags(common, common, "")
        overrides = {
            name: self._flags({**common, **entries}, entries, f"adapters.{name}.")
            for name, entries in own.items()
        }
        venues = self._venues(entries.get("venues", {}))
        strategies = self._strategies(entries.get("strategies", ()))
        return Settings(flags, MappingProxyType(venues), MappingProxyType(overrides), strategies)

    def _put(self, entries: dict[str, object], key: str, value: object, written: str) -> None:
        if key in entries:
            raise self._error(written, "stands there twice, in different spellings of the name")
        entries[key] = value

    def _flags(
        self, entries: Mapping[str, object], own: Mapping[str, object], prefix: str
    ) -> FeatureFlags:
        details = None
        try:
            return FeatureFlags.model_validate(dict(entries))
        except ValidationError as error:
            details = error.errors(include_url=False)[0]
        if details["type"] == "delays":
            raise self._delays(entries, own, prefix)
        key = str(details["loc"][0])
        problem = _wording(details, FeatureFlags, key) + _echo(details["input"])
        raise self._error(prefix + _path(details["loc"]), problem)

    def _delays(
        self, entries: Mapping[str, object], own: Mapping[str, object], prefix: str
    ) -> ConfigurationError:
        key, other, word = _BASE_DELAY, _MAX_DELAY, "above"
        if key not in own:
            key, other, word = other, key, "below"
        limit = entries.get(other, FeatureFlags.model_fields[KEYS[other]].default)
        return self._error(prefix + key, f"must not be {word} {other} ({limit})")

    def _venues(self, entries: object) -> dict[str, VenueEntry]:
        if not isinstance(entries, Mapping):
            raise self._error("venues", f"must be an object, not {strict_json.kind(entries)}")
        if len(entries) > _VENUES_LIMIT:
            raise self._error("venues", f"must have at most {_VENUES_LIMIT} entries")
        venues: dict[str, VenueEntry] = {}
        seen: set[str] = set()
        for name, entry in entries.items():
            if not isinstance(name, str) or not re.fullmatch(ADAPTER_NAME, name):
                problem = "a venue's name has 1 to 32 letters, digits, - and _"
                raise self._error(f"venues.{_shown_key(name)}", problem)
            if name.upper() in seen:
                raise self._error(f"venues.{name}", "stands there twice, in different spellings")
            seen.add(name.upper())
            venues[name] = self._entry(f"venues.{name}", entry, VenueEntry)
        return venues

    def _strategies(self, entries: object) -> tuple[StrategyEntry, ...]:
        if not isinstance(entries, list | tuple):
            raise self._error("strategies", f"must be a list, not {strict_json.kind(entries)}")
        if len(entries) > _STRATEGIES_LIMIT:
            raise self._error("strategies", f"must have at most {_STRATEGIES_LIMIT} entries")
        strategies: dict[str, StrategyEntry] = {}
        for index, entry in enumerate(entries):
            place = f"strategies[{index}]"
            strategy = self._entry(place, entry, StrategyEntry)
            if strategy.name in strategies:
                raise self._error(f"{place}.name", f"{strategy.name} stands there twice")
            strategies[strategy.name] = strategy
        return tuple(strategies.values())

    def _entry(self, place: str, entry: object, model: type[EntryT]) -> EntryT:
        if not isinstance(entry, Mapping):
            raise self._error(place, f"must be an object, not {strict_json.kind(entry)}")
        try:
            return model.model_validate(dict(entry))
        except ValidationError as error:
            details = error.errors(include_url=False)[0]
        loc = details["loc"]
        inner = _INNER.get(str(loc[0])) if len(loc) > 1 else None
        key = str(loc[-1] if inner else loc[0])
        if named := details.get("ctx", {}).get("key"):
            loc = (*loc, str(named))
        problem = _wording(details, inner or model, key)
        raise self._error(f"{place}.{_path(loc)}", problem)

    def _unknown(self, key: str, value: object) -> ConfigurationError:
        prefix, name = "", key
        if key.startswith("adapters."):
            match = _OVERRIDE.fullmatch(key)
            if match is None:
                return self._error(_shown_key(key), "must be adapters.<NAME>.<flag>")
            prefix, name = f"adapters.{match[1]}.", match[2]
        if isinstance(value, Mapping):
            known = [each for each in KEYS if each.startswith(f"{name}.")]
            if known or name == "adapters":
                example = prefix + (known[0] if known else "adapters.BINANCE.websocket.enabled")
                return self._error(_shown_key(key), f'flags are flat: write "{example}"')
        known = [*KEYS] if prefix else [*KEYS, *_SECTIONS]
        return self._error(_shown_key(key), _unknown_key(name, known, prefix))

    def _error(self, key: str, problem: str) -> ConfigurationError:
        return ConfigurationError(self._where, key, problem)


def _shown_key(key: object) -> str:
    return scrub(key, limit=_KEY_LIMIT) if isinstance(key, str) else strict_json.kind(key)


def _path(loc: Iterable[int | str]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{_shown_key(part)}" for part in loc]
    return "".join(parts).lstrip(".")


def _unknown_key(name: str, known: Iterable[str], prefix: str = "") -> str:
    choices = list(known)
    near = difflib.get_close_matches(name.lower()[:_KEY_LIMIT], choices, n=1)
    if near:
        return f'unknown key; did you mean "{prefix}{near[0]}"?'
    if len(choices) <= 4:
        return f"unknown key; the known ones are {', '.join(choices)}"
    return "unknown key; docs/settings.md lists the known ones"


def _wording(details: ErrorDetails, model: type[BaseModel], key: str) -> str:
    kind = details["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_key(key, _names(model))
    if kind in ("problem", "interval"):
        return details["msg"]
    if key not in _names(model):
        return f"must be text or an object with a symbol, not {strict_json.kind(details['input'])}"
    given = details["input"]
    if isinstance(details["loc"][-1], int):
        if kind == "literal_error":
            return f"must be {details['ctx']['expected']}".replace("'", "")
        return "every symbol must be text of 1 to 64 characters"
    text = f"must be {allowed(model, key)}"
    if isinstance(given, str) and kind in ("bool_type", "int_type", "float_type"):
        return f"{text}, not text; write it without quotation marks"
    return text


def _names(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _echo(value: object) -> str:
    """What was written, if it is short and no text: that may be a secret in the wrong place."""
    if isinstance(value, bool) or value is None:
        return f"; was {strict_json.kind(value)}"
    if isinstance(value, int | float) and abs(value) < _LARGEST_ECHO:
        return f"; was {value}"
    return ""
