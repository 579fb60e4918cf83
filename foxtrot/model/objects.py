"""The nouns that travel on the EventEngine: immutable, outside the garbage collector.

Field names are vnpy's, with `adapter_name` where vnpy says `gateway_name` (kept as a property).
Times are integer nanoseconds since the epoch in `*_ns` fields, with `datetime` as a property, UTC.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from foxtrot.model.constants import (
    ACTIVE_STATUSES,
    Direction,
    Exchange,
    Interval,
    Offset,
    OptionType,
    OrderType,
    Product,
    Status,
)
from foxtrot.model.requests import CancelRequest

NS_PER_S = 1_000_000_000

Levels = tuple[tuple[float, float], ...]
"""(price, volume) pairs, best first."""


def utc(ns: int) -> dt.datetime:
    """The moment `ns` nanoseconds after the epoch, in UTC, to the microsecond."""
    seconds, rest = divmod(ns, NS_PER_S)
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.replace(microsecond=rest // 1000)


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where market data comes from: one shared object per subscribed contract."""

    symbol: str
    exchange: Exchange
    adapter_name: str
    vt_symbol: str
    name: str = ""

    @classmethod
    def of(cls, symbol: str, exchange: Exchange, adapter_name: str, name: str = "") -> Source:
        """Make the source of `symbol` at `exchange`."""
        return cls(symbol, exchange, adapter_name, f"{symbol}.{exchange.value}", name or symbol)


class DayStatistics(msgspec.Struct, frozen=True, gc=False):
    """The slow part of a tick, shared between ticks until the venue sends a new one."""

    volume: float = 0.0
    turnover: float = 0.0
    open_interest: float = 0.0
    open_price: float = 0.0
    high_price: float = 0.0
    low_price: float = 0.0
    pre_close: float = 0.0
    limit_up: float = 0.0
    limit_down: float = 0.0


NO_STATISTICS = DayStatistics()


class _Sourced(msgspec.Struct, frozen=True, gc=False):
    """What all market data shares: vnpy's flat names over the source and the two clocks."""

    source: Source
    ts_event_ns: int
    ts_recv_ns: int

    @property
    def symbol(self) -> str:
        """The venue's symbol, such as BTCUSDT."""
        return self.source.symbol

    @property
    def exchange(self) -> Exchange:
        """Where it is traded."""
        return self.source.exchange

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return self.source.vt_symbol

    @property
    def name(self) -> str:
        """The contract's name."""
        return self.source.name

    @property
    def adapter_name(self) -> str:
        """The adapter that delivered it."""
        return self.source.adapter_name

    @property
    def gateway_name(self) -> str:
        """vnpy's word for `adapter_name`."""
        return self.source.adapter_name

    @property
    def datetime(self) -> dt.datetime:
        """The venue's time; where the venue gives none, the time of receipt."""
        return utc(self.ts_event_ns or self.ts_recv_ns)

    @property
    def localtime(self) -> dt.datetime:
        """When the bytes arrived here."""
        return utc(self.ts_recv_ns)


class _Level:
    """Reads one number of one depth level of a tick; 0.0 where the level is absent."""

    def __init__(self, side: str, level: int, part: int) -> None:
        self._side, self._level, self._part = side, level, part

    def __get__(self, tick: object, owner: type | None = None) -> float:
        levels: Levels = getattr(tick, self._side)
        return levels[self._level - 1][self._part] if len(levels) >= self._level else 0.0


class TickData(_Sourced, frozen=True, gc=False):
    """Best bid and ask with the last price and the day's statistics.

    Wide objects are dear to make, so the rare fields live in shared blocks (`source`, `day`,
    `bids`, `asks`) and vnpy's flat names are properties over them. `ts_event_ns` is 0 where the
    venue gives no time. `bids` and `asks` hold levels 1 to 5 or more when depth is subscribed too.
    """

    last_price: float = 0.0
    last_volume: float = 0.0
    bid_price_1: float = 0.0
    bid_volume_1: float = 0.0
    ask_price_1: float = 0.0
    ask_volume_1: float = 0.0
    day: DayStatistics = NO_STATISTICS
    bids: Levels = ()
    asks: Levels = ()

    @property
    def volume(self) -> float:
        """Volume of the day, in base units."""
        return self.day.volume

    @property
    def turnover(self) -> float:
        """Turnover of the day, in quote currency."""
        return self.day.turnover

    @property
    def open_interest(self) -> float:
        """Open contracts; 0 for spot."""
        return self.day.open_interest

    @property
    def open_price(self) -> float:
        """First price of the day."""
        return self.day.open_price

    @property
    def high_price(self) -> float:
        """Highest price of the day."""
        return self.day.high_price

    @property
    def low_price(self) -> float:
        """Lowest price of the day."""
        return self.day.low_price

    @property
    def pre_close(self) -> float:
        """Last price of the day before."""
        return self.day.pre_close

    @property
    def limit_up(self) -> float:
        """Upper price limit; 0 where there is none."""
        return self.day.limit_up

    @property
    def limit_down(self) -> float:
        """Lower price limit; 0 where there is none."""
        return self.day.limit_down

    bid_price_2 = _Level("bids", 2, 0)
    bid_price_3 = _Level("bids", 3, 0)
    bid_price_4 = _Level("bids", 4, 0)
    bid_price_5 = _Level("bids", 5, 0)
    bid_volume_2 = _Level("bids", 2, 1)
    bid_volume_3 = _Level("bids", 3, 1)
    bid_volume_4 = _Level("bids", 4, 1)
    bid_volume_5 = _Level("bids", 5, 1)
    ask_price_2 = _Level("asks", 2, 0)
    ask_price_3 = _Level("asks", 3, 0)
    ask_price_4 = _Level("asks", 4, 0)
    ask_price_5 = _Level("asks", 5, 0)
    ask_volume_2 = _Level("asks", 2, 1)
    ask_volume_3 = _Level("asks", 3, 1)
    ask_volume_4 = _Level("asks", 4, 1)
    ask_volume_5 = _Level("asks", 5, 1)


class DepthData(_Sourced, frozen=True, gc=False):
    """The best levels of the order book, best first."""

    bids: Levels = ()
    asks: Levels = ()


class MarketTradeData(_Sourced, frozen=True, gc=False):
    """A print on the tape; `direction` is the aggressor's side."""

    tradeid: str
    price: float
    volume: float
    direction: Direction


class BarData(msgspec.Struct, frozen=True, gc=False):
    """One bar. `datetime` is the bar's start, UTC; `closed` is False while it is still moving."""

    adapter_name: str
    symbol: str
    exchange: Exchange
    datetime: dt.datetime
    interval: Interval | None = None
    volume: float = 0.0
    turnover: float = 0.0
    open_interest: float = 0.0
    open_price: float = 0.0
    high_price: float = 0.0
    low_price: float = 0.0
    close_price: float = 0.0
    closed: bool = True

    @property
    def gateway_name(self) -> str:
        """vnpy's word for `adapter_name`."""
        return self.adapter_name

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"


class _Owned(msgspec.Struct, frozen=True, gc=False):
    """What orders, trades, positions and contracts share."""

    adapter_name: str
    symbol: str
    exchange: Exchange

    @property
    def gateway_name(self) -> str:
        """vnpy's word for `adapter_name`."""
        return self.adapter_name

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return f"{self.symbol}.{self.exchange.value}"


class OrderData(_Owned, frozen=True, gc=False):
    """An order as far as it is known. `orderid` is the client order id."""

    orderid: str
    type: OrderType = OrderType.LIMIT
    direction: Direction | None = None
    offset: Offset = Offset.NONE
    price: float = 0.0
    volume: float = 0.0
    traded: float = 0.0
    status: Status = Status.SUBMITTING
    datetime: dt.datetime | None = None
    reference: str = ""
    reason: str = ""
    extra: dict[str, str] | None = None

    @property
    def vt_orderid(self) -> str:
        """`ADAPTER.orderid`."""
        return f"{self.adapter_name}.{self.orderid}"

    def is_active(self) -> bool:
        """Whether the order may still trade."""
        return self.status in ACTIVE_STATUSES

    def create_cancel_request(self) -> CancelRequest:
        """The request that cancels this order."""
        return CancelRequest(self.orderid, self.symbol, self.exchange)


class TradeData(_Owned, frozen=True, gc=False):
    """One fill of an order of ours."""

    orderid: str
    tradeid: str
    direction: Direction | None = None
    offset: Offset = Offset.NONE
    price: float = 0.0
    volume: float = 0.0
    datetime: dt.datetime | None = None
    extra: dict[str, str] | None = None

    @property
    def vt_orderid(self) -> str:
        """`ADAPTER.orderid` of the order that was filled."""
        return f"{self.adapter_name}.{self.orderid}"

    @property
    def vt_tradeid(self) -> str:
        """`ADAPTER.tradeid`."""
        return f"{self.adapter_name}.{self.tradeid}"


class PositionData(_Owned, frozen=True, gc=False):
    """What is held of one contract on one side."""

    direction: Direction
    volume: float = 0.0
    frozen: float = 0.0
    price: float = 0.0
    pnl: float = 0.0
    yd_volume: float = 0.0

    @property
    def vt_positionid(self) -> str:
        """`ADAPTER.symbol.EXCHANGE.Direction`."""
        return f"{self.adapter_name}.{self.vt_symbol}.{self.direction.value}"


class AccountData(msgspec.Struct, frozen=True, gc=False):
    """Balance of one account or one currency."""

    adapter_name: str
    accountid: str
    balance: float = 0.0
    frozen: float = 0.0

    @property
    def gateway_name(self) -> str:
        """vnpy's word for `adapter_name`."""
        return self.adapter_name

    @property
    def available(self) -> float:
        """What is free to use."""
        return self.balance - self.frozen

    @property
    def vt_accountid(self) -> str:
        """`ADAPTER.accountid`."""
        return f"{self.adapter_name}.{self.accountid}"


class ContractData(_Owned, frozen=True, gc=False):
    """What can be traded, and in which steps. Volumes in base units.

    Where the price step depends on the price, `pricetick` is that of the moment when it was asked
    for, and `least_pricetick` the finest of all; else that is 0.
    """

    name: str
    product: Product
    size: float
    pricetick: float
    min_volume: float = 1.0
    max_volume: float | None = None
    volume_step: float = 0.0
    min_notional: float = 0.0
    stop_supported: bool = False
    net_position: bool = False
    history_data: bool = False
    option_strike: float | None = None
    option_underlying: str | None = None
    option_type: OptionType | None = None
    option_listed: dt.datetime | None = None
    option_expiry: dt.datetime | None = None
    option_portfolio: str | None = None
    option_index: str | None = None
    least_pricetick: float = 0.0


class QuoteData(_Owned, frozen=True, gc=False):
    """A two-sided quote of ours."""

    quoteid: str
    bid_price: float = 0.0
    bid_volume: float = 0.0
    ask_price: float = 0.0
    ask_volume: float = 0.0
    bid_offset: Offset = Offset.NONE
    ask_offset: Offset = Offset.NONE
    status: Status = Status.SUBMITTING
    datetime: dt.datetime | None = None
    reference: str = ""

    @property
    def vt_quoteid(self) -> str:
        """`ADAPTER.quoteid`."""
        return f"{self.adapter_name}.{self.quoteid}"


class LogData(msgspec.Struct, frozen=True, gc=False):
    """A line for the people who watch. `level` is the logging module's."""

    adapter_name: str
    msg: str
    level: int = 20
    ts_ns: int = 0

    @property
    def gateway_name(self) -> str:
        """vnpy's word for `adapter_name`."""
        return self.adapter_name

    @property
    def time(self) -> dt.datetime:
        """When it was written, UTC."""
        return utc(self.ts_ns)
