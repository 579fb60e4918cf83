"""What happened to the messages of one feed; read by anyone, written by the loop thread."""

from __future__ import annotations

from collections.abc import Iterable


class FeedCounters:
    """received counts application messages; the rest say why some became no event.

    received = events + rejected + malformed + stale + conflated + ignored + held + control

    Args:
        message_types: The venue's names of its messages; each has a count of its own from the
            start, so that nought is shown as well.
    """

    NAMES = (
        "received", "rejected", "malformed", "stale", "conflated", "ignored", "held", "control"
    )  # fmt: skip
    """The plain numbers."""

    __slots__ = (*NAMES, "malformed_by_type")

    def __init__(self, message_types: Iterable[str] = ()) -> None:
        self.received = 0
        self.rejected = 0
        """The sanity gate refused a number."""
        self.malformed = 0
        """The message could not be read."""
        self.malformed_by_type = dict.fromkeys(message_types, 0)
        """The same by type of message; they add up to `malformed`."""
        self.stale = 0
        """Older than what was already delivered, or a duplicate."""
        self.conflated = 0
        """A newer one was there already, and nobody wants every one."""
        self.ignored = 0
        """Of an unknown kind, or of a symbol that is not subscribed."""
        self.held = 0
        """Kept for a book that waits for its snapshot; told with it."""
        self.control = 0
        """About the connection, not the market: answers to requests, announcements."""

    def unreadable(self, message_type: str) -> None:
        """A message of that type could not be read."""
        self.malformed += 1
        known = self.malformed_by_type
        known[message_type] = known.get(message_type, 0) + 1
