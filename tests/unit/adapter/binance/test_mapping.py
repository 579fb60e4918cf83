"""Binance's messages as foxtrot's objects, and the gate on their numbers."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest

from foxtrot.adapter.binance import mapping
from foxtrot.model.constants import Direction, Exchange, Interval, Product
from foxtrot.model.objects import Source

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE", "BTC/USDT")
AT_MS = 1_785_000_000_123
RECV_NS = 1_785_000_000_456_000_000

TICKER: dict[str, object] = {
    "e": "24hrTicker",
    "E": AT_MS,
    "s": "BTCUSDT",
    "p": "-12.5",
    "P": "-0.2",
    "w": "100.0",
    "x": "99.5",
    "c": "100.5",
    "Q": "0.25",
    "b": "100.4",
    "B": "2.0",
    "a": "100.6",
    "A": "3.0",
    "o": "98.0",
    "h": "110.0",
    "l": "90.0",
    "v": "1234.5",
    "q": "123450.0",
    "O": 0,
    "C": AT_MS,
    "F": 0,
    "L": 18,
    "n": 19,
}
REST_TICKER: dict[str, object] = {
    "symbol": "BTCUSDT",
    "priceChange": "-94.99999800",
    "prevClosePrice": "99.5",
    "lastPrice": "100.5",
    "lastQty": "0.25",
    "bidPrice": "100.4",
    "bidQty": "2.0",
    "askPrice": "100.6",
    "askQty": "3.0",
    "openPrice": "98.0",
    "highPrice": "110.0",
    "lowPrice": "90.0",
    "volume": "1234.5",
    "quoteVolume": "123450.0",
    "openTime": 0,
    "closeTime": AT_MS,
    "count": 76,
}
ROW: list[object] = [
    1_785_000_000_000, "98.0", "110.0", "90.0", "100.5", "12.5", 1_785_000_059_999, "1250.0", 308,
    "5.0", "500.0", "0",
]  # fmt: skip
BTCUSDT: dict[str, object] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quotePrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
    "icebergAllowed": True,
    "isSpotTradingAllowed": True,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": "107.70785208",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ],
    "permissions": [],
    "permissionSets": [["SPOT", "MARGIN"]],
}


def ticker(**changes: object) -> mapping.Ticker:
    """The 24 h ticker of the stream, with some fields changed."""
    text = json.dumps({**TICKER, **changes})
    return msgspec.json.decode(text, type=mapping.Ticker, strict=False)


def rest_ticker(**changes: object) -> mapping.RestTicker:
    """The 24 h ticker fetched by request, with some fields changed."""
    return msgspec.convert({**REST_TICKER, **changes}, mapping.RestTicker, strict=False)


def row(**changes: object) -> mapping.Row:
    """A bar fetched by request, with some places changed."""
    cells = [changes.get(f"n{place}", cell) for place, cell in enumerate(ROW)]
    return msgspec.convert(cells, mapping.Row, strict=False)


# -- what comes out ---------------------------------------------------------------------------


def test_the_day_of_the_stream_and_of_a_request_agree() -> None:
    """One and the same moment gives the same statistics, by whatever way it comes."""
    day = mapping.day_of_stream(ticker())
    assert day == mapping.day_of_rest(rest_ticker())
    assert (day.volume, day.turnover, day.pre_close) == (1_234.5, 123_450.0, 99.5)
    assert (day.open_price, day.high_price, day.low_price) == (98.0, 110.0, 90.0)
    assert (day.open_interest, day.limit_up, day.limit_down) == (0.0, 0.0, 0.0)


def test_a_tick_by_request() -> None:
    """Last price, best prices, the venue's time and the time of receipt."""
    tick = mapping.tick_of_rest(rest_ticker(), SOURCE, RECV_NS)
    assert (tick.last_price, tick.last_volume) == (100.5, 0.25)
    assert (tick.bid_price_1, tick.bid_volume_1) == (100.4, 2.0)
    assert (tick.ask_price_1, tick.ask_volume_1) == (100.6, 3.0)
    assert tick.source is SOURCE
    assert (tick.ts_event_ns, tick.ts_recv_ns) == (AT_MS * 1_000_000, RECV_NS)
    assert tick.datetime == dt.datetime(2026, 7, 25, 17, 20, 0, 123_000, dt.UTC)


@pytest.mark.parametrize(("maker", "side"), [(True, Direction.SHORT), (False, Direction.LONG)])
def test_a_print_tells_the_aggressors_side(maker: bool, side: Direction) -> None:
    """If the buyer was the maker then somebody sold; the same by both ways."""
    stream = mapping.Trade(E=AT_MS + 1, s="BTCUSDT", t=41, p=100.5, q=0.25, T=AT_MS, m=maker)
    rest = mapping.RestTrade(id=41, price=100.5, qty=0.25, time=AT_MS, isBuyerMaker=maker)
    print_ = mapping.market_trade(stream, SOURCE, RECV_NS)
    assert print_ == mapping.market_trade_of_rest(rest, SOURCE, RECV_NS)
    assert (print_.tradeid, print_.price, print_.volume) == ("41", 100.5, 0.25)
    assert (print_.direction, print_.ts_event_ns) == (side, AT_MS * 1_000_000)


def test_a_bar_of_the_stream_and_of_a_request_agree() -> None:
    """The start is the bar's time; every number is at its place."""
    candle = mapping.Candle(
        t=1_785_000_000_000, s="BTCUSDT", i="1m", o=98.0, c=100.5, h=110.0, low=90.0, v=12.5,
        q=1_250.0, x=True,
    )  # fmt: skip
    bar = mapping.bar_of_stream(candle, SOURCE, Interval.MINUTE)
    assert bar == mapping.bar_of_row(row(), SOURCE, Interval.MINUTE, 1_785_000_060_000)
    assert (bar.open_price, bar.high_price, bar.low_price, bar.close_price) == (
        98.0, 110.0, 90.0, 100.5,
    )  # fmt: skip
    assert (bar.volume, bar.turnover, bar.closed) == (12.5, 1_250.0, True)
    assert bar.datetime == dt.datetime(2026, 7, 25, 17, 20, tzinfo=dt.UTC)
    assert (bar.vt_symbol, bar.interval) == ("BTCUSDT.BINANCE", Interval.MINUTE)


def test_a_bar_is_closed_once_its_end_has_passed() -> None:
    """Its last millisecond still belongs to it."""
    assert not mapping.bar_of_row(row(), SOURCE, Interval.MINUTE, 1_785_000_059_999).closed
    assert mapping.bar_of_row(row(), SOURCE, Interval.MINUTE, 1_785_000_060_000).closed


def test_a_later_message_of_a_bar_has_a_higher_number() -> None:
    """First by the bar, then by the moment; its end comes last, whenever that was said."""

    def number(bar_ms: int, event_ms: int, closed: bool = False) -> int:
        candle = mapping.Candle(bar_ms, "BTCUSDT", "1m", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, closed)
        return mapping.candle_number(mapping.CandleUpdate(event_ms, "BTCUSDT", candle))

    assert number(AT_MS, AT_MS + 1) < number(AT_MS, AT_MS + 2) < number(AT_MS + 60_000, AT_MS)
    end = number(AT_MS, AT_MS + 1, closed=True)
    assert number(AT_MS, mapping.TIME_LIMIT_MS - 1) < end < number(AT_MS + 60_000, AT_MS)
    assert end == number(AT_MS, AT_MS + 9, closed=True)


def test_depth_has_the_venues_time() -> None:
    """In nanoseconds; 0 where there is none."""
    best = ((1.0, 2.0),), ((3.0, 4.0),)
    depth = mapping.depth(SOURCE, AT_MS, RECV_NS, best)
    assert (depth.bids, depth.asks, depth.ts_event_ns) == (*best, AT_MS * 1_000_000)
    assert mapping.depth(SOURCE, 0, RECV_NS, best).datetime == depth.localtime


def test_every_interval_has_the_venues_word() -> None:
    """No two share one; ticks are no bars, and Binance has none of five seconds."""
    assert len(set(mapping.INTERVALS.values())) == len(mapping.INTERVALS)
    assert set(Interval) - set(mapping.INTERVALS) == {Interval.SECOND_5, Interval.TICK}


# -- contracts --------------------------------------------------------------------------------


def test_a_contract_out_of_exchange_info() -> None:
    """Steps and bounds come from the filters of limit orders."""
    contract = mapping.contract(BTCUSDT, "BINANCE")
    assert contract is not None
    assert (contract.vt_symbol, contract.name) == ("BTCUSDT.BINANCE", "BTC/USDT")
    assert (contract.product, contract.size) == (Product.SPOT, 1.0)
    assert (contract.pricetick, contract.volume_step) == (0.01, 0.00001)
    assert (contract.min_volume, contract.max_volume) == (0.00001, 9_000.0)
    assert contract.min_notional == 5.0
    assert contract.history_data


def test_an_older_filter_for_the_value_of_an_order_counts_too() -> None:
    """Some symbols still have MIN_NOTIONAL."""
    old = {"filterType": "MIN_NOTIONAL", "minNotional": "10.0"}
    contract = mapping.contract({**BTCUSDT, "filters": [old]}, "BINANCE")
    assert contract is not None
    assert contract.min_notional == 10.0


def test_a_contract_without_filters_has_no_steps() -> None:
    """Zero says that nothing is known; no largest volume is none."""
    contract = mapping.contract({**BTCUSDT, "filters": []}, "BINANCE")
    assert contract is not None
    assert (contract.pricetick, contract.volume_step, contract.max_volume) == (0.0, 0.0, None)


@pytest.mark.parametrize("status", ["BREAK", "HALT", "END_OF_DAY", "", "trading"])
def test_a_halted_symbol_is_no_contract(status: str) -> None:
    """Only what trades now is offered."""
    assert mapping.contract({**BTCUSDT, "status": status}, "BINANCE") is None


@pytest.mark.parametrize("field", ["symbol", "status", "baseAsset", "quoteAsset", "filters"])
def test_an_incomplete_entry_is_refused(field: str) -> None:
    """It does not look like Binance's; nothing is guessed."""
    entry = {name: value for name, value in BTCUSDT.items() if name != field}
    with pytest.raises(msgspec.ValidationError):
        mapping.contract(entry, "BINANCE")


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": None},
        {"symbol": ["BTCUSDT"]},
        {"filters": {}},
        {"filters": [1]},
        {"filters": [{"filterType": "LOT_SIZE", "minQty": "\uff11"}]},
        {"filters": [{"filterType": "LOT_SIZE", "minQty": None}]},
    ],
    ids=str,
)
def test_an_entry_of_other_types_is_refused(wrong: dict[str, object]) -> None:
    """Full-width digits are no number, lists no name."""
    with pytest.raises(msgspec.ValidationError):
        mapping.contract({**BTCUSDT, **wrong}, "BINANCE")


@pytest.mark.parametrize("size", ["NaN", "Infinity", "-0.01", "1e400"])
@pytest.mark.parametrize("filter_", ["tickSize", "stepSize", "minQty", "maxQty", "minNotional"])
def test_a_step_that_is_no_size_is_refused(filter_: str, size: str) -> None:
    """A strategy rounds to these: a NaN here would spread into every order."""
    kinds = {"tickSize": "PRICE_FILTER", "minNotional": "NOTIONAL"}
    entry = {"filterType": kinds.get(filter_, "LOT_SIZE"), filter_: size}
    with pytest.raises(msgspec.ValidationError):
        mapping.contract({**BTCUSDT, "filters": [entry]}, "BINANCE")


# -- the gate ---------------------------------------------------------------------------------

NO_PRICES = ["0", "-1", "-0.0", "1e12", "1e400", "-1e400", "inf", "-Infinity", "NaN", "nan"]
NO_VOLUMES = ["-1", "1e18", "1e400", "inf", "-inf", "NaN"]
NO_NUMBERS: list[object] = [
    "", " 5 ", "1_000", "\uff11\uff12\uff13", "0x10", "1,000", "5.", ".5", "+5", "05", "5\n", "٣",
    None, [], {}, ["1"], "true",
]  # fmt: skip


@pytest.mark.parametrize("price", NO_PRICES)
@pytest.mark.parametrize("field", ["c", "o"])
def test_a_price_that_is_none_is_refused(field: str, price: str) -> None:
    """Not finite, not positive or absurdly high; the day's prices may be 0."""
    try:
        reason = mapping.bad_ticker(ticker(**{field: price}))
    except msgspec.ValidationError:
        return
    may_be_zero = field == "o" and float(price) == 0.0
    assert bool(reason) != may_be_zero


@pytest.mark.parametrize("volume", NO_VOLUMES)
@pytest.mark.parametrize("field", ["Q", "v", "q"])
def test_a_volume_that_is_none_is_refused(field: str, volume: str) -> None:
    """Not finite, negative or absurdly large."""
    try:
        assert mapping.bad_ticker(ticker(**{field: volume}))
    except msgspec.ValidationError:
        return


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("kind", ["stream", "request", "bar"])
def test_what_is_no_number_is_not_read_as_one(kind: str, value: object) -> None:
    """Python would take many of these for numbers; the venue never sends them."""
    readers = {
        "stream": lambda: ticker(c=value),
        "request": lambda: rest_ticker(lastPrice=value),
        "bar": lambda: row(n1=value),
    }
    with pytest.raises(msgspec.ValidationError):
        readers[kind]()


def test_a_number_of_5000_digits_does_no_harm() -> None:
    """As text or as a number, the decoder refuses it."""
    digits = "9" * 5_000
    with pytest.raises(msgspec.ValidationError):
        ticker(c=digits)
    with pytest.raises(msgspec.ValidationError):
        rest_ticker(lastPrice=digits)


@pytest.mark.parametrize("ms", [0, -1, mapping.TIME_LIMIT_MS, 2**63])
def test_a_time_beyond_pythons_calendar_is_refused(ms: int) -> None:
    """It would be an exception in whoever asks for the datetime."""
    assert mapping.bad_times(AT_MS, ms) == "time out of range"
    assert mapping.bad_rest_ticker(rest_ticker(closeTime=ms)) == "time out of range"
    assert mapping.bad_row(row(n0=ms)) == "time out of range"
    assert mapping.bad_times(mapping.TIME_LIMIT_MS - 1) == ""


@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        ((100.0, 1.0, 101.0, 1.0), ""),
        ((100.0, 0.0, 100.0, 0.0), ""),
        ((101.0, 1.0, 100.0, 1.0), "crossed: bid above ask"),
        ((0.0, 1.0, 101.0, 1.0), "price out of range"),
        ((100.0, 1.0, float("nan"), 1.0), "price out of range"),
        ((100.0, 1.0, float("inf"), 1.0), "price out of range"),
        ((100.0, -1.0, 101.0, 1.0), "volume out of range"),
        ((100.0, 1.0, 101.0, float("nan")), "volume out of range"),
    ],
)
def test_a_quote_is_judged(quote: tuple[float, float, float, float], reason: str) -> None:
    """A touching quote happens; a crossed one cannot be."""
    assert mapping.bad_quote(*quote) == reason


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("bidPrice", "100.7", "crossed: bid above ask"),
        ("lastPrice", "0", "price out of range"),
        ("lastQty", "-1", "volume out of range"),
        ("prevClosePrice", "-1", "price of the day out of range"),
        ("askQty", "-1", "volume out of range"),
        ("prevClosePrice", "0", ""),
    ],
)
def test_a_ticker_by_request_is_judged_field_by_field(field: str, value: str, reason: str) -> None:
    """The reason says what kind of number it was."""
    assert mapping.bad_rest_ticker(rest_ticker(**{field: value})) == reason


def test_a_removed_level_has_no_volume_but_a_price() -> None:
    """Zero removes a level; nothing makes a level without a price."""
    assert mapping.bad_levels([(100.0, 0.0)]) == ""
    assert mapping.bad_levels([(0.0, 1.0)])
    assert mapping.bad_levels([(100.0, float("nan"))])
    assert mapping.bad_levels([]) == ""


@pytest.mark.parametrize("level", [[], ["1"], ["1", "2", "3"], "12", None, [None, "1"]], ids=repr)
def test_a_level_of_another_shape_is_refused(level: object) -> None:
    """A level is a price and a volume."""
    update = {"E": 1, "s": "A", "U": 1, "u": 1, "b": [level], "a": []}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(update), type=mapping.DepthUpdate, strict=False)
