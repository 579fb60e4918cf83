"""Binance passes the cards."""

from __future__ import annotations

from tests.conformance.cards import AdapterConformance, TradingConformance
from tests.support.binance_venue import BinanceUnderTest


class TestBinance(AdapterConformance):
    """The simulated Binance, by ccxt."""

    venue_class = BinanceUnderTest


class TestBinanceOrders(TradingConformance):
    """Its trading side."""

    venue_class = BinanceUnderTest
