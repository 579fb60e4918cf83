"""IB's ticks to a handler, against the SDK's own loop over the ticks of `updateEvent`.

Both read the same flood, each in a process of its own; the gateway is in another one. foxtrot
delivers ticks through its engine to a handler on another thread, after its checks. The SDK calls a
handler where the bytes arrive, on one thread; so does foxtrot for an inline one.
"""

from __future__ import annotations

import asyncio
import threading

from foxtrot import Event, Exchange, MainEngine, SubscribeRequest
from foxtrot.adapter.ib.adapter import IbAdapter
from foxtrot.model.constants import Channel
from foxtrot.model.events import EVENT_MARKET_TRADE, EVENT_TICK
from tests.benchmarks.clients import Meter, Run
from tests.benchmarks.harness import Comparison, interleave
from tests.benchmarks.ib_flood import PRINTS, QUOTES, SYMBOLS, flooding_tws
from tests.benchmarks.workers import Worker
from tests.support import ib_sdk

MESSAGES = {QUOTES: 300_000, PRINTS: 200_000}
PER_TICK = {QUOTES: 2, PRINTS: 1}
"""A price and its size are one tick."""

PACED_HZ, PACED_MESSAGES = 40_000.0, 40_000
"""20,000 ticks in a second."""

SLICES = 4
"""In each round: many short ones, for who shares the machine spoils a 99th percentile at once."""

WAIT_S = 60.0
_CHANNELS = {QUOTES: (Channel.TICK, EVENT_TICK), PRINTS: (Channel.TRADE, EVENT_MARKET_TRADE)}
_STAMPS_FROM_S = 1.0
"""What the gateway says before the flood has sizes of its own, and they are never so odd."""


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    with Worker() as ours, Worker() as sdk:
        name = sdk.run(sdk_name)
        return [
            *_flood(rounds, QUOTES, ours, sdk, name),
            *_flood(rounds, PRINTS, ours, sdk, name),
            *_paced(rounds, ours, sdk, name),
        ]


def _flood(rounds: int, channel: str, ours: Worker, sdk: Worker, name: str) -> list[Comparison]:
    ticks = MESSAGES[channel] // PER_TICK[channel]
    with flooding_tws(channel, messages=MESSAGES[channel]) as port:
        runs = _both(rounds, channel, port, ticks, ours, sdk)
    what = {QUOTES: "quotes", PRINTS: "prints"}[channel]
    rate = {who: [run.per_second for run in runs[who]] for who in runs}
    cpu = {who: [run.cpu_us for run in runs[who]] for who in runs}
    return [
        Comparison(f"IB {what} to handler", "ticks/s", rate["ours"], name, rate["sdk"], 2.5, 4.0),
        Comparison(
            f"IB {what} CPU", "us/tick", cpu["ours"], name, cpu["sdk"], smaller_is_better=True
        ),
    ]


def _paced(rounds: int, ours: Worker, sdk: Worker, name: str) -> list[Comparison]:
    ticks = PACED_MESSAGES // PER_TICK[QUOTES]
    with flooding_tws(QUOTES, messages=PACED_MESSAGES, rate_hz=PACED_HZ) as port:
        runs = _both(rounds * SLICES, QUOTES, port, ticks, ours, sdk, inline=True)
    return [
        Comparison(
            f"IB quotes at 20,000/s, {handler}, {share}",
            "us",
            [getattr(run, f"{share}_us") for run in runs[who]],
            name,
            [getattr(run, f"{share}_us") for run in runs["sdk"]],
            1.0,
            smaller_is_better=True,
        )
        for who, handler in (("ours", "on the engine's thread"), ("inline", "inline"))
        for share in ("p50", "p99")
    ]


def _both(
    rounds: int,
    channel: str,
    port: int,
    ticks: int,
    ours: Worker,
    sdk: Worker,
    *,
    inline: bool = False,
) -> dict[str, list[Run]]:
    cases = {
        "ours": lambda: ours.run(foxtrot_client, port, channel, ticks),
        "sdk": lambda: sdk.run(sdk_client, port, channel, ticks),
    }
    if inline:
        cases["inline"] = lambda: ours.run(foxtrot_client, port, channel, ticks, inline=True)
    return interleave(rounds, cases)


def foxtrot_client(port: int, channel: str, ticks: int, *, inline: bool = False) -> Run:
    """The adapter, the engine, a registered handler; every event is wanted."""
    meter, enough = Meter(ticks), threading.Event()
    stream, event_type = _CHANNELS[channel]

    def on_quote(event: Event) -> None:
        tick = event.data
        sent_at, other = tick.bid_volume_1, tick.ask_volume_1  # type: ignore[attr-defined]
        if other > sent_at:
            sent_at = other
        if sent_at % _STAMPS_FROM_S and meter.take(sent_at):
            enough.set()

    def on_print(event: Event) -> None:
        if meter.take(event.data.volume):  # type: ignore[attr-defined]
            enough.set()

    with MainEngine() as engine:
        engine.add_adapter(IbAdapter)
        engine.event_engine.register(
            event_type, on_quote if channel == QUOTES else on_print, inline=inline
        )
        for name in SYMBOLS[channel]:
            request = SubscribeRequest(f"{name}-USD-STK", Exchange.SMART, stream, conflate=False)
            engine.subscribe(request, "IB")
        setting = {"environment": "simulated", "port": port, "read_only": True}
        engine.connect(setting, "IB")
        if not enough.wait(WAIT_S):
            raise RuntimeError(f"{meter.count} of {ticks} ticks: {engine}")
        engine.event_engine.drain(WAIT_S)
    return meter.run()


def sdk_client(port: int, channel: str, ticks: int) -> Run:
    """The SDK's own way: the ticks of a ticker, whenever it says that it has some."""
    meter = Meter(ticks)

    async def read() -> None:
        enough = asyncio.Event()
        async with ib_sdk.connected(port, 900) as desk:
            package = ib_sdk.load()
            contracts = [package.Stock(name, "SMART", "USD") for name in SYMBOLS[channel]]
            await desk.ib.qualifyContractsAsync(*contracts)

            def on_update(ticker: object) -> None:
                found = ticker.ticks if channel == QUOTES else ticker.tickByTicks  # type: ignore[attr-defined]
                for tick in found:
                    stamped = channel == PRINTS or tick.size % _STAMPS_FROM_S
                    if stamped and meter.take(tick.size):
                        enough.set()

            for contract in contracts:
                if channel == QUOTES:
                    ticker = desk.ib.reqMktData(contract)
                else:
                    ticker = desk.ib.reqTickByTickData(contract, "Last")
                ticker.updateEvent += on_update
            await asyncio.wait_for(enough.wait(), WAIT_S)

    asyncio.run(read())
    return meter.run()


def sdk_name() -> str:
    """Which SDK is installed here."""
    return ib_sdk.load().__name__
