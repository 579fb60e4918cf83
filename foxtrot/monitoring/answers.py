"""What the API answers: one envelope, and what can be in it. The OpenAPI document is made of these.

Times are nanoseconds since the epoch in `*_ns`, ages are seconds.
"""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

import msgspec

from foxtrot.model.health import AdapterHealth, Fact, Health

T = TypeVar("T")
Scalar = Fact | bool | None


class Problem(msgspec.Struct, frozen=True):
    """Why there is no answer: a word for programs, and a sentence for people."""

    code: str
    message: str


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """Every answer. `data` is null if it failed, `error` is null if it did not."""

    success: bool
    data: T | None = None
    error: Problem | None = None


class Failure(msgspec.Struct, frozen=True):
    """The answer of what failed."""

    success: bool
    data: None
    error: Problem


def failure(code: str, message: str) -> bytes:
    """The JSON of what failed."""
    return msgspec.json.encode(Failure(False, None, Problem(code, message)))


class Freshness(Enum):
    """How a stream is served, in a word: by websocket, not as it should be, by polling, not."""

    FRESH = "fresh"
    STALE = "stale"
    POLLING = "polling"
    DEAD = "dead"


class Condition(Enum):
    """How the whole is: all is served, something is not, nothing is."""

    OK = "ok"
    AILING = "ailing"
    DOWN = "down"


class HealthView(msgspec.Struct, frozen=True):
    """The state of everything; `halted` says why new orders are blocked, empty if they are not."""

    status: Condition
    halted: str
    uptime_s: float
    version: str
    health: Health


class AdapterView(msgspec.Struct, frozen=True):
    """One venue: its state, its flat facts, and the names of what can be asked of it now."""

    name: str
    health: AdapterHealth
    facts: dict[str, Fact]
    actions: tuple[str, ...]


class AdaptersView(msgspec.Struct, frozen=True):
    """The venues."""

    adapters: tuple[AdapterView, ...]


class StreamView(msgspec.Struct, frozen=True):
    """One stream; `age_s` is since its last data, null if there was none or it is not known."""

    adapter_name: str
    vt_symbol: str
    channel: str
    freshness: Freshness
    state: str
    mode: str
    age_s: float | None
    since_ns: int
    last_data_ns: int
    detail: str = ""
    reason: str = ""


class StreamsView(msgspec.Struct, frozen=True):
    """The streams, and how many there are of each freshness."""

    counts: dict[str, int]
    streams: tuple[StreamView, ...]


class OrderView(msgspec.Struct, frozen=True):
    """One order as far as it is known; while it is `in_doubt` nobody knows if the venue has it."""

    adapter_name: str
    vt_orderid: str
    vt_symbol: str
    type: str
    direction: str
    price: float
    volume: float
    traded: float
    status: str
    in_doubt: bool
    active: bool
    time: str = ""
    reference: str = ""
    reason: str = ""


class OrdersView(msgspec.Struct, frozen=True):
    """The orders, those in doubt first, then the open ones, then the newest."""

    total: int
    active: int
    in_doubt: int
    orders: tuple[OrderView, ...]


class ConfigView(msgspec.Struct, frozen=True):
    """The settings in force, without what is secret."""

    flags: dict[str, Scalar | list[Scalar]]
    overrides: dict[str, dict[str, Scalar | list[Scalar]]]
    venues: dict[str, dict[str, Scalar | list[Scalar]]]
    strategies: tuple[dict[str, str], ...]


class DataView(msgspec.Struct, frozen=True):
    """What is in the cache, what is subscribed, and where the data is kept."""

    cached: dict[str, int]
    subscribed: dict[str, dict[str, int]]
    directory: str
    journals: dict[str, int]
    free_bytes: int


class FactsView(msgspec.Struct, frozen=True):
    """Facts of one subject, for each adapter that has it."""

    adapters: dict[str, dict[str, Fact]]


class PoolHealth(msgspec.Struct, frozen=True):
    """Whether a pool of connections does its work, and why not."""

    healthy: bool
    reason: str
    facts: dict[str, Fact]


class PoolsView(msgspec.Struct, frozen=True):
    """The pools' health, for each adapter that has one."""

    adapters: dict[str, PoolHealth]


class Done(msgspec.Struct, frozen=True):
    """What was done, as asked."""

    done: str
    adapters: tuple[str, ...] = ()


class Life(msgspec.Struct, frozen=True):
    """Whether the process works; all that is told without a token."""

    ok: bool
