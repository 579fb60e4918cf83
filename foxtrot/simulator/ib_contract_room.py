"""Answers what a contract is: details, the search for symbols, and the rules of prices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Protocol

from foxtrot.errors import UnknownSymbol
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_contracts import Row, Sample, Universe
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_limits import INVALID, text_of
from foxtrot.simulator.ib_listings import IbContract, Session
from foxtrot.simulator.ib_requests import (
    ReqContractDetails,
    ReqMarketRule,
    ReqMatchingSymbols,
    ReqSecDefOptParams,
    ReqSmartComponents,
)
from foxtrot.simulator.ib_wire import Value

_ORDER_TYPES = "ACTIVETIM,DAY,GTC,IOC,FOK,LMT,MKT,STP,STPLMT,TIF,WHATIF"
_LETTERS = (("AMEX", "A"), ("NYSE", "N"), ("ARCA", "P"), ("NASDAQ", "Q"), ("BATS", "Z"))
_DAYS = 7
_SATURDAY = 5
_SIZES_SINCE, _ISSUER_SINCE = 164, 176
"""Server versions: details lost their own version and gained sizes; samples gained a name."""


class Venue(Protocol):
    """What the contracts need of the gateway."""

    universe: Universe

    def now_ms(self) -> int:
        """The venue's clock."""


class ContractRoom(Room):
    """Answers for the universe.

    Args:
        venue: Whose contracts these are.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def handlers(self) -> Handlers:
        """See `Room`."""
        return {
            ReqContractDetails: self._tell_details,
            ReqMatchingSymbols: self._tell_samples,
            ReqMarketRule: self._tell_rule,
            ReqSecDefOptParams: self._tell_chains,
            ReqSmartComponents: self._tell_components,
        }

    def _tell_details(self, connection: Connection, request: ReqContractDetails) -> None:
        try:
            rows = self._venue.universe.find(
                request.contract, include_expired=request.include_expired
            )
        except UnknownSymbol as unknown:
            connection.error(request.req_id, int(unknown.code), unknown.text)
            return
        today = dt.datetime.fromtimestamp(self._venue.now_ms() / 1_000, dt.UTC).date()
        for row in rows:
            connection.send(*details(request.req_id, row, today, connection.version))
        connection.send(52, 1, request.req_id)

    def _tell_samples(self, connection: Connection, request: ReqMatchingSymbols) -> None:
        found = self._venue.universe.samples(request.pattern)
        fields = [field for each in found for field in sample(each, connection.version)]
        connection.send(79, request.req_id, len(found), *fields)

    def _tell_rule(self, connection: Connection, request: ReqMarketRule) -> None:
        listed = self._venue.universe.contracts.values()
        steps = next((each.increments for each in listed if each.rule_id == request.rule_id), None)
        if steps is None:
            connection.error(-1, INVALID, text_of(INVALID, "Invalid market rule"))
            return
        fields = [field for step in steps for field in step]
        connection.send(93, request.rule_id, len(steps), *fields)

    def _tell_chains(self, connection: Connection, request: ReqSecDefOptParams) -> None:
        """One row for each exchange; of what has no options, only the end."""
        options = self._venue.universe.options(request.con_id, request.exchange)
        for exchange in dict.fromkeys(name for item in options for name in item.exchanges):
            there = [item for item in options if exchange in item.exchanges]
            connection.send(*chain(request.req_id, exchange, there))
        connection.send(76, request.req_id)

    def _tell_components(self, connection: Connection, request: ReqSmartComponents) -> None:
        fields = [field for bit, row in enumerate(_LETTERS) for field in (bit, *row)]
        connection.send(82, request.req_id, len(_LETTERS), *fields)


def details(req_id: int, row: Row, today: dt.date, version: int) -> list[Value]:
    """The fields of a contractDetails (10), in the order of the wire."""
    item, newer = row.contract, version >= _SIZES_SINCE
    hours = ";".join(_hours(item.session, today))
    tail: list[Value] = [item.size_increment, item.size_increment, item.suggested_size]
    if not newer:
        tail = [item.suggested_size] if version == _SIZES_SINCE - 1 else []
    return [
        *((10,) if newer else (10, 8)),
        req_id,
        item.symbol,
        item.sec_type,
        item.expiry,
        item.strike,
        item.right,
        row.exchange,
        item.currency,
        item.local_symbol,
        item.trading_class,
        item.trading_class,
        item.con_id,
        item.min_tick,
        *(() if newer else (100,)),
        item.multiplier,
        _ORDER_TYPES,
        ",".join(item.exchanges),
        1,
        item.under_con_id,
        item.long_name.encode("unicode-escape").decode(),
        item.primary_exchange,
        item.expiry[:6],
        *("", "", ""),
        item.session.zone_id,
        hours,
        hours,
        *("", 0, 0, 1),
        item.under_symbol,
        item.under_sec_type,
        ",".join([str(item.rule_id)] * len(item.exchanges)),
        item.expiry,
        item.stock_type,
        *tail,
    ]


def chain(req_id: int, exchange: str, options: Sequence[IbContract]) -> list[Value]:
    """The fields of a securityDefinitionOptionParameter (75): what an exchange has on something."""
    expiries = sorted({item.expiry for item in options})
    strikes = sorted({item.strike for item in options})
    one = options[0]
    terms = (one.under_con_id, one.trading_class, one.multiplier)
    return [75, req_id, exchange, *terms, len(expiries), *expiries, len(strikes), *strikes]


def sample(found: Sample, version: int) -> list[Value]:
    """The fields of one row of symbolSamples (79)."""
    named: tuple[Value, ...] = (found.description, "") if version >= _ISSUER_SINCE else ()
    return [
        found.con_id,
        found.symbol,
        found.sec_type,
        found.primary_exchange,
        found.currency,
        len(found.derived),
        *found.derived,
        *named,
    ]


def _hours(session: Session, today: dt.date) -> Iterator[str]:
    """The sessions of the next days, in the exchange's own time: `20260918:0930-20260918:1600`."""
    for day in (today + dt.timedelta(days=n) for n in range(_DAYS)):
        if day.weekday() >= _SATURDAY:
            yield f"{day:%Y%m%d}:CLOSED"
            continue
        midnight = dt.datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the exchange's own
        ends = (session.open_minute, session.close_minute)
        times = (f"{midnight + dt.timedelta(minutes=end):%Y%m%d:%H%M}" for end in ends)
        yield "-".join(times)
