"""Contracts, search and the past of IB, through the adapter and a real socket."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from foxtrot import MainEngine
from foxtrot.adapter.ib import search
from foxtrot.adapter.ib.adapter import IbAdapter
from foxtrot.adapter.ib.archive import TickKind
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.errors import InvalidState, UnknownSymbol
from foxtrot.model.constants import Exchange, Interval, Product
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_venue import running_ib

AAPL = "AAPL-USD-STK"
STOCKS = tuple(f"{root}-USD-STK" for root in ("MSFT", "NVDA", "TSLA", "IBM", "SPY"))
"""Several, as the pace of history is one of each contract."""

INTERVALS = sorted(IbAdapter.capabilities.intervals, key=lambda interval: interval.value)
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


@pytest.fixture(scope="module")
def venue() -> Iterator[SimulatedIb]:
    """A gateway with its whole universe."""
    with running_ib(None) as venue:
        yield venue


@pytest.fixture(scope="module")
def adapter(venue: SimulatedIb) -> Iterator[IbAdapter]:
    """An adapter that was told where it is; nothing streams or trades, and searches do not wait."""
    with pytest.MonkeyPatch.context() as patch, MainEngine() as engine:
        patch.setattr(search, "GAP_S", 0.01)
        adapter = engine.add_adapter(IbAdapter)
        adapter.connect({"environment": "simulated", "port": venue.port, "read_only": True})
        yield adapter


def bars_of(
    adapter: IbAdapter,
    start: dt.datetime,
    end: dt.datetime | None = None,
    interval: Interval = Interval.MINUTE,
    symbol: tuple[str, Exchange] = (AAPL, Exchange.SMART),
) -> list[BarData]:
    """Bars of the past."""
    return adapter.query_history(HistoryRequest(*symbol, start, end, interval))


def now() -> dt.datetime:
    """This minute."""
    return dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)


def test_names_of_every_kind_are_contracts(adapter: IbAdapter, venue: SimulatedIb) -> None:
    """Stocks, pairs, indices, futures, options and conIds are found, and what is none is said."""
    es = venue.universe.futures("ES")[0]
    names = {
        f"{AAPL}.SMART": Product.EQUITY,
        "SPY-USD-STK.SMART": Product.ETF,
        "EUR-USD-CASH.IDEALPRO": Product.FOREX,
        "SPX-USD-IND.CBOE": Product.INDEX,
        f"ES-{es.expiry}-USD-FUT.CME": Product.FUTURES,
        f"ES-{es.expiry[:6]}-50-USD-FUT.CME": Product.FUTURES,
        "265598.SMART": Product.EQUITY,
    }
    found = adapter.validate_symbols([*names, "NOBODY-USD-STK.SMART"])
    known = {name: each for name, each in found.items() if isinstance(each, Instrument)}
    assert {name: each.data.product for name, each in known.items()} == names
    assert isinstance(found["NOBODY-USD-STK.SMART"], UnknownSymbol)


def test_an_option_is_found_by_its_terms(adapter: IbAdapter, venue: SimulatedIb) -> None:
    """Expiry, right, strike and multiplier name one contract."""
    listed = next(each for each in venue.universe.contracts.values() if each.sec_type == "OPT")
    terms = f"{listed.expiry}-{listed.right}-{listed.strike:g}-{listed.multiplier}"
    name = f"{listed.symbol}-{terms}-USD-OPT.SMART"
    found = adapter.validate_symbols([name])[name]
    assert isinstance(found, Instrument)
    assert found.con_id == listed.con_id


def test_misspelt_symbols_come_with_advice(adapter: IbAdapter) -> None:
    """The error names what was meant."""
    with pytest.raises(UnknownSymbol, match="TSLA-USD-STK"):
        bars_of(adapter, now() - DAY, symbol=("TSLAA-USD-STK", Exchange.SMART))


def test_search_finds_by_symbol_and_by_name(adapter: IbAdapter) -> None:
    """What is found can be used as it stands."""
    assert f"{AAPL}.SMART" in [match.vt_symbol for match in adapter.search_contracts("AAP")]
    (match,) = [each for each in adapter.search_contracts("micros") if each.currency == "USD"]
    assert (match.vt_symbol, match.primary_exchange) == ("MSFT-USD-STK.SMART", "NASDAQ")


def test_many_pages_join_without_seams(adapter: IbAdapter, venue: SimulatedIb) -> None:
    """Each minute of days is there once, both ends too, and progress reaches its end."""
    end = now() - DAY
    start, told = end - 3 * DAY, list[tuple[int, int]]()
    request = HistoryRequest(AAPL, Exchange.SMART, start, end)
    bars = adapter.query_history(request, lambda done, of: told.append((done, of)))
    minutes = 3 * DAY // MINUTE
    assert [bar.datetime for bar in bars] == [start + n * MINUTE for n in range(minutes + 1)]
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert not venue.violations


def test_days_begin_at_the_exchange(adapter: IbAdapter) -> None:
    """A day's bar starts at midnight in New York, a week's on its Monday."""
    zone = ZoneInfo("America/New_York")
    for interval in (Interval.DAILY, Interval.WEEKLY):
        symbol = ("IBM-USD-STK", Exchange.SMART)
        bars = bars_of(adapter, now() - 60 * DAY, None, interval, symbol)
        local = [bar.datetime.astimezone(zone) for bar in bars]
        assert {(each.hour, each.minute) for each in local} == {(0, 0)}
        if interval is Interval.WEEKLY:
            assert {each.weekday() for each in local} == {0}
        assert [bar.closed for bar in bars] == [True] * (len(bars) - 1) + [False]


@pytest.mark.parametrize("number", range(len(INTERVALS)))
def test_each_interval_has_bars(adapter: IbAdapter, number: int) -> None:
    """What is offered is had, in order."""
    interval, symbol = INTERVALS[number], (STOCKS[number % len(STOCKS)], Exchange.SMART)
    days = {"s": 0.05, "m": 3}.get(interval.value[-1], 40)
    bars = bars_of(adapter, now() - days * DAY, None, interval, symbol)
    times = [bar.datetime for bar in bars]
    assert times
    assert times == sorted(set(times))
    assert {bar.interval for bar in bars} == {interval}


def test_pairs_have_bars_of_their_mid_points(adapter: IbAdapter) -> None:
    """Where no trades are told, the prices are quotes, and there is no volume."""
    bars = bars_of(
        adapter, now() - 5 * DAY, None, Interval.HOUR, ("EUR-USD-CASH", Exchange.IDEALPRO)
    )
    assert bars
    assert {bar.volume for bar in bars} == {0.0}


def test_what_is_ahead_or_long_gone_is_empty(adapter: IbAdapter) -> None:
    """Neither the future nor the time before the first bar is an error."""
    assert bars_of(adapter, now() + DAY, now() + 2 * DAY) == []
    spx = ("SPX-USD-IND", Exchange.CBOE)
    head = adapter.head_timestamp(*spx)
    assert head is not None
    assert bars_of(adapter, head - 900 * DAY, head - 800 * DAY, symbol=spx) == []


def test_ticks_of_the_past_come_in_order(adapter: IbAdapter) -> None:
    """Trades and quotes of a span, however many pages they are."""
    busy = now() - 5 * MINUTE
    request = HistoryRequest(AAPL, Exchange.SMART, busy - 5 * MINUTE, busy)
    trades = adapter.query_ticks(request)
    times = [tick.datetime for tick in trades]
    assert trades
    assert times == sorted(times)
    assert busy - 5 * MINUTE <= times[0] <= times[-1] <= busy
    assert all(tick.last_price > 0 for tick in trades)
    quotes = adapter.query_ticks(request, TickKind.BID_ASK)
    assert quotes
    assert all(0 < tick.bid_price_1 < tick.ask_price_1 for tick in quotes)


def test_nothing_is_looked_up_before_connect() -> None:
    """Without knowing where to ask, nothing is asked."""
    with MainEngine() as engine:
        adapter = engine.add_adapter(IbAdapter)
        with pytest.raises(InvalidState, match="connect"):
            adapter.search_contracts("AAPL")
