"""Connections to a simulated OpenD, for tests of what uses one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import cast

from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.contracts import Contracts
from foxtrot.adapter.futu.limits import Pace
from foxtrot.adapter.futu.session import Venue
from foxtrot.adapter.futu.settings import FutuSettings
from foxtrot.adapter.futu.slots import Marks
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.clock import Clock, SystemClock
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Environment
from foxtrot.model.health import StreamKey
from foxtrot.model.requests import SubscribeRequest

DEADLINE_S = 5.0
QUICK = StreamConfig(connect_timeout_s=0.2, request_timeout_s=0.2, probe_s=0.1, close_timeout_s=0.5)
PATIENT = StreamConfig()


def settings_for(port: int, **changes: object) -> FutuSettings:
    """What `connect` would make of an OpenD at this port."""
    settings = FutuSettings(Environment.SIMULATED, port=port)
    return replace(settings, **changes)  # type: ignore[arg-type]


def made(port: int, config: StreamConfig = PATIENT, **changes: object) -> FutuClient:
    """A connection, unopened, with turns of its own."""
    return FutuClient("FUTU", settings_for(port, **changes), config, Pace("FUTU"))


@contextlib.asynccontextmanager
async def opened(
    port: int, config: StreamConfig = PATIENT, **changes: object
) -> AsyncIterator[FutuClient]:
    """A connection, open; closed at the end."""
    client = made(port, config, **changes)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await client.open()
        yield client
    finally:
        await client.close()


@dataclass
class Port:
    """As much of an adapter as its sessions and questions need."""

    stream_config: StreamConfig = PATIENT
    clock: Clock = field(default_factory=SystemClock)
    wanted: dict[StreamKey, SubscribeRequest] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def write_log(self, msg: str) -> None:
        """A line for people."""
        self.said.append(msg)

    def request_of(self, key: StreamKey) -> SubscribeRequest | None:
        """The request behind a stream."""
        return self.wanted.get(key)


def venue_at(port: int, clock: Clock | None = None) -> Venue:
    """What the sessions of an adapter share."""
    part = cast("BaseAdapter", Port(clock=clock or SystemClock()))
    return Venue("FUTU", settings_for(port), Contracts("FUTU"), Marks(), part)
