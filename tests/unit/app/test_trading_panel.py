"""The trading panel, drawn from what was made by hand."""

from __future__ import annotations

import io

from rich.console import Console

from foxtrot.app.trading_panel import Book, trading_panel
from foxtrot.model.constants import ConnectionState, Direction, Exchange
from foxtrot.model.health import AdapterHealth, TradingHealth
from foxtrot.model.objects import AccountData, OrderData, TradeData

OF = ("BINANCE", "BTCUSDT", Exchange.BINANCE)
BOOK = Book(
    (
        OrderData(
            "BINANCE",
            "BTCUSDT",
            Exchange.BINANCE,
            "fx-1",
            direction=Direction.LONG,
            price=5.0,
            volume=2.0,
        ),
        OrderData(
            "BINANCE",
            "BTCUSDT",
            Exchange.BINANCE,
            "fx-2",
            reason="no answer",
            extra={"outcome": "unknown"},
        ),
    ),
    (
        TradeData(
            "BINANCE",
            "BTCUSDT",
            Exchange.BINANCE,
            "fx-1",
            "7",
            Direction.LONG,
            price=5.0,
            volume=1.0,
        ),
    ),
    (AccountData("BINANCE", "USDT", 100.0, 10.0),),
    (("maker", {"pos": {"BTCUSDT.BINANCE": 2.5}, "pnl": 1.5}),),
)


def drawn(book: Book = BOOK, rows: int = 20, **trading: object) -> str:
    """The picture as text."""
    state = TradingHealth(ConnectionState.READY, **trading)  # type: ignore[arg-type]
    adapter = AdapterHealth("BINANCE", ConnectionState.READY, trading=state)
    console = Console(file=io.StringIO(), width=160)
    with console.capture() as taken:
        console.print(trading_panel(book, [adapter], rows))
    return taken.get()


def test_orders_fills_balances_and_strategies_are_shown() -> None:
    """All that trades is on the picture, and a doubt is called one."""
    text = drawn()
    for words in (
        "0 of 2 at 5",
        "in doubt: no answer",
        "1 at 5",
        "USDT 90",
        "pos 2.5 BTCUSDT  pnl 1.5",
    ):
        assert words in text


def test_a_halt_says_why_and_how_many_cancels_are_pending() -> None:
    """Who halted sees that it holds, and what is still to be done."""
    text = drawn(halted="asked to", cancels_pending=3, in_doubt=("fx-2",), journal="disk full")
    for words in ("HALTED: asked to", "3 cancels pending", "1 in doubt", "disk full"):
        assert words in text


def test_who_only_watches_takes_one_row_at_the_end() -> None:
    """Who trades is above them; one that was stopped is never among those who watch."""
    idle: dict[str, object] = {"inited": True, "trading": True, "pos": {}}
    stopped = idle | {"trading": False}
    book = Book(strategies=(("one", idle), ("two", idle), ("three", stopped), *BOOK.strategies))
    lines = [line.strip("│ ") for line in drawn(book).splitlines()]
    assert "watch  one  two" in lines[-2]
    assert any(line.startswith("three  not trading") for line in lines)
    assert any(line.startswith("maker") for line in lines)


def test_a_low_terminal_keeps_the_venue_and_counts_what_is_hidden() -> None:
    """The state of trading is never what is left out."""
    text = drawn(rows=1)
    assert "ready" in text
    assert "5 more lines do not fit" in text
