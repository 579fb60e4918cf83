"""The market data of the simulated OpenD: who subscribed to what, what is pushed, what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Protocol

import msgspec

from foxtrot.simulator import futu_payloads as wire
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contract_room import found, name_to
from foxtrot.simulator.futu_contracts import FutuContract, Universe
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_distortion import Distortion
from foxtrot.simulator.futu_limits import (
    NOT_SUBSCRIBED,
    TOO_MANY_CODES,
    FutuLimits,
    Refused,
    Windows,
    counted,
)
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.futu_subscriptions import TYPE_NAMES, Key, Subscriptions
from foxtrot.simulator.market import Market, Step, Trade

CHANNELS = {wire.QUOTE: "quote", wire.BOOK: "order_book", wire.PRINTS: "ticker"}
"""What faults call the kinds of pushes; bars are `kline`."""

_BARS = "kline"
_REMEMBERED = 10
_MOST = 1_000
_UNKNOWN_TYPE = "不支持的订阅类型"
_NOTHING = "股票列表为空"


class Stream(msgspec.Struct, frozen=True):
    """What one connection has pushed to it; `rehabs` is for bars alone."""

    connection: Connection
    contract: FutuContract
    sub_type: int
    rehabs: tuple[int, ...] = ()

    @property
    def key(self) -> Key:
        """What it is in the book of subscriptions."""
        return self.contract.name, self.sub_type

    @property
    def channel(self) -> str:
        """What faults call it."""
        return CHANNELS.get(self.sub_type, _BARS)


class Venue(Protocol):
    """What the quotes need of OpenD."""

    faults: FaultBoard
    limits: FutuLimits
    windows: Windows
    market: Market
    universe: Universe

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""


class Quotes(Room):
    """Subscriptions and pushes of all connections.

    Args:
        venue: Whose market data this is.

    Attributes:
        book_levels: How many levels of a book the user has paid for.
        without_rights: Names of securities that the user may not see.
    """

    def __init__(self, venue: Venue) -> None:
        self.book_levels = wire.LEVELS
        self.without_rights: set[str] = set()
        self._venue = venue
        self._distortion = Distortion(venue.faults)
        self._book = Subscriptions(venue.limits)
        self._pushed: dict[tuple[int, Key], Stream] = {}
        self._connections: dict[int, Connection] = {}

    def __repr__(self) -> str:
        return f"<Quotes subscriptions={self._book!r} pushed={len(self._pushed)}>"

    @property
    def live(self) -> tuple[Stream, ...]:
        """What is pushed now."""
        return tuple(self._pushed.values())

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`, like the next three."""
        return {
            Proto.Qot_Sub: self._subscribe,
            Proto.Qot_RegQotPush: self._register,
            Proto.Qot_GetSubInfo: self._tell_subscriptions,
            Proto.Qot_GetSecuritySnapshot: self._tell_snapshot,
            Proto.Qot_GetBasicQot: self._tell_quotes,
            Proto.Qot_GetOrderBook: self._tell_book,
            Proto.Qot_GetTicker: self._tell_prints,
            Proto.Qot_GetKL: self._tell_bars,
        }

    def joined(self, connection: Connection) -> None:
        """It may subscribe."""
        self._connections[connection.number] = connection

    def left(self, connection: Connection) -> None:
        """Its subscriptions end, though their quota may not be free at once."""
        self._connections.pop(connection.number, None)
        self._silence(connection)
        self._book.drop(connection.number, _now_s())

    def step(self, step: Step) -> None:
        """Push to who listens to this symbol."""
        for stream in self.live:
            if stream.contract.name == step.symbol:
                self._push(stream, step.trades)

    def drop_all(self) -> None:
        """Forget every subscription, and tell nobody."""
        for connection in self._connections.values():
            self._silence(connection)
            self._book.drop(connection.number, _now_s())

    # -- subscriptions ----------------------------------------------------------------------

    def _subscribe(self, connection: Connection, c2s: Message, _s2c: Message) -> None:
        if c2s.isUnsubAll:
            self._book.remove(connection.number, self._book.held(connection.number), _now_s())
            self._silence(connection)
            return
        contracts, sub_types = self._named(c2s)
        keys = [(contract.name, kind) for contract, kind in product(contracts, sub_types)]
        if not c2s.isSubOrUnSub:
            self._book.remove(connection.number, keys, _now_s())
            self._unregister(connection, keys)
            return
        for contract in contracts:
            if contract.name in self.without_rights:
                raise Refused(f"没有{contract.name}的行情权限")
        self._book.add(connection.number, keys, _now_s())
        for contract in contracts:
            self._venue.wake(contract.name)
        if not c2s.HasField("isRegOrUnRegPush"):
            return
        if c2s.isRegOrUnRegPush:
            first = c2s.isFirstPush or not c2s.HasField("isFirstPush")
            rehabs = tuple(c2s.regPushRehabTypeList)
            self._listen(connection, contracts, sub_types, rehabs, first=first)
        else:
            self._unregister(connection, keys)

    def _register(self, connection: Connection, c2s: Message, _s2c: Message) -> None:
        contracts, sub_types = self._named(c2s)
        keys = [(contract.name, kind) for contract, kind in product(contracts, sub_types)]
        if not c2s.isRegOrUnReg:
            self._unregister(connection, keys)
            return
        for key in keys:
            self._check_subscribed(connection, key)
        first = c2s.isFirstPush or not c2s.HasField("isFirstPush")
        self._listen(connection, contracts, sub_types, tuple(c2s.rehabTypeList), first=first)

    def _listen(
        self,
        connection: Connection,
        contracts: Iterable[FutuContract],
        sub_types: Iterable[int],
        rehabs: tuple[int, ...],
        *,
        first: bool,
    ) -> None:
        for contract, kind in product(contracts, sub_types):
            stream = Stream(connection, contract, kind, rehabs or (wire.FORWARD,))
            self._pushed[connection.number, stream.key] = stream
            if first:
                connection.afterwards(partial(self._push_first, stream))

    def _named(self, c2s: Message) -> tuple[list[FutuContract], list[int]]:
        """The securities and the types that a request is about.

        Raises:
            Refused: One is unknown, or there are none.
        """
        if not c2s.securityList or not c2s.subTypeList:
            raise Refused(_NOTHING)
        if not wire.SUB_TYPES.issuperset(c2s.subTypeList):
            raise Refused(_UNKNOWN_TYPE)
        return self._found(c2s), list(c2s.subTypeList)

    def _found(self, c2s: Message) -> list[FutuContract]:
        return [found(self._venue.universe, security) for security in c2s.securityList]

    def _unregister(self, connection: Connection, keys: Iterable[Key]) -> None:
        for key in keys:
            self._pushed.pop((connection.number, key), None)

    def _silence(self, connection: Connection) -> None:
        number = connection.number
        self._unregister(connection, [key for holder, key in self._pushed if holder == number])

    def _check_subscribed(self, connection: Connection, key: Key) -> None:
        if not self._book.holds(connection.number, key):
            raise Refused(NOT_SUBSCRIBED.format(key[0], TYPE_NAMES[key[1]]))

    def _tell_subscriptions(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        used = self._book.used(_now_s())
        s2c.totalUsedQuota = used
        s2c.remainQuota = max(0, self._venue.limits.subscriptions - used)
        for other in self._connections.values() if c2s.isReqAllConn else (connection,):
            held = self._book.held(other.number)
            row = s2c.connSubInfoList.add(
                usedQuota=len(held), isOwnConnData=other.number == connection.number
            )
            for kind in sorted({kind for _, kind in held}):
                info = row.subInfoList.add(subType=kind)
                for name in (name for name, one in held if one == kind):
                    name_to(info.securityList.add(), self._venue.universe.contracts[name])

    # -- pushes -----------------------------------------------------------------------------

    def _push_first(self, stream: Stream) -> None:
        """What is known already; prints are told to be of the past."""
        if stream.sub_type != wire.PRINTS:
            self._push(stream, ())
            return
        trades = list(self._venue.market.trades(stream.contract.name))[-_REMEMBERED:]
        if trades:
            told = wire.prints(stream.contract, trades, wire.CACHE)
            self._send(stream, Proto.Qot_UpdateTicker, told)

    def _push(self, stream: Stream, trades: tuple[Trade, ...]) -> None:
        for proto, message in self._messages(stream, trades):
            self._send(stream, proto, message)

    def _messages(
        self, stream: Stream, trades: tuple[Trade, ...]
    ) -> Iterator[tuple[Proto, Message]]:
        market, contract = self._venue.market, stream.contract
        if stream.sub_type == wire.QUOTE:
            yield Proto.Qot_UpdateBasicQot, wire.quote(market, contract)
        elif stream.sub_type == wire.BOOK:
            yield Proto.Qot_UpdateOrderBook, wire.book(market, contract, self.book_levels)
        elif stream.sub_type == wire.PRINTS:
            if trades:
                yield Proto.Qot_UpdateTicker, wire.prints(contract, trades)
        else:
            kind = wire.KLINES[stream.sub_type]
            for rehab in stream.rehabs:
                yield Proto.Qot_UpdateKL, wire.kline(market, contract, kind, rehab)

    def _send(self, stream: Stream, proto: Proto, message: Message) -> None:
        for number, body in self._distortion.pushes(
            stream.contract.name, stream.channel, proto, message
        ):
            stream.connection.push_body(number, body)

    # -- answers ----------------------------------------------------------------------------

    def _tell_snapshot(self, _connection: Connection, c2s: Message, s2c: Message) -> None:
        self._venue.windows.admit("snapshot")
        most = self._venue.limits.snapshot_codes
        if len(c2s.securityList) > most:
            raise Refused(TOO_MANY_CODES.format(most))
        for contract in self._found(c2s):
            self._venue.wake(contract.name)
            row = s2c.snapshotList.add()
            wire.write_snapshot(row.basic, self._venue.market, contract)

    def _tell_quotes(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        for contract in self._found(c2s):
            self._check_subscribed(connection, (contract.name, wire.QUOTE))
            wire.write_quote(s2c.basicQotList.add(), self._venue.market, contract)

    def _tell_book(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        contract = found(self._venue.universe, c2s.security)
        self._check_subscribed(connection, (contract.name, wire.BOOK))
        levels = counted(c2s.num, self.book_levels)
        wire.write_book(s2c, self._venue.market, contract, levels)

    def _tell_prints(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        contract = found(self._venue.universe, c2s.security)
        self._check_subscribed(connection, (contract.name, wire.PRINTS))
        count = counted(c2s.maxRetNum, _MOST)
        trades = list(self._venue.market.trades(contract.name))
        wire.write_prints(s2c, contract, trades[max(0, len(trades) - count) :])

    def _tell_bars(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        contract = found(self._venue.universe, c2s.security)
        for sub_type, kind in wire.KLINES.items():
            if kind == c2s.klType:
                self._check_subscribed(connection, (contract.name, sub_type))
                count = counted(c2s.reqNum, _MOST)
                wire.write_klines(s2c, self._venue.market, contract, kind, count)
                return
        raise Refused(_UNKNOWN_TYPE)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
