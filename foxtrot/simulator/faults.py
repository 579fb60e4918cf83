"""One vocabulary of faults for all simulated venues, and the board they are switched on at.

A fault is a name and a few parameters. Some act at once on the live connections and are over
(`INSTANT`); the others stand on the board until they are cleared or used up. `count=0` means
"until cleared"; without a count the default of the kind holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.injecting import check_name, converted

UNTIL_CLEARED = 0

REQUESTS = (
    "place",
    "test",
    "cancel",
    "cancel_all",
    "replace",
    "query",
    "open_orders",
    "all_orders",
    "trades",
    "account",
    "order_counts",
    "subscribe",
    # Interactive Brokers
    "start_api",
    "positions",
    "executions",
    "completed_orders",
    "auto_open_orders",
    "order_ids",
    "account_updates",
    "account_summary",
    "managed_accounts",
    "pnl",
    "contract_details",
    "symbol_samples",
    "market_rule",
    "option_chains",
    "smart_components",
    "scanner_parameters",
    "news_providers",
    "user_info",
    "history",
    "head_timestamp",
    "history_ticks",
    "market_data",
    "market_data_type",
    "tick_by_tick",
    "depth",
    "depth_exchanges",
    "real_time_bars",
    "unsubscribe",
    "current_time",
    "log_level",
    # Futu
    "init_connect",
    "global_state",
    "keep_alive",
    "register_push",
    "subscriptions",
    "latest",
    "snapshot",
    "trading_days",
    "market_state",
    "history_quota",
    "unlock",
    "buying_power",
)
"""The kinds of requests that a fault can be for."""


class Kind(msgspec.Struct, frozen=True):
    """What a fault does, and how often it does so when the caller names no count.

    `orders` marks what is tried on the trading side, in a table of its own.
    """

    meaning: str
    count: int = UNTIL_CLEARED
    instant: bool = False
    orders: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "close": Kind("close every live connection with `code` (1001)", instant=True),
        "rst": Kind("reset every live connection", instant=True),
        "eof": Kind("end every live connection without a close frame", instant=True),
        "cut_24h": Kind("end every live connection as after 24 hours", instant=True),
        "server_shutdown": Kind(
            "announce a restart; with `seconds`, close that much later", instant=True
        ),
        "burst": Kind("send `frames` (10) updates per stream in one segment", instant=True),
        "silent": Kind("no data; control messages and pings are answered"),
        "mute": Kind("nothing at all is answered or sent; with `rest`, requests hang too"),
        "no_pong": Kind("the client's pings are not answered"),
        "malformed_frame": Kind("a data frame is cut in the middle of its JSON", count=1),
        "garbage_frame": Kind("a frame that is no JSON comes before a data frame", count=1),
        "hostile_number": Kind("a price becomes `body`, or NaN, inf, -1 … in turn", count=1),
        "unknown_event": Kind("an event of an unknown type comes before a data frame", count=1),
        "error_ack": Kind(
            "a subscription, or a `request`, is refused with `code` and `body`", count=1
        ),
        "no_ack": Kind("a subscription works but is never acknowledged", count=1),
        "depth_gap": Kind("one depth update is lost", count=1),
        "http_error": Kind(
            "requests to `path` get `status` (503), `body` and `headers`, or the words for `code`; "
            "with `acts`, they are carried out all the same"
        ),
        "truncated_body": Kind("an answer of status 200 is cut in half", count=1),
        "clock_skew": Kind("the venue's clock is `seconds` ahead"),
        "duplicate": Kind("every data frame is sent twice"),
        "latency": Kind("everything is sent `seconds` later"),
        "refuse": Kind("handshakes are reset, or refused with `status`; with `rest`, requests too"),
        "stale_replay": Kind("a subscription is first answered with data from long ago"),
        "slow_handshake": Kind("a handshake takes `seconds` (10)"),
        "drop_stream": Kind("one `symbol` (or one `channel` of it) is not sent any more"),
        "maintenance": Kind("requests and handshakes get a page of `status` (503)", orders=True),
        "request_swallowed": Kind(
            "a `request` is never acted upon and never answered", count=1, orders=True
        ),
        "request_reset": Kind("a `request` is reset before the venue acts", count=1, orders=True),
        "ack_swallowed": Kind(
            "a `request` is carried out and never answered", count=1, orders=True
        ),
        "ack_reset": Kind("a `request` is carried out, then reset", count=1, orders=True),
        "late_ack": Kind(
            "the answer comes after the reports, `seconds` (0) later", count=1, orders=True
        ),
        "html_body": Kind("an answer of status 200 is an HTML page", count=1, orders=True),
        "foreign_ack": Kind(
            "an answer names another client order id, or `body`", count=1, orders=True
        ),
        "nameless_ack": Kind("an answer names no order id", count=1, orders=True),
        "empty_list": Kind(
            "a list of orders, trades or balances is a lie: empty", count=1, orders=True
        ),
        "cancel_race": Kind(
            "an order is filled the moment its cancel comes in", count=1, orders=True
        ),
        "late_reports": Kind("events of the user stream come `seconds` later", orders=True),
        "reordered": Kind(
            "an event of the user stream changes places with the next", count=1, orders=True
        ),
        "user_terminated": Kind(
            "every user stream ends; the connections stand", instant=True, orders=True
        ),
        "corrupt_length": Kind("the length of the next message is garbage", count=1),
        "half_frame": Kind("half of the next message, then the line ends", count=1),
        "bad_checksum": Kind("the checksum of the next message does not fit", count=1),
        "unknown_format": Kind("the next message says that it has an unknown format", count=1),
        "notice": Kind(
            "every client is told `code` (1100), with `body` or its usual words", instant=True
        ),
        "farm_down": Kind(
            "a farm is lost, and its data; when it is back, so is the data, unless `rest`"
        ),
        "ghost_client": Kind("the client id of a line that ends is in use for `seconds` (30) more"),
        "restart": Kind("every line ends, and nobody is let in for `seconds` (5)", instant=True),
        "order_notice": Kind("an order gets error `code` (399), and lives", count=1, orders=True),
        "notice_first": Kind("the error 202 of a cancel comes before the status", orders=True),
        "duplicate_reports": Kind("every report of an order comes twice", orders=True),
    }
)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault with its parameters; which of them matter depends on `name`."""

    name: str
    symbol: str | None = None
    channel: str | None = None
    path: str | None = None
    request: str | None = None
    count: int | None = None
    code: int | None = None
    seconds: float | None = None
    frames: int | None = None
    status: int | None = None
    body: str | None = None
    headers: dict[str, str] | None = None
    rest: bool = False
    acts: bool = False

    @property
    def uses(self) -> int:
        """How often the fault strikes before it is used up; 0 means until cleared."""
        return KINDS[self.name].count if self.count is None else self.count

    def matches(
        self, symbol: str | None, channel: str | None, path: str | None, request: str | None
    ) -> bool:
        """Whether the fault concerns these; an unset field means any.

        `request` is one of `REQUESTS`.
        """
        return (
            (self.symbol is None or symbol == self.symbol)
            and (self.channel is None or channel == self.channel)
            and (self.path is None or (path or "").endswith(self.path))
            and (self.request is None or request == self.request)
        )


Listener = Callable[[Fault | None], None]
"""Called with a fault that was injected, or with None after faults were cleared."""


class FaultBoard:
    """The faults that are switched on.

    Thread safety: every method may be called from any thread; listeners run on the caller's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._listeners: list[Listener] = []
        self.quiet = True

    def __repr__(self) -> str:
        names = ", ".join(fault.name for fault in self.faults()) or "none"
        return f"<FaultBoard {names}>"

    def inject(self, name: str, /, **params: object) -> Fault:
        """Switch a fault on.

        Raises:
            ConfigurationError: The name or a parameter is unknown or out of range.
        """
        fault = _validated({"name": name, **params})
        with self._lock:
            if not KINDS[name].instant:
                self._entries.append(_Entry(fault, fault.uses))
                self.quiet = False
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(fault)
        return fault

    def clear(self, name: str | None = None) -> None:
        """Switch off the faults of this name, or all of them."""
        if name is not None:
            check_name("fault", name, sorted(KINDS))
        with self._lock:
            self._entries = [e for e in self._entries if name is not None and e.fault.name != name]
            self.quiet = not self._entries
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(None)

    def active(
        self,
        name: str,
        *,
        symbol: str | None = None,
        channel: str | None = None,
        path: str | None = None,
        request: str | None = None,
    ) -> Fault | None:
        """The first standing fault of this name that concerns these things; not used up by it."""
        if self.quiet:
            return None
        with self._lock:
            entry = self._find(name, symbol, channel, path, request)
            return entry.fault if entry else None

    def take(
        self,
        name: str,
        *,
        symbol: str | None = None,
        channel: str | None = None,
        path: str | None = None,
        request: str | None = None,
    ) -> Fault | None:
        """As `active`, but one use of the fault is spent."""
        if self.quiet:
            return None
        with self._lock:
            entry = self._find(name, symbol, channel, path, request)
            if entry is None:
                return None
            self._spend(entry)
            return entry.fault

    def faults(self) -> tuple[Fault, ...]:
        """All standing faults, oldest first."""
        with self._lock:
            return tuple(entry.fault for entry in self._entries)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on every change; returns the call that ends it."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return stop

    def _find(
        self,
        name: str,
        symbol: str | None,
        channel: str | None,
        path: str | None,
        request: str | None,
    ) -> _Entry | None:
        for entry in self._entries:
            fault = entry.fault
            if fault.name == name and fault.matches(symbol, channel, path, request):
                return entry
        return None

    def _spend(self, entry: _Entry) -> None:
        if entry.left == UNTIL_CLEARED:
            return
        entry.left -= 1
        if entry.left == 0:
            self._entries.remove(entry)
            self.quiet = not self._entries


class _Entry:
    """A standing fault and how many uses it has left; compared by identity."""

    def __init__(self, fault: Fault, left: int) -> None:
        self.fault, self.left = fault, left


def _validated(params: Mapping[str, object]) -> Fault:
    check_name("fault", params["name"], sorted(KINDS))
    fault = converted("fault", Fault, params, _RANGES)
    if fault.request is not None and fault.request not in REQUESTS:
        problem = f"request is {fault.request!r}, known are: {', '.join(REQUESTS)}"
        raise ConfigurationError("fault", fault.name, problem)
    if fault.name == "close" and fault.code is not None and not _may_be_sent(fault.code):
        raise ConfigurationError("fault", "close", f"code {fault.code} may not be sent")
    return fault


def _may_be_sent(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455, section 7.4)."""
    return code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code <= 4999


_RANGES = (
    ("count", 0, 1_000_000),
    ("code", -(1 << 31), (1 << 31) - 1),
    ("seconds", -86_400, 86_400),
    ("frames", 1, 10_000),
    ("status", 400, 599),
)


def fault_from_json(raw: bytes) -> tuple[str, dict[str, object]]:
    """The name and the parameters for `FaultBoard.inject`, from a JSON object.

    Raises:
        ConfigurationError: The text is not a JSON object with a name.
    """
    try:
        params = msgspec.json.decode(raw, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("fault", "", str(error)) from error
    name = params.pop("name", None)
    if not isinstance(name, str):
        raise ConfigurationError("fault", "name", "it is missing, or no text")
    return name, params
