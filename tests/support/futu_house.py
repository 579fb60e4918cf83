"""The simulated OpenD as a house whose lines and lists misbehave, and what has to come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest

from foxtrot.adapter.futu import limits
from foxtrot.adapter.futu.sdk import sdk
from foxtrot.connectivity.config import StreamConfig
from foxtrot.model.constants import Channel
from foxtrot.model.health import StreamKey
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_schema import Proto
from tests.support.futu_books import FutuBooks
from tests.support.house import SOON, WATCHFUL, doubt_soon, open_house
from tests.support.trading_rig import TradingRig, trading

TENCENT, BABA, HSBC = FutuBooks.symbols
XIAOMI = "01810"
FOUR = (TENCENT, BABA, HSBC, XIAOMI)
"""What the house trades; `symbols` are the first three."""

LOT = 100.0
"""Can be filled at once."""

NOT_RUNNING = "is OpenD running"
"""What is said where nobody listens."""

LISTS = ("managed_accounts", "account_updates", "unlock", "open_orders", "positions", "account")
"""What must be answered before orders are taken."""

REORDERED = ("deal", "order")
"""Reports that may come behind others."""

STREAMER, TRADER = "/quotes", "/trading"
"""The connections that stream and that trade, as faults name them."""

ANY_NUMBER = FutuLimits(
    place=None, modify=None, orders=None, unlock=None, snapshot=None, history=None
)
"""OpenD's windows are wide open, but for tests that are about them."""

_CHANNELS = MappingProxyType({1: Channel.TICK, 2: Channel.DEPTH, 4: Channel.TRADE, 11: Channel.BAR})
"""What the SubTypes serve; a book serves ticks, too."""

_WAITS: Mapping[str, float] = MappingProxyType(
    {
        "foxtrot.adapter.futu.market_data._RETRY_S": 0.3,
        "foxtrot.adapter.futu.polling._AFTER_ERROR_S": 0.2,
        "foxtrot.adapter.futu.polling.SNAPSHOT_PACE_S": 0.01,
        "foxtrot.adapter.futu.orders.BALANCES_S": 0.2,
    }
)


class House(FutuBooks):
    """An OpenD with four stocks; its market moves by hand.

    Args:
        limits: Its rules for clients.
    """

    def __init__(self, limits: FutuLimits = ANY_NUMBER) -> None:
        names = [self.name(symbol) for symbol in FOUR]
        super().__init__(SimulatedFutu(names, seed=7, rate_hz=0.0, limits=limits))

    def live(self) -> set[StreamKey]:
        """What any client has pushed to it."""
        return {
            self.key(each.contract.code, _CHANNELS[each.sub_type]) for each in self.sim.quotes.live
        }

    def asked_of(self, proto: Proto) -> int:
        """How often this was asked, by anybody."""
        return len(self.sim.seen.of(proto))

    def subscribed(self) -> Counter[str]:
        """How often each stock was asked for, whatever of it."""
        wanted = [c2s for c2s in self.sim.seen.of(Proto.Qot_Sub) if c2s.isSubOrUnSub]
        return Counter(security.code for c2s in wanted for security in c2s.securityList)


def furnish() -> None:
    """Have the SDK's network thread there, which lives as long as the process."""
    sdk()


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly, and an order that nobody lists is late after 1 s."""
    for name, seconds in _WAITS.items():
        monkeypatch.setattr(name, seconds)
    wide = dict.fromkeys(limits.PER_WINDOW, 10_000)
    monkeypatch.setattr("foxtrot.adapter.futu.limits.PER_WINDOW", wide)
    doubt_soon(monkeypatch)


@contextmanager
def standing(limits: FutuLimits = ANY_NUMBER) -> Iterator[House]:
    """A house that listens; in the end, no client broke a rule of it."""
    house = House(limits)
    with open_house(house):
        yield house


@contextmanager
def living(
    house: House, flags: Mapping[str, object] | None = None, config: StreamConfig = WATCHFUL
) -> Iterator[TradingRig]:
    """An engine that trades and streams there, not connected yet."""
    with trading(house, {**SOON, **(flags or {})}, config) as rig:
        rig.surplus = True  # a book is pushed for ticks, too
        yield rig
