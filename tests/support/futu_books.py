"""The trading side of the simulated OpenD, as tests of adapters see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from foxtrot.adapter.futu.adapter import FutuAdapter
from foxtrot.adapter.futu.mapping import QUOTE
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_orders import FutuOrder
from foxtrot.simulator.listings import E8, to_e8
from tests.support.simulated import SimulatedUnderTest
from tests.support.venues import Held, Traded

PASSWORD = "123456"
LOT = 100.0
"""Of the first two of the symbols."""

ANY_NUMBER = FutuLimits(place=None, modify=None, orders=None, unlock=None)


class FutuBooks(SimulatedUnderTest[SimulatedFutu]):
    """A simulated OpenD on a thread, for tests that trade and stream ticks at most.

    Args:
        sim: If it is to be another one than usual.
        paper: Whether paper trading is traded, which tells of no deals.
    """

    adapter_class: ClassVar[type[BaseAdapter]] = FutuAdapter
    exchange = Exchange.SEHK
    symbols: ClassVar[Sequence[str]] = ("00700", "09988", "00005")
    misspelt = ("700", "00700")
    wrong_settings: ClassVar[Mapping[str, Setting]] = {}

    @classmethod
    def many(cls, count: int) -> list[str]:
        """The few that it has."""
        return list(cls.symbols)[:count]

    def __init__(self, sim: SimulatedFutu | None = None, *, paper: bool = False) -> None:
        self.paper = paper
        names = [self.name(symbol) for symbol in self.symbols]
        super().__init__(sim or SimulatedFutu(names, seed=7, rate_hz=0.0, limits=ANY_NUMBER))

    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """The port of OpenD."""
        kind = "simulate" if self.paper else "real"
        return {"environment": "simulated", "port": self.sim.port, "trade_env": kind}

    def keys(self) -> dict[str, str]:
        """The trade password."""
        return {"password": PASSWORD}

    def live(self) -> set[StreamKey]:
        """Ticks that are streamed."""
        streams = self.sim.quotes.live
        return {self.key(each.contract.code) for each in streams if each.sub_type == QUOTE}

    def asked(self) -> list[StreamKey]:
        """Nothing streams."""
        return []

    def returned(self) -> list[StreamKey]:
        """Nothing streams."""
        return []

    def allow_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its account is pushed, always."""
        pytest.skip("Futu's account cannot be polled: orders and fills are pushed")

    def resting_price(self, symbol: str) -> float:
        """Twenty steps below the best bid."""
        step_e8 = self.sim.universe.contracts[self.name(symbol)].tick_e8
        return (to_e8(self.newest(symbol)[0]) - 20 * step_e8) / E8

    def fill(self, orderid: str, volume: float | None = None) -> None:
        """At its limit."""
        self.sim.desk.fill(orderid, None if volume is None else volume * self.unit)

    def end(self, orderid: str, *, expired: bool = False) -> None:
        """By the desk."""
        self.sim.desk.end(orderid)

    def forget_orders(self) -> None:
        """By the desk."""
        self.sim.desk.forget_orders()

    def place_by_hand(self, symbol: str, volume: float, price: float) -> str:
        """In Futu's own app."""
        shares = volume * self.unit
        return self.sim.desk.place_by_hand(self.name(symbol), shares, price).order_id_ex

    def held(self) -> list[Held]:
        """The books of Futu."""
        return self.sim.on_loop(lambda: [self._held(order) for order in self.sim.desk.held()])

    def traded(self) -> list[Traded]:
        """Every deal; in paper trading, as they are told without one."""
        return self.sim.on_loop(self._deals)  # between two pushes there is more than was told

    def _deals(self) -> list[Traded]:
        told, done = [], dict[str, int]()
        for deal in self.sim.desk.traded():
            order = deal.order
            total = done[order.order_id_ex] = done.get(order.order_id_ex, 0) + deal.quantity_e8
            name = f"{order.order_id_ex}-{total // E8}" if self.paper else deal.deal_id_ex
            volume = deal.quantity_e8 / E8 / self.unit
            told.append(Traded(order.contract.code, name, order.remark, volume))
        return told

    def received(self) -> Mapping[str, int]:
        """As OpenD counted them."""
        return self.sim.desk.received()

    def cancels(self) -> list[str]:
        """As OpenD heard them."""
        return self.sim.desk.cancels()

    @staticmethod
    def name(symbol: str) -> str:
        """What the simulator calls a symbol."""
        return f"HK.{symbol}"

    def _held(self, order: FutuOrder) -> Held:
        return Held(
            order.order_id_ex,
            order.remark,
            order.contract.code,
            order.terms.quantity_e8 / E8 / self.unit,
            order.filled_e8 / E8 / self.unit,
            order.open,
        )
