"""The one door to TWS: opens a connection, asks it, tells it, closes it. Used once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable

from foxtrot.adapter.ib.errors import (
    TOO_MANY_MESSAGES,
    Effect,
    effect_of,
    error_of,
    translate,
)
from foxtrot.adapter.ib.inbox import Inbox
from foxtrot.adapter.ib.limits import IbPaceManager, PaceScope
from foxtrot.adapter.ib.opening import check_accounts, connect
from foxtrot.adapter.ib.order_mapping import EXEC_DETAILS, dated
from foxtrot.adapter.ib.requests import Enough, Requests
from foxtrot.adapter.ib.sdk import RawClient, RawContract, RawOrder, load, sdk
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    FoxtrotError,
    InvalidState,
    StreamingError,
    VenueUnavailable,
    WrongThread,
)

__all__ = ["IbClient", "RawClient", "RawContract", "RawOrder", "sdk"]

log = get_logger("foxtrot.ib.client")

FIRST_REQUEST_ID = 1_000_000_000
"""Of questions and streams: far above order ids, with which they share the ids of errors."""

LARGEST_FRAME = 0xFF_FFFF
"""Bytes; a longer one is a length that cannot be trusted. Source: the API's own clients."""

LARGEST_BACKLOG = 4 * 1024 * 1024
"""Bytes that TWS has not taken: it reads no more."""

_LOUD = frozenset(Effect) - {Effect.NOTICE, Effect.FARM_BACK, Effect.FARM_IDLE}
_OPEN_SHARE = 0.9  # of the deadline, so that who waits hears the cause and not only the deadline
_DROPPED = 1006
_TURN_S = 120.0
"""Longest wait for a turn: as many as may wait have it by then."""


class IbClient:
    """One connection to TWS, made unopened. Lives on the thread that made it.

    Args:
        venue: Name of the adapter, for errors.
        settings: What `connect` was given.
        config: Deadlines.
        pace: The turns of this TWS; every message waits for one.
        client_id: Under which TWS knows this connection.
    """

    def __init__(
        self,
        venue: str,
        settings: IbSettings,
        config: StreamConfig,
        pace: IbPaceManager,
        client_id: int,
    ) -> None:
        self._venue, self._settings, self._config = venue, settings, config
        self._pace, self.client_id = pace, client_id
        self._thread = threading.get_ident()
        self.requests = Requests(venue)
        self.inbox = Inbox(venue, self.requests, self._on_error)
        self.lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.accounts: tuple[str, ...] = ()
        self.server_version = 0
        self.line_down = ""
        """Why TWS cannot reach IB; empty while it can. It may say so right behind its welcome."""
        self.read: Callable[[bytes], None] = _unread
        """Takes what the socket brings; the SDK's own reader unless a faster one is set."""
        self._raw: RawClient | None = None
        self._ready = self._closed = False
        self._received = 0
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next_request_id = FIRST_REQUEST_ID
        self._next_order_id = 1
        self._cancels: set[asyncio.Task[None]] = set()

    # -- opening and closing ----------------------------------------------------------------

    async def open(self) -> None:
        """Connect; returns when TWS has named its accounts and the next order id.

        Raises:
            ConnectError: Refused, closed during the handshake, or not answered in time.
            ClientIdInUse: Another connection has this client id.
            ConfigurationError: The SDK is missing, or TWS has other accounts than the setting says.
        """
        self._check_thread()
        if self._raw is not None or self._closed:
            raise InvalidState("a connection to TWS is opened once")
        package = await load()
        raw = self._raw = package.Client(self.inbox)
        self._prepare(raw)
        timeout_s = self._config.connect_timeout_s * _OPEN_SHARE
        try:
            await connect(self._venue, raw, self._settings, self.client_id, self.lost, timeout_s)
            self._learn(raw)
        except BaseException:  # boundary: however it ended, no socket is left
            self._lose(ConnectionClosed(_DROPPED, "it was never open"))
            self._drop()
            raise
        log.info(
            "connected",
            venue=self._venue,
            endpoint=self._settings.endpoint,
            client_id=self.client_id,
            server_version=self.server_version,
        )

    async def close(self) -> None:
        """Say goodbye, so that TWS frees the client id, and give everything back. Never raises."""
        if self._closed:
            return
        self._lose(ConnectionClosed(1000, "closed by us"), drop=False)
        self._closed = True
        for task in tuple(self._cancels):
            task.cancel()
        transport = self._raw.conn.transport if self._raw is not None else None
        if transport is None:
            return
        transport.close()
        try:
            await asyncio.wait({self._gone}, timeout=self._config.close_timeout_s / 2)
        finally:
            self._drop()

    def _prepare(self, raw: RawClient) -> None:
        raw.MaxRequests = 0  # the pace manager is in front of every message
        raw.decoder.logger = self.inbox.decoder_log
        raw.decoder.handlers[EXEC_DETAILS] = dated(raw.decoder.handlers[EXEC_DETAILS])
        raw._logger = _silence()
        self.read = raw._onSocketHasData
        raw.conn.hasData.disconnect(raw._onSocketHasData)
        raw.conn.hasData.connect(self._on_data)
        raw.conn.disconnected.connect(self._on_disconnected)
        raw.apiError.connect(self._on_api_error)

    def _learn(self, raw: RawClient) -> None:
        self.server_version = raw.serverVersion()
        self.accounts = tuple(raw.getAccounts())
        self.saw_order_id(raw.getReqId() - 1)
        check_accounts(self._settings, self.accounts)
        self._ready = True

    @property
    def account(self) -> str:
        """The account that is traded.

        Raises:
            ConfigurationError: TWS has several, and the setting names none.
        """
        if self._settings.account:
            return self._settings.account
        if len(self.accounts) != 1:
            several = scrub(", ".join(self.accounts), limit=TEXT_LIMIT)
            problem = f"is missing; TWS has several: {several}"
            raise ConfigurationError("connect", "account", problem)
        return self.accounts[0]

    # -- what it is told and asked ----------------------------------------------------------

    @property
    def raw(self) -> RawClient:
        """The SDK's client, for a reader of its frames.

        Raises:
            ConnectionClosed: There is none any more.
        """
        self._check_thread()
        return self._alive()

    @property
    def received(self) -> int:
        """Application messages so far."""
        if self._ready and self._raw is not None and self._raw.isReady():
            self._received = self._raw.connectionStats().numMsgRecv
        return self._received

    def next_order_id(self) -> int:
        """An order id that this client id never had, and above everything seen."""
        self._check_thread()
        number = self._next_order_id
        self._next_order_id += 1
        return number

    def saw_order_id(self, order_id: int) -> None:
        """An order of this client id exists."""
        self._next_order_id = max(self._next_order_id, order_id + 1)

    def new_request_id(self) -> int:
        """An id for a question or a stream."""
        self._check_thread()
        self._next_request_id += 1
        return self._next_request_id

    async def tell(self, send: Callable[[RawClient], None], *, order: bool = False) -> None:
        """Send one message when its turn has come.

        Raises:
            ConnectionClosed: The connection is gone; nothing was written.
            RateLimited: Too much waits for its turn; nothing was written.
        """
        self._check_thread()
        self._alive()
        await self._pace.message(order=order)
        self._write(send)

    async def ask(
        self,
        what: str,
        send: Callable[[RawClient, int], None],
        *,
        timeout_s: float | None = None,
        cancel: Callable[[RawClient, int], None] | None = None,
        enough: Enough | None = None,
    ) -> list[object]:
        """Ask a question with an id; returns the rows of its answer.

        A row is what the callback has after the id: one value, or several as a tuple.

        Args:
            what: Its name, for errors.
            send: Sends it, under an id.
            timeout_s: For the answer, once its turn has come; None for the usual deadline.
            cancel: Takes it back when nobody waits any more.
            enough: Told each row; whether no more of them are needed.

        Raises:
            VenueError: TWS refused it.
            VenueUnavailable: It was not answered in time.
            ConnectionClosed: The connection was lost.
        """
        number, sent = self.new_request_id(), False
        question = self.requests.open(number, what, enough)
        try:
            async with self._deadline(what, _TURN_S):
                await self.tell(lambda raw: send(raw, number))
            sent = True
            async with self._deadline(what, timeout_s):
                return await question.done
        finally:
            self.requests.close(number)
            if sent and cancel is not None and question.goes_on:
                self._take_back(cancel, number)

    async def ask_named(
        self,
        name: str,
        send: Callable[[RawClient], None],
        *,
        timeout_s: float | None = None,
        urgent: bool = False,
    ) -> list[object]:
        """Ask a question that has no id, when no other of its kind is under way.

        Args:
            name: One of `requests.KINDS`.
            send: Sends it.
            timeout_s: For lock, turn and answer together; None for the usual deadline.
            urgent: Its turn comes before all others', like an order's.

        Returns:
            The rows of the answer: the arguments of each callback, one value or a tuple. Pushes
            that arrive meanwhile may be among them; the sinks hear all of them as well.

        Raises:
            VenueUnavailable: It was not answered in time. The second time in a row the connection
                is given up: an answer that never came is taken out of the next, for ever.
            ConnectionClosed: The connection was lost.
        """
        owed_before = self.requests.owed(name)
        try:
            async with self._deadline(name, timeout_s), self.requests.lock(name):
                return await self._ask_named(name, send, urgent)
        except VenueUnavailable as error:
            if owed_before and self.requests.owed(name):
                self._lose(StreamingError(str(error)))
            raise

    async def _ask_named(
        self, name: str, send: Callable[[RawClient], None], urgent: bool
    ) -> list[object]:
        question, sent = self.requests.open_named(name), False
        try:
            await self.tell(send, order=urgent)
            sent = True
            return await question.done
        finally:
            self.requests.close_named(name, sent=sent)

    async def probe(self) -> None:
        """Ask TWS for its time, as a sign of life; a crowd that waits here is no fault of its."""
        timeout_s = self._config.probe_s
        await self.ask_named(
            "currentTime", lambda raw: raw.reqCurrentTime(), timeout_s=timeout_s, urgent=True
        )

    @contextlib.asynccontextmanager
    async def _deadline(self, what: str, timeout_s: float | None) -> AsyncIterator[None]:
        seconds = timeout_s if timeout_s is not None else self._config.request_timeout_s
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            text = f"{what} was not answered within {seconds:g} s"
            raise VenueUnavailable(self._venue, "", text) from None

    def _take_back(self, cancel: Callable[[RawClient, int], None], number: int) -> None:
        if self.lost.done():
            return
        task = asyncio.ensure_future(self._tell_if_alive(lambda raw: cancel(raw, number)))
        self._cancels.add(task)
        task.add_done_callback(self._cancels.discard)

    async def _tell_if_alive(self, send: Callable[[RawClient], None]) -> None:
        with contextlib.suppress(FoxtrotError):
            await self.tell(send)

    def _write(self, send: Callable[[RawClient], None]) -> None:
        raw = self._alive()
        try:
            send(raw)
        except Exception as error:  # boundary: an SDK that cannot encode has written nothing
            endpoint, timeout_s = self._settings.endpoint, self._config.request_timeout_s
            raise translate(error, self._venue, endpoint, timeout_s=timeout_s) from error
        transport = raw.conn.transport
        if transport is not None and transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self._lose(ConnectionClosed(_DROPPED, "TWS reads no more"))

    def _alive(self) -> RawClient:
        if self.lost.done() or self._raw is None:
            raise ConnectionClosed(_DROPPED, "the connection is gone")
        return self._raw

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise WrongThread("a connection to TWS belongs to the loop thread that made it")

    # -- what it hears ----------------------------------------------------------------------

    def _on_data(self, data: bytes) -> None:
        if self.lost.done():
            return
        try:
            self.read(data)
        except Exception as error:  # noqa: BLE001 - boundary: whatever the SDK cannot read
            log.warning("unreadable_line", venue=self._venue, error=type(error).__name__)
            self._lose(StreamingError("what came is not TWS's protocol"))
            return
        raw = self._raw
        if raw is not None and int.from_bytes(raw._data[:4], "big") > LARGEST_FRAME:
            self._lose(StreamingError("a frame has an impossible length"))

    def _on_error(self, req_id: int, code: int, text: str) -> None:
        effect = effect_of(code)
        if req_id < 0:
            say = log.warning if effect in _LOUD else log.debug
            say("tws_says", venue=self._venue, client_id=self.client_id, code=code, text=text)
        if effect is Effect.LINE_DOWN:
            self.line_down = f"{code}: {scrub(text, limit=TEXT_LIMIT)}"
        elif effect in (Effect.LINE_BACK, Effect.LINE_BACK_EMPTY):
            self.line_down = ""
        if code == TOO_MANY_MESSAGES:
            self._pace.violated(PaceScope.MESSAGES)
        if effect is Effect.CLOSED:
            self._lose(error_of(self._venue, code, text, client_id=self.client_id))

    def _on_api_error(self, text: str) -> None:
        """The SDK gives a connection up; it does so in silence if TWS is too old for it."""
        if self._raw is None:
            return
        version, least = self._raw.serverVersion(), self._raw.MinClientVersion
        if 0 < version < least:
            advice = f"it speaks version {version}, and {least} is needed; update TWS or IB Gateway"
            self._lose(ConnectError(self._settings.endpoint, f"TWS is too old: {advice}"))

    def _on_disconnected(self, reason: str) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._lose(ConnectionClosed(_DROPPED, "dropped" if reason else "closed by TWS"))

    def _lose(self, error: FoxtrotError, *, drop: bool = True) -> None:
        """The connection is gone; the first cause counts."""
        if self.lost.done():
            return
        self._received = self.received
        self.lost.set_result(error)
        gone = ConnectionClosed(_DROPPED, "lost while waiting for an answer")
        self.requests.fail_all(gone)
        if drop:
            self._drop()

    def _drop(self) -> None:
        """Cut the socket; nothing that is left in it will be sent."""
        raw = self._raw
        if raw is not None and raw.conn.transport is not None:
            raw.conn.transport.abort()


def _silence() -> logging.Logger:
    """Takes what the SDK logs of a connection, which foxtrot says itself."""
    logger = logging.getLogger("foxtrot.ib.silence")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def _unread(data: bytes) -> None:
    """Nothing is connected yet."""
