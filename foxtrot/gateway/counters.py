"""What happened to the messages of one feed; read by anyone, written by the loop thread."""

from __future__ import annotations


class FeedCounters:
    """received counts application messages; the rest say why some became no event."""

    __slots__ = ("ignored", "malformed", "received", "rejected", "stale")

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
