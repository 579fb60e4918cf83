"""`foxtrot futu`: how an OpenD is, what it knows of contracts, and what of its quotas is used."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from foxtrot.app import options
from foxtrot.app.place import Place
from foxtrot.app.venues import contract_of
from foxtrot.core import logs
from foxtrot.errors import ConfigurationError, VenueError

if TYPE_CHECKING:
    from foxtrot.adapter.futu.account import WireAccount
    from foxtrot.adapter.futu.client import FutuClient
    from foxtrot.adapter.futu.instruments import Instrument
    from foxtrot.adapter.futu.overview import State
    from foxtrot.adapter.futu.settings import FutuSettings

T = TypeVar("T")
Market = Annotated[str, typer.Option("--market", help="HK, US or CN: whose account is traded.")]
KeyFile = Annotated[
    str, typer.Option("--rsa-key-file", help="OpenD's private key, if it encrypts.")
]

_NAME = "FUTU"


class OpendPlace(Place, frozen=True, kw_only=True):
    """Which OpenD is meant, to ask it what has to do with no account."""

    kind = "futu"
    title = "Futu"
    unused = frozenset({"password"})

    rsa_key_file: KeyFile = ""


class FutuPlace(OpendPlace, frozen=True, kw_only=True):
    """Which OpenD is meant, and which account of it."""

    environment: options.World = ""
    account: options.Account = ""
    market: Market = ""


class Account(msgspec.Struct, frozen=True):
    """An account as `foxtrot futu status` tells it."""

    number: str
    kind: str
    markets: tuple[str, ...]
    active: bool
    traded: bool


class Status(msgspec.Struct, frozen=True):
    """What `foxtrot futu status` tells; `problem` says why no account would be traded."""

    endpoint: str
    environment: str
    state: State
    accounts: tuple[Account, ...]
    problem: str
    connected_ms: float
    answered_ms: float
    time_difference_s: float


def status(place: FutuPlace, *, json: bool) -> Iterator[str]:
    """Lines that say how an OpenD is; nothing is unlocked or traded.

    Raises:
        FoxtrotError: It does not answer, or not as the setting says.
    """
    told = _run(place, _status)
    if json:
        yield msgspec.json.encode(told).decode()
        return
    state = told.state
    markets = ", ".join(f"{name} {doing}" for name, doing in state.markets.items())
    yield f"{told.endpoint} ({told.environment}) answers."
    yield f"  OpenD            {state.version}, build {state.build}"
    yield f"  quote servers    {_connected_or_not(state.quotes)}"
    yield f"  trading servers  {_connected_or_not(state.trading)}"
    yield f"  markets          {markets}"
    yield f"  connected in     {told.connected_ms:.0f} ms, answered in {told.answered_ms:.0f} ms"
    yield f"  time difference  {told.time_difference_s:+.1f} s (OpenD tells whole seconds)"
    for each in told.accounts:
        words = f"{each.number}, {each.kind}, {' '.join(each.markets)}"
        words += "" if each.active else ", disabled"
        yield f"  account          {words}{' <- would be traded' if each.traded else ''}"
    if told.problem:
        yield f"  no account would be traded: {told.problem}"


def contracts(place: OpendPlace, names: Sequence[str], *, json: bool) -> Iterator[str]:
    """A line for each contract: name, lot and price step, or why there is none.

    Raises:
        FoxtrotError: OpenD does not answer.
    """
    from foxtrot.adapter.futu import FutuAdapter
    from foxtrot.adapter.futu.contracts import Contracts

    wanted = dict.fromkeys(contract_of(FutuAdapter, name) for name in names)

    async def found(settings: FutuSettings) -> dict[tuple[str, str], Instrument | VenueError]:
        async with _connected(settings) as client:
            answers = await Contracts(_NAME).resolve_all(client, wanted)
        return {(symbol, exchange.value): each for (symbol, exchange), each in answers.items()}

    for name, answer in _run(place, found).items():
        vt_symbol = ".".join(name)
        if isinstance(answer, VenueError):
            unknown = {"vt_symbol": vt_symbol, "problem": answer.text}
            yield msgspec.json.encode(unknown).decode() if json else f"{vt_symbol:<14} {answer}"
            continue
        data = answer.data
        if json:
            facts = {
                "vt_symbol": vt_symbol,
                "name": data.name,
                "product": data.product.value,
                "currency": answer.currency,
                "lot_size": answer.lot_size,
                "price_step": answer.price_step,
            }
            yield msgspec.json.encode(facts).decode()
            continue
        lot = f"lots of {answer.lot_size}, steps of {answer.price_step:g} {answer.currency}"
        yield f"{vt_symbol:<14} {data.name} ({data.product.value}; {lot})"


def quota(place: OpendPlace, *, json: bool) -> Iterator[str]:
    """Lines that say what of OpenD's quotas is used, over all its connections.

    Raises:
        FoxtrotError: OpenD does not answer.
    """
    from foxtrot.adapter.futu import overview

    async def asked(settings: FutuSettings) -> overview.Quota:
        async with _connected(settings) as client:
            return await overview.quota(client)

    told = _run(place, asked)
    if json:
        yield msgspec.json.encode(told).decode()
        return
    total, past = told.subscriptions + told.subscriptions_left, told.past + told.past_left
    yield f"subscriptions  {told.subscriptions} of {total} used, contracts times kinds of data"
    yield f"history        {told.past} of {past} contracts used within 30 days"
    for each in told.contracts:
        since = dt.datetime.fromtimestamp(each.since_s, dt.UTC)
        yield f"  {each.vt_symbol:<14} {each.name}, since {since:%F %T} UTC"


async def _status(settings: FutuSettings) -> Status:
    from foxtrot.adapter.futu import overview
    from foxtrot.adapter.futu.account import choose
    from foxtrot.adapter.futu.sdk import load

    await load()  # which takes a second, and is no time of OpenD's
    began = time.perf_counter()
    async with _connected(settings) as client:
        connected = time.perf_counter()
        state = await overview.state(client)
        answered = time.perf_counter()
        now_s = time.time()
        rows = await overview.accounts(client)
    traded, problem = 0, ""
    try:
        traded = choose(rows, settings).acc_id
    except ConfigurationError as error:
        problem = error.problem
    return Status(
        settings.endpoint,
        settings.environment.value,
        state,
        tuple(_account(row, traded) for row in rows),
        problem,
        (connected - began) * 1000,
        (answered - connected) * 1000,
        state.time_s - int(now_s),
    )


def _account(row: WireAccount, traded: int) -> Account:
    from foxtrot.adapter.futu.account import is_active
    from foxtrot.adapter.futu.overview import trd_market
    from foxtrot.adapter.futu.settings import TradeEnv

    markets = tuple(trd_market(number) for number in row.trdMarketAuthList)
    kinds = {each.value: each.name.lower() for each in TradeEnv}
    kind = kinds.get(row.trdEnv, f"kind {row.trdEnv}")
    return Account(str(row.accID), kind, markets, is_active(row), row.accID == traded)


@contextlib.asynccontextmanager
async def _connected(settings: FutuSettings) -> AsyncIterator[FutuClient]:
    from foxtrot.adapter.futu.client import FutuClient
    from foxtrot.adapter.futu.limits import pace_of
    from foxtrot.connectivity.config import StreamConfig

    client = FutuClient(_NAME, settings, StreamConfig(), pace_of(_NAME, settings.endpoint))
    try:
        await client.open()
        yield client
    finally:
        await client.close()


def _run(place: OpendPlace, work: Callable[[FutuSettings], Coroutine[object, object, T]]) -> T:
    from foxtrot.adapter.futu.settings import FutuSettings

    logs.configure(level="ERROR", json=False)
    return place.use(lambda connect: asyncio.run(work(FutuSettings.parse(connect))))


def _connected_or_not(up: bool) -> str:
    return "connected" if up else "not connected: no data or orders until OpenD has them again"
