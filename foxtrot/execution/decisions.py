"""What a reconciliation decides: what to believe, what to ask the venue, whom to tell. Pure."""

from __future__ import annotations

import msgspec

from foxtrot.execution.order_tracker import NOTHING, Changes, OrderTracker
from foxtrot.execution.reports import FillReport, OrderReport


class Asked(msgspec.Struct, frozen=True):
    """When a query was made, what the tracker knew then, and whether the session was READY."""

    at_ns: int
    mark: int
    ready: bool


class Adopt(msgspec.Struct, frozen=True):
    """An order of somebody else is open at the venue."""

    report: OrderReport


class Correct(msgspec.Struct, frozen=True):
    """The venue knows more of an order than we do."""

    report: OrderReport


class AddFill(msgspec.Struct, frozen=True):
    """A fill that was missed."""

    fill: FillReport


class Resolve(msgspec.Struct, frozen=True):
    """An order was in doubt: the venue shows it, or there is proof that it does not know it.

    Without a `report` that is: it never arrived or, if it was to be cancelled, it is gone.
    """

    orderid: str
    report: OrderReport | None = None


class StillOpen(msgspec.Struct, frozen=True):
    """A cancel came to nothing: the venue shows the order as open long after it."""

    orderid: str


class Ask(msgspec.Struct, frozen=True):
    """Query one order: by `venue_id` if there is one, else by `orderid`."""

    symbol: str
    orderid: str
    venue_id: str


class AskFills(msgspec.Struct, frozen=True):
    """Query fills: those of the order `venue_id`, or all since `since_ns` if that is empty.

    An empty `symbol` means all symbols of the account.
    """

    symbol: str
    since_ns: int
    venue_id: str = ""


class Alarm(msgspec.Struct, frozen=True):
    """Somebody should look at this order."""

    orderid: str
    text: str


Decision = Adopt | Correct | AddFill | Resolve | StillOpen | Ask | AskFills | Alarm


def apply(tracker: OrderTracker, decision: Decision, now_ns: int) -> Changes:
    """Let a decision change what is known; nothing for a query."""
    match decision:
        case Adopt(report) | Correct(report):
            return tracker.reported(report, now_ns)
        case AddFill(fill):
            return tracker.filled(fill, now_ns)
        case Resolve(orderid, report):
            if report is None:
                return tracker.proved_absent(orderid, now_ns)
            return tracker.reported(report, now_ns)
        case StillOpen(orderid):
            return tracker.cancel_refused(orderid, "the venue still shows it as open", now_ns)
        case Alarm(orderid, text):
            return Changes(alarms=(f"{orderid}: {text}",))
    return NOTHING
