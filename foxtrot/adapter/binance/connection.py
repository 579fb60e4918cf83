"""One websocket connection: which streams it carries, and what waits for an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from foxtrot.adapter.binance import limits
from foxtrot.adapter.binance.client import Socket
from foxtrot.adapter.binance.frame_types import QUOTE_PREFIX, UnreadableRows, type_of
from foxtrot.adapter.binance.frames import FrameRouter, Head
from foxtrot.errors import ConnectionClosed, FoxtrotError, MalformedMessage, SubscriptionRefused
from foxtrot.gateway.counters import FeedCounters


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Several frames of one type in a row could not be read; of any symbol, if none is named."""

    frame_type: str
    symbols: frozenset[str]
    last: MalformedMessage


class Connection:
    """Sends requests and sorts what comes: market data to the router, answers to who waits.

    Args:
        number: Tells connections apart.
        frames: Takes the market data.
        counters: Where frames are counted.
        ids: Of requests.
        frame_strikes: So many unreadable frames of one type in a row are told to `unreadable`.
    """

    def __init__(
        self,
        number: int,
        frames: FrameRouter,
        counters: FeedCounters,
        ids: Iterable[int],
        frame_strikes: int,
    ) -> None:
        self.number = number
        self.unreadable: Callable[[Unreadable], None] = _ignore_unreadable
        self._rows, self._frame_strikes = UnreadableRows(), frame_strikes
        self.streams: set[str] = set()
        self.opened_at = 0.0
        self._frames, self._counters, self._ids = frames, counters, iter(ids)
        self._socket: Socket | None = None
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._venue = ""
        self.lost: Callable[[BaseException | None, int], None] = _ignore_loss

    def attach(self, socket: Socket, venue: str) -> None:
        """Use `socket`."""
        self._socket, self._venue = socket, venue
        self.opened_at = asyncio.get_running_loop().time()

    async def retire(self, drain_s: float = 0.0) -> None:
        """Close it on purpose; that is no loss.

        Args:
            drain_s: How long to wait for what is on its way: when the venue answers a last
                question, all that it sent before has arrived.
        """
        self.lost = _ignore_loss
        if self._socket is None:
            return
        if drain_s:
            with contextlib.suppress(TimeoutError, FoxtrotError):
                async with asyncio.timeout(drain_s):
                    await self.request("LIST_SUBSCRIPTIONS", (), drain_s)
        await self._socket.close()

    @property
    def room(self) -> int:
        """How many more streams it may carry."""
        return limits.STREAMS_PER_CONNECTION - len(self.streams)

    async def request(self, method: str, params: Sequence[str], timeout_s: float) -> None:
        """Send a request and wait for the venue's yes.

        Raises:
            SubscriptionRefused: The venue said no.
            TimeoutError: It said nothing.
            ConnectionClosed: The connection is gone.
        """
        assert self._socket is not None
        number = next(self._ids)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._socket.send(method, params, number)
            async with asyncio.timeout(timeout_s):
                await answer
        finally:
            self._answers.pop(number, None)

    def on_frame(self, data: bytes) -> None:
        """Take a frame from the socket."""
        self._counters.received += 1
        if data[:5] == QUOTE_PREFIX:
            found: Head | MalformedMessage | None = self._frames.on_quote(data)
        else:
            found = self._frames.on_other(data)
        if found is None:
            if self._rows.open:
                self._rows.readable(data)
        elif isinstance(found, Head):
            self._on_answer(found)
        else:
            self._on_unreadable(data, found)

    def on_lost(self, error: BaseException | None, code: int) -> None:
        """Pass on that the socket is gone."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionClosed(code, "lost while waiting for an answer"))
        self.lost(error, code)

    def _on_unreadable(self, data: bytes, error: MalformedMessage) -> None:
        symbols = self._rows.unreadable(data, self._frame_strikes)
        if symbols is not None:
            self.unreadable(Unreadable(type_of(data), symbols, error))

    def _on_answer(self, head: Head) -> None:
        refused = bool(head.code or bytes(head.error))
        number = head.id if isinstance(head.id, int) else None
        if number is None and refused:  # the venue could not read the request's id
            number = next(iter(self._answers), None)
        answer = self._answers.get(number) if number is not None else None
        if answer is None or answer.done():
            return
        if refused:
            text = head.msg or "the venue refused the request"
            answer.set_exception(SubscriptionRefused(self._venue, str(head.code or ""), text))
        else:
            answer.set_result(None)


def _ignore_unreadable(found: Unreadable) -> None:
    """Nobody listens yet."""


def _ignore_loss(error: BaseException | None, code: int) -> None:
    """Nobody listens yet."""
