"""What is shown is what is so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.constants import (
    Channel,
    ConnectionState,
    Direction,
    Exchange,
    Mode,
    Status,
    StreamState,
)
from foxtrot.model.events import EVENT_ORDER, Event
from foxtrot.model.health import (
    AdapterHealth,
    Alert,
    BridgeHealth,
    EngineHealth,
    Health,
    StreamStatus,
    TradingHealth,
)
from foxtrot.model.objects import OrderData
from foxtrot.model.requests import SubscribeRequest
from foxtrot.monitoring import views
from foxtrot.monitoring.answers import Condition, Freshness
from tests.support.fake_adapter import FakeAdapter
from tests.support.rig import eventually

READY, FAILED, LOST = (
    ConnectionState.READY,
    ConnectionState.FAILED,
    ConnectionState.RECONNECTING,
)
GOOD = Health(EngineHealth(True), BridgeHealth(True))


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    with MainEngine() as engine:
        yield engine


def adapters(*states: ConnectionState, trading: TradingHealth | None = None) -> Health:
    shown = tuple(AdapterHealth(f"A{n}", state, trading=trading) for n, state in enumerate(states))
    return msgspec.structs.replace(GOOD, adapters=shown)


def trading(**fields: object) -> Health:
    return adapters(READY, trading=TradingHealth(READY, **fields))  # type: ignore[arg-type]


CRITICAL = Alert("N", "X", "critical", "t", 1.0, 0)


@pytest.mark.parametrize(
    ("health", "halted", "word"),
    [
        (GOOD, "", Condition.OK),
        (adapters(READY, ConnectionState.DISCONNECTED), "", Condition.OK),
        (adapters(READY, FAILED), "", Condition.AILING),
        (adapters(READY, LOST), "", Condition.AILING),
        (adapters(FAILED, FAILED, ConnectionState.CLOSED), "", Condition.DOWN),
        (adapters(READY), "a drill", Condition.AILING),
        (trading(in_doubt=("o1",)), "", Condition.AILING),
        (trading(journal="disk full"), "", Condition.AILING),
        (trading(halted="reject storm"), "", Condition.AILING),
        (msgspec.structs.replace(GOOD, problems=("x",)), "", Condition.AILING),
        (msgspec.structs.replace(GOOD, alerts=(CRITICAL,)), "", Condition.AILING),
        (Health(EngineHealth(True), BridgeHealth(True, blocked_s=3.0)), "", Condition.AILING),
        (Health(EngineHealth(True, failing=("oms",)), BridgeHealth(True)), "", Condition.AILING),
        (Health(EngineHealth(False), BridgeHealth(True)), "", Condition.DOWN),
        (Health(EngineHealth(True), BridgeHealth(False)), "", Condition.DOWN),
    ],
)
def test_one_word_tells_how_the_whole_is(health: Health, halted: str, word: Condition) -> None:
    """Down if nothing works, ailing if anything needs a look, ok only if nothing does."""
    assert views.condition(health, halted) is word


@pytest.mark.parametrize("state", StreamState)
def test_every_state_of_a_stream_is_one_of_four_words(state: StreamState) -> None:
    """Only what really comes by websocket, or is known to be quiet, is called fresh."""
    status = StreamStatus(
        "X",
        Channel.TICK,
        "A",
        Exchange.BINANCE,
        state,
        Mode.WEBSOCKET,
        1,
        last_data_ns=2_000_000_000,
    )
    shown = views._stream(status, 5_500_000_000)
    good = {StreamState.ACTIVE, StreamState.QUIET}
    assert (shown.freshness is Freshness.FRESH) is (state in good)
    assert shown.age_s == 3.5


def test_a_stream_that_never_brought_anything_has_no_age(engine: MainEngine) -> None:
    """Nor is it fresh because somebody wants it."""
    adapter = engine.add_adapter(FakeAdapter)
    adapter.subscribe(SubscribeRequest("A", Exchange.BINANCE))
    shown = views.streams(engine)
    assert shown.counts == {"fresh": 0, "stale": 0, "polling": 0, "dead": 1}
    assert shown.streams[0].age_s is None


def test_orders_in_doubt_are_on_top_then_open_ones_then_the_newest(engine: MainEngine) -> None:
    """So nobody has to look for what matters."""
    begun = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    doubt = {"outcome": "unknown"}
    for number, (status, extra) in enumerate(
        [
            (Status.ALLTRADED, None),
            (Status.NOTTRADED, None),
            (Status.SUBMITTING, doubt),
            (Status.NOTTRADED, None),
            (Status.CANCELLED, None),
        ]
    ):
        order = OrderData(
            "X",
            "A",
            Exchange.BINANCE,
            str(number),
            direction=Direction.LONG,
            status=status,
            datetime=begun + dt.timedelta(seconds=number),
            extra=extra,
        )
        engine.event_engine.put(Event(EVENT_ORDER, order))
    eventually(lambda: len(engine.get_all_orders()) == 5, "orders")
    shown = views.orders(engine)
    assert [each.vt_orderid for each in shown.orders] == ["X.2", "X.3", "X.1", "X.4", "X.0"]
    assert (shown.total, shown.active, shown.in_doubt) == (5, 3, 1)


def test_a_venue_that_cannot_tell_its_facts_hides_no_other(engine: MainEngine) -> None:
    """What went wrong is shown in their place."""
    broken = engine.add_adapter(FakeAdapter, "BROKEN")
    engine.add_adapter(FakeAdapter, "GOOD")
    broken.diagnostics = lambda: {}["x"]  # type: ignore[method-assign,assignment]
    shown = {each.name: each.facts for each in views.adapters(engine).adapters}
    assert shown["BROKEN"] == {"problem": "KeyError"}
    assert shown["GOOD"]["adapter"] == "GOOD"


def test_what_is_kept_on_disk_is_told(engine: MainEngine, data_directory: Path) -> None:
    """Journals with their size, and the room that is left, though nothing was made yet."""
    assert views.data(engine).journals == {}
    (data_directory / "journal").mkdir()
    (data_directory / "journal" / "a.db").write_bytes(b"1234")
    adapter = engine.add_adapter(FakeAdapter)
    adapter.subscribe(SubscribeRequest("A", Exchange.BINANCE, Channel.DEPTH))
    shown = views.data(engine)
    assert shown.journals == {"a.db": 4}
    assert shown.free_bytes > 0
    assert shown.subscribed == {"FAKE": {"depth": 1}}
    assert shown.cached["orders"] == 0
