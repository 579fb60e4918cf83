"""Whatever numbers a venue sends: what comes out is finite, positive and uncrossed, or nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.binance import mapping
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import Source

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE", "BTC/USDT")
NOW_MS = 1_785_000_000_000

odd = st.sampled_from(
    [
        "NaN", "nan", "-NaN", "inf", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0",
        "\uff11\uff12\uff13", "1_000", " 5 ", "", "0x1p3", "1,5", "5.", ".5", "+5", "00", "1e",
        "9" * 5_000, "0." + "0" * 5_000 + "1", "\u0663", "\x00", "5\x00", "null", "true",
        None, True, False, [], {}, [1], {"a": 1}, -1, 0, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308,
        1e-320, 5e-324,
    ]
)  # fmt: skip
numbers = st.one_of(
    odd,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats().map(str),
    st.decimals(places=8, min_value=0, max_value=10**6).map(str),
    st.text(max_size=6),
)
plain = st.decimals(places=2, min_value="0.01", max_value=1_000).map(str)
# Mostly good, or hardly a message would pass the gate.
value = st.one_of(plain, plain, plain, numbers)


def priced(*prices: float) -> bool:
    """Whether each is a price that may reach a strategy."""
    return all(math.isfinite(price) and 0.0 < price < 1e12 for price in prices)


def measured(*volumes: float) -> bool:
    """Whether each is a volume that may reach a strategy."""
    return all(math.isfinite(volume) and 0.0 <= volume < 1e18 for volume in volumes)


def read(kind: type, fields: object) -> object | None:
    """The message, out of bytes and out of parsed JSON; None if it is not one."""
    try:
        text = json.dumps(fields)
    except ValueError:  # Python itself writes no number of so many digits
        return None
    parsed = _tried(lambda: msgspec.json.decode(text, type=kind, strict=False))
    _tried(lambda: msgspec.convert(fields, kind, strict=False))
    return parsed


def _tried(work: Callable[[], object]) -> object | None:
    try:
        return work()
    except msgspec.MsgspecError:
        return None


@given(st.fixed_dictionaries({"u": numbers, "s": st.just("A"), **dict.fromkeys("bBaA", value)}))
def test_a_quote_that_passes_is_one(fields: dict[str, object]) -> None:
    """Both prices and volumes are real and the bid is not above the ask."""
    quote = read(mapping.Quote, fields)
    if not isinstance(quote, mapping.Quote):
        return
    if mapping.bad_quote(quote.b, quote.B, quote.a, quote.A):
        return
    assert priced(quote.b, quote.a)
    assert measured(quote.B, quote.A)
    assert quote.b <= quote.a


@given(
    st.fixed_dictionaries(
        {"s": st.just("A"), "E": st.one_of(st.just(NOW_MS), numbers)}
        | dict.fromkeys("cQohlvqxbBaA", value)
    )
)
def test_a_ticker_that_passes_is_one(fields: dict[str, object]) -> None:
    """Its statistics are real and its time is a datetime."""
    ticker = read(mapping.Ticker, fields)
    if not isinstance(ticker, mapping.Ticker) or mapping.bad_ticker(ticker):
        return
    day = mapping.day_of_stream(ticker)
    assert priced(ticker.c)
    assert measured(ticker.Q, day.volume, day.turnover)
    assert measured(day.open_price, day.high_price, day.low_price, day.pre_close)
    assert ticker.E > 0


@given(
    st.fixed_dictionaries(
        {"symbol": st.just("A"), "closeTime": st.one_of(st.just(NOW_MS), numbers)}
        | dict.fromkeys(
            ["lastPrice", "lastQty", "openPrice", "highPrice", "lowPrice", "volume"], value
        )
        | dict.fromkeys(["quoteVolume", "prevClosePrice", "bidQty", "askQty"], value)
        | dict.fromkeys(["bidPrice", "askPrice"], value)
    )
)
def test_a_ticker_by_request_that_passes_makes_a_tick(fields: dict[str, object]) -> None:
    """Every number and both clocks of the tick can be used."""
    ticker = read(mapping.RestTicker, fields)
    if not isinstance(ticker, mapping.RestTicker) or mapping.bad_rest_ticker(ticker):
        return
    tick = mapping.tick_of_rest(ticker, SOURCE, NOW_MS * 1_000_000)
    assert priced(tick.last_price, tick.bid_price_1, tick.ask_price_1)
    assert tick.bid_price_1 <= tick.ask_price_1
    assert measured(tick.last_volume, tick.bid_volume_1, tick.ask_volume_1, tick.volume)
    assert tick.datetime.year < 10_000


levels = st.lists(st.one_of(st.tuples(value, value), numbers), max_size=4)


@given(
    st.fixed_dictionaries(
        {"s": st.just("A"), "E": st.one_of(st.just(NOW_MS), numbers), "U": numbers, "u": numbers}
        | {"b": levels, "a": levels}
    )
)
def test_depth_that_passes_has_real_levels(fields: dict[str, object]) -> None:
    """No level without a price; a volume may be zero."""
    update = read(mapping.DepthUpdate, fields)
    if not isinstance(update, mapping.DepthUpdate) or mapping.bad_depth(update):
        return
    for price, volume in update.b + update.a:
        assert priced(price)
        assert measured(volume)


@given(
    st.fixed_dictionaries(
        {"s": st.just("A"), "E": st.just(NOW_MS), "t": st.integers(0, 2**40), "m": st.booleans()}
        | {"T": st.one_of(st.just(NOW_MS), numbers), "p": value, "q": value}
    )
)
def test_a_print_that_passes_is_one(fields: dict[str, object]) -> None:
    """Price, volume and time can be used."""
    trade = read(mapping.Trade, fields)
    if not isinstance(trade, mapping.Trade):
        return
    if mapping.bad_numbers((trade.p,), (trade.q,)) or mapping.bad_times(trade.T):
        return
    item = mapping.market_trade(trade, SOURCE, 1)
    assert priced(item.price)
    assert measured(item.volume)
    assert item.datetime.year < 10_000


@given(
    st.tuples(
        st.one_of(st.just(NOW_MS), numbers),
        *[value] * 5,
        st.one_of(st.just(NOW_MS), numbers),
        value,
        st.just(1),
        value,
        value,
        numbers,
    )
)
def test_a_bar_that_passes_is_one(cells: tuple[object, ...]) -> None:
    """Prices, volumes and its start can be used; so can every comparison of times."""
    row = read(mapping.Row, list(cells))
    if not isinstance(row, tuple) or mapping.bad_row(row):
        return
    bar = mapping.bar_of_row(row, SOURCE, Interval.MINUTE, NOW_MS)
    assert priced(bar.open_price, bar.high_price, bar.low_price, bar.close_price)
    assert measured(bar.volume, bar.turnover)
    assert bar.datetime.year < 10_000


@given(
    st.fixed_dictionaries(
        dict.fromkeys("ochlvq", value) | {"t": st.one_of(st.just(NOW_MS), numbers)}
    ),
    st.one_of(st.just(NOW_MS), numbers),
)
def test_a_bar_of_the_stream_that_passes_is_one(bar: dict[str, object], moment: object) -> None:
    """Prices, volumes and its start can be used; its number can be compared."""
    fields = {"E": moment, "s": "A", "k": {**bar, "s": "A", "i": "1m", "x": True}}
    update = read(mapping.CandleUpdate, fields)
    if not isinstance(update, mapping.CandleUpdate) or mapping.bad_candle(update):
        return
    made = mapping.bar_of_stream(update.k, SOURCE, Interval.MINUTE)
    assert priced(made.open_price, made.high_price, made.low_price, made.close_price)
    assert measured(made.volume, made.turnover)
    assert made.datetime.year < 10_000
    assert mapping.candle_number(update) > 0


@given(st.fixed_dictionaries({"lastUpdateId": numbers, "bids": levels, "asks": levels}))
def test_a_snapshot_that_passes_has_real_levels(fields: dict[str, object]) -> None:
    """A book by request is judged like a difference."""
    book = read(mapping.DepthSnapshot, fields)
    if not isinstance(book, mapping.DepthSnapshot):
        return
    for side in (book.bids, book.asks):
        if not mapping.bad_levels(side):
            assert all(priced(price) and measured(volume) for price, volume in side)


@given(
    st.dictionaries(
        st.sampled_from(["symbol", "status", "baseAsset", "quoteAsset", "filters", "x"]),
        st.one_of(numbers, st.just("TRADING"), st.lists(numbers, max_size=2)),
    ),
    st.lists(
        st.dictionaries(
            st.sampled_from(["filterType", "tickSize", "stepSize", "minQty", "maxQty"]),
            st.one_of(value, st.sampled_from(["PRICE_FILTER", "LOT_SIZE"])),
        ),
        max_size=4,
    ),
)
def test_a_contract_is_usable_or_refused(
    changes: dict[str, object], filters: list[dict[str, object]]
) -> None:
    """Nothing but msgspec's error, and no step that is no size."""
    entry = {"symbol": "A", "status": "TRADING", "baseAsset": "A", "quoteAsset": "B"}
    made = _tried(lambda: mapping.contract({**entry, "filters": filters, **changes}, "BINANCE"))
    if made is None:
        return
    assert measured(made.pricetick, made.volume_step, made.min_volume, made.max_volume or 0.0)  # type: ignore[attr-defined]


@given(st.dictionaries(st.text(max_size=10), numbers, max_size=8))
def test_any_entry_of_exchange_info_is_a_contract_none_or_refused(info: dict[str, object]) -> None:
    """Unknown fields do no harm, wherever they stand; nothing but msgspec's error is raised."""
    entry = {"symbol": "A", "status": "TRADING", "baseAsset": "A", "quoteAsset": "B"}
    _tried(lambda: mapping.contract(info, "BINANCE"))
    _tried(lambda: mapping.contract({**entry, "filters": [info]}, "BINANCE"))
