"""Answers that are kept: a question is asked once, and who asks meanwhile shares it."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from foxtrot.errors import VenueError, VenueUnavailable

K = TypeVar("K")
V = TypeVar("V")

REFUSAL_KEPT_S = 5.0
"""Long enough to be shared and to break a storm of the same mistake, too short to outlive it."""


class Answers(Generic[K, V]):
    """What a venue answered, by question; the oldest goes when there are `most`.

    A refusal of the venue is kept, too. Its silence is shared with those who wait, so that they
    need not wait one after the other, but is not kept: it is that of a connection, and the next may
    answer. What says nothing at all is not even shared: when the one who asks is cancelled, or his
    connection is lost, the next asks anew, on his own connection.

    Thread safety: the loop thread owns it.
    """

    def __init__(self, most: int, kept_s: float = math.inf) -> None:
        self._most, self._kept_s = most, kept_s
        self._kept: OrderedDict[K, tuple[V | VenueError, float]] = OrderedDict()
        self._asking: dict[K, asyncio.Future[VenueUnavailable | None]] = {}

    async def ask(self, key: K, question: Callable[[], Awaitable[V]]) -> V:
        """The kept answer, or the one that `question` brings.

        Raises:
            VenueError: The venue refuses, or did so less than `REFUSAL_KEPT_S` ago.
            VenueUnavailable: It does not answer.
        """
        while (kept := self._look(key)) is None:
            asking = self._asking.get(key)
            if asking is None:
                return await self._lead(key, question)
            if silence := await asyncio.shield(asking):
                raise silence.with_traceback(None)
        answer = kept[0]
        if isinstance(answer, VenueError):
            raise answer.with_traceback(None)
        return answer

    async def _lead(self, key: K, question: Callable[[], Awaitable[V]]) -> V:
        done = self._asking[key] = asyncio.get_running_loop().create_future()
        silence = None
        try:
            answer = await question()
        except VenueUnavailable as unanswered:
            silence = unanswered
            raise
        except VenueError as refusal:
            self._keep(key, refusal, REFUSAL_KEPT_S)
            raise
        else:
            self._keep(key, answer, self._kept_s)
            return answer
        finally:
            del self._asking[key]
            done.set_result(silence)

    def _look(self, key: K) -> tuple[V | VenueError, float] | None:
        kept = self._kept.get(key)
        return kept if kept and asyncio.get_running_loop().time() < kept[1] else None

    def _keep(self, key: K, answer: V | VenueError, kept_s: float) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (answer, asyncio.get_running_loop().time() + kept_s)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
