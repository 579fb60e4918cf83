"""The router of frames: any bytes, one count, no exception."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.binance.frames import QUOTE_PREFIX, FrameRouter, StreamSlot, TickSlot
from foxtrot.adapter.binance.marks import Mark
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Exchange, Lane
from foxtrot.model.events import Event
from foxtrot.model.objects import Source

SYMBOL = "BTCUSDT"
SOURCE = Source.of(SYMBOL, Exchange.BINANCE, "BINANCE")


class Bench:
    """A router with one symbol on every channel, and what came out of it."""

    def __init__(self, *, book: bool = False) -> None:
        self.counters = FeedCounters()
        self.events: list[Event] = []
        self.gaps: list[str] = []
        self.router = FrameRouter(
            "BINANCE",
            self.counters,
            self.events.append,
            levels=20,
            on_gap=self.gaps.append,
            on_rotten=lambda error: None,
            on_shutdown=lambda: None,
        )
        self.router.ticks[SYMBOL] = TickSlot(SOURCE, Lane.LATEST, Mark(), Mark())
        for slots in (self.router.depths, self.router.trades):
            slots[SYMBOL] = StreamSlot(SOURCE, Lane.LATEST, Mark())
        self.router.bars[SYMBOL, "1m"] = StreamSlot(SOURCE, Lane.LATEST, Mark())
        if book:
            self.router.depths[SYMBOL].book.snapshot(10, [(1.0, 1.0)], [(2.0, 1.0)])

    def take(self, frame: bytes) -> None:
        """One frame, as a connection hands it over."""
        if frame[:5] == QUOTE_PREFIX:
            self.router.on_quote(frame)
        else:
            self.router.on_other(frame)

    def counted(self) -> int:
        """Events and counts together."""
        names = set(FeedCounters.__slots__) - {"received"}
        return len(self.events) + sum(getattr(self.counters, name) for name in names)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([SYMBOL, "1m", "trade", "kline", "24hrTicker", "depthUpdate", "1.5", "2.5"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("esuUtTEpqbBaAkoclhvxQimd") | st.text(max_size=4), inner)
    ),
    max_leaves=12,
)
numbers = st.one_of(
    st.floats(0.0, 100.0).map(str), st.sampled_from(["NaN", "-1", "1e400", "", "0"]), scalars
)
moments = st.one_of(st.integers(), st.integers(1, 2_000_000_000_000))


def framed(fields: dict) -> st.SearchStrategy[bytes]:
    """A frame with these fields, some of them missing now and then."""
    whole = st.fixed_dictionaries(fields)
    return whole.map(lambda frame: json.dumps(frame).encode())


sides = st.lists(st.lists(numbers, min_size=1, max_size=3), max_size=3)
known = st.one_of(
    framed(dict.fromkeys("bBaA", numbers) | {"u": moments, "s": st.just(SYMBOL)}),
    framed(
        {"e": st.just("24hrTicker"), "E": moments, "s": st.just(SYMBOL)}
        | dict.fromkeys("cQohlvqxbBaA", numbers)
    ),
    framed(
        {"e": st.just("trade"), "E": moments, "s": st.just(SYMBOL), "t": moments}
        | {"p": numbers, "q": numbers, "T": moments, "m": st.booleans()}
    ),
    framed(
        {"e": st.just("depthUpdate"), "E": moments, "s": st.just(SYMBOL)}
        | {"U": st.integers(5, 15), "u": st.integers(5, 15), "b": sides, "a": sides}
    ),
    framed(
        {
            "e": st.just("kline"),
            "E": moments,
            "s": st.just(SYMBOL),
            "k": st.fixed_dictionaries(
                dict.fromkeys("ochlvq", numbers)
                | {"t": moments, "s": st.just(SYMBOL), "i": st.just("1m"), "x": st.booleans()}
            ),
        }
    ),
)
anything = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=30).map(lambda tail: QUOTE_PREFIX + tail),
    known,
    known.map(lambda frame: b'{"stream":"x@y","data":' + frame + b"}"),
    known.flatmap(lambda frame: st.integers(0, len(frame)).map(lambda cut: frame[:cut])),
)


@given(st.lists(anything, max_size=8), st.booleans())
def test_any_bytes_are_one_count_each(frames: list[bytes], book: bool) -> None:
    """Whatever comes, nothing is raised and each frame ends as one event or one count."""
    bench = Bench(book=book)
    for number, frame in enumerate(frames, 1):
        bench.take(frame)
        assert bench.counted() == number, frame


@given(st.lists(known, max_size=8))
def test_what_comes_out_can_be_shown(frames: list[bytes]) -> None:
    """Every event has a time, a name and prices that can be true."""
    bench = Bench(book=True)
    for frame in frames:
        bench.take(frame)
    for event in bench.events:
        assert event.data.datetime.year >= 1970
        assert event.data.vt_symbol == event.topic == f"{SYMBOL}.BINANCE"


def test_brackets_by_the_thousand_are_malformed() -> None:
    """A frame that is nested without end is unreadable, not an accident."""
    bench = Bench()
    for frame in (b"[" * 100_000, b'{"zzz":' + b"[" * 100_000, b'{"u":' + b"[" * 100_000):
        bench.take(frame)
    deep = b'{"stream":"x","data":' * 5_000 + b"{}" + b"}" * 5_000
    bench.take(deep)
    assert bench.counters.malformed == 4


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1, 50), st.floats(1, 50)), max_size=30))
def test_quotes_never_run_backwards(quotes: list[tuple[int, float, float]]) -> None:
    """In one go of quotes the ids that are told only grow."""
    bench = Bench()
    mark = bench.router.ticks[SYMBOL].mark
    told = []
    for number, bid, ask in quotes:
        frame = {"u": number, "s": SYMBOL, "b": str(bid), "B": "1", "a": str(ask), "A": "1"}
        before = len(bench.events)
        bench.take(json.dumps(frame, separators=(",", ":")).encode())
        if len(bench.events) > before:
            told.append(mark.at)
    assert told == sorted(set(told))
