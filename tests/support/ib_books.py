"""The trading side of the simulated IB, as tests of adapters see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from foxtrot.adapter.ib.adapter import IbAdapter
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib import SimulatedIb, SimulatedIbThread
from foxtrot.simulator.ib_orders import IbOrder
from foxtrot.simulator.listings import E8
from tests.support.venues import Held, Quote, Traded, VenueUnderTest

_NAMES = {"AAPL-USD-STK": "AAPL", "MSFT-USD-STK": "MSFT", "IBM-USD-STK": "IBM"}
_SYMBOLS = {name: symbol for symbol, name in _NAMES.items()}


class IbBooks(VenueUnderTest):
    """A simulated gateway on a thread, for tests that trade and stream ticks at most.

    Args:
        client_id: Of the connection that trades.
    """

    adapter_class: ClassVar[type[BaseAdapter]] = IbAdapter
    exchange = Exchange.SMART
    symbols: ClassVar[Sequence[str]] = tuple(_NAMES)
    misspelt = ("AAPL-USD-STOCK", "AAPL-USD-STK")
    wrong_settings: ClassVar[Mapping[str, Setting]] = {}

    @classmethod
    def many(cls, count: int) -> list[str]:
        """The few that it has."""
        return list(_NAMES)[:count]

    def __init__(self, client_id: int = 1) -> None:
        self.client_id = client_id
        self.sim = SimulatedIb(tuple(_SYMBOLS), seed=7, rate_hz=0.0)
        self.sim.desk.set_fractions(True)
        self._thread = SimulatedIbThread(self.sim)

    @property
    def faults(self) -> FaultBoard:
        """See `VenueUnderTest`, like all below."""
        return self.sim.faults

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Be gone; orders and fills are kept."""
        self._thread.stop()

    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """The port of the gateway."""
        return {"environment": "simulated", "port": self.sim.port, "client_id": self.client_id}

    def keys(self) -> dict[str, str]:
        """None are needed: TWS is logged in."""
        return {}

    def move(self, symbol: str, count: int = 1) -> None:
        """Step the market on the venue's thread."""
        self.sim.tick(_NAMES[symbol], count)

    def trade(self, symbol: str) -> str:
        """Nothing streams."""
        raise NotImplementedError

    def newest(self, symbol: str) -> Quote:
        """The best prices of the market itself."""
        quote = self.sim.market.quote(_NAMES[symbol])
        return quote.bid_e8 / E8, quote.ask_e8 / E8

    def live(self) -> set[StreamKey]:
        """Ticks that are streamed."""
        return {
            self.key(_SYMBOLS[each.contract.name])
            for each in self.sim.streams.live
            if each.channel == "market_data"
        }

    def asked(self) -> list[StreamKey]:
        """Nothing streams."""
        return []

    def returned(self) -> list[StreamKey]:
        """Nothing streams."""
        return []

    def allow_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its account is pushed, always."""
        pytest.skip("IB's account cannot be polled: orders and fills are pushed")

    @property
    def connections(self) -> int:
        """Of all kinds."""
        return self.sim.seen.connections

    def resting_price(self, symbol: str) -> float:
        """A tenth below the best bid, in cents."""
        return round(self.newest(symbol)[0] * 0.9, 2)

    def crossing_price(self, symbol: str) -> float:
        """The best ask."""
        return self.newest(symbol)[1]

    def fill(self, orderid: str, volume: float | None = None) -> None:
        """At its limit."""
        self.sim.desk.fill(orderid, volume)

    def end(self, orderid: str, *, expired: bool = False) -> None:
        """By the desk."""
        self.sim.desk.end(orderid)

    def forget_orders(self) -> None:
        """By the desk."""
        self.sim.desk.forget_orders()

    def place_by_hand(self, symbol: str, volume: float, price: float) -> str:
        """In TWS's own window."""
        return str(self.sim.desk.place_by_hand(_NAMES[symbol], volume, price).perm_id)

    def held(self) -> list[Held]:
        """The books of the gateway."""
        return [_held(order) for order in self.sim.desk.held()]

    def traded(self) -> list[Traded]:
        """Every fill, once; a correction is none."""
        first = {each.stem: each for each in reversed(self.sim.desk.traded())}
        return [
            Traded(_SYMBOLS[e.order.name], e.stem, e.order.ref, e.quantity_e8 / E8)
            for e in reversed(first.values())
        ]

    def received(self) -> Mapping[str, int]:
        """As the gateway counted them."""
        return self.sim.desk.received()

    def cancels(self) -> list[str]:
        """As the gateway heard them."""
        return self.sim.desk.cancels()


def _held(order: IbOrder) -> Held:
    return Held(
        str(order.perm_id),
        order.ref,
        _SYMBOLS[order.name],
        order.terms.quantity_e8 / E8,
        order.filled_e8 / E8,
        order.open,
    )
