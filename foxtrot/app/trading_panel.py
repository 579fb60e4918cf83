"""What the terminal shows of trading: venues, strategies, open orders, fills, balances. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from foxtrot.model.constants import ConnectionState
from foxtrot.model.health import AdapterHealth, TradingHealth
from foxtrot.model.objects import AccountData, OrderData, TradeData

_FILLS_LEAST = 3
"""Fills that are shown before anything else asks for the room of older ones."""

_FLAGS = frozenset({"inited", "trading"})


class Book(msgspec.Struct, frozen=True):
    """What is traded: open orders and fills with the newest last, balances, and strategies."""

    orders: tuple[OrderData, ...] = ()
    trades: tuple[TradeData, ...] = ()
    accounts: tuple[AccountData, ...] = ()
    strategies: tuple[tuple[str, Mapping[str, object]], ...] = ()


def trading_panel(book: Book, adapters: Sequence[AdapterHealth], rows: int) -> Panel:
    """Draw as much of it as fits in so many rows; what matters most stands first."""
    fills = _FILLS_LEAST + max(rows - rows_wanted(book, adapters), 0)
    lines = list(_lines(msgspec.structs.replace(book, trades=book.trades[-fills:]), adapters))
    hidden = len(lines) - rows
    note = f"{hidden} more lines do not fit" if hidden > 0 else None
    body = Group(*lines[: max(rows, 1)])
    return Panel(body, title="trading", subtitle=note, border_style="dim", padding=(0, 1))


def rows_wanted(book: Book, adapters: Sequence[AdapterHealth]) -> int:
    """Rows for all of it, but of the fills only the newest."""
    return sum(1 for _ in _lines(book, adapters)) - max(len(book.trades) - _FILLS_LEAST, 0)


def _lines(book: Book, adapters: Sequence[AdapterHealth]) -> Iterator[Text]:
    for adapter in adapters:
        if adapter.trading is not None:
            yield _whole(_venue(adapter.adapter_name, adapter.trading))
    watching = [name for name, variables in book.strategies if _only_watches(variables)]
    for name, variables in book.strategies:
        if name not in watching:
            yield _whole(_strategy(name, variables))
    for order in reversed(book.orders):
        yield _whole(_order(order))
    for trade in reversed(book.trades):
        side = trade.direction.value if trade.direction else ""
        text = f"fill   {trade.symbol}  {side}  {trade.volume:.10g} at {trade.price:,.10g}"
        yield _whole(Text(text, style="green"))
    if book.accounts:
        parts = (f"{each.accountid} {each.available:,.10g}" for each in book.accounts)
        yield _whole(Text("free   " + "  ".join(parts), style="dim"))
    if watching:
        yield _whole(Text("watch  " + "  ".join(watching), style="dim"))


def _venue(name: str, trading: TradingHealth) -> Text:
    state = trading.state
    style = "green" if state is ConnectionState.READY else "yellow"
    line = Text.assemble((name, "bold"), "  ")
    if trading.halted:
        line.append(f" HALTED: {trading.halted} ", style="bold white on red").append("  ")
    line.append(state.value, style=style).append(f"  {trading.open_orders} open")
    if trading.in_doubt:
        line.append(f"  {len(trading.in_doubt)} in doubt", style="bold yellow")
    if trading.cancels_pending:
        line.append(f"  {trading.cancels_pending} cancels pending", style="yellow")
    if trading.journal:
        line.append(f"  no new orders: {trading.journal}", style="bold red")
    return line


def _only_watches(variables: Mapping[str, object]) -> bool:
    """Whether a strategy holds nothing and shows nothing; one that failed is no such."""
    shown = {key: value for key, value in variables.items() if key not in _FLAGS}
    return bool(variables.get("trading", True)) and shown == {"pos": {}}


def _strategy(name: str, variables: Mapping[str, object]) -> Text:
    line = Text.assemble((name, "cyan"))
    if not variables.get("trading", True):
        line.append("  not trading", style="bold yellow")
    for key, value in variables.items():
        if key not in _FLAGS:
            line.append(f"  {key} {_value(value)}")
    return line


def _order(order: OrderData) -> Text:
    side = order.direction.value if order.direction else ""
    doubt = (order.extra or {}).get("outcome") == "unknown"
    status = f"in doubt: {order.reason}" if doubt else order.status.value
    text = f"order  {order.symbol}  {side}  {order.traded:.10g} of {order.volume:.10g}"
    price = f" at {order.price:,.10g}" if order.price else f" {order.type.value}"
    return Text(f"{text}{price}  {status}", style="bold yellow" if doubt else "")


def _value(value: object) -> str:
    if isinstance(value, Mapping):  # positions, by vt_symbol
        held = (f"{_value(held)} {str(name).rpartition('.')[0]}" for name, held in value.items())
        return ", ".join(held) or "0"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _whole(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
