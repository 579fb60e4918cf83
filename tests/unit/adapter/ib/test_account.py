"""What the account holds: TWS's numbers, and where it sets none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import cast

import pytest

from foxtrot.adapter.ib.account import Holdings
from foxtrot.adapter.ib.sdk import RawContract
from foxtrot.model.constants import Exchange

ACCOUNT, UNSET = "DU1234567", sys.float_info.max
AAPL = cast("RawContract", SimpleNamespace(conId=265598, multiplier=""))


@pytest.fixture
def holdings() -> Holdings:
    """Of nothing yet."""
    return Holdings("IB", ACCOUNT, lambda _: ("AAPL-USD-STK", Exchange.SMART))


def test_a_position_of_which_tws_knows_no_cost_and_no_gain_is_held_all_the_same(
    holdings: Holdings,
) -> None:
    """TWS writes the largest double where it sets no number; that is no reason not to trade."""
    holdings.listed([(ACCOUNT, AAPL, 10.0, UNSET)])
    assert holdings.valued(AAPL, 10.0, UNSET, ACCOUNT) is None
    (position,) = holdings.balances().positions
    assert (position.volume, position.price, position.pnl) == (10.0, 0.0, 0.0)


@pytest.mark.parametrize("volume", [UNSET, float("nan"), float("inf")])
def test_a_position_without_a_volume_is_not_believed(holdings: Holdings, volume: float) -> None:
    """How much is held has to be known."""
    with pytest.raises(ValueError, match="cannot be believed"):
        holdings.listed([(ACCOUNT, AAPL, volume, 100.0)])


def test_a_position_is_called_by_its_exchange_once_that_is_known() -> None:
    """A future bought in TWS's window comes without one; under that name nobody could close it."""
    name, future = ("ES-20261218-USD-FUT", Exchange.GLOBAL), SimpleNamespace(conId=7, multiplier="")
    contract = cast("RawContract", future)
    names = [name]
    holdings = Holdings("IB", ACCOUNT, lambda _: names[0])
    assert holdings.moved(ACCOUNT, contract, 1.0, 5_000.0) is not None

    names[0] = name[0], Exchange.CME
    for _ in range(2):
        holdings.listed([(ACCOUNT, contract, 1.0, 5_000.0)])
        told = {each.exchange: each.volume for each in holdings.balances().positions}
        assert told == {Exchange.GLOBAL: 0.0, Exchange.CME: 1.0}
    assert holdings.names() == [names[0]]


def test_a_position_keeps_the_name_that_it_was_told_by(holdings: Holdings) -> None:
    """That somebody names the contract otherwise later does not make two positions of one."""
    holdings.listed([(ACCOUNT, AAPL, 10.0, 100.0)])
    holdings._name_of = lambda _: ("265598", Exchange.SMART)
    holdings.listed([(ACCOUNT, AAPL, 10.0, 100.0)])
    assert [each.symbol for each in holdings.balances().positions] == ["AAPL-USD-STK"]
