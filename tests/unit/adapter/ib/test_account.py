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
