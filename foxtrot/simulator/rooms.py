"""The parts of a simulated venue, each of which answers some of its requests."""

from __future__ import annotations

from typing import Generic, TypeVar

from foxtrot.simulator.market import Step

C = TypeVar("C")


class Room(Generic[C]):
    """A part of a venue. Each hook does nothing unless it is told otherwise."""

    def joined(self, connection: C) -> None:
        """A client has said who it is."""

    def left(self, connection: C) -> None:
        """A connection is gone."""

    def step(self, step: Step) -> None:
        """The market moved."""
