"""The suite of cards that every venue has to pass.

A card is a test. Its docstring states the prerequisite, the action, the events that are expected
and when the card is passed; cards are numbered with gaps. A card that needs something a venue does
not offer is skipped by the venue's capabilities, never by its name.

A venue inherits `AdapterConformance` and sets `venue_class`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from foxtrot.execution import reconciler
from foxtrot.gateway import desk
from foxtrot.model.constants import Channel, OrderType
from foxtrot.model.objects import NS_PER_S
from tests.support.rig import Rig, running
from tests.support.trading_rig import TradingRig, trading
from tests.support.venues import VenueUnderTest


class Cards:
    """The fixtures that all cards stand on."""

    venue_class: ClassVar[type[VenueUnderTest]]

    @pytest.fixture(autouse=True)
    def hastened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an adapter waits for without need is a matter of fractions of a second."""
        for name, value in self.venue_class.waits.items():
            monkeypatch.setattr(name, value)

    @pytest.fixture
    def venue(self) -> Iterator[VenueUnderTest]:
        """A venue that listens and whose market moves by hand."""
        with self.started(self.venue_class()) as venue:
            yield venue

    @pytest.fixture
    def rig(self, venue: VenueUnderTest) -> Iterator[Rig]:
        """An engine with the venue's adapter, not connected yet."""
        with running(venue) as rig:
            yield rig

    @staticmethod
    def started(venue: VenueUnderTest) -> _Started:
        """The venue, for a with-block."""
        return _Started(venue)

    @staticmethod
    def needs(venue: VenueUnderTest, *things: str) -> None:
        """Skip the card if the venue lacks one of these things."""
        for thing in things:
            if thing in venue.lacks:
                pytest.skip(f"no {thing}: {venue.lacks[thing]}")

    @staticmethod
    def needs_channel(rig: Rig, channel: Channel, *, polled: bool = False) -> None:
        """Skip the card if the venue does not deliver the channel that way."""
        offered = rig.adapter.capabilities
        if channel not in (offered.polled if polled else offered.streamed):
            pytest.skip(f"{rig.name} has no {channel.value} by {'poll' if polled else 'stream'}")

    @staticmethod
    def needs_polling(rig: Rig) -> None:
        """Skip the card if the venue cannot be polled."""
        if Channel.TICK not in rig.adapter.capabilities.polled:
            pytest.skip(f"{rig.name} cannot be polled")

    @staticmethod
    def needs_listing(rig: Rig) -> None:
        """Skip the card if the venue's contracts have to be asked for, one by one."""
        if not rig.adapter.capabilities.lists_contracts:
            pytest.skip(f"{rig.name} lists no contracts: each is looked up when it is wanted")

    @staticmethod
    def needs_history(rig: Rig) -> None:
        """Skip the card if the venue gives no history."""
        if not rig.adapter.capabilities.history:
            pytest.skip(f"{rig.name} gives no history")


class TradingCards(Cards):
    """The fixtures of the cards about orders; evidence is gathered in fractions of a second."""

    @pytest.fixture
    def rig(self, venue: VenueUnderTest) -> Iterator[TradingRig]:
        """An engine with the venue's adapter and its keys, not connected yet."""
        with trading(venue) as rig:
            self.needs_orders(rig)
            yield rig

    @pytest.fixture(autouse=True)
    def quick_evidence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request is known to be late after a fraction of a second."""
        monkeypatch.setattr(reconciler, "GRACE_NS", NS_PER_S // 2)
        monkeypatch.setattr(reconciler, "UNBOUNDED", 1)
        monkeypatch.setattr(reconciler, "APART_NS", NS_PER_S // 5)
        monkeypatch.setattr(desk, "LOOK_S", 0.05)

    @staticmethod
    def needs_orders(rig: Rig) -> None:
        """Skip the card if the venue does not trade."""
        if not rig.adapter.capabilities.orders:
            pytest.skip(f"{rig.name} does not trade")

    @staticmethod
    def needs_order(rig: Rig, type_: OrderType) -> None:
        """Skip the card if the venue has no such order."""
        if type_ not in rig.adapter.capabilities.orders:
            pytest.skip(f"{rig.name} has no {type_.value} orders")

    @staticmethod
    def look(rig: TradingRig, untold: str = "other_hands") -> None:
        """Ask for all now, where what other hands do is not told otherwise."""
        if untold in rig.venue.lacks:
            rig.adapter.query_account()

    @staticmethod
    def refuse(venue: VenueUnderTest, request: str) -> None:
        """Let a kind of request come to nothing until the faults are cleared."""
        name, params = venue.refusal
        for each in venue.requests_of(request):
            venue.faults.inject(name, request=each, **params)

    @staticmethod
    def above(rig: Rig) -> float:
        """A price above the market, at which a limit order trades at once."""
        return rig.venue.on_grid(rig.venue.crossing_price(rig.venue.symbols[0]) * 1.01)


class _Started:
    """Starts a venue and stops it."""

    def __init__(self, venue: VenueUnderTest) -> None:
        self._venue = venue

    def __enter__(self) -> VenueUnderTest:
        self._venue.start()
        return self._venue

    def __exit__(self, *_: object) -> None:
        self._venue.faults.clear()
        self._venue.stop()
