"""The live market."""

from __future__ import annotations

from itertools import pairwise

import pytest

from foxtrot.errors import UnknownSymbol
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import LEVELS, Market

START = 1_790_000_000_000


def market(seed: int = 1) -> Market:
    return Market.of(["BTCUSDT", "ETHBTC"], seed=seed, now_ms=START)


def test_the_same_seed_gives_the_same_market() -> None:
    """Two markets of one seed make the same steps."""
    one, two = market(), market()
    assert [one.tick("BTCUSDT") for _ in range(50)] == [two.tick("BTCUSDT") for _ in range(50)]


def test_another_seed_gives_another_market() -> None:
    """The seed matters."""
    assert market(1).tick("BTCUSDT") != market(2).tick("BTCUSDT")


def test_a_symbol_sleeps_until_it_is_asked_for() -> None:
    """A thousand listed symbols cost nothing."""
    sleeping = market()
    assert sleeping.awake == ()
    sleeping.quote("ETHBTC")
    assert sleeping.awake == ("ETHBTC",)
    assert repr(sleeping) == "<Market symbols=2 awake=1>"


def test_an_unlisted_symbol_is_an_error() -> None:
    """The market knows its own symbols only."""
    with pytest.raises(UnknownSymbol, match="XRPUSDT"):
        market().quote("XRPUSDT")


def test_every_step_is_seen_at_the_touch() -> None:
    """Each step moves the update id and changes the best bid or ask."""
    live = market()
    for _ in range(100):
        before = live.quote("BTCUSDT")
        live.tick("BTCUSDT")
        after = live.quote("BTCUSDT")
        assert after.update_id > before.update_id
        assert (after.bid_e8, after.bid_quantity_e8, after.ask_e8, after.ask_quantity_e8) != (
            before.bid_e8,
            before.bid_quantity_e8,
            before.ask_e8,
            before.ask_quantity_e8,
        )


def test_a_quote_can_be_set() -> None:
    """`set_quote` moves the book to a price, at once and with the changes told."""
    live = market()
    step = live.set_quote("BTCUSDT", 50_000.0)
    quote = live.quote("BTCUSDT")
    gap = live.listings["BTCUSDT"].gap_e8
    assert 0 <= 50_000 * E8 - quote.bid_e8 < gap
    assert quote.ask_e8 == quote.bid_e8 + gap
    assert len(step.bids) + len(step.asks) >= 2 * LEVELS


def test_the_listener_hears_every_step() -> None:
    """What is ticked by hand is told too."""
    live = market()
    heard = []
    live.on_step = heard.append
    assert [live.tick("BTCUSDT"), live.set_quote("ETHBTC", 0.04)] == heard


def test_time_does_not_run_backwards() -> None:
    """A step with an earlier time happens at the time of the step before."""
    live = market()
    live.tick("BTCUSDT", START + 5_000)
    assert live.tick("BTCUSDT", START).time_ms == START + 5_000


def test_the_day_counts_every_trade() -> None:
    """Volume, count and last price of the day follow the trades; high and low enclose them."""
    live = market()
    before = live.day("BTCUSDT")
    trades = [trade for _ in range(300) for trade in live.tick("BTCUSDT").trades]
    after = live.day("BTCUSDT")
    assert after.volume_e8 - before.volume_e8 == sum(trade.quantity_e8 for trade in trades)
    assert after.trades - before.trades == len(trades)
    assert after.close_e8 == trades[-1].price_e8
    assert after.last_id == trades[-1].trade_id
    assert after.high_e8 >= max(trade.price_e8 for trade in trades)
    assert after.low_e8 <= min(trade.price_e8 for trade in trades)


def test_bars_reach_from_the_past_to_the_present() -> None:
    """The last bar ends with the last trade, and bars follow one another without a hole."""
    live = market()
    for _ in range(2_000):
        live.tick("BTCUSDT")
    bars = live.bars("BTCUSDT", "1m", None, None, 500)
    assert len(bars) == 500
    assert all(one.end_ms == two.start_ms for one, two in pairwise(bars))
    assert bars[-1].close_e8 == live.trades("BTCUSDT")[-1].price_e8
    assert bars[0].start_ms < START < bars[-1].start_ms


def test_an_hour_agrees_with_its_minutes() -> None:
    """Live bars of different length count the same trades."""
    live = market()
    for _ in range(800):
        live.tick("BTCUSDT", live.now_ms("BTCUSDT") + 10_000)
    start = START // 3_600_000 * 3_600_000 + 3_600_000
    hour = live.bars("BTCUSDT", "1h", start, None, 1)[0]
    minutes = live.bars("BTCUSDT", "1m", start, None, 60)
    assert sum(bar.volume_e8 for bar in minutes) == hour.volume_e8
    assert max(bar.high_e8 for bar in minutes if bar.trades) == hour.high_e8
    assert minutes[-1].close_e8 == hour.close_e8


def test_a_range_of_bars_starts_where_it_is_asked_to() -> None:
    """With a start the first bars of the range come, with an end none that begins after it."""
    live = market()
    hour = 3_600_000
    start = START // hour * hour - 10 * hour
    assert [bar.start_ms for bar in live.bars("BTCUSDT", "1h", start - 1, None, 3)] == [
        start,
        start + hour,
        start + 2 * hour,
    ]
    assert [bar.start_ms for bar in live.bars("BTCUSDT", "1h", None, start, 2)] == [
        start - hour,
        start,
    ]
    assert live.bars("BTCUSDT", "1h", start, start - hour, 5) == []


@pytest.mark.parametrize("interval", ["1m", "1w", "1M"])
def test_there_are_no_bars_of_a_time_to_come(interval: str) -> None:
    """However far away it is."""
    assert market().bars("BTCUSDT", interval, 10**15, None, 5) == []


def test_a_minute_without_trades_is_flat() -> None:
    """Where nobody traded the bar stands at the last price, with no volume."""
    live = market()
    while not live.trades("BTCUSDT"):
        live.tick("BTCUSDT")
    last = live.trades("BTCUSDT")[-1]
    bar = live.bar("BTCUSDT", "1m", last.time_ms + 600_000)
    assert (bar.open_e8, bar.close_e8, bar.volume_e8) == (last.price_e8, last.price_e8, 0)
