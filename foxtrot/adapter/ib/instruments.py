"""Pure: what IB says of a contract, and the names that contracts have here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Protocol
from zoneinfo import ZoneInfo

from foxtrot.adapter.ib import symbols
from foxtrot.adapter.ib.sdk import RawContract, sdk
from foxtrot.adapter.ib.symbols import Spec
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Exchange, OptionType, Product
from foxtrot.model.objects import ContractData, Source

log = get_logger("foxtrot.ib.contracts")

Name = tuple[str, Exchange]
"""How a contract is spelled: symbol and exchange."""

UNSET = 1e300
"""Anything above is IB's way to say that there is no number."""

SMART_TYPES = ("STK", "OPT", "FUND", "WAR", "CFD", "BOND", "CMDTY")

OLD_ZONES = {
    "EST (Eastern Standard Time)": "America/New_York",
    "CST (Central Standard Time)": "America/Chicago",
    "GMT (Greenwich Mean Time)": "Europe/London",
    "MET (Middle Europe Time)": "Europe/Berlin",
    "JST (Japan Standard Time)": "Asia/Tokyo",
    "EST": "America/New_York",
    "EST5EDT": "America/New_York",
    "CST": "America/Chicago",
    "CST6CDT": "America/Chicago",
    "MET": "Europe/Berlin",
    "JST": "Asia/Tokyo",
    "HKT": "Asia/Hong_Kong",
    "US/Eastern": "America/New_York",
    "US/Central": "America/Chicago",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
    "GB": "Europe/London",
    "GB-Eire": "Europe/London",
    "Japan": "Asia/Tokyo",
    "Hongkong": "Asia/Hong_Kong",
    "Singapore": "Asia/Singapore",
    "Israel": "Asia/Jerusalem",
    "Asia/Calcutta": "Asia/Kolkata",
    "Australia/NSW": "Australia/Sydney",
}
"""What TWS, or an older gateway, calls a time zone; elsewhere some mean another, or none.

Newer Linux systems have names such as US/Eastern in a package of its own, which may be missing.
"""


class RawDetails(Protocol):
    """What is read of the SDK's ContractDetails."""

    contract: RawContract
    minTick: float
    orderTypes: str
    priceMagnifier: int
    longName: str
    timeZoneId: str
    tradingHours: str
    liquidHours: str
    stockType: str
    underSymbol: str
    minSize: float
    sizeIncrement: float


@dataclass(frozen=True, slots=True)
class Instrument:
    """A contract that IB knows, under the name it has here.

    `contract` is the SDK's, complete and fit for every request. `hours` and `liquid_hours` are
    IB's text, in `zone`, the exchange's time zone. `expiry` is midnight before the last trading
    day, None if there is none.
    """

    symbol: str
    exchange: Exchange
    con_id: int
    contract: RawContract
    data: ContractData
    source: Source
    min_tick: float
    multiplier: float
    price_magnifier: int
    zone: ZoneInfo
    expiry: dt.datetime | None
    hours: str
    liquid_hours: str

    @property
    def sec_type(self) -> str:
        """IB's kind of contract, such as STK."""
        return self.contract.secType

    @property
    def vt_symbol(self) -> str:
        """`symbol.EXCHANGE`."""
        return self.source.vt_symbol


def raw_contract(spec: Spec, place: str) -> RawContract:
    """The SDK's contract to look `spec` up with at the exchange that IB calls `place`."""
    contract = sdk().Contract(conId=spec.con_id, exchange=place)
    contract.symbol, contract.secType = spec.root, spec.sec_type
    contract.currency, contract.multiplier = spec.currency, spec.multiplier
    contract.lastTradeDateOrContractMonth = spec.expiry
    contract.right, contract.strike = spec.right, spec.strike
    # Of expired contracts IB serves futures only, and those by this mark.
    contract.includeExpired = spec.sec_type == "FUT"
    return contract


def canonical(contract: RawContract) -> Name:
    """The name of a contract that nobody has named yet.

    Futures and options of another trading class than their symbol's have namesakes: the multiplier
    tells such futures apart, the conId such options.
    """
    spec = Spec(contract.symbol, contract.secType, contract.currency)
    own_class = contract.tradingClass in ("", contract.symbol)
    expiry = contract.lastTradeDateOrContractMonth[:8]
    multiplier = symbols.number_text(contract.multiplier)
    if spec.sec_type == "FUT":
        spec = replace(spec, expiry=expiry, multiplier="" if own_class else multiplier)
    elif spec.sec_type in symbols.OPTIONS and own_class:
        right, strike = contract.right[:1], float(contract.strike)
        spec = replace(spec, expiry=expiry, right=right, strike=strike, multiplier=multiplier)
    text = symbols.format_symbol(spec)
    try:
        symbols.parse(text)
    except ConfigurationError:
        text = str(contract.conId)
    return text, _canonical_exchange(contract)


def _canonical_exchange(contract: RawContract) -> Exchange:
    if contract.secType in SMART_TYPES:
        return Exchange.SMART
    if contract.secType == "CASH":
        return Exchange.IDEALPRO
    for place in (contract.exchange, contract.primaryExchange):
        if place in symbols.EXCHANGES_BACK:
            return symbols.EXCHANGES_BACK[place]
    return Exchange.GLOBAL


def candidate(contract: RawContract, exchange: Exchange) -> str:
    """One of several contracts that a symbol fits, by the name that means it alone."""
    strike = f"{contract.right} {contract.strike:g}" if contract.right else ""
    place = contract.primaryExchange or contract.exchange
    own_class = contract.tradingClass in ("", contract.symbol)
    parts = (
        contract.symbol,
        contract.secType,
        contract.lastTradeDateOrContractMonth,
        strike,
        contract.currency,
        f"at {place}",
        f"times {contract.multiplier}" if contract.multiplier else "",
        "" if own_class else f"class {contract.tradingClass}",
    )
    return f"{contract.conId}.{exchange.value} ({' '.join(filter(None, parts))})"


def instrument(adapter_name: str, name: Name, row: RawDetails) -> Instrument:
    """What IB says of a contract, under a name of ours."""
    contract, (symbol, exchange) = row.contract, name
    contract.exchange = symbols.EXCHANGES.get(exchange, contract.exchange)
    contract.includeExpired = contract.secType == "FUT"
    data = _data(adapter_name, name, row)
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        con_id=contract.conId,
        contract=contract,
        data=data,
        source=Source.of(symbol, exchange, adapter_name, data.name),
        min_tick=row.minTick,
        multiplier=data.size,
        price_magnifier=row.priceMagnifier or 1,
        zone=time_zone(row.timeZoneId),
        expiry=_expiry(row),
        hours=row.tradingHours,
        liquid_hours=row.liquidHours,
    )


def _data(adapter_name: str, name: Name, row: RawDetails) -> ContractData:
    contract = row.contract
    option = contract.secType in symbols.OPTIONS
    return ContractData(
        adapter_name,
        *name,
        name=row.longName or contract.localSymbol or name[0],
        product=_product(row),
        size=float(symbols.number_text(contract.multiplier) or 1),
        pricetick=row.minTick,
        min_volume=_size(row.minSize) or 1.0,
        volume_step=_size(row.sizeIncrement),
        stop_supported="STP" in row.orderTypes.split(","),
        net_position=True,
        history_data=True,
        option_strike=float(contract.strike) if option else None,
        option_underlying=(row.underSymbol or contract.symbol) if option else None,
        option_type=_option_type(contract) if option else None,
        option_expiry=_expiry(row) if option else None,
        option_portfolio=contract.symbol if option else None,
        option_index=f"{contract.strike:g}" if option else None,
    )


def _product(row: RawDetails) -> Product:
    if row.stockType == "ETF":
        return Product.ETF
    return symbols.PRODUCTS.get(row.contract.secType, Product.EQUITY)


def _size(number: float) -> float:
    return number if 0 < number < UNSET else 0.0


def _option_type(contract: RawContract) -> OptionType | None:
    return {"C": OptionType.CALL, "P": OptionType.PUT}.get(contract.right[:1])


def _expiry(row: RawDetails) -> dt.datetime | None:
    try:
        day = dt.date.fromisoformat(row.contract.lastTradeDateOrContractMonth[:8])
    except ValueError:
        return None
    return dt.datetime.combine(day, dt.time(), time_zone(row.timeZoneId))


def time_zone(name: str) -> ZoneInfo:
    """The zone that IB means; UTC, and a line in the log, if nobody knows it."""
    try:
        return ZoneInfo(OLD_ZONES.get(name, name))
    except (ValueError, OSError, LookupError):
        log.warning("time_zone_unknown", time_zone=name)
        return ZoneInfo("UTC")
