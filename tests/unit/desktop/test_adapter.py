"""A gateway of vnpy under foxtrot's own engine."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.desktop import require

require("vnpy")

from vnpy.trader import constant, object  # noqa: E402

from foxtrot import MainEngine  # noqa: E402
from foxtrot.desktop.adapter import INFERRED, GatewayAdapter, as_foxtrot_adapter  # noqa: E402
from foxtrot.errors import ConfigurationError, UnexpectedError  # noqa: E402
from foxtrot.model.constants import (  # noqa: E402
    ConnectionState,
    Direction,
    Exchange,
    Interval,
    OrderType,
    Status,
    StreamState,
)
from foxtrot.model.events import (  # noqa: E402
    EVENT_ACCOUNT,
    EVENT_CONNECTION,
    EVENT_LOG,
    EVENT_ORDER,
    EVENT_STREAM,
    EVENT_TICK,
    EVENT_TRADE,
)
from foxtrot.model.requests import (  # noqa: E402
    CancelRequest,
    HistoryRequest,
    OrderRequest,
    SubscribeRequest,
)
from tests.support.desktop_gateway import PlainGateway  # noqa: E402
from tests.support.events import EventLog  # noqa: E402
from tests.support.rig import QUICK, eventually, nothing_left  # noqa: E402

AAPL = SubscribeRequest("AAPL", Exchange.SMART)
S = ConnectionState


class Bench:
    """The gateway under an engine, as a user of foxtrot sees it."""

    def __init__(self) -> None:
        class Gateway(PlainGateway):
            made: list[PlainGateway] = []  # noqa: RUF012 - each test's own

        self.gateway_class = Gateway
        flags = {**QUICK, "orders.timeout_s": 1.0, "liveness.stream_idle_s": 0.5}
        self.engine = MainEngine(settings=flags)
        self.log = EventLog(self.engine.event_engine)
        self.adapter: GatewayAdapter = self.engine.add_adapter(as_foxtrot_adapter(Gateway))

    @property
    def gateway(self) -> PlainGateway:
        """The newest that was made."""
        return self.gateway_class.made[-1]

    def wait(self, type_: str, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first event of a kind."""
        return self.log.wait_type(type_, where=where)

    def wait_state(self, session: str, state: S, since: int = 0) -> Any:
        """The first status of a session."""
        return self.log.wait_type(
            EVENT_CONNECTION,
            since=since,
            where=lambda s: (s.session, s.state) == (session, state),  # type: ignore[attr-defined]
        )

    def ready(self) -> None:
        """Connected, subscribed, a tick told, and orders are taken."""
        self.engine.subscribe(AAPL, "PLAIN")
        self.engine.connect({}, "PLAIN")
        self.wait_state("websocket", S.READY)
        self.wait_state("trading", S.READY)
        self.gateway.tick(99.0, 100.0)
        self.wait(EVENT_TICK)

    def send(self, type_: OrderType = OrderType.LIMIT) -> str:
        """An order to buy one; its vt_orderid."""
        request = OrderRequest("AAPL", Exchange.SMART, Direction.LONG, type_, 1.0, 98.0)
        return self.engine.send_order(request, "PLAIN")

    def wait_order(self, vt_orderid: str, status: Status) -> Any:
        """The first event of an order in a status."""
        return self.wait(EVENT_ORDER, lambda o: (o.vt_orderid, o.status) == (vt_orderid, status))


@pytest.fixture
def bench() -> Iterator[Bench]:
    """It is closed at the end, and leaves nothing behind."""
    with nothing_left():
        bench = Bench()
        yield bench
        for gateway in bench.gateway_class.made:
            gateway.go_on.set()
        bench.engine.close()


def test_a_gateway_serves_market_data(bench: Bench) -> None:
    """Contracts, ticks, balances and words of a gateway are foxtrot's events."""
    bench.ready()
    tick = bench.engine.get_tick("AAPL.SMART")
    assert tick is not None
    assert (tick.bid_price_1, tick.adapter_name) == (99.0, "PLAIN")
    assert tick.ts_recv_ns >= tick.ts_event_ns
    contract = bench.engine.get_contract("AAPL.SMART")
    assert contract is not None
    assert contract.name == "Apple"
    assert bench.wait(EVENT_ACCOUNT).balance == 9.0
    assert bench.wait(EVENT_LOG, lambda entry: entry.msg == "logging in")
    told = [e for e in bench.log.items if e.type == EVENT_TICK]
    assert len(told) == 1


def test_words_of_a_gateway_hold_no_secret_and_move_no_cursor(bench: Bench) -> None:
    """It tells what its venue says and what it asked: that goes to screens and into reasons."""
    bench.engine.connect({"password": "canary-in-clear"}, "PLAIN")
    bench.wait_state("trading", S.READY)
    words = "\x1b[2J refused: canary-in-clear, GET /order?signature=deadbeef"
    bench.gateway.write_log(words)
    entry = bench.wait(EVENT_LOG, lambda entry: "refused" in entry.msg)
    assert entry.msg == bench.adapter.facts()["vnpy.last_words"]
    assert "\x1b" not in entry.msg
    assert "deadbeef" not in entry.msg
    assert "canary" not in entry.msg


def test_its_state_is_labelled_as_inferred(bench: Bench) -> None:
    """Nobody takes a state of a vnpy gateway for more than it is."""
    bench.ready()
    health = bench.adapter.health()
    assert health.facts["vnpy.state"] == INFERRED
    assert health.endpoint == "vnpy Gateway"
    assert health.environment is None


def test_an_order_goes_through_desk_and_gateway(bench: Bench) -> None:
    """An order is known by foxtrot's id, rests, fills, and its fill is told once."""
    bench.ready()
    vt_orderid = bench.send()
    bench.wait_order(vt_orderid, Status.NOTTRADED)
    bench.gateway.fill("1")
    bench.gateway.fill("1")
    bench.wait_order(vt_orderid, Status.ALLTRADED)
    fill = bench.wait(EVENT_TRADE, lambda t: t.vt_orderid == vt_orderid)
    assert (fill.tradeid, fill.price, fill.volume) == ("t1", 98.0, 1.0)
    cancelled = bench.send()
    bench.wait_order(cancelled, Status.NOTTRADED)
    orderid = cancelled.removeprefix("PLAIN.")
    bench.engine.cancel_order(CancelRequest(orderid, "AAPL", Exchange.SMART), "PLAIN")
    bench.wait_order(cancelled, Status.CANCELLED)
    assert len([e for e in bench.log.items if e.type == EVENT_TRADE]) == 1
    assert [c for c, _ in bench.gateway.calls if c in ("send_order", "cancel_order")] == [
        "send_order",
        "send_order",
        "cancel_order",
    ]


def test_an_order_that_nobody_answers_is_in_doubt(bench: Bench) -> None:
    """What the gateway tells nothing of may live: it is in doubt until the gateway tells."""
    bench.ready()
    bench.gateway.answers = False
    vt_orderid = bench.send()
    doubt = bench.wait(EVENT_ORDER, lambda o: o.vt_orderid == vt_orderid and bool(o.reason))
    assert doubt.status is Status.SUBMITTING
    assert doubt.reason == "the gateway told nothing of the order"
    bench.gateway.tell("1", constant.Status.NOTTRADED)
    bench.wait_order(vt_orderid, Status.NOTTRADED)


def test_a_rejection_of_the_gateway_is_one(bench: Bench) -> None:
    """What the gateway calls rejected is rejected."""
    bench.ready()
    bench.gateway.answers = False
    vt_orderid = bench.send()
    eventually(lambda: "1" in bench.gateway.orders, "the order is sent")
    bench.gateway.tell("1", constant.Status.REJECTED)
    assert "logging in" in bench.wait_order(vt_orderid, Status.REJECTED).reason


def test_the_guard_and_the_halt_hold(bench: Bench) -> None:
    """No order reaches the gateway around foxtrot's guard."""
    bench.ready()
    bench.engine.halt("enough")
    order = bench.wait_order(bench.send(), Status.REJECTED)
    assert "halted" in order.reason
    assert not bench.gateway.orders


def test_calls_come_one_after_the_other(bench: Bench) -> None:
    """A gateway that is not made for threads is called on one, the timer included."""
    bench.ready()
    for _ in range(5):
        bench.send()
    eventually(lambda: len(bench.gateway.orders) == 5 and bench.gateway.timers > 0, "all called")
    assert {thread for _, thread in bench.gateway.calls} == {"foxtrot-vnpy-PLAIN"}
    assert bench.gateway.overlaps == 0


def test_an_order_behind_a_call_that_blocks_is_not_sent(bench: Bench) -> None:
    """While the gateway is busy an order waits for its turn, and is refused when that is late."""
    bench.ready()
    bench.gateway.busy.clear()
    bench.gateway.go_on.clear()
    assert bench.gateway.busy.wait(5)
    order = bench.wait_order(bench.send(), Status.REJECTED)
    assert "busy with another call" in order.reason
    bench.gateway.go_on.set()


def test_a_replacement_that_never_left_is_not_in_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel that took most of the time leaves too little for the other order: it is refused."""

    def cancel(gateway: PlainGateway, req: Any) -> None:
        def told_late() -> None:
            gateway.go_on.clear()  # and its next call does not return
            gateway.tell(req.orderid, constant.Status.CANCELLED)

        timer = threading.Timer(0.8, told_late)
        timer.daemon = True
        timer.start()
        threading.Event().wait(0.4)  # of the second that an order has

    monkeypatch.setattr(bench.gateway_class, "cancel_order", cancel)
    bench.ready()
    first = bench.send()
    bench.wait_order(first, Status.NOTTRADED)
    orderid = first.removeprefix("PLAIN.")
    second = bench.engine.modify_order(orderid, "PLAIN", price=97.0)
    bench.wait_order(first, Status.CANCELLED)
    assert "not attempted" in bench.wait_order(second, Status.REJECTED).reason


def test_what_one_account_held_and_ordered_is_not_the_next_ones(bench: Bench) -> None:
    """It was told once more to whoever connected as another, as if that one held it."""
    bench.ready()
    smart, long = constant.Exchange.SMART, constant.Direction.LONG
    first = bench.send()
    bench.wait_order(first, Status.NOTTRADED)
    bench.gateway.on_position(object.PositionData("PLAIN", "AAPL", smart, long, volume=2.0))
    eventually(lambda: [each.volume for each in bench.engine.get_all_positions()] == [2.0], "held")
    since = len(bench.log)
    bench.engine.connect({"server": "TEST"}, "PLAIN")
    bench.wait_state("trading", S.READY, since)
    assert [each.volume for each in bench.engine.get_all_positions()] == [0.0]
    orderids = {order.orderid for order in bench.log.of(EVENT_ORDER)}  # type: ignore[attr-defined]
    assert orderids == {first.removeprefix("PLAIN.")}


def test_a_replacement_does_not_leave_after_a_halt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A halt that comes while the other order is cancelled blocks it, as it does any new one."""

    def cancel(gateway: PlainGateway, req: Any) -> None:
        bench.engine.halt("a drill")
        gateway.tell(req.orderid, constant.Status.CANCELLED)

    monkeypatch.setattr(bench.gateway_class, "cancel_order", cancel)
    bench.ready()
    first = bench.send()
    bench.wait_order(first, Status.NOTTRADED)
    orderid = first.removeprefix("PLAIN.")
    second = bench.engine.modify_order(orderid, "PLAIN", price=97.0)
    bench.wait_order(first, Status.CANCELLED)
    assert "halted: a drill" in bench.wait_order(second, Status.REJECTED).reason
    assert [call for call, _ in bench.gateway.calls].count("send_order") == 1


def test_an_order_behind_too_many_calls_is_not_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue that is full takes no more: the order is refused, and not left without an answer."""
    bench.ready()
    bench.gateway.busy.clear()
    bench.gateway.go_on.clear()
    assert bench.gateway.busy.wait(5)
    monkeypatch.setattr("foxtrot.desktop.line._WAITING", 0)
    order = bench.wait_order(bench.send(), Status.REJECTED)
    assert "busy with another call" in order.reason


def test_a_stream_behind_too_many_calls_is_asked_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody refused it: its session begins anew, and the stream is served then."""
    bench.ready()
    since = len(bench.log)
    monkeypatch.setattr("foxtrot.desktop.line._WAITING", 0)
    bench.engine.subscribe(SubscribeRequest("MSFT", Exchange.SMART), "PLAIN")
    bench.wait_state("websocket", S.RECONNECTING, since)
    monkeypatch.setattr("foxtrot.desktop.line._WAITING", 100)
    bench.wait_state("websocket", S.READY, since)
    assert "subscribe MSFT.SMART" in [call for call, _ in bench.gateway.calls]
    assert StreamState.FAILED not in [each.state for each in bench.log.of(EVENT_STREAM)]  # type: ignore[attr-defined]


def test_a_gateway_that_hangs_is_replaced(bench: Bench) -> None:
    """A gateway whose calls do not return is given up, and another one is made."""
    bench.ready()
    hung = bench.gateway
    since = len(bench.log)
    hung.busy.clear()
    hung.go_on.clear()
    bench.wait_state("websocket", S.RECONNECTING, since)
    eventually(lambda: bench.gateway is not hung, "another gateway")
    bench.wait_state("websocket", S.READY, since)
    hung.go_on.set()
    hung.tick(1.0, 2.0)
    bench.gateway.tick(97.0, 100.0)
    bench.wait(EVENT_TICK, lambda tick: tick.bid_price_1 == 97.0)
    assert 1.0 not in [tick.bid_price_1 for tick in bench.log.of(EVENT_TICK)]  # type: ignore[attr-defined]


def test_a_fill_in_numpys_numbers_is_told(bench: Bench) -> None:
    """Gateways that read tables tell such numbers, which are no decimals: the fill was lost."""
    numpy = pytest.importorskip("numpy")  # vnpy brings it
    bench.ready()
    bench.wait_order(bench.send(), Status.NOTTRADED)
    known = bench.gateway.orders["1"]
    known.price, known.volume = numpy.float64(98.5), numpy.int64(1)
    bench.gateway.fill("1")
    trade = bench.wait(EVENT_TRADE)
    assert (trade.price, trade.volume) == (98.5, 1.0)


def test_after_a_send_that_hangs_other_orders_are_still_told(bench: Bench) -> None:
    """What waits for the name of an order that is being sent does not wait for one that hangs."""
    adapter = bench.adapter
    adapter.configure({})
    told = {"symbol": "MSFT", "exchange": constant.Exchange.SMART, "orderid": "77"}

    async def scene() -> bool:
        line = await adapter.hold()
        adapter.book.sending("fx-1")  # which never returns, so that the gateway is given up
        await adapter.let_go(line)
        line = await adapter.hold()
        order = object.OrderData("PLAIN", status=constant.Status.NOTTRADED, **told)
        bench.gateway.on_order(order)
        await asyncio.sleep(0)
        await adapter.let_go(line)
        return adapter.book.order("77") is not None

    assert bench.engine.bridge.run(scene(), 10)


def test_a_gateway_that_tells_nothing_is_not_ready(bench: Bench) -> None:
    """Words alone are no connection: it is tried again, and its last words are shown."""
    bench.gateway_class.silent = True
    bench.engine.connect({}, "PLAIN")
    status = bench.wait_state("websocket", S.RECONNECTING)
    assert "its last words: logging in" in status.reason
    bench.gateway_class.silent = False
    bench.wait_state("websocket", S.READY)


def test_a_silent_gateway_is_not_kept_by_two_that_wait_in_turns(bench: Bench) -> None:
    """Prices and orders share it: who gives up is not handed the same one again by the other."""
    bench.gateway_class.silent = True
    adapter = bench.adapter
    adapter.configure({})

    async def in_turns() -> None:
        prices, orders = await adapter.hold(), await adapter.hold()
        assert prices is orders
        await adapter.let_go(prices)
        again = await adapter.hold()
        assert again is not orders
        await adapter.let_go(orders)
        await adapter.let_go(again)

    bench.engine.bridge.run(in_turns(), 10)
    assert [made.calls[-1][0] for made in bench.gateway_class.made] == ["close", "close"]


def test_a_stream_without_ticks_is_stale(bench: Bench) -> None:
    """Freshness is judged by data: no tick for a while is stale, the next one ends that."""
    bench.ready()
    stale = bench.wait(EVENT_STREAM, lambda s: s.state is StreamState.STALE)
    assert "cannot be asked why" in stale.reason
    since = len(bench.log)
    bench.gateway.tick(99.5, 100.0)
    bench.log.wait_type(EVENT_STREAM, since=since, where=lambda s: s.state is StreamState.ACTIVE)  # type: ignore[attr-defined]


def test_ticks_that_nobody_wants_are_ignored(bench: Bench) -> None:
    """vnpy has no unsubscribe: what still comes reaches nobody."""
    bench.ready()
    bench.engine.unsubscribe(AAPL, "PLAIN")
    counters = next(iter(bench.adapter.counters.values()))
    bench.gateway.tick(1.0, 2.0)
    eventually(lambda: counters.ignored == 1, "ignored")
    assert bench.engine.event_engine.drain()
    assert bench.engine.get_tick("AAPL.SMART").bid_price_1 == 99.0  # type: ignore[union-attr]


@pytest.mark.parametrize("none", [math.nan, math.inf, sys.float_info.max])
def test_numbers_that_cannot_be_reach_nobody(bench: Bench, none: float) -> None:
    """What a gateway means by no price is none: the tick is refused, and counted."""
    bench.ready()
    bench.gateway.tick(none, 100.0)
    bench.gateway.tick(98.0, 100.0)
    bench.wait(EVENT_TICK, lambda tick: tick.bid_price_1 == 98.0)
    assert [tick.bid_price_1 for tick in bench.log.of(EVENT_TICK)] == [99.0, 98.0]  # type: ignore[attr-defined]
    assert bench.adapter.health().rejected == 1


@pytest.mark.parametrize("none", [math.nan, math.inf])
def test_balances_and_positions_that_cannot_be_are_counted(bench: Bench, none: float) -> None:
    """What is held stays what was told last: a strategy would reckon with no number."""
    bench.ready()
    smart, long = constant.Exchange.SMART, constant.Direction.LONG
    bench.gateway.on_account(object.AccountData("PLAIN", "me", balance=none))
    bench.gateway.on_position(object.PositionData("PLAIN", "AAPL", smart, long, volume=none))
    eventually(lambda: bench.adapter.health().malformed == 2, "counted")
    bench.gateway.on_account(object.AccountData("PLAIN", "me", balance=8.0))
    bench.wait(EVENT_ACCOUNT, lambda account: account.balance == 8.0)
    assert {account.balance for account in bench.log.of(EVENT_ACCOUNT)} == {9.0, 8.0}  # type: ignore[attr-defined]
    assert bench.engine.get_all_positions() == []


def test_a_level_of_a_book_whose_numbers_cannot_be_is_not_shown(bench: Bench) -> None:
    """It is how a gateway says that there is none; the levels above it are the market's."""
    bench.ready()
    bench.gateway.on_tick(
        object.TickData(
            "PLAIN",
            "AAPL",
            constant.Exchange.SMART,
            dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
            bid_price_1=98.0,
            bid_price_2=97.0,
            bid_price_3=math.nan,
        )
    )
    tick = bench.wait(EVENT_TICK, lambda tick: tick.bid_price_1 == 98.0)
    assert [price for price, _ in tick.bids] == [98.0, 97.0]


def test_history_is_the_gateways(bench: Bench) -> None:
    """Bars come as foxtrot's."""
    bench.ready()
    start = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    asked = HistoryRequest("AAPL", Exchange.SMART, start, None, Interval.HOUR)
    (bar,) = bench.engine.query_history(asked, "PLAIN")
    assert (bar.vt_symbol, bar.datetime, bar.interval) == ("AAPL.SMART", start, Interval.HOUR)


@pytest.mark.parametrize("failure", [KeyError("AAPL"), None], ids=["raises", "returns None"])
def test_a_history_that_the_gateway_fails_at_is_an_error_of_foxtrot(
    bench: Bench, failure: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked catches one kind of error, whatever a gateway raises."""

    def fails(gateway: PlainGateway, req: Any) -> None:
        if failure is not None:
            raise failure

    monkeypatch.setattr(bench.gateway_class, "query_history", fails)
    bench.ready()
    start = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    asked = HistoryRequest("AAPL", Exchange.SMART, start, None, Interval.HOUR)
    with pytest.raises(UnexpectedError, match="in query_history of Gateway"):
        bench.engine.query_history(asked, "PLAIN")


def test_settings_reach_the_gateway_in_its_types(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """References are fetched, texts of a form become numbers and flags, a list is its choice."""
    monkeypatch.setenv("DESK_PASSWORD", "open sesame")
    given = {"password": "env:DESK_PASSWORD", "port": "7", "server": "TEST", "fast": "false"}
    bench.engine.connect(given, "PLAIN")
    bench.wait_state("websocket", S.READY)
    expected = {"user": "me", "password": "open sesame", "port": 7, "server": "TEST", "fast": False}
    assert bench.gateway.setting == expected
    with pytest.raises(ConfigurationError, match="colour: is not known"):
        bench.engine.connect({"colour": "blue"}, "PLAIN")
    with pytest.raises(ConfigurationError, match="port: must be a number"):
        bench.engine.connect({"port": "seven"}, "PLAIN")


def test_what_cannot_be_read_is_counted(bench: Bench) -> None:
    """A thing that is no tick, or of the year 0, costs neither the gateway nor the others."""
    bench.ready()
    bench.gateway.on_event("eTick.", None)
    begin = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    bench.gateway.on_tick(object.TickData("PLAIN", "AAPL", constant.Exchange.SMART, begin))
    eventually(lambda: bench.adapter.health().malformed == 2, "counted")
    bench.gateway.tick(97.0, 100.0)
    bench.wait(EVENT_TICK, lambda tick: tick.bid_price_1 == 97.0)
