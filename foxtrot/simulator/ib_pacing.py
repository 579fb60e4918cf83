"""TWS's pace for requests of the past, counted strictly. Pure: the caller says what time it is.

Small bars are 30 seconds and less; ticks count as such. For longer bars the hard rules are lifted.
Source: TWS API documents, "Historical Data Limitations".
"""

from __future__ import annotations

from foxtrot.simulator.window import Window

_SAME_S = 15.0
_PER_CONTRACT, _PER_CONTRACT_S = 5, 2.0
_IN_ALL, _IN_ALL_S = 60, 600.0


class HistoryPace:
    """The requests for small bars and ticks of one user, over all clients."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self._contracts: dict[str, Window] = {}
        self._all = Window(_IN_ALL, _IN_ALL_S)

    def __repr__(self) -> str:
        return f"<HistoryPace remembered={len(self._asked)}>"

    def admit(self, contract: str, what: str, identity: str, now_s: float) -> bool:
        """Count a request; False if it came too fast. BID_ASK counts twice.

        Args:
            contract: Contract and exchange.
            what: Which data.
            identity: What makes it the same request as another, for the same data.
            now_s: The time.
        """
        key = f"{contract} {what}"
        same = f"{key} {identity}"
        before_s = self._asked.pop(same, float("-inf"))
        self._asked[same] = now_s
        self._forget(now_s - _SAME_S)
        if key not in self._contracts:
            self._contracts[key] = Window(_PER_CONTRACT, _PER_CONTRACT_S)
        times = 2 if what == "BID_ASK" else 1
        in_all = [self._all.admit(now_s) for _ in range(times)]
        return self._contracts[key].admit(now_s) and all(in_all) and now_s >= before_s + _SAME_S

    def _forget(self, until_s: float) -> None:
        """Drop the requests that any may follow; the oldest come first."""
        while self._asked[oldest := next(iter(self._asked))] <= until_s:
            del self._asked[oldest]
