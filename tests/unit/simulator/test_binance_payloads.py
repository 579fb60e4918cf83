"""The shapes of Binance's messages, field for field."""

from __future__ import annotations

import json

import pytest

from foxtrot.simulator import binance_payloads as wire
from foxtrot.simulator.binance_limits import Limits
from foxtrot.simulator.history import Bar
from foxtrot.simulator.listings import E8, listing
from foxtrot.simulator.market import Book, Quote, Step, Trade

QUOTE = Quote("BTCUSDT", 7, 100 * E8, 2 * E8, 101 * E8, 3 * E8)
TRADE = Trade(41, 100 * E8, E8 // 2, 1_000, buyer_is_maker=True)
DAY = Bar(0, 60_000, 80 * E8, 120 * E8, 70 * E8, 100 * E8, 10 * E8, 900 * E8, 4, first_id=38)


def test_the_book_ticker() -> None:
    """Text for text as the venue sends it."""
    assert wire.book_ticker_event(QUOTE) == (
        b'{"u":7,"s":"BTCUSDT","b":"100.00000000","B":"2.00000000",'
        b'"a":"101.00000000","A":"3.00000000"}'
    )


def test_trade_events() -> None:
    """The maker's side and both times are told."""
    event = json.loads(wire.trade_event("BTCUSDT", TRADE, 1_001))
    assert event == {
        "e": "trade",
        "E": 1_001,
        "s": "BTCUSDT",
        "t": 41,
        "p": "100.00000000",
        "q": "0.50000000",
        "T": 1_000,
        "m": True,
        "M": True,
    }
    aggregate = json.loads(wire.agg_trade_event("BTCUSDT", TRADE, 1_001))
    assert (aggregate["e"], aggregate["a"], aggregate["f"], aggregate["l"]) == (
        "aggTrade",
        41,
        41,
        41,
    )


def test_the_24_hour_ticker_is_computed_from_the_day() -> None:
    """Change, percentage and average follow from open, close and turnover."""
    event = json.loads(wire.ticker_event(DAY, QUOTE, TRADE, 2_000))
    assert (event["p"], event["P"], event["w"]) == ("20.00000000", "25.000", "90.00000000")
    assert (event["Q"], event["n"], event["F"]) == ("0.50000000", 4, 38)
    row = wire.ticker_row(DAY, QUOTE, None, 2_000)
    assert (row["priceChange"], row["lastQty"]) == ("20.00000000", "0.00000000")


def test_depth_levels_are_best_first() -> None:
    """Bids fall and asks rise, removed levels have quantity zero."""
    step = Step("BTCUSDT", 1_000, 5, 8, {99 * E8: 0, 100 * E8: E8}, {102 * E8: E8, 101 * E8: 0}, ())
    event = json.loads(wire.depth_event(step, 1_000))
    assert (event["U"], event["u"]) == (5, 8)
    assert event["b"] == [["100.00000000", "1.00000000"], ["99.00000000", "0.00000000"]]
    assert event["a"] == [["101.00000000", "0.00000000"], ["102.00000000", "1.00000000"]]
    book = Book("BTCUSDT", 8, ((100 * E8, E8),), ())
    assert json.loads(wire.depth_snapshot(book)) == {
        "lastUpdateId": 8,
        "bids": [["100.00000000", "1.00000000"]],
        "asks": [],
    }


def test_bars_end_a_millisecond_before_the_next() -> None:
    """The close time is the last millisecond of the bar."""
    bar = json.loads(wire.kline_event("BTCUSDT", "1m", DAY, 5, closed=True))["k"]
    assert (bar["t"], bar["T"], bar["i"], bar["x"]) == (0, 59_999, "1m", True)
    assert wire.kline_row(DAY)[6] == 59_999


def test_a_bar_without_volume_has_its_price_for_average() -> None:
    """No division by zero on a quiet market."""
    flat = Bar.flat(0, 60_000, 100 * E8)
    assert wire.average_price(flat, 9)["price"] == "100.00000000"
    assert json.loads(wire.average_price_event("BTCUSDT", flat, 9))["w"] == "100.00000000"


@pytest.mark.parametrize(
    "what", ["icebergAllowed", "ocoAllowed", "otoAllowed", "allowTrailingStop", "amendAllowed"]
)
def test_symbols_do_not_promise_what_is_refused(what: str) -> None:
    """A client that reads it does not try what this venue has no parameter or path for."""
    info = wire.exchange_info([listing("BTCUSDT")], Limits(), 1)
    assert json.loads(wire.encode(info))["symbols"][0][what] is False


def test_symbols_say_who_may_trade_them() -> None:
    """Margin is for the large quote currencies only."""
    info = wire.exchange_info([listing("BTCUSDT"), listing("BTCEUR")], Limits(), 1)
    text = json.loads(wire.encode(info))
    assert [row["isMarginTradingAllowed"] for row in text["symbols"]] == [True, False]
    assert text["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6_000,
    }
