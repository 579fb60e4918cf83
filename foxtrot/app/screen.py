"""What the terminal shows, drawn from one snapshot. Pure: the same view gives the same picture."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from foxtrot.app.trading_panel import Book, rows_wanted, trading_panel
from foxtrot.app.watch import Line
from foxtrot.model.constants import ConnectionState, Environment, Mode, StreamState
from foxtrot.model.health import AdapterHealth, Health, SessionHealth, StreamStatus
from foxtrot.model.objects import NS_PER_S, TickData, utc

FRESH_S, STALE_S = 2.0, 10.0
_WIDE, _MEDIUM, _NARROW = 110, 90, 75
"""Columns from which on volumes, the change of the day with the counters, the mode are shown."""

_SYMBOL = 14
"""Length of a symbol that they leave room for; longer ones need more columns."""

_LOW = 32
"""Rows below which connections and events are drawn with less."""

_EVENTS_LEAST, _EVENTS_LEAST_LOW = 6, 4
_COUNTER_ROWS = 5
"""Rows of a table that the counters want beside it."""

_PRICES_SHARE = 2 / 3
"""Of the rows that prices and trading share, when both want more than there are."""

_FRAME_ROWS = 4
"""Borders, title and heading of a panel with a table."""

_STATE_STYLES = {
    ConnectionState.READY: "green",
    ConnectionState.DEGRADED: "yellow",
    ConnectionState.RECONNECTING: "yellow",
    ConnectionState.CONNECTING: "cyan",
    ConnectionState.SYNCING: "cyan",
    ConnectionState.FAILED: "bold red",
}
_STREAM_STYLES = {
    StreamState.ACTIVE: "green",
    StreamState.POLLING: "green",
    StreamState.QUIET: "green",
    StreamState.PENDING: "cyan",
    StreamState.STALE: "yellow",
    StreamState.FAILED: "bold red",
}
_ENVIRONMENT_STYLES = {
    Environment.SIMULATED: "bold black on yellow",
    Environment.TESTNET: "bold white on blue",
    Environment.PAPER: "bold white on blue",
    Environment.LIVE: "bold white on red",
}
_MODE_STYLES = {Mode.WEBSOCKET: "cyan", Mode.POLLING: "magenta"}


class Quote(msgspec.Struct, frozen=True):
    """One row of prices: a symbol with its newest tick, if there was one."""

    symbol: str
    streams: tuple[StreamStatus, ...]
    tick: TickData | None = None
    seen_ns: int = 0
    decimals: int = 2


class View(msgspec.Struct, frozen=True):
    """Everything the picture is drawn from."""

    title: str
    environments: tuple[Environment, ...]
    now_ns: int
    running_s: float
    health: Health | None = None
    quotes: tuple[Quote, ...] = ()
    lines: tuple[Line, ...] = ()
    notice: str = ""
    book: Book = Book()


def render(view: View, width: int, height: int) -> RenderableType:
    """Draw the picture for a terminal of this size."""
    if view.health is None:
        return Group(_title(view), Text(f"\n  {view.notice}", style="dim"))
    low = height < _LOW
    connections = [row for each in view.health.adapters for row in _sessions(each, low)]
    below = (
        max(len(connections), _COUNTER_ROWS if width >= _MEDIUM and not low else 1) + _FRAME_ROWS
    )
    trading = [each for each in view.health.adapters if each.trading is not None]
    shared = height - 1 - below - _FRAME_ROWS - (_EVENTS_LEAST_LOW if low else _EVENTS_LEAST)
    traded = _book_rows(view.book, trading, shared, len(view.quotes)) if trading else 0
    rows = max(shared - traded, 1)
    prices = min(len(view.quotes), rows) + _FRAME_ROWS
    layout = Layout()
    middle = Layout(size=below)
    panels = [Layout(_connections(connections, view.now_ns), ratio=3)]
    if width >= _MEDIUM:
        panels.append(Layout(_counters(view.health), ratio=1, minimum_size=30))
    middle.split_row(*panels)
    layout.split_column(
        Layout(_title(view), size=1),
        Layout(_prices(view, rows, width), size=prices),
        *([Layout(trading_panel(view.book, trading, traded - 2), size=traded)] if traded else []),
        middle,
        Layout(_events(view.lines, height - 1 - prices - below - traded - 2)),
    )
    return layout


def _book_rows(book: Book, trading: Sequence[AdapterHealth], shared: int, quotes: int) -> int:
    """Rows of the trading panel with its frame, out of those that it shares with the prices."""
    wanted = rows_wanted(book, trading)
    prices = min(quotes, int(shared * _PRICES_SHARE))
    return 2 + max(len(trading), min(wanted, shared - 2 - prices))


def fitting(quotes: Sequence[Quote], rows: int) -> list[Quote]:
    """As many quotes as fit, in their order, of each venue about as many as of the others."""
    places: list[tuple[int, int]] = []
    seen: Counter[str] = Counter()
    for index, quote in enumerate(quotes):
        venue = quote.streams[0].adapter_name
        places.append((seen[venue], index))
        seen[venue] += 1
    return [quotes[index] for index in sorted(index for _, index in sorted(places)[:rows])]


def environment_label(environment: Environment | None) -> Text:
    """The environment, loud."""
    if environment is None:
        return Text()
    return Text(f" {environment.value.upper()} ", style=_ENVIRONMENT_STYLES[environment])


def age(seconds: float) -> Text:
    """How old the newest data is: green, yellow or red."""
    style = "green" if seconds < FRESH_S else "yellow" if seconds < STALE_S else "bold red"
    text = f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
    return Text(text, style=style, justify="right")


def duration(seconds: float) -> str:
    """Seconds as a clock would show them, such as 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def compact(number: float) -> str:
    """A number in at most seven places, such as 174.3 k."""
    for limit, size, unit in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if number >= limit:
            return f"{number / size:.4g}{unit}"
    return f"{number:.4g}"


def change_percent(tick: TickData) -> float | None:
    """Change of the last price within the venue's day; None while that is unknown."""
    opened = tick.day.open_price
    return (tick.last_price / opened - 1) * 100 if opened and tick.last_price else None


def _title(view: View) -> RenderableType:
    bar = Table.grid(expand=True)
    bar.add_column()
    bar.add_column(justify="right")
    left = Text.assemble((" foxtrot ", "bold"), (f"{view.title}  ", ""))
    for environment in view.environments:
        left.append_text(environment_label(environment)).append(" ")
    bar.add_row(left, Text(f"up {duration(view.running_s)}   Ctrl-C ends ", style="dim"))
    return bar


def _prices(view: View, rows: int, width: int) -> Panel:
    longest = max((len(quote.symbol) for quote in view.quotes), default=0)
    room = width - max(longest - _SYMBOL, 0)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        expand=True,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("symbol", style="bold", no_wrap=True)
    for name in ("last", "bid", "ask"):
        table.add_column(name, justify="right", no_wrap=True)
    if room >= _WIDE:
        table.add_column("bid vol", justify="right", no_wrap=True, style="dim")
        table.add_column("ask vol", justify="right", no_wrap=True, style="dim")
        table.add_column("volume", justify="right", no_wrap=True)
    if room >= _MEDIUM:
        table.add_column("24 h", justify="right", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    if room >= _NARROW:
        table.add_column("mode", no_wrap=True)
    table.add_column("stream", no_wrap=True, overflow="ellipsis", ratio=1)
    hidden = len(view.quotes) - rows
    for quote in fitting(view.quotes, rows):
        table.add_row(*_price_row(quote, view.now_ns, room))
    note = f"{hidden} more symbols do not fit" if hidden > 0 else None
    return Panel(table, title="prices", subtitle=note, border_style="dim", padding=(0, 1))


def _price_row(quote: Quote, now_ns: int, room: int) -> list[RenderableType]:
    tick, wide, medium = quote.tick, room >= _WIDE, room >= _MEDIUM
    cells: list[RenderableType] = [Text(quote.symbol)]
    if tick is None:
        cells += [""] * (3 + medium + 3 * wide)
    else:
        prices = (tick.last_price, tick.bid_price_1, tick.ask_price_1)
        cells += [f"{price:,.{quote.decimals}f}" if price else "" for price in prices]
        if wide:
            cells += [compact(volume) for volume in (tick.bid_volume_1, tick.ask_volume_1)]
            cells.append(compact(tick.volume))
        if medium:
            cells.append(_change(tick))
    seen = age((now_ns - quote.seen_ns) / NS_PER_S) if quote.seen_ns else Text("-", style="dim")
    modes = [_modes(quote.streams)] if room >= _NARROW else []
    return [*cells, seen, *modes, _stream_states(quote.streams)]


def _change(tick: TickData) -> Text:
    change = change_percent(tick)
    if change is None:
        return Text("")
    return Text(f"{change:+.2f} %", style="green" if change >= 0 else "red", justify="right")


def _modes(streams: Sequence[StreamStatus]) -> Text:
    modes = dict.fromkeys(stream.mode for stream in streams)
    return Text("+").join(Text(mode.value, style=_MODE_STYLES[mode]) for mode in modes)


def _stream_states(streams: Sequence[StreamStatus]) -> Text:
    """One state if all are alike; otherwise each channel with its own."""
    states = {stream.state for stream in streams}
    if len(states) == 1:
        names = [stream.channel.value for stream in streams]
        state = states.pop()
        text = state.value if names == ["tick"] else f"{state.value} {' '.join(names)}"
        return Text(text, style=_STREAM_STYLES[state])
    parts = [
        Text(f"{stream.channel.value} {stream.state.value}", style=_STREAM_STYLES[stream.state])
        for stream in streams
    ]
    return Text(", ").join(parts)


def _sessions(adapter: AdapterHealth, low: bool) -> list[tuple[str, SessionHealth]]:
    """The rows of a venue in the table of connections; on a low terminal one, if all is well."""
    sessions = adapter.sessions
    if not sessions:
        reason, state = adapter.endpoint, adapter.state
        return [(adapter.adapter_name, SessionHealth("", state, 0, reason))]
    if low and len(sessions) > 1 and {each.state for each in sessions} == {ConnectionState.READY}:
        newest = max(sessions, key=lambda each: each.since_ns)
        lost = sum(each.reconnects for each in sessions)
        whole = msgspec.structs.replace(newest, name="all", reconnects=lost)
        return [(adapter.adapter_name, whole)]
    return [(adapter.adapter_name, each) for each in sessions]


def _connections(rows: Sequence[tuple[str, SessionHealth]], now_ns: int) -> Panel:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, expand=True, pad_edge=False, padding=(0, 1))
    table.add_column("venue", style="bold", no_wrap=True)
    table.add_column("session", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=12)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("lost", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True, overflow="ellipsis", ratio=1)
    for venue, session in rows:
        since = duration((now_ns - session.since_ns) / NS_PER_S) if session.name else ""
        lost = str(session.reconnects) if session.name else ""
        reason = Text(session.reason)  # a venue's words: brackets in them are no markup
        table.add_row(venue, session.name, _state(session.state), since, lost, reason)
    return Panel(table, title="connections", border_style="dim", padding=(0, 1))


def _state(state: ConnectionState) -> Text:
    return Text(state.value, style=_STATE_STYLES.get(state, "dim"))


def _counters(health: Health) -> Panel:
    engine = health.engine
    rejected = sum(adapter.rejected + adapter.malformed for adapter in health.adapters)
    rows: Mapping[str, str] = {
        "received": f"{engine.received:,}",
        "delivered": f"{engine.delivered:,}",
        "conflated": f"{engine.conflated:,}",
        "dropped": f"{engine.dropped:,}",
        "refused numbers": f"{rejected:,}",
        "handler errors": f"{engine.handler_errors:,}",
        "lag": f"{engine.lag_s * 1000:.1f} ms",
    }
    table = Table.grid(expand=True)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return Panel(table, title="events engine", border_style="dim", padding=(0, 1))


def _events(lines: Sequence[Line], rows: int) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=20)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for line in lines[-max(rows, 1) :]:
        moment = utc(line.ts_ns).astimezone(dt.UTC).strftime("%H:%M:%S")
        table.add_row(moment, Text(line.source, style="cyan"), Text(line.text, style=_style(line)))
    return Panel(table, title="what happened (UTC)", border_style="dim", padding=(0, 1))


def _style(line: Line) -> str:
    if line.level >= logging.ERROR:
        return "bold red"
    return "yellow" if line.level >= logging.WARNING else ""
