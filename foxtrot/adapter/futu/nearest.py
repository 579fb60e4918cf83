"""What somebody may have meant who named a contract that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.schema import Proto, c2s_of
from foxtrot.adapter.futu.symbols import Security
from foxtrot.connectivity.diagnostics import labels
from foxtrot.core.logs import get_logger
from foxtrot.errors import MalformedMessage, VenueError

log = get_logger("foxtrot.futu.contracts")

_STOCK = 3
"""SecurityType."""


class Nearest:
    """The stocks of each market, asked for when the first name of it is wrong, and kept.

    Belongs to the loop thread.

    Args:
        venue: Name of the adapter, for logs.
    """

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._stocks: dict[int, Mapping[str, str]] = {}

    async def to(self, client: FutuClient, wrong: Security) -> str:
        """The stock that is spelled most like this, and its name; empty if none is, or who knows.

        Raises:
            ConnectionClosed: The connection was lost.
        """
        stocks = self._stocks.get(wrong.market)
        if stocks is None:
            try:
                stocks = self._stocks[wrong.market] = await _listed(client, wrong.market)
            except (VenueError, MalformedMessage) as error:
                log.info("stocks_not_listed", venue=self._venue, **labels(error))
                return ""
        near = difflib.get_close_matches(wrong.code.upper(), stocks, n=1)
        return f"{near[0]} ({stocks[near[0]]})" if near else ""


async def _listed(client: FutuClient, market: int) -> Mapping[str, str]:
    c2s = c2s_of(Proto.Qot_GetStaticInfo)
    c2s.market, c2s.secType = market, _STOCK
    answer = await client.ask(Proto.Qot_GetStaticInfo, c2s)
    rows = (row.basic for row in answer.staticInfoList)
    return {str(row.security.code): str(row.name) for row in rows if not row.delisting}
