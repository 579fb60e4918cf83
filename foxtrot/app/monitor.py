"""The monitor beside a running program: `--monitor [[HOST:]PORT]`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from foxtrot.errors import ConfigurationError

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

OPTION: Final = "--monitor"
DEFAULT_PORT: Final = 8650
_HIGHEST_PORT = 65_535


def completed(arguments: Sequence[str]) -> list[str]:
    """The same arguments, with a port after `--monitor` where a person left it out."""
    following = [*arguments, ""][1:]
    return [
        f"{OPTION}={DEFAULT_PORT}" if here == OPTION and not _is_place(after) else here
        for here, after in zip(arguments, following, strict=True)
    ]


class Place(msgspec.Struct, frozen=True):
    """Where it is served; the host is empty if only a port was named."""

    host: str
    port: int


def place_of(text: str | None) -> Place | None:
    """Where it is meant to be served, if at all.

    Raises:
        ConfigurationError: It is neither PORT nor HOST:PORT.
    """
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > _HIGHEST_PORT:
        problem = f"must be a port, or HOST:PORT to be reached by others; not {text!r}"
        raise ConfigurationError("command line", OPTION, problem)
    return Place(host.strip("[]"), int(port))


@contextlib.contextmanager
def monitoring(engine: MainEngine, place: Place | None) -> Iterator[None]:
    """Serve the API and the page until left; nothing if `place` is None.

    Raises:
        ConfigurationError: The extra is not installed, or it cannot be served there.
    """
    if place is None:
        yield
        return
    from foxtrot.monitoring.server import MonitorServer

    host, remote = place.host or "127.0.0.1", bool(place.host)
    with MonitorServer(engine, place.port, host, page=True, remote=remote) as server:
        engine.write_log(f"monitor: {server.url} opens with the token in {server.token.file}")
        yield


def _is_place(text: str) -> bool:
    return text.rpartition(":")[2].isdecimal()
