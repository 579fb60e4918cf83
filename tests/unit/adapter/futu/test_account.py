"""Which of OpenD's accounts is traded, and what it holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot.adapter.futu.account import Holdings, choose
from foxtrot.adapter.futu.settings import FutuSettings, TradeEnv
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Direction, Environment, Exchange
from foxtrot.model.objects import AccountData, PositionData

REAL, PAPER_HK, PAPER_US = 281_756_457_982_434_020, 9_053_218, 9_053_219
TENCENT = ("00700", Exchange.SEHK)


def row(acc_id: int, env: int, *markets: int, **fields: int) -> Any:
    plain = {"securityFirm": 1, "simAccType": 1 - env, "accStatus": 0}
    return SimpleNamespace(accID=acc_id, trdEnv=env, trdMarketAuthList=markets, **plain | fields)


ROWS = [row(REAL, 1, 1, 2, 4), row(PAPER_HK, 0, 1), row(PAPER_US, 0, 2)]


def settings(market: str = "HK", *, paper: bool = False, account: str = "") -> FutuSettings:
    kind = TradeEnv.SIMULATE if paper else TradeEnv.REAL
    return FutuSettings(Environment.SIMULATED, market=market, account=account, trade_env=kind)


@pytest.mark.parametrize(
    ("wanted", "acc_id", "market", "currency"),
    [
        (settings(), REAL, 1, 1),
        (settings("CN"), REAL, 4, 3),
        (settings("US", paper=True), PAPER_US, 2, 2),
        (settings(account=str(REAL)), REAL, 1, 1),
    ],
)
def test_the_account_that_fits_is_traded(
    wanted: FutuSettings, acc_id: int, market: int, currency: int
) -> None:
    """By kind, market and, if given, number; one that holds several markets is for all of them."""
    chosen = choose(ROWS, wanted)
    assert (chosen.acc_id, chosen.market, chosen.currency) == (acc_id, market, currency)
    assert chosen.real is (acc_id == REAL)


@pytest.mark.parametrize(
    ("rows", "wanted", "said"),
    [
        (ROWS, settings("CN", paper=True), "no such simulate account for CN"),
        (ROWS, settings(account="1"), "no such real account"),
        ([*ROWS, row(77_1234, 1, 1)], settings(), "several: …4020, …1234"),
        ([row(REAL, 1, 1, accStatus=1)], settings(), "no such real account"),
        ([row(PAPER_HK, 0, 1, simAccType=2)], settings(paper=True), "no such simulate account"),
        ([], settings(), "no such real account"),
    ],
)
def test_no_account_or_several_is_a_wrong_setting(
    rows: list[Any], wanted: FutuSettings, said: str
) -> None:
    """Nobody's account is guessed; the text says what would be right, and no whole number."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        choose(rows, wanted)
    assert str(REAL) not in str(caught.value)


def position(code: str = "00700", qty: float = 300.0, **fields: Any) -> Any:
    plain = {
        "positionSide": 0,
        "canSellQty": qty,
        "averageCostPrice": 500.0,
        "dilutedCostPrice": 490.0,
        "costPrice": 480.0,
        "plVal": 30.0,
        "secMarket": 1,
    }
    return SimpleNamespace(code=code, qty=qty, **plain | fields)


def holdings() -> Holdings:
    return Holdings("FUTU", REAL, lambda market, code: (code, Exchange.SEHK))


def test_positions_have_a_sign_and_what_is_closed_is_told_once_more() -> None:
    """Short ones are below zero; what the list lacks is 0; other countries' are passed over."""
    held = holdings()
    held.listed([position(canSellQty=100.0), position("Z74", secMarket=41)])
    assert held.balances().positions == (
        PositionData("FUTU", *TENCENT, Direction.NET, 300.0, frozen=200.0, price=500.0, pnl=30.0),
    )
    held.listed([position(positionSide=1, qty=-200.0)])
    assert [each.volume for each in held.balances().positions] == [-200.0]
    held.listed([])
    assert [each.volume for each in held.balances().positions] == [0.0]
    assert held.names() == []


def test_the_account_is_told_whole_and_by_currency() -> None:
    """Its worth under its number, cash under number and currency."""
    cash = SimpleNamespace(currency=2, cash=50.0, availableBalance=20.0)
    held = holdings()
    held.funded(SimpleNamespace(totalAssets=900.0, frozenCash=100.0, cashInfoList=[cash]))
    assert held.balances().accounts == (
        AccountData("FUTU", str(REAL), 900.0, 100.0),
        AccountData("FUTU", f"{REAL}.USD", 50.0, 30.0),
    )


@pytest.mark.parametrize("field", ["qty", "canSellQty"])
def test_a_position_that_cannot_be_believed_is_no_list(field: str) -> None:
    """What is no number refuses the whole list, and what was known stays."""
    held = holdings()
    held.listed([position()])
    wrong: dict[str, Any] = {field: float("nan")}
    with pytest.raises(ValueError, match="believed"):
        held.listed([position("09988"), position(**wrong)])
    assert held.names() == [TENCENT]


def test_a_position_whose_cost_is_no_number_is_held_all_the_same() -> None:
    """Another of its costs is shown then; what nobody can tell is 0."""
    held = holdings()
    held.listed([position(averageCostPrice=float("nan"), plVal=float("inf"))])
    (told,) = held.balances().positions
    assert (told.volume, told.price, told.pnl) == (300.0, 490.0, 0.0)
