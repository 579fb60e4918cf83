"""What the trading sessions of all venues have in common: see `gateway.trading.TradingSession`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import Action, ErrorClass, FoxtrotError, InvalidState, VenueUnavailable
from foxtrot.execution.reports import Known, OrderState, Unknown
from foxtrot.gateway.session import BaseSession
from foxtrot.gateway.trading import Accepted, Answer, NotSent
from foxtrot.gateway.venue import VenueT
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.gateway.orders")

T = TypeVar("T")

_SHARE = 0.9
"""Of the time for an order: so that who waits hears what is known, not only that time is up."""


def barrier(unwanted: Callable[[str], str], orderid: str) -> Callable[[], None]:
    """What stops an order that is halted or cancelled meanwhile: its turn may take a second.

    Args:
        unwanted: Why an order should not leave any more, by its orderid; empty if it should.
        orderid: The order.
    """

    def stop() -> None:
        if why := unwanted(orderid):
            raise InvalidState(why)

    return stop


async def in_two_steps(
    cancel: Awaitable[Answer], place: Callable[[], Awaitable[Answer]]
) -> tuple[Answer, Answer]:
    """Cancel an order and, once the venue says that it is cancelled, send another.

    A venue that could change the order instead would keep our old name for it.
    """
    cancelled = await cancel
    if not isinstance(cancelled, Accepted):
        reason = f"not attempted, as the cancel came to nothing: {cancelled.reason}"
        return cancelled, NotSent(reason)
    state = cancelled.report.state
    if state is not OrderState.CANCELED:
        return cancelled, NotSent(f"not attempted, as the other one is {state.value}")
    return cancelled, await place()


class BaseOrderSession(BaseSession[VenueT]):
    """A session that trades: it has no streams of the market, and none of its questions raises."""

    fills_s: float = 0.0
    """Where the fills of all symbols come by a few questions, or no limit is in sight."""

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Nothing: a trading session has no streams of the market."""
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Nothing."""

    def _until(self) -> float:
        """When the time for an order that is sent now is up, in the loop's seconds."""
        now = asyncio.get_running_loop().time()
        return now + self._venue.flags.orders_timeout_s * _SHARE

    async def _known(self, ask: Callable[[], Awaitable[tuple[T, ...]]]) -> Known[T] | Unknown:
        """A list, or why there is none."""
        answer = await self._told(ask)
        return answer if isinstance(answer, Unknown) else Known(answer)

    async def _told(self, ask: Callable[[], Awaitable[T]]) -> T | Unknown:
        """An answer, or why there is none."""
        try:
            return await ask()
        except FoxtrotError as error:
            return self._unknown(error)
        except ValueError as error:
            return self._unknown(self._unbelievable(error))

    def _unknown(self, error: FoxtrotError) -> Unknown:
        """No answer; where asking on would hammer or help nothing, the session ends too."""
        log.warning("question_unanswered", venue=self._venue.name, reason=str(error))
        if not self._is_useless_after(error):
            return Unknown(str(error))
        self.fail(error)
        return Unknown(str(error), error)

    def _is_useless_after(self, error: FoxtrotError) -> bool:
        """Whether nothing more should be asked for now; one symbol that is gone is no reason."""
        return error.action is Action.STOP and error.error_class is not ErrorClass.SYMBOL

    def _unbelievable(self, error: ValueError) -> VenueUnavailable:
        words = scrub(str(error), limit=TEXT_LIMIT)
        return VenueUnavailable(self._venue.name, "", f"an answer cannot be believed: {words}")
