"""Three clients that read the same flood: foxtrot, a bare websocket client, and plain ccxt.

foxtrot delivers through its engine to a handler on another thread, after its checks, and its depth
is a kept book. The bare client decodes a frame and calls a function where it arrives, on one
thread: it is the floor, not an equal. The loop of ccxt is the one of its manual.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import msgspec

from foxtrot import EVENT_TICK, Event, Exchange, MainEngine, SubscribeRequest
from foxtrot.adapter.binance import BinanceAdapter, mapping
from foxtrot.model.constants import Channel
from foxtrot.model.events import EVENT_DEPTH, EVENT_MARKET_TRADE
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET
from foxtrot.simulator.binance_socket import PATH as TRADING_PATH
from tests.benchmarks.flood import symbols
from tests.benchmarks.harness import percentile

KINDS = ("bookTicker", "ticker", "depth@100ms", "trade")
WAIT_S = 60.0

_SETTLED = 0.1
"""The first tenth of the ages is the start, not the run."""

_CHANNELS = {
    "bookTicker": (Channel.TICK, EVENT_TICK),
    "ticker": (Channel.TICK, EVENT_TICK),
    "depth@100ms": (Channel.DEPTH, EVENT_DEPTH),
    "trade": (Channel.TRADE, EVENT_MARKET_TRADE),
}
_STRUCTS = {
    "bookTicker": mapping.Quote,
    "ticker": mapping.Ticker,
    "depth@100ms": mapping.DepthUpdate,
    "trade": mapping.Trade,
}


@dataclass(frozen=True)
class Run:
    """What one client made of one flood."""

    per_second: float
    cpu_us: float
    """Of the whole process, for each frame."""
    delivered: float
    """Share of the frames that reached the handler."""
    p50_us: float
    p99_us: float
    """From sending to the handler; of book tickers only."""


class Meter:
    """Counts what reaches a handler, and notes how old it is by then."""

    def __init__(self, frames: int) -> None:
        self.frames, self.count = frames, 0
        self.began = self.ended = self.cpu_began = self.cpu_ended = 0.0
        self.ages_s: list[float] = []

    def take(self, sent_at: float) -> bool:
        """One frame; whether it was the last one."""
        self.ended = time.monotonic()
        if not self.count:
            self.began, self.cpu_began = self.ended, time.process_time()
        self.count += 1
        self.ages_s.append(self.ended - sent_at)
        if self.count < self.frames:
            return False
        self.cpu_ended = time.process_time()
        return True

    def run(self) -> Run:
        """The figures."""
        spent_s = max(self.ended - self.began, 1e-9)
        cpu_us = (self.cpu_ended - self.cpu_began) / self.count * 1e6
        ages_s = self.ages_s[int(len(self.ages_s) * _SETTLED) :]
        p50, p99 = (percentile(ages_s, share) * 1e6 for share in (0.5, 0.99))
        return Run(self.count / spent_s, cpu_us, self.count / self.frames, p50, p99)


def foxtrot_client(address: str, kind: str, frames: int) -> Run:
    """The adapter, the engine, a registered handler; every event is wanted."""
    meter, enough = Meter(frames), threading.Event()
    channel, event_type = _CHANNELS[kind]
    handler = _handler(kind, meter, enough)
    with MainEngine() as engine:
        engine.add_adapter(BinanceAdapter)
        for symbol in symbols():
            request = SubscribeRequest(symbol, Exchange.BINANCE, channel, conflate=False)
            engine.subscribe(request, "BINANCE")
            engine.register(event_type + f"{symbol}.BINANCE", handler)
        engine.connect({"environment": "simulated", "rest_url": f"http://{address}"}, "BINANCE")
        # No polling: a third thread that wakes up all the time would be measured too.
        if not enough.wait(WAIT_S):
            raise RuntimeError(f"{meter.count} of {frames} frames: {engine}")
        engine.event_engine.drain(WAIT_S)
    return meter.run()


def _handler(kind: str, meter: Meter, enough: threading.Event) -> Callable[[Event], None]:
    """Takes what the flood brings and nothing else: a first tick comes from a snapshot."""
    soon_ns = time.time_ns() + 30_000_000_000  # the tickers of a flood lie further ahead

    def on_quote(event: Event) -> None:
        tick = event.data
        if not tick.ts_event_ns and meter.take(tick.bid_volume_1):  # type: ignore[attr-defined]
            enough.set()

    def on_ticker(event: Event) -> None:
        if event.data.ts_event_ns > soon_ns and meter.take(0.0):  # type: ignore[attr-defined]
            enough.set()

    def on_other(event: Event) -> None:
        if event.data.ts_event_ns and meter.take(0.0):  # type: ignore[attr-defined]
            enough.set()

    return {"bookTicker": on_quote, "ticker": on_ticker}.get(kind, on_other)


def bare_client(address: str, kind: str, frames: int) -> Run:
    """aiohttp and msgspec, nothing else."""
    meter = Meter(frames)
    decode = msgspec.json.Decoder(_STRUCTS[kind], strict=False).decode
    stamped = kind == "bookTicker"

    async def read() -> None:
        url = f"ws://{address}/stream/ws"
        names = [f"{symbol.lower()}@{kind}" for symbol in symbols()]
        request = {"method": "SUBSCRIBE", "params": names, "id": 1}
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(url, decode_text=False, compress=0) as socket,
        ):
            await socket.send_str(msgspec.json.encode(request).decode())
            await socket.receive()
            while True:
                message = await socket.receive()
                item = decode(message.data)
                if meter.take(item.B if stamped else 0.0):
                    return

    asyncio.run(asyncio.wait_for(read(), WAIT_S))
    return meter.run()


def ccxt_client(address: str, kind: str, frames: int) -> Run:
    """A watch loop. What counts as its speed is what it took in, not what it delivered."""
    taken, delivered = Meter(frames), Meter(frames + 1)

    async def read() -> None:
        from ccxt.pro.binance import binance

        exchange = binance(ccxt_config(address))
        full = _count_frames(exchange, kind, taken)
        await exchange.load_markets()
        loop = asyncio.create_task(_watch(exchange, kind, delivered))
        try:
            await full.wait()
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await exchange.close()

    asyncio.run(asyncio.wait_for(read(), WAIT_S))
    run, handed = taken.run(), delivered.run()
    share = min(delivered.count / frames, 1.0)
    return Run(run.per_second, run.cpu_us, share, handed.p50_us, handed.p99_us)


async def _watch(exchange: object, kind: str, delivered: Meter) -> None:
    watch = _watcher(exchange, kind)
    while True:
        for sent_at in await watch():
            delivered.take(sent_at)


def _watcher(exchange: object, kind: str) -> Callable[[], Awaitable[list[float]]]:
    """One turn of the loop; returns a stamp for each thing that it was handed."""
    names = [f"{symbol.removesuffix('USDT')}/USDT" for symbol in symbols()]

    async def quotes() -> list[float]:
        found = await exchange.watch_bids_asks(names)  # type: ignore[attr-defined]
        return [ticker["bidVolume"] for ticker in found.values()]

    async def tickers() -> list[float]:
        found = await exchange.watch_tickers(names, {"name": "ticker"})  # type: ignore[attr-defined]
        return [0.0] * len(found)

    async def books() -> list[float]:
        await exchange.watch_order_book_for_symbols(names)  # type: ignore[attr-defined]
        return [0.0]

    async def trades() -> list[float]:
        return [0.0] * len(await exchange.watch_trades_for_symbols(names))  # type: ignore[attr-defined]

    kinds = {"bookTicker": quotes, "ticker": tickers, "depth@100ms": books, "trade": trades}
    return kinds[kind]


def _count_frames(exchange: object, kind: str, meter: Meter) -> asyncio.Event:
    """Count what ccxt takes in; the event is set by the last frame."""
    full = asyncio.Event()
    handle = exchange.handle_message  # type: ignore[attr-defined]
    mark = {"bookTicker": "B", "ticker": "c", "depth@100ms": "U", "trade": "t"}[kind]

    def counted(client: object, message: dict[str, object]) -> None:
        handle(client, message)
        if mark in message and not full.is_set() and meter.take(0.0):
            full.set()

    exchange.handle_message = counted  # type: ignore[attr-defined]
    return full


def ccxt_config(address: str) -> dict[str, object]:
    """Plain ccxt, pointed at the simulated venue and its key that opens nothing."""
    rest = f"http://{address}/api/v3"
    sockets = {
        "spot": f"ws://{address}/stream/ws",
        "ws-api": {"spot": f"ws://{address}{TRADING_PATH}"},
    }
    return {
        "apiKey": SIMULATED_KEY,
        "secret": SIMULATED_SECRET,
        "enableRateLimit": False,
        # With a key, ccxt would ask the real venue for more than the simulated one has.
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
        "urls": {
            "api": {
                "public": rest,
                "private": rest,
                "sapi": rest.replace("/api/v3", "/sapi/v1"),
                "ws": sockets,
            }
        },
    }
