"""The contracts that somebody named: looked up on demand, once, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

from foxtrot.adapter.futu import symbols
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.instruments import Instrument, Name, RawStatic, instrument
from foxtrot.adapter.futu.nearest import Nearest
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.adapter.futu.snapshots import OF_THE_MOMENT
from foxtrot.adapter.futu.symbols import Security
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    ConfigurationError,
    UnknownSymbol,
    VenueError,
)
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData

log = get_logger("foxtrot.futu.contracts")

T = TypeVar("T")

AT_ONCE = 200
"""Contracts in one question; a snapshot takes more."""


class Contracts:
    """The contracts of one adapter; they outlive its sessions.

    Args:
        adapter_name: Name of the adapter.
        told: Gets each contract when it is first looked up.

    Thread safety: `get` and `name_of` from any thread, the rest belongs to the loop thread.
    """

    def __init__(
        self, adapter_name: str, told: Callable[[ContractData], None] | None = None
    ) -> None:
        self._adapter_name, self._told = adapter_name, told
        self._known: dict[Name, Instrument] = {}
        self._names: dict[Security, Name] = {}
        self._lock = asyncio.Lock()
        self._nearest = Nearest(adapter_name)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, symbol: str, exchange: Exchange) -> Instrument | None:
        """The contract of a name, if it was looked up."""
        return self._known.get((symbol, exchange))

    def name_of(self, market: int, code: str) -> Name:
        """What a contract in a push is called here: as it was first looked up, or by its market."""
        known = self._names.get(Security(market, code))
        if known is not None:
            return known
        return code, symbols.exchange_of(market, 0) or Exchange.GLOBAL

    async def resolve(self, client: FutuClient, symbol: str, exchange: Exchange) -> Instrument:
        """The contract that a name means.

        Raises:
            UnknownSymbol: It means none.
            FoxtrotError: The question was not answered.
        """
        name = (symbol, exchange)
        found = (await self.resolve_all(client, [name]))[name]
        if isinstance(found, VenueError):
            raise found
        return found

    async def resolve_all(
        self, client: FutuClient, names: Iterable[Name]
    ) -> dict[Name, Instrument | VenueError]:
        """The contracts of many names, or why some have none.

        Raises:
            FoxtrotError: The question was not answered.
        """
        wanted = list(dict.fromkeys(names))
        if all(name in self._known for name in wanted):
            return {name: self._known[name] for name in wanted}
        async with self._lock:
            return await self._resolved(client, wanted)

    async def _resolved(
        self, client: FutuClient, wanted: list[Name]
    ) -> dict[Name, Instrument | VenueError]:
        answers: dict[Name, Instrument | VenueError] = {}
        asked: dict[Name, Security] = {}
        for name in wanted:
            if name in self._known:
                answers[name] = self._known[name]
                continue
            try:
                asked[name] = symbols.parse(*name)
            except ConfigurationError as error:
                answers[name] = UnknownSymbol(self._adapter_name, "", error.problem)
        for batch in _batches(list(asked.items()), AT_ONCE):
            answers.update(await self._look_up(client, dict(batch)))
        return {name: answers[name] for name in wanted}

    async def _look_up(
        self, client: FutuClient, asked: dict[Name, Security]
    ) -> dict[Name, Instrument | VenueError]:
        """Ask for a batch; one unknown code has all of them refused, so then each by itself."""
        try:
            rows = await self._static(client, asked.values())
        except OF_THE_MOMENT:
            raise
        except VenueError as refusal:
            if len(asked) == 1:
                ((name, security),) = asked.items()
                return {name: await self._unknown(client, name, security, refusal)}
            answers: dict[Name, Instrument | VenueError] = {}
            for name, security in asked.items():
                answers |= await self._look_up(client, {name: security})
            return answers
        steps = await self._steps(client, list(rows))
        return {
            name: self._take(name, security, rows[security], steps.get(security, 0.0))
            if security in rows
            else await self._unknown(client, name, security, None)
            for name, security in asked.items()
        }

    async def _static(
        self, client: FutuClient, securities: Iterable[Security]
    ) -> dict[Security, Message]:
        c2s = c2s_of(Proto.Qot_GetStaticInfo)
        for market, code in dict.fromkeys(securities):
            c2s.securityList.add(market=market, code=code)
        answer = await client.ask(Proto.Qot_GetStaticInfo, c2s)
        rows = (row.basic for row in answer.staticInfoList)
        return {
            Security(row.security.market, row.security.code): row
            for row in rows
            if row.id != 0 and not row.delisting  # OpenD describes what it does not know by zeros
        }

    async def _steps(self, client: FutuClient, securities: list[Security]) -> dict[Security, float]:
        """Price steps, which only a snapshot tells; none of what the user may not look at.

        Rights are sold by market, and one contract without has a whole question refused.
        """
        steps: dict[Security, float] = {}
        for market in dict.fromkeys(each.market for each in securities):
            c2s = c2s_of(Proto.Qot_GetSecuritySnapshot)
            for each in securities:
                if each.market == market:
                    c2s.securityList.add(market=market, code=each.code)
            try:
                answer = await client.ask(Proto.Qot_GetSecuritySnapshot, c2s)
            except OF_THE_MOMENT:
                raise
            except VenueError as refusal:
                log.warning("price_step_unknown", venue=self._adapter_name, reason=str(refusal))
                continue
            for row in answer.snapshotList:
                basic = row.basic
                steps[Security(basic.security.market, basic.security.code)] = basic.priceSpread
        return steps

    def _take(self, name: Name, security: Security, row: Message, step: float) -> Instrument:
        listed_at = symbols.exchange_of(security.market, row.exchType)
        static = cast("RawStatic", row)
        found = instrument(self._adapter_name, name, security, static, step, listed_at)
        self._known[name] = found
        self._names.setdefault(security, name)
        log.debug("contract_found", venue=self._adapter_name, symbol=found.vt_symbol)
        if self._told is not None:
            self._told(found.data)
        return found

    async def _unknown(
        self, client: FutuClient, name: Name, security: Security, refusal: VenueError | None
    ) -> VenueError:
        if refusal is not None and not isinstance(refusal, UnknownSymbol):
            return refusal
        code, said = (refusal.code, f": {refusal.text}") if refusal else ("", "")
        near = await self._nearest.to(client, security)
        hint = f"; did you mean {near}?" if near else ""
        text = f"{name[0]!r} is not traded at {name[1].value}{said}{hint}"
        return UnknownSymbol(self._adapter_name, code, text)


def _batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
