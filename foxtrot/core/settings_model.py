"""The one list of settings: flags and venues, with their defaults, bounds and meaning.

The schema, the reference in docs/ and the texts of errors are derived from these models.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from foxtrot.core.credentials import is_reference
from foxtrot.core.redaction import REDACTED, is_secret_field, register_secret
from foxtrot.model.constants import Channel, Interval

Scalar = str | int | float | bool | None
ConnectValue = Scalar | tuple[Scalar, ...]

ADAPTER_NAME: Final = r"[A-Za-z0-9_-]{1,32}"
_CONNECT_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SECRETIVE = re.compile(r"(?i)secret|passw|passphrase|key|token|credential")
_TEXT_LIMIT = 8192  # a PEM key written out
_LIST_LIMIT = 1024


class Applies(Enum):
    """When a changed setting takes effect."""

    AT_ONCE = "at once"
    ON_RECONNECT = "on reconnect"
    ON_RESTART = "on restart"


def _printable(text: str) -> str:
    if not text.isprintable() or any(char.isspace() for char in text):
        raise PydanticCustomError("problem", "must be a symbol without spaces, such as BTCUSDT")
    return text


def _directory(text: str) -> str:
    path = os.path.expanduser(text)
    if text and (not os.path.isabs(path) or "\0" in path):
        raise PydanticCustomError(
            "problem",
            "must be an absolute path, or one that begins with ~/; empty: the data directory",
        )
    return path


StreamedChannel = Literal["tick", "depth", "trade", "bar"]
Symbol = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
SETTLED: Final = ConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    allow_inf_nan=False,
    hide_input_in_errors=True,
    populate_by_name=False,
)


class FeatureFlags(BaseModel):
    """The flags as one adapter sees them; each alias is the dotted key of the settings file."""

    model_config = SETTLED

    websocket_enabled: bool = Field(
        default=True,
        alias="websocket.enabled",
        description="Streams over a websocket; off: by polling.",
    )
    websocket_symbols: tuple[Symbol, ...] = Field(
        default=(),
        alias="websocket.symbols",
        description="Only these symbols are streamed, the others are polled; empty: all.",
        max_length=_LIST_LIMIT,
        strict=False,
    )
    websocket_fallback_on_error: bool = Field(
        default=True,
        alias="websocket.fallback_on_error",
        description="Goes on by polling while the websocket cannot be had.",
    )
    websocket_max_reconnect_attempts: int = Field(
        default=50,
        alias="websocket.max_reconnect_attempts",
        description="Attempts in a row before a session is given up.",
        ge=1,
        le=1_000_000,
    )
    websocket_reconnect_base_delay: float = Field(
        default=1.0,
        alias="websocket.reconnect_base_delay",
        description="Seconds before the first attempt; doubled for each further one.",
        ge=0.01,
        le=3600,
    )
    websocket_reconnect_max_delay: float = Field(
        default=60.0,
        alias="websocket.reconnect_max_delay",
        description="Longest wait between attempts, in seconds; not below the base delay.",
        ge=0.01,
        le=86_400,
    )
    rollout_enabled: bool = Field(
        default=False,
        alias="rollout.enabled",
        description="Rolls the websocket out stage by stage, and back to polling by itself; "
        "websocket.enabled and websocket.symbols do not count then.",
    )
    rollout_symbols: tuple[Symbol, ...] = Field(
        default=(),
        alias="rollout.symbols",
        description="The majors, the first one first: the stages are the first symbol, the first "
        "five, all of these, and everything.",
        max_length=_LIST_LIMIT,
        strict=False,
    )
    rollout_begin: Literal["polling", "first", "top", "majors", "all"] = Field(
        default="polling",
        alias="rollout.begin",
        description="The stage with which it begins; a new process goes on where the last one "
        "stood, unless this was changed in between.",
    )
    rollout_polling_s: float = Field(
        default=300.0,
        alias="rollout.polling_s",
        description="Seconds of polling at the begin, with whose latency the first stage is "
        "compared.",
        ge=1,
        le=31_536_000,
    )
    rollout_first_s: float = Field(
        default=259_200.0,
        alias="rollout.first_s",
        description="Seconds in which the first symbol has to prove itself.",
        ge=1,
        le=31_536_000,
    )
    rollout_top_s: float = Field(
        default=604_800.0,
        alias="rollout.top_s",
        description="Seconds in which the first five symbols have to prove themselves.",
        ge=1,
        le=31_536_000,
    )
    rollout_majors_s: float = Field(
        default=1_209_600.0,
        alias="rollout.majors_s",
        description="Seconds in which all of rollout.symbols have to prove themselves.",
        ge=1,
        le=31_536_000,
    )
    rollout_all_s: float = Field(
        default=1_209_600.0,
        alias="rollout.all_s",
        description="Seconds in which everything has to prove itself; then the roll-out is over.",
        ge=1,
        le=31_536_000,
    )
    subscriptions_individual: tuple[StreamedChannel, ...] = Field(
        default=(),
        alias="subscriptions.individual",
        description="Channels that are asked for symbol by symbol, each answering for itself; "
        "the others in bulk, many symbols in one request.",
        max_length=4,
        strict=False,
    )
    polling_interval: float = Field(
        default=1.0,
        alias="polling.interval",
        description="Seconds between two rounds of polling.",
        ge=0.05,
        le=3600,
    )
    liveness_idle_s: float = Field(
        default=15.0,
        alias="liveness.idle_s",
        description="Seconds without any data before a session is probed.",
        ge=1,
        le=600,
    )
    liveness_probe_s: float = Field(
        default=4.0,
        alias="liveness.probe_s",
        description="Seconds a probe may take before the session is held for dead.",
        ge=0.1,
        le=60,
    )
    liveness_stream_idle_s: float = Field(
        default=10.0,
        alias="liveness.stream_idle_s",
        description="Seconds without any data of one stream before it is compared with a snapshot.",
        ge=0.1,
        le=3600,
    )
    connect_timeout_s: float = Field(
        default=10.0,
        alias="connect.timeout_s",
        description="Seconds one attempt to connect may take.",
        ge=0.1,
        le=120,
    )
    subscribe_timeout_s: float = Field(
        default=5.0,
        alias="subscribe.timeout_s",
        description="Seconds a venue may take to acknowledge a subscription.",
        ge=0.1,
        le=120,
    )
    orders_max_volume: float = Field(
        default=1_000_000.0,
        alias="orders.max_volume",
        description="Largest volume of one order, in units of the contract; 0: no limit.",
        ge=0,
        le=1e15,
    )
    orders_max_notional: float = Field(
        default=1_000_000.0,
        alias="orders.max_notional",
        description="Largest price times volume times size of the contract (its multiplier) of one "
        "order, in the contract's quote currency; 0: no limit.",
        ge=0,
        le=1e15,
    )
    orders_max_per_second: int = Field(
        default=10,
        alias="orders.max_per_second",
        description="New orders in any second.",
        ge=1,
        le=1000,
    )
    orders_max_open: int = Field(
        default=200,
        alias="orders.max_open",
        description="Orders that may be open at once.",
        ge=1,
        le=10_000,
    )
    orders_price_collar: float = Field(
        default=0.1,
        alias="orders.price_collar",
        description="How much worse than the last price a limit price may be, as a fraction of it; "
        "0: no limit.",
        ge=0,
        le=10,
    )
    orders_stale_after_s: float = Field(
        default=30.0,
        alias="orders.stale_after_s",
        description="Age, in seconds, of a subscribed symbol's last tick from which on its orders "
        "are refused, unless its market is known to be quiet.",
        ge=0.1,
        le=86_400,
    )
    orders_max_rejections: int = Field(
        default=10,
        alias="orders.max_rejections",
        description="Orders in a row that the venue may reject before new ones pause.",
        ge=1,
        le=1000,
    )
    orders_timeout_s: float = Field(
        default=10.0,
        alias="orders.timeout_s",
        description="Seconds a venue may take to answer an order before its outcome is in doubt.",
        ge=0.1,
        le=120,
    )
    journal_directory: Annotated[str, AfterValidator(_directory)] = Field(
        default="",
        alias="journal.directory",
        description="Where the order journals are kept, and how far a roll-out has come: an "
        "absolute path, or one that begins with ~/; empty: the user's data directory.",
        max_length=1024,
        json_schema_extra={"applies": Applies.ON_RESTART.value},
    )
    journal_durability: Literal["process", "power"] = Field(
        default="process",
        alias="journal.durability",
        description="What an order's record survives: the death of the process, or power loss too.",
        json_schema_extra={"applies": Applies.ON_RESTART.value},
    )
    engine_conflate_after_s: float = Field(
        default=0.02,
        alias="engine.conflate_after_s",
        description="Age of the backlog, in seconds, from which on only the newest tick of a "
        "symbol is kept. Of the whole process.",
        ge=0,
        le=10,
        json_schema_extra={"applies": Applies.ON_RESTART.value},
    )
    engine_bounded_limit: int = Field(
        default=100_000,
        alias="engine.bounded_limit",
        description="Market trades and bars that may wait before the oldest is dropped. Of the "
        "whole process.",
        ge=1,
        le=10_000_000,
        json_schema_extra={"applies": Applies.ON_RESTART.value},
    )
    logging_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        alias="logging.level",
        description="Least level of a log line that is shown. Of the whole process.",
    )

    @model_validator(mode="after")
    def _delays_fit(self) -> Self:
        if self.websocket_reconnect_base_delay > self.websocket_reconnect_max_delay:
            raise PydanticCustomError("delays", "the base delay is above the maximum delay")
        return self


KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {cast(str, info.alias): name for name, info in FeatureFlags.model_fields.items()}
)
"""Dotted key of every flag, with the name of its attribute."""


def applies(key: str) -> Applies:
    """When a change of the flag `key` takes effect."""
    extra = FeatureFlags.model_fields[KEYS[key]].json_schema_extra
    return Applies(extra["applies"]) if isinstance(extra, dict) else Applies.AT_ONCE


class ConnectSettings(Mapping[str, ConnectValue]):
    """What a venue's `connect` takes, as written; it never shows a secret."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, ConnectValue]) -> None:
        self._items = dict(items)
        for value in self._secrets():
            register_secret(value)

    def __getitem__(self, key: str) -> ConnectValue:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def shown(self) -> dict[str, object]:
        """The same without secrets: a reference to one is shown, a value is not."""
        return {key: self._shown(key) for key in self}

    def __repr__(self) -> str:
        return f"ConnectSettings({self.shown()})"

    def _shown(self, key: str) -> object:
        value = self._items[key]
        if not _SECRETIVE.search(key) or value is None or isinstance(value, bool):
            return value
        return value if isinstance(value, str) and is_reference(value) else REDACTED

    def _secrets(self) -> Iterator[str]:
        for key, value in self._items.items():
            if is_secret_field(key) and self._shown(key) is REDACTED:
                yield from map(str, value if isinstance(value, tuple) else (value,))


def _connect(value: object) -> ConnectSettings:
    if isinstance(value, ConnectSettings):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("problem", "must be an object")
    items: dict[str, ConnectValue] = {}
    for key, item in value.items():
        if not isinstance(key, str) or not _CONNECT_KEY.fullmatch(key):
            raise _connect_problem("", "holds a key that is not a name of letters, digits and _")
        if isinstance(item, list | tuple):
            if len(item) > _LIST_LIMIT:
                raise _connect_problem(key, f"must have at most {_LIST_LIMIT} entries")
            items[key] = tuple(_scalar(key, entry) for entry in item)
        else:
            items[key] = _scalar(key, item)
    return ConnectSettings(items)


def _scalar(key: str, value: object) -> Scalar:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    if isinstance(value, str) and len(value) <= _TEXT_LIMIT:
        return value
    if isinstance(value, str):
        raise _connect_problem(key, f"must have at most {_TEXT_LIMIT} characters")
    raise _connect_problem(key, "must be text, a number, true, false, null, or a list of these")


def _connect_problem(key: str, problem: str) -> PydanticCustomError:
    return PydanticCustomError("problem", "{problem}", {"key": key, "problem": problem})


_SCALAR_SCHEMA: dict[str, object] = {"type": ["string", "number", "boolean", "null"]}
_CONNECT_SCHEMA: dict[str, object] = {
    "type": "object",
    "propertyNames": {"pattern": f"^{_CONNECT_KEY.pattern}$"},
    "additionalProperties": {"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA}]},
}

NamedValues = Annotated[ConnectSettings, PlainValidator(_connect), WithJsonSchema(_CONNECT_SCHEMA)]


def _bar_length(value: Interval) -> Interval:
    if value is Interval.TICK:
        raise PydanticCustomError("problem", "must be the length of a bar, such as 1m")
    return value


_BAR_LENGTHS = [each.value for each in Interval if each is not Interval.TICK]
BarInterval = Annotated[
    Interval,
    Field(strict=False),
    AfterValidator(_bar_length),
    WithJsonSchema({"type": "string", "enum": _BAR_LENGTHS}),
]


class SubscriptionEntry(BaseModel):
    """One subscription that is made as soon as the venue is connected."""

    model_config = SETTLED

    symbol: Symbol = Field(description="The venue's symbol, such as BTCUSDT.")
    channel: Channel = Field(default=Channel.TICK, strict=False, description="What is delivered.")
    interval: BarInterval = Field(
        default=Interval.MINUTE, description="Length of a bar; for the channel bar only."
    )

    @model_validator(mode="after")
    def _interval_fits(self) -> Self:
        if "interval" in self.model_fields_set and self.channel is not Channel.BAR:
            raise PydanticCustomError("interval", 'interval counts for the channel "bar" only')
        return self


class VenueEntry(BaseModel):
    """One venue: which adapter, what its `connect` takes, what is subscribed."""

    model_config = ConfigDict(**SETTLED, arbitrary_types_allowed=True)

    adapter: str = Field(
        min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$", description="Which adapter."
    )
    connect: NamedValues = Field(
        default_factory=lambda: ConnectSettings({}),
        description="What the adapter's connect takes; secrets as env:NAME, file:PATH or "
        "keyring:SERVICE/NAME.",
    )
    subscribe: tuple[SubscriptionEntry, ...] = Field(
        default=(),
        strict=False,
        max_length=10_000,
        description="Symbols, or objects with a channel.",
    )

    @field_validator("subscribe", mode="before")
    @classmethod
    def _symbols_alone(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [{"symbol": entry} if isinstance(entry, str) else entry for entry in value]


def allowed(model: type[BaseModel], key: str) -> str:
    """What the setting `key` of `model` may be, in words."""
    schema = model.model_json_schema(by_alias=True)
    entry = schema["properties"][key]
    if reference := entry.get("$ref"):
        entry = schema["$defs"][reference.rpartition("/")[2]]
    return _in_words(entry)


def _in_words(entry: Mapping[str, object]) -> str:
    least, most = entry.get("minimum"), entry.get("maximum")
    length = f"{entry.get('minLength', 0)} to {entry.get('maxLength')} characters"
    entries = f"{'1 to' if entry.get('minItems') else 'at most'} {entry.get('maxItems')}"
    if "pattern" in entry:
        return "a name of small letters, digits and _, such as binance"
    choices = cast(list[object], entry.get("enum", ()))
    if choices:
        return f"one of {', '.join(map(str, choices))}"
    words = {
        "boolean": "true or false",
        "integer": f"a whole number from {least} to {most}",
        "number": f"a number from {least} to {most}",
        "string": f"text of {length}",
        "array": f"a list of {entries} entries, in brackets",
    }
    return words.get(str(entry.get("type")), "an object")
