"""The picture, drawn from views that were made by hand."""

from __future__ import annotations

import io
import logging

import msgspec
import pytest
from rich.console import Console

from foxtrot.app.screen import Quote, View, age, compact, duration, fitting, render
from foxtrot.app.trading_panel import Book
from foxtrot.app.watch import Line
from foxtrot.model.constants import (
    Channel,
    ConnectionState,
    Environment,
    Exchange,
    Mode,
    StreamState,
)
from foxtrot.model.health import (
    AdapterHealth,
    BridgeHealth,
    EngineHealth,
    Health,
    SessionHealth,
    StreamStatus,
    TradingHealth,
)
from foxtrot.model.objects import DayStatistics, Source, TickData

NOW_NS = 1_800_000_000_000_000_000
SECOND_NS = 1_000_000_000


def quote(symbol: str = "BTCUSDT", *, age_s: float = 1.0, **status: object) -> Quote:
    """A row with a tick of `age_s` seconds."""
    source = Source.of(symbol, Exchange.BINANCE, "BINANCE")
    at_ns = NOW_NS - int(age_s * SECOND_NS)
    day = DayStatistics(volume=12_345.0, open_price=60_000.0)
    tick = TickData(source, at_ns, at_ns, 63_000.0, 1.0, 62_999.5, 0.5, 63_000.5, 0.7, day)
    return Quote(symbol, (stream(symbol, **status),), tick, at_ns, 2)


def stream(symbol: str = "BTCUSDT", **status: object) -> StreamStatus:
    """The state of a tick stream."""
    fields = {
        "adapter_name": "BINANCE",
        "channel": Channel.TICK,
        "state": StreamState.ACTIVE,
        "mode": Mode.WEBSOCKET,
        **status,
    }
    return StreamStatus(symbol=symbol, exchange=Exchange.BINANCE, since_ns=NOW_NS, **fields)  # type: ignore[arg-type]


def view(*quotes: Quote, lines: tuple[Line, ...] = (), **fields: object) -> View:
    """A view of one venue that is connected."""
    state = fields.pop("state", ConnectionState.READY)
    session = SessionHealth("websocket", state, NOW_NS - 65 * SECOND_NS, "all held", reconnects=3)  # type: ignore[arg-type]
    book = fields.pop("book", Book())
    trading = TradingHealth(ConnectionState.READY) if book != Book() else None
    adapter = AdapterHealth("BINANCE", state, sessions=(session,), trading=trading)  # type: ignore[arg-type]
    health = Health(
        EngineHealth(True, received=1234, delivered=1200, conflated=34),
        BridgeHealth(True),
        (adapter,),
    )
    environment = fields.pop("environment", Environment.SIMULATED)
    return View("demo", (environment,), NOW_NS, 75.0, health, quotes, lines, book=book)  # type: ignore[arg-type]


def drawn(picture: View, width: int = 120, height: int = 36) -> str:
    """The picture as plain text."""
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(render(picture, width, height), height=height)
    return console.export_text()


def test_prices_are_shown_with_the_venues_decimals() -> None:
    """A row has last, bid, ask, change since the day's open, age, mode and state."""
    row = next(line for line in drawn(view(quote())).splitlines() if "BTCUSDT" in line)
    for text in ("63,000.00", "62,999.50", "63,000.50", "+5.00 %", "1.0 s", "websocket", "active"):
        assert text in row


@pytest.mark.parametrize(
    ("environment", "word"), [(Environment.SIMULATED, "SIMULATED"), (Environment.LIVE, "LIVE")]
)
def test_the_environment_is_loud(environment: Environment, word: str) -> None:
    """The first line says what the program talks to."""
    assert f" {word} " in drawn(view(environment=environment)).splitlines()[0]


def test_live_is_red() -> None:
    """Nobody mistakes the live venue for another."""
    console = Console(file=io.StringIO(), width=120, record=True, force_terminal=True)
    console.print(render(view(environment=Environment.LIVE), 120, 36), height=36)
    assert "1;37;41m LIVE" in console.export_text(styles=True)


@pytest.mark.parametrize(
    ("seconds", "style"), [(0.0, "green"), (1.99, "green"), (2.0, "yellow"), (10.0, "bold red")]
)
def test_age_is_coloured(seconds: float, style: str) -> None:
    """Fresh is green, older than 2 s yellow, older than 10 s red."""
    assert age(seconds).style == style


def test_a_symbol_without_data_has_an_empty_row() -> None:
    """A symbol that never ticked is listed with its state, and no number is made up."""
    empty = Quote("NOPEUSDT", (stream("NOPEUSDT", state=StreamState.FAILED),))
    row = next(line for line in drawn(view(empty)).splitlines() if "NOPEUSDT" in line)
    assert "failed" in row
    assert "0.00" not in row


def test_connections_tell_state_duration_and_losses() -> None:
    """A session is listed with its state, for how long, how often it was lost, and why."""
    text = drawn(view(state=ConnectionState.RECONNECTING))
    row = next(line for line in text.splitlines() if "reconnecting" in line)
    for part in ("BINANCE", "websocket", "1:05", "3", "all held"):
        assert part in row


@pytest.mark.parametrize("words", ["closed: [/b]", "cannot connect to [fe80::1]:7497", "[red]x"])
def test_brackets_of_a_venue_are_shown_as_they_are(words: str) -> None:
    """What a venue says when it closes is no markup: it can neither vanish nor end the program."""
    picture = view(quote(words))
    assert picture.health is not None
    adapter = picture.health.adapters[0]
    session = msgspec.structs.replace(adapter.sessions[0], reason=words)
    adapter = msgspec.structs.replace(adapter, sessions=(session,))
    health = msgspec.structs.replace(picture.health, adapters=(adapter,))
    text = drawn(msgspec.structs.replace(picture, health=health), width=180)
    assert text.count(words) == 2


def test_the_newest_lines_are_shown() -> None:
    """Where there is no room for all, the newest events stay."""
    lines = tuple(Line(NOW_NS, logging.INFO, "me", f"event {n:03}.") for n in range(200))
    text = drawn(view(lines=lines))
    assert "event 199." in text
    assert "event 000." not in text


def test_too_many_symbols_are_counted() -> None:
    """A hundred symbols do not push the other panels off the screen."""
    text = drawn(view(*(quote(f"S{n:03}USDT") for n in range(100))))
    assert "more symbols do not fit" in text
    assert "what happened" in text
    assert len(text.splitlines()) <= 36


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (300, 90)])
def test_any_terminal_will_do(size: tuple[int, int]) -> None:
    """A tiny or huge terminal is no reason to fail."""
    assert "foxtrot" in drawn(view(quote()), *size)


def test_a_narrow_terminal_shows_whole_numbers() -> None:
    """At 80 columns columns are left out before a price is cut."""
    text = drawn(view(quote()), 80, 24)
    row = next(line for line in text.splitlines() if "BTCUSDT" in line)
    for part in ("63,000.00", "62,999.50", "63,000.50", "1.0 s", "websocket", "active"):
        assert part in row
    assert "all held" in text


@pytest.mark.parametrize("width", [80, 100, 120, 150])
def test_a_long_symbol_cuts_no_price(width: int) -> None:
    """Where the name of an option needs the room, other columns are left out."""
    option = "AAPL-20261218-C-200-100-USD-OPT"
    text = drawn(view(quote(option), quote()), width, 24)
    for symbol in (option, "BTCUSDT"):
        row = next(line for line in text.splitlines() if symbol in line)
        for price in ("63,000.00", "62,999.50", "63,000.50", "1.0 s"):
            assert price in row


def test_mixed_streams_are_told_apart() -> None:
    """A symbol whose channels differ shows each with its state."""
    streams = (stream(), stream(channel=Channel.DEPTH, state=StreamState.STALE, mode=Mode.POLLING))
    text = drawn(view(Quote("BTCUSDT", streams)), width=200)
    assert "websocket+polling" in text
    assert "tick active, depth stale" in text


def test_the_first_picture_needs_no_engine() -> None:
    """Before anything is loaded there is a title and a word of patience."""
    text = drawn(View("demo", (Environment.SIMULATED,), NOW_NS, 0.0, notice="starting …"))
    assert "SIMULATED" in text
    assert "starting" in text


def test_numbers_are_compact() -> None:
    """Volumes fit their column."""
    given = (0.0612, 999.0, 9999.0, 10_000.0, 5.8e6, 5.8e9)
    assert [compact(number) for number in given] == [
        *("0.0612", "999", "9999", "10 k", "5.8 M", "5.8 G")
    ]


def test_durations_read_like_a_clock() -> None:
    """Seconds become minutes and hours."""
    assert [duration(s) for s in (0, 65, 3723)] == ["0:00", "1:05", "1:02:03"]


def test_every_venue_shows_some_of_its_prices() -> None:
    """Where not all fit, no venue is pushed off by another; their order stays."""
    first = [quote(f"A{n}USDT") for n in range(9)]
    second = [quote(f"Z{n}-USD-STK", adapter_name="IB") for n in range(3)]
    shown = [each.symbol for each in fitting([*first, *second], 4)]
    assert shown == ["A0USDT", "A1USDT", "Z0-USD-STK", "Z1-USD-STK"]
    assert len(fitting([*first, *second], 20)) == 12


@pytest.mark.parametrize(("height", "prices"), [(24, 2), (36, 7), (60, 10)])
def test_trading_leaves_room_for_prices(height: int, prices: int) -> None:
    """However much is traded, prices are the larger part; a high terminal shows all of both."""
    strategies = tuple((f"strategy{n}", {"pnl": 1.0}) for n in range(20))
    picture = view(*(quote(f"S{n:03}USDT") for n in range(10)), book=Book(strategies=strategies))
    text = drawn(picture, 120, height)
    assert text.count("USDT ") >= prices
    assert "BINANCE  ready" in text
    assert "what happened" in text
    assert len(text.splitlines()) <= height


def test_a_low_terminal_folds_the_sessions_of_a_venue_that_is_well() -> None:
    """Three venues fit on 24 rows; a session that is not ready has its row again."""

    def venue(name: str, trading: ConnectionState) -> AdapterHealth:
        sessions = (
            SessionHealth("websocket", ConnectionState.READY, NOW_NS, "held", reconnects=1),
            SessionHealth("trading", trading, NOW_NS, "why", reconnects=2),
        )
        return AdapterHealth(name, trading, sessions=sessions)

    well, ill = venue("IB", ConnectionState.READY), venue("FUTU", ConnectionState.RECONNECTING)
    picture = msgspec.structs.replace(
        view(quote()), health=Health(EngineHealth(True), BridgeHealth(True), (well, ill))
    )
    low = [line.split() for line in drawn(picture, 80, 24).splitlines()]
    assert ["│", "IB", "all", "ready", "0:00", "3", "held", "│"] in low
    assert ["│", "FUTU", "trading", "reconnecting", "0:00", "2", "why", "│"] in low
    high = [line.split() for line in drawn(picture, 80, 40).splitlines()]
    assert ["│", "IB", "trading", "ready", "0:00", "2", "why", "│"] in high
