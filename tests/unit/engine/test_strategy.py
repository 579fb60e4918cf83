"""A strategy gets what happens to its symbols, and nobody suffers from its mistakes."""

import datetime as dt
import threading

import pytest

from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Channel, Direction, Exchange, Status
from foxtrot.model.objects import (
    BarData,
    DepthData,
    MarketTradeData,
    OrderData,
    Source,
    TickData,
    TradeData,
)
from foxtrot.model.requests import SubscribeRequest
from tests.support.events import WAIT_S
from tests.support.fake_adapter import FakeAdapter
from tests.support.sessions import tick

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def source(symbol: str) -> Source:
    return Source.of(symbol, Exchange.BINANCE, "FAKE")


class Watching(Strategy):
    """Overrides everything and keeps what it gets."""

    def on_start(self) -> None:
        self.got: list[object] = ["start"]

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


@pytest.fixture
def adapter(engine: MainEngine) -> FakeAdapter:
    """The venue that strategies watch."""
    return engine.add_adapter(FakeAdapter)


def push_all(engine: MainEngine, adapter: FakeAdapter, symbol: str) -> list[object]:
    pushed: list[object] = [
        TickData(source(symbol), 1, 1),
        DepthData(source(symbol), 1, 1),
        MarketTradeData(source(symbol), 1, 1, "1", 1.0, 1.0, Direction.LONG),
        BarData("FAKE", symbol, Exchange.BINANCE, START),
        OrderData("FAKE", symbol, Exchange.BINANCE, "1", status=Status.NOTTRADED),
        TradeData("FAKE", symbol, Exchange.BINANCE, "1", "1"),
    ]
    methods = ["tick", "depth", "market_trade", "bar", "order", "trade"]
    for method, data in zip(methods, pushed, strict=True):
        getattr(adapter, f"on_{method}")(data)
        assert engine.event_engine.drain(WAIT_S)
    return pushed


def test_it_gets_everything_of_its_symbols_and_nothing_of_others(
    engine: MainEngine, adapter: FakeAdapter
) -> None:
    """Ticks, depth, market trades, bars, orders and fills, each in its own method."""
    strategy = engine.add_strategy(Watching, ["A.BINANCE"], "FAKE")
    pushed = push_all(engine, adapter, "A")
    push_all(engine, adapter, "B")
    assert strategy.got == ["start", *pushed]


class Glancing(Strategy):
    """Looks at ticks alone."""

    def on_tick(self, tick: TickData) -> None:
        pass


def test_it_subscribes_to_what_it_listens_to(engine: MainEngine, adapter: FakeAdapter) -> None:
    """Adding it is enough; connect may come later. One that says nothing gets ticks."""
    engine.add_strategy(Glancing, ["A.BINANCE", "B.BINANCE"], "fake")
    engine.add_strategy(Strategy, ["C.BINANCE"], "fake")
    engine.connect({}, "FAKE")
    adapter.streams.changes.wait_for(lambda held: held == {tick("A"), tick("B"), tick("C")})


def test_every_overridden_method_brings_its_channel(
    engine: MainEngine, adapter: FakeAdapter
) -> None:
    """A strategy that looks at bars gets bars."""
    engine.add_strategy(Watching, ["A.BINANCE"], "FAKE")
    assert {request.channel for request in adapter.subscriptions()} == set(Channel)


def test_a_strategy_that_stops_takes_nothing_from_another(
    engine: MainEngine, adapter: FakeAdapter
) -> None:
    """A stream lives until everybody who asked for it has given it back."""
    first = engine.add_strategy(Glancing, ["A.BINANCE"], "FAKE", name="first")
    second = engine.add_strategy(Glancing, ["A.BINANCE"], "FAKE", name="second")
    first.stop()
    assert [request.symbol for request in adapter.subscriptions()] == ["A"]
    second.stop()
    assert adapter.subscriptions() == ()


def test_a_symbol_with_a_dot_keeps_it(engine: MainEngine, adapter: FakeAdapter) -> None:
    """A vt_symbol is taken apart at its last dot."""
    engine.add_strategy(Glancing, ["BRK.B.BINANCE"], "FAKE")
    assert adapter.subscriptions() == (SubscribeRequest("BRK.B", Exchange.BINANCE),)


def test_only_what_is_overridden_is_registered(engine: MainEngine, adapter: FakeAdapter) -> None:
    """A strategy that looks at ticks costs nothing for depth."""

    class Ticks(Strategy):
        def on_tick(self, tick: TickData) -> None:
            """Looks."""

    strategy = engine.add_strategy(Ticks, ["A.BINANCE"], "FAKE")
    assert [type_ for type_, _ in strategy._registered] == ["eTick.A.BINANCE"]


def test_the_base_class_does_nothing(engine: MainEngine, adapter: FakeAdapter) -> None:
    """Every method may be left out, and may be called through super()."""
    strategy = engine.add_strategy(Strategy, ["A.BINANCE"], "FAKE")
    base = Strategy(engine, "base", (), "FAKE")
    for method in ("tick", "depth", "market_trade", "bar", "order", "trade"):
        getattr(base, f"on_{method}")(None)
    assert strategy.name == "Strategy"


def test_one_that_raises_harms_no_other(engine: MainEngine, adapter: FakeAdapter) -> None:
    """The others get the same tick, and the next one; the errors are counted."""

    class Failing(Strategy):
        def on_tick(self, tick: TickData) -> None:
            raise ValueError("mine")

    engine.add_strategy(Failing, ["A.BINANCE"], "FAKE")
    strategy = engine.add_strategy(Watching, ["A.BINANCE"], "FAKE")
    for number in range(3):
        adapter.on_tick(TickData(source("A"), number, number))
        assert engine.event_engine.drain(WAIT_S)
    assert len(strategy.got) == 4
    assert engine.health().engine.handler_errors == 3


def test_one_that_keeps_raising_is_set_aside_by_name(
    engine: MainEngine, adapter: FakeAdapter
) -> None:
    """After a hundred failures in a row it is called no more, and health names it."""

    class Failing(Strategy):
        def on_tick(self, tick: TickData) -> None:
            raise ValueError("mine")

    engine.add_strategy(Failing, ["A.BINANCE"], "FAKE", "careless")
    for number in range(101):
        adapter.on_tick(TickData(source("A"), number, number))
        assert engine.event_engine.drain(WAIT_S)
    (name,) = engine.health().engine.quarantined
    assert name.endswith("careless.on_tick")
    assert engine.health().engine.handler_errors == 100


def test_after_its_stop_it_gets_nothing(engine: MainEngine, adapter: FakeAdapter) -> None:
    """on_stop is the last that it hears."""
    strategy = engine.add_strategy(Watching, ["A.BINANCE"], "FAKE")
    strategy.stop()
    push_all(engine, adapter, "A")
    assert strategy.got == ["start", "stop"]


def test_on_stop_waits_for_the_event_in_dispatch(engine: MainEngine, adapter: FakeAdapter) -> None:
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

    strategy = engine.add_strategy(Slow, ["A.BINANCE"], "FAKE")
    adapter.on_tick(TickData(source("A"), 1, 1))
    assert entered.wait(WAIT_S)
    stopping = threading.Thread(target=strategy.stop)
    stopping.start()
    go_on.set()
    stopping.join(WAIT_S)
    assert heard == ["tick", "stop"]


def test_it_may_stop_itself_in_a_handler(engine: MainEngine, adapter: FakeAdapter) -> None:
    """The dispatcher does not wait for itself."""

    class Once(Strategy):
        heard: tuple[str, ...] = ()

        def on_tick(self, tick: TickData) -> None:
            self.heard += ("tick",)
            self.stop()

        def on_stop(self) -> None:
            self.heard += ("stop",)

    strategy = engine.add_strategy(Once, ["A.BINANCE"], "FAKE")
    for number in range(3):
        adapter.on_tick(TickData(source("A"), number, number))
        assert engine.event_engine.drain(WAIT_S)
    assert strategy.heard == ("tick", "stop")


@pytest.mark.parametrize("vt_symbol", ["A", "A.", ".BINANCE", "A.NOWHERE", ""])
def test_a_wrong_symbol_is_refused(
    engine: MainEngine, adapter: FakeAdapter, vt_symbol: str
) -> None:
    """The text shows what a vt_symbol looks like; on_start has not run."""
    with pytest.raises(ConfigurationError, match="is not of the form SYMBOL"):
        engine.add_strategy(Watching, [vt_symbol], "FAKE")
    assert repr(engine).endswith("strategies=0>")


def test_a_symbol_that_the_adapter_refuses_leaves_nothing_behind(
    engine: MainEngine, adapter: FakeAdapter
) -> None:
    """The strategy is stopped again: no handler of it is called, and its name is free."""
    made: list[Watching] = []

    class Kept(Watching):
        def on_start(self) -> None:
            super().on_start()
            made.append(self)

    with pytest.raises(ConfigurationError, match="NYSE is not served by FAKE"):
        engine.add_strategy(Kept, ["A.BINANCE", "AAPL.NYSE"], "FAKE")
    push_all(engine, adapter, "A")
    assert made[0].got == ["start", "stop"]
    engine.add_strategy(Kept, ["A.BINANCE"], "FAKE")


def test_a_taken_name_is_refused(engine: MainEngine, adapter: FakeAdapter) -> None:
    """Its log lines could not be told apart."""
    engine.add_strategy(Watching, ["A.BINANCE"], "FAKE")
    with pytest.raises(ConfigurationError, match="Watching is there already"):
        engine.add_strategy(Watching, ["B.BINANCE"], "FAKE")
    engine.add_strategy(Watching, ["B.BINANCE"], "FAKE", "another")


def test_an_unknown_adapter_is_refused(engine: MainEngine) -> None:
    """Before anything runs."""
    with pytest.raises(ConfigurationError, match="no adapter 'FAKE'"):
        engine.add_strategy(Watching, ["A.BINANCE"], "FAKE")
