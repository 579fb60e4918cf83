"""OpenD's market data as messages: quotes, order books, prints, bars of the present, snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from foxtrot.simulator import futu_bars
from foxtrot.simulator.futu_contract_room import name_to
from foxtrot.simulator.futu_contracts import FutuContract, local_ms
from foxtrot.simulator.futu_schema import Message, Proto, response
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market, Trade

QUOTE, BOOK, PRINTS = 1, 2, 4
"""SubType, like the keys of the next one."""

KLINES: Mapping[int, int] = MappingProxyType(
    {
        6: 2,
        7: 6,
        8: 7,
        9: 8,
        10: 9,
        11: 1,
        12: 3,
        13: 4,
        15: 11,
        16: 5,
        17: 10,
        18: 12,
        19: 13,
        20: 14,
        21: 15,
    }
)
"""SubType of bars to their KLType."""

SUB_TYPES = frozenset({QUOTE, BOOK, PRINTS, *KLINES})
LEVELS = 10
REALTIME, CACHE = 1, 3
"""PushDataType."""

FORWARD = 1
"""RehabType: what bars are pushed with unless it is said otherwise."""

_BUYER, _SELLER = 1, 2
_AUTOMATCH = 1
_NORMAL = 1


def quote(market: Market, contract: FutuContract) -> Message:
    """A push of the latest price."""
    told = response(Proto.Qot_UpdateBasicQot)
    write_quote(told.s2c.basicQotList.add(), market, contract)
    return told


def write_quote(basic: Message, market: Market, contract: FutuContract) -> None:
    """Fill in a `BasicQot`."""
    name_to(basic.security, contract)
    basic.name = contract.title
    basic.isSuspended, basic.secStatus, basic.darkStatus = False, _NORMAL, 0
    basic.listTime = contract.listed
    basic.listTimestamp = local_ms(contract.market, contract.listed) / 1_000
    basic.priceSpread = contract.tick
    _write_day(basic, market, contract)
    basic.amplitude = (basic.highPrice - basic.lowPrice) / basic.lastClosePrice * 100


def book(market: Market, contract: FutuContract, levels: int = LEVELS) -> Message:
    """A push of the order book."""
    told = response(Proto.Qot_UpdateOrderBook)
    write_book(told.s2c, market, contract, levels)
    return told


def write_book(s2c: Message, market: Market, contract: FutuContract, levels: int) -> None:
    """Fill in a book; its time is that of the symbol's last step."""
    name_to(s2c.security, contract)
    s2c.name = contract.title
    stands = market.book(contract.name, min(levels, LEVELS))
    for rows, side in ((s2c.orderBookAskList, stands.asks), (s2c.orderBookBidList, stands.bids)):
        for price_e8, quantity_e8 in side:
            count = 1 + quantity_e8 // (contract.lot_size * E8) % 7
            rows.add(price=price_e8 / E8, volume=quantity_e8 // E8, orederCount=count)
    now_ms = market.now_ms(contract.name)
    s2c.svrRecvTimeBid = s2c.svrRecvTimeAsk = contract.text_of(now_ms)
    s2c.svrRecvTimeBidTimestamp = s2c.svrRecvTimeAskTimestamp = now_ms / 1_000


def prints(contract: FutuContract, trades: Iterable[Trade], data_type: int = REALTIME) -> Message:
    """A push of trades, oldest first."""
    told = response(Proto.Qot_UpdateTicker)
    write_prints(told.s2c, contract, trades, data_type)
    return told


def write_prints(
    s2c: Message, contract: FutuContract, trades: Iterable[Trade], data_type: int = CACHE
) -> None:
    """Fill in trades."""
    name_to(s2c.security, contract)
    s2c.name = contract.title
    for trade in trades:
        price, volume = trade.price_e8 / E8, trade.quantity_e8 // E8
        s2c.tickerList.add(
            time=contract.text_of(trade.time_ms),
            sequence=trade.trade_id,
            dir=_SELLER if trade.buyer_is_maker else _BUYER,
            price=price,
            volume=volume,
            turnover=price * volume,
            recvTime=trade.time_ms / 1_000,
            type=_AUTOMATCH,
            typeSign=0,
            pushDataType=data_type,
            timestamp=trade.time_ms / 1_000,
        )


def kline(market: Market, contract: FutuContract, kind: int, rehab: int) -> Message:
    """A push of the bar of the present; prices are the same with every RehabType."""
    told = response(Proto.Qot_UpdateKL)
    told.s2c.rehabType, told.s2c.klType = rehab, kind
    write_klines(told.s2c, market, contract, kind, 1)
    return told


def write_klines(
    s2c: Message, market: Market, contract: FutuContract, kind: int, count: int
) -> None:
    """Fill in the latest bars, oldest first."""
    name_to(s2c.security, contract)
    s2c.name = contract.title
    begins = [futu_bars.start_ms(kind, contract.market, market.now_ms(contract.name))]
    while len(begins) <= count:
        begins.append(futu_bars.start_ms(kind, contract.market, begins[-1] - 1))
    begins.reverse()
    last_close_e8 = 0
    for number, begin_ms in enumerate(begins):
        end_ms = futu_bars.end_ms(kind, contract.market, begin_ms)
        bar = market.stretch(contract.name, begin_ms, end_ms)
        if number:
            futu_bars.write(s2c.klList.add(), contract, kind, bar, last_close_e8)
        last_close_e8 = bar.close_e8


def write_snapshot(basic: Message, market: Market, contract: FutuContract) -> None:
    """Fill in the basic data of a snapshot."""
    name_to(basic.security, contract)
    basic.name, basic.type = contract.title, contract.sec_type
    basic.isSuspend, basic.secStatus = False, _NORMAL
    basic.listTime, basic.lotSize = contract.listed, contract.lot_size
    basic.listTimestamp = local_ms(contract.market, contract.listed) / 1_000
    basic.priceSpread = contract.tick
    _write_day(basic, market, contract)
    touch = market.quote(contract.name)
    basic.bidPrice, basic.askPrice = touch.bid_e8 / E8, touch.ask_e8 / E8
    basic.bidVol, basic.askVol = touch.bid_quantity_e8 // E8, touch.ask_quantity_e8 // E8


def _write_day(basic: Message, market: Market, contract: FutuContract) -> None:
    """What quotes and snapshots have in common: the latest price and the day."""
    day, now_ms = market.day(contract.name), market.now_ms(contract.name)
    basic.updateTime, basic.updateTimestamp = contract.text_of(now_ms), now_ms / 1_000
    basic.openPrice, basic.highPrice = day.open_e8 / E8, day.high_e8 / E8
    basic.lowPrice, basic.curPrice = day.low_e8 / E8, day.close_e8 / E8
    basic.lastClosePrice = day.open_e8 / E8
    basic.volume, basic.turnover = day.volume_e8 // E8, day.turnover_e8 / E8
    basic.turnoverRate = day.volume_e8 / E8 / futu_bars.SHARES * 100
