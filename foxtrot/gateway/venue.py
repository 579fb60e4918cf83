"""What the sessions of one adapter share, and an adapter whose sessions share it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Protocol, TypeVar

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import InvalidState
from foxtrot.execution.reports import OrderRecord
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.marks import BaseMark, BaseMarks
from foxtrot.model.constants import Channel, Environment, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import TickData


class ConnectSettings(Protocol):
    """What every venue's validated connect setting says."""

    @property
    def environment(self) -> Environment:
        """What is talked to."""

    @property
    def endpoint(self) -> str:
        """Host and port, fit to be shown."""

    @property
    def account_key(self) -> str:
        """Names the account's journal, the account as a hash; empty if it is not traded."""


SettingsT = TypeVar("SettingsT", bound=ConnectSettings, covariant=True)
ContractsT = TypeVar("ContractsT", covariant=True)
MarkT = TypeVar("MarkT", bound=BaseMark, covariant=True)


class BaseVenue(Generic[SettingsT, ContractsT, MarkT]):
    """What the sessions of one adapter share, and what outlives each of them.

    Args:
        name: Of the adapter.
        settings: What `connect` was given.
        contracts: Known so far.
        marks: How far each stream was told.
        port: The adapter.
    """

    def __init__(
        self,
        name: str,
        settings: SettingsT,
        contracts: ContractsT,
        marks: BaseMarks[MarkT],
        port: BaseAdapter,
    ) -> None:
        self.name, self.settings = name, settings
        self.contracts, self.marks, self.port = contracts, marks, port

    @property
    def config(self) -> StreamConfig:
        """Deadlines, as the settings say now."""
        return self.port.stream_config

    @property
    def flags(self) -> FeatureFlags:
        """The settings of the moment."""
        return self.port.flags

    async def release(self) -> None:
        """Close the connections that are shared; a venue that has some says how."""

    def forget_if_unwanted(self, key: StreamKey) -> None:
        """Forget how far a stream was told, unless it only changes its session."""
        if self.port.request_of(key) is None:
            self.marks.forget(key)


VenueT = TypeVar("VenueT", bound=BaseVenue[ConnectSettings, object, BaseMark])


class VenueAdapter(BaseAdapter, Generic[VenueT]):
    """An adapter of which each `connect` makes one such venue; see `make_venue`."""

    _venue: VenueT | None = None
    _retired: tuple[VenueT, ...] = ()

    @abstractmethod
    def make_venue(self, setting: Setting, known: VenueT | None) -> VenueT:
        """What the sessions of a setting share.

        Args:
            setting: What `connect` was given.
            known: That of the setting before; contracts and marks are kept where it was the same
                place.

        Raises:
            ConfigurationError: Names the field and what is allowed.
        """

    def configure(self, setting: Setting) -> None:
        """Validate the setting, and keep what it makes; a live account is said aloud."""
        known = self._venue
        self._venue = venue = self.make_venue(setting, known)
        if known is not None:
            self._retired += (known,)
        if venue.settings.environment is Environment.LIVE:
            endpoint = venue.settings.endpoint
            self.log.warning("live_environment", endpoint=endpoint)
            self.write_log(f"{self.adapter_name} talks to a LIVE account at {endpoint}")

    async def release(self) -> None:
        """Close the connections that sessions and questions have shared."""
        retired, self._retired = self._retired, ()
        for venue in (*retired, self._venue):
            if venue is not None:
                await venue.release()

    def last_tick(self, symbol: str, exchange: Exchange) -> TickData | None:
        """The newest tick, by streams or by polling, of a contract that is subscribed."""
        wanted = self.request_of(StreamKey(Channel.TICK, symbol, exchange)) is not None
        return self._venue.marks.tick(symbol, exchange) if self._venue and wanted else None

    def last_data_ns(self, key: StreamKey) -> int:
        """When anything of a stream came, by streams or by polling."""
        return self._venue.marks.heard_ns(key) if self._venue else 0

    @property
    def account(self) -> str:
        """Environment and account, the account as a hash; empty if it is not traded."""
        return self._venue.settings.account_key if self._venue else ""

    @property
    def environment(self) -> Environment | None:
        """What `connect` was told to talk to."""
        return self._venue.settings.environment if self._venue else None

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return self._venue.settings.endpoint if self._venue else ""

    def _configured(self) -> VenueT:
        if self._venue is None:
            raise InvalidState(f"{self.adapter_name} was never connected")
        return self._venue

    def _record(self, orderid: str) -> OrderRecord | None:
        return self._desk.record(orderid) if self._desk is not None else None

    def _unwanted(self, orderid: str) -> str:
        return self._desk.unwanted(orderid) if self._desk is not None else ""
