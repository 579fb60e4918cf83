"""MainEngine: vnpy's names, parts that come and go, and an end in the right order."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foxtrot.core.event_engine import EventEngine
from foxtrot.core.settings import Settings
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import ConfigurationError, InvalidState, ShutdownTimeout, WrongThread
from foxtrot.model.constants import ConnectionState, Direction, Exchange, OrderType, Status
from foxtrot.model.events import EVENT_LOG, EVENT_TICK, EVENT_TIMER, EVENT_TRADE, Event
from foxtrot.model.objects import LogData, OrderData, Source, TickData
from foxtrot.model.requests import CancelRequest, OrderRequest, SubscribeRequest
from tests.support.events import WAIT_S, EventLog
from tests.support.fake_adapter import FakeAdapter
from tests.support.sessions import tick
from tests.support.trading_adapter import TradingAdapter

A = SubscribeRequest("A", Exchange.BINANCE)
SOURCE = Source.of("A", Exchange.BINANCE, "FAKE")

VNPY_NAMES = """
    add_engine add_gateway add_app connect subscribe send_order cancel_order query_history
    get_gateway get_engine get_default_setting get_all_gateway_names get_all_apps
    get_all_exchanges write_log close get_tick get_order get_trade get_position get_account
    get_contract get_quote get_all_ticks get_all_orders get_all_trades get_all_positions
    get_all_accounts get_all_contracts get_all_quotes get_all_active_orders
    """


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever a test does, both threads of the engine end."""
    before = threads()
    yield
    assert threads() <= before


@pytest.mark.parametrize("name", sorted(VNPY_NAMES.split()))
def test_vnpys_names_are_there(engine: MainEngine, name: str) -> None:
    """Code written for vnpy's MainEngine finds its methods."""
    assert callable(getattr(engine, name))


# ------------------------------------------------------------------ parts


def test_an_adapter_is_found_whatever_the_case_of_its_name(engine: MainEngine) -> None:
    """By its own name or a given one, and vnpy's add_gateway is the same."""
    first = engine.add_adapter(FakeAdapter)
    second = engine.add_gateway(FakeAdapter, "Second")
    assert engine.adapter("fake") is first
    assert engine.get_gateway("SECOND") is second
    assert engine.get_all_adapter_names() == ["FAKE", "Second"]
    assert engine.get_all_exchanges() == [Exchange.BINANCE]


def test_an_adapter_of_a_taken_name_is_refused(engine: MainEngine) -> None:
    """Two of a name could not be told apart."""
    engine.add_adapter(FakeAdapter)
    with pytest.raises(ConfigurationError, match="add_adapter: name: fake is there already"):
        engine.add_adapter(FakeAdapter, "fake")


def test_an_unknown_adapter_is_answered_with_the_known_ones(engine: MainEngine) -> None:
    """A typo, or a forgotten add_adapter."""
    with pytest.raises(ConfigurationError, match="no adapter 'X'; there is none; call add_adapter"):
        engine.subscribe(A, "X")
    engine.add_adapter(FakeAdapter)
    with pytest.raises(ConfigurationError, match="no adapter 'X'; there is FAKE"):
        engine.connect({}, "X")


def test_the_default_setting_is_a_copy(engine: MainEngine) -> None:
    """A form may write into what it got."""
    engine.add_adapter(FakeAdapter)
    engine.get_default_setting("FAKE")["url"] = "elsewhere"
    assert engine.get_default_setting("FAKE")["url"] == "fake.example:1"


class Closing:
    """An engine as vnpy's apps bring them."""

    engine_name = "closing"
    closed: list[str]

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        self.main_engine, self.event_engine = main_engine, event_engine
        self.closed = []

    def close(self) -> None:
        self.closed.append(self.engine_name)


class ClosingApp:
    """An app without windows."""

    app_name = "closing app"
    engine_class = Closing


def test_an_engine_gets_both_engines_and_is_found_by_name(engine: MainEngine) -> None:
    """As vnpy's BaseEngine is made."""
    added = engine.add_engine(Closing)
    assert added.main_engine is engine
    assert added.event_engine is engine.event_engine
    assert engine.get_engine("closing") is added
    assert engine.get_engine("oms") is engine.oms
    assert engine.get_engine("nobody") is None


def test_an_app_brings_its_engine(engine: MainEngine) -> None:
    """add_app returns the engine, and lists the app."""
    added = engine.add_app(ClosingApp)
    assert isinstance(added, Closing)
    assert [app.app_name for app in engine.get_all_apps()] == ["closing app"]


def test_an_engine_of_a_taken_name_is_closed_and_refused(engine: MainEngine) -> None:
    """Nobody would ever close the one that was replaced."""
    made: list[Closing] = []

    def make(main_engine: MainEngine, event_engine: EventEngine) -> Closing:
        made.append(Closing(main_engine, event_engine))
        return made[-1]

    engine.add_engine(make)
    with pytest.raises(ConfigurationError, match="closing is there already"):
        engine.add_engine(make)
    assert engine.get_engine("closing") is made[0]
    assert (made[0].closed, made[1].closed) == ([], ["closing"])


def test_an_engine_without_a_name_goes_by_its_class(engine: MainEngine) -> None:
    """engine_name is vnpy's convention, not a duty."""

    class Nameless:
        def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
            """Needs neither."""

        def close(self) -> None:
            """Nothing to close."""

    added = engine.add_engine(Nameless)
    assert engine.get_engine("Nameless") is added


# ------------------------------------------------------------------ calls and events


def test_calls_reach_the_adapter(engine: MainEngine) -> None:
    """connect, subscribe, unsubscribe and disconnect by the adapter's name."""
    adapter = engine.add_adapter(FakeAdapter)
    engine.connect({}, "fake")
    engine.subscribe(A, "fake")
    adapter.streams.changes.wait_for(lambda held: held == {tick("A")})
    engine.unsubscribe(A, "fake")
    adapter.streams.changes.wait_for(lambda held: not held)
    engine.disconnect("fake")
    adapter.streams.calls.wait_for(lambda call: call.step == "close")


def test_an_order_is_known_by_its_id(engine: MainEngine) -> None:
    """send_order returns the id under which get_order finds what became of it."""
    engine.add_adapter(FakeAdapter)
    request = OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 1.0)
    vt_orderid = engine.send_order(request, "FAKE")
    assert engine.event_engine.drain(WAIT_S)
    order = engine.get_order(vt_orderid)
    assert order is not None
    assert order.vt_orderid == vt_orderid
    assert engine.get_all_active_orders() == []
    assert engine.get_all_orders() == [order]
    engine.cancel_order(CancelRequest(order.orderid, "A", Exchange.BINANCE), "FAKE")


def test_a_handler_is_called_until_it_is_taken_back(engine: MainEngine) -> None:
    """register and unregister, for every tick or for those of one symbol."""
    every, one = EventLog(), EventLog()
    engine.register(EVENT_TICK, every)
    engine.register(EVENT_TICK + "B.BINANCE", one)
    adapter = engine.add_adapter(FakeAdapter)
    adapter.on_tick(TickData(SOURCE, 1, 1))
    assert engine.event_engine.drain(WAIT_S)
    engine.unregister(EVENT_TICK, every)
    adapter.on_tick(TickData(SOURCE, 2, 2))
    assert engine.event_engine.drain(WAIT_S)
    assert (len(every), len(one)) == (1, 0)


def test_write_log_is_an_event(engine: MainEngine) -> None:
    """Desktops show it, with who said it."""
    seen = EventLog(engine.event_engine, EVENT_LOG)
    engine.write_log("hello", "me")
    entry = seen.wait_type(EVENT_LOG)
    assert isinstance(entry, LogData)
    assert (entry.adapter_name, entry.msg) == ("me", "hello")


def test_a_monkeypatched_call_is_used(engine: MainEngine) -> None:
    """vnpy's risk manager replaces send_order on the instance; strategies call through it."""
    engine.add_adapter(FakeAdapter)
    engine.send_order = lambda request, name: "patched"  # type: ignore[method-assign]
    request = OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 1.0)
    assert engine.send_order(request, "FAKE") == "patched"


# ------------------------------------------------------------------ the kill switch


def order_to(engine: MainEngine, name: str) -> Status:
    """Send an order; how it stands when its event was served."""
    request = OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 1.0)
    vt_orderid = engine.send_order(request, name)
    assert engine.event_engine.drain(WAIT_S)
    order = engine.get_order(vt_orderid)
    assert order is not None
    return order.status


def test_halt_blocks_new_orders_and_cancels_the_open_ones(engine: MainEngine) -> None:
    """At every venue, also one that is added later; resume is explicit."""
    first, second = engine.add_adapter(TradingAdapter), engine.add_adapter(TradingAdapter, "SECOND")
    told = EventLog(engine.event_engine, EVENT_LOG)
    assert order_to(engine, "FAKE") is order_to(engine, "SECOND") is Status.SUBMITTING
    engine.halt("a person said so")
    assert engine.halted == "a person said so"
    assert (len(first.cancelled), len(second.cancelled)) == (1, 1)
    engine.add_adapter(TradingAdapter, "THIRD")
    for name in ("FAKE", "SECOND", "THIRD"):
        assert order_to(engine, name) is Status.REJECTED
    engine.resume()
    assert engine.halted == ""
    for name in ("FAKE", "SECOND", "THIRD"):
        assert order_to(engine, name) is Status.SUBMITTING
    assert [getattr(each, "msg", "") for each in told.of(EVENT_LOG)] == [
        "trading is halted: a person said so",
        "trading is resumed",
    ]


def test_halt_waits_for_nobody(engine: MainEngine) -> None:
    """While the dispatcher is stuck in a handler and ticks pile up, the block holds at once."""
    adapter = engine.add_adapter(TradingAdapter)
    entered, go_on = threading.Event(), threading.Event()

    def stuck(event: Event) -> None:
        entered.set()
        assert go_on.wait(WAIT_S)

    engine.register(EVENT_TICK, stuck)
    for number in range(20_000):
        adapter.on_tick(TickData(SOURCE, number, number))
    assert entered.wait(WAIT_S)
    engine.halt("flood")
    request = OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 1.0)
    engine.send_order(request, "FAKE")
    assert len(adapter.sent) == 0
    go_on.set()


def test_the_real_adapter_halts(engine: MainEngine) -> None:
    """The gate is the adapter's own guard, which no order passes around."""
    adapter = engine.add_adapter(FakeAdapter)
    engine.halt("a person said so")
    assert adapter.halted == "a person said so"
    engine.resume()
    assert adapter.halted == ""


def test_cancel_all_leaves_trading_open(engine: MainEngine) -> None:
    """The same as halt without the block."""
    adapter = engine.add_adapter(TradingAdapter)
    order_to(engine, "FAKE")
    engine.cancel_all()
    assert len(adapter.cancelled) == 1
    assert order_to(engine, "FAKE") is Status.SUBMITTING


def test_a_venue_that_fails_to_halt_does_not_keep_others_trading(engine: MainEngine) -> None:
    """Its failure is logged, the next venue is halted all the same."""

    class Broken(TradingAdapter):
        default_name = "BROKEN"

        def halt(self, reason: str = "") -> None:
            raise ValueError("mine")

    engine.add_adapter(Broken)
    engine.add_adapter(TradingAdapter)
    engine.halt("test")
    assert order_to(engine, "FAKE") is Status.REJECTED


@pytest.mark.parametrize("part", ["oms", "strategies"])
def test_trading_halts_when_what_keeps_orders_fails(engine: MainEngine, part: str) -> None:
    """A cache or a ledger that missed a fill is nothing to trade by."""

    class Unreadable:
        vt_orderid = "FAKE.o1"
        vt_symbol = "A.BINANCE"
        direction = Direction.LONG if part == "oms" else Direction.NET
        price = volume = 1.0

        @property
        def vt_tradeid(self) -> str:
            if part == "oms":
                raise ValueError("mine")
            return "FAKE.1"

    adapter = engine.add_adapter(TradingAdapter)
    strategy = engine.add_strategy(Strategy, "s", ["A.BINANCE"])
    adapter.settle()
    open_order = strategy.buy(1, 1)
    engine.event_engine.put(Event(EVENT_TRADE, Unreadable(), "A.BINANCE"))
    adapter.settle()
    where = "OmsEngine" if part == "oms" else "StrategyEngine"
    assert f"{where}._on_trade failed with" in engine.halted
    assert order_to(engine, "FAKE") is Status.REJECTED
    assert not adapter.order(open_order).is_active()


def test_modify_reaches_the_adapter(engine: MainEngine) -> None:
    """An order that is not known is refused in words, not by an exception."""
    told = EventLog(engine.event_engine, EVENT_LOG)
    engine.add_adapter(FakeAdapter)
    assert engine.modify_order("nobody", "FAKE", price=2.0) == ""
    assert "no order nobody is known" in getattr(told.wait_type(EVENT_LOG), "msg", "")


def test_an_order_that_is_none_raises(engine: MainEngine) -> None:
    """The only error of send_order beside an adapter that is not there."""
    engine.add_adapter(FakeAdapter)
    with pytest.raises(TypeError):
        engine.send_order("buy", "FAKE")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no adapter 'X'"):
        order_to(engine, "X")


# ------------------------------------------------------------------ settings


def test_reloaded_settings_reach_the_adapters(engine: MainEngine) -> None:
    """websocket.enabled moves the streams; the change is told and returned."""
    seen = EventLog(engine.event_engine, EVENT_LOG)
    adapter = engine.add_adapter(FakeAdapter)
    engine.connect({}, "FAKE")
    engine.subscribe(A, "FAKE")
    adapter.streams.changes.wait_for(lambda held: held == {tick("A")})
    change = engine.reload_settings(Settings.parse({"websocket.enabled": False}))
    assert change.applied == ("websocket.enabled",)
    adapter.polls.changes.wait_for(lambda held: held == {tick("A")})
    entry = seen.wait_type(EVENT_LOG)
    assert isinstance(entry, LogData)
    assert entry.msg == "settings applied: websocket.enabled"


def test_what_needs_a_restart_is_said(engine: MainEngine) -> None:
    """A key that the running program does not take up is not passed over in silence."""
    seen = EventLog(engine.event_engine, EVENT_LOG)
    engine.reload_settings(Settings.parse({"engine.bounded_limit": 5000}))
    entry = seen.wait_type(EVENT_LOG)
    assert isinstance(entry, LogData)
    assert entry.msg == "settings that need a restart: engine.bounded_limit"


def test_without_a_file_settings_must_be_given(engine: MainEngine) -> None:
    """There is nothing to read again."""
    with pytest.raises(InvalidState, match="no settings file"):
        engine.reload_settings()


def test_a_settings_file_is_watched(tmp_path: Path) -> None:
    """Written while it runs, it is applied; written wrongly, the old settings stay."""
    path = tmp_path / "settings.json"
    path.write_text("{}")
    with MainEngine(settings=path) as engine:
        seen = EventLog(engine.event_engine, EVENT_LOG)
        path.write_text('{"polling.interval": 2.0}')
        seen.wait_type(EVENT_LOG, where=lambda e: "polling.interval" in getattr(e, "msg", ""))
        assert engine.settings.flags.polling_interval == 2.0
        path.write_text('{"polling.interval": "soon"}')
        seen.wait_type(EVENT_LOG, where=lambda e: "refused" in getattr(e, "msg", ""))
        assert engine.settings.flags.polling_interval == 2.0
        with pytest.raises(ConfigurationError, match=r"polling\.interval"):
            engine.reload_settings()


def test_settings_may_be_a_mapping() -> None:
    """A script needs no file, to begin with or to change them."""
    with MainEngine(settings={"polling.interval": 3.0}) as engine:
        assert engine.settings.flags.polling_interval == 3.0
        engine.reload_settings({"polling.interval": 4.0})
        assert engine.settings.flags.polling_interval == 4.0


def test_wrong_settings_start_nothing() -> None:
    """The error comes before any thread."""
    before = threads()
    with pytest.raises(ConfigurationError):
        MainEngine(settings={"polling.intervall": 3.0})
    assert threads() == before


def test_an_event_engine_that_runs_already_is_refused_without_a_trace() -> None:
    """As it would be by start(); no loop thread is left behind."""
    event_engine = EventEngine()
    event_engine.start()
    before = threads()
    with pytest.raises(InvalidState):
        MainEngine(event_engine)
    assert threads() == before
    event_engine.stop(WAIT_S)


# ------------------------------------------------------------------ health


def test_health_shows_every_part(engine: MainEngine) -> None:
    """Engine, bridge and adapters, without problems."""
    engine.add_adapter(FakeAdapter)
    health = engine.health()
    assert health.engine.running
    assert health.bridge.running
    assert [a.adapter_name for a in health.adapters] == ["FAKE"]
    assert health.problems == ()


class Nameless:
    """A callable without __qualname__."""

    def __call__(self) -> object:
        raise ValueError("secret")


def failing() -> object:
    raise ValueError("secret")


@pytest.mark.parametrize("broken", [failing, Nameless()], ids=["function", "object"])
def test_health_never_raises(engine: MainEngine, broken: Callable[[], object]) -> None:
    """A part that cannot say how it is becomes a problem with its name, and no more."""
    adapter = engine.add_adapter(FakeAdapter)
    adapter.health = broken  # type: ignore[method-assign, assignment]
    engine.bridge.health = broken  # type: ignore[method-assign, assignment]
    engine.event_engine.health = broken  # type: ignore[method-assign, assignment]
    health = engine.health()
    assert len(health.problems) == 3
    assert all(problem.endswith(": ValueError") for problem in health.problems)
    assert health.adapters[0].state is ConnectionState.FAILED
    assert not health.engine.running


def test_health_after_the_end(engine: MainEngine) -> None:
    """Closed, it still answers."""
    engine.add_adapter(FakeAdapter)
    engine.close()
    health = engine.health()
    assert not health.engine.running
    assert not health.bridge.running
    assert health.adapters[0].state is ConnectionState.CLOSED


def test_its_repr_is_a_status_line(engine: MainEngine) -> None:
    """Adapters with their states, and the number of strategies."""
    assert repr(engine) == "<MainEngine no adapters strategies=0>"
    engine.add_adapter(FakeAdapter)
    assert repr(engine) == "<MainEngine FAKE=DISCONNECTED strategies=0>"


# ------------------------------------------------------------------ the end


def test_parts_close_in_order() -> None:
    """Strategies stop, adapters close, engines close, events are served, then the threads end."""
    done: list[str] = []

    class Noting(Strategy):
        def on_stop(self) -> None:
            done.append(f"strategy {self.name}")

    class NotingAdapter(FakeAdapter):
        def close(self) -> None:
            done.append("adapter")
            super().close()
            self.write_log("the last word")

    class NotingEngine(Closing):
        def close(self) -> None:
            done.append("engine")

    with MainEngine() as engine:
        engine.add_adapter(NotingAdapter)
        engine.add_engine(NotingEngine)
        engine.add_strategy(Noting, "first", ["A.BINANCE"])
        engine.add_strategy(Noting, "second", ["A.BINANCE"])
        engine.register(EVENT_LOG, lambda event: done.append("event"))
        stop = engine.bridge.stop

        def stop_bridge() -> None:
            done.append("bridge")
            assert not engine.health().engine.running
            stop()

        engine.bridge.stop = stop_bridge  # type: ignore[method-assign, assignment]
    ends = [each for each in done if each != "event"]
    assert ends == ["strategy second", "strategy first", "adapter", "engine", "bridge"]
    assert done.index("adapter") < done.index("event") < done.index("bridge")


def test_close_is_idempotent_also_from_many_threads(engine: MainEngine) -> None:
    """Each part is closed once."""
    closing = engine.add_engine(Closing)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(engine.close) for _ in range(8)]:
            done.result(WAIT_S)
    engine.close()
    assert closing.closed == ["closing"]


def test_close_on_the_loop_thread_is_refused_and_closes_nothing(engine: MainEngine) -> None:
    """As an inline handler is: who closes afterwards, on another thread, closes all of it."""
    closing = engine.add_engine(Closing)

    async def close() -> None:
        engine.close()

    with pytest.raises(WrongThread, match="would wait for itself"):
        engine.bridge.run(close(), timeout=WAIT_S)
    assert closing.closed == []
    engine.close()
    assert closing.closed == ["closing"]
    assert not engine.bridge.health().running


def test_a_part_that_fails_to_close_keeps_nobody_else_open(engine: MainEngine) -> None:
    """A user's on_stop may raise; all the rest is closed."""

    class Failing(Strategy):
        def on_stop(self) -> None:
            raise ValueError("mine")

    adapter = engine.add_adapter(FakeAdapter)
    closing = engine.add_engine(Closing)
    engine.add_strategy(Failing, "f", ["A.BINANCE"])
    engine.close()
    assert adapter.state is ConnectionState.CLOSED
    assert closing.closed == ["closing"]


def test_what_did_not_end_in_time_is_raised_after_all_is_closed(engine: MainEngine) -> None:
    """The first of our own errors is raised at the very end."""

    class Stuck(Closing):
        def close(self) -> None:
            raise ShutdownTimeout("stuck engine", 1.0, ["thread x"])

    engine.add_engine(Stuck)
    with pytest.raises(ShutdownTimeout, match="left behind: thread x"):
        engine.close()
    assert not engine.health().bridge.running


def test_events_put_before_the_end_are_served(engine: MainEngine) -> None:
    """The engine drains: no order is lost because somebody quits."""
    seen = EventLog()
    engine.register("eLast", seen)
    for number in range(1000):
        engine.event_engine.put(Event("eLast", number))
    engine.close()
    assert [event.data for event in seen.items] == list(range(1000))


def test_nothing_is_added_after_the_end(engine: MainEngine) -> None:
    """It would never be closed."""
    engine.close()
    before = threads()
    for add in (
        lambda: engine.add_adapter(FakeAdapter),
        lambda: engine.add_engine(Closing),
        lambda: engine.add_app(ClosingApp),
        lambda: engine.add_strategy(Strategy, "s", []),
        engine.load_strategies,
    ):
        with pytest.raises(InvalidState, match="the engine is closed"):
            add()
    assert threads() == before
    assert engine.get_all_apps() == []


def test_the_timer_runs(engine: MainEngine) -> None:
    """vnpy's engines live on eTimer; it comes once a second."""
    came = threading.Event()
    engine.register(EVENT_TIMER, lambda event: came.set())
    assert came.wait(WAIT_S)


def test_an_exception_in_the_with_block_closes_all_the_same() -> None:
    """And is not swallowed."""
    with pytest.raises(ValueError, match="mine"), MainEngine() as engine:
        raise ValueError("mine")
    assert not engine.health().bridge.running


def test_the_cache_is_what_was_put_when_it_is_asked(engine: MainEngine) -> None:
    """Lists are snapshots: later events do not change them."""
    adapter = engine.add_adapter(FakeAdapter)
    adapter.on_order(OrderData("FAKE", "A", Exchange.BINANCE, "1"))
    assert engine.event_engine.drain(WAIT_S)
    before = engine.get_all_orders()
    adapter.on_order(OrderData("FAKE", "A", Exchange.BINANCE, "2"))
    assert engine.event_engine.drain(WAIT_S)
    assert len(before) == 1
    assert len(engine.get_all_orders()) == 2
