"""The one door to OpenD: opens a connection, asks it, hears it, closes it. Used once.

The SDK's own contexts are left alone: their reconnecting gives up for good after a second failure,
their constructor waits for ever, and each request of theirs is several. Its network is used.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

from foxtrot.adapter.futu.errors import (
    UNANSWERED_HANDSHAKE,
    error_of,
    no_handshake,
    not_connected,
)
from foxtrot.adapter.futu.limits import Pace
from foxtrot.adapter.futu.line import Line, Sink
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of, read, request, response_class
from foxtrot.adapter.futu.sdk import RawNetwork, load
from foxtrot.adapter.futu.settings import FutuSettings
from foxtrot.adapter.futu.wire import Aes, Reader, Rsa, encode
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.aside import aside
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    HeartbeatTimeout,
    InvalidState,
    MalformedMessage,
    NameResolutionError,
    StreamingError,
    VenueError,
    VenueUnavailable,
    WrongThread,
)

__all__ = ["FutuClient"]

log = get_logger("foxtrot.futu.client")

CLIENT_VERSION = 300
_CLIENT_ID = "foxtrot"
_NO_CIPHER, _AES_CBC = -1, 2
"""Common.PacketEncAlgo."""
_CALM = 0.8
"""Signs of life come at this share of the interval that OpenD asks for, as the SDK's do."""
_OPEN_SHARE = 0.9  # of the deadline, so that who waits hears the cause and not only the deadline
_DROPPED = 1006
_NUMBERED = frozenset({Proto.Trd_PlaceOrder, Proto.Trd_ModifyOrder})
"""Questions that carry the connection's id and a number which OpenD takes once."""


class FutuClient:
    """One connection to OpenD, made unopened. Lives on the loop thread that made it.

    Args:
        venue: Name of the adapter, for errors.
        settings: What `connect` was given.
        config: Deadlines.
        pace: The turns of this OpenD.

    Attributes:
        lost: Done when the connection is gone, with the cause; the first one counts.
        conn_id: OpenD's number for it; 0 before it is open.
        user_id: Of the user that OpenD is logged in as.
        server_version: Of OpenD.
    """

    def __init__(
        self, venue: str, settings: FutuSettings, config: StreamConfig, pace: Pace
    ) -> None:
        loop = asyncio.get_running_loop()
        self._venue, self._settings, self._config, self._pace = venue, settings, config, pace
        self._thread = threading.get_ident()
        self.lost: asyncio.Future[FoxtrotError] = loop.create_future()
        self.conn_id = self.user_id = self.server_version = 0
        self._rsa: Rsa | None = None
        self._aes: Aes | None = None
        self._reader = Reader()
        self._line = Line(venue, self._reader, self._on_answer, self._on_connected, self._on_lost)
        self._network: RawNetwork | None = None
        self._raw_id = 0
        self._serial = 0
        self._pending: dict[tuple[int, int], asyncio.Future[bytes]] = {}
        self._connected: asyncio.Future[str] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._pulse: asyncio.TimerHandle | None = None
        self._closed = False

    # -- opening and closing ----------------------------------------------------------------

    async def open(self) -> None:
        """Connect and shake hands: one attempt.

        Raises:
            ConnectError: Refused, closed during the handshake, or not answered in time.
            ConfigurationError: The SDK is missing, or the key file cannot be used.
        """
        self._check_thread()
        if self._network is not None or self._closed:
            raise InvalidState("a connection to OpenD is opened once")
        network = await load()
        timeout_s = self._config.connect_timeout_s * _OPEN_SHARE
        try:
            async with asyncio.timeout(timeout_s):
                await self._connect(network, timeout_s)
                await self._shake_hands()
        except TimeoutError:
            self._give_up()
            raise ConnectTimeout(self._settings.endpoint, timeout_s, UNANSWERED_HANDSHAKE) from None
        except BaseException:  # boundary: however it ended, no socket is left
            self._give_up()
            raise
        log.info(
            "connected",
            venue=self._venue,
            endpoint=self._settings.endpoint,
            server_version=self.server_version,
        )

    async def close(self) -> None:
        """Give everything back. Never raises."""
        if self._closed:
            return
        self._closed = True
        self._lose(ConnectionClosed(1000, "closed by us"))
        if self._raw_id and not self._gone.done():
            await asyncio.wait({self._gone}, timeout=self._config.close_timeout_s / 2)

    async def _connect(self, network: RawNetwork, timeout_s: float) -> None:
        if self._settings.rsa_key_file:
            self._rsa = await aside(lambda: Rsa(self._settings.rsa_key_file), "futu-key")
            self._reader.cipher = self._rsa
        address = await self._address()
        self._refuse_lost()
        try:
            _, attempt = network.connect(address, self._line, timeout_s * 2, False, False)
        except OSError as error:  # such as no descriptor that is free
            raise not_connected(self._settings.endpoint, error.strerror or "") from None
        self._network, self._raw_id = network, attempt.conn_id
        problem = await self._connected
        if problem:
            raise not_connected(self._settings.endpoint, problem)

    async def _address(self) -> tuple[str, int]:
        """Where to connect; a name is looked up here, as the SDK's thread would stand still."""
        host, port = self._settings.host, self._settings.port
        try:
            socket.inet_aton(host)
        except OSError:
            pass
        else:
            return host, port
        try:
            found = await aside(lambda: socket.gethostbyname(host), "futu-host")
        except OSError:
            text = "the host name has no IPv4 address"
            raise NameResolutionError(self._settings.endpoint, text) from None
        return found, port

    async def _shake_hands(self) -> None:
        c2s = c2s_of(Proto.InitConnect)
        c2s.clientVer, c2s.clientID, c2s.recvNotify = CLIENT_VERSION, _CLIENT_ID, True
        c2s.packetEncAlgo = _NO_CIPHER if self._rsa is None else _AES_CBC
        c2s.pushProtoFmt, c2s.programmingLanguage = 0, "Python"
        try:
            s2c = await self._exchange(Proto.InitConnect, c2s)
            self._refuse_lost()  # it may have been closed right behind the answer
            self._aes = None if self._rsa is None else Aes(s2c.connAESKey, s2c.aesCBCiv)
        except (VenueError, StreamingError) as error:
            raise no_handshake(self._settings.endpoint, error) from None
        self.conn_id, self.user_id = int(s2c.connID), int(s2c.loginUserID)
        self.server_version = int(s2c.serverVer)
        self._reader.cipher = self._aes
        self._beat_later(max(s2c.keepAliveInterval, 1) * _CALM)

    def _give_up(self) -> None:
        self._lose(ConnectionClosed(_DROPPED, "it was never open"))

    # -- what it is asked -------------------------------------------------------------------

    @property
    def received(self) -> int:
        """Messages so far, signs of life among them."""
        return self._line.received

    @property
    def unreadable(self) -> Callable[[str], None]:
        """Who counts pushes that could not be read, by type; called on the network thread."""
        return self._line.unreadable

    @unreadable.setter
    def unreadable(self, count: Callable[[str], None]) -> None:
        self._line.unreadable = count

    @property
    def rush(self) -> Callable[[bool], None] | None:
        """Who is told on the network thread that much came at once, and that it was served."""
        return self._line.rush

    @rush.setter
    def rush(self, told: Callable[[bool], None]) -> None:
        self._line.rush = told

    def on_push(self, proto: Proto, sink: Sink) -> None:
        """Give pushes of this kind (their `s2c`) to `sink`, on the SDK's network thread.

        Pushes that nobody has asked for are dropped, so this comes before the subscription.
        """
        self._line.listen(proto, sink)

    async def ask(
        self,
        proto: Proto,
        c2s: Message,
        *,
        timeout_s: float | None = None,
        turned: Callable[[], None] | None = None,
        spare: int = 0,
    ) -> Message:
        """Ask one question when its turn has come; one round trip. Returns the answer's `s2c`.

        An order's or a change's `packetID` is filled in here.

        Args:
            proto: Its kind.
            c2s: From `schema.c2s_of`.
            timeout_s: For the answer, once its turn has come; None for the usual deadline.
            turned: Called once its turn has come, right before it is sent.
            spare: So many turns of OpenD's window are left to other questions of the kind.

        Raises:
            ConnectionClosed: The connection is gone, or was lost before the answer.
            RateLimited: Too many; if its `code` is empty, nothing was sent.
            VenueUnavailable: No answer in time, or none that says what came of it.
            VenueError: OpenD refused it; `code` is its errCode, or the answer's retType.
            MalformedMessage: The answer cannot be read.
        """
        self._check_thread()
        self._alive()
        await self._pace.turn(proto, c2s, spare=spare)
        if turned is not None:
            turned()
        seconds = timeout_s if timeout_s is not None else self._config.request_timeout_s
        heard = self.received
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(proto, c2s)
        except TimeoutError:
            if self.received == heard and seconds >= self._config.probe_s:
                self._lose(HeartbeatTimeout(seconds))  # not even a sign of life was answered
            text = f"{proto.name} was not answered within {seconds:g} s"
            raise VenueUnavailable(self._venue, "", text) from None

    async def probe(self) -> None:
        """Ask for the state of OpenD, as a sign of life."""
        await self.state(timeout_s=self._config.probe_s)

    async def state(self, *, timeout_s: float | None = None) -> Message:
        """The state of OpenD, with its clock (`time`, whole seconds); raises as `ask` does."""
        c2s = c2s_of(Proto.GetGlobalState)
        c2s.userID = self.user_id
        return await self.ask(Proto.GetGlobalState, c2s, timeout_s=timeout_s)

    async def _exchange(self, proto: Proto, c2s: Message) -> Message:
        serial = self._send(proto, c2s)
        key = (int(proto), serial)
        answer = self._pending[key] = asyncio.get_running_loop().create_future()
        try:
            body = await answer
        finally:
            self._pending.pop(key, None)
        return self._read(proto, body)

    def _send(self, proto: Proto, c2s: Message) -> int:
        network = self._alive()
        self._serial += 1
        if proto in _NUMBERED:
            c2s.packetID.connID, c2s.packetID.serialNo = self.conn_id, self._serial
        body = request(proto, c2s).SerializeToString()
        cipher = self._rsa if proto is Proto.InitConnect else self._aes
        network.send(self._raw_id, encode(proto, self._serial, body, cipher))
        return self._serial

    def _read(self, proto: Proto, body: bytes) -> Message:
        try:
            answer = read(response_class(proto), body)
        except ValueError:
            problem = f"an answer to {proto.name}"
            raise MalformedMessage(self._venue, len(body), "", problem) from None
        if answer.retType != 0:
            ret_type, code, text = answer.retType, answer.errCode, answer.retMsg
            raise error_of(self._venue, proto, int(ret_type), int(code), str(text))
        return answer.s2c  # type: ignore[no-any-return]

    def _alive(self) -> RawNetwork:
        self._refuse_lost()
        if self._network is None:
            raise ConnectionClosed(_DROPPED, "the connection is not open")
        return self._network

    def _refuse_lost(self) -> None:
        if self.lost.done():
            raise ConnectionClosed(_DROPPED, "the connection is gone")

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise WrongThread("a connection to OpenD belongs to the loop thread that made it")

    # -- what it hears ----------------------------------------------------------------------

    def _beat_later(self, seconds: float) -> None:
        self._pulse = asyncio.get_running_loop().call_later(seconds, self._beat, seconds)

    def _beat(self, seconds: float) -> None:
        """Say that we live, again and again; OpenD cuts who does not."""
        self._beat_later(seconds)
        c2s = c2s_of(Proto.KeepAlive)
        c2s.time = int(time.time())
        self._send(Proto.KeepAlive, c2s)

    def _on_connected(self, problem: str) -> None:
        if problem and not self._gone.done():
            self._gone.set_result(None)
        if not self._connected.done():
            self._connected.set_result(problem)

    def _on_answer(self, proto: int, serial: int, body: bytes) -> None:
        answer = self._pending.get((proto, serial))
        if answer is not None and not answer.done():
            answer.set_result(body)

    def _on_lost(self, error: FoxtrotError | None) -> None:
        if error is None and not self._gone.done():
            self._gone.set_result(None)
        self._lose(error or ConnectionClosed(_DROPPED, "closed by OpenD"))

    def _lose(self, error: FoxtrotError) -> None:
        """The connection is gone; the first cause counts."""
        if self.lost.done():
            return
        self.lost.set_result(error)
        if self._pulse is not None:
            self._pulse.cancel()
        if self._network is not None and self._raw_id and not self._gone.done():
            self._network.close(self._raw_id)
        if not self._connected.done():
            self._connected.set_result("closed")
        gone = ConnectionClosed(_DROPPED, "lost while waiting for an answer")
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(gone)
                answer.exception()  # seen: whoever asked may have been cancelled
