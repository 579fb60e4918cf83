"""What the connection panel says of a snapshot."""

from __future__ import annotations

import pytest

from tests.support.desktop import require

require("vnpy", "talib", "loguru")

from tests.support.desktop import main_engine_class  # noqa: E402

main_engine_class()

from msgspec.structs import replace  # noqa: E402

from foxtrot.desktop.connections.rows import (  # noqa: E402
    COLUMNS,
    SWITCH,
    Row,
    Switch,
    Tone,
    age,
    rows_of,
)
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
    RollOutHealth,
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
    health = Health(EngineHealth(running=True), BridgeHealth(running=True), (adapter,))
    return rows_of(health, NOW, {"B": (0.5, 1.25)})


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
    assert cell(row, "Venue, symbol") == "B (paper)"
    assert (cell(row, "State"), cell(row, "Since")) == ("ready", "2 min")
    assert (cell(row, "Reconnects"), cell(row, "Errors")) == ("3", "3")
    assert (cell(row, "Latency"), cell(row, "Breaker")) == ("1.2 ms", "open")
    assert cell(row, "Orders") == "2 open, 1 in doubt"
    assert row.curve == (0.5, 1.25)
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
def test_a_symbol_has_colour_age_and_mode(state: StreamState, tone: Tone) -> None:
    """How fresh each symbol is can be seen at a glance, with its mode and the reason."""
    (row,) = rows(streams=(stream(state, Mode.POLLING, NOW - NS_PER_S * 5 // 2),))
    (symbol,) = row.children
    (child,) = symbol.children
    assert symbol.tone is child.tone is tone
    assert (cell(child, "Mode"), cell(child, "Last data")) == ("polling", "2.5 s")
    assert (cell(symbol, "Why"), cell(symbol, "Last data")) == ("why", "2.5 s")
    assert cell(row, "Last data") == "2.5 s"


def test_a_symbol_is_as_fresh_as_the_worst_of_its_streams() -> None:
    """A symbol whose depth stands still is not shown as if all were well."""
    still = replace(stream(StreamState.STALE, last=NOW - 60 * NS_PER_S), channel=Channel.DEPTH)
    (row,) = rows(streams=(stream(StreamState.ACTIVE), still))
    (symbol,) = row.children
    assert (symbol.tone, cell(symbol, "State")) == (Tone.BAD, "stale")
    assert cell(symbol, "Last data") == "1 min"
    assert [each.tone for each in symbol.children] == [Tone.GOOD, Tone.BAD]


def test_what_was_switched_by_hand_says_so() -> None:
    """A mode that a person chose is told apart from one of the settings, and can be taken back."""
    (row,) = rows(streams=(stream(StreamState.POLLING, Mode.POLLING),))
    assert cell(row.children[0], "Mode") == f"polling {SWITCH}"
    assert row.switch == Switch("B")
    pinned = {"BTCUSDT.BINANCE": Mode.POLLING}
    (row,) = rows(streams=(stream(StreamState.POLLING, Mode.POLLING),), pinned=pinned)
    assert cell(row.children[0], "Mode") == f"polling, by hand {SWITCH}"
    assert row.children[0].switch == Switch("B", "BTCUSDT.BINANCE", Mode.POLLING)
    adapter = AdapterHealth("B", READY)
    adapter = replace(adapter, streams=(stream(StreamState.POLLING, Mode.POLLING),))
    rollouts = {"B": RollOutHealth("polling", NOW, pinned=True)}
    engine, bridge = EngineHealth(running=True), BridgeHealth(running=True)
    (row,) = rows_of(Health(engine, bridge, (adapter,), rollouts=rollouts), NOW)
    assert row.switch == Switch("B", "", Mode.POLLING)
    assert cell(row.children[0], "Why") == "its venue was switched to polling by hand"


def test_errors_are_listed_newest_first() -> None:
    """What went wrong can be read in the panel, with when and what was done about it."""
    errors = tuple(ErrorRecord(NOW, "Lost", "reconnect", f"line {n}") for n in range(12))
    (row,) = rows(errors=errors, errors_by_class={"network": 12})
    (group,) = row.children
    assert group.cells[0] == "errors: 12 network; the last 0.0 s ago, Lost"
    assert len(group.children) == 10
    assert group.children[0].cells[0].endswith("UTC Lost: line 11 (reconnect)")


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
    assert row.fresh is Tone.GOOD


def test_the_facts_of_a_venue_are_under_it() -> None:
    """Pool, pacing and limits of a venue are under headings that say what matters of them."""
    facts = {"pool.idle": 1, "limits.weight.left": 0, "limits.weight.most": 900}
    (row,) = rows(facts=facts)
    assert [each.cells[0] for each in row.children] == [
        "limits: weight 0 of 900 left",
        "pool: idle 1",
    ]
    assert [each.tone for each in row.children] == [Tone.BAD, Tone.PLAIN]
    assert row.children[0].children[0].cells[0] == "weight: 0 of 900 left"


def test_ages_are_in_the_unit_that_fits() -> None:
    """An age can be read without counting."""
    ages = [age(NOW - each * NS_PER_S, NOW) for each in (1, 60, 7_200, 200_000)]
    assert ages == ["1.0 s", "1 min", "2 h", "2 d"]
    assert age(0, NOW) == ""
    assert age(NOW + NS_PER_S, NOW) == "0.0 s"
