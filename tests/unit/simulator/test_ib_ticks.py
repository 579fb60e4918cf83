"""What the gateway sends of one contract, message by message."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.ib_ticks import DELAYED, Depth, Prints, Quotes, RealTimeBars, size
from foxtrot.simulator.market import Market

NOW_MS = 1_790_000_000_000
UNIVERSE = Universe.of(("AAPL", "EUR.USD", "SPX"), today=dt.date(2026, 9, 21))

Rows = list[tuple[float, float]]


@pytest.fixture
def market() -> Market:
    return Market(UNIVERSE.listings(), seed=5, now_ms=NOW_MS)


def contract(name: str) -> IbContract:
    return UNIVERSE.contracts[name]


def fields(message: bytes) -> list[str]:
    return message[4:].decode().split("\0")[:-1]


def kinds(messages: list[bytes]) -> list[tuple[str, str]]:
    """Message id and tick type of ticks."""
    return [(each[0], each[3]) for each in map(fields, messages) if each[0] in ("1", "2")]


def test_a_price_is_followed_by_its_size(market: Market) -> None:
    """Where the price changed, its size comes with it and once more alone; else the size alone."""
    feed = Quotes(7, contract("AAPL"), market)
    assert kinds(feed.begin())[:4] == [("1", "1"), ("2", "0"), ("1", "2"), ("2", "3")]
    before = market.quote("AAPL")
    for _ in range(50):
        step = market.tick("AAPL")
        now, told = market.quote("AAPL"), kinds(feed.step(step))
        assert (("1", "1") in told) == (now.bid_e8 != before.bid_e8)
        assert (("1", "2") in told) == (now.ask_e8 != before.ask_e8)
        assert (("1", "4") in told) == bool(step.trades)
        before = now


def test_an_index_has_no_quote_and_a_pair_no_print(market: Market) -> None:
    """What does not exist is not told."""
    for name, absent in (("SPX", ("1", "1")), ("EUR.USD", ("1", "4"))):
        feed = Quotes(7, contract(name), market)
        told = kinds(feed.begin())
        for _ in range(50):
            told += kinds(feed.step(market.tick(name)))
        assert told
        assert absent not in told


def test_delayed_ticks_have_numbers_of_their_own(market: Market) -> None:
    """So nobody takes them for live ones."""
    feed = Quotes(7, contract("AAPL"), market, market_data_type=DELAYED)
    assert fields(feed.begin()[0]) == ["58", "1", "7", "3"]
    numbers = {int(number) for _, number in kinds(feed.begin())}
    assert numbers
    assert min(numbers) >= 66


@pytest.mark.parametrize("shifting", [True, False], ids=["rows move", "rows are replaced"])
@pytest.mark.parametrize("maker", ["NASDAQ", None])
def test_a_book_is_the_same_for_every_kind_of_client(
    market: Market, shifting: bool, maker: str | None
) -> None:
    """Whether an insert moves the rows below it or takes a row's place, the book is right."""
    feed = Depth(7, contract("AAPL"), market, 5, maker)
    sides: tuple[Rows, Rows] = ([], [])
    messages = feed.begin()
    for _ in range(200):
        for message in messages:
            told = fields(message)
            position = int(told[3])
            operation, side = map(int, told[4:6] if maker is None else told[5:7])
            price, amount = map(float, told[6:8] if maker is None else told[7:9])
            rows = sides[side]
            if operation == 2:
                del rows[position]
            elif operation == 0 and shifting:
                rows.insert(position, (price, amount))
            else:
                rows[position : position + 1] = [(price, amount)]
        book = market.book("AAPL", 5)
        assert sides[1] == [(at / 1e8, lot / 1e8) for at, lot in book.bids]
        assert sides[0] == [(at / 1e8, lot / 1e8) for at, lot in book.asks]
        messages = feed.step(market.tick("AAPL"))


def test_every_print_has_its_exchange_time(market: Market) -> None:
    """In whole seconds, as TWS tells it."""
    feed = Prints(7, contract("AAPL"), market, "Last", ignore_size=False)
    assert feed.begin() == []
    told: list[list[str]] = []
    trades = []
    for _ in range(60):
        step = market.tick("AAPL")
        trades.extend(step.trades)
        told.extend(map(fields, feed.step(step)))
    assert [each[:4] for each in told] == [
        ["99", "7", "1", str(trade.time_ms // 1_000)] for trade in trades
    ]
    assert told


def test_a_quote_of_the_same_prices_can_be_left_out(market: Market) -> None:
    """With ignore_size, only prices make news."""
    all_quotes = Prints(7, contract("AAPL"), market, "BidAsk", ignore_size=False)
    prices_only = Prints(8, contract("AAPL"), market, "BidAsk", ignore_size=True)
    counts = [len(all_quotes.begin()), len(prices_only.begin())]
    assert counts == [1, 1]
    moves = 0
    before = market.quote("AAPL")
    for _ in range(60):
        step = market.tick("AAPL")
        counts[0] += len(all_quotes.step(step))
        counts[1] += len(prices_only.step(step))
        now = market.quote("AAPL")
        moves += (now.bid_e8, now.ask_e8) != (before.bid_e8, before.ask_e8)
        before = now
    assert counts[1] == moves + 1
    assert counts[0] > counts[1]


@pytest.mark.parametrize("what", ["TRADES", "BID", "ASK", "MIDPOINT"])
def test_bars_are_five_seconds_long(market: Market, what: str) -> None:
    """A bar comes when the next one begins; only bars of trades have a volume."""
    feed = RealTimeBars(7, contract("AAPL"), market, what)
    assert feed.begin() == []
    bars: list[list[str]] = []
    for _ in range(200):
        bars.extend(map(fields, feed.step(market.tick("AAPL"))))
    assert [int(bar[3]) for bar in bars] == [NOW_MS // 1_000 + 5 * n for n in range(len(bars))]
    assert len(bars) == 4
    for bar in bars:
        first, high, low, last = map(float, bar[4:8])
        assert low <= min(first, last) <= max(first, last) <= high
        assert (float(bar[8]) >= 0) is (what == "TRADES")


@pytest.mark.parametrize(
    ("value_e8", "text"), [(100_000_000, "1"), (150_000_000, "1.5"), (0, "0"), (1, "0.00000001")]
)
def test_sizes_are_decimals(value_e8: int, text: str) -> None:
    """Without noughts that say nothing."""
    assert size(value_e8) == text
