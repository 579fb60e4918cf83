"""Whatever ticks come, in whatever order: every bar is that of its own ticks."""

import datetime as dt
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.engine.bars import BarGenerator
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import NS_PER_S, BarData, DayStatistics, Source, TickData

SOURCE = Source.of("A", Exchange.BINANCE, "FAKE")
START = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
START_S = int(START.timestamp())

PRICES = st.integers(1, 50).map(float)
SECONDS = st.lists(st.tuples(st.integers(0, 1200), PRICES), min_size=1, max_size=60)
MINUTES = st.lists(st.tuples(st.integers(0, 3 * 24 * 60), PRICES), max_size=60)
WINDOWS = st.sampled_from(
    [(each, Interval.MINUTE) for each in (1, 5, 15, 30, 90)]
    + [(each, Interval.HOUR) for each in (1, 2, 4, 24)]
)


def tick(second: float, price: float, volume: float = 1.0) -> TickData:
    at_ns = int((START_S + second) * NS_PER_S)
    return TickData(SOURCE, at_ns, at_ns, price, day=DayStatistics(volume=volume))


def bars_of(ticks: list[TickData]) -> tuple[list[BarData], int]:
    bars: list[BarData] = []
    generator = BarGenerator(bars.append)
    for each in ticks:
        generator.update_tick(each)
    generator.update_time(START + dt.timedelta(days=9))
    return bars, generator.late


@given(SECONDS)
def test_ordered_ticks_are_bars_minute_by_minute(given_: list[tuple[int, float]]) -> None:
    """Each minute with ticks is one bar of exactly these; no other minute is."""
    ordered = sorted(given_, key=lambda pair: pair[0])
    bars, late = bars_of([tick(*each) for each in ordered])
    by_minute: defaultdict[int, list[float]] = defaultdict(list)
    for second, price in ordered:
        by_minute[second // 60].append(price)
    assert late == 0
    assert [
        (bar.datetime, bar.open_price, bar.high_price, bar.low_price, bar.close_price)
        for bar in bars
    ] == [
        (START + dt.timedelta(minutes=each), prices[0], max(prices), min(prices), prices[-1])
        for each, prices in by_minute.items()
    ]


@given(SECONDS)
def test_in_any_order_bars_go_forward_and_every_tick_is_accounted_for(
    given_: list[tuple[int, float]],
) -> None:
    """No minute is told twice or after a later one; a tick is in its bar or counted as late."""
    bars, late = bars_of([tick(*each) for each in given_])
    times = [bar.datetime for bar in bars]
    assert times == sorted(set(times))
    assert {(bar.datetime - START).seconds // 60 for bar in bars} <= {s // 60 for s, _ in given_}
    assert late <= len(given_) - len(bars)
    for bar in bars:
        assert bar.low_price <= min(bar.open_price, bar.close_price)
        assert bar.high_price >= max(bar.open_price, bar.close_price)


@given(st.dictionaries(st.integers(0, 59), PRICES, min_size=1), st.randoms(use_true_random=False))
def test_within_a_minute_the_order_does_not_matter(prices: dict[int, float], dice: object) -> None:
    """Shuffled and repeated ticks of one minute make the same prices."""
    ticks = [tick(*each) for each in sorted(prices.items())]
    shuffled = ticks * 2
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    (expected,), _ = bars_of(ticks)
    (actual,), _ = bars_of(shuffled)
    assert (expected.open_price, expected.high_price, expected.low_price, expected.close_price) == (
        actual.open_price,
        actual.high_price,
        actual.low_price,
        actual.close_price,
    )


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 9)), min_size=1, max_size=60))
def test_volume_is_conserved(steps: list[tuple[int, int]]) -> None:
    """All that the day's volume grew by is in the bars, over gaps too."""
    second, volume = 0, 1000
    ticks = [tick(0, 1.0, volume)]
    for seconds, traded in steps:
        second, volume = second + seconds, volume + traded
        ticks.append(tick(second, 1.0, volume))
    bars, _ = bars_of(ticks)
    assert sum(bar.volume for bar in bars) == pytest.approx(volume - 1000)


@given(MINUTES, WINDOWS)
def test_a_window_is_the_sum_of_its_minutes(
    given_: list[tuple[int, float]], window: tuple[int, Interval]
) -> None:
    """Whichever minutes are missing: each window with a minute is told once, and is those."""
    size, interval = window
    length = size * (60 if interval is Interval.HOUR else 1)
    bars: list[BarData] = []
    generator = BarGenerator(bars.append, size, bars.append, interval)
    expected: defaultdict[int, list[float]] = defaultdict(list)
    for number, price in sorted(dict(given_).items()):
        expected[number // length * length].append(price)
        moment = START + dt.timedelta(minutes=number)
        values = dict.fromkeys(("open_price", "high_price", "low_price", "close_price"), price)
        generator.update_bar(
            BarData("FAKE", "A", Exchange.BINANCE, moment, Interval.MINUTE, volume=price, **values)
        )
    generator.update_time(START + dt.timedelta(days=9))
    assert [(bar.datetime, bar.open_price, bar.close_price, bar.volume) for bar in bars] == [
        (START + dt.timedelta(minutes=first), prices[0], prices[-1], sum(prices))
        for first, prices in expected.items()
    ]
