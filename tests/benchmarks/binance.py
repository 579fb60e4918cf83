"""Binance frames to a handler, against plain ccxt and against a bare websocket client.

All read the same flood from a venue in a process of its own. foxtrot delivers through its engine to
a handler on another thread; the bare client calls a function where the frame arrives, on one
thread and without a check: it is the floor, not an equal.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import msgspec

from foxtrot import EVENT_TICK, Event, Exchange, MainEngine, SubscribeRequest
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.adapter.binance.mapping import Quote
from tests.benchmarks.flood import SYMBOLS, flooding_venue
from tests.benchmarks.harness import Comparison, interleave, percentile

FRAMES = 300_000
CCXT_FRAMES = 40_000
PACED_HZ, PACED_FRAMES = 1000.0, 5000
FULL_HZ, FULL_FRAMES = 50_000.0, 150_000
WAIT_S = 60.0


@dataclass(frozen=True)
class Run:
    """What one client made of one flood."""

    per_second: float
    delivered: float
    """Share of the frames that reached the handler."""
    p50_us: float = 0.0
    p99_us: float = 0.0


class Meter:
    """Counts what reaches a handler and how old it is by then."""

    def __init__(self) -> None:
        self.count = 0
        self.began = self.ended = 0.0
        self.ages_s: list[float] = []

    def take(self, sent_at: float) -> None:
        """One frame; `sent_at` is the venue's stamp, or its bid volume if it does not stamp."""
        self.ended = time.monotonic()
        self.began = self.began or self.ended
        self.count += 1
        self.ages_s.append(self.ended - sent_at)

    def run(self, frames: int) -> Run:
        """The figures."""
        spent = max(self.ended - self.began, 1e-9)
        p50, p99 = (percentile(self.ages_s, share) * 1e6 for share in (0.5, 0.99))
        return Run(self.count / spent, min(self.count / frames, 1.0), p50, p99)


def foxtrot_client(frames: int, rate_hz: float | None) -> Run:
    """The adapter, the engine, a registered handler; every tick wanted."""
    meter, enough = Meter(), threading.Event()

    def on_tick(event: Event) -> None:
        if event.data.ts_event_ns:  # type: ignore[attr-defined]
            return  # a tick of the day's statistics: it has a time, and no stamp of the flood
        meter.take(event.data.bid_volume_1)  # type: ignore[attr-defined]
        if meter.count == frames:
            enough.set()

    with flooding_venue(rate_hz=rate_hz, frames=frames) as address, MainEngine() as engine:
        engine.add_adapter(BinanceAdapter)
        for symbol in SYMBOLS:
            engine.subscribe(SubscribeRequest(symbol, Exchange.BINANCE, conflate=False), "BINANCE")
            engine.register(EVENT_TICK + f"{symbol}.BINANCE", on_tick)
        engine.connect({"environment": "simulated", "rest_url": f"http://{address}"}, "BINANCE")
        # No polling: a third thread that wakes up all the time would be measured too.
        if not enough.wait(WAIT_S):
            raise RuntimeError(f"{meter.count} of {frames} frames: {engine}")
        engine.event_engine.drain(WAIT_S)
    return meter.run(frames)


def bare_client(frames: int, rate_hz: float | None) -> Run:
    """aiohttp and msgspec, nothing else."""
    meter = Meter()
    decode = msgspec.json.Decoder(Quote, strict=False).decode

    async def read(address: str) -> None:
        url = f"ws://{address}/stream/ws"
        names = [f"{symbol.lower()}@bookTicker" for symbol in SYMBOLS]
        request = {"method": "SUBSCRIBE", "params": names, "id": 1}
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(url, decode_text=False, compress=0) as socket,
        ):
            await socket.send_str(msgspec.json.encode(request).decode())
            await socket.receive()
            while meter.count < frames:
                message = await socket.receive()
                meter.take(decode(message.data).B)

    with flooding_venue(rate_hz=rate_hz, frames=frames) as address:
        asyncio.run(asyncio.wait_for(read(address), WAIT_S))
    return meter.run(frames)


def ccxt_client(frames: int, rate_hz: float | None) -> Run:
    """The loop of ccxt's manual. What counts as its speed is what it took in, not delivered."""
    meter = Meter()

    async def read(address: str) -> None:
        from ccxt.pro.binance import binance

        exchange = binance(_ccxt_config(address))
        taken = _count_messages(exchange)
        symbols = [f"{symbol.removesuffix('USDT')}/USDT" for symbol in SYMBOLS]
        try:
            await exchange.load_markets()
            while taken() < frames * 0.99:
                async with asyncio.timeout(2.0):
                    for ticker in (await exchange.watch_bids_asks(symbols)).values():
                        meter.take(ticker["bidVolume"])
        except TimeoutError:
            pass  # the last messages of the flood were conflated away
        finally:
            await exchange.close()
        meter.count, meter.delivered = taken(), meter.count  # type: ignore[attr-defined]

    with flooding_venue(rate_hz=rate_hz, frames=frames) as address:
        asyncio.run(asyncio.wait_for(read(address), WAIT_S))
    run = meter.run(frames)
    delivered = meter.delivered / frames  # type: ignore[attr-defined]
    return Run(run.per_second, delivered, run.p50_us, run.p99_us)


def _count_messages(exchange: object) -> Callable[[], int]:
    count = 0
    handle = exchange.handle_message  # type: ignore[attr-defined]

    def counted(client: object, message: object) -> None:
        nonlocal count
        count += 1
        handle(client, message)

    exchange.handle_message = counted  # type: ignore[attr-defined]
    return lambda: count


def _ccxt_config(address: str) -> dict[str, object]:
    rest = f"http://{address}/api/v3"
    sockets = {"spot": f"ws://{address}/stream/ws"}
    return {
        "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
        "urls": {"api": {"public": rest, "private": rest, "ws": sockets}},
    }


def run(rounds: int) -> list[Comparison]:
    """All figures of this file."""
    flood = interleave(
        rounds,
        {
            "foxtrot": lambda: foxtrot_client(FRAMES, None),
            "bare": lambda: bare_client(FRAMES, None),
            "ccxt": lambda: ccxt_client(CCXT_FRAMES, None),
        },
    )
    paced = interleave(
        rounds,
        {
            "foxtrot": lambda: foxtrot_client(PACED_FRAMES, PACED_HZ),
            "bare": lambda: bare_client(PACED_FRAMES, PACED_HZ),
            "ccxt": lambda: ccxt_client(PACED_FRAMES, PACED_HZ),
        },
    )
    full = interleave(rounds, {"foxtrot": lambda: foxtrot_client(FULL_FRAMES, FULL_HZ)})
    speed = {name: [run.per_second for run in runs] for name, runs in flood.items()}
    lost = min(run.delivered for run in full["foxtrot"])
    kept = max(run.delivered for run in flood["ccxt"])
    return [
        Comparison(
            "Binance frames to handler", "frames/s", speed["foxtrot"], "ccxt", speed["ccxt"],
            floor=7.0, aim=10.0,
            note=f"ccxt delivered {kept:.2%} of what it took in; foxtrot {lost:.2%} at a paced "
            f"{FULL_HZ:,.0f}/s",
        ),
        Comparison(
            "Binance frames to handler", "frames/s", speed["foxtrot"], "bare", speed["bare"],
            floor=0.33, aim=0.5,
        ),
        *_latency(paced, "bare", 2.5, 1.5),
        *_latency(paced, "ccxt", None, None),
    ]  # fmt: skip


def _latency(
    paced: dict[str, list[Run]], peer: str, floor: float | None, aim: float | None
) -> list[Comparison]:
    return [
        Comparison(
            f"socket to handler at {PACED_HZ:,.0f}/s, {name}",
            "us",
            [getattr(run, field) for run in paced["foxtrot"]],
            peer,
            [getattr(run, field) for run in paced[peer]],
            floor=floor,
            aim=aim,
            smaller_is_better=True,
        )
        for name, field in (("p50", "p50_us"), ("p99", "p99_us"))
    ]
