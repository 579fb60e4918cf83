"""The simulated IB as a house whose lines and lists misbehave, and what has to come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from foxtrot.connectivity.config import StreamConfig
from foxtrot.simulator.ib import IbLimits
from tests.support.house import SOON, WATCHFUL, doubt_soon, open_house
from tests.support.ib_venue import IbUnderTest
from tests.support.trading_rig import TradingRig, trading

AAPL, MSFT, IBM = IbUnderTest.symbols
TEN = (*IbUnderTest.symbols, *(f"{name}-USD-STK" for name in ("NVDA", "TSLA", "SPY")))
TEN += tuple(f"T{number:03d}-USD-STK" for number in range(4))
"""What the house trades; `symbols` are the first three."""

LOT = 0.1
"""Can be filled at once."""

NOT_RUNNING = "is TWS or IB Gateway running there"
"""What is said where nobody listens."""

LISTS = ("positions", "open_orders", "completed_orders", "executions", "account_updates")
"""What must be answered before orders are taken."""

REORDERED = ("execDetails", "orderStatus", "openOrder")
"""Reports that may come behind others."""

TRADER = "client/1"
"""The connection that trades, as faults name it."""

STREAMER = "client/100"
"""The first connection that streams."""


class House(IbUnderTest):
    """The gateway with ten contracts; its market moves by hand."""

    def __init__(self) -> None:
        limits = IbLimits(tick_by_tick_again_s=0.0, snapshot_s=0.3)
        super().__init__(TEN, limits=limits)

    def end_stream(self, symbol: str, code: int, text: str) -> None:
        """End the quotes of a symbol with an error."""

        def act() -> None:
            for each in self.sim.streams.live:
                if (each.contract.name, each.channel) == (self._names[symbol], "market_data"):
                    self.sim.streams.close(each.connection, each.req_id)
                    each.connection.error(each.req_id, code, text)

        self.sim.on_loop(act)

    def error(self, order_id: int, code: int, text: str) -> None:
        """Say something of an order to the connection that trades."""

        def act() -> None:
            for each in self.sim.connections:
                if each.path == TRADER:
                    each.error(order_id, code, text)

        self.sim.on_loop(act)


def furnish() -> None:
    """Nothing lives as long as the process."""


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly, and an order that nobody lists is late after 1 s."""
    for name, seconds in House.waits.items():
        monkeypatch.setattr(name, seconds)
    doubt_soon(monkeypatch)


@contextmanager
def standing() -> Iterator[House]:
    """A house that listens; in the end, no client broke a rule of it."""
    house = House()
    with open_house(house):
        yield house


@contextmanager
def living(
    house: House, flags: Mapping[str, object] | None = None, config: StreamConfig = WATCHFUL
) -> Iterator[TradingRig]:
    """An engine that trades and streams there, not connected yet."""
    with trading(house, {**SOON, **(flags or {})}, config) as rig:
        yield rig
