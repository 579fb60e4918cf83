"""A program that trades until it is killed at a chosen place; started by `kill_play`.

It takes its `Errand` as JSON in its only argument and prints what it is told as JSON lines. A line
`look` on its input has it ask the venue for everything; SIGTERM ends it in good order.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import os
import random
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping

import msgspec

from foxtrot import MainEngine
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.adapter.binance.client import BinanceClient
from foxtrot.adapter.binance.orders import OrderSession
from foxtrot.adapter.futu import FutuAdapter, limits
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.schema import Proto
from foxtrot.adapter.ib import IbAdapter
from foxtrot.adapter.ib.client import IbClient
from foxtrot.app.stop import Stop
from foxtrot.execution import reconciler
from foxtrot.execution.journal import Journal
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.lookout import Lookout
from foxtrot.gateway.order_flow import OrderFlow
from foxtrot.model.constants import ConnectionState, Direction, Exchange, OrderType
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_CONNECTION,
    EVENT_LOG,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_TRADE,
    Event,
)
from foxtrot.model.health import ConnectionStatus
from foxtrot.model.objects import NS_PER_S
from foxtrot.model.requests import OrderRequest
from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET
from tests.support.rig import QUICK, SHORT

TOLD = (EVENT_ORDER, EVENT_TRADE, EVENT_ACCOUNT, EVENT_POSITION, EVENT_LOG)
STATE, TRADED, LOOKED = "state", "traded", "looked"
_LOTS = {
    "BTCUSDT": 0.002, "ETHUSDT": 0.02, "ETHBTC": 0.02,
    "00700": 100.0, "09988": 100.0, "00005": 400.0,
}  # fmt: skip
_DIGITS = {"BTCUSDT": 2, "ETHUSDT": 2, "ETHBTC": 5, "00700": 0, "09988": 1, "00005": 1}
_STOCK_LOT, _STOCK_DIGITS = 1.0, 2
_ADAPTERS: Mapping[str, type[BaseAdapter]] = {
    "BINANCE": BinanceAdapter, "IB": IbAdapter, "FUTU": FutuAdapter
}  # fmt: skip
_EXCHANGES = {"BINANCE": Exchange.BINANCE, "IB": Exchange.SMART, "FUTU": Exchange.SEHK}
_TURN_S = 0.02
_UNDER_WAY_S = 0.003


class Errand(msgspec.Struct, frozen=True):
    """What the program is to do: so many acts, and to die at the `passes`-th pass of a point.

    `prices` are those of the market that stands still, by symbol. IB and Futu have a port and no
    URLs. After `grace_s` an order that nobody lists has never arrived.
    """

    rest_url: str
    websocket_url: str
    directory: str
    seed: int
    prices: dict[str, float]
    acts: int = 30
    point: str = ""
    passes: int = 1
    venue: str = "BINANCE"
    port: int = 0
    grace_s: float = reconciler.GRACE_NS / NS_PER_S

    @property
    def exchange(self) -> Exchange:
        """Where everything is traded."""
        return _EXCHANGES[self.venue]

    @property
    def setting(self) -> dict[str, str | int]:
        """What `connect` is given."""
        if self.venue == "IB":
            return {"environment": "simulated", "port": self.port, "account": "DU1234567"}
        if self.venue == "FUTU":
            return {"environment": "simulated", "port": self.port, "password": "123456"}
        return {
            "environment": "simulated",
            "rest_url": self.rest_url,
            "websocket_url": self.websocket_url,
            "api_key": SIMULATED_KEY,
            "secret": SIMULATED_SECRET,
        }


class Line(msgspec.Struct, frozen=True):
    """One line that the program prints."""

    kind: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class When:
    """At which moment of a call the program dies."""

    BEFORE, DURING, AFTER = "before", "during", "after"


def _changes_something(client: object, method: str, *rest: object, **options: object) -> bool:
    return method != "get"


def _is_of_an_order(*arguments: object, order: bool = False) -> bool:
    return order


def _is_an_order(client: object, proto: Proto, *rest: object, **options: object) -> bool:
    return proto in (Proto.Trd_PlaceOrder, Proto.Trd_ModifyOrder)


Place = tuple[type, str, Callable[..., bool]]
_ANY: Callable[..., bool] = lambda *arguments, **options: True  # noqa: E731 - every call counts
_PLACES: dict[str, Place] = {
    "intent": (Journal, "intend", _ANY),
    "record": (Journal, "record", _ANY),
    "seen": (Journal, "seen", _ANY),
    "request": (BinanceClient, "command", _changes_something),
    "fill": (OrderFlow, "on_fill", _ANY),
    "report": (OrderFlow, "on_report", _ANY),
    "telling": (OrderFlow, "apply", _ANY),
    "cancel": (OrderSession, "cancel", _ANY),
    "replace": (OrderSession, "replace", _ANY),
    "restore": (OrderFlow, "restore", _ANY),
    "reconcile": (Lookout, "reconcile", _ANY),
    "open orders": (OrderSession, "open_orders", _ANY),
    "fills": (OrderSession, "fills", _ANY),
    "balances": (OrderSession, "balances", _ANY),
}
_OFTEN = 12
_SELDOM = dict.fromkeys(("restore", "reconcile", "open orders", "fills", "balances", "seen"), 3)
_SELDOM |= {"cancel": 4, "replace": 2}
_COMMIT = "commit, before"

POINTS: Mapping[str, int] = {
    **{
        f"{place}, {when}": _SELDOM.get(place, _OFTEN)
        for place in _PLACES
        for when in (When.BEFORE, When.AFTER)
    },
    "request, during": _OFTEN,
    _COMMIT: 30,
}
"""Where the program may be killed, and how many passes to choose from there are, about."""

_REQUESTS: Mapping[str, Place] = {
    "BINANCE": _PLACES["request"],
    "IB": (IbClient, "tell", _is_of_an_order),
    "FUTU": (FutuClient, "ask", _is_an_order),
}
LINE_POINTS = (
    "request, during",
    _COMMIT,
    "telling, before",
    "intent, after",
    "request, before",
    "request, after",
    "fill, before",
    "report, after",
)
"""Where a program that trades over a line of its own is killed."""


def install(point: str, passes: int, places: Mapping[str, Place]) -> None:
    """Have this process kill itself at a point of the product."""
    count = itertools.count(1)

    def pass_by() -> None:
        if next(count) == passes:
            os.kill(os.getpid(), signal.SIGKILL)

    if point == _COMMIT:
        _before_commits(pass_by)
        return
    place, _, when = point.partition(", ")
    owner, name, counts = places[place]
    original = getattr(owner, name)

    async def awaited(*arguments: object, **options: object) -> object:
        hit = counts(*arguments, **options)
        if hit and when == When.BEFORE:
            pass_by()
        if hit and when == When.DURING:
            asyncio.get_running_loop().call_later(_UNDER_WAY_S, pass_by)
        result = await original(*arguments, **options)
        if hit and when == When.AFTER:
            pass_by()
        return result

    def called(*arguments: object, **options: object) -> object:
        if when == When.BEFORE:
            pass_by()
        result = original(*arguments, **options)
        if when == When.AFTER:
            pass_by()
        return result

    setattr(owner, name, awaited if inspect.iscoroutinefunction(original) else called)


def _before_commits(pass_by: Callable[[], None]) -> None:
    """Die with everything executed and nothing committed."""
    original = Journal._transaction

    @contextlib.contextmanager
    def transaction(self: Journal) -> Iterator[object]:
        with original(self) as connection:
            yield connection
            pass_by()

    Journal._transaction = transaction  # type: ignore[assignment]


class Trader:
    """Does seeded things with orders."""

    def __init__(self, errand: Errand, engine: MainEngine) -> None:
        self._engine, self._adapter = engine, engine.adapter(errand.venue)
        self._errand, self._dice = errand, random.Random(errand.seed)

    def act(self) -> None:
        """Do something: mostly, send an order."""
        toss, active = self._dice.random(), self._engine.get_all_active_orders()
        ours = [order for order in active if not order.orderid.startswith("ext-")]
        if toss < 0.55 or not ours:
            self._engine.send_order(self._request(), self._errand.venue)
        elif toss < 0.75:
            request = self._dice.choice(ours).create_cancel_request()
            self._engine.cancel_order(request, self._errand.venue)
        elif toss < 0.88:
            order = self._dice.choice(ours)
            away = self._away(order.symbol, order.direction is Direction.LONG)
            self._adapter.modify_order(order.orderid, price=away)
        else:
            self._adapter.query_account()

    def _request(self) -> OrderRequest:
        symbols = list(self._errand.prices)
        symbol, buys = self._dice.choice(symbols), self._dice.random() < 0.6
        volume = round(_LOTS.get(symbol, _STOCK_LOT) * self._dice.randint(1, 5), 5)
        if self._dice.random() < 0.3:
            type_, price = OrderType.MARKET, 0.0
        else:
            type_, price = OrderType.LIMIT, self._away(symbol, buys)
        direction = Direction.LONG if buys else Direction.SHORT
        return OrderRequest(symbol, self._errand.exchange, direction, type_, volume, price)

    def _away(self, symbol: str, buys: bool) -> float:
        share = self._dice.uniform(0.005, 0.05)
        price = self._errand.prices[symbol] * (1.0 - share if buys else 1.0 + share)
        return round(price, _DIGITS.get(symbol, _STOCK_DIGITS))


def say(kind: str, data: object = None) -> None:
    """Print a line, at once."""
    sys.stdout.buffer.write(msgspec.json.encode({"kind": kind, "data": data}) + b"\n")
    sys.stdout.buffer.flush()


def _tell(event: Event) -> None:
    if not isinstance(event.data, ConnectionStatus):
        say(event.type, event.data)
    elif event.data.session == "trading":
        say(STATE, {"state": event.data.state.value, "reason": event.data.reason})


def _is_ready(adapter: BaseAdapter) -> bool:
    trading = adapter.health().trading
    return trading is not None and trading.state is ConnectionState.READY


def _look(engine: MainEngine, adapter: BaseAdapter, stop: Stop) -> None:
    """Ask for everything, and say so when all was answered."""
    before = adapter.health().trading
    adapter.query_account()
    while not stop.wait(_TURN_S):
        now = adapter.health().trading
        if before is not None and now is not None and now.reconciled_ns > before.reconciled_ns:
            engine.event_engine.drain(5.0)
            say(LOOKED, now)
            return


def main() -> None:
    """Trade, then do as is asked until the end."""
    errand = msgspec.json.decode(sys.argv[1], type=Errand)
    if errand.point:
        places = _PLACES | {"request": _REQUESTS[errand.venue]}
        install(errand.point, errand.passes, places)
    reconciler.GRACE_NS, reconciler.UNBOUNDED = round(errand.grace_s * NS_PER_S), 1
    reconciler.APART_NS = min(reconciler.APART_NS, reconciler.GRACE_NS)
    limits.PER_WINDOW = dict.fromkeys(limits.PER_WINDOW, 1_000)  # what is killed has no time
    limits.APART_S = {}
    flags = {**QUICK, "journal.directory": errand.directory, "orders.max_per_second": 1000}
    with Stop() as stop, MainEngine(settings=flags) as engine:
        adapter = engine.add_adapter(_ADAPTERS[errand.venue], config=SHORT)
        for type_ in (*TOLD, EVENT_CONNECTION):
            engine.register(type_, _tell)
        engine.connect(errand.setting, errand.venue)
        while not _is_ready(adapter) and not stop.wait(_TURN_S):
            pass
        trader = Trader(errand, engine)
        for _ in range(errand.acts):
            if stop.wait(_TURN_S):
                break
            trader.act()
        say(TRADED)
        while not stop.requested:
            if select.select([sys.stdin], [], [], _TURN_S)[0] and sys.stdin.readline():
                _look(engine, adapter, stop)


if __name__ == "__main__":
    main()
