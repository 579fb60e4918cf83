"""Whatever the seed, the symbol and the rhythm: the simulated market adds up."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot.simulator.history import INTERVALS_MS, bar_end, bar_start
from foxtrot.simulator.listings import DEFAULT_SYMBOLS, notional_e8
from foxtrot.simulator.market import LEVELS, Market, Step

START = 1_790_000_000_000

symbols = st.sampled_from(DEFAULT_SYMBOLS)
seeds = st.integers(0, 2**32)
rhythms = st.lists(st.integers(0, 90_000), min_size=1, max_size=60)
jumps = st.dictionaries(st.integers(0, 59), st.floats(0.5, 2.0), max_size=3)


def run(symbol: str, seed: int, rhythm: list[int], jump: dict[int, float]) -> tuple[Market, list]:
    """A market, and each of its steps with the book before and after it."""
    market = Market.of([symbol], seed=seed, now_ms=START)
    told: list[tuple] = []
    at = START
    for number, pause in enumerate(rhythm):
        at += pause
        before = market.book(symbol)
        if number in jump:
            step = market.set_quote(symbol, before.bids[0][0] / 1e8 * jump[number], at)
        else:
            step = market.tick(symbol, at)
        told.append((before, step, market.book(symbol)))
    return market, told


@settings(max_examples=60, deadline=None)
@given(symbols, seeds, rhythms, jumps)
def test_the_book_is_never_crossed(
    symbol: str, seed: int, rhythm: list[int], jump: dict[int, float]
) -> None:
    """Bids fall, asks rise, the best ask is above the best bid, and no level is empty."""
    market, told = run(symbol, seed, rhythm, jump)
    tick = market.listings[symbol].tick_e8
    for _, _, book in told:
        bids, asks = [price for price, _ in book.bids], [price for price, _ in book.asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert 0 < bids[-1] <= bids[0] < asks[0]
        assert len(bids) == len(asks) == LEVELS
        assert all(quantity > 0 for _, quantity in (*book.bids, *book.asks))
        assert all(price % tick == 0 for price in (*bids, *asks))


@settings(max_examples=60, deadline=None)
@given(symbols, seeds, rhythms, jumps)
def test_update_ids_are_contiguous(
    symbol: str, seed: int, rhythm: list[int], jump: dict[int, float]
) -> None:
    """Each step's first update follows the last one of the step before, up to the book's id."""
    _, told = run(symbol, seed, rhythm, jump)
    for before, step, after in told:
        assert step.first_id == before.update_id + 1
        assert step.last_id == after.update_id >= step.first_id


@settings(max_examples=60, deadline=None)
@given(symbols, seeds, rhythms, jumps)
def test_a_book_kept_from_the_changes_is_the_venues_book(
    symbol: str, seed: int, rhythm: list[int], jump: dict[int, float]
) -> None:
    """A snapshot and all changes after it give the book of the venue, level for level."""
    _, told = run(symbol, seed, rhythm, jump)
    bids, asks = dict(told[0][0].bids), dict(told[0][0].asks)
    for _, step, after in told:
        apply(step, bids, asks)
        assert (bids, asks) == (dict(after.bids), dict(after.asks))


def apply(step: Step, bids: dict[int, int], asks: dict[int, int]) -> None:
    """Keep a book as a client does: zero takes a level away."""
    for side, changes in ((bids, step.bids), (asks, step.asks)):
        for price, quantity in changes.items():
            if quantity:
                side[price] = quantity
            else:
                side.pop(price, None)


@settings(max_examples=60, deadline=None)
@given(symbols, seeds, rhythms, jumps)
def test_trades_happen_where_the_book_stood(
    symbol: str, seed: int, rhythm: list[int], jump: dict[int, float]
) -> None:
    """A trade takes no more than a level held, on the side the taker came for; ids count up."""
    _, told = run(symbol, seed, rhythm, jump)
    ids = [trade.trade_id for _, step, _ in told for trade in step.trades]
    assert ids == list(range(ids[0], ids[0] + len(ids))) if ids else True
    for before, step, _ in told:
        left = {True: dict(before.bids), False: dict(before.asks)}
        for trade in step.trades:
            side = left[trade.buyer_is_maker]
            side[trade.price_e8] -= trade.quantity_e8
            assert side[trade.price_e8] >= 0
            assert trade.time_ms == step.time_ms


@settings(max_examples=40, deadline=None)
@given(symbols, seeds, rhythms, st.sampled_from(sorted(INTERVALS_MS)))
def test_bars_are_made_of_the_trades(
    symbol: str, seed: int, rhythm: list[int], interval: str
) -> None:
    """A bar that began after the market holds exactly the trades of its time."""
    market, told = run(symbol, seed, rhythm, {})
    trades = [trade for _, step, _ in told for trade in step.trades]
    for start in sorted({bar_start(interval, trade.time_ms) for trade in trades}):
        if start < START:
            continue
        inside = [t for t in trades if start <= t.time_ms < bar_end(interval, start)]
        bar = market.bar(symbol, interval, start)
        prices = [trade.price_e8 for trade in inside]
        assert (bar.open_e8, bar.close_e8) == (prices[0], prices[-1])
        assert (bar.high_e8, bar.low_e8) == (max(prices), min(prices))
        assert bar.volume_e8 == sum(t.quantity_e8 for t in inside)
        assert bar.turnover_e8 == sum(notional_e8(t.price_e8, t.quantity_e8) for t in inside)
        assert (bar.trades, bar.first_id) == (len(inside), inside[0].trade_id)


@settings(max_examples=40, deadline=None)
@given(
    symbols,
    seeds,
    st.sampled_from(sorted(INTERVALS_MS)),
    st.integers(0, 10**12),
    st.integers(1, 60),
)
def test_any_range_of_bars_is_seamless(
    symbol: str, seed: int, interval: str, ago_ms: int, limit: int
) -> None:
    """Bars of any time follow one another, and asking again gives the same."""
    market = Market.of([symbol], seed=seed, now_ms=START)
    bars = market.bars(symbol, interval, START - ago_ms, None, limit)
    assert bars == market.bars(symbol, interval, START - ago_ms, None, limit)
    for bar, following in pairwise(bars):
        assert bar.end_ms == following.start_ms
        assert bar.low_e8 <= min(bar.open_e8, bar.close_e8) <= bar.high_e8
        assert bar.close_e8 == following.open_e8 or following.trades == 0
