"""What happened to the messages of one feed; read by anyone, written by the loop thread."""

from __future__ import annotations


class FeedCounters:
    """received counts application messages; the rest say why some became no event.

    received = events + rejected + malformed + stale + ignored + held + control
    """

    __slots__ = ("control", "held", "ignored", "malformed", "received", "rejected", "stale")

    def __init__(self) -> None:
        self.received = 0
        self.rejected = 0
        """The sanity gate refused a number."""
        self.malformed = 0
        """The message could not be read."""
        self.stale = 0
        """Older than what was already delivered, or a duplicate."""
        self.ignored = 0
        """Of an unknown kind, or of a symbol that is not subscribed."""
        self.held = 0
        """Kept for a book that waits for its snapshot; told with it."""
        self.control = 0
        """About the connection, not the market: answers to requests, announcements."""
