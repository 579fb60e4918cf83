"""The nouns: vnpy's names over values that nobody can change."""

import datetime as dt
import gc

import msgspec
import pytest

from foxtrot.model import objects
from foxtrot.model.constants import Direction, Exchange, Interval, OrderType, Product, Status
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    DayStatistics,
    DepthData,
    LogData,
    MarketTradeData,
    OrderData,
    PositionData,
    QuoteData,
    Source,
    TickData,
    TradeData,
    utc,
)
from foxtrot.model.requests import CancelRequest

SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE")
OWNED = ("BINANCE", "BTCUSDT", Exchange.BINANCE)
NOW_NS = 1_700_000_000_123_456_789
NOW = dt.datetime(2023, 11, 14, 22, 13, 20, 123456, dt.UTC)

PUSHED: list[msgspec.Struct] = [
    TickData(SOURCE, NOW_NS, NOW_NS),
    DepthData(SOURCE, NOW_NS, NOW_NS),
    MarketTradeData(SOURCE, NOW_NS, NOW_NS, "1", 2.0, 3.0, Direction.LONG),
    BarData(*OWNED, NOW),
    OrderData(*OWNED, "1"),
    TradeData(*OWNED, "1", "2"),
    PositionData(*OWNED, Direction.NET),
    AccountData("BINANCE", "USDT"),
    ContractData(*OWNED, "Bitcoin", Product.SPOT, 1.0, 0.01),
    QuoteData(*OWNED, "1"),
    LogData("BINANCE", "hello"),
]


@pytest.mark.parametrize("data", PUSHED, ids=lambda value: type(value).__name__)
def test_what_is_pushed_cannot_be_changed(data: msgspec.Struct) -> None:
    """A handler cannot spoil an object for the next one."""
    for name in data.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(data, name, None)


@pytest.mark.parametrize("data", PUSHED, ids=lambda value: type(value).__name__)
def test_what_is_pushed_stays_out_of_the_collector(data: msgspec.Struct) -> None:
    """A million ticks cost the garbage collector nothing."""
    assert not gc.is_tracked(data)


@pytest.mark.parametrize("data", PUSHED, ids=lambda value: type(value).__name__)
def test_vnpy_reads_gateway_name(data: msgspec.Struct) -> None:
    """Code written for vnpy finds the adapter's name where it looks for it."""
    assert data.gateway_name == data.adapter_name == "BINANCE"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data", [data for data in PUSHED if hasattr(data, "symbol")], ids=lambda v: type(v).__name__
)
def test_everything_of_a_symbol_has_a_vt_symbol(data: msgspec.Struct) -> None:
    """`symbol.EXCHANGE`, as vnpy writes it."""
    assert data.vt_symbol == "BTCUSDT.BINANCE"  # type: ignore[attr-defined]
    assert data.symbol == "BTCUSDT"  # type: ignore[attr-defined]
    assert data.exchange is Exchange.BINANCE  # type: ignore[attr-defined]


def test_every_object_of_the_model_is_tried_here() -> None:
    """A new object comes with its place in this file."""
    named = {name for name in vars(objects) if name.endswith("Data")}
    assert named == {type(data).__name__ for data in PUSHED}


def test_a_tick_has_vnpys_flat_names_over_its_blocks() -> None:
    """Shared blocks inside, the names that everybody knows outside."""
    day = DayStatistics(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    tick = TickData(SOURCE, NOW_NS, NOW_NS, 10.0, day=day)
    names = ["volume", "turnover", "open_interest", "open_price", "high_price", "low_price"]
    names += ["pre_close", "limit_up", "limit_down", "last_price"]
    assert [getattr(tick, name) for name in names] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert (tick.name, tick.adapter_name) == ("BTCUSDT", "BINANCE")


def test_a_tick_has_five_levels_where_there_is_depth() -> None:
    """Levels that are not there read as 0.0, as in vnpy."""
    bids = tuple((100.0 - level, 1.0 + level) for level in range(1, 6))
    tick = TickData(SOURCE, NOW_NS, NOW_NS, bids=bids, asks=((101.0, 1.0), (102.0, 2.0)))
    for level in range(2, 6):
        assert getattr(tick, f"bid_price_{level}") == 100.0 - level
        assert getattr(tick, f"bid_volume_{level}") == 1.0 + level
    assert (tick.ask_price_2, tick.ask_volume_2) == (102.0, 2.0)
    assert (tick.ask_price_3, tick.ask_volume_5) == (0.0, 0.0)


def test_a_tick_without_the_venues_time_has_that_of_its_receipt() -> None:
    """`datetime` is always a time, in UTC; `localtime` is when the bytes came."""
    tick = TickData(SOURCE, 0, NOW_NS)
    assert tick.datetime == tick.localtime == NOW
    assert TickData(SOURCE, NOW_NS, NOW_NS + 10**9).datetime == NOW


def test_nanoseconds_become_utc_without_rounding_up() -> None:
    """To the microsecond, also before the epoch and at its edge."""
    assert utc(NOW_NS) == NOW
    assert utc(0) == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert utc(999) == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert utc(-1) == dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.UTC)


@pytest.mark.parametrize("status", list(Status))
def test_an_order_is_active_while_it_may_trade(status: Status) -> None:
    """SUBMITTING, NOTTRADED and PARTTRADED are active, as in vnpy."""
    active = {Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED}
    assert OrderData(*OWNED, "1", status=status).is_active() == (status in active)


def test_an_order_makes_the_request_that_cancels_it() -> None:
    """vnpy's desktop cancels by a double click on the order."""
    order = OrderData(*OWNED, "1", type=OrderType.LIMIT)
    assert order.create_cancel_request() == CancelRequest("1", "BTCUSDT", Exchange.BINANCE)


def test_ids_are_unique_over_adapters() -> None:
    """Every vt_ id begins with the adapter's name."""
    assert OrderData(*OWNED, "1").vt_orderid == "BINANCE.1"
    assert TradeData(*OWNED, "1", "2").vt_orderid == "BINANCE.1"
    assert TradeData(*OWNED, "1", "2").vt_tradeid == "BINANCE.2"
    assert QuoteData(*OWNED, "3").vt_quoteid == "BINANCE.3"
    assert AccountData("BINANCE", "USDT").vt_accountid == "BINANCE.USDT"
    position = PositionData(*OWNED, Direction.NET)
    assert position.vt_positionid == "BINANCE.BTCUSDT.BINANCE.Net"


def test_what_is_free_is_what_is_not_frozen() -> None:
    """available = balance - frozen."""
    assert AccountData("BINANCE", "USDT", 10.0, 4.0).available == 6.0


def test_a_log_line_has_its_time() -> None:
    """INFO by default, and UTC."""
    entry = LogData("BINANCE", "hello", ts_ns=NOW_NS)
    assert (entry.level, entry.time) == (20, NOW)


def test_a_bar_may_still_be_moving() -> None:
    """Closed unless it says otherwise."""
    assert BarData(*OWNED, NOW, Interval.MINUTE).closed
