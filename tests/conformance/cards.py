"""All cards in one class: what a venue inherits."""

from __future__ import annotations

from tests.conformance.closing import ClosingCards
from tests.conformance.conditions import ConditionCards
from tests.conformance.connection import ConnectionCards
from tests.conformance.history import HistoryCards
from tests.conformance.market_data import MarketDataCards
from tests.conformance.modes import ModeCards
from tests.conformance.orders import OrderCards
from tests.conformance.outcomes import OutcomeCards
from tests.conformance.reconciling import ReconcilingCards


class AdapterConformance(ConnectionCards, MarketDataCards, ModeCards, HistoryCards, ClosingCards):
    """The suite. A venue sets `venue_class`."""


class TradingConformance(OrderCards, OutcomeCards, ReconcilingCards, ConditionCards):
    """The suite of orders; a venue that does not trade skips it by its capabilities."""
