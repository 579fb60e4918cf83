"""The desk of a venue that keeps the orders of all its clients in one room."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.accounts import Amount
from foxtrot.simulator.desk import Desk, DeskVenue
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.matching import Matching
from foxtrot.simulator.orders import VenueOrder

V = TypeVar("V", bound=DeskVenue)
Kept = TypeVar("Kept", bound=VenueOrder)
Trade = TypeVar("Trade")


class Books(Protocol[Kept]):
    """What the desk needs of the room that keeps the orders."""

    matching: Matching
    orders: dict[int, Kept]
    received: Counter[str]
    cancels: deque[str]

    def cancel(self, order: Kept) -> None:
        """Cancel an open order."""

    def end_day(self) -> None:
        """The day is over."""

    def reset(self) -> None:
        """Forget every order."""


class SocketDesk(Desk[V], Generic[V, Kept, Trade]):
    """Forces things that no client asked for, and shows the books.

    An order is given by one of its names; if several bear it, the newest is meant.

    Args:
        venue: Where.
        books: Its orders.
    """

    def __init__(self, venue: V, books: Books[Kept]) -> None:
        super().__init__(venue)
        self._books = books

    def fill(
        self, order: str | int, volume: Amount | None = None, price: Amount | None = None
    ) -> Trade:
        """Fill an order that rests: all of it, or `volume`; at its limit, or a better price.

        Raises:
            InvalidState: It does not rest in the book.
            ConfigurationError: There is no such order, or volume or price do not fit.
        """

        def act() -> Trade:
            found = self.order(order)
            if found.booked is None:
                raise ConfigurationError(self._venue.title, "order", f"{order!r} was refused")
            self._books.matching.fill(
                found.booked,
                self._venue.now_ms(),
                quantity_e8=None if volume is None else to_e8(volume),
                price_e8=None if price is None else to_e8(price),
            )
            return self._trades(found)[-1]

        return self._act(act)

    def end(self, order: str | int) -> None:
        """Cancel an open order, as the venue's own user or the exchange would.

        Raises:
            OrderRejected: It has ended.
        """
        self._act(lambda: self._books.cancel(self.order(order)))

    def end_day(self) -> None:
        """Let it be midnight: orders for the day end, and today's lists begin anew."""
        self._act(self._books.end_day)

    def forget_orders(self) -> None:
        """Know no order, fill or position any more; nobody is told."""
        self._act(self._books.reset)

    def order(self, order: str | int) -> Kept:
        """The order of this name.

        Raises:
            ConfigurationError: There is none.
        """
        for each in reversed(self.held()):
            if order in each.names:
                return each
        raise ConfigurationError(self._venue.title, "order", f"there is no {order!r}")

    def held(self) -> list[Kept]:
        """Every order that was ever taken, oldest first."""
        return list(self._books.orders.values())

    def received(self) -> Mapping[str, int]:
        """The client's own words on every order that ever came in, and how often."""
        return dict(self._books.received)

    def cancels(self) -> list[str]:
        """The client's own words on every order it wanted cancelled, in order; its id without."""
        return list(self._books.cancels)

    @abstractmethod
    def _trades(self, order: Kept) -> list[Trade]:
        """What was traded of an order."""
