"""Strategies by name, by adapter and from the settings; and whose each order is."""

import threading

import pytest

from foxtrot.core.settings import Settings
from foxtrot.engine import strategies
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import OrderData
from foxtrot.model.requests import CancelRequest, SubscribeRequest
from tests.support.events import WAIT_S
from tests.support.trading_adapter import TradingAdapter

A = ["A.BINANCE"]


class Cross(Strategy):
    """Has a parameter, and keeps its orders."""

    parameters = ("fast",)
    fast = 10

    def on_init(self) -> None:
        self.orders: list[OrderData] = []

    def on_order(self, order: OrderData) -> None:
        self.orders.append(order)


class FailsAtItsEnd(Strategy):
    """Listens to ticks, and ends with a mistake."""

    def on_stop(self) -> None:
        raise ZeroDivisionError


class AmericanAdapter(TradingAdapter):
    """Serves another exchange."""

    default_name = "AMERICAN"
    exchanges = (Exchange.NYSE,)


@pytest.fixture
def adapter(engine: MainEngine) -> TradingAdapter:
    """The venue that strategies trade at."""
    return engine.add_adapter(TradingAdapter)


def test_a_strategy_is_found_by_its_name(engine: MainEngine, adapter: TradingAdapter) -> None:
    """And all are listed, stopped ones too."""
    first, second = engine.add_strategy(Cross, "1", A), engine.add_strategy(Cross, "2", A)
    first.stop()
    assert engine.get_strategy("2") is second
    assert engine.get_strategy("3") is None
    assert engine.get_all_strategies() == [first, second]


def test_a_taken_name_is_refused(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Its orders and log lines could not be told apart; the name of a stopped one is free."""
    first = engine.add_strategy(Cross, "c", A)
    with pytest.raises(ConfigurationError, match="add_strategy: name: c is there already"):
        engine.add_strategy(Cross, "c", ["B.BINANCE"])
    first.stop()
    assert engine.add_strategy(Cross, "c", A) is engine.get_strategy("c")


def test_a_stream_that_is_asked_for_while_a_strategy_ends_is_given_back(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for on another thread: nobody else would ever give it back."""
    subscribe, strategy = engine.subscribe, engine.add_strategy(Cross, "c", A)
    adapter.settle()
    ended = threading.Event()

    def stop() -> None:
        strategy.stop()
        ended.set()

    stopping = threading.Thread(target=stop)

    def while_it_ends(request: SubscribeRequest, adapter_name: str, owner: str) -> None:
        subscribe(request, adapter_name, owner)
        stopping.start()
        ended.wait(0.2)

    monkeypatch.setattr(engine, "subscribe", while_it_ends)
    strategy.subscribe("B.BINANCE")
    monkeypatch.undo()
    stopping.join(WAIT_S)
    adapter.settle()
    assert adapter.subscriptions() == ()


def test_who_takes_over_the_name_of_a_strategy_that_ends_keeps_its_streams(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little after the end of the other: what that one gives back is its own alone."""
    give_back, added = engine.unsubscribe, threading.Event()

    def take_over() -> None:
        engine.add_strategy(Cross, "c", A)
        added.set()

    successor = threading.Thread(target=take_over)

    def while_another_comes(request: SubscribeRequest, adapter_name: str, owner: str) -> None:
        successor.start()
        added.wait(0.2)
        give_back(request, adapter_name, owner)

    first = engine.add_strategy(Cross, "c", A)
    monkeypatch.setattr(engine, "unsubscribe", while_another_comes)
    first.stop()
    monkeypatch.undo()
    successor.join(WAIT_S)
    assert engine.get_strategy("c") is not first
    assert [each.vt_symbol for each in adapter.subscriptions()] == A


def test_who_takes_over_from_a_strategy_that_fails_at_its_end_keeps_its_streams(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure has ended it already; it must not give back a second time."""

    def take_over(msg: str, source: str) -> None:
        engine.add_strategy(Cross, "c", A)

    first = engine.add_strategy(FailsAtItsEnd, "c", A)
    monkeypatch.setattr(engine, "write_log", take_over)
    first.stop()
    monkeypatch.undo()
    assert engine.get_strategy("c") is not first
    assert [each.vt_symbol for each in adapter.subscriptions()] == A


@pytest.mark.parametrize("vt_symbol", ["A", "A.", ".BINANCE", "A.NOWHERE", ""])
def test_a_wrong_symbol_is_refused(
    engine: MainEngine, adapter: TradingAdapter, vt_symbol: str
) -> None:
    """The text shows what a vt_symbol looks like."""
    with pytest.raises(ConfigurationError, match="is not of the form SYMBOL"):
        engine.add_strategy(Cross, "c", [vt_symbol])
    assert engine.get_all_strategies() == []


def test_the_adapter_is_the_one_that_serves_the_symbols(
    engine: MainEngine, adapter: TradingAdapter
) -> None:
    """Named or not, in whatever case."""
    engine.add_adapter(AmericanAdapter)
    assert engine.add_strategy(Cross, "1", A).adapter_name == "FAKE"
    assert engine.add_strategy(Cross, "2", ["X.NYSE"]).adapter_name == "AMERICAN"
    assert engine.add_strategy(Cross, "3", A, adapter_name="fake").adapter_name == "FAKE"


def test_a_choice_of_adapters_is_not_guessed(engine: MainEngine) -> None:
    """Two accounts at one exchange: an order in the wrong one is no small mistake."""
    with pytest.raises(ConfigurationError, match="for BINANCE; there is none; call add_adapter"):
        engine.add_strategy(Cross, "c", A)
    engine.add_adapter(TradingAdapter)
    engine.add_adapter(TradingAdapter, "SECOND")
    with pytest.raises(ConfigurationError, match="adapter: FAKE, SECOND would do; say which"):
        engine.add_strategy(Cross, "c", A)
    with pytest.raises(ConfigurationError, match="no adapter for BINANCE, NYSE; there is FAKE"):
        engine.add_strategy(Cross, "c", ["A.BINANCE", "X.NYSE"])
    with pytest.raises(ConfigurationError, match="no adapter 'THIRD'; there is FAKE, SECOND"):
        engine.add_strategy(Cross, "c", A, adapter_name="THIRD")


def test_a_symbol_given_twice_counts_once(engine: MainEngine, adapter: TradingAdapter) -> None:
    """It is still a strategy of one symbol."""
    assert engine.add_strategy(Cross, "c", A * 2).vt_symbols == ("A.BINANCE",)


def test_a_stuck_handler_delays_the_end_once(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing waits for all strategies together, not for each in turn."""
    waits: list[float] = []

    def drain(timeout: float) -> bool:
        waits.append(timeout)
        return False

    monkeypatch.setattr(engine.event_engine, "drain", drain)
    for name in "abc":
        engine.add_strategy(Cross, name, A)
    engine._strategies.close()
    assert waits == [strategies.DRAIN_S]


class Leaving(Cross):
    """Leaves no order behind."""

    def on_stop(self) -> None:
        self.cancel_all()


class SlowAdapter(TradingAdapter):
    """Cancels in its own time, and notes what is open when it closes."""

    may_cancel: threading.Event
    open_at_close = -1

    def cancel_order(self, request: CancelRequest) -> None:
        def later() -> None:
            if self.may_cancel.wait(WAIT_S):
                super(SlowAdapter, self).cancel_order(request)

        self.bridge.call_soon(later)

    def close(self) -> None:
        self.open_at_close = sum(order.is_active() for order in self._orders.values())
        super().close()


def test_what_is_cancelled_in_on_stop_is_cancelled_before_the_venue_closes() -> None:
    """The cancel is on its way when on_stop returns; the line is not cut under it."""
    with MainEngine() as engine:
        adapter = engine.add_adapter(SlowAdapter)
        adapter.may_cancel = threading.Event()
        leaving = engine.add_strategy(Leaving, "l", A)
        adapter.settle()
        leaving.buy(1, 1)
        leaving.buy(2, 1)
        told = engine._strategies._order_told
        wait, woken = told.wait, []

        def waiting(timeout: float | None = None) -> bool:
            adapter.may_cancel.set()
            woken.append(wait(WAIT_S))
            return woken[-1]

        told.wait = waiting  # type: ignore[method-assign]
    assert adapter.open_at_close == 0
    assert woken
    assert all(woken)


def test_a_venue_that_does_not_cancel_keeps_nobody_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait has an end, and the log names what is left."""
    monkeypatch.setattr(strategies, "CANCEL_S", 0.001)
    monkeypatch.setattr(TradingAdapter, "cancel_order", lambda self, request: None)
    with MainEngine() as engine:
        adapter = engine.add_adapter(TradingAdapter)
        leaving = engine.add_strategy(Leaving, "l", A)
        adapter.settle()
        leaving.buy(1, 1)
    assert "orders_left_open" in caplog.text
    assert "FAKE.o1" in caplog.text


def test_orders_of_others_reach_no_strategy(engine: MainEngine, adapter: TradingAdapter) -> None:
    """Neither those of a script nor those of another strategy's symbol."""
    cross = engine.add_strategy(Cross, "c", A)
    adapter.on_order(OrderData("FAKE", "A", Exchange.BINANCE, "somebody's"))
    adapter.settle()
    assert cross.orders == []


def test_whose_an_order_was_is_remembered_up_to_a_bound(
    engine: MainEngine, adapter: TradingAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year of orders fills nothing up; but one that rests all the while is never forgotten."""
    monkeypatch.setattr(strategies, "ORDERS_MAX", 2)
    cross = engine.add_strategy(Cross, "c", A)
    adapter.settle()
    resting = cross.buy(1, 1)
    for _ in range(10):
        adapter.fill(cross.buy(1, 1))
        adapter.settle()
    assert len(engine._strategies._owners) == 2
    cross.orders.clear()
    adapter.fill(resting)
    adapter.settle()
    assert [order.vt_orderid for order in cross.orders] == [resting]
    assert cross.pos == 11


# ------------------------------------------------------------------ from the settings


def entries(**fields: object) -> Settings:
    whole = {"class": f"{__name__}:Cross", "name": "c", "symbols": A, **fields}
    return Settings.parse({"strategies": [whole]})


def test_the_settings_start_strategies() -> None:
    """Class, name, adapter, symbols, parameters and limits; all in the file."""
    settings = entries(adapter="fake", params={"fast": 3}, risk={"max_open_orders": 1})
    with MainEngine(settings=settings) as engine:
        adapter = engine.add_adapter(TradingAdapter)
        (cross,) = engine.load_strategies()
        adapter.settle()
        assert engine.get_strategy("c") is cross
        assert type(cross).__name__ == "Cross"
        assert cross.get_parameters() == {"fast": 3}
        cross.buy(1, 1)
        cross.buy(1, 1)
        assert len(adapter.sent) == 1


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"params": {"fst": 3}}, 'c.fst: unknown parameter; did you mean "fast"?'),
        ({"params": {"fast": "x"}}, "c.fast: must be a whole number, as its default is; was text"),
        ({"class": "nobody"}, "c.class: 'nobody' is not installed; known: none"),
        ({"symbols": ["A"]}, "c.symbols: 'A' is not of the form SYMBOL.EXCHANGE"),
        ({"adapter": "X"}, "c.adapter: no adapter 'X'; there is FAKE"),
    ],
)
def test_a_mistake_in_the_settings_is_found_where_it_stands(
    fields: dict[str, object], problem: str
) -> None:
    """The text names the strategy and the key."""
    with MainEngine(settings=entries(**fields)) as engine:
        engine.add_adapter(TradingAdapter)
        with pytest.raises(ConfigurationError) as caught:
            engine.load_strategies()
        assert str(caught.value).startswith(f"settings: strategies.{problem}")
        assert engine.get_all_strategies() == []
