"""Enums keep vnpy's names."""

import pytest

from foxtrot.model.constants import (
    ACTIVE_STATUSES,
    Direction,
    Environment,
    Exchange,
    Interval,
    Lane,
    Offset,
    OrderType,
    Product,
    Status,
)

VNPY = {
    Direction: "LONG SHORT NET",
    Offset: "NONE OPEN CLOSE CLOSETODAY CLOSEYESTERDAY",
    Status: "SUBMITTING NOTTRADED PARTTRADED ALLTRADED CANCELLED REJECTED",
    OrderType: "LIMIT MARKET STOP FAK FOK RFQ ETF",
    Interval: "MINUTE HOUR DAILY WEEKLY TICK",
    Product: "EQUITY FUTURES OPTION INDEX FOREX SPOT ETF BOND WARRANT SPREAD FUND CFD SWAP",
    Exchange: "CFFEX SHFE SSE SZSE SMART NYSE NASDAQ SEHK CME IDEALPRO LOCAL GLOBAL",
}


@pytest.mark.parametrize(("enum", "names"), VNPY.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_vnpys_members_are_there(enum: type, names: str) -> None:
    """Code written for vnpy finds its members by name."""
    assert set(names.split()) <= set(enum.__members__)  # type: ignore[attr-defined]


def test_intervals_have_vnpys_values() -> None:
    """The desktop stores the values."""
    values = {name: Interval[name].value for name in VNPY[Interval].split()}
    assert values == {"MINUTE": "1m", "HOUR": "1h", "DAILY": "d", "WEEKLY": "w", "TICK": "tick"}


def test_foxtrot_adds_what_vnpy_lacks() -> None:
    """A venue for crypto, and the order types that it has."""
    assert Exchange.BINANCE.value == "BINANCE"
    assert {OrderType.STOP_LIMIT, OrderType.POST_ONLY} <= set(OrderType)


def test_an_exchange_has_no_dot() -> None:
    """vt_symbol is taken apart at its last dot."""
    assert not [exchange for exchange in Exchange if "." in exchange.value]


def test_the_environments_are_these_four() -> None:
    """One enum for all venues."""
    assert [each.value for each in Environment] == ["simulated", "testnet", "paper", "live"]


def test_active_statuses_are_those_that_may_trade() -> None:
    """The final ones are not among them."""
    assert ACTIVE_STATUSES.isdisjoint({Status.ALLTRADED, Status.CANCELLED, Status.REJECTED})
    assert len(ACTIVE_STATUSES) == 3


def test_the_reliable_lane_comes_first() -> None:
    """Lanes are ordered by how much may be lost."""
    assert Lane.RELIABLE < Lane.BOUNDED < Lane.LATEST
