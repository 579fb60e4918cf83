"""Which symbols Binance trades, kept over reconnects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import msgspec

from foxtrot.adapter.binance import mapping
from foxtrot.core.logs import get_logger
from foxtrot.errors import UnknownSymbol
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData, Source

log = get_logger("foxtrot.binance.contracts")


class Contracts:
    """The contracts of one adapter. Written by the loop thread."""

    def __init__(self, adapter_name: str) -> None:
        self._adapter_name = adapter_name
        self._contracts: dict[str, ContractData] = {}
        self._sources: dict[str, Source] = {}
        self.due_at = 0.0
        """When to load them anew, in monotonic seconds."""

    def load(self, infos: Iterable[Mapping[str, object]]) -> list[ContractData]:
        """Take exchangeInfo's symbols; returns the contracts that are new or have changed.

        What is halted now is kept if it was known: a halt ends, and its streams are wanted then.
        """
        unreadable, news = 0, []
        for info in infos:
            try:
                contract = mapping.contract(info, self._adapter_name)
            except msgspec.ValidationError:
                unreadable += 1
                continue
            if contract is not None and contract != self._contracts.get(contract.symbol):
                self._contracts[contract.symbol] = contract
                news.append(contract)
        if unreadable:
            log.warning("contracts_unreadable", venue=self._adapter_name, count=unreadable)
        return news

    def get(self, symbol: str) -> ContractData | None:
        """The contract of `symbol`, if it is traded here."""
        return self._contracts.get(symbol)

    def source(self, symbol: str) -> Source:
        """Where the data of `symbol` comes from: always the same object.

        Raises:
            UnknownSymbol: The venue does not trade it; the text names the nearest that it does.
        """
        contract = self._contracts.get(symbol)
        if contract is None:
            raise UnknownSymbol(self._adapter_name, "", self._advice(symbol))
        source = self._sources.get(symbol)
        if source is None:
            source = Source.of(symbol, Exchange.BINANCE, self._adapter_name, contract.name)
            self._sources[symbol] = source
        return source

    def _advice(self, symbol: str) -> str:
        near = difflib.get_close_matches(symbol.upper(), self._contracts, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{symbol!r} is not traded here{hint}"

    def __len__(self) -> int:
        return len(self._contracts)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._contracts
