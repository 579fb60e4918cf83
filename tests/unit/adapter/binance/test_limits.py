"""Binance's pacing rules, kept with some air."""

import pytest

from foxtrot.adapter.binance import limits


@pytest.mark.parametrize(
    ("symbols", "weight"), [(1, 2), (20, 2), (21, 40), (100, 40), (101, 80), (3_000, 80)]
)
def test_tickers_weigh_by_their_number(symbols: int, weight: int) -> None:
    """The venue's table, at its edges."""
    assert limits.tickers_weight(symbols) == weight


@pytest.mark.parametrize(
    ("levels", "weight"),
    [(5, 5), (100, 5), (101, 25), (500, 25), (501, 50), (1_000, 50), (1_001, 250), (5_000, 250)],
)
def test_a_book_weighs_by_its_levels(levels: int, weight: int) -> None:
    """The venue's table, at its edges."""
    assert limits.depth_weight(levels) == weight


def test_a_connection_never_sends_more_than_five_messages_in_a_second() -> None:
    """The venue cuts a connection that does; pings and pongs need room too."""
    spacing, now = limits.send_spacing(), 100.0
    sent = [now + spacing.reserve(now) for _ in range(50)]
    for begin in sent:
        assert sum(begin <= at < begin + 1.0 for at in sent) <= 4


def test_an_address_never_spends_more_weight_than_the_venue_allows() -> None:
    """In no minute, wherever it begins, more than 5000 of the venue's 6000."""
    window, now = limits.weight_window(), 100.0
    sent = [now + window.reserve(now, 80) for _ in range(200)]
    for begin in sent:
        assert sum(80 for at in sent if begin <= at < begin + 60.0) <= limits.WEIGHT_PER_MINUTE
    assert limits.WEIGHT_PER_MINUTE < 6_000


def test_streams_of_a_connection_stay_below_the_venues_limit() -> None:
    """1024 are allowed; a message names no more than the connection may carry."""
    assert limits.STREAMS_PER_CONNECTION < 1_024
    assert limits.NAMES_PER_MESSAGE <= limits.STREAMS_PER_CONNECTION


def test_the_fills_of_many_symbols_get_their_turn_in_the_time_that_is_given_them() -> None:
    """Also while market data takes all that it may."""
    window, now = limits.weight_window(), 100.0
    for _ in range(limits.MARKET_WEIGHT_PER_MINUTE // 80):
        now += window.share.reserve(now, 80)
        window.reserve(now, 80)
    waits = [window.reserve(now, limits.MY_TRADES_WEIGHT) for _ in range(50)]
    assert max(waits) == 0.0
    assert limits.FILLS_S * len(waits) == 60.0
