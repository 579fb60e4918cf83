"""Every simulated venue behind a proxy, for what a line does to all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import msgspec
import pytest

from foxtrot import MainEngine
from foxtrot.model.constants import ConnectionState as S
from foxtrot.simulator.listings import E8
from foxtrot.simulator.proxy import HOST, TcpProxy, TcpProxyThread
from tests.support import faults, futu_house, ib_house
from tests.support.binance_venue import BinanceUnderTest
from tests.support.house import healed
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import VOLUME, Setting, TradingRig, trading
from tests.support.venues import VenueUnderTest

VENUES = ("binance", "ib", "futu")

Healed = Callable[[TradingRig], None]
Living = Callable[[Mapping[str, object]], AbstractContextManager[TradingRig]]


class Behind:
    """A venue, a proxy in front of it, and how the venue's own house makes and judges a rig."""

    def __init__(
        self, venue: VenueUnderTest, proxy: TcpProxy, living: Living, healed: Healed
    ) -> None:
        self.venue, self.proxy = venue, proxy
        self.living, self._healed = living, healed
        lots = {"futu": futu_house.LOT / venue.unit, "binance": VOLUME / 10}
        self._volume = lots.get(venue.adapter_class.default_name.lower(), VOLUME)

    def connect(self, rig: TradingRig) -> None:
        """Want the quotes of a symbol and to trade, all of it through the proxy."""
        rig.subscribe(self.venue.symbols[0])
        rig.connect(self._setting())

    def joined(self, engine: MainEngine) -> TradingRig:
        """A rig on an engine that others share, which closes it."""
        rig = TradingRig(self.venue, {}, replace(SHORT, stream_look_s=0.1, reconcile_s=2.0), engine)
        rig.surplus = isinstance(self.venue, futu_house.House)
        return rig

    def ready(self, rig: TradingRig) -> None:
        """Connect, and wait until quotes come and orders are taken."""
        self.connect(rig)
        self.settled(rig)

    def settled(self, rig: TradingRig) -> None:
        """Wait until quotes come and orders are taken."""
        rig.wait_served()
        rig.wait_fresh(self.venue.symbols[0])
        eventually(lambda: rig.trading().state is S.READY, "trading is ready")

    def rest(self, rig: TradingRig) -> str:
        """Send an order that rests, and wait until it does."""
        return rig.rest(volume=self._volume)

    def send(self, rig: TradingRig, price: float | None = None) -> str:
        """Send an order; one that would rest, unless a price says otherwise."""
        return rig.send(volume=self._volume, price=price)

    def by_hand(self) -> str:
        """Place an order to buy that rests, by another hand; the venue's id of it."""
        symbol = self.venue.symbols[0]
        return self.venue.place_by_hand(symbol, self._volume, self.venue.resting_price(symbol))

    def position(self) -> float:
        """How much of the first symbol is held, as the venue has it."""
        symbol = self.venue.symbols[0]
        if not isinstance(self.venue, futu_house.House):
            return self.venue.position(symbol)
        holding = self.venue.sim.desk.account().holdings.get(self.venue.name(symbol))
        return holding.quantity_e8 / E8 / self.venue.unit if holding is not None else 0.0

    def refuse(self, words: str) -> None:
        """Let the venue refuse the next order in these words."""
        if isinstance(self.venue, BinanceUnderTest):
            body = msgspec.json.encode({"code": -2010, "msg": words}).decode()
            refusal = ("http_error", {"status": 400, "body": body, "count": 1})
        else:
            refusal = ("error_ack", {"code": 201, "body": words})
        self.venue.faults.inject(refusal[0], request="place", **refusal[1])

    def healed(self, rig: TradingRig) -> None:
        """The line is as lines should be; the books in the end are, too."""
        self.proxy.toxics.clear()
        self._healed(rig)

    def _setting(self) -> Setting:
        setting = {**self.venue.setting(), **self.venue.keys()}
        if "port" in setting:
            return {**setting, "port": self.proxy.port}
        address = f"{HOST}:{self.proxy.port}"
        return {**setting, "rest_url": f"http://{address}", "websocket_url": f"ws://{address}"}


@contextmanager
def behind(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A venue of that name that listens behind a proxy; no client broke a rule of it."""
    with _standing(name, monkeypatch) as (venue, living, healed):
        sim: object = getattr(venue, "sim")  # noqa: B009 - of every venue under test
        port = getattr(sim, "port")  # noqa: B009
        with TcpProxyThread(TcpProxy(port, seed=7)) as thread:
            yield Behind(venue, thread.venue, living, healed)


@contextmanager
def _standing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[VenueUnderTest, Living, Healed]]:
    if name == "ib":
        ib_house.hasten(monkeypatch)
        with ib_house.standing() as at_ib:
            yield at_ib, lambda flags: ib_house.living(at_ib, flags), healed
        return
    if name == "futu":
        futu_house.hasten(monkeypatch)
        with futu_house.standing() as at_futu:
            yield at_futu, lambda flags: futu_house.living(at_futu, flags), healed
        return
    venue = BinanceUnderTest()
    venue.start()
    try:
        yield venue, lambda flags: trading(venue, flags), _healed_binance
    finally:
        venue.faults.clear()
        venue.stop()


def _healed_binance(rig: TradingRig) -> None:
    faults.healed(rig)
    eventually(lambda: rig.trading().state is S.READY, "trading is ready")
    rig.wait_agreed()
