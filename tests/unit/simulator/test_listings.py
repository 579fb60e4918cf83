"""What is listed: grids, texts, plausible prices."""

from __future__ import annotations

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.listings import DEFAULT_SYMBOLS, E8, decimal8, listing, notional_e8, to_e8


def test_amounts_are_written_with_eight_decimals() -> None:
    """Texts on the wire look like Binance's."""
    assert [decimal8(n) for n in (0, 1, E8, 6_125_012_345_678, -5)] == [
        "0.00000000",
        "0.00000001",
        "1.00000000",
        "61250.12345678",
        "-0.00000005",
    ]


@pytest.mark.parametrize("symbol", [*DEFAULT_SYMBOLS, "ABCUSDT", "SHIBUSDT", "ADATRY"])
def test_prices_and_levels_lie_on_the_grid(symbol: str) -> None:
    """The price, the levels' gap and the lot are multiples of the symbol's steps."""
    item = listing(symbol)
    assert item.base + item.quote == symbol
    assert item.gap_e8 % item.tick_e8 == 0
    assert item.price_e8 % item.tick_e8 == 0
    assert item.lot_e8 % item.step_e8 == 0
    assert item.price_e8 > 100 * item.gap_e8


def test_an_unknown_base_always_has_the_same_price() -> None:
    """Any symbol can be listed, and its price is no accident."""
    assert listing("FOOUSDT") == listing("FOOUSDT")
    assert listing("FOOUSDT").price_e8 != listing("BARUSDT").price_e8


@pytest.mark.parametrize(
    "symbol", ["btcusdt", "BTC", "USDT", "", "BTC/USDT", "\uff22\uff34\uff23USDT"]
)
def test_a_text_that_is_no_symbol_is_refused(symbol: str) -> None:
    """The error names the symbol and the currencies it may end in."""
    with pytest.raises(ConfigurationError, match="ends in one of"):
        listing(symbol)


def test_notional_is_exact() -> None:
    """Price times quantity is not rounded through floats."""
    assert notional_e8(to_e8(61_250.12), to_e8(0.00001)) == 61_250_120
