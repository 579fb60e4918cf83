"""What the sessions of one adapter share: the contracts, loaded anew as the venue changes them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from foxtrot.adapter.binance import limits
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.adapter.binance.marks import Marks
from foxtrot.adapter.binance.session import Venue
from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.errors import VenueUnavailable
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.objects import ContractData
from tests.support.clock import ManualClock

SETTING = {"environment": "simulated", "rest_url": "http://127.0.0.1:9"}


def listed(symbol: str, step: str = "0.01", status: str = "TRADING") -> dict[str, object]:
    """An entry of exchangeInfo."""
    filters = [{"filterType": "PRICE_FILTER", "tickSize": step}]
    names = {"baseAsset": symbol[:3], "quoteAsset": symbol[3:]}
    return {"symbol": symbol, "status": status, "filters": filters, **names}


class Listing:
    """A venue whose list changes, and what is pushed of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pushed: list[ContractData] = []
        self.markets: list[dict[str, object]] | Exception = [listed("BTCUSDT"), listed("ETHUSDT")]
        self.asked = 0
        port = SimpleNamespace(clock=self.clock, on_contract=self.pushed.append)
        self.venue = Venue(
            "BINANCE", BinanceSettings.parse(SETTING), Contracts("BINANCE"), Marks(),
            cast(BaseAdapter, port), limits.weight_window(),
        )  # fmt: skip

    async def load_markets(self) -> list[dict[str, object]]:
        """See `BinanceClient`."""
        self.asked += 1
        if isinstance(self.markets, Exception):
            raise self.markets
        return self.markets

    async def load(self) -> list[tuple[str, float]]:
        """What a session pushes of the list that it loads."""
        self.pushed.clear()
        await self.venue.load_contracts(cast(BinanceClient, self))
        return [(each.symbol, each.pricetick) for each in self.pushed]


async def test_contracts_are_loaded_once_an_hour_at_most() -> None:
    """A session after the other does not ask for four megabytes."""
    venue = Listing()
    assert await venue.load() == [("BTCUSDT", 0.01), ("ETHUSDT", 0.01)]
    venue.clock.advance(3599.0)
    assert await venue.load() == []
    assert venue.asked == 1


async def test_what_is_listed_or_changed_later_is_known_to_a_later_session() -> None:
    """Only that is pushed; what is halted for the moment is known still."""
    venue = Listing()
    await venue.load()
    venue.markets = [listed("BTCUSDT", "0.1"), listed("ETHUSDT", status="BREAK"), listed("NEWUSDT")]
    venue.clock.advance(3600.0)
    assert await venue.load() == [("BTCUSDT", 0.1), ("NEWUSDT", 0.01)]
    assert "ETHUSDT" in venue.venue.contracts


async def test_a_list_that_cannot_be_had_again_costs_no_session() -> None:
    """What is known serves; the first list has to be had."""
    venue = Listing()
    trouble, markets = VenueUnavailable("BINANCE", "503", "busy"), venue.markets
    venue.markets = trouble
    with pytest.raises(VenueUnavailable):
        await venue.load()
    venue.markets = markets
    await venue.load()
    venue.markets = trouble
    venue.clock.advance(3600.0)
    assert await venue.load() == []
    venue.markets = [listed("NEWUSDT")]
    assert await venue.load() == [("NEWUSDT", 0.01)]
