"""What the simulated Interactive Brokers lists: stocks, currency pairs, indices, futures, options.

Contract ids, grids and zones are plausible and stable; prices are those of no particular day.
Futures and options roll with the date: there are always four quarters and two expiries ahead.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator

import msgspec

from foxtrot.simulator.listings import E8, Listing, to_e8

MONTH_CODES = "FGHJKMNQUVXZ"

_FRIDAY = 4
_QUARTERS, _EXPIRIES, _STRIKES = 4, 2, (-0.1, -0.05, 0.0, 0.05, 0.1)
_US_STOCK_EXCHANGES = ("SMART", "NASDAQ", "NYSE", "ARCA", "BATS", "IEX", "AMEX")
_MADE_UP = re.compile(r"T[0-9]{3}")
_FIRST_MADE_UP = 900_000_000
_US_OPTION_EXCHANGES = ("SMART", "CBOE", "AMEX", "ISE", "PHLX")


class Session(msgspec.Struct, frozen=True):
    """Liquid hours on weekdays, in minutes since midnight of the exchange's `zone`.

    `zone_id` is the name that TWS gives to the zone.
    """

    zone_id: str
    zone: str
    open_minute: int
    close_minute: int


NEW_YORK = Session("US/Eastern", "America/New_York", 570, 960)
CHICAGO = Session("US/Central", "America/Chicago", 510, 900)
MEXICO = Session("America/Mexico_City", "America/Mexico_City", 510, 900)
ZURICH = Session("Europe/Zurich", "Europe/Zurich", 540, 1050)
FOREX = Session("US/Eastern", "America/New_York", 0, 1440)


class IbContract(msgspec.Struct, frozen=True, kw_only=True):
    """One contract. `name` is its key in the market and in the constructor of the venue.

    `exchanges` begins with the one that is meant when only the contract id is known. `increments`
    are the steps of a market rule, as (from this price on, step), lowest first.
    """

    name: str
    con_id: int
    symbol: str
    sec_type: str
    exchanges: tuple[str, ...]
    primary_exchange: str
    currency: str
    local_symbol: str
    trading_class: str
    long_name: str
    session: Session
    price: float
    rule_id: int
    increments: tuple[tuple[float, float], ...]
    lot: float
    size_increment: str = "1"
    suggested_size: str = "1"
    stock_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    under_con_id: int = 0
    under_symbol: str = ""
    under_sec_type: str = ""
    head: str = "20170714"
    expired: bool = False

    @property
    def exchange(self) -> str:
        """The exchange that is meant when none is named."""
        return self.exchanges[0]

    @property
    def min_tick(self) -> float:
        """The smallest step of its prices."""
        return min(step for _, step in self.increments)

    def step_at(self, price: float) -> float:
        """The step that a price of this size has to keep."""
        return next(step for low, step in reversed(self.increments) if price >= low or low == 0)

    def listing(self) -> Listing:
        """How the simulated market trades it."""
        tick_e8 = to_e8(str(self.min_tick))
        price_e8 = to_e8(self.price) // tick_e8 * tick_e8
        gap_e8 = max(1, round(price_e8 / tick_e8 * 1e-5)) * tick_e8
        return Listing(
            symbol=self.name,
            base=self.name,
            quote=self.currency,
            price_e8=price_e8,
            tick_e8=tick_e8,
            step_e8=E8,
            gap_e8=gap_e8,
            lot_e8=to_e8(self.lot),
            min_notional_e8=0,
        )


class Root(msgspec.Struct, frozen=True):
    """What futures are derived from. It cannot be traded itself, but it is found by search."""

    con_id: int
    symbol: str
    exchange: str
    currency: str
    long_name: str
    price: float
    multiplier: str


ROOTS = (
    Root(11004968, "ES", "CME", "USD", "E-mini S&P 500", 5_950.0, "50"),
    Root(11004958, "NQ", "CME", "USD", "E-mini NASDAQ 100", 20_800.0, "20"),
)

# con id, symbol, primary exchange, price, name
_US_STOCKS = (
    (265598, "AAPL", "NASDAQ", 228.0, "APPLE INC"),
    (272093, "MSFT", "NASDAQ", 415.0, "MICROSOFT CORP"),
    (4815747, "NVDA", "NASDAQ", 138.0, "NVIDIA CORP"),
    (76792991, "TSLA", "NASDAQ", 345.0, "TESLA INC"),
    (8314, "IBM", "NYSE", 222.0, "INTL BUSINESS MACHINES CORP"),
    (756733, "SPY", "ARCA", 592.0, "SS SPDR S&P 500 ETF TRUST-US"),
)
# con id, symbol, exchange, currency, price, name, session
_FOREIGN_STOCKS = (
    (38708077, "AAPL", "MEXI", "MXN", 4_650.0, "APPLE INC", MEXICO),
    (273982664, "AAPL", "EBS", "CHF", 202.0, "APPLE INC", ZURICH),
    (38709473, "MSFT", "MEXI", "MXN", 8_430.0, "MICROSOFT CORP", MEXICO),
    (38708990, "IBM", "MEXI", "MXN", 4_510.0, "INTL BUSINESS MACHINES CORP", MEXICO),
)
# con id, base, price, name
_PAIRS = (
    (12087792, "EUR", 1.085, "European Monetary Union Euro"),
    (12087797, "GBP", 1.265, "British pound"),
)
# con id, symbol, exchange, price, name, session
_INDICES = (
    (416904, "SPX", "CBOE", 5_930.0, "S&P 500 Stock Index", CHICAGO),
    (416843, "NDX", "NASDAQ", 20_700.0, "NASDAQ 100 Stock Index", NEW_YORK),
)


def contracts(today: dt.date) -> tuple[IbContract, ...]:
    """Everything that is listed on a day, and the futures that expired last."""
    stocks = tuple(_stocks())
    apple = stocks[0]
    futures = [item for root in ROOTS for item in _futures(root, today)]
    return (*stocks, *_pairs(), *_indices(), *futures, *_options(apple, today))


def made_up(name: str) -> IbContract | None:
    """The stock T000, T001, … T999: nobody lists it unless it is named."""
    if not _MADE_UP.fullmatch(name):
        return None
    number = int(name[1:])
    row = (_FIRST_MADE_UP + number, name, "NYSE", 20.0 + number, f"TEST COMPANY {number}")
    return _us_stock(*row)


def third_friday(year: int, month: int) -> dt.date:
    """The day on which monthly derivatives expire."""
    first = dt.date(year, month, 1)
    return first + dt.timedelta((_FRIDAY - first.weekday()) % 7 + 14)


def _stocks() -> Iterator[IbContract]:
    for row in _US_STOCKS:
        yield _us_stock(*row)
    for con_id, symbol, exchange, currency, price, name, session in _FOREIGN_STOCKS:
        yield IbContract(
            name=f"{symbol}@{exchange}",
            con_id=con_id,
            symbol=symbol,
            sec_type="STK",
            exchanges=("SMART", exchange),
            primary_exchange=exchange,
            currency=currency,
            local_symbol=symbol,
            trading_class=symbol,
            long_name=name,
            session=session,
            price=price,
            rule_id=26,
            increments=((0.0, 0.01),),
            lot=60,
            stock_type="COMMON",
        )


def _us_stock(con_id: int, symbol: str, primary: str, price: float, name: str) -> IbContract:
    fund = symbol == "SPY"
    return IbContract(
        name=symbol,
        con_id=con_id,
        symbol=symbol,
        sec_type="STK",
        exchanges=_US_STOCK_EXCHANGES,
        primary_exchange=primary,
        currency="USD",
        local_symbol=symbol,
        trading_class=symbol if primary != "NASDAQ" else "NMS",
        long_name=name,
        session=NEW_YORK,
        price=price,
        rule_id=26,
        increments=((0.0, 0.01),),
        lot=300,
        size_increment="0.0001",
        suggested_size="100",
        stock_type="ETF" if fund else "COMMON",
    )


def _pairs() -> Iterator[IbContract]:
    for con_id, base, price, name in _PAIRS:
        yield IbContract(
            name=f"{base}.USD",
            con_id=con_id,
            symbol=base,
            sec_type="CASH",
            exchanges=("IDEALPRO",),
            primary_exchange="",
            currency="USD",
            local_symbol=f"{base}.USD",
            trading_class=f"{base}.USD",
            long_name=name,
            session=FOREX,
            price=price,
            rule_id=239,
            increments=((0.0, 0.00005),),
            lot=1_000_000,
        )


def _indices() -> Iterator[IbContract]:
    for con_id, symbol, exchange, price, name, session in _INDICES:
        yield IbContract(
            name=symbol,
            con_id=con_id,
            symbol=symbol,
            sec_type="IND",
            exchanges=(exchange,),
            primary_exchange="",
            currency="USD",
            local_symbol=symbol,
            trading_class=symbol,
            long_name=name,
            session=session,
            price=price,
            rule_id=1,
            increments=((0.0, 0.01),),
            lot=1,
        )


def _futures(root: Root, today: dt.date) -> Iterator[IbContract]:
    """The quarter that expired last, and the next ones."""
    for position, day in enumerate(_quarters(today)):
        code = f"{root.symbol}{MONTH_CODES[day.month - 1]}{day.year % 10}"
        carry = 1 + 0.011 * max(0, position - 1)
        begins = day - dt.timedelta(days=450)
        yield IbContract(
            name=code,
            con_id=root.con_id * 50 + (day.year % 100) * 4 + day.month // 3,
            symbol=root.symbol,
            sec_type="FUT",
            exchanges=(root.exchange, "QBALGO"),
            primary_exchange="",
            currency=root.currency,
            local_symbol=code,
            trading_class=root.symbol,
            long_name=root.long_name,
            session=CHICAGO,
            price=root.price * carry,
            rule_id=67,
            increments=((0.0, 0.25),),
            lot=25,
            expiry=f"{day:%Y%m%d}",
            multiplier=root.multiplier,
            under_con_id=root.con_id,
            under_symbol=root.symbol,
            under_sec_type="IND",
            head=f"{begins:%Y%m%d}",
            expired=day < today,
        )


def _quarters(today: dt.date) -> list[dt.date]:
    ends = [third_friday(today.year + n // 4 - 1, n % 4 * 3 + 3) for n in range(16)]
    ahead = [day for day in ends if day >= today][:_QUARTERS]
    return [max(day for day in ends if day < today), *ahead]


def _options(under: IbContract, today: dt.date) -> Iterator[IbContract]:
    at_money = round(under.price / 10) * 10
    for day in _months(today):
        for share in _STRIKES:
            strike = float(round(at_money * (1 + share) / 5) * 5)
            for right in "CP":
                yield _option(under, day, strike, right, (day - today).days)


def _months(today: dt.date) -> list[dt.date]:
    ends = [third_friday(today.year + n // 12, n % 12 + 1) for n in range(15)]
    return [day for day in ends if (day - today).days >= 7][:_EXPIRIES]


def _option(under: IbContract, day: dt.date, strike: float, right: str, days: int) -> IbContract:
    number = (day.year % 100 * 12 + day.month) * 2_000 + int(strike) * 2 + (right == "P")
    return IbContract(
        name=f"{under.symbol}{day:%y%m%d}{right}{strike:g}",
        con_id=600_000_000 + number,
        symbol=under.symbol,
        sec_type="OPT",
        exchanges=_US_OPTION_EXCHANGES,
        primary_exchange="",
        currency="USD",
        local_symbol=f"{under.symbol:<6}{day:%y%m%d}{right}{round(strike * 1000):08d}",
        trading_class=under.symbol,
        long_name=under.long_name,
        session=NEW_YORK,
        price=_premium(under.price, strike, right, days),
        rule_id=109,
        increments=((0.0, 0.01),),
        lot=40,
        expiry=f"{day:%Y%m%d}",
        strike=strike,
        right=right,
        multiplier="100",
        under_con_id=under.con_id,
        under_symbol=under.symbol,
        under_sec_type="STK",
        head=f"{day - dt.timedelta(days=270):%Y%m%d}",
    )


def _premium(price: float, strike: float, right: str, days: int) -> float:
    """A price of the right size; far out of the money it is still worth a book of its own."""
    inner = max(0.0, price - strike if right == "C" else strike - price)
    hope = 0.04 * price * math.sqrt(days / 30) * math.exp(-10 * abs(strike / price - 1))
    return max(1.5, inner + hope)
