"""The entrance of the simulated OpenD: the handshake, signs of life, and what everybody is told."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Protocol

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_cipher import Aes, Rsa
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_limits import FutuLimits, Refused
from foxtrot.simulator.futu_schema import Message, Proto, module, response

SERVER_VERSION, BUILD = 1011, 7108
USER_ID = 7_654_321
_NO_CIPHER, _AES_CBC = -1, 2
_OPEN_MORNING = 3
_READY = 10
_FIRST_CONN_ID = 7_400_000_000_000
_CIPHER_UNKNOWN = "不支持的加密算法"


class Venue(Protocol):
    """What the entrance needs of OpenD."""

    faults: FaultBoard
    limits: FutuLimits
    rsa: Rsa | None

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""

    def now_ms(self) -> int:
        """The venue's clock."""

    def joined(self, connection: Connection) -> None:
        """A client has shaken hands."""


class Hall(Room):
    """Answers what every client asks first, and again and again.

    Args:
        venue: Whose entrance this is.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {
            Proto.InitConnect: self._shake_hands,
            Proto.KeepAlive: self._live_on,
            Proto.GetGlobalState: self._tell_state,
        }

    def tell_logins(self) -> None:
        """Tell who wants to know whether OpenD has its servers."""
        kind = module("Notify").NotifyType_ConnStatus
        told = response(Proto.Notify)
        told.s2c.type = kind
        told.s2c.connectStatus.qotLogined = self._quotes_up()
        told.s2c.connectStatus.trdLogined = True
        self._tell(told)

    def tell_event(self, event: int, text: str) -> None:
        """Tell who wants to know of an event, by its number in `GtwEventType`."""
        told = response(Proto.Notify)
        told.s2c.type = module("Notify").NotifyType_GtwEvent
        told.s2c.event.eventType, told.s2c.event.desc = event, text
        self._tell(told)

    def _tell(self, told: Message) -> None:
        for connection in self._venue.connections:
            if connection.notified:
                connection.push(Proto.Notify, told)

    def _shake_hands(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        cipher = self._cipher(c2s)
        connection.conn_id = _FIRST_CONN_ID + connection.number
        s2c.serverVer, s2c.loginUserID = SERVER_VERSION, USER_ID
        s2c.connID = connection.conn_id
        s2c.keepAliveInterval = self._venue.limits.keep_alive_s
        s2c.connAESKey = secrets.token_hex(8)
        if cipher == _AES_CBC:
            s2c.aesCBCiv = secrets.token_hex(8)
        key, iv, notified = s2c.connAESKey, s2c.aesCBCiv, bool(c2s.recvNotify)

        def join() -> None:
            connection.aes = Aes(key, iv) if cipher == _AES_CBC else None
            connection.notified = notified
            self._venue.joined(connection)

        connection.afterwards(join)

    def _cipher(self, c2s: Message) -> int:
        """What follows is encrypted if OpenD has a key and the client does not decline."""
        wanted = c2s.packetEncAlgo if c2s.HasField("packetEncAlgo") else 0
        if self._venue.rsa is None or wanted == _NO_CIPHER:
            return _NO_CIPHER
        if wanted != _AES_CBC:
            raise Refused(_CIPHER_UNKNOWN)
        return _AES_CBC

    def _live_on(self, _connection: Connection, _c2s: Message, s2c: Message) -> None:
        s2c.time = self._venue.now_ms() // 1_000

    def _tell_state(self, connection: Connection, _c2s: Message, s2c: Message) -> None:
        s2c.marketHK = s2c.marketUS = s2c.marketSH = s2c.marketSZ = _OPEN_MORNING
        s2c.marketHKFuture = _OPEN_MORNING
        s2c.qotLogined, s2c.trdLogined = self._quotes_up(), True
        s2c.serverVer, s2c.serverBuildNo = SERVER_VERSION, BUILD
        s2c.time, s2c.localTime = self._venue.now_ms() // 1_000, self._venue.now_ms() / 1_000
        s2c.programStatus.type = _READY
        s2c.connID = connection.conn_id

    def _quotes_up(self) -> bool:
        return self._venue.faults.active("farm_down") is None
