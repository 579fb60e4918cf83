"""The other hands on a simulated venue's books, as far as they are the same on every venue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from foxtrot.simulator.accounts import Amount
from foxtrot.simulator.market import Market

T = TypeVar("T")


class DeskVenue(Protocol):
    """What any desk works upon."""

    market: Market

    @property
    def title(self) -> str:
        """What people call it."""

    def now_ms(self) -> int:
        """The venue's clock."""

    def wake(self, symbol: str) -> None:
        """Bring a symbol's market to the present."""

    def on_loop(self, call: Callable[[], T]) -> T:
        """Run a call on the venue's loop and wait for what it returns."""


V = TypeVar("V", bound=DeskVenue)


class Desk(Generic[V]):
    """Forces things that no client asked for; each call may come from any thread.

    Args:
        venue: Where.
    """

    def __init__(self, venue: V) -> None:
        self._venue = venue

    def set_price(self, symbol: str, bid: Amount) -> None:
        """Move the market so that its best bid is at `bid` or the next level below."""

        def act() -> None:
            self._venue.wake(symbol)
            now_ms = max(self._venue.now_ms(), self._venue.market.now_ms(symbol) + 1)
            self._venue.market.set_quote(symbol, float(bid), now_ms)

        self._act(act)

    def _act(self, call: Callable[[], T]) -> T:
        return self._venue.on_loop(call)
