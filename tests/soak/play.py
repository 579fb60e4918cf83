"""Plays a soak: pushes and orders without end, a fault at each venue every few seconds."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from foxtrot import MainEngine, SubscribeRequest
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Channel, ConnectionState, Direction, OrderType, StreamState
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK, Event
from foxtrot.model.objects import TickData
from foxtrot.model.requests import OrderRequest
from tests.soak.gauges import Gauges
from tests.soak.places import Fault, Simulated

HEAL_S = 75.0
"""Longest until all is well again, before the soak is given up: a list may wait for its turn."""

_SHARE = 0.3
"""Of the time between two faults: how long one stands."""
_LOOK_S = 0.02
_TOLD = 10
"""How often it is told how it goes."""
_SAMPLE_S = 1.0
_BELOW = 0.9
"""Of the last price: an order that rests."""
_FED = (EVENT_TICK, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_BAR)
_SERVED = frozenset({StreamState.ACTIVE, StreamState.QUIET})


class NotHealed(Exception):
    """A venue was not well again in time; the text says what was wrong."""


@dataclass
class Result:
    """What one venue went through."""

    faults: Counter[str] = field(default_factory=Counter)
    recoveries_s: list[float] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    orders: int = 0


class Table:
    """One venue with its adapter: what it is asked, and whether it is well.

    Args:
        engine: Holds the adapter.
        venue: Listens.
        dice: Chooses faults; each comes before any comes again.
    """

    def __init__(
        self, engine: MainEngine, adapter: BaseAdapter, venue: Simulated, dice: random.Random
    ) -> None:
        self.venue, self.result = venue, Result()
        self._engine, self._adapter, self._dice = engine, adapter, dice
        self._bag: list[Fault] = []
        self._ticked: dict[str, float] = {}
        self._orders: list[str] = []

    @property
    def name(self) -> str:
        """Of the adapter."""
        return self.venue.place.name

    def start(self) -> None:
        """Subscribe and connect."""
        place, setting = self.venue.place, self.venue.opened()
        for type_ in _FED:
            self._engine.register(type_, self._count)
        for channel, symbols in place.watched.items():
            for symbol in symbols:
                request = SubscribeRequest(symbol, place.exchange, channel)
                self._engine.subscribe(request, self.name)
        self._engine.connect(setting, self.name)

    def strike(self) -> Fault:
        """Inject the next fault."""
        if not self._bag:
            self._bag = list(self.venue.place.faults)
            self._dice.shuffle(self._bag)
        fault = self._bag.pop()
        self.result.faults[fault.name] += 1
        self.venue.inject(fault)
        return fault

    def trade(self) -> None:
        """Cancel what rests and send another order; both may come to nothing now."""
        for each in self._engine.get_all_active_orders():
            if each.adapter_name == self.name and not each.orderid.startswith("ext-"):
                self._engine.cancel_order(each.create_cancel_request(), self.name)
        symbol = next(iter(self.venue.place.watched[Channel.TICK]))
        vt_symbol = f"{symbol}.{self.venue.place.exchange.value}"
        tick, contract = self._engine.get_tick(vt_symbol), self._engine.get_contract(vt_symbol)
        if tick is None or contract is None:
            return
        step = contract.pricetick
        price = round(math.floor(tick.last_price * _BELOW / step) * step, 8)
        request = OrderRequest(
            symbol,
            self.venue.place.exchange,
            Direction.LONG,
            OrderType.LIMIT,
            self.venue.place.volume,
            price,
        )
        self._engine.send_order(request, self.name)
        self.result.orders += 1

    def unwell(self, since: float) -> str:
        """What is wrong; empty if every session is ready, every stream live, and ticks come."""
        health = self._adapter.health()
        sessions = {s.name: s.state.value for s in health.sessions}
        broken = {n: s for n, s in sessions.items() if s != ConnectionState.READY.value}
        if broken:
            return f"sessions {broken}"
        streams = [
            f"{s.symbol} {s.channel.value}" for s in health.streams if s.state not in _SERVED
        ]
        if streams:
            return f"streams {streams}"
        stale = [s for s in self._wanted() if self._ticked.get(s, 0.0) <= since]
        return f"no tick of {stale}" if stale else ""

    @property
    def in_doubt(self) -> int:
        """Orders of which nobody knows what became."""
        trading = self._adapter.health().trading
        return len(trading.in_doubt) if trading is not None else 0

    def reconnects(self) -> int:
        """Of all sessions."""
        return sum(each.reconnects for each in self._adapter.health().sessions)

    def _wanted(self) -> Sequence[str]:
        return self.venue.place.watched[Channel.TICK]

    def _count(self, event: Event) -> None:
        data = event.data
        if getattr(data, "adapter_name", "") != self.name:
            return
        self.result.events[event.type] += 1
        if isinstance(data, TickData):
            self._ticked[data.symbol] = time.monotonic()


class Soak:
    """Faults at all tables at once, every `every_s` seconds, until time is up.

    Args:
        tables: The venues.
        gauges: Take samples.
        say: Told how it goes, now and then.
    """

    def __init__(self, tables: Sequence[Table], gauges: Gauges, say: Callable[[str], None]) -> None:
        self._tables, self._gauges, self._say = tables, gauges, say
        self._pause, self._sampled = threading.Event(), 0.0

    def run(self, minutes: float, every_s: float) -> None:
        """Play it.

        Raises:
            NotHealed: A venue was not well again in time.
        """
        began = time.monotonic()
        self._heal(dict.fromkeys(self._tables, began), note=False)
        end, told = time.monotonic() + minutes * 60.0, 0.0
        while (now := time.monotonic()) < end:
            self._round(every_s)
            self._gauges.take(quiet=True)
            self._wait(max(now + every_s - time.monotonic(), 0.0))
            if now - told >= minutes * 60.0 / _TOLD:
                told = now
                self._say(str(self._gauges.samples[-1]))
        deadline = time.monotonic() + HEAL_S
        while any(table.in_doubt for table in self._tables) and time.monotonic() < deadline:
            self._wait(_LOOK_S)

    def _round(self, every_s: float) -> None:
        faults = {table: table.strike() for table in self._tables}
        for table in self._tables:
            table.trade()
        self._wait(every_s * _SHARE)
        healed = {}
        for table, fault in faults.items():
            table.venue.heal(fault)
            healed[table] = time.monotonic()
        self._heal(healed)

    def _heal(self, since: dict[Table, float], *, note: bool = True) -> None:
        """Wait until all are well; how long each took is noted."""
        sick, deadline = dict(since), time.monotonic() + HEAL_S
        while sick:
            for table, healed_at in tuple(sick.items()):
                wrong = table.unwell(healed_at)
                if not wrong:
                    del sick[table]
                    if note:
                        table.result.recoveries_s.append(time.monotonic() - healed_at)
                elif time.monotonic() > deadline:
                    raise NotHealed(f"{table.name} is not well after {HEAL_S:g} s: {wrong}")
            self._wait(_LOOK_S)

    def _wait(self, seconds: float) -> None:
        """Wait, and take a sample each second."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if now - self._sampled >= _SAMPLE_S:
                self._sampled = now
                self._gauges.take()
            if now >= until:
                return
            self._pause.wait(min(until - now, _SAMPLE_S))
