"""The gate: whatever a venue sends, only numbers that can be true come out."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.mapping import PRICE_LIMIT, VOLUME_LIMIT
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import Source

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE")

hostile = st.one_of(
    st.floats(),
    st.integers(),
    st.text(max_size=30),
    st.none(),
    st.booleans(),
    st.sampled_from(
        ["NaN", "inf", "-inf", "1e400", "-1", "0", "", "\uff11\uff12\uff13", "1_000", " 5 ", "1e12"]
    ),
    st.floats(min_value=0, max_value=1e13).map(str),
    st.lists(st.integers(), max_size=2),
)


def decoded(kind: type, fields: dict) -> object | None:
    """The fields as JSON, decoded as the router does; None if they are no such message."""
    raw = json.dumps(fields).encode()
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except msgspec.DecodeError:
        return None


def good_price(price: float) -> bool:
    """What a price may be."""
    return math.isfinite(price) and 0 < price < PRICE_LIMIT


def good_volume(volume: float) -> bool:
    """What a volume may be."""
    return math.isfinite(volume) and 0 <= volume < VOLUME_LIMIT


@given(hostile, hostile, hostile, hostile)
def test_a_quote_is_good_or_refused(
    bid: object, bid_volume: object, ask: object, ask_volume: object
) -> None:
    """A best bid and ask that pass the gate are finite, positive and not crossed."""
    fields = {"u": 1, "s": "BTCUSDT", "b": bid, "B": bid_volume, "a": ask, "A": ask_volume}
    quote = decoded(mapping.Quote, fields)
    if quote is None or mapping.bad_quote(quote.b, quote.B, quote.a, quote.A):
        return
    assert good_price(quote.b)
    assert good_price(quote.a)
    assert quote.b <= quote.a
    assert good_volume(quote.B)
    assert good_volume(quote.A)


@given(st.lists(hostile, min_size=12, max_size=12), st.integers())
def test_a_ticker_is_good_or_refused(numbers: list[object], moment: int) -> None:
    """Statistics that pass the gate have no number that cannot be true."""
    fields = dict(zip("cQohlvqxbBaA", numbers, strict=True)) | {"E": moment, "s": "BTCUSDT"}
    ticker = decoded(mapping.Ticker, fields)
    if ticker is None or mapping.bad_ticker(ticker):
        return
    day = mapping.day_of_stream(ticker)
    assert good_price(ticker.c)
    assert all(good_volume(each) for each in (day.volume, day.turnover, ticker.Q))
    prices = (day.open_price, day.high_price, day.low_price, day.pre_close)
    assert all(price == 0 or good_price(price) for price in prices)


@given(st.lists(hostile, min_size=12, max_size=12), st.integers())
def test_a_ticker_by_request_is_good_or_refused(numbers: list[object], moment: int) -> None:
    """A polled tick that passes the gate can be shown, its time included."""
    names = [name for name in mapping.RestTicker.__struct_fields__ if name not in _NOT_PRICES]
    fields = dict(zip(names, numbers, strict=True)) | {"closeTime": moment, "symbol": "BTCUSDT"}
    ticker = decoded(mapping.RestTicker, fields)
    if ticker is None or mapping.bad_rest_ticker(ticker):
        return
    tick = mapping.tick_of_rest(ticker, SOURCE, 1)
    assert good_price(tick.last_price)
    assert good_price(tick.bid_price_1)
    assert tick.bid_price_1 <= tick.ask_price_1 < PRICE_LIMIT
    assert good_volume(tick.last_volume)
    assert tick.datetime.year >= 1970


@given(hostile, hostile, st.integers(), st.integers(), st.booleans())
def test_a_trade_is_good_or_refused(
    price: object, volume: object, number: int, moment: int, maker: bool
) -> None:
    """A print that passes the gate has a price, a volume and a time that can be shown."""
    fields = {"E": 1, "s": "X", "t": number, "p": price, "q": volume, "T": moment, "m": maker}
    trade = decoded(mapping.Trade, fields)
    if trade is None:
        return
    if mapping.bad_numbers((trade.p,), (trade.q,)) or mapping.bad_times(trade.T):
        return
    item = mapping.market_trade(trade, SOURCE, 1)
    assert good_price(item.price)
    assert good_volume(item.volume)
    assert item.datetime.year >= 1970


@given(st.lists(hostile, min_size=6, max_size=6), st.integers(), st.integers())
def test_a_bar_is_good_or_refused(numbers: list[object], start: int, moment: int) -> None:
    """A bar that passes the gate has prices, volumes and a start that can be shown."""
    k = dict(zip("ochlvq", numbers, strict=True)) | {"t": start, "s": "X", "i": "1m", "x": True}
    update = decoded(mapping.CandleUpdate, {"E": moment, "s": "X", "k": k})
    if update is None or mapping.bad_candle(update):
        return
    bar = mapping.bar_of_stream(update.k, SOURCE, Interval.MINUTE)
    prices = (bar.open_price, bar.high_price, bar.low_price, bar.close_price)
    assert all(good_price(price) for price in prices)
    assert good_volume(bar.volume)
    assert good_volume(bar.turnover)


@given(st.lists(st.tuples(hostile, hostile), max_size=4))
def test_levels_are_good_or_refused(levels: list[tuple[object, object]]) -> None:
    """Levels that pass the gate have prices and volumes that can be true."""
    fields = {"lastUpdateId": 1, "bids": levels, "asks": []}
    book = decoded(mapping.DepthSnapshot, fields)
    if book is None or mapping.bad_levels(book.bids):
        return
    assert all(good_price(price) and good_volume(volume) for price, volume in book.bids)


@given(st.lists(hostile, min_size=12, max_size=12))
def test_a_row_of_history_is_good_or_refused(values: list[object]) -> None:
    """A bar by request that passes the gate can be made and shown."""
    row = decoded(mapping.Row, values)  # type: ignore[arg-type]
    if row is None or mapping.bad_row(row):
        return
    bar = mapping.bar_of_row(row, SOURCE, Interval.MINUTE, 1)
    assert good_price(bar.close_price)
    assert good_volume(bar.turnover)


@pytest.mark.parametrize("text", ["\uff11\uff12\uff13", "1_000", " 5 ", "0x10", "", "abc", "1,5"])
def test_only_plain_ascii_numbers_are_numbers(text: str) -> None:
    """What Python's own float would take for a number is none here."""
    fields = {"u": 1, "s": "X", "b": text, "B": "1", "a": "2", "A": "1"}
    assert decoded(mapping.Quote, fields) is None


@given(st.dictionaries(st.text(max_size=10), hostile, max_size=8))
def test_a_contract_is_one_or_is_refused(info: dict[str, object]) -> None:
    """Any entry of exchangeInfo is a contract, none, or a validation error; nothing else."""
    base = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
    for entry in (info, {**base, "filters": [info]}):
        try:
            mapping.contract(entry, "BINANCE")
        except msgspec.ValidationError:
            continue


_NOT_PRICES = {"symbol", "closeTime", "lastId"}
