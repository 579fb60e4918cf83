"""What the simulated OpenD lists: stocks of Hong Kong, of the US and of mainland China.

A contract's name is the one that Futu's own SDK gives it, such as HK.00700 or SH.600519. Numbers
of markets, exchanges and types are those of Qot_Common and Trd_Common. Lots, steps and zones are
right; prices are those of no particular day.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from foxtrot.simulator.listings import E8, Listing, chosen, to_e8

HK, US, SH, SZ = 1, 11, 21, 22
"""QotMarket."""
STOCK, FUND = 3, 4
"""SecurityType."""

_MADE_UP = re.compile(r"HK\.90\d{3}")

_MAIN_BOARD, _NYSE, _NASDAQ, _AMEX, _SHANGHAI, _SHENZHEN = 1, 4, 5, 7, 14, 15


class Place(msgspec.Struct, frozen=True):
    """A market as a whole.

    `number` is its QotMarket, `trd_sec_market` what orders call it, `currency` is Trd_Common's;
    `calendar` is its TradeDateMarket.
    """

    number: int
    prefix: str
    zone: str
    trd_sec_market: int
    trd_market: int
    currency: int
    asset: str
    calendar: int


PLACES = {
    place.number: place
    for place in (
        Place(HK, "HK", "Asia/Hong_Kong", 1, 1, 1, "HKD", 1),
        Place(US, "US", "America/New_York", 2, 2, 2, "USD", 2),
        Place(SH, "SH", "Asia/Shanghai", 31, 3, 3, "CNH", 3),
        Place(SZ, "SZ", "Asia/Shanghai", 32, 3, 3, "CNH", 3),
    )
}
"""By QotMarket. Source: QotMarket, TrdSecMarket, TrdMarket, Currency of the protocol's schema."""


class FutuContract(msgspec.Struct, frozen=True, kw_only=True):
    """One security; `lot` is a typical quantity in the book, in lots."""

    market: int
    code: str
    title: str
    stock_id: int
    exchange: int
    price: float
    tick: float
    lot_size: int = 100
    lot: int = 40
    sec_type: int = STOCK
    listed: str = "2004-06-16"

    @property
    def place(self) -> Place:
        """Where it is traded."""
        return PLACES[self.market]

    @property
    def name(self) -> str:
        """Its key in the market and in the constructor of the venue."""
        return f"{self.place.prefix}.{self.code}"

    @property
    def tick_e8(self) -> int:
        """The step of its prices."""
        return to_e8(self.tick)

    def listing(self) -> Listing:
        """How the simulated market trades it: in whole lots."""
        step_e8 = self.lot_size * E8
        return Listing(
            symbol=self.name,
            base=self.name,
            quote=self.place.asset,
            price_e8=to_e8(self.price) // self.tick_e8 * self.tick_e8,
            tick_e8=self.tick_e8,
            step_e8=step_e8,
            gap_e8=self.tick_e8,
            lot_e8=self.lot * step_e8,
            min_notional_e8=0,
        )

    def text_of(self, time_ms: int) -> str:
        """A moment as Futu writes it, in the zone of the market and without naming it."""
        return local_text(self.market, time_ms)


def local_text(market: int, time_ms: int) -> str:
    """A moment as Futu writes it: China's time, and New York's for the US."""
    moment = dt.datetime.fromtimestamp(time_ms / 1_000, ZoneInfo(PLACES[market].zone))
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def local_ms(market: int, text: str) -> int:
    """The moment that a text means: a date, or a date and a time, perhaps with milliseconds.

    Raises:
        ValueError: It is neither.
    """
    moment = dt.datetime.fromisoformat(text.strip())
    if moment.tzinfo is not None:
        raise ValueError(text)
    return int(moment.replace(tzinfo=ZoneInfo(PLACES[market].zone)).timestamp() * 1_000)


class Universe:
    """The securities of one simulated OpenD.

    Args:
        listed: What there is.

    Thread safety: immutable.
    """

    def __init__(self, listed: Iterable[FutuContract]) -> None:
        self.contracts = {item.name: item for item in listed}

    @classmethod
    def of(cls, names: Sequence[str] | None = None) -> Universe:
        """The securities of these names, such as HK.00700; all by default.

        Whoever needs more has the stocks HK.90000 to HK.90999, which are not among them.

        Raises:
            ConfigurationError: There is no such name.
        """
        return cls(chosen(names, CONTRACTS, _made_up, "simulated Futu"))

    def __repr__(self) -> str:
        return f"<Universe contracts={len(self.contracts)}>"

    def listings(self) -> list[Listing]:
        """What the market trades."""
        return [item.listing() for item in self.contracts.values()]

    def find(self, market: int, code: str) -> FutuContract | None:
        """The security of this QotMarket and code; None if there is none."""
        place = PLACES.get(market)
        return self.contracts.get(f"{place.prefix}.{code}") if place else None

    def traded_as(self, trd_sec_market: int, code: str) -> FutuContract | None:
        """The security that an order means by its TrdSecMarket and code; None if there is none."""
        for place in PLACES.values():
            if place.trd_sec_market == trd_sec_market:
                return self.find(place.number, code)
        return None


def _made_up(name: str) -> FutuContract | None:
    """The stock HK.90000, HK.90001, … HK.90999: nobody lists it unless it is named."""
    if not _MADE_UP.fullmatch(name):
        return None
    code = name.partition(".")[2]
    return _hong_kong(code, f"TEST COMPANY {code}", 20.0 + int(code[2:]), 0.02, 100)


def _hong_kong(code: str, title: str, price: float, tick: float, lot_size: int) -> FutuContract:
    return FutuContract(
        market=HK,
        code=code,
        title=title,
        stock_id=54_047_868_453_564 + int(code),
        exchange=_MAIN_BOARD,
        price=price,
        tick=tick,
        lot_size=lot_size,
    )


def _american(
    code: str, title: str, price: float, exchange: int = _NASDAQ, sec_type: int = STOCK
) -> FutuContract:
    return FutuContract(
        market=US,
        code=code,
        title=title,
        stock_id=202_000_000_000 + int.from_bytes(code.encode(), "big"),
        exchange=exchange,
        price=price,
        tick=0.01,
        lot_size=1,
        lot=300,
        sec_type=sec_type,
        listed="1980-12-12",
    )


def _chinese(market: int, code: str, title: str, price: float, exchange: int) -> FutuContract:
    return FutuContract(
        market=market,
        code=code,
        title=title,
        stock_id=1_000_000 * market + int(code),
        exchange=exchange,
        price=price,
        tick=0.01,
        listed="2001-08-27",
    )


CONTRACTS = (
    _hong_kong("00700", "TENCENT", 612.0, 0.5, 100),
    _hong_kong("09988", "BABA-W", 152.0, 0.1, 100),
    _hong_kong("00005", "HSBC HOLDINGS", 118.0, 0.1, 400),
    _hong_kong("01810", "XIAOMI-W", 41.5, 0.02, 200),
    _american("AAPL", "Apple", 268.0),
    _american("TSLA", "Tesla", 402.0),
    _american("NVDA", "NVIDIA", 186.0),
    _american("IBM", "IBM Corp", 296.0, _NYSE),
    _american("SPY", "SPDR S&P 500 ETF", 655.0, _AMEX, FUND),
    _chinese(SH, "600519", "贵州茅台", 1_452.0, _SHANGHAI),
    _chinese(SH, "600000", "浦发银行", 11.6, _SHANGHAI),
    _chinese(SZ, "000001", "平安银行", 11.7, _SHENZHEN),
)
"""Everything that can be asked for."""
