"""The entrance of the simulated gateway: who comes in, which farms are open, what time it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_limits import (
    DEFINITIONS_OK,
    FARM_BROKEN,
    FARM_OK,
    HISTORY_FARM_OK,
    text_of,
)
from foxtrot.simulator.ib_requests import (
    ReqCurrentTime,
    ReqManagedAccts,
    ReqNewsProviders,
    ReqScannerParameters,
    ReqUserInfo,
    SetServerLogLevel,
    StartApi,
)

FARM = "usfarm"
_NO_SCANNERS = '<?xml version="1.0" encoding="UTF-8"?><ScanParameterResponse/>'


class Venue(Protocol):
    """What the entrance needs of the gateway."""

    faults: FaultBoard
    account_names: Sequence[str]

    def next_order_id(self, client_id: int) -> int:
        """The order id that this client may use next."""

    def now_ms(self) -> int:
        """The venue's clock."""


class Hall(Room):
    """Answers what every client asks first.

    Args:
        venue: Whose entrance this is.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def handlers(self) -> Handlers:
        """See `Room`."""
        return {
            StartApi: self._start,
            ReqManagedAccts: lambda connection, _: self._tell_accounts(connection),
            ReqCurrentTime: self._tell_time,
            ReqNewsProviders: lambda connection, _: connection.send(85, 0),
            ReqScannerParameters: lambda connection, _: connection.send(19, 1, _NO_SCANNERS),
            ReqUserInfo: lambda connection, request: connection.send(107, request.req_id, ""),
            SetServerLogLevel: lambda _connection, _request: None,
        }

    def _start(self, connection: Connection, request: StartApi) -> None:
        self._tell_accounts(connection)
        connection.send(9, 1, self._venue.next_order_id(request.client_id))
        broken = self._venue.faults.active("farm_down")
        code = FARM_BROKEN if broken else FARM_OK
        connection.error(-1, code, text_of(code, (broken and broken.body) or FARM))
        for code in (HISTORY_FARM_OK, DEFINITIONS_OK):
            connection.error(-1, code, text_of(code))

    def _tell_accounts(self, connection: Connection) -> None:
        connection.send(15, 1, ",".join(self._venue.account_names))

    def _tell_time(self, connection: Connection, _request: ReqCurrentTime) -> None:
        connection.send(49, 1, self._venue.now_ms() // 1_000)
