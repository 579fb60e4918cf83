"""The cache keeps the latest of everything, for readers of any thread."""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.oms import Shelf
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Direction, Exchange, Interval, Product, Status
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    DepthData,
    OrderData,
    PositionData,
    QuoteData,
    Source,
    TickData,
    TradeData,
)
from tests.support.events import WAIT_S
from tests.support.fake_adapter import FakeAdapter

SOURCE = Source.of("A", Exchange.BINANCE, "FAKE")
OWNED = ("FAKE", "A", Exchange.BINANCE)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

Getter = Callable[[MainEngine], object]
CASES: list[tuple[str, object, object, Getter, Getter | None]] = [
    (
        "on_tick",
        TickData(SOURCE, 1, 1),
        TickData(SOURCE, 2, 2),
        lambda e: e.get_tick("A.BINANCE"),
        lambda e: e.get_all_ticks(),
    ),
    (
        "on_depth",
        DepthData(SOURCE, 1, 1),
        DepthData(SOURCE, 2, 2),
        lambda e: e.get_depth("A.BINANCE"),
        None,
    ),
    (
        "on_order",
        OrderData(*OWNED, "1"),
        OrderData(*OWNED, "1", traded=1.0),
        lambda e: e.get_order("FAKE.1"),
        lambda e: e.get_all_orders(),
    ),
    (
        "on_trade",
        TradeData(*OWNED, "1", "2"),
        TradeData(*OWNED, "1", "2", volume=1.0),
        lambda e: e.get_trade("FAKE.2"),
        lambda e: e.get_all_trades(),
    ),
    (
        "on_position",
        PositionData(*OWNED, Direction.NET),
        PositionData(*OWNED, Direction.NET, volume=1.0),
        lambda e: e.get_position("FAKE.A.BINANCE.Net"),
        lambda e: e.get_all_positions(),
    ),
    (
        "on_account",
        AccountData("FAKE", "USDT"),
        AccountData("FAKE", "USDT", 1.0),
        lambda e: e.get_account("FAKE.USDT"),
        lambda e: e.get_all_accounts(),
    ),
    (
        "on_contract",
        ContractData(*OWNED, "A", Product.SPOT, 1.0, 0.01),
        ContractData(*OWNED, "A", Product.SPOT, 1.0, 0.02),
        lambda e: e.get_contract("A.BINANCE"),
        lambda e: e.get_all_contracts(),
    ),
    (
        "on_quote",
        QuoteData(*OWNED, "1"),
        QuoteData(*OWNED, "1", bid_price=1.0),
        lambda e: e.get_quote("FAKE.1"),
        lambda e: e.get_all_quotes(),
    ),
]


@pytest.fixture
def adapter(engine: MainEngine) -> BaseAdapter:
    """Whose pushes fill the cache."""
    return engine.add_adapter(FakeAdapter)


def test_fills_of_two_symbols_may_have_one_id(engine: MainEngine, adapter: BaseAdapter) -> None:
    """Venues number the fills of each symbol anew; none of them hides another."""
    fills = [TradeData("FAKE", name, Exchange.BINANCE, f"o-{name}", "7") for name in "AB"]
    for fill in (*fills, *fills):
        adapter.on_trade(fill)
    assert engine.event_engine.drain(WAIT_S)
    assert engine.get_all_trades() == fills
    assert engine.get_trade("FAKE.7") == fills[0]


@pytest.mark.parametrize(
    ("push", "first", "second", "get", "all_"), CASES, ids=[case[0] for case in CASES]
)
def test_the_latest_is_kept(
    engine: MainEngine,
    adapter: BaseAdapter,
    push: str,
    first: object,
    second: object,
    get: Getter,
    all_: Getter | None,
) -> None:
    """Nothing before the first, then the newest of each id, and each id once."""
    assert get(engine) is None
    getattr(adapter, push)(first)
    assert engine.event_engine.drain(WAIT_S)
    assert get(engine) is first
    getattr(adapter, push)(second)
    assert engine.event_engine.drain(WAIT_S)
    assert get(engine) is second
    if all_ is not None:
        assert all_(engine) == [second]


@pytest.mark.parametrize(
    ("push", "get", "first", "second"),
    [
        (
            "on_tick",
            MainEngine.get_tick,
            TickData(SOURCE, 1, 1),
            TickData(Source.of("A", Exchange.BINANCE, "TESTNET"), 2, 2),
        ),
        (
            "on_depth",
            MainEngine.get_depth,
            DepthData(SOURCE, 1, 1),
            DepthData(Source.of("A", Exchange.BINANCE, "TESTNET"), 2, 2),
        ),
        (
            "on_contract",
            MainEngine.get_contract,
            ContractData(*OWNED, "A", Product.SPOT, 1.0, 0.01),
            ContractData("TESTNET", "A", Exchange.BINANCE, "A", Product.SPOT, 1.0, 0.1),
        ),
    ],
)
def test_two_adapters_may_have_the_same_symbol(
    engine: MainEngine,
    adapter: BaseAdapter,
    push: str,
    get: Callable[..., object],
    first: object,
    second: object,
) -> None:
    """Without a name the newest of all is given, with one that adapter's own, or nothing."""
    other = engine.add_adapter(FakeAdapter, "TESTNET")
    getattr(adapter, push)(first)
    assert engine.event_engine.drain(WAIT_S)
    assert get(engine, "A.BINANCE", "TESTNET") is None
    getattr(other, push)(second)
    assert engine.event_engine.drain(WAIT_S)
    assert get(engine, "A.BINANCE") is second
    assert get(engine, "A.BINANCE", "FAKE") is first
    assert get(engine, "A.BINANCE", "testnet") is second


def test_the_market_of_an_adapter_that_is_not_there_is_a_mistake(engine: MainEngine) -> None:
    """A slip of the pen does not look like a symbol of which nothing came yet."""
    with pytest.raises(ConfigurationError, match="no adapter 'FAKED'"):
        engine.get_tick("A.BINANCE", "FAKED")


def test_bars_of_two_intervals_are_kept_apart(engine: MainEngine, adapter: BaseAdapter) -> None:
    """The minute does not overwrite the hour."""
    for interval in (Interval.MINUTE, Interval.HOUR, None):
        adapter.on_bar(BarData(*OWNED, START, interval))
    assert engine.event_engine.drain(WAIT_S)
    assert engine.oms.bars.get("A.BINANCE:1m") is not None
    assert len(engine.oms.bars.all()) == 3


def test_active_orders_are_those_that_may_trade(engine: MainEngine, adapter: BaseAdapter) -> None:
    """Final ones stay in the list of all."""
    for status in Status:
        adapter.on_order(OrderData(*OWNED, status.name, status=status))
    assert engine.event_engine.drain(WAIT_S)
    active = {order.orderid for order in engine.get_all_active_orders()}
    assert active == {"SUBMITTING", "NOTTRADED", "PARTTRADED"}
    assert len(engine.get_all_orders()) == len(Status)


def test_handlers_find_their_event_in_the_cache(engine: MainEngine, adapter: BaseAdapter) -> None:
    """The cache is written before a user's handler runs."""
    found: list[object] = []
    engine.register("eTick.", lambda event: found.append(engine.get_tick("A.BINANCE")))
    newest = TickData(SOURCE, 1, 1)
    adapter.on_tick(newest)
    assert engine.event_engine.drain(WAIT_S)
    assert found == [newest]


def test_readers_of_other_threads_see_whole_snapshots() -> None:
    """Reading while the dispatcher writes never fails and never shows half a change."""
    shelf: Shelf[int] = Shelf()
    stop = threading.Event()

    def write() -> None:
        for number in range(20_000):
            shelf.put(f"key{number}", number)
        stop.set()

    def read() -> int:
        seen = 0
        while not stop.is_set():
            items = shelf.all()
            assert items == list(range(len(items)))
            seen += 1
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        pool.submit(write).result(WAIT_S)
        for reader in readers:
            reader.result(WAIT_S)
    assert len(shelf.all()) == 20_000


def test_a_snapshot_belongs_to_the_reader() -> None:
    """Changing it changes no cache."""
    shelf: Shelf[int] = Shelf()
    shelf.put("a", 1)
    shelf.all().clear()
    assert shelf.get("a") == 1


def test_a_shelf_of_what_never_ends_keeps_the_newest() -> None:
    """Months of orders fill no memory; what still matters stays, however old it is."""
    shelf: Shelf[int] = Shelf(100, lambda number: number % 50 == 0)
    for number in range(1_000):
        shelf.put(f"key{number}", number)
        assert len(shelf.all()) <= 110
        assert shelf.get(f"key{number}") == number
    kept = shelf.all()
    assert set(range(0, 1_000, 50)) <= set(kept)
    assert kept[-70:] == list(range(930, 1_000))
    assert kept == sorted(kept)


def test_more_that_stays_than_there_is_room_for_is_kept() -> None:
    """An open order is never forgotten."""
    shelf: Shelf[int] = Shelf(10, lambda number: True)
    for number in range(100):
        shelf.put(str(number), number)
    assert shelf.all() == list(range(100))


def test_orders_and_fills_are_kept_within_bounds(engine: MainEngine) -> None:
    """The cache of a process that trades for weeks stays what it is after a day."""
    assert engine.oms.orders.most == 20_000
    assert engine.oms.trades.most == 100_000
