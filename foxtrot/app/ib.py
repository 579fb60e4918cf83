"""`foxtrot ib`: what a TWS says, which contracts it knows, and who has its client ids."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from foxtrot.app.options import Account, World
from foxtrot.app.place import Place
from foxtrot.core import logs
from foxtrot.core.redaction import scrub
from foxtrot.errors import ConfigurationError

if TYPE_CHECKING:
    from foxtrot.adapter.ib.client import IbClient
    from foxtrot.adapter.ib.client_id_file import Lease
    from foxtrot.adapter.ib.settings import IbSettings

T = TypeVar("T")
ClientId = Annotated[
    int | None,
    typer.Option("--client-id", min=0, help="Of the connection that trades; or 1."),
]

_NAME = "IB"
_NS_PER_S = 1_000_000_000


class IbPlace(Place, frozen=True, kw_only=True):
    """Which TWS is meant; `client_id` is that of the trading connection."""

    kind = "ib"
    title = "IB"

    client_id: ClientId = None
    environment: World = ""
    account: Account = ""


class Status(msgspec.Struct, frozen=True):
    """What `foxtrot ib status` tells."""

    endpoint: str
    environment: str
    server_version: int
    accounts: tuple[str, ...]
    client_id: int
    trading_client_id: int
    connected_ms: float
    answered_ms: float
    time_difference_s: float
    client_ids: tuple[Lease, ...]
    messages: int
    messages_waited: int
    pace_violations: int


def ids(*, json: bool) -> Iterator[str]:
    """Lines that say which process has which client id.

    Raises:
        ConfigurationError: The file of ids cannot be read.
    """
    found = _leases()
    if json:
        yield from (msgspec.json.encode(lease).decode() for lease in found)
        return
    if not found:
        yield "no foxtrot of this user has a client id at any TWS"
    yield from (f"{lease.endpoint}  {_described(lease)}" for lease in found)


def status(place: IbPlace, *, json: bool) -> Iterator[str]:
    """Lines that say what a TWS answers; the trading connection is left alone.

    Raises:
        FoxtrotError: It does not answer, or not as the setting says.
    """
    told = _run(place, _status)
    if json:
        yield msgspec.json.encode(told).decode()
        return
    accounts = scrub(", ".join(told.accounts)) or "none"
    yield f"{told.endpoint} ({told.environment}) answers."
    yield f"  server version   {told.server_version}"
    yield f"  accounts         {accounts}"
    yield f"  client id        {told.client_id} for this look; {told.trading_client_id} trades"
    yield f"  connected in     {told.connected_ms:.0f} ms, answered in {told.answered_ms:.0f} ms"
    yield f"  time difference  {told.time_difference_s:+.1f} s (TWS tells whole seconds)"
    yield (
        f"  pace             {told.messages} messages, {told.messages_waited} waited, "
        f"{told.pace_violations} violations"
    )
    yield from (f"  client id in use {_described(lease)}" for lease in told.client_ids)


def contracts(place: IbPlace, pattern: str, *, json: bool) -> Iterator[str]:
    """Lines of contracts that match, each with the name to subscribe and order it by.

    Raises:
        FoxtrotError: TWS does not answer.
    """
    from foxtrot.adapter.ib.search import Match, Search

    async def found(settings: IbSettings) -> tuple[Match, ...]:
        async with _connected(settings) as client:
            return await Search().find(client, pattern)

    matches = _run(place, found)
    for each in matches:
        if json:
            facts = {"vt_symbol": each.vt_symbol, **msgspec.to_builtins(each)}
            yield msgspec.json.encode(facts).decode()
            continue
        kinds = f"; also {', '.join(each.derivatives)}" if each.derivatives else ""
        listed = f"{each.con_id}, {each.primary_exchange}" if each.con_id else "many contracts"
        yield f"{each.vt_symbol:<28} {each.description or each.sec_type} ({listed}{kinds})"
    if not matches and not json:
        yield f"TWS knows no contract that begins with {pattern!r}"


async def _status(settings: IbSettings) -> Status:
    from foxtrot.adapter.ib.limits import pace_of

    began = time.perf_counter()
    async with _connected(settings) as client:
        connected = time.perf_counter()
        (theirs,) = await client.ask_named("currentTime", lambda raw: raw.reqCurrentTime())
        answered = time.perf_counter()
        assert isinstance(theirs, int)
        pace = pace_of(settings.endpoint).statistics()
        leased = (each for each in _leases() if each.endpoint == settings.endpoint)
        return Status(
            settings.endpoint,
            settings.environment.value,
            client.server_version,
            client.accounts,
            client.client_id,
            settings.client_id,
            (connected - began) * 1000,
            (answered - connected) * 1000,
            theirs - time.time_ns() // _NS_PER_S,
            tuple(each for each in leased if each.client_id != client.client_id),
            pace.messages,
            pace.messages_waited,
            pace.violations,
        )


@contextlib.asynccontextmanager
async def _connected(settings: IbSettings) -> AsyncIterator[IbClient]:
    """A connection for one question; its client id is none that trades."""
    from foxtrot.adapter.ib.client import IbClient
    from foxtrot.adapter.ib.client_ids import IbClientIdRegistry
    from foxtrot.adapter.ib.limits import pace_of
    from foxtrot.adapter.ib.pool import IbConnectionPool
    from foxtrot.adapter.ib.purpose import Purpose
    from foxtrot.connectivity.config import StreamConfig

    pace = pace_of(settings.endpoint)

    def made(client_id: int, purpose: Purpose) -> IbClient:
        return IbClient(_NAME, settings, StreamConfig(), pace, client_id)

    registry = IbClientIdRegistry(_NAME, settings.endpoint, settings.client_id)
    pool = IbConnectionPool(_NAME, registry, made)
    try:
        async with pool.acquire(Purpose.API) as client:
            yield client
    finally:
        await pool.close()


def _run(place: IbPlace, work: Callable[[IbSettings], Coroutine[object, object, T]]) -> T:
    from foxtrot.adapter.ib.settings import IbSettings

    logs.configure(level="ERROR", json=False)
    return place.use(lambda connect: asyncio.run(work(IbSettings.parse(connect))))


def _leases() -> list[Lease]:
    from foxtrot.adapter.ib.client_ids import default_path, leases

    path = default_path()
    try:
        return list(leases(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(str(path), "", f"cannot be read: {reason}") from None


def _described(lease: Lease) -> str:
    since = dt.datetime.fromtimestamp(lease.since, dt.UTC)
    return f"{lease.client_id:>5}  {lease.purpose:<9}  process {lease.pid}, since {since:%F %T} UTC"
