"""How contracts and enums are named on the two sides."""

from __future__ import annotations

import pytest

from tests.support.desktop import require

require("vnpy")

from vnpy.trader import constant  # noqa: E402

from foxtrot.desktop.names import (  # noqa: E402
    foxtrot_exchanges,
    foxtrot_symbol,
    vnpy_exchanges,
    vnpy_symbol,
)
from foxtrot.errors import ConfigurationError  # noqa: E402
from foxtrot.model.constants import (  # noqa: E402
    Direction,
    Exchange,
    Interval,
    Offset,
    OrderType,
    Product,
    Status,
)


def test_a_contract_of_binance_has_a_name_of_its_own_in_vnpy() -> None:
    """BTCUSDT at Binance is told from BTCUSDT elsewhere, and can be read."""
    spelling = vnpy_symbol("BTCUSDT", Exchange.BINANCE)
    assert spelling == ("BTCUSDT_SPOT_BINANCE", constant.Exchange.GLOBAL)
    assert foxtrot_symbol(*spelling) == ("BTCUSDT", Exchange.BINANCE)
    assert foxtrot_symbol("BTCUSDT", constant.Exchange.GLOBAL) == ("BTCUSDT", Exchange.GLOBAL)


@pytest.mark.parametrize("exchange", Exchange, ids=lambda each: each.name)
def test_every_exchange_comes_back(exchange: Exchange) -> None:
    """No exchange of ours is lost in vnpy."""
    assert foxtrot_symbol(*vnpy_symbol("X", exchange)) == ("X", exchange)


def test_what_vnpy_gives_is_named_as_in_vnpy() -> None:
    """Every member of vnpy's enums that a gateway can use has its like here, by name."""
    for ours, name in (
        (Direction, "Direction"),
        (Offset, "Offset"),
        (Status, "Status"),
        (Product, "Product"),
        (OrderType, "OrderType"),
        (Interval, "Interval"),
        (Exchange, "Exchange"),
    ):
        known = ours.__members__
        assert [each.name for each in getattr(constant, name) if each.name not in known] == []


def test_an_exchange_of_tomorrow_is_refused_by_name() -> None:
    """An exchange that foxtrot does not know is named in the error."""
    with pytest.raises(ConfigurationError, match="MOON is not known"):
        foxtrot_symbol("X", type("Moon", (), {"name": "MOON"})())


def test_a_gateway_for_global_serves_what_vnpy_has_no_name_for() -> None:
    """Binance contracts of a vnpy gateway can be asked for by foxtrot's own name, and back."""
    assert foxtrot_exchanges([constant.Exchange.GLOBAL]) == (Exchange.GLOBAL, Exchange.BINANCE)
    assert vnpy_exchanges((Exchange.BINANCE, Exchange.GLOBAL)) == [constant.Exchange.GLOBAL]
