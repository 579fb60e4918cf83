"""What can be asked of TWS beside streams, orders and bars, from any thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from foxtrot.adapter.ib import history
from foxtrot.adapter.ib.archive import TickKind
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.search import Match
from foxtrot.adapter.ib.session import Venue
from foxtrot.errors import VenueError
from foxtrot.gateway.base import HISTORY_DEADLINE_S, Progress, unwatched
from foxtrot.gateway.venue import VenueAdapter
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import TickData
from foxtrot.model.requests import HistoryRequest

T = TypeVar("T")


class Lookups(VenueAdapter[Venue]):
    """Each method waits for its answer, so it is not for a handler; it needs no stream.

    All raise `InvalidState` before `connect`, and `BridgeTimeout` after ten minutes.
    """

    def query_ticks(
        self,
        request: HistoryRequest,
        kind: TickKind = TickKind.TRADES,
        progress: Progress | None = None,
        *,
        timeout_s: float = HISTORY_DEADLINE_S,
    ) -> list[TickData]:
        """Ticks of the past; see `history.fetch_ticks`.

        TWS's pace allows for 60,000 in ten minutes, of quotes half of that: a busy hour needs a
        longer `timeout_s`.
        """
        venue = self._venue_to_ask()
        told = progress or unwatched
        return self._ask(
            venue,
            Purpose.HISTORY,
            lambda client: history.fetch_ticks(venue, client, request, told, kind),
            timeout_s,
        )

    def head_timestamp(self, symbol: str, exchange: Exchange) -> dt.datetime | None:
        """The first moment of which TWS has bars; None if it does not say."""
        venue = self._venue_to_ask()

        async def head(client: IbClient) -> dt.datetime | None:
            known = await venue.contracts.resolve(client, symbol, exchange)
            return await history.head_timestamp(venue, client, known)

        return self._ask(venue, Purpose.HISTORY, head)

    def search_contracts(self, pattern: str) -> tuple[Match, ...]:
        """Contracts whose symbol begins with `pattern`, or whose name has a word that does."""
        venue = self._venue_to_ask()
        return self._ask(
            venue, Purpose.API, lambda client: venue.contracts.search.find(client, pattern)
        )

    def validate_symbols(
        self, vt_symbols: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Instrument | VenueError]:
        """Each symbol's contract, or why it has none."""
        venue = self._venue_to_ask()
        return self._ask(
            venue,
            Purpose.API,
            lambda client: venue.contracts.validate(client, vt_symbols, progress),
        )

    def _venue_to_ask(self) -> Venue:
        self._refuse_unconnected()
        return self._configured()

    def _ask(
        self,
        venue: Venue,
        purpose: Purpose,
        question: Callable[[IbClient], Awaitable[T]],
        timeout_s: float = HISTORY_DEADLINE_S,
    ) -> T:
        async def asked() -> T:
            async with venue.pool.acquire(purpose) as client:
                return await question(client)

        return self.bridge.run(asked(), timeout=timeout_s)
