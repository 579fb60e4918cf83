"""What the screen remembers."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator

import pytest

from foxtrot.app.watch import LogTap, Watch
from foxtrot.core import logs
from foxtrot.core.event_engine import EventEngine
from foxtrot.model.constants import Channel, ConnectionState, Exchange, Mode, StreamState
from foxtrot.model.events import (
    EVENT_BAR,
    EVENT_CONNECTION,
    EVENT_LOG,
    EVENT_STREAM,
    EVENT_TICK,
    Event,
)
from foxtrot.model.health import ConnectionStatus, StreamStatus
from foxtrot.model.objects import BarData, LogData, Source, TickData


@pytest.fixture
def events() -> Iterator[EventEngine]:
    """An engine for events that runs."""
    engine = EventEngine()
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def watch(events: EventEngine) -> Watch:
    """A watch that is attached to it."""
    watching = Watch()
    watching.attach(events)
    return watching


def put(events: EventEngine, type_: str, data: object, topic: str = "") -> None:
    """Put an event and wait until it was handled."""
    events.put(Event(type_, data, topic))
    assert events.drain(5.0)


def test_a_connection_change_is_one_line(events: EventEngine, watch: Watch) -> None:
    """A change of state tells from where to where, why, and when the next attempt is."""
    status = ConnectionStatus(
        *("BINANCE", "websocket", ConnectionState.RECONNECTING, ConnectionState.READY),
        *("connection closed, code 1006", 1, 2, 1.5),
    )
    put(events, EVENT_CONNECTION, status, "BINANCE")
    (line,) = watch.lines()
    assert line.text == (
        "websocket ready → reconnecting: connection closed, code 1006; again in 1.5 s, attempt 2"
    )
    assert line.level == logging.WARNING


def test_only_streams_that_failed_are_told(events: EventEngine, watch: Watch) -> None:
    """A stream that works is no news; one that was refused is."""
    for state in (StreamState.ACTIVE, StreamState.FAILED):
        status = StreamStatus(
            "BINANCE", Channel.TICK, "NOPE", Exchange.BINANCE, state, Mode.WEBSOCKET, 1
        )
        put(events, EVENT_STREAM, status, "NOPE")
    assert [line.text for line in watch.lines()] == ["tick of NOPE.BINANCE failed: "]


def test_words_of_a_strategy_are_told(events: EventEngine, watch: Watch) -> None:
    """What a strategy writes to the log stands on the screen under its name."""
    put(events, EVENT_LOG, LogData("Trend", "turns up"))
    assert [(line.source, line.text) for line in watch.lines()] == [("Trend", "turns up")]


def test_data_of_any_channel_counts_as_fresh(events: EventEngine, watch: Watch) -> None:
    """A symbol of which only bars are subscribed has an age, too."""
    assert watch.seen_ns("BTCUSDT.BINANCE", "BINANCE") == 0
    bar = BarData("BINANCE", "BTCUSDT", Exchange.BINANCE, dt.datetime.now(dt.UTC))
    put(events, EVENT_BAR, bar, bar.vt_symbol)
    assert watch.seen_ns("BTCUSDT.BINANCE", "BINANCE") > 0


def test_data_of_one_adapter_keeps_no_other_fresh(events: EventEngine, watch: Watch) -> None:
    """A dead stream does not look alive because the testnet has the same symbol."""
    tick = TickData(Source.of("BTCUSDT", Exchange.BINANCE, "TESTNET"), 1, 1)
    put(events, EVENT_TICK, tick, tick.vt_symbol)
    assert watch.seen_ns("BTCUSDT.BINANCE", "BINANCE") == 0
    assert watch.seen_ns("BTCUSDT.BINANCE", "TESTNET") > 0


def test_lines_are_bounded() -> None:
    """A long run does not fill the memory with events."""
    watch = Watch()
    tap = LogTap(watch)
    for number in range(1000):
        tap.write(f'{{"event": "e{number}"}}\n')
    assert len(watch.lines()) == 200
    assert watch.lines()[-1].text == "e999"


def test_log_lines_reach_the_watch() -> None:
    """What the rooms log is shown with level and fields; what events tell already is not."""
    watch = Watch()
    logs.configure(stream=LogTap(watch), json=True)
    try:
        log = logs.get_logger("foxtrot.test")
        log.warning("numbers_rejected", venue="BINANCE", symbol="BTCUSDT")
        log.info("connection_state", venue="BINANCE")
        log.info("order", venue="BINANCE", orderid="fx-1", state="filled")
    finally:
        logs.configure(level="WARNING")
    (line,) = watch.lines()
    assert (line.source, line.level) == ("BINANCE", logging.WARNING)
    assert line.text == "numbers_rejected symbol=BTCUSDT"


def test_a_line_that_is_no_json_is_shown_as_it_is() -> None:
    """Whatever comes through the log is shown rather than lost."""
    watch = Watch()
    LogTap(watch).write("plain words\n")
    assert [line.text for line in watch.lines()] == ["plain words"]
