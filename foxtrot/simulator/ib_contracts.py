"""The simulated gateway's contracts: what a description means, and what matches a pattern.

A description is taken as TWS takes it: what is left out may be anything, so that a stock without
a currency is many stocks, and a contract without an exchange is one row for each of its exchanges.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from foxtrot.errors import UnknownSymbol
from foxtrot.simulator.ib_listings import ROOTS, IbContract, contracts, made_up
from foxtrot.simulator.ib_requests import ContractQuery
from foxtrot.simulator.listings import Listing, chosen

NO_DEFINITION = "No security definition has been found for the request"

_RIGHTS = {"C": "C", "CALL": "C", "P": "P", "PUT": "P", "": "", "0": "", "?": ""}
_KINDS = frozenset({"STK", "CASH", "IND", "FUT", "OPT"})
_OTHER_KINDS = frozenset(
    {"BAG", "BOND", "CFD", "CMDTY", "CRYPTO", "EVENT", "FOP", "FUND", "NEWS", "WAR"}
)
CONTINUOUS = "CONTFUT"
"""What the nearest future is called by who does not care which one it is."""

_SAMPLES = 16
_DERIVED = {"STK": ("CFD", "OPT", "BAG"), "IND": ("FUT", "OPT"), "CASH": (), "ROOT": ("FUT", "FOP")}


class Row(msgspec.Struct, frozen=True):
    """A contract, as it is told at one of its exchanges."""

    contract: IbContract
    exchange: str


class Sample(msgspec.Struct, frozen=True):
    """What a search found: something with its kinds of derivatives."""

    con_id: int
    symbol: str
    sec_type: str
    primary_exchange: str
    currency: str
    derived: tuple[str, ...]
    description: str


class Universe:
    """The contracts of one simulated gateway.

    Args:
        listed: What there is.

    Thread safety: immutable.
    """

    def __init__(self, listed: Sequence[IbContract]) -> None:
        self.contracts = {item.name: item for item in listed}
        self._by_id = {item.con_id: item for item in listed}

    @classmethod
    def of(cls, names: Sequence[str] | None = None, *, today: dt.date) -> Universe:
        """The contracts of these names, such as AAPL, AAPL@MEXI, EUR.USD, ESZ6; all by default.

        Whoever needs more has the stocks T000 to T999, which are not among them.

        Raises:
            ConfigurationError: There is no such name on that day.
        """
        return cls(chosen(names, contracts(today), made_up, "simulated Interactive Brokers"))

    def __repr__(self) -> str:
        return f"<Universe contracts={len(self.contracts)}>"

    def listings(self) -> list[Listing]:
        """What the market trades: everything that has not expired."""
        return [item.listing() for item in self.contracts.values() if not item.expired]

    def by_con_id(self, con_id: int) -> IbContract | None:
        """The contract of this id."""
        return self._by_id.get(con_id)

    def futures(self, symbol: str) -> list[IbContract]:
        """The futures of a root that can be traded, the nearest first."""
        live = (item for item in self.contracts.values() if not item.expired)
        chain = (item for item in live if item.sec_type == "FUT" and item.symbol == symbol)
        return sorted(chain, key=lambda item: item.expiry)

    def options(self, con_id: int, exchange: str = "") -> list[IbContract]:
        """The options on something; with an exchange, none but those of futures are meant."""
        listed = self.contracts.values() if not exchange else ()
        return [item for item in listed if item.sec_type == "OPT" and item.under_con_id == con_id]

    def find(self, query: ContractQuery, *, include_expired: bool = False) -> list[Row]:
        """Everything that fits a description, a row for each exchange that it leaves open.

        Raises:
            UnknownSymbol: Nothing fits (200), or there is no such security type (321).
        """
        if query.con_id:
            found = [item for item in (self._by_id.get(query.con_id),) if item is not None]
        elif query.sec_type == CONTINUOUS:
            found = self._nearest(query)
        else:
            _check_kind(query.sec_type)
            found = [item for item in self.contracts.values() if _fits(item, query)]
        rows = [
            Row(item, exchange)
            for item in found
            if include_expired or not item.expired
            for exchange in _exchanges(item, query)
        ]
        if not rows:
            raise UnknownSymbol("simulator", "200", NO_DEFINITION)
        return rows

    def _nearest(self, query: ContractQuery) -> list[IbContract]:
        futures = msgspec.structs.replace(query, sec_type="FUT")
        live = (item for item in self.contracts.values() if not item.expired)
        chain = sorted(
            (item for item in live if _fits(item, futures)), key=lambda item: item.expiry
        )
        return [msgspec.structs.replace(item, sec_type=CONTINUOUS) for item in chain[:1]]

    def one(self, query: ContractQuery, *, include_expired: bool = False) -> Row:
        """The one contract that is meant, for data and orders.

        Raises:
            UnknownSymbol: None or several fit (200), or no exchange is named (321). `code` and
                `text` are what the client is told.
        """
        if not query.exchange:
            raise UnknownSymbol("simulator", "321", _invalid("Please enter exchange"))
        rows = self.find(query, include_expired=include_expired)
        if len(rows) > 1:
            named = query.symbol or query.local_symbol
            text = f"The contract description specified for {named} is ambiguous."
            raise UnknownSymbol("simulator", "200", text)
        return rows[0]

    def samples(self, pattern: str) -> list[Sample]:
        """What a search for the beginning of a symbol, or of a word of a name, shows."""
        wanted = pattern.strip().upper()
        if not wanted:
            return []
        rows = [row for row in self._searchable() if _begins(row, wanted)]
        rows.sort(key=lambda row: (row.symbol != wanted, not row.symbol.startswith(wanted)))
        return rows[:_SAMPLES]

    def _searchable(self) -> list[Sample]:
        rows = [
            Sample(
                item.con_id,
                item.symbol,
                item.sec_type,
                item.primary_exchange or item.exchange,
                item.currency,
                _DERIVED[item.sec_type],
                item.long_name,
            )
            for item in self.contracts.values()
            if item.sec_type in _DERIVED
        ]
        futures = {item.under_con_id for item in self.contracts.values()}
        rows.extend(
            Sample(
                root.con_id,
                root.symbol,
                "IND",
                root.exchange,
                root.currency,
                _DERIVED["ROOT"],
                root.long_name,
            )
            for root in ROOTS
            if root.con_id in futures
        )
        return rows


def _invalid(cause: str) -> str:
    return f"Error validating request.-'bP' : cause - {cause}"


def _check_kind(sec_type: str) -> None:
    if sec_type in _KINDS:
        return
    if sec_type in _OTHER_KINDS:
        raise UnknownSymbol("simulator", "200", NO_DEFINITION)
    raise UnknownSymbol("simulator", "321", _invalid("Please enter a valid security type"))


def _fits(item: IbContract, query: ContractQuery) -> bool:
    if not (query.symbol or query.local_symbol) or item.sec_type != query.sec_type:
        return False
    exact = (
        (query.symbol, item.symbol),
        (query.primary_exchange, item.primary_exchange),
        (query.currency, item.currency),
        (query.local_symbol, item.local_symbol),
        (query.trading_class, item.trading_class),
        (_RIGHTS.get(query.right.upper(), "unknown"), item.right),
    )
    return (
        all(wanted in ("", has) for wanted, has in exact)
        and item.expiry.startswith(query.expiry)
        and query.strike in (0.0, item.strike)
        and _number(query.multiplier) in (None, _number(item.multiplier))
    )


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return float("nan")


def _exchanges(item: IbContract, query: ContractQuery) -> tuple[str, ...]:
    if query.exchange:
        return (query.exchange,) if query.exchange in item.exchanges else ()
    return item.exchanges[:1] if query.con_id else item.exchanges


def _begins(row: Sample, wanted: str) -> bool:
    words = row.description.upper().split()
    return row.symbol.startswith(wanted) or any(word.startswith(wanted) for word in words)
