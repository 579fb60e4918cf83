"""Symbols are Futu's codes at our exchanges, and what cannot be one says how it is written."""

from __future__ import annotations

import pytest

from foxtrot.adapter.futu.symbols import (
    EXCHANGES,
    PLACES,
    QotMarket,
    Security,
    exchange_of,
    market_of_order,
    parse,
)
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange


@pytest.mark.parametrize(
    ("symbol", "exchange", "meant"),
    [
        ("00700", Exchange.SEHK, Security(1, "00700")),
        ("AAPL", Exchange.NASDAQ, Security(11, "AAPL")),
        ("BRK.B", Exchange.NYSE, Security(11, "BRK.B")),
        ("AAPL", Exchange.SMART, Security(11, "AAPL")),
        ("600519", Exchange.SSE, Security(21, "600519")),
        ("000001", Exchange.SZSE, Security(22, "000001")),
    ],
)
def test_a_name_means_one_contract(symbol: str, exchange: Exchange, meant: Security) -> None:
    """Exchange and code give OpenD's market and code; all of the US is one market."""
    assert parse(symbol, exchange) == meant


@pytest.mark.parametrize(
    ("symbol", "exchange", "said"),
    [
        ("700", Exchange.SEHK, "5 digits at SEHK; write 00700"),
        ("60051", Exchange.SSE, "6 digits at SSE$"),
        ("HK.00700", Exchange.SEHK, "write 00700.SEHK"),
        ("", Exchange.SEHK, "such as"),
        ("AA PL", Exchange.SMART, "such as"),
        ("腾讯", Exchange.SEHK, "such as"),
        ("A" * 33, Exchange.SMART, "such as"),
        ("BTCUSDT", Exchange.BINANCE, "SEHK"),
    ],
)
def test_what_is_no_name_says_how_it_is_written(symbol: str, exchange: Exchange, said: str) -> None:
    """A wrong spelling is refused before OpenD is asked."""
    with pytest.raises(ConfigurationError, match=said):
        parse(symbol, exchange)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_each_exchange_is_in_a_market_that_orders_know(exchange: Exchange) -> None:
    """What can be quoted can be named in an order, and is found again in its pushes."""
    market = EXCHANGES[exchange]
    assert market_of_order(PLACES[market].trd_sec_market) is market


def test_a_contract_nobody_named_has_the_exchange_that_lists_it() -> None:
    """OpenD's exchange type tells the exchange; where it does not, the market does."""
    assert exchange_of(QotMarket.US, 5) is Exchange.NASDAQ
    assert exchange_of(QotMarket.US, 0) is Exchange.SMART
    assert exchange_of(QotMarket.HK, 3) is Exchange.SEHK
    assert exchange_of(QotMarket.SH, 16) is Exchange.SSE
    assert exchange_of(99, 0) is None
