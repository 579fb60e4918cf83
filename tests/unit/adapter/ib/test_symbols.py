"""Symbols of Interactive Brokers: how people write them, and what they are told of a mistake."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib.symbols import (
    EXCHANGES,
    EXCHANGES_BACK,
    Spec,
    format_symbol,
    number_text,
    parse,
)
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange

WRITTEN = {
    "AAPL-USD-STK": Spec("AAPL", "STK", "USD"),
    "BRK B-USD-STK": Spec("BRK B", "STK", "USD"),
    "BT.A-GBP-STK": Spec("BT.A", "STK", "GBP"),
    "EUR-USD-CASH": Spec("EUR", "CASH", "USD"),
    "SPX-USD-IND": Spec("SPX", "IND", "USD"),
    "ES-20261218-USD-FUT": Spec("ES", "FUT", "USD", "20261218"),
    "ES-202612-USD-FUT": Spec("ES", "FUT", "USD", "202612"),
    "SI-202612-1000-USD-FUT": Spec("SI", "FUT", "USD", "202612", multiplier="1000"),
    "AAPL-20261218-C-200-100-USD-OPT": Spec(
        "AAPL", "OPT", "USD", "20261218", "C", 200.0, multiplier="100"
    ),
    "ES-20261218-P-5912.5-50-USD-FOP": Spec(
        "ES", "FOP", "USD", "20261218", "P", 5912.5, multiplier="50"
    ),
    "265598": Spec(con_id=265598),
}

WRONG = {
    "": "type",
    "AAPL": "type",
    "AAPL-USD": "type",
    "AAPL-USD-STOCK": "type",
    "AAPL-USD-STK.MOON": "exchange",
    "AAPL-usd-STK": "currency",
    "-USD-STK": "symbol",
    "AAPL-20261218-USD-STK": "symbol",
    "ES-USD-FUT": "symbol",
    "ES-20261318-USD-FUT": "expiry",
    "ES-DEC26-USD-FUT": "expiry",
    "ES-202612-0-USD-FUT": "multiplier",
    "AAPL-20261218-200-C-100-USD-OPT": "right",
    "AAPL-20261218-C-x-100-USD-OPT": "strike",
    "AAPL-20261218-C-200-ten-USD-OPT": "multiplier",
    "AAPL-20261218-C-200-USD-OPT": "symbol",
    "0265598": "conId",
    "99999999999": "conId",
}


@pytest.mark.parametrize(("symbol", "spec"), WRITTEN.items())
def test_symbols_of_every_kind_are_read_and_written(symbol: str, spec: Spec) -> None:
    """The documented spellings mean what the documents say."""
    assert parse(symbol) == spec
    assert format_symbol(spec) == symbol


@pytest.mark.parametrize(("symbol", "part"), WRONG.items())
def test_a_mistake_is_named_with_an_example(symbol: str, part: str) -> None:
    """The error shows the symbol, names the part, and says how it is written."""
    with pytest.raises(ConfigurationError) as caught:
        parse(symbol)
    assert caught.value.field == part
    assert repr(symbol) in str(caught.value)
    if part not in ("type", "conId"):
        assert "such as" in str(caught.value)


def test_numbers_have_one_spelling() -> None:
    """A strike of 200.0 and one of 200 are the same contract."""
    assert format_symbol(parse("AAPL-20261218-C-200.0-100.00-USD-OPT")) == (
        "AAPL-20261218-C-200-100-USD-OPT"
    )
    assert [number_text(text) for text in ("1000.0", "0.10", "", "NaN", "-1", "Infinity")] == [
        "1000",
        "0.1",
        "",
        "",
        "",
        "",
    ]


def test_exchanges_are_told_apart_both_ways() -> None:
    """Every exchange has a name of IB's, and no two the same."""
    assert len(EXCHANGES_BACK) == len(EXCHANGES)
    assert EXCHANGES_BACK["PINK"] is Exchange.OTC
