"""What a test needs of a simulated venue, whatever venue it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
import pytest

from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.faults import FaultBoard

Quote = tuple[float, float]
"""Best bid and best ask."""

Fault = tuple[str, Mapping[str, object]]
"""What `FaultBoard.inject` takes."""


class Held(msgspec.Struct, frozen=True):
    """One order in the venue's own books; `orderid` is the client's name for it."""

    venue_id: str
    orderid: str
    symbol: str
    volume: float
    traded: float
    open: bool


class Traded(msgspec.Struct, frozen=True, order=True):
    """One fill in the venue's own books."""

    symbol: str
    trade_id: str
    orderid: str
    volume: float


class VenueUnderTest(ABC):
    """A simulated venue on a thread of its own, seen through what every venue has.

    Its market stands still (unless it was given a rate) until `move` is called, so that a test
    knows what the newest is.
    """

    adapter_class: ClassVar[type[BaseAdapter]]
    exchange: ClassVar[Exchange]
    symbols: ClassVar[Sequence[str]]
    """At least three that it trades."""
    misspelt: ClassVar[tuple[str, str]]
    """A symbol it does not trade, and the one that was meant."""
    wrong_settings: ClassVar[Mapping[str, Setting]]
    """Connect settings that are refused, each by the field that is wrong."""
    lacks: ClassVar[Mapping[str, str]] = {}
    """What it cannot do or suffer, fields of data and faults among it, each with the reason."""
    quotes_by_side: ClassVar[bool] = False
    """Whether bid and ask come one after the other when both move."""
    polled_by_line: ClassVar[bool] = False
    """Whether what is polled comes over a connection as streams have it."""
    stalls: ClassVar[Mapping[str, Fault]] = {
        "sync": ("latency", {"seconds": 10}),
        "subscribe": ("no_ack", {"count": 0}),
    }
    """The faults with which a session never gets beyond a step."""
    waits: ClassVar[Mapping[str, object]] = {}
    """Waits of the adapter that no setting reaches, and how long they are in a test."""
    unit: ClassVar[float] = 1.0
    """What the cards and this class call a volume of 1: who trades in lots needs large numbers."""
    cash: ClassVar[str] = "USDT"
    """An asset that can be paid in."""
    too_much: ClassVar[float] = 5.0
    """A volume that the account cannot pay for."""
    poor: ClassVar[str] = "insufficient balance"
    """What it says to that."""
    maintenance: ClassVar[Sequence[Fault]] = (("maintenance", {}), ("close", {}))
    """The faults that cut every line and let nobody back."""
    refusal: ClassVar[Fault] = ("http_error", {"status": 503})
    """The fault by which a `request` comes to nothing, until it is cleared."""

    @classmethod
    def on_grid(cls, price: float) -> float:
        """The next price that an order for the first symbol may have."""
        return round(price, 2)

    @classmethod
    def many(cls, count: int) -> list[str]:
        """So many symbols that one can be made to trade."""
        raise NotImplementedError

    @property
    @abstractmethod
    def faults(self) -> FaultBoard:
        """Where its faults are switched on."""

    @abstractmethod
    def start(self) -> None:
        """Listen; returns when it does. A venue that was stopped keeps its address."""

    @abstractmethod
    def stop(self) -> None:
        """Cut every connection and be gone. Safe to call twice."""

    @abstractmethod
    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """What `connect` takes to reach it."""

    @abstractmethod
    def move(self, symbol: str, count: int = 1) -> None:
        """Let the market of a symbol move; everything about it is published at once."""

    @abstractmethod
    def trade(self, symbol: str) -> str:
        """Let the market move until somebody trades; the id of the newest trade, if it has one."""

    @abstractmethod
    def newest(self, symbol: str) -> Quote:
        """The best prices as the venue knows them now."""

    @abstractmethod
    def live(self) -> set[StreamKey]:
        """The streams it sends now."""

    @abstractmethod
    def asked(self) -> list[StreamKey]:
        """Every stream that was ever subscribed, in order; a stream asked for twice is in twice."""

    @abstractmethod
    def returned(self) -> list[StreamKey]:
        """Every stream that was ever given back, in order."""

    @property
    @abstractmethod
    def connections(self) -> int:
        """How many stream connections were ever made."""

    def key(self, symbol: str, channel: Channel = Channel.TICK) -> StreamKey:
        """The stream of a channel; bars are of a minute."""
        return StreamKey(channel, symbol, self.exchange, "1m" if channel is Channel.BAR else "")

    # -- trading: for a venue whose adapter can send orders ---------------------------------

    def keys(self) -> dict[str, str]:
        """What `connect` takes beside `setting` to trade."""
        raise NotImplementedError

    def other_keys(self) -> dict[str, str]:
        """The keys of another account, which has no orders."""
        raise NotImplementedError

    def allow_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the account be asked for as often as the settings say."""
        raise NotImplementedError

    def forget_keys(self) -> None:
        """Know the keys no more: whoever shows them is refused."""
        raise NotImplementedError

    def resting_price(self, symbol: str) -> float:
        """A price at which an order to buy rests."""
        raise NotImplementedError

    def crossing_price(self, symbol: str) -> float:
        """A price at which an order to buy trades at once."""
        raise NotImplementedError

    def fill(self, orderid: str, volume: float | None = None) -> None:
        """Fill an order that rests, or a part of it."""
        raise NotImplementedError

    def end(self, orderid: str, *, expired: bool = False) -> None:
        """Cancel an order by another hand, or let it expire."""
        raise NotImplementedError

    def forget_orders(self) -> None:
        """Begin anew: know no order and no fill any more, and be the same venue otherwise."""
        raise NotImplementedError

    def place_by_hand(self, symbol: str, volume: float, price: float) -> str:
        """Place an order to buy by another hand; the venue's id of it."""
        raise NotImplementedError

    def held(self) -> list[Held]:
        """Every order that the venue ever took, oldest first."""
        raise NotImplementedError

    def traded(self) -> list[Traded]:
        """Every fill of the account."""
        raise NotImplementedError

    def received(self) -> Mapping[str, int]:
        """Every client order id that ever came in with a new order, and how often."""
        raise NotImplementedError

    def cancels(self) -> list[str]:
        """The client order id, or the venue's id, of every cancel that came in, in order."""
        raise NotImplementedError

    def balances(self) -> dict[str, tuple[float, float]]:
        """Total and frozen amount of each asset."""
        raise NotImplementedError

    def deposit(self, asset: str, amount: float) -> None:
        """Add to a balance."""
        raise NotImplementedError

    def position(self, symbol: str) -> float:
        """How much of a contract is held."""
        raise NotImplementedError

    @classmethod
    def requests_of(cls, request: str) -> Sequence[str]:
        """What it calls the requests by which it is asked for something."""
        return (request,)

    def by_id(self, venue_id: str, symbol: str) -> Held:
        """The order that the venue calls so."""
        return next(h for h in self.held() if (h.venue_id, h.symbol) == (venue_id, symbol))
