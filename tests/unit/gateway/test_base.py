"""What every adapter offers, tried on a tiny venue."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.settings import Settings
from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import (
    ConfigurationError,
    ConnectionClosed,
    InvalidState,
    JournalUnavailable,
    NotSupported,
    UnknownSymbol,
    WrongThread,
)
from foxtrot.execution.journal import Journal
from foxtrot.gateway.base import stream_key
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.trading import TradingSession
from foxtrot.model.constants import (
    Channel,
    Direction,
    Environment,
    Exchange,
    Interval,
    Lane,
    Mode,
    Offset,
    OrderType,
    Product,
    Status,
    StreamState,
)
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_BAR,
    EVENT_CONNECTION,
    EVENT_CONTRACT,
    EVENT_DEPTH,
    EVENT_LOG,
    EVENT_MARKET_TRADE,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_QUOTE,
    EVENT_STREAM,
    EVENT_TICK,
    EVENT_TRADE,
)
from foxtrot.model.health import ConnectionStatus, StreamKey, StreamStatus
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    DepthData,
    LogData,
    MarketTradeData,
    OrderData,
    PositionData,
    QuoteData,
    Source,
    TickData,
    TradeData,
)
from foxtrot.model.requests import CancelRequest, HistoryRequest, OrderRequest, SubscribeRequest
from tests.support.events import WAIT_S, EventLog
from tests.support.fake_adapter import FakeAdapter
from tests.support.scripted_trading import ScriptedSession
from tests.support.sessions import HANG, tick

QUICK = Settings.parse(
    {"websocket.reconnect_base_delay": 0.01, "websocket.reconnect_max_delay": 0.02}
)
A = SubscribeRequest("A", Exchange.BINANCE)
B = SubscribeRequest("B", Exchange.BINANCE)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class House:
    """An event engine, its log, a bridge and one adapter."""

    def __init__(self) -> None:
        self.engine = EventEngine(interval=3600)
        self.log = EventLog(self.engine)
        self.bridge = AsyncThreadBridge("test-bridge")
        self.adapter = FakeAdapter(self.engine, bridge=self.bridge, settings=QUICK)
        self.engine.start()

    def wait_state(self, state: S, since: int = 0) -> ConnectionStatus:
        status = self.log.wait_type(
            EVENT_CONNECTION, since=since, where=lambda s: getattr(s, "state", None) is state
        )
        assert isinstance(status, ConnectionStatus)
        return status

    def wait_held(self, *symbols: str) -> None:
        wanted = {tick(symbol) for symbol in symbols}
        self.adapter.streams.changes.wait_for(lambda held: held == wanted)

    def settle(self) -> None:
        """Wait until the loop and the engine have done what was asked before."""

        async def nothing() -> None:
            return

        self.bridge.run(nothing(), timeout=WAIT_S)
        assert self.engine.drain(WAIT_S)


@pytest.fixture
def house() -> Iterator[House]:
    """An adapter that is closed at the end and leaves neither session nor thread."""
    made = House()
    yield made
    made.adapter.close()
    made.engine.stop(WAIT_S)
    sessions = [s for venue in made.adapter.venues.values() for s in venue.sessions]
    assert all(session.closed == 1 for session in sessions)
    assert not made.bridge.health().running
    assert "test-bridge" not in [thread.name for thread in threading.enumerate()]


# ------------------------------------------------------------------ connect and its opposites


def test_connect_returns_at_once_and_states_come_as_events(house: House) -> None:
    """The caller never waits for the venue; who cares listens."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    states = [s.state for s in house.log.of(EVENT_CONNECTION)]  # type: ignore[attr-defined]
    assert states == [S.CONNECTING, S.SYNCING, S.READY]
    assert house.adapter.state is S.READY


def test_a_wrong_setting_starts_nothing(house: House) -> None:
    """connect names the field, and no thread is started for it."""
    with pytest.raises(ConfigurationError, match="connect: url: must be text"):
        house.adapter.connect({"url": ""})
    assert not house.bridge.health().running
    assert house.adapter.state is S.DISCONNECTED


def test_a_second_connect_applies_a_new_setting(house: House) -> None:
    """The old session is closed, the streams are kept."""
    house.adapter.subscribe(A)
    house.adapter.connect({"url": "one:1"})
    house.wait_held("A")
    since = len(house.adapter.streams.changes)
    house.adapter.connect({"url": "two:2"})
    house.adapter.streams.changes.wait_for(lambda held: held == {tick("A")}, since=since)
    assert house.adapter.streams.sessions[0].closed == 1
    assert house.adapter.endpoint == "two:2"
    assert house.bridge.health().leases == ("FAKE",)


def test_disconnect_keeps_the_subscriptions_for_the_next_connect(house: House) -> None:
    """What was wanted is wanted still."""
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.disconnect()
    house.wait_state(S.DISCONNECTED)
    house.settle()
    assert house.adapter.state is S.DISCONNECTED
    since = len(house.adapter.streams.changes)
    house.adapter.connect({})
    house.adapter.streams.changes.wait_for(lambda held: held == {tick("A")}, since=since)


def test_what_is_kept_is_shown_while_nothing_is_connected(house: House) -> None:
    """Before connect and after disconnect, health lists every wanted stream as pending."""
    house.adapter.subscribe(A)
    (kept,) = house.adapter.health().streams
    assert (kept.symbol, kept.state, kept.reason) == ("A", StreamState.PENDING, "not connected")


def test_a_disconnect_right_after_connect_counts(house: House) -> None:
    """The last word wins, also when it comes before the first was heard."""
    house.adapter.connect({})
    house.adapter.disconnect()
    house.settle()
    house.settle()
    assert house.adapter.state is S.DISCONNECTED
    assert house.adapter.actions() == {}


def test_restart_makes_fresh_sessions(house: House) -> None:
    """Down and up in order, with the same streams."""
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.wait_state(S.READY)
    since = len(house.log)
    house.adapter.restart()
    house.wait_state(S.DISCONNECTED, since)
    house.wait_state(S.READY, since)
    assert len(house.adapter.streams.sessions) == 2
    assert house.adapter.streams.newest.held == {tick("A")}


def test_restart_reads_the_setting_anew(house: House) -> None:
    """What was mended counts: a setting that was renewed, and what it refers to."""
    house.adapter.connect({"url": "old.example:1"})
    house.wait_state(S.READY)
    house.adapter.renew({"url": "new.example:1"})
    assert house.adapter.endpoint == "old.example:1"
    since = len(house.log)
    house.adapter.restart()
    house.wait_state(S.READY, since)
    assert house.adapter.endpoint == "new.example:1"


def test_restart_with_a_setting_that_is_wrong_by_now_changes_nothing(house: House) -> None:
    """The mistake is named, and what was connected stays so."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.renew({"url": ""})
    with pytest.raises(ConfigurationError, match="url: must be text"):
        house.adapter.restart()
    house.settle()
    assert house.adapter.state is S.READY
    assert len(house.adapter.streams.sessions) == 1


def test_before_connect_disconnect_and_restart_do_nothing(house: House) -> None:
    """There is no setting to restart with, and nothing to disconnect."""
    house.adapter.disconnect()
    house.adapter.restart()
    assert not house.bridge.health().running


def test_close_is_final_and_idempotent(house: House) -> None:
    """Closed once, closed for good: sessions, lease and thread are given back."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.close()
    house.adapter.close()
    assert house.adapter.state is S.CLOSED
    assert not house.bridge.health().running
    with pytest.raises(InvalidState, match="FAKE is closed; add a new adapter"):
        house.adapter.connect({})
    house.adapter.disconnect()
    house.adapter.restart()
    assert not house.bridge.health().running


def test_close_before_connect_needs_no_thread(house: House) -> None:
    """What was never opened closes at once."""
    house.adapter.close()
    assert house.adapter.state is S.CLOSED


@pytest.mark.parametrize("step", ["prepare", "open", "sync", "subscribe"])
def test_close_while_connecting_ends_it(house: House, step: str) -> None:
    """A venue that does not answer does not keep us open."""
    house.adapter.streams.plan(step, HANG)
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.adapter.streams.calls.wait_for(lambda call: call.step == step)
    house.adapter.close()
    assert house.adapter.streams.newest.closed == 1


def test_close_on_the_loop_thread_is_refused_and_harms_nothing(house: House) -> None:
    """It would wait for itself; the next close, from another thread, still works."""
    house.adapter.connect({})
    house.wait_state(S.READY)

    async def close() -> None:
        house.adapter.close()

    with pytest.raises(WrongThread):
        house.bridge.run(close(), timeout=WAIT_S)
    assert house.adapter.state is S.READY


def test_any_order_from_any_thread_ends_closed(house: House) -> None:
    """Connects, disconnects, restarts and subscriptions race; close ends them all."""
    adapter = house.adapter
    calls: list[Callable[[], object]] = [
        lambda: adapter.connect({}),
        adapter.disconnect,
        adapter.restart,
        lambda: adapter.subscribe(A),
        lambda: adapter.unsubscribe(A),
        adapter.health,
        adapter.diagnostics,
    ]

    def many(seed: int) -> None:
        for number in range(30):
            calls[(seed * 3 + number) % len(calls)]()

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(many, seed) for seed in range(8)]:
            done.result(WAIT_S)
    assert house.bridge.health().leases == ("FAKE",)
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(adapter.close) for _ in range(4)]:
            done.result(WAIT_S)
    assert adapter.state is S.CLOSED


# ------------------------------------------------------------------ subscriptions


def test_what_is_wanted_before_connect_is_subscribed_then(house: House) -> None:
    """Connected or not, asking twice is asking once."""
    house.adapter.subscribe(A)
    house.adapter.subscribe(A)
    assert house.adapter.subscriptions() == (A,)
    house.adapter.connect({})
    house.wait_held("A")
    assert house.adapter.streams.asked == [tick("A")]


@pytest.mark.parametrize("symbol", [5, None, b"A", "A\0", "A\n", "\ud800"])
def test_a_symbol_that_is_no_text_is_refused_at_once(house: House, symbol: str) -> None:
    """It would end every session of its venue, and so every other stream."""
    with pytest.raises(ConfigurationError, match="subscribe: symbol: must be text"):
        house.adapter.subscribe(SubscribeRequest(symbol, Exchange.BINANCE))
    assert house.adapter.subscriptions() == ()


def test_what_is_no_request_is_named(house: House) -> None:
    """A script's mistake is told in words where it was made."""
    with pytest.raises(TypeError, match="SubscribeRequest was expected, not str"):
        house.adapter.subscribe("A")  # type: ignore[arg-type]


def test_subscribe_and_unsubscribe_while_connected(house: House) -> None:
    """The venue is told, and the stream's state comes as an event."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.subscribe(A)
    status = house.log.wait_type(
        EVENT_STREAM, where=lambda s: getattr(s, "state", None) is StreamState.ACTIVE
    )
    assert isinstance(status, StreamStatus)
    assert (status.symbol, status.mode, status.channel) == ("A", Mode.WEBSOCKET, Channel.TICK)
    house.adapter.unsubscribe(A)
    house.adapter.streams.changes.wait_for(lambda held: not held)
    assert house.adapter.subscriptions() == ()


def test_a_stream_that_changes_costs_the_loop_nothing_of_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand that changed one after the other held the loop up for seven seconds."""
    symbols = [f"S{number}" for number in range(20)]
    for symbol in symbols:
        house.adapter.subscribe(SubscribeRequest(symbol, Exchange.BINANCE))
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.settle()
    looked: list[StreamKey] = []
    monkeypatch.setattr(house.adapter, "last_data_ns", lambda key: looked.append(key) or 0)

    def report() -> None:
        house.adapter.streams.newest.report(tick("S7"), StreamState.QUIET, "nothing to say")

    house.bridge.call_soon(report)
    house.log.wait_type(
        EVENT_STREAM, where=lambda s: getattr(s, "state", None) is StreamState.QUIET
    )
    assert looked == [tick("S7")]


def test_unsubscribing_what_was_not_wanted_does_nothing(house: House) -> None:
    """No request, no error."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.unsubscribe(B)
    house.settle()
    assert house.adapter.streams.calls_of("unsubscribe") == []


def test_the_last_word_of_many_threads_is_what_is_served(house: House) -> None:
    """What the adapter lists as wanted and what the venue gives agree in the end."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    requests = [SubscribeRequest(f"S{n}", Exchange.BINANCE) for n in range(20)]

    def churn(seed: int) -> None:
        for number in range(200):
            request = requests[(seed + number * 7) % len(requests)]
            act = house.adapter.subscribe if (seed + number) % 2 else house.adapter.unsubscribe
            act(request)

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(churn, seed) for seed in range(8)]:
            done.result(WAIT_S)
    house.adapter.subscribe(A)
    wanted = {stream_key(request) for request in house.adapter.subscriptions()}
    house.adapter.streams.changes.wait_for(lambda held: held == wanted)


def test_after_close_a_subscription_reaches_nobody(house: House) -> None:
    """It neither raises nor starts anything."""
    house.adapter.close()
    house.adapter.subscribe(A)
    house.adapter.unsubscribe(A)
    assert not house.bridge.health().running


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            SubscribeRequest("AAPL", Exchange.NYSE),
            "subscribe: exchange: NYSE is not served by FAKE; BINANCE is",
        ),
        (
            SubscribeRequest("", Exchange.BINANCE),
            "subscribe: symbol: is empty; give one, such as BTCUSDT",
        ),
        (
            SubscribeRequest("A", Exchange.BINANCE, Channel.BAR, Interval.WEEKLY),
            "subscribe: interval: w is not offered; allowed: 1h, 1m",
        ),
    ],
)
def test_a_wrong_request_names_the_field(
    house: House, request_: SubscribeRequest, text: str
) -> None:
    """The error says which field is wrong and what is allowed; nothing is recorded."""
    with pytest.raises(ConfigurationError) as caught:
        house.adapter.subscribe(request_)
    assert str(caught.value) == text
    assert house.adapter.subscriptions() == ()


def test_a_channel_that_is_not_offered_names_those_that_are(house: House) -> None:
    """An adapter without market trades says so before anybody waits for one."""
    house.adapter.capabilities = Capabilities(streamed=frozenset({Channel.TICK}))  # type: ignore[misc]
    with pytest.raises(ConfigurationError) as caught:
        house.adapter.subscribe(SubscribeRequest("A", Exchange.BINANCE, Channel.TRADE))
    assert str(caught.value) == "subscribe: channel: trade is not offered; allowed: tick"


def test_bars_of_two_intervals_are_two_streams() -> None:
    """The interval tells bars apart and nothing else."""
    minute = SubscribeRequest("A", Exchange.BINANCE, Channel.BAR, Interval.MINUTE)
    hour = SubscribeRequest("A", Exchange.BINANCE, Channel.BAR, Interval.HOUR)
    assert str(stream_key(minute)) == "bar:A.BINANCE:1m"
    assert str(stream_key(hour)) == "bar:A.BINANCE:1h"
    assert stream_key(A).detail == ""


def test_the_request_behind_a_stream_can_be_found(house: House) -> None:
    """A session looks up how a stream is to be delivered."""
    request = SubscribeRequest("A", Exchange.BINANCE, conflate=False)
    house.adapter.subscribe(request)
    assert house.adapter.request_of(stream_key(request)) is request
    house.adapter.unsubscribe(request)
    assert house.adapter.request_of(stream_key(request)) is None


def test_a_changed_settings_file_switches_the_mode(house: House) -> None:
    """websocket.enabled moves the streams while it runs."""
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.wait_held("A")
    house.adapter.apply_settings(Settings.parse({"websocket.enabled": False}))
    house.adapter.polls.changes.wait_for(lambda held: held == {tick("A")})
    status = house.log.wait_type(
        EVENT_STREAM, where=lambda s: getattr(s, "state", None) is StreamState.POLLING
    )
    assert isinstance(status, StreamStatus)
    assert status.mode is Mode.POLLING


def test_a_symbol_is_switched_by_hand_until_it_is_given_back(house: House) -> None:
    """One symbol is polled and said to be, over a restart too; what is nonsense is refused."""
    house.adapter.subscribe(A)
    house.adapter.subscribe(B)
    house.adapter.connect({})
    house.wait_held("A", "B")
    house.adapter.pin_mode("A.BINANCE", Mode.POLLING)
    house.adapter.polls.changes.wait_for(lambda held: held == {tick("A")})
    assert house.adapter.health().pinned == {"A.BINANCE": Mode.POLLING}
    since = len(house.adapter.polls.changes)
    house.adapter.restart()
    house.adapter.polls.changes.wait_for(lambda held: held == {tick("A")}, since=since)
    since = len(house.adapter.streams.changes)
    house.adapter.pin_mode("A.BINANCE", None)
    both = {tick("A"), tick("B")}
    house.adapter.streams.changes.wait_for(lambda held: held == both, since=since)
    assert house.adapter.health().pinned == {}
    with pytest.raises(ConfigurationError, match=r"X\.BINANCE is not subscribed"):
        house.adapter.pin_mode("X.BINANCE", Mode.POLLING)


def test_a_symbol_that_cannot_be_polled_is_not_switched(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue that knows no polling refuses it in words."""
    house.adapter.subscribe(A)
    monkeypatch.setattr(house.adapter, "capabilities", Capabilities(frozenset(Channel)))
    with pytest.raises(NotSupported, match=r"polling A\.BINANCE"):
        house.adapter.pin_mode("A.BINANCE", Mode.POLLING)


def test_its_own_settings_count_before_those_of_all(house: House) -> None:
    """adapters.<NAME>.<flag> overrides the flag for this adapter."""
    settings = {"websocket.enabled": True, "adapters.FAKE.websocket.enabled": False}
    house.adapter.apply_settings(Settings.parse(settings))
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.adapter.polls.changes.wait_for(lambda held: held == {tick("A")})
    assert house.adapter.streams.sessions == []


# ------------------------------------------------------------------ requests


def test_history_needs_a_connect_setting(house: House) -> None:
    """Before connect nobody knows where to ask."""
    request = HistoryRequest("A", Exchange.BINANCE, START)
    with pytest.raises(InvalidState, match="call connect first"):
        house.adapter.query_history(request)


def test_history_returns_the_bars_and_tells_the_progress(house: House) -> None:
    """It waits for them, whatever the state of the streams."""
    house.adapter.connect({})
    told: list[tuple[int, int]] = []
    request = HistoryRequest("A", Exchange.BINANCE, START)
    bars = house.adapter.query_history(request, lambda done, total: told.append((done, total)))
    assert [bar.datetime for bar in bars] == [START]
    assert told == [(0, 1), (1, 1)]
    assert len(house.adapter.query_history(request)) == 1


def test_history_of_a_closed_adapter_is_refused(house: House) -> None:
    """The text does not advise to connect what cannot be connected."""
    house.adapter.close()
    with pytest.raises(InvalidState, match="FAKE is closed"):
        house.adapter.query_history(HistoryRequest("A", Exchange.BINANCE, START))


def test_history_that_is_not_offered_is_refused(house: House) -> None:
    """An adapter without history says so."""
    house.adapter.capabilities = Capabilities()  # type: ignore[misc]
    with pytest.raises(NotSupported, match="FAKE does not support history"):
        house.adapter.query_history(HistoryRequest("A", Exchange.BINANCE, START))


def test_an_order_is_refused_in_words_and_as_an_event(house: House) -> None:
    """send_order returns an id and raises nothing; the refusal is an order like any other."""
    request = OrderRequest(
        "A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 2.0, 1.5, Offset.OPEN, "mine"
    )
    first, second = house.adapter.send_order(request), house.adapter.send_order(request)
    order = house.log.wait_type(EVENT_ORDER)
    assert isinstance(order, OrderData)
    assert (first, second) == ("FAKE.local-1", "FAKE.local-2")
    assert (order.vt_orderid, order.status) == (first, Status.REJECTED)
    assert order.reason == "local:not_supported: order type Limit; allowed: none"
    assert (order.price, order.volume, order.reference) == (1.5, 2.0, "mine")
    assert not order.is_active()


class Figure(float):
    """A float as numpy makes them: no journal can write it, and its repr is no number."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)!r})"


def test_an_order_may_be_made_of_numpys_numbers(house: House) -> None:
    """They are the numbers that they look like; the guard could not judge them."""
    price, volume = Figure(1.5), Figure(2.0)
    request = OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, volume, price)
    house.adapter.send_order(request)
    order = house.log.wait_type(EVENT_ORDER)
    assert isinstance(order, OrderData)
    assert repr((order.price, order.volume)) == "(1.5, 2.0)"


class Trader(FakeAdapter):
    """Trades on the account that `connect` names, at a venue that answers everything."""

    account = ""  # type: ignore[assignment]
    capabilities = msgspec.structs.replace(
        FakeAdapter.capabilities, orders=frozenset({OrderType.LIMIT})
    )

    def configure(self, setting: Setting) -> None:
        self.account = str(setting["account"])  # type: ignore[misc]

    def make_trading_session(self, listener: object) -> TradingSession:
        return ScriptedSession()


def wait_trading(log: EventLog, state: S, since: int = 0) -> str:
    """Wait until trading is in a state; why it is."""
    status = log.wait_type(
        EVENT_CONNECTION,
        since=since,
        where=lambda s: (s.session, s.state) == ("trading", state),  # type: ignore[attr-defined]
    )
    assert isinstance(status, ConnectionStatus)
    return status.reason


def test_after_a_connect_to_another_account_no_order_goes_to_the_one_before(
    tmp_path: Path,
) -> None:
    """Not even while the loop has yet to hear of it: paper trading and a real account differ."""
    with MainEngine(settings={"journal.directory": str(tmp_path)}) as engine:
        log, adapter = EventLog(engine.event_engine), engine.add_adapter(Trader)
        adapter.connect({"account": "real"})
        wait_trading(log, S.READY)
        spot = (Exchange.BINANCE, "A", Product.SPOT, 1.0, 0.1)
        adapter.on_contract(ContractData("FAKE", "A", *spot))
        busy = threading.Event()
        engine.bridge.call_soon(busy.wait, WAIT_S)
        adapter.connect({"account": "paper"})
        adapter.send_order(
            OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 2.0, 1.5)
        )
        busy.set()
        order = log.wait_type(EVENT_ORDER)
    assert isinstance(order, OrderData)
    assert order.reason == "local:not_ready: trading is about to start"


def test_after_a_connect_to_another_account_the_positions_of_the_one_before_are_not_shown(
    tmp_path: Path,
) -> None:
    """They bear no account, and would be taken for what the new one holds."""
    with MainEngine(settings={"journal.directory": str(tmp_path)}) as engine:
        log, adapter = EventLog(engine.event_engine), engine.add_adapter(Trader)
        adapter.connect({"account": "real"})
        wait_trading(log, S.READY)
        held = PositionData("FAKE", "A", Exchange.BINANCE, Direction.NET, 2.0, 1.0, 7.0)
        adapter.on_position(held)
        since = len(log)
        adapter.connect({"account": "real"})
        wait_trading(log, S.READY, since)
        assert held in engine.get_all_positions()
        since = len(log)
        adapter.connect({"account": "paper"})
        wait_trading(log, S.READY, since)
        (shown,) = engine.get_all_positions()
    assert shown == PositionData("FAKE", "A", Exchange.BINANCE, Direction.NET)


def test_a_disk_without_room_to_tidy_the_journal_keeps_nobody_from_trading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is old stays in it; open orders can be cancelled, and the file is nobody else's."""

    def full(journal: Journal, before_ns: int) -> int:
        raise JournalUnavailable(str(journal.path), "the disk is full; make space")

    monkeypatch.setattr(Journal, "prune", full)
    with MainEngine(settings={"journal.directory": str(tmp_path)}) as engine:
        log, adapter = EventLog(engine.event_engine), engine.add_adapter(Trader)
        adapter.connect({"account": "real"})
        wait_trading(log, S.READY)


def test_what_an_adapter_without_trading_is_asked_does_no_harm(house: House) -> None:
    """vnpy's code may call these on any gateway."""
    house.adapter.cancel_order(CancelRequest("1", "A", Exchange.BINANCE))
    house.adapter.query_account()
    house.adapter.query_position()
    assert len(house.log) == 0


# ------------------------------------------------------------------ what it says of itself


def test_health_before_connect_is_blank(house: House) -> None:
    """No session, no stream, no error, DISCONNECTED."""
    health = house.adapter.health()
    assert (health.adapter_name, health.state) == ("FAKE", S.DISCONNECTED)
    assert (health.sessions, health.streams, health.errors) == ((), (), ())
    assert health.environment is None
    assert house.adapter.actions() == {}


def test_health_of_a_running_adapter(house: House) -> None:
    """Sessions, streams and counters are there, sorted and immutable."""
    house.adapter.subscribe(B)
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.counters[Mode.WEBSOCKET].received = 5
    house.adapter.counters[Mode.POLLING].rejected = 2
    health = house.adapter.health()
    assert health.state is S.READY
    assert health.environment is Environment.SIMULATED
    assert [stream.symbol for stream in health.streams] == ["A", "B"]
    assert [session.state for session in health.sessions] == [S.READY]
    assert (health.received, health.rejected, health.malformed) == (5, 2, 0)
    assert set(house.adapter.actions()) == {"restart", "disconnect"}


def test_reconnects_are_counted_over_restarts(house: House) -> None:
    """Losses count, what somebody asked for does not; the number outlives the sessions."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    assert (house.adapter.health().reconnects, house.adapter.health().last_reconnect_ns) == (0, 0)
    for _ in range(2):
        since = len(house.log)
        house.bridge.call_soon(house.adapter.streams.newest.lose, ConnectionClosed(1006))
        house.wait_state(S.READY, since)
    health = house.adapter.health()
    assert health.reconnects == health.sessions[0].reconnects == 2
    assert health.last_reconnect_ns >= health.sessions[0].last_reconnect_ns > 0
    since = len(house.log)
    house.adapter.restart()
    house.wait_state(S.READY, since)
    since = len(house.log)
    house.adapter.disconnect()
    house.wait_state(S.DISCONNECTED, since)
    after = house.adapter.health()
    assert (after.reconnects, after.last_reconnect_ns) == (2, health.last_reconnect_ns)
    assert house.adapter.diagnostics()["reconnects"] == 2


def test_a_switch_of_mode_is_no_reconnect(tmp_path: Path) -> None:
    """Trading begins anew where orders are polled, too; many switches must raise no alert."""

    class Trader(FakeAdapter):
        account = "somebody"  # type: ignore[assignment]
        capabilities = msgspec.structs.replace(
            FakeAdapter.capabilities, orders=frozenset({OrderType.LIMIT})
        )

        def make_trading_session(self, listener: object) -> TradingSession:
            return ScriptedSession()

    quiet = {"journal.directory": str(tmp_path)}
    with MainEngine(settings=quiet) as engine:
        log, adapter = EventLog(engine.event_engine), engine.add_adapter(Trader)

        def wait_trading(since: int = 0) -> None:
            log.wait_type(
                EVENT_CONNECTION,
                since=since,
                where=lambda s: (s.session, s.state) == ("trading", S.READY),  # type: ignore[attr-defined]
            )

        adapter.connect({})
        wait_trading()
        for enabled in (False, True):
            since = len(log)
            engine.reload_settings({**quiet, "websocket.enabled": enabled})
            wait_trading(since)
        health = adapter.health()
    assert (health.reconnects, [each.reconnects for each in health.sessions]) == (0, [0, 0])


def test_unreadable_messages_are_counted_by_type(house: House) -> None:
    """Over both ways, and flat in the diagnostics."""
    house.adapter.counters[Mode.WEBSOCKET].unreadable("trade")
    house.adapter.counters[Mode.POLLING].unreadable("trade")
    house.adapter.counters[Mode.WEBSOCKET].unreadable("quote")
    health = house.adapter.health()
    assert health.malformed_by_type == {"trade": 2, "quote": 1}
    assert health.malformed == 3
    assert house.adapter.diagnostics()["malformed.trade"] == 2


def test_errors_are_remembered(house: House) -> None:
    """A loss and a refusal stand in the history, in order."""
    house.adapter.streams.refused[tick("A")] = UnknownSymbol("FAKE", "", "no such symbol")
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.wait_state(S.DEGRADED)
    since = len(house.log)
    house.bridge.call_soon(house.adapter.streams.newest.lose, ConnectionClosed(1006))
    house.wait_state(S.RECONNECTING, since)
    kinds = [record.kind for record in house.adapter.health().errors]
    assert kinds[:2] == ["UnknownSymbol", "ConnectionClosed"]


@pytest.mark.parametrize("step", ["open", "sync", "subscribe"])
def test_it_can_be_asked_in_any_state(house: House, step: str) -> None:
    """Health, diagnostics, actions and repr answer while it connects and after it closed."""
    house.adapter.streams.plan(step, HANG)
    house.adapter.subscribe(A)
    house.adapter.connect({})
    house.adapter.streams.calls.wait_for(lambda call: call.step == step)
    expected = S.CONNECTING if step == "open" else S.SYNCING
    assert house.adapter.health().state is expected
    assert house.adapter.diagnostics()["state"] == expected.value
    assert set(house.adapter.actions()) == {"restart", "disconnect"}
    house.adapter.close()
    assert house.adapter.health().state is S.CLOSED
    assert house.adapter.diagnostics()["state"] == "closed"
    assert house.adapter.actions() == {}


def test_diagnostics_are_flat_facts(house: House) -> None:
    """Plain values only, ready for a support request."""
    house.adapter.connect({})
    facts = house.adapter.diagnostics()
    assert facts["adapter"] == "FAKE"
    assert facts["environment"] == "simulated"
    assert facts["endpoint"] == "fake.example:1"
    assert facts["websocket.received"] == 0
    assert all(isinstance(value, str | int | float) for value in facts.values())


def test_a_venues_own_facts_are_in_health_and_in_diagnostics(house: House) -> None:
    """Those that cannot be told hide nothing else, and show no foreign text."""
    house.adapter.facts = lambda: {"pool.idle": 3}  # type: ignore[method-assign]
    assert house.adapter.health().facts == {"pool.idle": 3}
    assert house.adapter.diagnostics()["pool.idle"] == 3

    def broken() -> dict[str, int]:
        raise ValueError("secret")

    house.adapter.facts = broken  # type: ignore[method-assign]
    health = house.adapter.health()
    assert (health.adapter_name, health.facts) == ("FAKE", {"facts.problem": "ValueError"})
    assert house.adapter.diagnostics()["adapter"] == "FAKE"


def test_an_adapter_tells_since_when_it_is_as_it_is(house: House) -> None:
    """That of the worst of its sessions; errors are counted by class beside the history."""
    assert house.adapter.health().since_ns == 0
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.on_error(ConnectionClosed(1006))
    health = house.adapter.health(streams=False)
    assert health.since_ns == health.sessions[0].since_ns > 0
    assert health.errors_by_class == {"network": 1}
    assert house.adapter.diagnostics()["errors.network"] == 1


def test_an_action_does_what_its_name_says(house: House) -> None:
    """A person may restart and disconnect from a panel."""
    house.adapter.connect({})
    house.wait_state(S.READY)
    house.adapter.actions()["disconnect"]()
    house.wait_state(S.DISCONNECTED)


def test_its_repr_is_a_status_line(house: House) -> None:
    """Name, state and number of subscriptions."""
    house.adapter.subscribe(A)
    assert repr(house.adapter) == "<FakeAdapter FAKE DISCONNECTED subs=1>"


def test_its_name_may_be_given() -> None:
    """Two adapters of one venue can live side by side."""
    adapter = FakeAdapter(EventEngine(), "SECOND")
    assert adapter.adapter_name == "SECOND"
    assert FakeAdapter(EventEngine()).adapter_name == "FAKE"


# ------------------------------------------------------------------ pushes

SOURCE = Source.of("A", Exchange.BINANCE, "FAKE")
OWNED = ("FAKE", "A", Exchange.BINANCE)


@pytest.mark.parametrize(
    ("method", "data", "type_", "topic", "lane"),
    [
        ("on_tick", TickData(SOURCE, 1, 2), EVENT_TICK, "A.BINANCE", Lane.LATEST),
        ("on_depth", DepthData(SOURCE, 1, 2), EVENT_DEPTH, "A.BINANCE", Lane.LATEST),
        (
            "on_market_trade",
            MarketTradeData(SOURCE, 1, 2, "t", 1.0, 1.0, Direction.LONG),
            EVENT_MARKET_TRADE,
            "A.BINANCE",
            Lane.BOUNDED,
        ),
        ("on_bar", BarData(*OWNED, START), EVENT_BAR, "A.BINANCE", Lane.BOUNDED),
        ("on_order", OrderData(*OWNED, "1"), EVENT_ORDER, "FAKE.1", Lane.RELIABLE),
        ("on_trade", TradeData(*OWNED, "1", "2"), EVENT_TRADE, "A.BINANCE", Lane.RELIABLE),
        (
            "on_position",
            PositionData(*OWNED, Direction.NET),
            EVENT_POSITION,
            "A.BINANCE",
            Lane.RELIABLE,
        ),
        ("on_account", AccountData("FAKE", "USDT"), EVENT_ACCOUNT, "FAKE.USDT", Lane.RELIABLE),
        ("on_quote", QuoteData(*OWNED, "1"), EVENT_QUOTE, "A.BINANCE", Lane.RELIABLE),
        ("on_log", LogData("FAKE", "hello"), EVENT_LOG, "", Lane.RELIABLE),
    ],
)
def test_a_push_is_one_event_with_its_topic_and_lane(
    house: House, method: str, data: object, type_: str, topic: str, lane: Lane
) -> None:
    """Orders and their like are never dropped; ticks and depth may be conflated."""
    getattr(house.adapter, method)(data)
    event = house.log.wait_for(lambda event: event.type == type_)
    assert event.data is data
    assert (event.topic, event.lane) == (topic, lane)


def test_a_contract_reaches_the_generic_handlers(house: House) -> None:
    """As in vnpy, contracts have no event of their own per symbol."""
    contract = ContractData(*OWNED, "A", Product.SPOT, 1.0, 0.01)
    house.adapter.on_contract(contract)
    assert house.log.wait_type(EVENT_CONTRACT) is contract


def test_write_log_is_an_event_of_this_adapter(house: House) -> None:
    """People who watch see who said it."""
    house.adapter.write_log("hello")
    entry = house.log.wait_type(EVENT_LOG)
    assert isinstance(entry, LogData)
    assert (entry.adapter_name, entry.msg) == ("FAKE", "hello")
