"""The rules of TWS for its clients, as it documents them, and what it says when one is broken."""

from __future__ import annotations

from foxtrot.simulator.socket_connection import SocketLimits


class IbLimits(SocketLimits, frozen=True):
    """The rules, besides those of any socket; None switches one off.

    Args:
        messages_per_s: Of one client, all messages counted alike.
        pace_strikes: With how many messages above that the line is cut.
        market_lines: Streams of quotes and real-time bars of a user at once, over all clients.
        depth_lines: Order books at once, over all clients.
        tick_by_tick_lines: Tick-by-tick streams at once, over all clients.
        tick_by_tick_again_s: How long a contract's tick-by-tick stream cannot be asked for again.
        history_pace: Whether requests for small bars and ticks of the past are counted.
        history_open: Bars that are kept up to date at once, over all clients.
        snapshot_s: When a snapshot ends at the latest.
    """

    messages_per_s: int | None = 50
    pace_strikes: int = 3
    market_lines: int | None = 100
    depth_lines: int | None = 3
    tick_by_tick_lines: int | None = 3
    tick_by_tick_again_s: float = 15.0
    history_pace: bool = True
    history_open: int | None = 50
    snapshot_s: float = 11.0


PACE, IN_USE, CANNOT_READ, INVALID, DUPLICATE_ID = 100, 326, 320, 321, 322
TOO_MANY_LINES, TOO_MANY_BOOKS, TOO_MANY_PRINTS = 101, 309, 10190
NO_SUCH_STREAM, NO_SUCH_BOOK, NO_TICK_BY_TICK = 300, 310, 10189
NOT_SUBSCRIBED, SHOWN_DELAYED = 354, 10167
HISTORY, NO_SUCH_HISTORY, NO_SUCH_TIME = 162, 366, 10314
FARM_BROKEN, FARM_OK, HISTORY_FARM_OK, DEFINITIONS_OK = 2103, 2104, 2106, 2158
LOST, RESTORED_WITHOUT_DATA, RESTORED = 1100, 1101, 1102

TEXTS = {
    PACE: "Max rate of messages per second has been exceeded:max={} rec={} ({})",
    TOO_MANY_LINES: "Max number of tickers has been reached",
    NO_SUCH_STREAM: "Can't find EId with tickerId:{}",
    HISTORY: "Historical Market Data Service error message:{}",
    NO_SUCH_HISTORY: "No historical data query found for ticker id:{}",
    NO_SUCH_BOOK: "Can't find the subscribed market depth with tickerId:{}",
    DUPLICATE_ID: "Error processing request.-'bW' : cause - Duplicate ticker id",
    TOO_MANY_BOOKS: "Max number ({}) of market depth requests has been reached",
    CANNOT_READ: "Error reading request. {}",
    INVALID: "Error validating request.-'bN' : cause - {}",
    IN_USE: "Unable to connect as the client id is already in use. Retry with a unique client id.",
    NOT_SUBSCRIBED: "Requested market data is not subscribed.Displaying delayed market data.",
    420: "Invalid Real-time Query:No market data permissions",
    LOST: "Connectivity between IBKR and Trader Workstation has been lost.",
    RESTORED_WITHOUT_DATA: "Connectivity between IBKR and Trader Workstation has been restored"
    "- data lost.",
    RESTORED: "Connectivity between IBKR and Trader Workstation has been restored"
    "- data maintained.",
    FARM_BROKEN: "Market data farm connection is broken:{}",
    FARM_OK: "Market data farm connection is OK:{}",
    2105: "HMDS data farm connection is broken:{}",
    HISTORY_FARM_OK: "HMDS data farm connection is OK:ushmds",
    2110: "Connectivity between Trader Workstation and server is broken. "
    "It will be restored automatically.",
    DEFINITIONS_OK: "Sec-def data farm connection is OK:secdefil",
    TOO_MANY_PRINTS: "Max number of tick-by-tick requests has been reached.",
    NO_TICK_BY_TICK: "Failed to request tick-by-tick data.No market data permissions",
    SHOWN_DELAYED: "Requested market data is not subscribed. Displaying delayed market data.",
    NO_SUCH_TIME: "End Date/Time: {}",
    10197: "No market data during competing live session",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10089: "Requested market data requires additional subscription for API. "
    "Delayed market data is available.",
}
"""What TWS says with a code."""


def text_of(code: int, *facts: object) -> str:
    """The words of a code."""
    return TEXTS.get(code, "The request was refused").format(*facts)
