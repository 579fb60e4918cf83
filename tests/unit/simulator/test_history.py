"""The deterministic past."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.simulator.history import LAUNCH_MS, Bar, Path, bar_end, bar_start
from foxtrot.simulator.listings import listing

AT = 1_790_000_000_000


def path(seed: int = 3) -> Path:
    return Path(listing("BTCUSDT"), seed)


def ms(*when: int) -> int:
    return int(dt.datetime(*when, tzinfo=dt.UTC).timestamp() * 1000)


def test_the_same_seed_gives_the_same_past() -> None:
    """A bar can be asked for again and is the same; another seed has another."""
    assert path().bar(AT, AT + 60_000) == path().bar(AT, AT + 60_000)
    assert path().bar(AT, AT + 60_000) != path(4).bar(AT, AT + 60_000)


def test_neighbouring_bars_meet() -> None:
    """A bar opens where the one before closed, and its trade ids follow."""
    first, second = path().bar(AT, AT + 60_000), path().bar(AT + 60_000, AT + 120_000)
    assert first.close_e8 == second.open_e8
    assert first.last_id + 1 == second.first_id


def test_volume_adds_up_over_intervals() -> None:
    """Sixty minutes hold what their hour holds."""
    hour = path().bar(AT, AT + 3_600_000)
    minutes = [path().bar(AT + n * 60_000, AT + (n + 1) * 60_000) for n in range(60)]
    assert sum(bar.volume_e8 for bar in minutes) == hour.volume_e8
    assert sum(bar.trades for bar in minutes) == hour.trades


def test_a_bar_holds_its_own_prices() -> None:
    """High and low enclose open and close, and the taker's share is a share."""
    for n in range(50):
        bar = path().bar(AT + n * 60_000, AT + (n + 1) * 60_000)
        assert bar.low_e8 <= min(bar.open_e8, bar.close_e8)
        assert bar.high_e8 >= max(bar.open_e8, bar.close_e8)
        assert 0 <= bar.taker_volume_e8 <= bar.volume_e8


def test_nothing_was_traded_before_the_launch() -> None:
    """A bar that starts before the launch holds only what came after it."""
    assert path().bar(LAUNCH_MS - 60_000, LAUNCH_MS).trades == 0


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("1s", ms(2026, 11, 18, 13, 37, 21), ms(2026, 11, 18, 13, 37, 22)),
        ("5m", ms(2026, 11, 18, 13, 35), ms(2026, 11, 18, 13, 40)),
        ("1d", ms(2026, 11, 18), ms(2026, 11, 19)),
        ("1w", ms(2026, 11, 16), ms(2026, 11, 23)),
        ("1M", ms(2026, 11, 1), ms(2026, 12, 1)),
    ],
)
def test_bars_start_where_the_calendar_says(interval: str, start: int, end: int) -> None:
    """Weeks start on Monday and months on the first, in UTC."""
    at = ms(2026, 11, 18, 13, 37, 21)
    assert bar_start(interval, at) == start
    assert bar_end(interval, start) == end


def test_a_bar_without_trades_changes_nothing() -> None:
    """An empty minute does not touch the hour it belongs to."""
    hour = path().bar(AT, AT + 60_000)
    before = hour.close_e8
    hour.add(Bar.flat(AT + 60_000, AT + 120_000, 1))
    assert hour.close_e8 == before
