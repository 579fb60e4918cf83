"""The user data stream: what it tells, in which order, and how it can be broken."""

from __future__ import annotations

import random

import pytest

from foxtrot.simulator.listings import decimal8
from tests.unit.simulator.trader import Trader

SUBSCRIBE = "userDataStream.subscribe.signature"
ORDER = "/api/v3/order"


@pytest.fixture
async def listener(trader: Trader) -> Trader:
    """A client that listens to its account."""
    assert (await trader.call(SUBSCRIBE)).body == {"subscriptionId": 0}
    return trader


async def test_the_life_of_an_order_is_told(listener: Trader) -> None:
    """Accepted, filled in part, canceled: each with the amounts so far."""
    await listener.place(newClientOrderId="mine")
    new = await listener.event()
    assert (new["x"], new["X"], new["c"], new["C"], new["t"]) == ("NEW", "NEW", "mine", "", -1)
    listener.sim.desk.fill("mine", "0.004")
    trade = await listener.event()
    assert (trade["x"], trade["X"], trade["m"]) == ("TRADE", "PARTIALLY_FILLED", True)
    assert (trade["l"], trade["z"], trade["L"]) == ("0.00400000", "0.00400000", new["p"])
    assert (trade["n"], trade["N"], trade["i"]) == ("0.00000400", "BTC", new["i"])
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": "mine", "newClientOrderId": "bye"}
    await listener.rest("DELETE", ORDER, **cancel)
    gone = await listener.event()
    assert (gone["x"], gone["X"], gone["c"], gone["C"]) == ("CANCELED", "CANCELED", "bye", "mine")
    assert gone["z"] == "0.00400000"


async def test_an_expiry_has_a_reason(listener: Trader) -> None:
    """In `eR`; the working time is in `W`."""
    await listener.place(timeInForce="IOC")
    assert "W" in await listener.event()
    expired = await listener.event()
    assert (expired["X"], expired["eR"]) == ("EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED")


async def test_balances_follow_each_change(listener: Trader) -> None:
    """What is locked, and what comes from outside."""
    await listener.place(quantity="0.1", price="60000.00")
    position = await listener.event("outboundAccountPosition")
    assert {"a": "USDT", "f": "94000.00000000", "l": "6000.00000000"} in position["B"]
    listener.sim.desk.deposit("USDT", "-4000")
    assert (await listener.event("balanceUpdate"))["d"] == "-4000.00000000"
    position = await listener.event("outboundAccountPosition")
    assert position["B"] == [{"a": "USDT", "f": "90000.00000000", "l": "6000.00000000"}]


async def test_the_answer_goes_before_the_report(listener: Trader) -> None:
    """On one socket, unless a fault turns it round."""
    number = await listener.send("order.place", **listener.order())
    assert (await listener.receive()).get("id") == number
    assert (await listener.receive())["event"]["x"] == "NEW"
    listener.sim.faults.inject("late_ack", request="place")
    await listener.receive()
    number = await listener.send("order.place", **listener.order())
    kinds = [(await listener.receive()).get("event", {}).get("e") for _ in range(3)]
    assert kinds == ["executionReport", "outboundAccountPosition", None]


async def test_one_stream_per_account_and_connection(listener: Trader) -> None:
    """A second one is refused, until the first was given back."""
    assert (await listener.call(SUBSCRIBE)).error == (400, -2035)
    wrong = await listener.call("userDataStream.unsubscribe", subscriptionId="mine")
    assert wrong.error == (400, -1100)
    assert (await listener.call("userDataStream.unsubscribe", subscriptionId=0)).body == {}
    assert (await listener.call(SUBSCRIBE)).body == {"subscriptionId": 1}
    assert (await listener.call("userDataStream.subscribe")).error == (400, -1099)


async def test_a_closed_connection_listens_no_more(listener: Trader, until) -> None:
    """Its stream goes with it."""
    assert listener.sim.users.listeners("main") == 1
    await listener.socket.close()
    await until(lambda: not listener.sim.users.listeners("main"))
    listener.sim.desk.place("BTCUSDT", "buy", "0.01", 30_000)


async def test_a_stream_may_be_terminated(listener: Trader) -> None:
    """It says so, and the connection stands."""
    listener.sim.faults.inject("user_terminated")
    assert (await listener.receive())["event"]["e"] == "eventStreamTerminated"
    await listener.place()
    assert (await listener.call("account.status")).status == 200
    assert listener.events == []


async def test_events_may_be_doubled_lost_and_silenced(listener: Trader) -> None:
    """The faults of streams hold here too, with the type of the event as the channel."""
    report = {"channel": "executionReport"}
    listener.sim.faults.inject("duplicate", count=1, **report)
    await listener.place()
    assert await listener.event() == await listener.event()
    listener.sim.faults.inject("drop_stream", count=1, **report)
    await listener.place(newClientOrderId="lost")
    await listener.place(newClientOrderId="told")
    assert (await listener.event())["c"] == "told"
    listener.sim.faults.inject("silent")
    await listener.place()
    listener.events.clear()
    assert (await listener.call("account.status")).status == 200
    listener.sim.faults.clear()
    assert [e for e in listener.events if e["e"] == "executionReport"] == []


async def test_events_may_change_places(listener: Trader) -> None:
    """The first comes after the second, and none is lost."""
    listener.sim.faults.inject("reordered", channel="executionReport")
    market = {"type": "MARKET", "price": None, "timeInForce": None}
    await listener.place(**market)
    events = [(await listener.receive())["event"] for _ in range(3)]
    assert [event.get("x") for event in events] == [None, "NEW", "TRADE"]


async def test_events_may_be_late(listener: Trader) -> None:
    """They come after what was asked later."""
    listener.sim.faults.inject("late_reports", seconds=0.3)
    await listener.place()
    assert (await listener.call("account.status")).status == 200
    assert listener.events == []
    assert (await listener.event())["x"] == "NEW"


@pytest.mark.parametrize("seed", range(3))
async def test_the_stream_tells_the_whole_ledger(listener: Trader, seed: int) -> None:
    """Who adds up the events knows every order, fill and balance of the venue."""
    sim, dice = listener.sim, random.Random(seed)
    for number in range(40):
        gap = dice.choice((0, 1, 20)) * sim.market.listings["BTCUSDT"].gap_e8
        price = (sim.market.quote("BTCUSDT").bid_e8 + dice.choice((-1, 1)) * gap) / 10**8
        quantity = dice.randint(1, 30) / 1_000
        name, side = f"order-{number}", dice.choice(("buy", "sell"))
        order = sim.desk.place("BTCUSDT", side, quantity, price, client_id=name)
        sim.tick("BTCUSDT", dice.randint(0, 3))
        if order.open and dice.random() < 0.3:
            sim.desk.cancel(order)
    sim.desk.deposit("DOGE", 1)
    orders, fills, balances = {}, set(), {}
    while "DOGE" not in balances:
        event = (await listener.receive())["event"]
        if event["e"] == "executionReport":
            orders[event["C"] or event["c"]] = (event["X"], event["z"], event["Z"])
            if event["x"] == "TRADE":
                fills.add((event["t"], event["l"], event["L"]))
        balances.update({row["a"]: (row["f"], row["l"]) for row in event.get("B", ())})
    account = sim.desk.account()
    assert orders == {
        order.client_id: (
            order.state.value,
            decimal8(order.filled_e8),
            decimal8(order.turnover_e8),
        )
        for order in account.orders
    }
    assert fills == {
        (fill.trade_id, decimal8(fill.quantity_e8), decimal8(fill.price_e8))
        for fill in account.fills
    }
    assert {state for state, _, _ in orders.values()} >= {"FILLED", "CANCELED"}
    for asset, told in balances.items():
        balance = account.balance(asset)
        assert told == (decimal8(balance.free_e8), decimal8(balance.locked_e8))


async def test_who_does_not_listen_is_told_nothing(trader: Trader) -> None:
    """What happened before the subscription is not repeated."""
    await trader.place()
    await trader.call(SUBSCRIBE)
    await trader.call("account.status")
    assert trader.events == []
