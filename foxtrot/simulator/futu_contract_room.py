"""The simulated OpenD's answers about securities, trading days and states of markets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Protocol

from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import PLACES, FutuContract, Universe, local_ms, local_text
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_limits import UNKNOWN_STOCK, Refused
from foxtrot.simulator.futu_schema import Message, Proto

_MORNING = 3
_WHOLE_DAY = 0
_SATURDAY = 5
_YEARS_BACK = 10
"""How far OpenD's calendar reaches; it ends with the present year."""


class Venue(Protocol):
    """What the contract room needs of OpenD."""

    universe: Universe

    def now_ms(self) -> int:
        """The venue's clock."""


def found(universe: Universe, security: Message) -> FutuContract:
    """The security that a `Qot_Common.Security` names.

    Raises:
        Refused: There is none.
    """
    contract = universe.find(security.market, security.code)
    if contract is None:
        raise Refused(UNKNOWN_STOCK.format(security.code))
    return contract


def name_to(security: Message, contract: FutuContract) -> None:
    """Fill in a `Qot_Common.Security`."""
    security.market, security.code = contract.market, contract.code


class ContractRoom(Room):
    """Tells what is listed. The simulated market never closes.

    Args:
        venue: What is listed there.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {
            Proto.Qot_GetStaticInfo: self._static_info,
            Proto.Qot_RequestTradeDate: self._trade_dates,
            Proto.Qot_GetMarketState: self._states,
        }

    def _static_info(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        universe = self._venue.universe
        if c2s.securityList:
            contracts = [found(universe, security) for security in c2s.securityList]
        else:
            contracts = [
                item
                for item in universe.contracts.values()
                if item.market == c2s.market and c2s.secType in (0, item.sec_type)
            ]
        for contract in contracts:
            basic = s2c.staticInfoList.add().basic
            name_to(basic.security, contract)
            basic.id, basic.name = contract.stock_id, contract.title
            basic.lotSize, basic.secType = contract.lot_size, contract.sec_type
            basic.listTime, basic.delisting = contract.listed, False
            basic.listTimestamp = local_ms(contract.market, contract.listed) / 1_000
            basic.exchType = contract.exchange

    def _trade_dates(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        market = self._market_of(c2s)
        year = int(local_text(market, self._venue.now_ms())[:4])
        first = max(_date(c2s.beginTime), dt.date(year - _YEARS_BACK, 1, 1))
        last = min(_date(c2s.endTime), dt.date(year, 12, 31))
        for number in range((last - first).days + 1):
            day = first + dt.timedelta(days=number)
            if day.weekday() < _SATURDAY:
                row = s2c.tradeDateList.add(time=str(day), tradeDateType=_WHOLE_DAY)
                row.timestamp = local_ms(market, str(day)) / 1_000

    def _market_of(self, c2s: Message) -> int:
        if c2s.HasField("security"):
            return found(self._venue.universe, c2s.security).market
        for place in PLACES.values():
            if place.calendar == c2s.market:
                return place.number
        raise Refused("不支持的市场")

    def _states(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        for security in c2s.securityList:
            contract = found(self._venue.universe, security)
            row = s2c.marketInfoList.add(name=contract.title, marketState=_MORNING)
            name_to(row.security, contract)


def _date(text: str) -> dt.date:
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        raise Refused("时间格式错误") from None
