"""The contracts that somebody named: looked up on demand, once, and kept."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import cast

from foxtrot.adapter.ib import symbols
from foxtrot.adapter.ib.answers import Answers
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.instruments import (
    Instrument,
    Name,
    RawDetails,
    candidate,
    canonical,
    instrument,
    raw_contract,
)
from foxtrot.adapter.ib.sdk import RawContract
from foxtrot.adapter.ib.search import Search
from foxtrot.adapter.ib.symbols import Spec
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    AmbiguousSymbol,
    ConfigurationError,
    StreamingError,
    UnknownSymbol,
    VenueError,
)
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData

log = get_logger("foxtrot.ib.contracts")

AT_ONCE = 8
"""Lookups under way at the same time when many symbols are validated."""

ANSWERS_KEPT = 1_000

NO_DEFINITION = "200"
"""IB's code for a contract that does not exist."""


class Contracts:
    """The contracts of one adapter; they outlive its sessions. `search` finds new ones.

    Thread safety: `get` from any thread, the rest belongs to the loop thread.
    """

    def __init__(
        self,
        adapter_name: str,
        told: Callable[[ContractData], None] | None = None,
    ) -> None:
        """Make an empty book.

        Args:
            adapter_name: Name of the adapter.
            told: Gets each contract when it is first looked up.
        """
        self._adapter_name = adapter_name
        self.search = Search()
        self._told = told
        self._known: dict[str, Instrument] = {}
        self._pushed: dict[int, Instrument] = {}
        self._named: dict[int, list[Name]] = {}
        self._owners: dict[Name, int] = {}
        self._answers: Answers[Name | int, Instrument] = Answers(ANSWERS_KEPT)

    def get(self, vt_symbol: str) -> Instrument | None:
        """The contract of `vt_symbol`, if it was looked up."""
        return self._known.get(vt_symbol)

    async def resolve(self, client: IbClient, symbol: str, exchange: Exchange) -> Instrument:
        """The contract that a name means; asked for once, whoever asks meanwhile.

        Raises:
            UnknownSymbol: It means none. The text says which part is wrong, or what comes near.
            AmbiguousSymbol: It means several; the text lists them.
            FoxtrotError: The question was not answered.
        """
        name = (symbol, exchange)
        known = self._known.get(f"{symbol}.{exchange.value}")
        return known or await self._answers.ask(name, lambda: self._look_up(client, name))

    async def by_con_id(
        self, client: IbClient, con_id: int, exchange_hint: Exchange | None = None
    ) -> Instrument:
        """The contract of a push, under the name it has here; see `name_of`.

        Raises:
            UnknownSymbol: IB knows no such contract.
            FoxtrotError: The question was not answered.
        """
        for symbol, exchange in self._named.get(con_id, ()):
            return self._known[f"{symbol}.{exchange.value}"]
        if con_id in self._pushed:
            return self._pushed[con_id]
        place = symbols.EXCHANGES.get(exchange_hint, "") if exchange_hint else ""
        return await self._answers.ask(con_id, lambda: self._look_up_pushed(client, con_id, place))

    async def complete(self, client: IbClient, pushed: Iterable[RawContract]) -> bool:
        """Look up what `name_of` would call by no exchange, such as futures among positions.

        Returns whether it knows more now. A contract that cannot be had keeps that name: it is
        worth no trouble of the account's.

        Raises:
            StreamingError: The connection was lost.
        """
        placeless = (each for each in pushed if self.name_of(each)[1] is Exchange.GLOBAL)
        before = len(self._known)
        con_ids = dict.fromkeys(each.conId for each in placeless)
        # Together: what is never answered costs a deadline each, and a session has one for all.
        await asyncio.gather(*(self._place(client, con_id) for con_id in con_ids))
        return len(self._known) > before

    async def _place(self, client: IbClient, con_id: int) -> None:
        with contextlib.suppress(VenueError):
            await self.by_con_id(client, con_id)

    def name_of(self, contract: RawContract) -> Name:
        """What a contract in a push is called here; a name never means two contracts.

        The name that somebody looked it up by, at the same exchange if there is one; otherwise
        the canonical one, or the conId where that is another contract's name already. A push often
        names no exchange; of what is traded at one only, `complete` finds it out.
        """
        names = self._named.get(contract.conId)
        if names:
            at = symbols.EXCHANGES_BACK.get(contract.exchange)
            return next((name for name in names if name[1] is at), names[0])
        pushed = self._pushed.get(contract.conId)
        if pushed is not None:
            return pushed.symbol, pushed.exchange
        name = canonical(contract)
        if self._owners.setdefault(name, contract.conId) != contract.conId:
            return str(contract.conId), name[1]
        return name

    async def validate(
        self,
        client: IbClient,
        vt_symbols: Sequence[str],
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Instrument | VenueError]:
        """Look up many names, a few at a time: each one's contract, or why it has none.

        Raises:
            StreamingError: The connection was lost.
        """
        found: dict[str, Instrument | VenueError] = {}
        wanted = list(dict.fromkeys(vt_symbols))
        left = iter(wanted)

        async def work() -> None:
            for vt_symbol in left:
                found[vt_symbol] = await self._validated(client, vt_symbol)
                if progress is not None:
                    progress(len(found), len(wanted))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(wanted))):
                    group.create_task(work())
        except ExceptionGroup as group_of:  # what except* raises is a group again before 3.11.4
            lost = group_of.subgroup(StreamingError)
            if lost is None:
                raise
            raise lost.exceptions[0] from None
        return {vt_symbol: found[vt_symbol] for vt_symbol in wanted}

    async def _validated(self, client: IbClient, vt_symbol: str) -> Instrument | VenueError:
        symbol, _, exchange = vt_symbol.rpartition(".")
        try:
            return await self.resolve(client, symbol, Exchange(exchange))
        except ValueError:
            text = f"{vt_symbol!r} names no exchange; such as AAPL-USD-STK.SMART"
            return UnknownSymbol(self._adapter_name, "", text)
        except VenueError as refusal:
            return refusal

    async def _look_up(self, client: IbClient, name: Name) -> Instrument:
        symbol, exchange = name
        try:
            spec = symbols.parse(symbol)
        except ConfigurationError as error:
            text = f"{error}{_meant(self._known_near(symbol))}"
            raise UnknownSymbol(self._adapter_name, "", text) from None
        if exchange not in symbols.EXCHANGES:
            text = f"{symbol!r}: {exchange.value} is no exchange of Interactive Brokers"
            raise UnknownSymbol(self._adapter_name, "", text)
        place = symbols.EXCHANGES[exchange]
        rows = await self._ask(client, spec, place)
        if not rows:
            near = self._known_near(symbol) or await self._near(client, spec, exchange)
            text = f"{symbol!r} is not traded at {exchange.value}{_meant(near)}"
            raise UnknownSymbol(self._adapter_name, NO_DEFINITION, text)
        if len(rows) > 1:
            listed = [candidate(row.contract, exchange) for row in rows]
            raise AmbiguousSymbol(self._adapter_name, symbol, listed)
        found = self._take(name, rows[0])
        self._named.setdefault(found.con_id, []).append(name)
        return found

    async def _look_up_pushed(self, client: IbClient, con_id: int, place: str) -> Instrument:
        rows = await self._ask(client, Spec(con_id=con_id), place)
        if not rows:
            raise UnknownSymbol(self._adapter_name, NO_DEFINITION, f"there is no conId {con_id}")
        found = self._take(self.name_of(rows[0].contract), rows[0])
        self._pushed[con_id] = found
        return found

    async def _ask(self, client: IbClient, spec: Spec, place: str) -> list[RawDetails]:
        """IB's answers, one for each conId; none if there is no such contract."""
        contract = raw_contract(spec, place)
        try:
            rows = await client.ask(
                "contractDetails", lambda raw, number: raw.reqContractDetails(number, contract)
            )
        except VenueError as error:
            if error.code == NO_DEFINITION:
                return []
            raise
        return list({row.contract.conId: row for row in cast("list[RawDetails]", rows)}.values())

    def _take(self, name: Name, row: RawDetails) -> Instrument:
        found = instrument(self._adapter_name, name, row)
        self._known[found.vt_symbol] = found
        self._owners[name] = found.con_id
        log.debug("contract_found", venue=self._adapter_name, symbol=found.vt_symbol)
        if self._told is not None:
            self._told(found.data)
        return found

    async def _near(self, client: IbClient, spec: Spec, exchange: Exchange) -> list[str]:
        """What a symbol may have meant: another month or strike, or a similar name."""
        listed: list[RawContract] = []
        if spec.sec_type == "FUT":
            wide = replace(spec, expiry="", multiplier="")
            months = sorted(await self._listed(client, wide, exchange), key=_expiry)
            listed = [each for each in months if _expiry(each) >= spec.expiry] or months[-1:]
        elif spec.sec_type in symbols.OPTIONS:
            strikes = await self._listed(client, replace(spec, strike=0.0), exchange)
            listed = sorted(strikes, key=lambda each: abs(each.strike - spec.strike))
        if listed:
            return [f"{canonical(each)[0]}.{exchange.value}" for each in listed]
        matches = await self.search.near(client, spec.root) if spec.root else ()
        same = [each.vt_symbol for each in matches if each.sec_type == spec.sec_type]
        return same or [each.vt_symbol for each in matches]

    async def _listed(self, client: IbClient, wide: Spec, exchange: Exchange) -> list[RawContract]:
        try:
            rows = await self._ask(client, wide, symbols.EXCHANGES[exchange])
        except VenueError as error:
            log.info("advice_missing", symbol=wide.root, reason=str(error))
            return []
        return [row.contract for row in rows]

    def _known_near(self, symbol: str) -> list[str]:
        known = tuple(self._known.values())
        roots = {each.contract.symbol for each in known}
        near = difflib.get_close_matches(symbol.partition("-")[0], roots)
        return [each.vt_symbol for root in near for each in known if each.contract.symbol == root]

    def __len__(self) -> int:
        return len(self._known)


def _meant(vt_symbols: list[str]) -> str:
    return f"; did you mean {', '.join(vt_symbols[:3])}?" if vt_symbols else ""


def _expiry(contract: RawContract) -> str:
    return contract.lastTradeDateOrContractMonth
