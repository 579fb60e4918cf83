"""What is measured while it happens: how long market data takes, of a sample of it.

Everything else that is shown is counted where it happens anyway, and read when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from foxtrot.model.events import Event
from foxtrot.model.health import Histogram, Latency
from foxtrot.model.objects import NS_PER_S, DepthData, MarketTradeData, TickData

BOUNDS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0),
)
SAMPLE_GAP_S: Final = 0.001
"""At most one sample in so long: each costs a microsecond, between two batches of events."""

_BOUNDS_NS = tuple(round(bound * 1e9) for bound in BOUNDS_S)
_MARKET = (TickData, DepthData, MarketTradeData)
_ADAPTERS_MAX = 64


class Durations:
    """A histogram that one thread fills and any thread reads."""

    __slots__ = ("_counts", "_sum_ns")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one; what is below 0, as two clocks differ, counts as 0."""
        duration_ns = max(duration_ns, 0)
        self._counts[bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self._sum_ns += duration_ns

    def read(self) -> Histogram:
        """The counts of now."""
        return Histogram(BOUNDS_S, tuple(self._counts), self._sum_ns / 1e9)


class LatencySample:
    """Market data by adapter: from the venue to us, and from there until its handlers are done.

    Thread safety: `take` by the dispatcher that served the event, `read` from any thread.
    """

    def __init__(self) -> None:
        self._adapters: dict[str, tuple[Durations, Durations]] = {}

    def take(self, event: object, now_ns: int) -> bool:
        """Measure an event that was just served; whether it is one that can be measured."""
        data = event.data if type(event) is Event else None
        if not isinstance(data, _MARKET):
            return False
        name = data.source.adapter_name
        pair = self._adapters.get(name)
        if pair is None:
            if len(self._adapters) >= _ADAPTERS_MAX:
                return False
            pair = self._adapters[name] = (Durations(), Durations())
        if data.ts_event_ns % NS_PER_S:  # whole seconds are too coarse to measure by
            pair[0].add(data.ts_recv_ns - data.ts_event_ns)
        pair[1].add(now_ns - data.ts_recv_ns)
        return True

    def read(self) -> dict[str, Latency]:
        """The histograms of now, by adapter."""
        adapters = self._adapters.copy()
        return {name: Latency(*(part.read() for part in pair)) for name, pair in adapters.items()}
