"""Pure: each noun of ours as vnpy's, and back.

Fields have vnpy's names on both sides, so most of it is one rule: enums by name, moments with a
zone, numbers as floats. vnpy has no exchange for crypto: what is traded where vnpy knows no name is
at GLOBAL there, and its symbol says where, such as BTCUSDT_SPOT_BINANCE.GLOBAL, as vnpy's own
crypto gateways spell it.

Wider on one side than on the other: a reason and a type of order that vnpy lacks go into its
`extra`; an interval that it lacks is None there; a naive moment of a gateway is one of this
machine's zone; a request for history without an interval is one for minutes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from enum import Enum
from numbers import Real
from typing import Final, TypeVar

import msgspec
from vnpy.trader import constant as their_constants
from vnpy.trader import object as their_objects

from foxtrot.desktop.names import (
    ADDED_TYPES,
    INTERVALS,
    ORDER_TYPES,
    OUR_INTERVALS,
    OURS,
    THEIRS,
    foxtrot_symbol,
    vnpy_symbol,
)
from foxtrot.errors import NotSupported
from foxtrot.model import constants, objects, requests
from foxtrot.model.constants import Interval, OrderType
from foxtrot.model.objects import NS_PER_S, Levels, Source, utc

T = TypeVar("T")

Extra = dict[str, object] | None
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LEVELS: Final = 5


class GatewayTick(objects.TickData, frozen=True, gc=False):
    """A tick of a vnpy gateway that says more than vnpy has fields for."""

    extra: Extra = None


class GatewayBar(objects.BarData, frozen=True, gc=False):
    """A bar, likewise."""

    extra: Extra = None


class GatewayPosition(objects.PositionData, frozen=True, gc=False):
    """A position, likewise."""

    extra: Extra = None


class GatewayAccount(objects.AccountData, frozen=True, gc=False):
    """An account, likewise."""

    extra: Extra = None


class GatewayContract(objects.ContractData, frozen=True, gc=False):
    """A contract, likewise."""

    extra: Extra = None


class GatewayQuote(objects.QuoteData, frozen=True, gc=False):
    """A quote, likewise."""

    extra: Extra = None


class GatewayLog(objects.LogData, frozen=True, gc=False):
    """A log line, likewise."""

    extra: Extra = None


# -- moments ------------------------------------------------------------------------------------


def _ns(moment: dt.datetime | None) -> int:
    if moment is None:
        return 0
    since = moment.astimezone(dt.UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1000


def _zoned(moment: dt.datetime | None) -> dt.datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.astimezone()


# -- what is flat: one rule -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Flat:
    """A noun whose fields are the same on both sides.

    `carrier` is ours with an `extra`, for the nouns that have none.
    """

    ours: type[msgspec.Struct]
    theirs: Callable[..., their_objects.BaseData]
    carrier: type[msgspec.Struct]
    fields: tuple[str, ...]


def _flat(
    ours: type[msgspec.Struct], carrier: type[msgspec.Struct] | None, without: str = ""
) -> _Flat:
    theirs = getattr(their_objects, ours.__name__)
    placed = {"gateway_name", "extra", "symbol", "exchange", without}
    names = [each.name for each in dataclasses.fields(theirs)]
    fields = tuple(name for name in names if name not in placed)
    return _Flat(ours, theirs, carrier or ours, fields)


def _our_value(field: str, value: object) -> object:
    if isinstance(value, Enum):
        return _our_enum(value)
    if isinstance(value, dt.datetime):
        return _zoned(value)
    if field == "level" or isinstance(value, bool):
        return value
    return float(value) if isinstance(value, Real) else value  # numpy's, too


def _our_enum(value: Enum) -> Enum:
    if isinstance(value, their_constants.OrderType):
        return OrderType[value.name]
    if isinstance(value, their_constants.Interval):
        return OUR_INTERVALS[value]
    return OURS[value]


def _their_value(value: object) -> object:
    if isinstance(value, OrderType):
        return ORDER_TYPES[value]
    if isinstance(value, Interval):
        return INTERVALS.get(value)
    return THEIRS[value] if isinstance(value, Enum) else value


def _place(theirs: object) -> dict[str, object]:
    if not hasattr(theirs, "exchange"):
        return {}
    symbol, exchange = foxtrot_symbol(theirs.symbol, theirs.exchange)  # type: ignore[attr-defined]
    return {"symbol": symbol, "exchange": exchange}


def _to_ours(noun: _Flat, theirs: their_objects.BaseData) -> dict[str, object]:
    values = {field: _our_value(field, getattr(theirs, field)) for field in noun.fields}
    extra = {} if theirs.extra is None else {"extra": theirs.extra}
    return {"adapter_name": theirs.gateway_name, **_place(theirs), **values, **extra}


def _to_theirs(noun: _Flat, ours: msgspec.Struct) -> their_objects.BaseData:
    values = {field: _their_value(getattr(ours, field)) for field in noun.fields}
    if hasattr(ours, "exchange"):
        values["symbol"], values["exchange"] = vnpy_symbol(ours.symbol, ours.exchange)  # type: ignore[attr-defined]
    made = noun.theirs(gateway_name=ours.adapter_name, **values)  # type: ignore[attr-defined]
    made.extra = getattr(ours, "extra", None)
    return made


_BAR = _flat(objects.BarData, GatewayBar)
_ORDER = _flat(objects.OrderData, None)
_TRADE = _flat(objects.TradeData, None)
_POSITION = _flat(objects.PositionData, GatewayPosition)
_ACCOUNT = _flat(objects.AccountData, GatewayAccount)
_CONTRACT = _flat(objects.ContractData, GatewayContract)
_QUOTE = _flat(objects.QuoteData, GatewayQuote)
_LOG = _flat(objects.LogData, GatewayLog)


def _flat_to_ours(noun: _Flat) -> Callable[[their_objects.BaseData], msgspec.Struct]:
    def convert(theirs: their_objects.BaseData) -> msgspec.Struct:
        kind = noun.ours if theirs.extra is None else noun.carrier
        return kind(**_to_ours(noun, theirs))

    return convert


def _flat_to_theirs(noun: _Flat) -> Callable[[msgspec.Struct], their_objects.BaseData]:
    return lambda ours: _to_theirs(noun, ours)


# -- what is not --------------------------------------------------------------------------------


def _our_order(theirs: their_objects.OrderData) -> objects.OrderData:
    values = _to_ours(_ORDER, theirs)
    extra = theirs.extra or {}
    reason, added = extra.get("reason"), ADDED_TYPES.get(str(extra.get("type", "")))
    if isinstance(reason, str):
        values["reason"] = reason
    if added is not None and ORDER_TYPES[added] is theirs.type:
        values["type"] = added
    return objects.OrderData(**values)  # type: ignore[arg-type]


def _their_order(ours: objects.OrderData) -> their_objects.OrderData:
    made = _to_theirs(_ORDER, ours)
    added = {"reason": ours.reason} if ours.reason else {}
    if ours.type.name in ADDED_TYPES:
        added["type"] = ours.type.name
    if added:
        made.extra = {**(made.extra or {}), **added}
    return made


def _our_log(theirs: their_objects.LogData) -> objects.LogData:
    kind = objects.LogData if theirs.extra is None else GatewayLog
    return kind(**_to_ours(_LOG, theirs), ts_ns=_ns(theirs.time))  # type: ignore[arg-type]


def _their_log(ours: objects.LogData) -> their_objects.LogData:
    made = _to_theirs(_LOG, ours)
    if ours.ts_ns:
        made.time = ours.time.astimezone().replace(tzinfo=None)  # vnpy's are naive and local
    return made


def _side(tick: their_objects.TickData, side: str) -> Levels:
    levels = [
        (float(getattr(tick, f"{side}_price_{n}")), float(getattr(tick, f"{side}_volume_{n}")))
        for n in range(1, _LEVELS + 1)
    ]
    while levels and levels[-1] == (0.0, 0.0):
        levels.pop()
    return tuple(levels) if len(levels) > 1 else ()


def _our_tick(theirs: their_objects.TickData) -> objects.TickData:
    symbol, exchange = foxtrot_symbol(theirs.symbol, theirs.exchange)
    vt_symbol = f"{symbol}.{exchange.value}"
    day = objects.DayStatistics(
        *(float(getattr(theirs, field)) for field in objects.DayStatistics.__struct_fields__)
    )
    values = (
        Source(symbol, exchange, theirs.gateway_name, vt_symbol, theirs.name),
        _ns(theirs.datetime),
        _ns(theirs.localtime),
        float(theirs.last_price),
        float(theirs.last_volume),
        float(theirs.bid_price_1),
        float(theirs.bid_volume_1),
        float(theirs.ask_price_1),
        float(theirs.ask_volume_1),
        day,
        _side(theirs, "bid"),
        _side(theirs, "ask"),
    )
    return objects.TickData(*values) if theirs.extra is None else GatewayTick(*values, theirs.extra)


_DAY = objects.DayStatistics.__struct_fields__
_DEEPER = range(1, _LEVELS)


def _their_tick(ours: objects.TickData) -> their_objects.TickData:
    source, day = ours.source, ours.day
    symbol, exchange = vnpy_symbol(source.symbol, source.exchange)
    made = their_objects.TickData(
        gateway_name=source.adapter_name,
        symbol=symbol,
        exchange=exchange,
        datetime=ours.datetime,
        name=source.name,
        last_price=ours.last_price,
        last_volume=ours.last_volume,
        bid_price_1=ours.bid_price_1,
        bid_volume_1=ours.bid_volume_1,
        ask_price_1=ours.ask_price_1,
        ask_volume_1=ours.ask_volume_1,
        localtime=utc(ours.ts_recv_ns) if ours.ts_recv_ns else None,
        **{field: getattr(day, field) for field in _DAY},
    )
    deeper = _deeper(-ours.bid_price_1, ours.bids, -1), _deeper(ours.ask_price_1, ours.asks, 1)
    for side, levels in zip(("bid", "ask"), deeper, strict=True):
        for level, (price, volume) in enumerate(levels, start=2):
            setattr(made, f"{side}_price_{level}", price)
            setattr(made, f"{side}_volume_{level}", volume)
    made.extra = getattr(ours, "extra", None)
    return made


def _deeper(best: float, levels: objects.Levels, sign: int) -> objects.Levels:
    """What is below the best: quotes and books come by streams of their own, and one is newer.

    Args:
        best: The best price, times `sign`.
        levels: The book of its side.
        sign: -1 for bids.
    """
    if not best or not levels or levels[0][0] * sign == best:
        return levels[1:_LEVELS]
    return tuple(each for each in levels if each[0] * sign > best)[: _LEVELS - 1]


# -- requests -------------------------------------------------------------------------------------


def _our_subscribe(theirs: their_objects.SubscribeRequest) -> requests.SubscribeRequest:
    return requests.SubscribeRequest(*foxtrot_symbol(theirs.symbol, theirs.exchange))


def _our_order_request(theirs: their_objects.OrderRequest) -> requests.OrderRequest:
    symbol, exchange = foxtrot_symbol(theirs.symbol, theirs.exchange)
    kind, price = OrderType[theirs.type.name], float(theirs.price)
    stops = kind is OrderType.STOP
    return requests.OrderRequest(
        symbol,
        exchange,
        constants.Direction[theirs.direction.name],
        kind,
        float(theirs.volume),
        price=0.0 if stops else price,
        offset=constants.Offset[theirs.offset.name],
        reference=theirs.reference,
        stop_price=price if stops else 0.0,
    )


def _our_cancel(theirs: their_objects.CancelRequest) -> requests.CancelRequest:
    symbol, exchange = foxtrot_symbol(theirs.symbol, theirs.exchange)
    return requests.CancelRequest(theirs.orderid, symbol, exchange)


def _our_history(theirs: their_objects.HistoryRequest) -> requests.HistoryRequest:
    symbol, exchange = foxtrot_symbol(theirs.symbol, theirs.exchange)
    interval = Interval.MINUTE if theirs.interval is None else OUR_INTERVALS[theirs.interval]
    start, end = theirs.start, _zoned(theirs.end)
    return requests.HistoryRequest(symbol, exchange, start.astimezone(), end, interval)  # type: ignore[arg-type]


def _their_subscribe(ours: requests.SubscribeRequest) -> their_objects.SubscribeRequest:
    return their_objects.SubscribeRequest(*vnpy_symbol(ours.symbol, ours.exchange))


def _their_order_request(ours: requests.OrderRequest) -> their_objects.OrderRequest:
    if ours.type.name in ADDED_TYPES:
        raise NotSupported("vnpy", f"orders of the type {ours.type.value}")
    symbol, exchange = vnpy_symbol(ours.symbol, ours.exchange)
    return their_objects.OrderRequest(
        symbol=symbol,
        exchange=exchange,
        direction=THEIRS[ours.direction],
        type=ORDER_TYPES[ours.type],
        volume=ours.volume,
        price=ours.stop_price if ours.type is OrderType.STOP else ours.price,
        offset=THEIRS[ours.offset],
        reference=ours.reference,
    )


def _their_cancel(ours: requests.CancelRequest) -> their_objects.CancelRequest:
    symbol, exchange = vnpy_symbol(ours.symbol, ours.exchange)
    return their_objects.CancelRequest(orderid=ours.orderid, symbol=symbol, exchange=exchange)


def _their_history(ours: requests.HistoryRequest) -> their_objects.HistoryRequest:
    if ours.interval not in INTERVALS:
        raise NotSupported("vnpy", f"bars of {ours.interval.value}")
    symbol, exchange = vnpy_symbol(ours.symbol, ours.exchange)
    interval = INTERVALS[ours.interval]
    return their_objects.HistoryRequest(symbol, exchange, ours.start, ours.end, interval)


# -- the two doors --------------------------------------------------------------------------------

_TO_OURS: dict[object, Callable[..., object]] = {
    their_objects.TickData: _our_tick,
    their_objects.OrderData: _our_order,
    their_objects.LogData: _our_log,
    **{
        noun.theirs: _flat_to_ours(noun)
        for noun in (_BAR, _TRADE, _POSITION, _ACCOUNT, _CONTRACT, _QUOTE)
    },
    their_objects.SubscribeRequest: _our_subscribe,
    their_objects.OrderRequest: _our_order_request,
    their_objects.CancelRequest: _our_cancel,
    their_objects.HistoryRequest: _our_history,
}
_TO_THEIRS: dict[type, Callable[..., object]] = {
    objects.TickData: _their_tick,
    GatewayTick: _their_tick,
    objects.OrderData: _their_order,
    objects.LogData: _their_log,
    GatewayLog: _their_log,
    requests.SubscribeRequest: _their_subscribe,
    requests.OrderRequest: _their_order_request,
    requests.CancelRequest: _their_cancel,
    requests.HistoryRequest: _their_history,
}
for _noun in (_BAR, _TRADE, _POSITION, _ACCOUNT, _CONTRACT, _QUOTE):
    _TO_THEIRS[_noun.ours] = _TO_THEIRS[_noun.carrier] = _flat_to_theirs(_noun)


def to_foxtrot(theirs: object, kind: type[T]) -> T:
    """What vnpy's object or request is here.

    Args:
        theirs: An object of `vnpy.trader.object`.
        kind: What it is expected to become.

    Raises:
        ConfigurationError: Its exchange is not known.
        TypeError: It is not what was expected.
    """
    convert = next((_TO_OURS[each] for each in type(theirs).__mro__ if each in _TO_OURS), None)
    ours = convert(theirs) if convert is not None else theirs
    if not isinstance(ours, kind):
        raise TypeError(f"{kind.__name__} was expected of vnpy, not {type(theirs).__name__}")
    return ours


def to_vnpy(ours: msgspec.Struct) -> their_objects.BaseData:
    """What one of our objects or requests is in vnpy.

    Raises:
        NotSupported: vnpy has no such type of order, or no such bars, to ask for.
        TypeError: vnpy has nothing like it.
    """
    convert = _TO_THEIRS.get(type(ours))
    if convert is None:
        raise TypeError(f"vnpy has nothing like {type(ours).__name__}")
    return convert(ours)
