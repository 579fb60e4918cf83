"""BarGenerator: every tick in the bar of its own minute, every minute in its own window."""

import datetime as dt
import math

import msgspec
import pytest

from foxtrot.engine.bars import BarGenerator
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.model.constants import Exchange, Interval
from foxtrot.model.objects import NS_PER_S, BarData, DayStatistics, Source, TickData

SOURCE = Source.of("A", Exchange.BINANCE, "FAKE")
START = dt.datetime(2026, 1, 5, 9, 30, tzinfo=dt.UTC)
START_NS = int(START.timestamp()) * NS_PER_S


def tick(second: float, price: float, volume: float | None = None, **day: float) -> TickData:
    """A tick so many seconds after the start; with a volume, of the day so far."""
    statistics = DayStatistics(volume=volume, **day) if volume is not None else DayStatistics()
    at_ns = START_NS + int(second * NS_PER_S)
    return TickData(SOURCE, at_ns, at_ns + 1, price, day=statistics)


def traded(each: TickData) -> TickData:
    """The tick, with the volume of its last trade."""
    return msgspec.structs.replace(each, last_volume=2.0)


def minute(number: int, price: float = 10.0, volume: float = 1.0, **other: object) -> BarData:
    """A bar of the minute of that number."""
    fields: dict[str, object] = {"interval": Interval.MINUTE, **other}
    return BarData(
        "FAKE",
        "A",
        Exchange.BINANCE,
        at(number),
        volume=volume,
        turnover=volume * price,
        open_price=price,
        high_price=price + 1,
        low_price=price - 1,
        close_price=price + 0.5,
        **fields,  # type: ignore[arg-type]
    )


def at(minutes: float) -> dt.datetime:
    return START + dt.timedelta(minutes=minutes)


def bars_of(*ticks: TickData) -> list[BarData]:
    """The bars of these ticks, the last of them closed by the time."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append)
    for each in ticks:
        generator.update_tick(each)
    generator.update_time(at(100_000))
    return bars


def windows_of(window: int, interval: Interval, *numbers: int) -> list[BarData]:
    """The windows closed by these minutes alone."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append, window, bars.append, interval)
    for number in numbers:
        generator.update_bar(minute(number))
    return bars


def test_a_bar_has_the_prices_of_its_minute() -> None:
    """First, highest, lowest and last price, the growth of volume, and whose it is."""
    (bar,) = bars_of(
        tick(0, 10, 100, turnover=1000, open_interest=5),
        tick(1, 12, 101, turnover=1012, open_interest=6),
        tick(30, 9, 104, turnover=1040, open_interest=7),
        tick(59.9, 11, 104, turnover=1040, open_interest=8),
    )
    assert bar == BarData(
        "FAKE",
        "A",
        Exchange.BINANCE,
        START,
        interval=Interval.MINUTE,
        volume=4,
        turnover=40,
        open_interest=8,
        open_price=10,
        high_price=12,
        low_price=9,
        close_price=11,
    )


def test_the_first_tick_of_a_later_minute_closes_a_bar() -> None:
    """Not the last of its own: more may come."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append)
    generator.update_tick(tick(0, 10))
    generator.update_tick(tick(59, 11))
    assert bars == []
    generator.update_tick(tick(60, 12))
    assert [bar.close_price for bar in bars] == [11]


def test_the_time_closes_a_bar_some_seconds_after_its_end() -> None:
    """A market that falls silent leaves no bar hanging; its last ticks have five seconds."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append)
    generator.update_tick(tick(59, 11))
    generator.update_time(START + dt.timedelta(seconds=64.9))
    assert bars == []
    generator.update_tick(tick(59.5, 12))
    generator.update_time(START + dt.timedelta(seconds=65))
    assert [bar.close_price for bar in bars] == [12]
    generator.update_time(START + dt.timedelta(seconds=66))
    assert len(bars) == 1


def test_a_tick_for_a_closed_bar_is_left_out_and_counted() -> None:
    """A bar that was told is never told again, whoever closed it."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append)
    generator.update_tick(tick(30, 10))
    generator.update_time(at(2))
    generator.update_tick(tick(59, 99))
    generator.update_tick(tick(60, 11))
    generator.update_tick(tick(120, 12))
    generator.update_tick(tick(119, 99))
    generator.update_time(at(4))
    assert [(bar.datetime, bar.high_price) for bar in bars] == [
        (START, 10),
        (at(1), 11),
        (at(2), 12),
    ]
    assert generator.late == 2


def test_minutes_without_a_tick_are_not_made_up() -> None:
    """After a gap the next bar is that of the next tick."""
    bars = bars_of(tick(0, 10), tick(600, 11))
    assert [bar.datetime for bar in bars] == [START, at(10)]


def test_ticks_out_of_order_count_by_their_own_time() -> None:
    """Opening and closing price are those of the first and last moment."""
    (bar,) = bars_of(tick(10, 10), tick(50, 12), tick(30, 15), tick(5, 9))
    assert (bar.open_price, bar.high_price, bar.low_price, bar.close_price) == (9, 15, 9, 12)


def test_a_tick_that_comes_late_trades_no_volume_twice() -> None:
    """The day's volume is that of the newest moment, not of the newest arrival."""
    (bar,) = bars_of(tick(0, 10, 100), tick(50, 10, 110), tick(30, 10, 105), tick(55, 10, 112))
    assert bar.volume == 12


def test_a_duplicate_changes_nothing() -> None:
    """A venue that repeats itself does not trade twice."""
    one, two = tick(0, 10, 100), tick(10, 11, 105)
    assert bars_of(one, two) == bars_of(one, one, two, two, one)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_a_tick_without_a_price_says_nothing(price: float) -> None:
    """A quote before the first trade makes no bar at 0."""
    assert bars_of(tick(0, price)) == []
    assert bars_of(tick(0, 10, 100), tick(60, price, 200)) == bars_of(tick(0, 10, 100))


def test_a_tick_without_a_venues_time_counts_by_its_receipt() -> None:
    """Some streams carry no time."""
    untimed = TickData(SOURCE, 0, START_NS + 61 * NS_PER_S, 10)
    (bar,) = bars_of(untimed)
    assert bar.datetime == at(1)


def test_the_days_volume_starting_anew_is_no_negative_trade() -> None:
    """What the new day traded by its first tick belongs to that tick's bar."""
    first, second = bars_of(tick(0, 10, 5000), tick(1, 10, 5010), tick(60, 10, 30))
    assert (first.volume, second.volume) == (10, 30)


def test_a_rolling_day_that_shrinks_adds_nothing() -> None:
    """Binance's volume of 24 hours falls when old trades drop out."""
    (bar,) = bars_of(tick(0, 10, 5000), tick(1, 10, 4990), tick(2, 10, 4995))
    assert bar.volume == 5


def test_a_tick_without_statistics_leaves_the_volume_alone() -> None:
    """After a reconnect they come later than the first prices."""
    (bar,) = bars_of(tick(0, 10, 5000), tick(1, 10), tick(2, 10, 5003))
    assert bar.volume == 3


def test_a_volume_that_is_told_after_the_rest_of_the_day_is_no_trade() -> None:
    """IB tells the day piece by piece; nobody trades a whole day's volume in one minute."""
    (bar,) = bars_of(tick(0, 10, 0, high_price=12), tick(1, 10, 5000), tick(2, 10, 5003))
    assert bar.volume == 3
    (bar,) = bars_of(
        tick(0, 10, 5000),
        tick(1, 10, 0, low_price=9),
        tick(2, 10, 0, low_price=9, high_price=12),
        tick(3, 10, 5003),
    )
    assert bar.volume == 3
    (bar,) = bars_of(traded(tick(0, 10, 0, pre_close=9)), traded(tick(1, 10, 5000)))
    assert bar.volume == 0


def test_what_the_opening_trades_is_counted() -> None:
    """Before it the day has a volume, which is 0, and no price of its own."""
    (bar,) = bars_of(tick(0, 10, 0, pre_close=10), tick(1, 10, 5000, high_price=10, low_price=10))
    assert bar.volume == 5000


def test_a_tick_of_another_symbol_is_refused() -> None:
    """Two markets in one bar would be nobody's prices."""
    other = TickData(Source.of("B", Exchange.BINANCE, "FAKE"), 1, 1, 1.0)
    generator = BarGenerator(lambda bar: None)
    generator.update_tick(tick(0, 10))
    with pytest.raises(InvalidState, match=r"bars of A\.BINANCE; give B\.BINANCE its own"):
        generator.update_tick(other)


# ------------------------------------------------------------------ windows


def test_a_window_is_told_with_its_last_minute() -> None:
    """As soon as 9:34 is there, 9:30 to 9:34 is told; in the sum of its minutes."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append, 5, bars.append)
    for number, price in enumerate([10, 30, 5, 20, 15]):
        assert bars == []
        generator.update_bar(minute(number, price, volume=number))
    assert bars == [
        BarData(
            "FAKE",
            "A",
            Exchange.BINANCE,
            START,
            interval=Interval.MINUTE_5,
            volume=10,
            turnover=30 + 10 + 60 + 60,
            open_price=10,
            high_price=31,
            low_price=4,
            close_price=15.5,
        )
    ]


def test_a_missing_last_minute_does_not_melt_two_windows() -> None:
    """9:34 never came: 9:35 closes the first window and opens the second."""
    bars = windows_of(5, Interval.MINUTE, 0, 3, 5, 9)
    assert [(bar.datetime, bar.volume) for bar in bars] == [(START, 2), (at(5), 2)]


def test_hours_begin_at_the_full_hour() -> None:
    """The first hour of a run that starts at 9:30 is half an hour, not one and a half."""
    bars = windows_of(1, Interval.HOUR, *range(90))
    assert [(bar.datetime, bar.volume) for bar in bars] == [(at(-30), 30), (at(30), 60)]
    assert {bar.interval for bar in bars} == {Interval.HOUR}


def test_a_window_over_a_break_of_the_market_keeps_to_its_hours() -> None:
    """Trading stops 11:30 and begins again 13:00: no window holds minutes of both sides."""
    bars = windows_of(2, Interval.HOUR, *range(120), *range(210, 300))
    assert [(bar.datetime.hour, bar.volume) for bar in bars] == [(8, 30), (10, 90), (12, 60)]
    assert bars[0].interval is None


def test_the_time_closes_a_window_too() -> None:
    """No minute of a silent market will come to close it."""
    bars: list[BarData] = []
    generator = BarGenerator(lambda bar: None, 5, bars.append)
    generator.update_bar(minute(1))
    generator.update_time(at(5))
    assert bars == []
    generator.update_time(at(5) + dt.timedelta(seconds=5))
    assert [bar.datetime for bar in bars] == [START]
    generator.update_bar(minute(2))
    assert generator.late == 1


def test_minutes_that_come_twice_or_late_or_still_move_are_left_out() -> None:
    """Their volume counts once."""
    bars: list[BarData] = []
    generator = BarGenerator(bars.append, 5, bars.append)
    for number in (0, 0, 2, 1):
        generator.update_bar(minute(number))
    generator.update_bar(minute(3, volume=99, closed=False))
    generator.update_bar(minute(4))
    assert [bar.volume for bar in bars] == [3]
    assert generator.late == 2


def test_ticks_make_windows_as_vnpys_users_write_it() -> None:
    """on_bar hands each minute to update_bar of the same generator."""
    bars: list[BarData] = []
    generator = BarGenerator(lambda bar: generator.update_bar(bar), 5, bars.append)
    for second in range(0, 601, 20):
        generator.update_tick(tick(second, 10 + second, second * 1.0))
    assert [(bar.datetime, bar.open_price, bar.close_price) for bar in bars] == [
        (START, 10, 290),
        (at(5), 310, 590),
    ]


@pytest.mark.parametrize(
    ("window", "interval", "problem"),
    [
        (7, Interval.MINUTE, "window: must fill a day of 24 hours in whole bars; 7 x 1m does not"),
        (-5, Interval.MINUTE, "window: must fill a day of 24 hours in whole bars; -5 x 1m"),
        (5, Interval.HOUR, "window: must fill a day of 24 hours in whole bars; 5 x 1h does not"),
        (1, Interval.DAILY, "interval: must be 1m or 1h; was d"),
    ],
)
def test_a_window_that_would_drift_is_refused(
    window: int, interval: Interval, problem: str
) -> None:
    """Seven minutes begin at another minute each day."""
    with pytest.raises(ConfigurationError, match=problem):
        BarGenerator(lambda bar: None, window, lambda bar: None, interval)


def test_a_window_needs_somebody_who_takes_it() -> None:
    """And minutes need a window; both are said in words."""
    with pytest.raises(ConfigurationError, match="on_window_bar: is needed with a window"):
        BarGenerator(lambda bar: None, 5)
    with pytest.raises(InvalidState, match="has no window"):
        BarGenerator(lambda bar: None).update_bar(minute(0))


def test_windows_are_made_of_minutes_alone() -> None:
    """A bar of an hour would count as one minute."""
    generator = BarGenerator(lambda bar: None, 5, lambda bar: None)
    with pytest.raises(InvalidState, match="made of 1m bars, not of 1h"):
        generator.update_bar(minute(0, interval=Interval.HOUR))
