"""What a test needs of a simulated venue, whatever venue it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from foxtrot.gateway.base import BaseAdapter, Setting
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.faults import FaultBoard

Quote = tuple[float, float]
"""Best bid and best ask."""


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
        """Let the market move until somebody trades; the id of the newest trade."""

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
        return StreamKey(channel, symbol, "1m" if channel is Channel.BAR else "")
