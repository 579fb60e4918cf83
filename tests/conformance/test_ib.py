"""Interactive Brokers passes the cards, with whichever SDK is installed."""

from __future__ import annotations

from tests.conformance.cards import AdapterConformance, TradingConformance
from tests.support.ib_venue import IbUnderTest


class TestIb(AdapterConformance):
    """The simulated gateway."""

    venue_class = IbUnderTest


class TestIbOrders(TradingConformance):
    """Its trading side."""

    venue_class = IbUnderTest
