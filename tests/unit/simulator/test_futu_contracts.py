"""What the simulated OpenD lists, and how it names it."""

from __future__ import annotations

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.futu_contracts import CONTRACTS, HK, US, Universe, local_ms
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market


def test_a_security_is_found_by_market_and_code() -> None:
    """For quotes by QotMarket, for orders by TrdSecMarket; a code alone means nothing."""
    universe = Universe.of()
    for contract in CONTRACTS:
        assert universe.find(contract.market, contract.code) is contract
        assert universe.traded_as(contract.place.trd_sec_market, contract.code) is contract
    assert universe.find(US, "00700") is universe.find(77, "00700") is None
    assert universe.traded_as(0, "00700") is None


def test_names_are_those_of_the_sdk() -> None:
    """A venue can be made of some; an unknown one is said with those that there are."""
    assert list(Universe.of(["US.AAPL", "HK.00700"]).contracts) == ["US.AAPL", "HK.00700"]
    with pytest.raises(ConfigurationError, match=r"HK\.1.*HK\.00700"):
        Universe.of(["HK.1"])


def test_markets_trade_whole_lots_on_the_grid() -> None:
    """Books and trades of every security keep its lot and its step."""
    market = Market(Universe.of().listings(), now_ms=local_ms(HK, "2026-11-20 10:00:00"))
    for contract in CONTRACTS:
        for _ in range(50):
            market.tick(contract.name)
        book = market.book(contract.name, 10)
        rows = [*book.bids, *book.asks]
        rows += [(trade.price_e8, trade.quantity_e8) for trade in market.trades(contract.name)]
        assert len(rows) > 20
        assert all(price % contract.tick_e8 == 0 for price, _ in rows)
        assert all(quantity % (contract.lot_size * E8) == 0 for _, quantity in rows)


def test_a_time_is_a_date_or_a_moment() -> None:
    """With or without milliseconds; anything else is no time, nor is one that names its zone."""
    assert local_ms(HK, "2026-11-20") == local_ms(HK, "2026-11-20 00:00:00.000")
    assert local_ms(US, "2026-11-20") - local_ms(HK, "2026-11-20") == 13 * 3_600_000
    for text in ("", "now", "2026-11-20T00:00:00+08:00"):
        with pytest.raises(ValueError):
            local_ms(HK, text)
