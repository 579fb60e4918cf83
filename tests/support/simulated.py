"""A simulated venue on a thread, as far as all of them look alike to tests of adapters."""

from __future__ import annotations

from typing import Generic, TypeVar

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.listings import E8
from foxtrot.simulator.threads import VenueThread
from foxtrot.simulator.venue import SimulatedVenue
from tests.support.venues import Quote, VenueUnderTest

S = TypeVar("S", bound=SimulatedVenue)

Levels = list[tuple[float, float]]
"""Price and volume of each."""

_LEVELS = 10


class SimulatedUnderTest(VenueUnderTest, Generic[S]):
    """What `VenueUnderTest` asks for, from what every simulated venue has.

    Args:
        sim: The simulated venue, which is not started yet.
    """

    def __init__(self, sim: S) -> None:
        self.sim = sim
        self._thread = VenueThread(sim)

    def name(self, symbol: str) -> str:
        """What the simulator calls a symbol."""
        return symbol

    @property
    def faults(self) -> FaultBoard:
        """See `VenueUnderTest`, like all below."""
        return self.sim.faults

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Be gone; orders and fills are kept."""
        self._thread.stop()

    def move(self, symbol: str, count: int = 1) -> None:
        """Step the market on the venue's thread."""
        self.sim.tick(self.name(symbol), count)

    def trade(self, symbol: str) -> str:
        """Step the market until its tape is longer."""
        before = self._last_trade(symbol)
        for _ in range(1_000):
            self.move(symbol)
            if self._last_trade(symbol) != before:
                return str(self._last_trade(symbol))
        raise AssertionError(f"nobody trades {symbol}")

    def newest(self, symbol: str) -> Quote:
        """The best prices of the market itself."""
        quote = self.sim.market.quote(self.name(symbol))
        return quote.bid_e8 / E8, quote.ask_e8 / E8

    def levels(self, symbol: str) -> tuple[Levels, Levels]:
        """Bids and asks, as many as any venue tells."""
        book = self.sim.market.book(self.name(symbol), _LEVELS)
        bids, asks = ([(p / E8, v / E8) for p, v in side] for side in (book.bids, book.asks))
        return bids, asks

    @property
    def connections(self) -> int:
        """Those that were ever made to stream."""
        return self.sim.seen.connections

    def crossing_price(self, symbol: str) -> float:
        """The best ask."""
        return self.newest(symbol)[1]

    def _last_trade(self, symbol: str) -> int:
        trades = self.sim.market.trades(self.name(symbol))
        return trades[-1].trade_id if trades else 0
