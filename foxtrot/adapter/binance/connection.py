"""One websocket connection: which streams it carries, and what waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from foxtrot.adapter.binance import limits
from foxtrot.adapter.binance.client import Socket
from foxtrot.adapter.binance.frames import QUOTE_PREFIX, FrameRouter, Head
from foxtrot.errors import ConnectionClosed, SubscriptionRefused
from foxtrot.gateway.counters import FeedCounters


class Connection:
    """Sends requests and sorts what comes: market data to the router, answers to who waits."""

    def __init__(
        self, number: int, frames: FrameRouter, counters: FeedCounters, ids: Iterable[int]
    ) -> None:
        self.number = number
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

    async def retire(self) -> None:
        """Close it on purpose; that is no loss."""
        self.lost = _ignore_loss
        if self._socket is not None:
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
            self._frames.on_quote(data)
            return
        head = self._frames.on_other(data)
        if head is not None:
            self._on_answer(head)

    def on_lost(self, error: BaseException | None, code: int) -> None:
        """Pass on that the socket is gone."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionClosed(code, "lost while waiting for an answer"))
        self.lost(error, code)

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


def _ignore_loss(error: BaseException | None, code: int) -> None:
    """Nobody listens yet."""
