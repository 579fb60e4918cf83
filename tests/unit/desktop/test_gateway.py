"""A venue of foxtrot in vnpy's own engines, against each simulated venue."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop import Desk, open_desk, require

require("vnpy", "talib", "loguru")

from vnpy.trader import constant, object  # noqa: E402

from foxtrot.desktop.gateway import Fills, as_vnpy_gateway  # noqa: E402
from foxtrot.desktop.host import host_of  # noqa: E402
from foxtrot.desktop.names import vnpy_symbol  # noqa: E402
from foxtrot.execution import reconciler  # noqa: E402
from foxtrot.model.constants import Exchange  # noqa: E402
from foxtrot.model.events import EVENT_TRADE, Event  # noqa: E402
from foxtrot.model.objects import TradeData  # noqa: E402
from tests.support.binance_venue import BinanceUnderTest  # noqa: E402
from tests.support.fake_adapter import FakeAdapter  # noqa: E402
from tests.support.futu_venue import FutuUnderTest  # noqa: E402
from tests.support.ib_venue import IbUnderTest  # noqa: E402
from tests.support.rig import QUICK, eventually, nothing_left  # noqa: E402
from tests.support.venues import VenueUnderTest  # noqa: E402

VENUES = (BinanceUnderTest, IbUnderTest, FutuUnderTest)
LIMIT, LONG = constant.OrderType.LIMIT, constant.Direction.LONG
Status = constant.Status


class Trader:
    """One venue's gateway in a desk, as a user of the desktop sees it."""

    def __init__(self, desk: Desk, venue: VenueUnderTest) -> None:
        self.desk, self.venue = desk, venue
        settings = {**QUICK, "orders.timeout_s": 1.0}
        gateway_class = as_vnpy_gateway(venue.adapter_class, settings)
        self.name = gateway_class.default_name
        self.gateway = desk.engine.add_gateway(gateway_class)
        self.symbol, self.exchange = vnpy_symbol(venue.symbols[0], venue.exchange)
        self.vt_symbol = f"{self.symbol}.{self.exchange.value}"

    def setting(self) -> dict[str, Any]:
        """What the connect dialog hands over: secrets by reference."""
        asked = {**self.venue.setting(), **self.venue.keys()}
        named = {each: f"env:DESK_{each.upper()}" for each in ("api_key", "secret", "password")}
        return {k: named.get(k, v) for k, v in asked.items()}

    def connect(self) -> None:
        """By vnpy's main engine."""
        self.desk.engine.connect(self.setting(), self.name)

    def subscribe(self) -> None:
        """To the first symbol."""
        request = object.SubscribeRequest(self.symbol, self.exchange)
        self.desk.engine.subscribe(request, self.name)

    def trade(self) -> None:
        """Subscribe, connect, and wait until orders are taken."""
        self.subscribe()
        self.connect()
        self.desk.wait_said("trading: ready")
        self.tick()

    def tick(self) -> Any:
        """Let the market move until a tick is told."""
        since = len(self.desk.log)
        eventually(self._flows, "a tick")
        return self.desk.wait("eTick.", lambda t: t.gateway_name == self.name, since=since)

    def _flows(self) -> bool:
        before = len(self.desk.log.of("eTick."))
        self.venue.move(self.venue.symbols[0])
        threading.Event().wait(0.05)
        return len(self.desk.log.of("eTick.")) > before

    def send(self, price: float) -> str:
        """A limit order to buy; its vt_orderid."""
        request = object.OrderRequest(
            self.symbol, self.exchange, LONG, LIMIT, 0.5 * self.venue.unit, price, reference="desk"
        )
        return str(self.desk.engine.send_order(request, self.name))

    def rest(self) -> str:
        """An order that rests."""
        return self.send(self.venue.resting_price(self.venue.symbols[0]))

    def wait(self, vt_orderid: str, status: Status) -> Any:
        """Wait for a status of an order, by the event of that order alone."""
        return self.desk.wait(f"eOrder.{vt_orderid}", lambda order: order.status is status)


@pytest.fixture(autouse=True)
def left(desk_imports: None) -> Iterator[None]:
    """No test leaves a thread or a descriptor behind."""
    with nothing_left():
        yield


@pytest.fixture(scope="module")
def desk_imports() -> None:
    """What lives as long as the process is made before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401
    from foxtrot.adapter.futu.sdk import sdk

    sdk()
    with open_desk():
        pass


@pytest.fixture
def desk(left: None) -> Iterator[Desk]:
    """vnpy's engines."""
    with open_desk() as desk:
        yield desk


@pytest.fixture(params=VENUES, ids=lambda each: each.__name__.removesuffix("UnderTest"))
def venue(
    request: pytest.FixtureRequest, left: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VenueUnderTest]:
    """Each venue, running."""
    venue: VenueUnderTest = request.param()
    for name, value in venue.waits.items():
        monkeypatch.setattr(name, value)
    for name, value in venue.keys().items():
        monkeypatch.setenv(f"DESK_{name.upper()}", value)
    venue.start()
    yield venue
    venue.stop()


@pytest.fixture
def trader(venue: VenueUnderTest, desk: Desk) -> Trader:
    """A gateway that is not connected."""
    return Trader(desk, venue)


def test_a_market_is_shown(trader: Trader) -> None:
    """A subscribed contract, its ticks and its levels reach vnpy under both kinds of event."""
    desk = trader.desk
    desk.engine.connect({**trader.setting(), "five_levels": "true"}, trader.name)
    trader.subscribe()
    trader.subscribe()
    desk.wait_said("websocket: ready")
    tick = trader.tick()
    assert tick.vt_symbol == trader.vt_symbol
    assert 0 < tick.bid_price_1 <= tick.ask_price_1
    assert desk.wait(f"eTick.{trader.vt_symbol}").exchange in trader.gateway.exchanges
    contract = desk.wait("eContract.", lambda c: c.vt_symbol == trader.vt_symbol)
    assert desk.engine.get_contract(trader.vt_symbol) == contract
    eventually(lambda: trader.tick().bid_price_5 > 0, "five levels")
    assert len({key for key in trader.venue.asked() if key.symbol == trader.venue.symbols[0]}) == 2


def test_an_order_lives_and_dies(trader: Trader) -> None:
    """An order rests and is cancelled; another one is filled, and its fill is one row."""
    trader.trade()
    resting = trader.rest()
    order = trader.wait(resting, Status.NOTTRADED)
    assert (order.gateway_name, order.vt_symbol) == (trader.name, trader.vt_symbol)
    assert order.reference == "desk"
    trader.desk.engine.cancel_order(order.create_cancel_request(), trader.name)
    trader.wait(resting, Status.CANCELLED)
    best = trader.venue.crossing_price(trader.venue.symbols[0])
    crossing = trader.send(trader.venue.on_grid(best * 1.01))
    trader.wait(crossing, Status.ALLTRADED)
    fill = trader.desk.wait("eTrade.", lambda t: t.vt_orderid == crossing)
    assert fill.vt_symbol == trader.vt_symbol
    assert trader.desk.wait(f"eTrade.{trader.vt_symbol}").vt_tradeid == fill.vt_tradeid
    account = trader.desk.wait("eAccount.")
    assert trader.desk.wait(f"eAccount.{account.vt_accountid}")
    assert trader.desk.engine.get_order(crossing).status is Status.ALLTRADED


def test_bars_come_through_the_gateway(trader: Trader) -> None:
    """History is vnpy's bars, oldest first, of the contract as vnpy spells it."""
    trader.connect()
    trader.desk.wait_said("websocket: ready")
    end = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    request = object.HistoryRequest(
        trader.symbol,
        trader.exchange,
        end - dt.timedelta(days=5),
        end,
        constant.Interval.HOUR,
    )
    bars = trader.desk.engine.query_history(request, trader.name)
    assert bars
    assert {bar.vt_symbol for bar in bars} == {trader.vt_symbol}
    assert [bar.datetime for bar in bars] == sorted(bar.datetime for bar in bars)


def test_a_doubt_is_shown_as_submitting(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order without an answer is Submitting, and the log says why and what not to do."""
    monkeypatch.setattr(reconciler, "GRACE_NS", 10**9)
    trader.trade()
    lost = next(f for f in ("request_reset", "request_swallowed") if f not in trader.venue.lacks)
    for request in trader.venue.requests_of("place"):
        trader.venue.faults.inject(lost, request=request)
    vt_orderid = trader.rest()
    said = trader.desk.wait_said(f"{vt_orderid} of {trader.vt_symbol} is in doubt")
    assert "do not send it again" in said
    doubted = trader.desk.wait(f"eOrder.{vt_orderid}", lambda order: order.extra is not None)
    assert (doubted.status, doubted.extra["outcome"]) == (Status.SUBMITTING, "unknown")


BINANCE = pytest.mark.parametrize("venue", [BinanceUnderTest], indirect=True, ids=["Binance"])


@BINANCE
def test_a_refusal_says_why(trader: Trader) -> None:
    """The reason of a rejection, for which vnpy has no place, is a line of the log."""
    trader.subscribe()
    vt_orderid = trader.rest()
    order = trader.wait(vt_orderid, Status.REJECTED)
    assert "never connected" in order.extra["reason"]
    assert trader.desk.wait_said("rejected: local:not_ready")


@BINANCE
def test_nothing_waits_for_the_network(trader: Trader) -> None:
    """While the network thread stands still, connecting, subscribing and sending return."""
    trader.trade()
    stuck, go_on = threading.Event(), threading.Event()
    trader.gateway.host.engine.bridge.call_soon(lambda: (stuck.set(), go_on.wait(20)))
    assert stuck.wait(10)
    try:
        trader.subscribe()
        vt_orderid = trader.rest()
        trader.connect()
        trader.gateway.query_account()
        assert not go_on.is_set()
    finally:
        go_on.set()
    assert vt_orderid.startswith(f"{trader.name}.")


@BINANCE
def test_a_secret_that_is_slow_to_come_keeps_nobody(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyring that asks for its password does not stop the window meanwhile."""
    configure, threads = trader.gateway.adapter.configure, [threading.current_thread()]

    def slow(setting: Any) -> None:
        threads.append(threading.current_thread())
        configure(setting)

    monkeypatch.setattr(trader.gateway.adapter, "configure", slow)
    trader.connect()
    trader.desk.wait_said("websocket: ready")
    assert threads[1] is not threads[0]
    assert "connect" in threads[1].name


@BINANCE
def test_a_wrong_setting_is_told(trader: Trader) -> None:
    """What is wrong with a setting is a line of the log, and the desktop goes on."""
    trader.desk.engine.connect({"environment": "moon"}, trader.name)
    assert "environment" in trader.desk.wait_said("not connected")
    trader.connect()
    trader.desk.wait_said("websocket: ready")


@BINANCE
def test_a_secret_in_clear_is_refused(trader: Trader) -> None:
    """A secret that was typed into the form is not used, as vnpy has written it to a file."""
    setting = {**trader.setting(), "secret": "in-clear"}
    trader.desk.engine.connect(setting, trader.name)
    said = trader.desk.wait_said("not connected: secret must be a reference")
    assert "in-clear" not in said
    assert "connect_binance.json" in said


def test_a_secret_in_clear_is_refused_whatever_a_venue_calls_it(desk: Desk) -> None:
    """A venue of somebody else's may have a passphrase."""
    gateway = desk.engine.add_gateway(as_vnpy_gateway(FakeAdapter))
    gateway.connect({"passphrase": "in-clear", "url": "in-clear-too"})
    assert "in-clear" not in desk.wait_said("not connected: passphrase must be a reference")
    assert gateway.adapter.unconnected()


@BINANCE
def test_a_symbol_that_is_none_is_told(trader: Trader) -> None:
    """What cannot be subscribed, sent, cancelled or asked for is a line, not an exception."""
    engine, moment = trader.desk.engine, dt.datetime.now(dt.UTC)
    nyse = constant.Exchange.NYSE
    engine.subscribe(object.SubscribeRequest("X", nyse), trader.name)
    trader.desk.wait_said("not subscribed to X.NYSE")
    assert engine.query_history(object.HistoryRequest("X", nyse, moment), trader.name) == []
    trader.desk.wait_said("no history of X.NYSE")
    engine.subscribe(object.SubscribeRequest("X", constant.Exchange.GLOBAL), trader.name)
    trader.desk.wait_said("it is spelled X_SPOT_BINANCE here")


@BINANCE
def test_a_fill_that_is_told_again_is_one_row(trader: Trader) -> None:
    """vnpy's list of trades has no key: the second time is kept from it."""
    inner = trader.gateway.host.engine.event_engine
    for tradeid, symbol in (("1", "BTCUSDT"), ("1", "BTCUSDT"), ("1", "ETHUSDT"), ("2", "X")):
        trade = TradeData(trader.name, symbol, Exchange.BINANCE, "o", tradeid)
        inner.put(Event(EVENT_TRADE, trade, trade.vt_symbol))
    trader.desk.wait("eTrade.", lambda trade: trade.tradeid == "2")
    ids = [trade.vt_tradeid for trade in trader.desk.log.of("eTrade.")]
    assert ids == ["BINANCE.1", "BINANCE.1.ETHUSDT", "BINANCE.2"]


def test_fills_are_not_remembered_without_end() -> None:
    """A desktop that is never closed keeps the newest fills in mind, and no more."""
    fills = Fills(kept=2)
    told = [
        fills.admit(TradeData("B", "X", Exchange.BINANCE, "o", tradeid))
        for tradeid in ("1", "2", "3", "2", "1")
    ]
    assert [each is not None for each in told] == [True, True, True, False, True]
    assert len(fills._told) == len(fills._owners) == 2


@BINANCE
def test_gateways_share_one_engine(venue: VenueUnderTest, desk: Desk) -> None:
    """A halt reaches every gateway of the desktop; another desktop is another engine."""
    other = IbUnderTest()
    first, second = Trader(desk, venue), Trader(desk, other)
    engine = host_of(desk.engine.event_engine).engine
    assert first.gateway.host is second.gateway.host
    assert engine.get_all_adapter_names() == ["BINANCE", "IB"]
    engine.halt("enough")
    assert {a.halted for a in (first.gateway.adapter, second.gateway.adapter)} == {"enough"}
    desk.wait_said("trading is halted: enough")
    first.gateway.close()
    assert engine.bridge.health().running
    second.gateway.close()
    assert not engine.bridge.health().running


@BINANCE
def test_flags_are_lists(trader: Trader) -> None:
    """vnpy's dialog makes every flag True, so that none is shown as one."""
    for each in VENUES:
        shown = as_vnpy_gateway(each.adapter_class).default_setting
        assert not [field for field, value in shown.items() if isinstance(value, bool)]
        assert sorted(shown["five_levels"]) == ["false", "true"]


def test_the_form_proposes_what_is_in_force() -> None:
    """Who connects again by the dialog finds what the settings say, the lists included."""
    known = BinanceUnderTest.adapter_class.default_setting
    asked = {"environment": "live", "api_key": "env:MINE"}
    shown = as_vnpy_gateway(BinanceUnderTest.adapter_class, None, asked).default_setting
    assert shown["environment"] == ["live", "testnet", "simulated"]
    assert (shown["api_key"], shown["secret"]) == ("env:MINE", known["secret"])
    assert known["environment"][0] == "testnet"
    shown = as_vnpy_gateway(IbUnderTest.adapter_class, None, {"read_only": True}).default_setting
    assert shown["read_only"] == ["true", "false"]


def test_levels_are_asked_for_as_the_form_says(trader: Trader) -> None:
    """Five levels cost a stream more: who says no has the best alone, who says yes has both."""
    trader.desk.engine.connect({**trader.setting(), "five_levels": "false"}, trader.name)
    trader.subscribe()
    assert len(trader.gateway.adapter.subscriptions()) == 1
    trader.desk.engine.connect({**trader.setting(), "five_levels": "true"}, trader.name)
    trader.subscribe()
    assert len(trader.gateway.adapter.subscriptions()) == 2
    trader.desk.wait_said("websocket: ready")
