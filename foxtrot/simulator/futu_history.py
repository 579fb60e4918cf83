"""The simulated OpenD's past: bars in pages, and the quota of codes whose past was asked for."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from typing import Protocol

from foxtrot.simulator import futu_bars
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contract_room import found, name_to
from foxtrot.simulator.futu_contracts import FutuContract, Universe, local_ms, local_text
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_limits import FutuLimits, Refused, Windows, counted
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.history import DAY_MS
from foxtrot.simulator.market import Market

_MOST = 1_000
_DATE_LENGTH = len("2026-11-21")
_REHABS = (0, 1, 2)
_KEY = struct.Struct("<IIqq")
_NO_QUOTA = (
    "历史K线额度不足，请求失败（已用正股额度：{}/{}，期权额度：0/20）。额度会在7天后全部释放。"
)


class Venue(Protocol):
    """What the past needs of OpenD."""

    limits: FutuLimits
    windows: Windows
    market: Market
    universe: Universe

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""

    def now_ms(self) -> int:
        """The venue's clock."""


class HistoryRoom(Room):
    """Tells of the past. Only the first page of an answer counts as a request.

    Args:
        venue: Whose past it is.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._asked: dict[str, int] = {}

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {
            Proto.Qot_RequestHistoryKL: self._bars,
            Proto.Qot_RequestHistoryKLQuota: self._quota,
        }

    def _bars(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        contract = found(self._venue.universe, c2s.security)
        if c2s.klType not in futu_bars.KINDS or c2s.rehabType not in _REHABS:
            raise Refused("不支持的K线类型")
        first_ms = _edge_ms(contract, c2s.beginTime)
        last_ms = _edge_ms(contract, c2s.endTime, whole_day=True)
        if first_ms > last_ms:
            raise Refused("开始时间不能晚于结束时间")
        if c2s.HasField("nextReqKey"):
            first_ms = _next_ms(c2s, last_ms)
        else:
            self._venue.windows.admit("history")
            self._spend(contract)
        self._venue.wake(contract.name)
        self._page(contract, c2s, s2c, first_ms, last_ms)

    def _page(
        self, contract: FutuContract, c2s: Message, s2c: Message, first_ms: int, last_ms: int
    ) -> None:
        market, kind = self._venue.market, c2s.klType
        size = counted(c2s.maxAckKLNum or _MOST, _MOST)
        rows = futu_bars.bars(market, contract, kind, first_ms, last_ms)
        page = list(itertools.islice(rows, size))
        name_to(s2c.security, contract)
        s2c.name = contract.title
        before = page[0].open_e8 if page else 0
        for bar in page:
            line = s2c.klList.add()
            futu_bars.write(line, contract, kind, bar, before, c2s.needKLFieldsFlag)
            before = bar.close_e8
        after = next(rows, None)
        if after is not None:
            next_ms = futu_bars.label_ms(kind, contract.market, after.start_ms)
            s2c.nextReqKey = _KEY.pack(contract.market, kind, next_ms, last_ms)

    def _spend(self, contract: FutuContract) -> None:
        """Count a code whose past is asked for."""
        most = self._venue.limits.history_codes
        if contract.name not in self._asked and len(self._asked) >= most:
            raise Refused(_NO_QUOTA.format(len(self._asked), most))
        self._asked[contract.name] = self._venue.now_ms()

    def _quota(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        s2c.usedQuota = len(self._asked)
        s2c.remainQuota = self._venue.limits.history_codes - len(self._asked)
        for name, at_ms in self._asked.items() if c2s.bGetDetail else ():
            contract = self._venue.universe.contracts[name]
            row = s2c.detailList.add(name=contract.title)
            name_to(row.security, contract)
            row.requestTime = local_text(contract.market, at_ms)
            row.requestTimeStamp = at_ms // 1_000


def _edge_ms(contract: FutuContract, text: str, *, whole_day: bool = False) -> int:
    """A moment that was asked for; the end of a day, if `whole_day` and it is a date."""
    try:
        at_ms = local_ms(contract.market, text)
    except ValueError:
        raise Refused("时间格式错误") from None
    return at_ms + DAY_MS - 1 if whole_day and len(text.strip()) == _DATE_LENGTH else at_ms


def _next_ms(c2s: Message, last_ms: int) -> int:
    """Where the next page begins."""
    try:
        market, kind, next_ms, until_ms = _KEY.unpack(c2s.nextReqKey)
    except struct.error:
        raise Refused("分页请求key无效") from None
    if (market, kind, until_ms) != (c2s.security.market, c2s.klType, last_ms):
        raise Refused("分页请求key无效")
    return int(next_ms)
