"""Whatever bytes come: nothing is raised, every frame has one fate, the next one is told."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.frame_types import QUOTE_PREFIX
from foxtrot.adapter.binance.frames import FrameRouter, StreamSlot, TickSlot
from foxtrot.adapter.binance.marks import Mark
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Exchange, Interval, Lane
from foxtrot.model.events import Event
from foxtrot.model.objects import DepthData, MarketTradeData, Source, TickData

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE", "BTC/USDT")
AT_MS = 1_785_000_000_000
NEXT = 10**4_100
"""A number above any that the tests draw; just below what Python turns into text."""

FATES = ("rejected", "stale", "ignored", "malformed", "held", "control")


def routed() -> tuple[FrameRouter, FeedCounters, list[Event]]:
    """A router that knows one symbol and has its book."""
    counters, events = FeedCounters(), list[Event]()
    router = FrameRouter(
        "BINANCE",
        counters,
        events.append,
        levels=5,
        on_gap=lambda symbol: None,
        on_rotten=lambda error: None,
        on_shutdown=lambda: None,
    )
    router.ticks["BTCUSDT"] = TickSlot(SOURCE, Lane.LATEST, Mark(), Mark())
    router.depths["BTCUSDT"] = StreamSlot(SOURCE, Lane.LATEST, Mark())
    router.trades["BTCUSDT"] = StreamSlot(SOURCE, Lane.BOUNDED, Mark())
    bars = StreamSlot(SOURCE, Lane.BOUNDED, Mark(), Interval.MINUTE)
    router.bars["BTCUSDT", "1m"] = bars
    router.snapshot("BTCUSDT", mapping.DepthSnapshot(4, [(99.0, 1.0)], [(101.0, 1.0)]))
    events.clear()
    return router, counters, events


def fed(frame: bytes) -> list[Event]:
    """The events of one frame, having checked that it had exactly one fate."""
    router, counters, events = routed()
    if frame[:5] == QUOTE_PREFIX:
        router.on_quote(frame)
    else:
        router.on_other(frame)
    assert len(events) + sum(getattr(counters, fate) for fate in FATES) == 1
    told = list(events)
    router.on_other(b'{"e":"trade","E":1,"s":"BTCUSDT","t":%d,"p":1,"q":1,"T":1,"m":true}' % NEXT)
    assert len(events) == len(told) + 1
    return told


def usable(event: Event) -> bool:
    """Whether nothing in an event could hurt who computes with it."""
    data = event.data
    assert data.vt_symbol == event.topic == "BTCUSDT.BINANCE"  # type: ignore[attr-defined]
    if isinstance(data, TickData):
        numbers = [data.bid_price_1, data.ask_price_1, data.bid_volume_1, data.last_price]
    elif isinstance(data, MarketTradeData):
        numbers = [data.price, data.volume]
    elif isinstance(data, DepthData):
        numbers = [number for level in data.bids + data.asks for number in level]
    else:
        numbers = [data.open_price, data.close_price, data.volume]  # type: ignore[attr-defined]
    assert data.datetime.year < 10_000  # type: ignore[attr-defined]
    return all(math.isfinite(number) and number >= 0.0 for number in numbers)


QUOTE: dict[str, object] = {"u": 5, "s": "BTCUSDT", "b": "100", "B": "1", "a": "101", "A": "1"}
DAY: dict[str, object] = {
    "e": "24hrTicker", "E": AT_MS, "s": "BTCUSDT", "x": "99", "c": "100", "Q": "1", "b": "99",
    "B": "1", "a": "101", "A": "1", "o": "98", "h": "110", "l": "90", "v": "12", "q": "1200",
}  # fmt: skip
DEPTH: dict[str, object] = {
    "e": "depthUpdate", "E": AT_MS, "s": "BTCUSDT", "U": 5, "u": 6, "b": [["100", "1"]], "a": [],
}  # fmt: skip
TRADE: dict[str, object] = {
    "e": "trade", "E": AT_MS, "s": "BTCUSDT", "t": 5, "p": "100", "q": "1", "T": AT_MS, "m": True,
}  # fmt: skip
CANDLE: dict[str, object] = {
    "e": "kline", "E": AT_MS, "s": "BTCUSDT",
    "k": {
        "t": AT_MS, "s": "BTCUSDT", "i": "1m", "o": "98", "c": "100", "h": "110", "l": "90",
        "v": "12", "q": "1200", "x": False,
    },
}  # fmt: skip
ANSWER: dict[str, object] = {"result": None, "id": 1}
frames = st.sampled_from([QUOTE, DAY, DEPTH, TRADE, CANDLE, ANSWER])

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),  # json writes NaN and Infinity, which are no JSON
    st.text(max_size=8),
    st.sampled_from(
        ["NaN", "1e400", "-1", "0", "\ud800", "\x1b[2J", 2**70, 10**4_000, "9" * 5_000]
    ),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def spelt(value: object, indent: int | None = None) -> bytes:
    """JSON, or what comes close to it."""
    return json.dumps(value, indent=indent).encode()


@given(st.binary(max_size=200))
def test_any_bytes(frame: bytes) -> None:
    """Noise is malformed, and nothing else happens."""
    assert all(usable(event) for event in fed(frame))


@given(st.sampled_from([b'{"u":', b'{"e":"trade",', b'{"stream":"x","data":']), st.binary())
def test_any_bytes_after_a_good_beginning(head: bytes, rest: bytes) -> None:
    """The fast path trusts five bytes and no more."""
    assert all(usable(event) for event in fed(head + rest))


@given(values)
def test_any_json(value: object) -> None:
    """Valid, but not what the venue documents."""
    assert all(usable(event) for event in fed(spelt(value)))


@given(frames, st.data())
def test_a_frame_with_bytes_changed(fields: dict[str, object], data: st.DataObject) -> None:
    """Some bytes replaced, cut out or put in, at any place."""
    frame = bytearray(json.dumps(fields, separators=(",", ":")).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(frame)))
        end = start + data.draw(st.integers(0, 4))
        frame[start:end] = data.draw(st.binary(max_size=4))
    assert all(usable(event) for event in fed(bytes(frame)))


@given(frames, st.data())
def test_a_frame_with_values_changed(fields: dict[str, object], data: st.DataObject) -> None:
    """Any field may hold anything, be missing, or be new."""
    changed = dict(fields)
    for name in data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)):
        changed[name] = data.draw(values)
    for name in data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=1)):
        changed.pop(name, None)
    if isinstance(changed.get("k"), dict):
        inner = dict(CANDLE["k"])  # type: ignore[call-overload]
        inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(values)
        changed["k"] = inner
    changed |= data.draw(st.dictionaries(st.text(max_size=3), values, max_size=2))
    assert all(usable(event) for event in fed(spelt(changed)))


@given(st.sampled_from([QUOTE, DAY, DEPTH, TRADE, CANDLE]), st.data())
def test_the_spelling_of_a_good_frame_does_not_matter(
    fields: dict[str, object], data: st.DataObject
) -> None:
    """Keys in any order, any white space, wrapped or not, more fields than known: it is told."""
    unknown = data.draw(st.dictionaries(st.text("yzXYZ", min_size=2, max_size=3), st.integers()))
    items = data.draw(st.permutations(list({**fields, **unknown}.items())))
    message: object = dict(items)
    if data.draw(st.booleans()):
        message = dict(data.draw(st.permutations([("stream", "a@b"), ("data", message)])))
    space = data.draw(st.text(" \t\r\n", max_size=3)).encode()
    indent = data.draw(st.sampled_from([None, 0, 2]))
    (event,) = fed(space + spelt(message, indent) + space)
    assert usable(event)


@given(st.lists(st.tuples(frames, st.integers(0, 12), st.booleans()), max_size=25))
def test_in_any_order_nothing_goes_backwards(steps: list) -> None:  # type: ignore[type-arg]
    """Numbers only rise from event to event, and the books balance."""
    router, counters, events = routed()
    for fields, number, cut in steps:
        moved = {name: number for name in ("u", "t") if name in fields}
        moved |= {"U": number} if "U" in fields else {}
        frame = json.dumps({**fields, **moved}, separators=(",", ":")).encode()
        frame = frame[:-1] if cut else frame
        if frame[:5] == QUOTE_PREFIX:
            router.on_quote(frame)
        else:
            router.on_other(frame)
    fates = sum(getattr(counters, fate) for fate in FATES)
    assert len(events) + fates == len(steps)
    prints = [int(e.data.tradeid) for e in events if isinstance(e.data, MarketTradeData)]
    assert prints == sorted(set(prints))


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1, 50), st.floats(1, 50)), max_size=30))
def test_quotes_never_run_backwards(quotes: list[tuple[int, float, float]]) -> None:
    """In one go of quotes, crossed ones among them, the ids that are told only grow."""
    router, _, events = routed()
    told = []
    for number, bid, ask in quotes:
        before = len(events)
        router.on_quote(spelt({**QUOTE, "u": number, "b": str(bid), "a": str(ask)}))
        if len(events) > before:
            told.append(number)
    assert told == sorted(set(told))


def test_brackets_by_the_thousand_are_malformed() -> None:
    """A frame that is nested without end is unreadable, not an accident."""
    router, counters, events = routed()
    for frame in (b"[" * 100_000, b'{"zzz":' + b"[" * 100_000, b'{"u":' + b"[" * 100_000):
        router.on_other(frame)
        router.on_quote(frame)
    router.on_other(b'{"stream":"x","data":' * 5_000 + b"{}" + b"}" * 5_000)
    assert (counters.malformed, events) == (7, [])
