"""The REST side of the simulated Binance: what each path takes, weighs and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from foxtrot.simulator import binance_payloads as wire
from foxtrot.simulator.accounts import FEE_E8
from foxtrot.simulator.binance_limits import Limits
from foxtrot.simulator.binance_params import (
    SYMBOL,
    Params,
    check_names,
    moment_of,
    number_of,
    refusal,
    row_limit,
    symbol_of,
    text_of,
)
from foxtrot.simulator.history import INTERVALS_MS
from foxtrot.simulator.listings import decimal8
from foxtrot.simulator.market import LEVELS, Market, Trade

_SYMBOLS_TEXT = r"^\[(\"[A-Z0-9\-_.]{1,20}\"(,\"[A-Z0-9\-_.]{1,20}\"){0,}){0,1}\]$"
_HTML_404 = "<html><head><title>404 Not found</title></head><body>404 Not found</body></html>"
_DEPTH_MAX = 5_000
_UTC = ("0", "00:00", "+00:00", "-00:00")
"""The only zone whose days and weeks there are bars of."""

_DAY_LIST = 20
_DAY_LIST_LONG = 100


class Venue(Protocol):
    """What the answers are made of."""

    market: Market
    limits: Limits

    def now_ms(self) -> int:
        """The venue's clock."""

    def wake(self, symbol: str) -> None:
        """Bring a symbol's market to the present."""


Answer = Callable[[Venue, Params], object]
Weight = Callable[[Params], int]


class Endpoint(msgspec.Struct, frozen=True):
    """One path: the parameters it knows, what a request weighs, and the answer."""

    params: frozenset[str]
    weight: Weight
    answer: Answer
    signed: bool = False


def answer(venue: Venue, endpoint: Endpoint, request: web.Request) -> bytes:
    """The body for a request.

    Raises:
        web.HTTPException: The refusal, with Binance's error body.
    """
    params = request.query
    check_names(params, endpoint.params)
    if endpoint.signed and not request.headers.get("X-MBX-APIKEY"):
        raise refusal(-2014, "API-key format invalid.", status=401)
    body = endpoint.answer(venue, params)
    return body if isinstance(body, bytes) else wire.encode(body)


def not_found() -> web.HTTPException:
    """The page for a path the venue does not have."""
    return web.HTTPNotFound(text=_HTML_404, content_type="text/html")


def gone() -> web.HTTPException:
    """The answer on the paths of listen keys, which Binance has retired."""
    return refusal(-1000, "Listen keys have been retired; use the WebSocket API.", status=410)


def _ping(venue: Venue, params: Params) -> object:
    return {}


def _time(venue: Venue, params: Params) -> object:
    return {"serverTime": venue.now_ms()}


def _exchange_info(venue: Venue, params: Params) -> object:
    symbols = _wanted(venue, params)
    listings = venue.market.listings
    items = [listings[symbol] for symbol in symbols] if symbols else list(listings.values())
    return wire.exchange_info(items, venue.limits, venue.now_ms())


def _depth(venue: Venue, params: Params) -> object:
    symbol = symbol_of(venue, params)
    limit = number_of(params, "limit", 100, low=1, high=_DEPTH_MAX)
    return wire.depth_snapshot(venue.market.book(symbol, min(limit, LEVELS)))


def _trades(venue: Venue, params: Params) -> object:
    symbol = symbol_of(venue, params)
    limit = row_limit(params)
    return [wire.trade_row(trade) for trade in list(venue.market.trades(symbol))[-limit:]]


def _historical_trades(venue: Venue, params: Params) -> object:
    symbol = symbol_of(venue, params)
    kept = list(venue.market.trades(symbol))
    return [wire.trade_row(trade) for trade in _page(kept, params)]


def _agg_trades(venue: Venue, params: Params) -> object:
    symbol = symbol_of(venue, params)
    start, end = moment_of(params, "startTime"), moment_of(params, "endTime")
    if "fromId" in params and (start is not None or end is not None):
        raise refusal(-1128, "Combination of optional parameters invalid.")
    kept = [
        trade
        for trade in venue.market.trades(symbol)
        if (start is None or trade.time_ms >= start) and (end is None or trade.time_ms <= end)
    ]
    if start is not None:
        return [wire.agg_trade_row(trade) for trade in kept[: row_limit(params)]]
    return [wire.agg_trade_row(trade) for trade in _page(kept, params)]


def _klines(venue: Venue, params: Params) -> object:
    symbol = symbol_of(venue, params)
    interval = text_of(params, "interval")
    if interval not in INTERVALS_MS:
        raise refusal(-1120, "Invalid interval.")
    if params.get("timeZone", "0") not in _UTC:
        raise refusal(-1130, "Data sent for parameter 'timeZone' is not valid.")
    start, end = moment_of(params, "startTime"), moment_of(params, "endTime")
    bars = venue.market.bars(symbol, interval, start, end, row_limit(params))
    return [wire.kline_row(bar) for bar in bars]


def _average_price(venue: Venue, params: Params) -> object:
    symbol = symbol_of(venue, params)
    now_ms = venue.market.now_ms(symbol)
    return wire.average_price(venue.market.bar(symbol, "5m", now_ms), now_ms)


def _day(venue: Venue, params: Params) -> object:
    mini = params.get("type", "FULL")
    if mini not in ("FULL", "MINI"):
        raise refusal(-1130, "Data sent for parameter 'type' is not valid.")

    def row(symbol: str) -> wire.Row:
        market = venue.market
        day, now_ms = market.day(symbol), market.now_ms(symbol)
        if mini == "MINI":
            return wire.mini_ticker_row(symbol, day, now_ms)
        return wire.ticker_row(day, market.quote(symbol), _last(market.trades(symbol)), now_ms)

    return _rows(venue, params, row)


def _prices(venue: Venue, params: Params) -> object:
    def row(symbol: str) -> wire.Row:
        return {"symbol": symbol, "price": decimal8(venue.market.day(symbol).close_e8)}

    return _rows(venue, params, row)


def _book_tickers(venue: Venue, params: Params) -> object:
    return _rows(venue, params, lambda s: wire.book_ticker_row(venue.market.quote(s)))


def _coins(venue: Venue, params: Params) -> object:
    listings = venue.market.listings.values()
    coins = sorted({asset for item in listings for asset in (item.base, item.quote)})
    return [
        {"coin": coin, "name": coin, "free": "0", "locked": "0", "trading": True, "networkList": []}
        for coin in coins
    ]


def _status(venue: Venue, params: Params) -> object:
    return {"status": 0, "msg": "normal"}


def _fees(venue: Venue, params: Params) -> object:
    fee = decimal8(FEE_E8)
    return [
        {"symbol": symbol, "makerCommission": fee, "takerCommission": fee}
        for symbol in _wanted(venue, params) or venue.market.listings
    ]


def _nothing(venue: Venue, params: Params) -> object:
    return []


def _rows(venue: Venue, params: Params, row: Callable[[str], wire.Row]) -> object:
    """One object for `symbol`, a list for `symbols` or for none."""
    symbols = _wanted(venue, params) or list(venue.market.listings)
    for symbol in symbols:
        venue.wake(symbol)
    return row(symbols[0]) if "symbol" in params else [row(symbol) for symbol in symbols]


def _wanted(venue: Venue, params: Params) -> list[str]:
    """The symbols a request names; empty if it names none."""
    if "symbol" in params and "symbols" in params:
        raise refusal(-1128, "Combination of optional parameters invalid.")
    if "symbol" in params:
        return [symbol_of(venue, params)]
    if "symbols" not in params:
        return []
    symbols = _symbol_list(params["symbols"])
    if any(symbol not in venue.market.listings for symbol in symbols):
        raise refusal(-1121, "Invalid symbol.")
    return symbols


def _symbol_list(text: str) -> list[str]:
    try:
        symbols = msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        symbols = []
    if not symbols or not all(SYMBOL.fullmatch(symbol) for symbol in symbols):
        raise refusal(
            -1100,
            f"Illegal characters found in parameter 'symbols'; legal range is '{_SYMBOLS_TEXT}'.",
        )
    return symbols


def _page(kept: Sequence[Trade], params: Params) -> Sequence[Trade]:
    """The trades from `fromId` on, else the latest ones."""
    limit = row_limit(params)
    if "fromId" not in params:
        return kept[-limit:]
    first = number_of(params, "fromId", 0, low=0, high=10**20)
    return [trade for trade in kept if trade.trade_id >= first][:limit]


def _last(trades: Sequence[Trade]) -> Trade | None:
    return trades[-1] if trades else None


def _flat(weight: int) -> Weight:
    return lambda params: weight


def _depth_weight(params: Params) -> int:
    text = params.get("limit", "100")
    limit = int(text) if text.isascii() and text.isdigit() else 100
    return next((w for most, w in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


def _day_weight(params: Params) -> int:
    if "symbol" in params:
        return 2
    if "symbols" not in params:
        return 80
    count = params["symbols"].count(",") + 1
    if count <= _DAY_LIST:
        return 2
    return 40 if count <= _DAY_LIST_LONG else 80


def _list_weight(params: Params) -> int:
    return 2 if "symbol" in params else 4


def _endpoint(params: str, weight: Weight, answer: Answer, *, signed: bool = False) -> Endpoint:
    return Endpoint(frozenset(params.split()), weight, answer, signed)


_RANGE = "startTime endTime limit"
_SIGNED = "timestamp recvWindow signature"
_INFO = "symbol symbols permissions showPermissionSets symbolStatus"

ENDPOINTS: Mapping[str, Endpoint] = {
    "/api/v3/ping": _endpoint("", _flat(1), _ping),
    "/api/v3/time": _endpoint("", _flat(1), _time),
    "/api/v3/exchangeInfo": _endpoint(_INFO, _flat(20), _exchange_info),
    "/api/v3/depth": _endpoint("symbol limit", _depth_weight, _depth),
    "/api/v3/trades": _endpoint("symbol limit", _flat(25), _trades),
    "/api/v3/historicalTrades": _endpoint("symbol limit fromId", _flat(25), _historical_trades),
    "/api/v3/aggTrades": _endpoint(f"symbol fromId {_RANGE}", _flat(4), _agg_trades),
    "/api/v3/klines": _endpoint(f"symbol interval timeZone {_RANGE}", _flat(2), _klines),
    "/api/v3/avgPrice": _endpoint("symbol", _flat(2), _average_price),
    "/api/v3/ticker/24hr": _endpoint("symbol symbols type", _day_weight, _day),
    "/api/v3/ticker/price": _endpoint("symbol symbols", _list_weight, _prices),
    "/api/v3/ticker/bookTicker": _endpoint("symbol symbols", _list_weight, _book_tickers),
    "/sapi/v1/system/status": _endpoint("", _flat(1), _status),
    "/sapi/v1/asset/tradeFee": _endpoint(f"symbol {_SIGNED}", _flat(1), _fees, signed=True),
    "/sapi/v1/capital/config/getall": _endpoint(_SIGNED, _flat(1), _coins, signed=True),
    "/sapi/v1/margin/allPairs": _endpoint(_SIGNED, _flat(1), _nothing, signed=True),
    "/sapi/v1/margin/isolated/allPairs": _endpoint(_SIGNED, _flat(1), _nothing, signed=True),
}

RETIRED = ("/api/v3/userDataStream", "/sapi/v1/userDataStream")
