"""Numbers that the sanity gate refused: told once per stream, until the stream is good again."""

from __future__ import annotations

from foxtrot.core.logs import FoxtrotLogger
from foxtrot.gateway.counters import FeedCounters


class Episodes:
    """Counts refusals and reports the first of each episode, and its end.

    `open` is empty while all is well; who is in a hurry looks at it before calling `believe`.
    """

    def __init__(self, counters: FeedCounters, log: FoxtrotLogger) -> None:
        self._counters, self._log = counters, log
        self.open: dict[tuple[str, str], int] = {}

    def refuses(self, symbol: str, what: str, reason: str) -> bool:
        """Whether the gate refuses the numbers for `reason`; there is none if they are good."""
        if reason:
            self.refuse(symbol, what, reason)
        elif self.open:
            self.believe(symbol, what)
        return bool(reason)

    def refuse(self, symbol: str, what: str, reason: str) -> None:
        """The numbers of `what` of `symbol` cannot be believed."""
        self._counters.rejected += 1
        key = symbol, what
        self.open[key] = self.open.get(key, 0) + 1
        if self.open[key] == 1:
            self._log.warning("numbers_rejected", symbol=symbol, what=what, reason=reason)

    def believe(self, symbol: str, what: str) -> None:
        """They can be believed again; nothing happens if they always could."""
        count = self.open.pop((symbol, what), 0)
        if count:
            self._log.info("numbers_believed_again", symbol=symbol, what=what, rejected=count)
