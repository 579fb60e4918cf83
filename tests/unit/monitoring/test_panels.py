"""What the dashboard says, in words that do not need a colour to be understood."""

from __future__ import annotations

import pytest

from foxtrot.model.constants import ConnectionState, Environment
from foxtrot.model.health import (
    AdapterHealth,
    Alert,
    BridgeHealth,
    EngineHealth,
    ErrorRecord,
    Health,
    RollOutHealth,
    SessionHealth,
    TradingHealth,
)
from foxtrot.monitoring import panels
from foxtrot.monitoring.answers import (
    AdapterView,
    Condition,
    Freshness,
    HealthView,
    OrdersView,
    OrderView,
    StreamsView,
    StreamView,
)
from foxtrot.monitoring.history import Sample

S = 1_000_000_000


def view(halted: str = "", **fields: object) -> HealthView:
    health = Health(EngineHealth(True), BridgeHealth(True), **fields)  # type: ignore[arg-type]
    return HealthView(Condition.OK, halted, 1.0, "1", health)


def stream(symbol: str, freshness: Freshness = Freshness.FRESH, venue: str = "X") -> StreamView:
    return StreamView(venue, symbol, "tick", freshness, "active", "websocket", 0.2, 0, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "under 1 s"),
        (1, "1 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
        (-1, "under 1 s"),
    ],
)
def test_ages_are_told_as_people_say_them(seconds: float, words: str) -> None:
    """Not to the microsecond."""
    assert panels.ago(seconds) == words


def test_a_halt_outdoes_every_other_word() -> None:
    """It is what a person must know first."""
    assert panels.status(view()).word == "ok"
    assert panels.status(view("a drill")) == panels.Pill("halted", panels.BAD)


def test_real_money_is_red() -> None:
    """Nobody takes it for a simulation, nor the other way round."""
    worlds = {
        each: panels.environment(AdapterHealth("X", ConnectionState.READY, each))
        for each in (Environment.LIVE, Environment.SIMULATED, None)
    }
    assert worlds[Environment.LIVE] == panels.Pill("live", panels.BAD)
    assert worlds[Environment.SIMULATED] != worlds[Environment.LIVE]
    assert worlds[None] is None


def test_every_state_of_a_venue_has_its_word() -> None:
    """The colour only repeats it."""
    words = {panels.state(AdapterHealth("X", each)).word for each in ConnectionState}
    assert len(words) == len(ConnectionState)


def test_a_session_tells_why_it_does_not_serve() -> None:
    """And since when."""
    lost = SessionHealth("websocket", ConnectionState.RECONNECTING, 5 * S, "no route")
    good = SessionHealth("trading", ConnectionState.READY, 0, "connected")
    health = AdapterHealth("X", ConnectionState.RECONNECTING, sessions=(lost, good))
    assert panels.sessions(health, 35 * S) == [
        "websocket reconnecting for 30 s, no route",
        "trading ready for 35 s",
    ]


def test_a_roll_out_tells_where_it_stands_and_why() -> None:
    """With the time that is left to prove itself; taken back, it says so."""
    day = 86_400 * S
    goes = RollOutHealth("top", day, 8 * day, "first proved itself")
    assert panels.rollout(goes, 4 * day) == [
        "roll-out: top for 3 d, 4 d to prove itself, first proved itself"
    ]
    back = RollOutHealth("polling", 0, 0, "errors: 9.0% in five minutes", rolled_back=True)
    assert panels.rollout(back, 60 * S) == [
        "roll-out: rolled back to polling for 60 s, errors: 9.0% in five minutes"
    ]
    assert panels.rollout(None, 0) == []


def test_figures_of_orders_are_shown_where_orders_are() -> None:
    """A venue that only delivers prices has none."""
    prices = AdapterHealth("X", ConnectionState.READY, received=1234)
    assert [name for name, _ in panels.figures(prices)] == ["messages", "reconnects", "errors"]
    trading = TradingHealth(ConnectionState.READY, open_orders=2, in_doubt=("a",))
    traded = AdapterHealth("X", ConnectionState.READY, trading=trading)
    assert dict(panels.figures(traded))["in doubt"] == "1"


def test_streams_are_found_by_words() -> None:
    """All words must fit, in any order and case."""
    shown = StreamsView({}, (stream("BTCUSDT.BINANCE"), stream("AAPL.SMART", Freshness.DEAD, "IB")))
    assert [row["symbol"] for row in panels.stream_rows(shown)] == ["BTCUSDT.BINANCE", "AAPL.SMART"]
    assert [row["symbol"] for row in panels.stream_rows(shown, "DEAD ib")] == ["AAPL.SMART"]
    assert panels.stream_rows(shown, "dead btc") == []
    assert panels.counted(shown, "IB") == {"fresh": 0, "polling": 0, "stale": 0, "dead": 1}


def test_tables_are_bounded() -> None:
    """Ten thousand streams do not fill a browser; they are found by words."""
    many = StreamsView({}, tuple(stream(f"S{number}.X") for number in range(1000)))
    assert len(panels.stream_rows(many)) == panels.MOST_ROWS
    assert len(panels.stream_rows(many, "S999")) == 1
    assert panels.stream_note(many).endswith("find the others")
    few = StreamsView({"fresh": 1, "dead": 0}, (stream("A"),))
    assert panels.stream_note(few) == "1 fresh, 0 dead"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0"), (99_999, "99,999"), (123_456, "123k"), (12_345_678, "12M"), (98 * 10**9, "98G")],
)
def test_counts_fit_a_phone(count: int, words: str) -> None:
    """However long it has run."""
    health = AdapterHealth("X", ConnectionState.READY, received=count)
    assert dict(panels.figures(health))["messages"] == words


def test_an_order_in_doubt_is_called_so() -> None:
    """Whatever its status says."""
    order = OrderView("X", "X.1", "A.X", "Limit", "Long", 1.5, 2, 0.5, "Submitting", True, True)
    row = panels.order_rows(OrdersView(1, 1, 1, (order,)))[0]
    assert (row["state"], row["color"], row["volume"]) == ("in doubt", panels.BAD, "0.5 / 2")


def test_errors_of_all_venues_are_one_list_newest_first() -> None:
    """With the venue, whose trouble it is and what is done."""
    health = [
        AdapterHealth(
            name, ConnectionState.READY, errors=(ErrorRecord(ts, "K", "wait", "t", "ban"),)
        )
        for name, ts in (("A", S), ("B", 2 * S))
    ]
    rows = panels.error_rows(health)
    assert [row["venue"] for row in rows] == ["B", "A"]
    assert (rows[0]["class"], rows[0]["action"]) == ("ban", "wait")


def test_the_tightest_limit_is_first() -> None:
    """And its colour warns before nothing is left."""
    facts = {
        "limits.messages.left": 40,
        "limits.messages.most": 40,
        "limits.weight.left": 50,
        "limits.weight.most": 1000,
        "pool.idle": 1,
    }
    limits = panels.limits(facts)
    assert [(each.name, each.color) for each in limits] == [
        ("weight", panels.BAD),
        ("messages", panels.GOOD),
    ]
    assert panels.limits({"limits.odd.left": 3})[0].share == 1.0


def test_facts_are_shown_in_words() -> None:
    """Numbers with their thousands, and no more digits than help."""
    facts = {"pool.in_use": 1234, "pool.longest_wait_s": 0.20456, "pace.x": 1, "pool.s": "idle"}
    assert panels.grouped(facts, "pool.") == [
        ("in use", "1,234"),
        ("longest wait s", "0.205"),
        ("s", "idle"),
    ]
    adapter = AdapterView("X", AdapterHealth("X", ConnectionState.READY), facts, ())
    assert panels.has_pool(adapter)


def test_what_needs_a_look_is_told_first() -> None:
    """The halt, a loop that stands still, alerts, what could not be read, handlers set aside."""
    alert = Alert("N", "X", "critical", "X is down", 1.0, 0)
    told = view("a drill", problems=("X.health: KeyError",), alerts=(alert,))
    assert panels.warnings(told) == [
        "Trading is halted: a drill",
        "critical: X is down",
        "not readable: X.health: KeyError",
    ]
    stuck = Health(EngineHealth(True, quarantined=("slow",)), BridgeHealth(True, blocked_s=2.5))
    words = panels.warnings(HealthView(Condition.AILING, "", 1.0, "1", stuck))
    assert "2.5 s" in words[0]
    assert "slow" in words[1]
    assert panels.warnings(view()) == []


def test_a_plot_has_a_line_for_each_venue() -> None:
    """A venue that came later begins with gaps."""
    samples = [
        Sample(S, {"A": 1.0}, {}, {}),
        Sample(2 * S, {"A": 2.0, "B": 0.12345}, {}, {}),
    ]
    assert panels.lines(samples, "rates") == {
        "A": [[1000.0, 1.0], [2000.0, 2.0]],
        "B": [[1000.0, None], [2000.0, 0.123]],
    }
