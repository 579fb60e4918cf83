"""What the connection panel says of a snapshot."""

from __future__ import annotations

import pytest

from tests.support.desktop import require

require("vnpy", "talib", "loguru")

from tests.support.desktop import main_engine_class  # noqa: E402

main_engine_class()

from foxtrot.desktop.connections.rows import COLUMNS, Row, Tone, age, rows_of  # noqa: E402
from foxtrot.model.constants import (  # noqa: E402
    Channel,
    ConnectionState,
    Environment,
    Exchange,
    Mode,
    StreamState,
)
from foxtrot.model.health import (  # noqa: E402
    AdapterHealth,
    BridgeHealth,
    EngineHealth,
    ErrorRecord,
    Health,
    Histogram,
    Latency,
    SessionHealth,
    StreamStatus,
    TradingHealth,
)
from foxtrot.model.objects import NS_PER_S  # noqa: E402

NOW = 1_000_000 * NS_PER_S
READY, FAILED = ConnectionState.READY, ConnectionState.FAILED


def stream(state: StreamState, mode: Mode = Mode.WEBSOCKET, last: int = NOW) -> StreamStatus:
    """The ticks of BTCUSDT."""
    exchange = Exchange.BINANCE
    return StreamStatus(
        "B", Channel.TICK, "BTCUSDT", exchange, state, mode, NOW, reason="why", last_data_ns=last
    )


def rows(**fields: object) -> tuple[Row, ...]:
    """Of one adapter."""
    adapter = AdapterHealth("B", **{"state": READY, **fields})  # type: ignore[arg-type]
    counts = (90, 10, 0)
    histogram = Histogram((0.001, 0.01), counts)
    engine = EngineHealth(running=True, latency={"B": Latency(histogram, histogram)})
    return rows_of(Health(engine, BridgeHealth(running=True), (adapter,)), NOW)


def cell(row: Row, column: str) -> str:
    """One cell."""
    return row.cells[COLUMNS.index(column)]


def test_a_venue_is_one_row_with_all_that_matters() -> None:
    """State, since when, reconnects, errors, latency and orders stand side by side."""
    (row,) = rows(
        environment=Environment.PAPER,
        since_ns=NOW - 90 * NS_PER_S,
        reconnects=3,
        errors_by_class={"network": 2, "venue": 1},
        errors=(ErrorRecord(NOW, "ConnectionClosed", "reconnect", "gone"),),
        trading=TradingHealth(READY, open_orders=2, in_doubt=("x",)),
        sessions=(SessionHealth("websocket", READY, NOW, "held", breaker="open"),),
    )
    assert cell(row, "Venue, stream") == "B (paper)"
    assert (cell(row, "State"), cell(row, "Since")) == ("ready", "2 min")
    assert (cell(row, "Reconnects"), cell(row, "Errors")) == ("3", "3")
    assert (cell(row, "Latency"), cell(row, "Breaker")) == ("≤ 1 ms", "open")
    assert cell(row, "Orders") == "2 open, 1 in doubt"
    assert "ConnectionClosed: gone" in row.hint
    assert len(row.cells) == len(COLUMNS) == len(row.children[0].cells)


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        (StreamState.ACTIVE, Tone.GOOD),
        (StreamState.QUIET, Tone.GOOD),
        (StreamState.POLLING, Tone.WARNING),
        (StreamState.STALE, Tone.BAD),
        (StreamState.FAILED, Tone.BAD),
    ],
)
def test_a_stream_has_colour_age_and_mode(state: StreamState, tone: Tone) -> None:
    """How fresh each stream is can be seen at a glance, with its mode and the reason."""
    (row,) = rows(streams=(stream(state, Mode.POLLING, NOW - NS_PER_S * 5 // 2),))
    (child,) = row.children
    assert child.tone is tone
    assert (cell(child, "Mode"), cell(child, "Last data")) == ("polling", "2.5 s")
    assert (cell(child, "Why"), cell(row, "Last data")) == ("why", "2.5 s")


def test_every_state_has_a_colour_of_its_own_kind() -> None:
    """No state is shown as if nothing was known of it, but for those that are nobody's fault."""
    plain = {s for s in ConnectionState if rows(state=s)[0].tone is Tone.PLAIN}
    assert {s.value for s in plain} == {"disconnected", "closing", "closed"}
    assert rows(state=FAILED)[0].tone is Tone.BAD


@pytest.mark.parametrize(
    ("trading", "why"),
    [
        (TradingHealth(READY, halted="enough"), "HALTED: enough"),
        (TradingHealth(READY, journal="disk full"), "disk full"),
    ],
)
def test_a_halt_is_shown_before_all_else(trading: TradingHealth, why: str) -> None:
    """A venue that takes no orders is red, however well its streams are."""
    (row,) = rows(trading=trading, streams=(stream(StreamState.ACTIVE),))
    assert (row.tone, cell(row, "Why")) == (Tone.BAD, why)


def test_the_facts_of_a_venue_are_under_it() -> None:
    """Pool, pacing and limits of a venue are rows of their own."""
    (row,) = rows(facts={"pool.idle": 1, "limits.weight.left": 900})
    assert [each.cells[:2] for each in row.children] == [
        ("limits.weight.left", "900"),
        ("pool.idle", "1"),
    ]


def test_ages_are_in_the_unit_that_fits() -> None:
    """An age can be read without counting."""
    ages = [age(NOW - each * NS_PER_S, NOW) for each in (1, 60, 7_200, 200_000)]
    assert ages == ["1.0 s", "1 min", "2 h", "2 d"]
    assert age(0, NOW) == ""
    assert age(NOW + NS_PER_S, NOW) == "0.0 s"
