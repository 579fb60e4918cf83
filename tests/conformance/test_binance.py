"""Binance passes the cards."""

from __future__ import annotations

from tests.conformance.connection import ConnectionCards
from tests.support.binance_venue import BinanceUnderTest


class TestBinance(ConnectionCards):
    """The simulated Binance, by ccxt."""

    venue_class = BinanceUnderTest
