"""Search for contracts by a part of their name: cached, and no faster than IB allows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol, cast

from foxtrot.adapter.ib import symbols
from foxtrot.adapter.ib.answers import Answers
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.instruments import canonical
from foxtrot.adapter.ib.sdk import RawContract
from foxtrot.connectivity.pacing import Spacing
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError, FoxtrotError
from foxtrot.model.constants import Exchange, Product

log = get_logger("foxtrot.ib.search")

GAP_S = 1.0
"""Between two searches. Source: TWS API documents, "Stock Contract Search"."""

KEPT_S = 3_600.0
MOST_KEPT = 500
LONGEST_PATTERN = 64

NEAR_TIMEOUT_S = 3.0
"""How long advice about a misspelt symbol may keep its error waiting."""


class RawDescription(Protocol):
    """What is read of the SDK's ContractDescription."""

    contract: RawContract
    derivativeSecTypes: list[str]


@dataclass(frozen=True, slots=True)
class Match:
    """One contract that was found, under the name it can be subscribed and ordered by.

    `derivatives` are the types of what is traded upon it, such as OPT and FUT.
    """

    symbol: str
    exchange: Exchange
    con_id: int
    sec_type: str
    currency: str
    primary_exchange: str
    description: str
    derivatives: tuple[str, ...]

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"

    @property
    def product(self) -> Product | None:
        """The kind of contract; None if foxtrot has no word for it."""
        return symbols.PRODUCTS.get(self.sec_type)


class Search:
    """The searches of one adapter.

    Thread safety: the loop thread owns it.
    """

    def __init__(self) -> None:
        self._spacing = Spacing(GAP_S)
        self._answers: Answers[str, tuple[Match, ...]] = Answers(MOST_KEPT, KEPT_S)
        self._advising = False

    async def find(self, client: IbClient, pattern: str) -> tuple[Match, ...]:
        """Contracts whose symbol begins with `pattern` or whose name has it, the best first.

        IB gives 16 at most, and lists stocks, indices, pairs and the roots of derivatives.

        Raises:
            ConfigurationError: The pattern is empty or too long.
            FoxtrotError: The question was not answered.
        """
        wanted = " ".join(pattern.split()).upper()
        if not 0 < len(wanted) <= LONGEST_PATTERN:
            problem = f"must have 1 to {LONGEST_PATTERN} letters"
            raise ConfigurationError("search", "pattern", problem)
        return await self._answers.ask(wanted, lambda: self._ask(client, wanted))

    async def near(self, client: IbClient, text: str) -> tuple[Match, ...]:
        """What a misspelt symbol may have meant: a courtesy, empty if it takes too long.

        One at a time: a thousand misspelt symbols are not a thousand searches.
        """
        if self._advising:
            return ()
        self._advising = True
        try:
            async with asyncio.timeout(NEAR_TIMEOUT_S):
                return await self.find(client, text) or await self.find(client, text[:-1])
        except (FoxtrotError, TimeoutError) as error:
            log.info("advice_missing", pattern=text, reason=str(error))
            return ()
        finally:
            self._advising = False

    async def _ask(self, client: IbClient, pattern: str) -> tuple[Match, ...]:
        wait_s = self._spacing.reserve(asyncio.get_running_loop().time())
        if wait_s:
            await asyncio.sleep(wait_s)
        rows = await client.ask(
            "symbolSamples", lambda raw, number: raw.reqMatchingSymbols(number, pattern)
        )
        return tuple(_match(row) for row in cast("list[RawDescription]", rows[0]))


def _match(row: RawDescription) -> Match:
    contract = row.contract
    symbol, exchange = canonical(contract)
    return Match(
        symbol,
        exchange,
        contract.conId,
        contract.secType,
        contract.currency,
        contract.primaryExchange,
        getattr(contract, "description", ""),
        tuple(row.derivativeSecTypes),
    )
