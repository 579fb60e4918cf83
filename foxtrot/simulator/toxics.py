"""What a line between two programs can suffer: toxics, by the names that toxiproxy gave them.

A toxic stands until it is cleared, and acts on one way of each connection: `downstream` is what
the client gets, `upstream` what it sends. With a `toxicity` below one it acts on that share of the
connections, chosen by the dice of the proxy's seed.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.injecting import check_name, converted

Stream = Literal["downstream", "upstream"]
"""One way of a connection, as its client sees it."""

TOXICS: Mapping[str, str] = MappingProxyType(
    {
        "latency": "each byte comes `delay_s` later, give or take `jitter_s`, in order",
        "bandwidth": "`rate_bytes_s` and no more",
        "down": "nobody listens: every connection is cut, none is taken",
        "timeout": "nothing gets through; after `delay_s` the connection is closed, 0: never",
        "reset_peer": "each connection is reset, `delay_s` after it was made",
        "slow_close": "the end of a connection is told `delay_s` later",
        "slicer": "pieces of `size_bytes`, give or take `variation_bytes`, `delay_s` before each",
        "limit_data": "a connection is closed after `size_bytes`",
        "half_open": "every connection of now loses its other end, and neither end is told",
        "corrupt": "one bit is wrong in every `size_bytes`, more or less",
    }
)


class Toxic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One toxic; what the sizes and delays mean depends on `name`."""

    name: str
    stream: Stream = "downstream"
    toxicity: float = 1.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate_bytes_s: int = 0
    size_bytes: int = 0
    variation_bytes: int = 0

    def strikes(self, seed: int, number: int) -> bool:
        """Whether the connection of that number suffers it."""
        dice = dice_of(seed, number, self.name, self.stream)
        return self.toxicity >= 1.0 or dice.random() < self.toxicity


def dice_of(seed: int, number: int, *what: str) -> random.Random:
    """The dice that decide one thing about one connection, the same for the same seed."""
    return random.Random(f"{seed} {number} {' '.join(what)}")  # noqa: S311 - no secret


class ToxicBoard:
    """The toxics that stand; one of a name for each way.

    Thread safety: every method may be called from any thread; the listener runs on the caller's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standing: tuple[Toxic, ...] = ()
        self._listener: Callable[[Toxic | None], None] = lambda _toxic: None

    def inject(self, name: str, /, **params: object) -> Toxic:
        """Let a toxic stand, in the place of one of that name and way.

        Raises:
            ConfigurationError: The name or a parameter is unknown or out of range.
        """
        toxic = _validated({"name": name, **params})
        if name != "half_open":
            with self._lock:
                self._standing = (*self._but(toxic.name, toxic.stream), toxic)
        self._listener(toxic)
        return toxic

    def clear(self, name: str | None = None) -> None:
        """Take away the toxics of this name, or all of them.

        Raises:
            ConfigurationError: There is no such toxic.
        """
        if name is not None:
            check_name("toxic", name, TOXICS)
        with self._lock:
            self._standing = self._but(name) if name is not None else ()
        self._listener(None)

    def faults(self) -> tuple[Toxic, ...]:
        """All that stand, oldest first."""
        return self._standing

    def listen(self, listener: Callable[[Toxic | None], None]) -> None:
        """Call `listener` with each toxic that comes, and with None when some went."""
        self._listener = listener

    def _but(self, name: str, stream: Stream | None = None) -> tuple[Toxic, ...]:
        return tuple(
            toxic
            for toxic in self._standing
            if toxic.name != name or (stream is not None and toxic.stream != stream)
        )


_NEEDS = {
    "bandwidth": "rate_bytes_s",
    "slicer": "size_bytes",
    "limit_data": "size_bytes",
    "corrupt": "size_bytes",
}
_RANGES = (
    ("toxicity", 0, 1),
    ("delay_s", 0, 86_400),
    ("jitter_s", 0, 86_400),
    ("rate_bytes_s", 0, 1 << 40),
    ("size_bytes", 0, 1 << 40),
    ("variation_bytes", 0, 1 << 40),
)


def _validated(params: Mapping[str, object]) -> Toxic:
    check_name("toxic", params["name"], TOXICS)
    toxic = converted("toxic", Toxic, params, _RANGES)
    needed = _NEEDS.get(toxic.name)
    if needed is not None and getattr(toxic, needed) == 0:
        raise ConfigurationError("toxic", toxic.name, f"{needed} is missing")
    return toxic
