"""A strategy's mistake is its own end, and its limits hold before an order leaves it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from foxtrot.core.settings import RiskLimits
from foxtrot.engine import risk
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Channel, Exchange, Interval, Status
from foxtrot.model.events import EVENT_LOG, EVENT_TIMER, Event
from foxtrot.model.objects import BarData, LogData, OrderData, TickData, TradeData
from tests.support.events import EventLog
from tests.support.trading_adapter import TradingAdapter


class Trading(Strategy):
    """Keeps the reasons of its orders, and counts its ticks."""

    ticks = 0

    def on_init(self) -> None:
        self.orders: list[OrderData] = []

    def on_order(self, order: OrderData) -> None:
        self.orders.append(order)

    def on_tick(self, tick: TickData) -> None:
        self.ticks += 1

    @property
    def reasons(self) -> list[str]:
        return [order.reason for order in self.orders if order.status is Status.REJECTED]


@pytest.fixture
def adapter(engine: MainEngine) -> TradingAdapter:
    """The venue that strategies trade at."""
    return engine.add_adapter(TradingAdapter)


def limited(engine: MainEngine, adapter: TradingAdapter, **limits: Any) -> Trading:
    """A strategy with these limits that has started."""
    strategy = engine.add_strategy(Trading, "t", ["A.BINANCE"], limits=RiskLimits(**limits))
    adapter.settle()
    return strategy


def failing(where: str, **attributes: object) -> type[Strategy]:
    """A strategy that fails in one of its methods."""

    def fail(self: Strategy, *args: object) -> None:
        raise ValueError("a mistake of mine")

    fail.__name__ = where
    return type("Failing", (Trading,), {where: fail, **attributes})


def test_a_strategy_gets_the_market_of_its_own_adapter(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """A second adapter may have the same symbol at another price, such as that of a testnet."""

    class Minutes(Trading):
        bars = 0

        def on_init(self) -> None:
            self.subscribe("A.BINANCE", Channel.BAR)

        def on_bar(self, bar: BarData) -> None:
            self.bars += 1

    other = engine.add_adapter(TradingAdapter, "TESTNET")
    strategy = engine.add_strategy(Minutes, "t", ["A.BINANCE"], adapter_name="FAKE")
    adapter.settle()
    for each in (other, adapter):
        each.quote("A.BINANCE", 10)
        begin = datetime(2026, 1, 5, tzinfo=UTC)
        each.on_bar(BarData(each.adapter_name, "A", Exchange.BINANCE, begin, Interval.MINUTE))
        each.settle()
    assert (strategy.ticks, strategy.bars) == (1, 1)


# ------------------------------------------------------------------ failures

PUSH: dict[str, Callable[[MainEngine, TradingAdapter, Strategy], object]] = {
    "on_init": lambda engine, adapter, strategy: None,
    "on_start": lambda engine, adapter, strategy: None,
    "on_tick": lambda engine, adapter, strategy: adapter.quote("A.BINANCE", 10),
    "on_timer": lambda engine, adapter, strategy: engine.event_engine.put(Event(EVENT_TIMER)),
    "on_order": lambda engine, adapter, strategy: strategy.buy(10, 1),
    "on_trade": lambda engine, adapter, strategy: adapter.fill(strategy.buy(10, 1)),
    "on_stop": lambda engine, adapter, strategy: strategy.stop(),
}


@pytest.mark.parametrize("where", PUSH)
def test_an_exception_stops_that_strategy_and_nobody_else(
    engine: MainEngine, adapter: TradingAdapter, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has name, method and traceback, people a line; the others notice nothing."""
    told = EventLog(engine.event_engine, EVENT_LOG)
    other = engine.add_strategy(Trading, "other", ["A.BINANCE"])
    careless = engine.add_strategy(failing(where), "careless", ["A.BINANCE"])
    adapter.settle()
    PUSH[where](engine, adapter, careless)
    adapter.settle()
    assert not careless.trading
    assert other.trading
    adapter.quote("A.BINANCE", 11)
    assert other.ticks == (2 if where == "on_tick" else 1)
    assert engine.health().engine.handler_errors == 0
    (entry,) = told.of(EVENT_LOG)
    assert isinstance(entry, LogData)
    words = f"stopped by ValueError in {where}; its orders are being cancelled"
    assert (entry.adapter_name, entry.msg) == ("careless", words)
    (record,) = [each for each in caplog.records if "strategy_failed" in each.getMessage()]
    assert f"strategy=careless where={where}" in record.getMessage()
    assert "ValueError: a mistake of mine" in record.getMessage()


def test_a_strategy_that_failed_hears_nothing_more(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """No tick, no on_stop; its streams are given back, and its name is free."""
    heard: list[str] = []

    class Once(Strategy):
        def on_tick(self, tick: TickData) -> None:
            heard.append("tick")
            raise ValueError

        def on_stop(self) -> None:
            heard.append("stop")

    strategy = engine.add_strategy(Once, "once", ["A.BINANCE"])
    adapter.settle()
    adapter.quote("A.BINANCE", 10)
    adapter.quote("A.BINANCE", 11)
    strategy.stop()
    assert heard == ["tick"]
    assert adapter.subscriptions() == ()
    engine.add_strategy(Once, "once", ["A.BINANCE"])


@pytest.mark.parametrize(("policy", "open_orders"), [("cancel", 1), ("leave", 3)])
def test_its_policy_says_what_becomes_of_its_orders(
    engine: MainEngine, adapter: TradingAdapter, policy: str, open_orders: int
) -> None:
    """Cancelled or left; those of others are never touched."""
    other = engine.add_strategy(Trading, "other", ["A.BINANCE"])
    careless = engine.add_strategy(failing("on_timer", on_error=policy), "c", ["A.BINANCE"])
    adapter.settle()
    ids = [other.buy(10, 1), careless.buy(10, 1), careless.buy(9, 1)]
    engine.event_engine.put(Event(EVENT_TIMER))
    adapter.settle()
    assert sum(adapter.order(each).is_active() for each in ids) == open_orders
    assert adapter.order(ids[0]).is_active()


def test_a_policy_that_is_none_is_refused(engine: MainEngine, adapter: TradingAdapter) -> None:
    """A typo would leave orders alone that were to be cancelled."""
    with pytest.raises(ConfigurationError, match="on_error: must be cancel or leave; was 'canel'"):
        engine.add_strategy(failing("on_tick", on_error="canel"), "c", ["A.BINANCE"])


def test_a_callback_of_load_bars_that_fails_stops_it_too(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """It runs on the dispatcher like everything else of a strategy."""
    stopped = EventLog(engine.event_engine, EVENT_LOG)

    class Loading(Strategy):
        def on_init(self) -> None:
            self.load_bars(1)

        def on_bar(self, bar: BarData) -> None:
            raise ValueError

    adapter.history = lambda request: [
        BarData("FAKE", "A", request.exchange, request.start, request.interval)
    ]
    strategy = engine.add_strategy(Loading, "l", ["A.BINANCE"])
    entry = stopped.wait_type(EVENT_LOG)
    assert isinstance(entry, LogData)
    assert "ValueError in on_bar" in entry.msg
    adapter.settle()
    assert not strategy.inited


def test_a_symbol_that_the_adapter_refuses_leaves_nothing_behind(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """on_init has not run, no stream is wanted, and the name is free."""
    with pytest.raises(ConfigurationError, match="NYSE is not served by FAKE"):
        engine.add_strategy(Trading, "t", ["A.BINANCE", "AAPL.NYSE"], adapter_name="FAKE")
    assert adapter.subscriptions() == ()
    assert engine.get_strategy("t") is None
    engine.add_strategy(Trading, "t", ["A.BINANCE"])


# ------------------------------------------------------------------ limits


def test_a_refused_order_is_told_like_any_rejection(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """REJECTED, with rule, value and limit; by on_order and in the cache, never at the venue."""
    strategy = limited(engine, adapter, max_position=5)
    vt_orderid = strategy.buy(10, 6)
    adapter.settle()
    (order,) = strategy.orders
    assert order.vt_orderid == vt_orderid
    assert order == engine.get_order(vt_orderid)
    assert order.status is Status.REJECTED
    assert (order.price, order.volume, order.reference) == (10.0, 6.0, "t")
    assert order.reason == "local:risk_position: A.BINANCE could be 6 long, the limit is 5"
    assert len(adapter.sent) == 0


def test_orders_of_one_handler_count_together(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Two orders in a row, of which no event was served yet, do not pass a limit for one."""
    strategy = limited(engine, adapter, max_position=5)
    strategy.buy(10, 3)
    strategy.buy(10, 3)
    adapter.settle()
    assert strategy.reasons == ["local:risk_position: A.BINANCE could be 6 long, the limit is 5"]
    assert len(adapter.sent) == 1


def test_an_order_that_ended_frees_its_room(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Cancelled, it counts no more; filled, it counts as position."""
    strategy = limited(engine, adapter, max_position=5, max_open_orders=1)
    first = strategy.buy(10, 5)
    strategy.buy(10, 1)
    strategy.cancel(first)
    adapter.settle()
    second = strategy.buy(10, 5)
    adapter.fill(second)
    adapter.settle()
    strategy.buy(10, 1)
    strategy.sell(10, 5)
    adapter.settle()
    assert strategy.reasons == [
        "local:risk_open_orders: 1 of this strategy are open, the limit is 1",
        "local:risk_position: A.BINANCE could be 6 long, the limit is 5",
    ]
    assert len(adapter.sent) == 3


def test_a_loss_leaves_the_way_out_open(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Beyond the limit only what reduces the position passes; the loss is at the last price."""
    strategy = limited(engine, adapter, max_loss=20)
    adapter.quote("A.BINANCE", 100)
    adapter.fill(strategy.buy(100, 2))
    adapter.quote("A.BINANCE", 90.01)
    strategy.buy(90, 1)
    adapter.quote("A.BINANCE", 90)
    strategy.buy(90, 1)
    strategy.sell(90, 3)
    strategy.sell(90, 2)
    adapter.settle()
    assert strategy.reasons == ["local:risk_loss: this strategy has lost 20, the limit is 20"] * 2
    assert [each.volume for each in adapter.sent.items] == [2, 1, 2]


def test_a_loss_is_judged_by_its_own_adapter(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Neither price nor size of the contract is that of a testnet with the same symbol."""
    other = engine.add_adapter(TradingAdapter, "TESTNET")
    strategy = engine.add_strategy(
        Trading, "t", ["A.BINANCE"], adapter_name="FAKE", limits=RiskLimits(max_loss=20)
    )
    adapter.list_contract("A", size=10)
    other.list_contract("A", size=1)
    adapter.settle()
    adapter.fill(strategy.buy(100, 1))
    other.quote("A.BINANCE", 1000)
    strategy.buy(100, 1)
    adapter.quote("A.BINANCE", 98)
    other.quote("A.BINANCE", 1000)
    strategy.buy(100, 1)
    adapter.settle()
    assert strategy.pnl == -20
    assert strategy.reasons == [
        "local:risk_loss: what is held has no price yet, the limit is 20",
        "local:risk_loss: this strategy has lost 20, the limit is 20",
    ]


def test_a_limit_that_cannot_be_checked_refuses(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the check never lets an order through."""

    def broken(*args: object) -> str:
        raise ZeroDivisionError

    strategy = limited(engine, adapter)
    monkeypatch.setattr(risk, "refusal", broken)
    strategy.buy(10, 1)
    adapter.settle()
    (reason,) = strategy.reasons
    assert reason.startswith("local:risk_check: a limit could not be checked")
    assert len(adapter.sent) == 0


def test_orders_go_through_the_engines_own_attribute(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """vnpy's risk manager replaces send_order on the instance, and may refuse with an empty id."""
    strategy = limited(engine, adapter)
    engine.send_order = lambda request, name: ""  # type: ignore[method-assign]
    assert strategy.buy(10, 1) == ""
    engine.send_order = lambda request, name: "FAKE.patched"  # type: ignore[method-assign]
    assert strategy.buy(10, 1) == "FAKE.patched"
    assert len(adapter.sent) == 0


def test_a_late_fill_after_the_end_of_an_order_counts(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """A cancel that lost the race changes the position all the same."""
    strategy = limited(engine, adapter)
    vt_orderid = strategy.buy(10, 2)
    strategy.cancel(vt_orderid)
    adapter.settle()
    order = adapter.order(vt_orderid)
    adapter.on_trade(
        TradeData("FAKE", "A", order.exchange, order.orderid, "late", order.direction, volume=2)
    )
    adapter.settle()
    assert strategy.pos == 2
