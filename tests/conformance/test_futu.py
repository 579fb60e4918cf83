"""Futu passes the cards."""

from __future__ import annotations

from tests.conformance.cards import AdapterConformance, TradingConformance
from tests.support.futu_venue import FutuUnderTest


class TestFutu(AdapterConformance):
    """The simulated OpenD."""

    venue_class = FutuUnderTest


class TestFutuOrders(TradingConformance):
    """Its trading side."""

    venue_class = FutuUnderTest
