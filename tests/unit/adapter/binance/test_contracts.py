"""Which symbols can be had, and what somebody reads who misspells one."""

from __future__ import annotations

import pytest

from foxtrot.adapter.binance.contracts import Contracts
from foxtrot.errors import Action, UnknownSymbol
from foxtrot.model.constants import Exchange


def info(symbol: str, **fields: object) -> dict[str, object]:
    """An entry of exchangeInfo."""
    entry = {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol[:-4],
        "quoteAsset": symbol[-4:],
        "filters": [],
    }
    return {**entry, **fields}


def loaded(*symbols: str) -> Contracts:
    """Contracts of some symbols."""
    contracts = Contracts("BINANCE")
    contracts.load(info(symbol) for symbol in symbols)
    return contracts


def test_contracts_are_known_after_loading() -> None:
    """What was loaded can be asked for, what was not cannot."""
    contracts = loaded("BTCUSDT", "ETHUSDT")
    assert len(contracts) == 2
    assert "BTCUSDT" in contracts
    assert "XRPUSDT" not in contracts


def test_a_source_is_always_the_same_object() -> None:
    """All market data of a symbol shares it; a reload changes nothing."""
    contracts = loaded("BTCUSDT")
    source = contracts.source("BTCUSDT")
    contracts.load([info("BTCUSDT"), info("ETHUSDT")])
    assert contracts.source("BTCUSDT") is source
    assert (source.vt_symbol, source.name) == ("BTCUSDT.BINANCE", "BTC/USDT")
    assert (source.exchange, source.adapter_name) == (Exchange.BINANCE, "BINANCE")


@pytest.mark.parametrize("symbol", ["BTCUSD", "btcusdt", "BTCUSTD", "BTC-USDT"])
def test_a_misspelt_symbol_is_answered_with_the_nearest(symbol: str) -> None:
    """The error names what was asked and what was probably meant, and is not retried."""
    with pytest.raises(UnknownSymbol) as caught:
        loaded("ETHBTC", "BTCUSDT").source(symbol)
    assert str(caught.value) == (f"BINANCE: {symbol!r} is not traded here; did you mean BTCUSDT?")
    assert caught.value.action is Action.STOP


def test_a_symbol_that_resembles_nothing_gets_no_advice() -> None:
    """Better no hint than a wrong one."""
    with pytest.raises(UnknownSymbol, match=r"'600519' is not traded here$"):
        loaded("BTCUSDT").source("600519")


def test_a_hostile_symbol_plays_no_tricks_with_the_line() -> None:
    """Line feeds and terminal codes are shown as escapes."""
    with pytest.raises(UnknownSymbol) as caught:
        loaded("BTCUSDT").source("BTC\n\x1b[31mUSDT")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_halted_symbol_is_not_offered() -> None:
    """Who subscribes it learns so at once instead of waiting for data."""
    contracts = Contracts("BINANCE")
    assert contracts.load([info("BTCUSDT", status="BREAK"), info("ETHUSDT")])[0].symbol == "ETHUSDT"
    assert "BTCUSDT" not in contracts


def test_unreadable_entries_do_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """They are counted in one line, and all else can be traded."""
    contracts = Contracts("BINANCE")
    entries: list[dict[str, object]] = [
        {},
        info("ETHUSDT", filters=[{"filterType": "PRICE_FILTER", "tickSize": "\uff11"}]),
        info("XRPUSDT", filters=None),
        info("BTCUSDT"),
    ]
    with caplog.at_level("WARNING", logger="foxtrot"):
        assert [each.symbol for each in contracts.load(entries)] == ["BTCUSDT"]
    (record,) = caplog.records
    assert record.getMessage() == "contracts_unreadable venue=BINANCE count=3"
