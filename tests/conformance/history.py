"""Cards HI: bars of the past."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.errors import ConfigurationError, FoxtrotError, InvalidState, UnknownSymbol
from foxtrot.model.constants import Interval
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from tests.conformance.base import Cards
from tests.support.rig import Rig

MINUTE = dt.timedelta(minutes=1)


class HistoryCards(Cards):
    """HI010 to HI070."""

    def test_HI010_many_pages_without_seams(self, rig: Rig) -> None:
        """HI010: history longer than one answer of the venue comes in one piece.

        Prerequisite: connected. Action: ask for 3,000 minutes.
        Expected: progress, never backwards. Pass: 3,000 bars, one per minute, none twice.
        """
        self.needs_history(rig)
        rig.connect()
        told: list[tuple[int, int]] = []
        end = this_minute() - MINUTE
        start = end - 2_999 * MINUTE
        bars = rig.engine.query_history(
            request(rig, start, end), rig.name, lambda done, of: told.append((done, of))
        )
        assert [bar.datetime for bar in bars] == [start + n * MINUTE for n in range(3_000)]
        assert len(told) >= 3
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]

    def test_HI020_bars_are_valid(self, rig: Rig) -> None:
        """HI020: each bar is usable.

        Prerequisite: connected. Action: ask for two hours.
        Expected: bars. Pass: names, zone, prices in order, only the last may still move.
        """
        self.needs_history(rig)
        rig.connect()
        bars = ask(rig, this_minute() - 120 * MINUTE, None)
        assert len(bars) in (121, 122)
        assert all(bar.closed for bar in bars[:-2])
        assert not bars[-1].closed
        for bar in bars:
            assert (bar.symbol, bar.adapter_name) == (rig.venue.symbols[0], rig.name)
            assert bar.datetime.utcoffset() == dt.timedelta(0)
            assert bar.interval is Interval.MINUTE
            assert bar.low_price <= min(bar.open_price, bar.close_price)
            assert bar.high_price >= max(bar.open_price, bar.close_price)

    def test_HI030_each_offered_interval_works(self, rig: Rig) -> None:
        """HI030: what is offered is had.

        Prerequisite: connected. Action: ask for a month by each interval, for less by short ones.
        Expected: bars. Pass: in order, of that interval, none twice.
        """
        self.needs_history(rig)
        rig.connect()
        end = this_minute()
        for interval in rig.adapter.capabilities.intervals:
            days = {"s": 0.05, "m": 1}.get(interval.value[-1], 30)
            asked = request(rig, end - dt.timedelta(days=days), end, interval)
            bars = rig.engine.query_history(asked, rig.name)
            times = [bar.datetime for bar in bars]
            assert times
            assert times == sorted(set(times))
            assert {bar.interval for bar in bars} == {interval}

    def test_HI040_bad_requests_are_named(self, rig: Rig) -> None:
        """HI040: a request that makes no sense is refused in words.

        Prerequisite: connected. Action: no time zone; start after end; an interval that is none.
        Expected: ConfigurationError. Pass: it names the field.
        """
        self.needs_history(rig)
        rig.connect()
        now = this_minute()
        wrong = (
            ("start", request(rig, now.replace(tzinfo=None), now)),
            ("end", request(rig, now, now.replace(tzinfo=None))),
            ("start", request(rig, now, now - MINUTE)),
            ("interval", request(rig, now - MINUTE, now, Interval.TICK)),
        )
        for field, asked in wrong:
            with pytest.raises(ConfigurationError) as caught:
                rig.engine.query_history(asked, rig.name)
            assert caught.value.field == field

    def test_HI050_an_unknown_symbol_comes_with_advice(self, rig: Rig) -> None:
        """HI050: a misspelt symbol is named with the nearest one.

        Prerequisite: connected. Action: ask for the misspelt symbol.
        Expected: UnknownSymbol. Pass: the text names what was meant.
        """
        self.needs_history(rig)
        rig.connect()
        wrong, meant = rig.venue.misspelt
        asked = HistoryRequest(wrong, rig.venue.exchange, this_minute() - MINUTE)
        with pytest.raises(UnknownSymbol, match=meant):
            rig.engine.query_history(asked, rig.name)

    def test_HI060_history_needs_a_connect_setting(self, rig: Rig) -> None:
        """HI060: without knowing where to ask nothing is asked.

        Prerequisite: connect was never called. Action: ask.
        Expected: InvalidState. Pass: at once, with the advice to connect.
        """
        self.needs_history(rig)
        with pytest.raises(InvalidState, match="connect"):
            ask(rig, this_minute() - MINUTE, None)

    def test_HI070_a_venue_that_is_away_is_an_error(self, rig: Rig) -> None:
        """HI070: no bars because nobody answered is not the same as no bars.

        Prerequisite: the venue is gone. Action: ask.
        Expected: an error of the transport. Pass: never an empty list.
        """
        self.needs_history(rig)
        rig.ready(rig.venue.symbols[0])
        rig.venue.stop()
        with pytest.raises(FoxtrotError):
            ask(rig, this_minute() - MINUTE, None)

    def test_HI080_the_future_is_empty(self, rig: Rig) -> None:
        """HI080: bars end now, however far the request reaches.

        Prerequisite: connected. Action: ask for a day that has not come.
        Expected: no bars or an error in words. Pass: no bar that starts after now.
        """
        self.needs_history(rig)
        rig.connect()
        tomorrow = this_minute() + dt.timedelta(days=1)
        assert ask(rig, tomorrow, tomorrow + dt.timedelta(days=1)) == []
        bars = ask(rig, this_minute() - 5 * MINUTE, tomorrow)
        assert bars
        assert bars[-1].datetime <= dt.datetime.now(dt.UTC)


def this_minute() -> dt.datetime:
    """The start of the minute, UTC."""
    return dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)


def request(
    rig: Rig, start: dt.datetime, end: dt.datetime | None, interval: Interval = Interval.MINUTE
) -> HistoryRequest:
    """A request for the first symbol."""
    return HistoryRequest(rig.venue.symbols[0], rig.venue.exchange, start, end, interval)


def ask(rig: Rig, start: dt.datetime, end: dt.datetime | None) -> list[BarData]:
    """Bars of a minute of the first symbol."""
    return rig.engine.query_history(request(rig, start, end), rig.name)
