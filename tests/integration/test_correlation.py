"""One order's log lines, on whatever thread, are found by one id."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from foxtrot.core.logs import correlated, get_logger
from foxtrot.engine.strategy import Strategy
from foxtrot.model.constants import Status
from foxtrot.model.objects import OrderData
from tests.support.binance_venue import BinanceUnderTest
from tests.support.events import WAIT_S
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig, trading

log = get_logger("foxtrot.strategy")


class Buyer(Strategy):
    """Buys once when the test says, and once more when that was filled."""

    def on_init(self) -> None:
        self.done = threading.Event()
        self.again = ""

    def on_order(self, order: OrderData) -> None:
        log.info("heard", vt_orderid=order.vt_orderid)
        if order.status is not Status.ALLTRADED:
            return
        if self.again:
            self.done.set()
        else:
            self.again = self.buy(order.price, order.volume)


@pytest.fixture
def rig() -> Iterator[TradingRig]:
    """A rig that trades at the simulated Binance."""
    venue = BinanceUnderTest()
    venue.start()
    with ExitStack() as stack:
        stack.callback(venue.stop)
        made = stack.enter_context(trading(venue))
        made.trade("BTCUSDT")
        yield made


def of(caplog: pytest.LogCaptureFixture, vt_orderid: str) -> dict[str, set[str]]:
    """The threads of the lines about an order, by the id that they bear."""
    orderid = vt_orderid.rpartition(".")[2]
    found: dict[str, set[str]] = {}
    for record in caplog.records:
        fields = getattr(record, "foxtrot", {})
        if orderid in (fields.get("orderid"), str(fields.get("vt_orderid", "")).rpartition(".")[2]):
            found.setdefault(fields.get("correlation_id", ""), set()).add(record.threadName or "")
    return found


def test_the_lines_of_an_order_bear_one_id_on_three_threads(
    rig: TradingRig, caplog: pytest.LogCaptureFixture
) -> None:
    """From the call, over the loop, to the strategy that hears of it; the next order has another.

    The call is made under the id of a request, as the API does, and that one is kept.
    """
    caplog.set_level(logging.DEBUG, "foxtrot")
    buyer = rig.engine.add_strategy(Buyer, "buyer", ["BTCUSDT.BINANCE"])
    eventually(lambda: buyer.trading, "the strategy has started")
    price = rig.venue.on_grid(rig.venue.newest("BTCUSDT")[1] * 1.01)
    with correlated("api.order") as request:
        first = buyer.buy(price, 0.01)
    assert buyer.done.wait(WAIT_S)
    assert set(of(caplog, first)) == {request}
    assert of(caplog, first)[request] == {"MainThread", "foxtrot-bridge", "foxtrot-events"}
    ((second, threads),) = of(caplog, buyer.again).items()
    assert second.startswith("buyer-"), "what a strategy does by itself begins with its name"
    assert threads == {"foxtrot-bridge", "foxtrot-events"}


def test_normal_work_is_a_few_lines_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Connecting, subscribing and trading: what came of it is told, not each step on the way."""
    caplog.set_level(logging.INFO, "foxtrot")
    venue = BinanceUnderTest()
    venue.start()
    with ExitStack() as stack:
        stack.callback(venue.stop)
        rig = stack.enter_context(trading(venue))
        rig.trade(*venue.symbols)
        rig.wait_fresh(*venue.symbols)
        rig.cancel(rig.rest())
    lines = [record.foxtrot for record in caplog.records if hasattr(record, "foxtrot")]
    lines = [line for line in lines if line.get("venue") == "BINANCE" and "session" in line]
    told = Counter((line["event"], line["session"], line.get("state", "")) for line in lines)
    assert told == {
        ("subscribed", "websocket", ""): 1,
        **{
            ("connection_state", session, state): 1
            for session in ("websocket", "trading")
            for state in ("ready", "disconnected")
        },
    }
