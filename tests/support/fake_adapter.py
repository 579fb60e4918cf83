"""A tiny venue behind the real BaseAdapter: scripted sessions for both modes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import Clock
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import BaseAdapter, Progress
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Channel, Environment, Exchange, Interval, Mode
from foxtrot.model.objects import BarData
from foxtrot.model.requests import HistoryRequest
from tests.support.sessions import PATIENT, FakeSession, FakeVenue


class FakeAdapter(BaseAdapter):
    """Streams ticks, depth and bars; polls ticks and market trades."""

    default_name = "FAKE"
    default_setting: ClassVar[Mapping[str, str | int | float | list[str]]] = {
        "environment": ["simulated"],
        "url": "fake.example:1",
    }
    exchanges = (Exchange.BINANCE,)
    capabilities = Capabilities(
        streamed=frozenset({Channel.TICK, Channel.DEPTH, Channel.BAR}),
        polled=frozenset({Channel.TICK, Channel.TRADE}),
        intervals=frozenset({Interval.MINUTE, Interval.HOUR}),
        history=True,
    )

    _url = ""

    def __init__(
        self,
        event_engine: EventEngine,
        adapter_name: str = "",
        *,
        bridge: AsyncThreadBridge | None = None,
        settings: Settings | None = None,
        config: StreamConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            event_engine,
            adapter_name,
            bridge=bridge,
            settings=settings,
            config=config or PATIENT,
            clock=clock,
        )
        self.venues = {mode: FakeVenue() for mode in Mode}

    @property
    def streams(self) -> FakeVenue:
        """The venue by websocket."""
        return self.venues[Mode.WEBSOCKET]

    @property
    def polls(self) -> FakeVenue:
        """The venue by polling."""
        return self.venues[Mode.POLLING]

    def configure(self, setting: Setting) -> None:
        """Keep the url."""
        url = setting.get("url", "fake.example:1")
        if not isinstance(url, str) or not url:
            raise ConfigurationError("connect", "url", "must be text, such as fake.example:1")
        self._url = url

    def make_session(self, mode: Mode) -> FakeSession:
        """A scripted session."""
        return self.venues[mode].make()

    async def fetch_history(self, request: HistoryRequest, progress: Progress) -> list[BarData]:
        """One bar."""
        progress(0, 1)
        await asyncio.sleep(0)
        progress(1, 1)
        name = self.adapter_name
        return [BarData(name, request.symbol, request.exchange, request.start, request.interval)]

    @property
    def environment(self) -> Environment | None:
        """Simulated, once connected."""
        return Environment.SIMULATED if self._url else None

    @property
    def endpoint(self) -> str:
        """What `connect` was given."""
        return self._url
