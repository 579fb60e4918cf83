"""What a trader relies on: a life, events, orders, positions, parameters, bars of the past."""

import asyncio
import datetime as dt
import threading

import pytest

from foxtrot.engine import runner
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import (
    ConfigurationError,
    ConnectionClosed,
    InvalidState,
    NotSupported,
    UnknownSymbol,
)
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.model.constants import (
    Channel,
    Direction,
    Exchange,
    Interval,
    Offset,
    OrderType,
    Status,
)
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.objects import (
    BarData,
    DepthData,
    MarketTradeData,
    OrderData,
    Source,
    TickData,
    TradeData,
)
from foxtrot.model.requests import HistoryRequest, SubscribeRequest
from tests.support.events import WAIT_S
from tests.support.sessions import tick
from tests.support.trading_adapter import TradingAdapter

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def source(symbol: str) -> Source:
    return Source.of(symbol, Exchange.BINANCE, "FAKE")


def bar(minute: int, interval: Interval = Interval.MINUTE, *, closed: bool = True) -> BarData:
    moment = START + dt.timedelta(minutes=minute)
    return BarData("FAKE", "A", Exchange.BINANCE, moment, interval, closed=closed)


class Watching(Strategy):
    """Overrides everything and keeps what it gets."""

    def on_init(self) -> None:
        self.got: list[object] = ["init"]
        self.subscribe(channel=Channel.BAR)

    def on_start(self) -> None:
        self.got.append("start")

    def on_stop(self) -> None:
        self.got.append("stop")

    def on_tick(self, tick: TickData) -> None:
        self.got.append(tick)

    def on_depth(self, depth: DepthData) -> None:
        self.got.append(depth)

    def on_market_trade(self, trade: MarketTradeData) -> None:
        self.got.append(trade)

    def on_bar(self, bar: BarData) -> None:
        self.got.append(bar)

    def on_order(self, order: OrderData) -> None:
        self.got.append(order)

    def on_trade(self, trade: TradeData) -> None:
        self.got.append(trade)


class Trading(Strategy):
    """Keeps what becomes of its orders."""

    def on_init(self) -> None:
        self.orders: list[OrderData] = []
        self.trades: list[tuple[TradeData, float]] = []

    def on_order(self, order: OrderData) -> None:
        self.orders.append(order)

    def on_trade(self, trade: TradeData) -> None:
        self.trades.append((trade, self.get_pos(trade.vt_symbol)))


@pytest.fixture
def adapter(engine: MainEngine) -> TradingAdapter:
    """The venue that strategies trade at."""
    return engine.add_adapter(TradingAdapter)


@pytest.fixture
def trading(engine: MainEngine, adapter: TradingAdapter) -> Trading:
    """A strategy of one symbol that has started."""
    strategy = engine.add_strategy(Trading, "t", ["A.BINANCE"])
    adapter.settle()
    return strategy


def push_all(adapter: TradingAdapter, symbol: str) -> list[object]:
    pushed: list[object] = [
        TickData(source(symbol), 1, 1),
        DepthData(source(symbol), 1, 1),
        MarketTradeData(source(symbol), 1, 1, "1", 1.0, 1.0, Direction.LONG),
        BarData("FAKE", symbol, Exchange.BINANCE, START, Interval.MINUTE),
        OrderData("FAKE", symbol, Exchange.BINANCE, "1", status=Status.NOTTRADED),
        TradeData("FAKE", symbol, Exchange.BINANCE, "1", "1", Direction.LONG),
    ]
    methods = ["tick", "depth", "market_trade", "bar", "order", "trade"]
    for method, data in zip(methods, pushed, strict=True):
        getattr(adapter, f"on_{method}")(data)
        adapter.settle()
    return pushed


# ------------------------------------------------------------------ its life


def test_it_lives_on_the_dispatcher(engine: MainEngine, adapter: TradingAdapter) -> None:
    """on_init, on_start and on_stop run where all events do: nothing needs a lock."""
    ran: list[tuple[str, str, bool, bool]] = []

    class Noting(Strategy):
        def note(self, what: str) -> None:
            ran.append((what, threading.current_thread().name, self.inited, self.trading))

        def on_init(self) -> None:
            self.note("init")

        def on_start(self) -> None:
            self.note("start")

        def on_stop(self) -> None:
            self.note("stop")

    strategy = engine.add_strategy(Noting, "n", ["A.BINANCE"])
    strategy.stop()
    assert ran == [
        ("init", "foxtrot-events", False, False),
        ("start", "foxtrot-events", True, True),
        ("stop", "foxtrot-events", True, True),
    ]
    assert not strategy.trading


def test_the_base_class_does_nothing(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Every method may be left out, and may be called through super()."""
    strategy = engine.add_strategy(Strategy, "s", ["A.BINANCE"])
    adapter.settle()
    for method in ("tick", "depth", "market_trade", "bar", "order", "trade"):
        getattr(strategy, f"on_{method}")(None)
    strategy.on_timer()
    assert strategy.trading


def test_after_its_stop_it_gets_nothing(engine: MainEngine, adapter: TradingAdapter) -> None:
    """on_stop is the last that it hears, and its streams are given back."""
    strategy = engine.add_strategy(Watching, "w", ["A.BINANCE"])
    strategy.stop()
    strategy.stop()
    strategy.subscribe("B.BINANCE")
    push_all(adapter, "A")
    assert strategy.got == ["init", "start", "stop"]
    assert adapter.subscriptions() == ()


def test_on_stop_waits_for_the_event_in_dispatch(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """on_tick never runs beside or after on_stop."""
    entered, go_on = threading.Event(), threading.Event()
    heard: list[str] = []

    class Slow(Strategy):
        def on_tick(self, tick: TickData) -> None:
            entered.set()
            assert go_on.wait(WAIT_S)
            heard.append("tick")

        def on_stop(self) -> None:
            heard.append("stop")

    strategy = engine.add_strategy(Slow, "s", ["A.BINANCE"])
    adapter.settle()
    adapter.on_tick(TickData(source("A"), 1, 1))
    assert entered.wait(WAIT_S)
    stopping = threading.Thread(target=strategy.stop)
    stopping.start()
    go_on.set()
    stopping.join(WAIT_S)
    assert heard == ["tick", "stop"]


def test_it_may_stop_itself_in_a_handler(engine: MainEngine, adapter: TradingAdapter) -> None:
    """The dispatcher does not wait for itself."""

    class Once(Strategy):
        heard: tuple[str, ...] = ()

        def on_tick(self, tick: TickData) -> None:
            self.heard += ("tick",)
            self.stop()

        def on_stop(self) -> None:
            self.heard += ("stop",)

    strategy = engine.add_strategy(Once, "o", ["A.BINANCE"])
    for number in range(3):
        adapter.quote("A.BINANCE", 10.0, number)
    assert strategy.heard == ("tick", "stop")


# ------------------------------------------------------------------ its events


def test_it_gets_everything_of_its_symbols_and_nothing_of_others(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """Ticks, depth, market trades and bars, each in its own method; orders are others'."""
    strategy = engine.add_strategy(Watching, "w", ["A.BINANCE"])
    adapter.settle()
    pushed = push_all(adapter, "A")
    push_all(adapter, "B")
    assert strategy.got == ["init", "start", *pushed[:4]]


class Glancing(Strategy):
    """Looks at ticks alone."""

    def on_tick(self, tick: TickData) -> None:
        pass


def test_it_subscribes_to_what_it_listens_to(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Adding it is enough; connect may come later. One that says nothing gets ticks."""
    engine.add_strategy(Glancing, "g", ["A.BINANCE", "B.BINANCE"])
    engine.add_strategy(Strategy, "s", ["C.BINANCE"])
    engine.connect({}, "FAKE")
    adapter.streams.changes.wait_for(lambda held: held == {tick("A"), tick("B"), tick("C")})


def test_bars_of_a_venue_come_closed_and_of_the_length_asked_for(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """A strategy that makes its own bars in on_bar gets no others; one that subscribes does."""

    class Barring(Strategy):
        def on_init(self) -> None:
            self.got: list[BarData] = []

        def on_bar(self, bar: BarData) -> None:
            self.got.append(bar)

    strategy = engine.add_strategy(Barring, "b", ["A.BINANCE"])
    adapter.settle()
    adapter.on_bar(bar(0))
    adapter.settle()
    assert strategy.got == []
    assert [each.channel for each in adapter.subscriptions()] == [Channel.TICK]
    strategy.subscribe("A.BINANCE", Channel.BAR, Interval.HOUR)
    for each in (bar(1), bar(2, Interval.HOUR, closed=False), bar(3, Interval.HOUR)):
        adapter.on_bar(each)
    adapter.settle()
    assert strategy.got == [bar(3, Interval.HOUR)]


def test_it_may_subscribe_to_more(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Symbols that it did not begin with reach the same methods."""
    strategy = engine.add_strategy(Watching, "w", ["A.BINANCE"])
    adapter.settle()
    strategy.subscribe("B.BINANCE")
    adapter.quote("B.BINANCE", 5.0)
    assert isinstance(strategy.got[-1], TickData)
    assert strategy.got[-1].symbol == "B"


def test_a_strategy_that_stops_takes_nothing_from_another(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """A stream lives until everybody who asked for it has given it back."""
    first = engine.add_strategy(Glancing, "first", ["A.BINANCE"])
    second = engine.add_strategy(Glancing, "second", ["A.BINANCE"])
    first.stop()
    assert [request.symbol for request in adapter.subscriptions()] == ["A"]
    second.stop()
    assert adapter.subscriptions() == ()


def test_a_symbol_with_a_dot_keeps_it(engine: MainEngine, adapter: TradingAdapter) -> None:
    """A vt_symbol is taken apart at its last dot."""
    engine.add_strategy(Glancing, "g", ["BRK.B.BINANCE"])
    assert adapter.subscriptions() == (SubscribeRequest("BRK.B", Exchange.BINANCE),)


def test_on_timer_comes_with_every_second(engine: MainEngine, adapter: TradingAdapter) -> None:
    """vnpy's timer, for what must happen in a silent market too."""
    came = threading.Event()

    class Timed(Strategy):
        def on_timer(self) -> None:
            came.set()

    engine.add_strategy(Timed, "t", ["A.BINANCE"])
    engine.event_engine.put(Event(EVENT_TIMER))
    assert came.wait(WAIT_S)


# ------------------------------------------------------------------ its orders


def test_the_verbs_are_vnpys(adapter: TradingAdapter, trading: Trading) -> None:
    """buy, sell, short and cover take price and volume, and say side and offset."""
    for verb in ("buy", "sell", "short", "cover"):
        getattr(trading, verb)(10, 2)
    requests = adapter.sent.items
    assert [(each.direction, each.offset) for each in requests] == [
        (Direction.LONG, Offset.OPEN),
        (Direction.SHORT, Offset.CLOSE),
        (Direction.SHORT, Offset.OPEN),
        (Direction.LONG, Offset.CLOSE),
    ]
    first = requests[0]
    assert (first.vt_symbol, first.price, first.volume) == ("A.BINANCE", 10.0, 2.0)
    assert (first.type, first.reference) == (OrderType.LIMIT, "t")


def test_a_contract_without_offsets_gets_none(adapter: TradingAdapter, trading: Trading) -> None:
    """Spot has one net position: there is nothing to open or to close."""
    adapter.list_contract("A", net_position=True)
    trading.sell(10, 1)
    assert adapter.sent.items[0].offset is Offset.NONE


def test_the_contract_of_an_order_is_that_of_its_adapter(
    engine: MainEngine, adapter: TradingAdapter, trading: Trading
) -> None:
    """Another adapter has the same symbol, and opens and closes there."""
    adapter.list_contract("A", net_position=True)
    engine.add_adapter(TradingAdapter, "TESTNET").list_contract("A", net_position=False)
    trading.sell(10, 1)
    assert adapter.sent.items[0].offset is Offset.NONE


def test_other_types_of_orders_are_said_by_keyword(
    adapter: TradingAdapter, trading: Trading
) -> None:
    """vnpy's `stop=True` is a stop order at the price; a market order needs none."""
    trading.buy(10, 1, True)
    trading.buy(11, 1, type=OrderType.STOP_LIMIT, stop_price=10)
    trading.sell(99, 1, type=OrderType.MARKET)
    shown = [(each.type, each.price, each.stop_price) for each in adapter.sent.items]
    assert shown == [
        (OrderType.STOP, 0.0, 10.0),
        (OrderType.STOP_LIMIT, 11.0, 10.0),
        (OrderType.MARKET, 0.0, 0.0),
    ]


def test_with_several_symbols_each_order_says_which(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """A guess would trade the wrong market."""
    strategy = engine.add_strategy(Trading, "t", ["A.BINANCE", "B.BINANCE"])
    adapter.settle()
    with pytest.raises(InvalidState, match="t has 2 symbols; say which by vt_symbol"):
        strategy.buy(10, 1)
    with pytest.raises(InvalidState, match="say which"):
        _ = strategy.pos
    with pytest.raises(ConfigurationError, match="'B' is not of the form SYMBOL"):
        strategy.buy(10, 1, vt_symbol="B")
    strategy.buy(10, 1, vt_symbol="B.BINANCE")
    assert [each.symbol for each in adapter.sent.items] == ["B"]


def test_it_hears_of_its_own_orders_alone(
    engine: MainEngine, adapter: TradingAdapter, trading: Trading
) -> None:
    """Two strategies of one symbol do not mix up their orders and fills."""
    other = engine.add_strategy(Trading, "other", ["A.BINANCE"])
    adapter.settle()
    mine, theirs = trading.buy(10, 1), other.buy(11, 2)
    adapter.fill(mine)
    adapter.fill(theirs)
    adapter.settle()
    assert [order.status for order in trading.orders] == [Status.SUBMITTING, Status.ALLTRADED]
    assert {order.vt_orderid for order in trading.orders} == {mine}
    assert {order.vt_orderid for order in other.orders} == {theirs}
    assert (trading.pos, other.pos) == (1, 2)


def test_it_may_see_all_orders(engine: MainEngine, adapter: TradingAdapter) -> None:
    """A watcher says so by its class; its own position stays its own."""

    class Seeing(Trading):
        sees_all_orders = True

    seeing = engine.add_strategy(Seeing, "s", ["A.BINANCE"])
    other = engine.add_strategy(Trading, "other", ["A.BINANCE"])
    adapter.settle()
    adapter.fill(other.buy(10, 1))
    adapter.settle()
    assert len(seeing.orders) == 2
    assert len(seeing.trades) == 1
    assert seeing.pos == 0


def test_its_position_is_that_of_its_fills(adapter: TradingAdapter, trading: Trading) -> None:
    """It is right when on_trade runs, and exact: 0.1 and 0.2 are 0.3."""
    vt_orderid = trading.buy(10, 1)
    adapter.fill(vt_orderid, 0.1)
    adapter.fill(vt_orderid, 0.2)
    adapter.settle()
    assert [pos for _, pos in trading.trades] == [0.1, 0.3]
    adapter.fill(trading.short(10, 0.5))
    adapter.settle()
    assert trading.pos == -0.2
    assert trading.get_pos("B.BINANCE") == 0


def test_its_profit_is_at_the_last_price(adapter: TradingAdapter, trading: Trading) -> None:
    """What it holds counts at the market, by the size of the contract."""
    adapter.list_contract("A", size=10)
    adapter.fill(trading.buy(100, 2))
    adapter.settle()
    assert trading.pnl is None
    adapter.quote("A.BINANCE", 103)
    assert trading.pnl == 60
    adapter.fill(trading.sell(104, 2))
    adapter.settle()
    assert trading.pnl == 80


def test_cancel_asks_for_its_own_open_orders(
    engine: MainEngine, adapter: TradingAdapter, trading: Trading
) -> None:
    """One that has ended or belongs to somebody else is left alone."""
    other = engine.add_strategy(Trading, "other", ["A.BINANCE"])
    adapter.settle()
    done, rests, theirs = trading.buy(10, 1), trading.buy(9, 1), other.buy(8, 1)
    adapter.fill(done)
    adapter.settle()
    for vt_orderid in (done, rests, theirs, "FAKE.nobody"):
        trading.cancel(vt_orderid)
    adapter.settle()
    assert [f"FAKE.{each.orderid}" for each in adapter.cancelled.items] == [rests]
    trading.buy(7, 1)
    trading.buy(6, 1)
    trading.cancel_all()
    assert len(adapter.cancelled) == 3
    assert adapter.order(theirs).is_active()


def test_orders_of_another_thread_are_its_own_too(
    engine: MainEngine, adapter: TradingAdapter, trading: Trading
) -> None:
    """The first event of an order finds its owner, however soon it is served."""
    for _ in range(200):
        trading.buy(10, 1)
    adapter.settle()
    assert len(trading.orders) == 200


def test_before_it_trades_nothing_is_sent(engine: MainEngine, adapter: TradingAdapter) -> None:
    """on_bar may buy while bars are loaded, as with vnpy: the id is empty, no order is made."""
    adapter.history = lambda request: [bar(0), bar(1)]

    class Eager(Trading):
        def on_init(self) -> None:
            super().on_init()
            self.ids = [self.buy(1, 1)]
            self.load_bars(1)

        def on_bar(self, bar: BarData) -> None:
            self.ids.append(self.buy(1, 1))

        def on_start(self) -> None:
            self.ids.append(self.buy(2, 1))

        def on_stop(self) -> None:
            self.ids.append(self.buy(3, 1))

    eager = engine.add_strategy(Eager, "e", ["A.BINANCE"])
    adapter.sent.wait_count(1)
    eager.stop()
    eager.ids.append(eager.buy(4, 1))
    assert [bool(each) for each in eager.ids] == [False, False, False, True, True, False]
    assert [each.price for each in adapter.sent.items] == [2, 3]


def test_it_can_ask_whether_its_venue_takes_orders(
    adapter: TradingAdapter, trading: Trading
) -> None:
    """It may run before its venue is in step with the account, and while orders are halted."""
    assert trading.ready
    adapter.not_ready = "not_ready: trading is syncing"
    assert trading.trading
    assert not trading.ready
    adapter.not_ready = ""
    adapter.halt("by hand")
    assert not trading.ready


def test_orders_that_it_leaves_at_its_stop_stay(
    engine: MainEngine, adapter: TradingAdapter, trading: Trading
) -> None:
    """Whoever wants them cancelled says so in on_stop; their fills still count."""
    vt_orderid = trading.buy(10, 1)
    trading.stop()
    assert adapter.order(vt_orderid).is_active()
    adapter.fill(vt_orderid)
    adapter.settle()
    assert trading.pos == 1


# ------------------------------------------------------------------ parameters and variables


class Tuned(Strategy):
    """Has parameters and shows variables."""

    parameters = ("fast", "size", "side")
    variables = ("average", "missing")
    fast: int = 10
    size: float = 1.0
    side: Direction = Direction.LONG

    def on_init(self) -> None:
        self.average = 5.0


def test_parameters_are_given_and_shown(engine: MainEngine, adapter: TradingAdapter) -> None:
    """What is not given keeps its default; each strategy has its own."""
    tuned = engine.add_strategy(Tuned, "t", ["A.BINANCE"], {"fast": 3, "size": 2})
    assert tuned.get_parameters() == {"fast": 3, "size": 2.0, "side": Direction.LONG}
    plain = engine.add_strategy(Tuned, "p", ["A.BINANCE"])
    assert plain.get_parameters() == {"fast": 10, "size": 1.0, "side": Direction.LONG}


def test_a_wrong_parameter_is_refused_before_anything_runs(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """By name, in words."""
    with pytest.raises(ConfigurationError, match=r'Tuned: fst: .* did you mean "fast"'):
        engine.add_strategy(Tuned, "t", ["A.BINANCE"], {"fst": 3})
    assert engine.get_all_strategies() == []
    assert adapter.subscriptions() == ()


def test_variables_are_shown_with_what_every_strategy_has(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """inited, trading and pos come first; one that is not set yet is None."""
    tuned = engine.add_strategy(Tuned, "t", ["A.BINANCE"])
    adapter.settle()
    adapter.fill(tuned.buy(10, 1))
    adapter.settle()
    assert tuned.get_variables() == {
        "inited": True,
        "trading": True,
        "pos": {"A.BINANCE": 1.0},
        "average": 5.0,
        "missing": None,
    }


# ------------------------------------------------------------------ bars of the past


class Loading(Strategy):
    """Warms up."""

    def on_init(self) -> None:
        self.got: list[object] = []
        self.load_bars(2, hours=1)

    def on_bar(self, bar: BarData) -> None:
        self.got.append((threading.current_thread().name, bar.datetime, self.trading))

    def on_tick(self, tick: TickData) -> None:
        self.got.append("tick")

    def on_start(self) -> None:
        self.got.append("start")
        self.engine.event_engine.put(Event("eStarted"))


def test_loaded_bars_come_before_the_start(engine: MainEngine, adapter: TradingAdapter) -> None:
    """On the dispatcher, oldest first, without the one that still moves, before any tick."""
    asked, go_on = threading.Event(), threading.Event()

    def history(request: HistoryRequest) -> list[BarData]:
        asked.set()
        assert go_on.wait(WAIT_S)
        return [bar(0), bar(1), bar(2, closed=False)]

    adapter.history = history
    started = threading.Event()
    engine.register("eStarted", lambda event: started.set())
    strategy = engine.add_strategy(Loading, "l", ["A.BINANCE"])
    assert asked.wait(WAIT_S)
    adapter.quote("A.BINANCE", 10)
    assert strategy.got == []
    go_on.set()
    assert started.wait(WAIT_S)
    adapter.quote("A.BINANCE", 10)
    thread = "foxtrot-events"
    expected = [(thread, bar(n).datetime, False) for n in (0, 1)]
    assert strategy.got == [*expected, "start", "tick"]
    (request,) = adapter.asked.items
    span = strategy.now - request.start
    assert dt.timedelta(days=2, hours=1) <= span < dt.timedelta(days=2, hours=2)
    assert (request.symbol, request.interval) == ("A", Interval.MINUTE)


def test_many_bars_leave_room_for_orders(
    engine: MainEngine, adapter: TradingAdapter, trading: Trading
) -> None:
    """An order event does not wait for a year of minutes."""
    adapter.history = lambda request: [bar(n) for n in range(3 * runner.BARS_AT_ONCE + 1)]
    seen: list[int] = []
    done = threading.Event()

    class Counting(Strategy):
        count = 0

        def on_init(self) -> None:
            self.load_bars(1)

        def on_bar(self, bar: BarData) -> None:
            self.count += 1
            if self.count == 1:
                self.engine.event_engine.put(Event("eOther"))

        def on_start(self) -> None:
            done.set()

    engine.register("eOther", lambda event: seen.append(counting.count))
    counting = engine.add_strategy(Counting, "c", ["A.BINANCE"])
    assert done.wait(WAIT_S)
    assert seen == [runner.BARS_AT_ONCE]
    assert counting.count == 3 * runner.BARS_AT_ONCE + 1


def test_bars_may_be_loaded_later_and_to_a_method_of_ones_own(
    adapter: TradingAdapter, trading: Trading
) -> None:
    """Of another symbol, too."""
    adapter.history = lambda request: [bar(0)]
    got: list[BarData] = []
    arrived = threading.Event()

    def take(bar: BarData) -> None:
        got.append(bar)
        arrived.set()

    trading.load_bars(1, Interval.HOUR, take, vt_symbol="B.BINANCE")
    assert arrived.wait(WAIT_S)
    (request,) = adapter.asked.items
    assert (request.symbol, request.interval, got) == ("B", Interval.HOUR, [bar(0)])


def test_a_venue_that_cannot_be_reached_is_tried_again(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strategy that is started in an outage begins when it is over."""
    monkeypatch.setattr(runner, "LOAD_BASE_S", 0.001)
    outcomes: list[BaseException] = [
        ConnectionClosed(1006),
        InvalidState("FAKE was never connected"),
        TimeoutError(),
        asyncio.CancelledError(),  # by an SDK, from inside
    ]

    def history(request: HistoryRequest) -> list[BarData]:
        if outcomes:
            raise outcomes.pop()
        return []

    adapter.history = history
    started = threading.Event()
    engine.register("eStarted", lambda event: started.set())
    engine.add_strategy(Loading, "l", ["A.BINANCE"])
    assert started.wait(WAIT_S)
    assert len(adapter.asked) == 5


def test_bars_that_the_venue_does_not_have_stop_the_strategy(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """It would trade on averages of nothing."""

    def history(request: HistoryRequest) -> list[BarData]:
        raise UnknownSymbol("FAKE", "", "unknown symbol A")

    adapter.history = history
    stopped = threading.Event()
    engine.register("eLog", lambda event: stopped.set())
    strategy = engine.add_strategy(Loading, "l", ["A.BINANCE"])
    assert stopped.wait(WAIT_S)
    assert not strategy.inited
    assert adapter.subscriptions() == ()


def test_a_venue_without_history_says_so(adapter: TradingAdapter, trading: Trading) -> None:
    """At once, where it is asked."""
    adapter.capabilities = Capabilities()  # type: ignore[misc]
    with pytest.raises(NotSupported, match="FAKE does not support history"):
        trading.load_bars(1)


def test_stopping_ends_what_is_being_loaded(engine: MainEngine, adapter: TradingAdapter) -> None:
    """on_start never comes, and no task is left."""
    asked = threading.Event()

    def history(request: HistoryRequest) -> list[BarData]:
        asked.set()
        raise ConnectionClosed(1006)

    adapter.history = history
    strategy = engine.add_strategy(Loading, "l", ["A.BINANCE"])
    assert asked.wait(WAIT_S)
    assert engine.bridge.health().tasks == ("l.load_bars",)
    strategy.stop()
    adapter.settle()

    async def turn() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    engine.bridge.run(turn(), WAIT_S)
    assert engine.bridge.health().tasks == ()
    assert strategy.got == []
