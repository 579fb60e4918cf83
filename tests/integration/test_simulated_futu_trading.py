"""Futu's own, unmodified SDK trades at the simulated OpenD over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from foxtrot.simulator.futu import SimulatedFutu
from tests.support.futu_sdk import SdkError, Trader, load, quoting, trading
from tests.support.futu_venue import running_futu

LIMIT: tuple[Any, ...] = (500, 300, "HK.00700", "BUY")
PAPER = {"trd_env": "SIMULATE"}


@pytest.fixture
def sim() -> Iterator[SimulatedFutu]:
    """An OpenD whose market stands still."""
    with running_futu() as venue:
        yield venue


@pytest.fixture
def trader(sim: SimulatedFutu) -> Iterator[Trader]:
    """A context that has unlocked trading."""
    with trading(sim.port) as made:
        made.call("unlock_trade", "123456")
        yield made


def test_trading_is_locked_until_the_password_is_right(sim: SimulatedFutu) -> None:
    """The SDK is told why, in words; practice needs no password."""
    with trading(sim.port) as trader:
        assert len(trader.rows("get_acc_list")) == 2
        with pytest.raises(SdkError, match="解锁"):
            trader.call("place_order", *LIMIT)
        with pytest.raises(SdkError, match="密码"):
            trader.call("unlock_trade", "wrong")
        assert trader.rows("place_order", *LIMIT, **PAPER)[0]["order_status"] == "SUBMITTED"
        trader.call("unlock_trade", "123456")
        assert trader.rows("place_order", *LIMIT)[0]["order_status"] == "SUBMITTED"


def test_an_order_is_placed_filled_in_parts_changed_and_cancelled(
    sim: SimulatedFutu, trader: Trader
) -> None:
    """Every state is pushed, deals bear the order's id, and the remark comes back everywhere."""
    (order,) = trader.rows("place_order", *LIMIT, remark="one")
    assert trader.orders_until("SUBMITTED") == ["SUBMITTING", "SUBMITTED"]
    sim.desk.fill("one", 100)
    pushed = [trader.next(), trader.next()]
    assert [kind for kind, _ in pushed] == ["order", "deal"]
    assert (pushed[0][1]["order_status"], pushed[0][1]["dealt_qty"]) == ("FILLED_PART", 100)
    assert (pushed[1][1]["order_id"], pushed[1][1]["qty"]) == (order["order_id"], 100)
    trader.call("modify_order", "NORMAL", order["order_id"], 400, 501)
    _, changed = trader.next()
    assert (changed["qty"], changed["price"], changed["remark"]) == (400, 501, "one")
    trader.call("modify_order", "CANCEL", order["order_id"], 0, 0)
    assert trader.orders_until("CANCELLED_PART") == ["CANCELLING_PART", "CANCELLED_PART"]
    for wrong in (order["order_id"], "FH0"):
        with pytest.raises(SdkError):
            trader.call("modify_order", "CANCEL", wrong, 0, 0)
    (listed,) = trader.rows("order_list_query")
    assert (listed["order_status"], listed["remark"]) == ("CANCELLED_PART", "one")
    (deal,) = trader.rows("deal_list_query")
    assert (deal["qty"], deal["price"]) == (100, 500)
    (position,) = trader.rows("position_list_query")
    assert (position["code"], position["qty"]) == ("HK.00700", 100)
    assert trader.rows("accinfo_query")[0]["hk_cash"] == 10_000_000 - 50_000


@pytest.mark.parametrize("early", [False, True])
def test_an_order_that_is_filled_at_once_is_told_before_or_after_its_reply(
    sim: SimulatedFutu, trader: Trader, early: bool
) -> None:
    """In both orders the SDK ends up with the same states and the same deal."""
    sim.desk.push_first(early)
    (order,) = trader.rows("place_order", *LIMIT, order_type="MARKET")
    assert order["order_status"] == "FILLED_ALL"
    assert trader.orders_until("FILLED_ALL") == ["SUBMITTING", "SUBMITTED", "FILLED_ALL"]
    kind, deal = trader.next()
    assert (kind, deal["order_id"], deal["qty"]) == ("deal", order["order_id"], 300)


def test_practice_tells_of_fills_in_orders_alone(sim: SimulatedFutu, trader: Trader) -> None:
    """No deal is pushed, and their list is refused in OpenD's words."""
    trader.call("place_order", *LIMIT, remark="paper", **PAPER)
    sim.desk.fill("paper")
    assert trader.orders_until("FILLED_ALL") == ["SUBMITTING", "SUBMITTED", "FILLED_ALL"]
    with pytest.raises(SdkError, match="模拟交易不支持成交数据"):
        trader.call("deal_list_query", **PAPER)
    with pytest.raises(SdkError, match="不支持"):
        trader.call("cancel_all_order", **PAPER)
    trader.call("place_order", *LIMIT)
    assert trader.next()[0] == "order"


def test_the_sixteenth_order_in_half_a_minute_is_refused(trader: Trader) -> None:
    """The SDK gets OpenD's words, and cancel-all takes what had come."""
    for _ in range(15):
        trader.call("place_order", *LIMIT)
    with pytest.raises(SdkError, match="下单频率太高，请求失败，每30秒最多15次。"):
        trader.call("place_order", *LIMIT)
    trader.call("cancel_all_order")
    statuses = {row["order_status"] for row in trader.rows("order_list_query")}
    assert statuses == {"CANCELLED_ALL"}


def test_the_past_and_the_list_of_stocks_can_be_asked_for(sim: SimulatedFutu) -> None:
    """2500 daily minutes in three pages that join; lots and places of the securities."""
    with quoting(sim.port) as quotes:
        times: list[str] = []
        key = None
        for _ in range(3):
            code, table, key = quotes.request_history_kline(
                "US.AAPL", "2026-11-10", "2026-11-11", "K_1M", page_req_key=key
            )
            assert code == 0, table
            times.extend(table["time_key"])
        assert key is None
        assert len(set(times)) == len(times) == 2_880
        assert (times[0], times[-1]) == ("2026-11-10 00:00:00", "2026-11-11 23:59:00")
        code, table = quotes.get_stock_basicinfo("HK", "STOCK", ["HK.00005"])
        assert code == 0
        assert (table["lot_size"][0], table["exchange_type"][0]) == (400, "HK_MAINBOARD")


def test_the_sdk_is_imported_without_a_trace() -> None:
    """Its handler of SIGINT is not installed, and its folder is not on the path."""
    import signal
    import sys

    load()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not [path for path in sys.path if path.endswith("common/pb")]
