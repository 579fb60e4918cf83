"""What Binance's market data looks like on the wire: pure functions from the market to JSON.

The order of the keys is Binance's: a book ticker starts with `{"u":`, an event with `{"e":`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from foxtrot.simulator.binance_limits import Limits
from foxtrot.simulator.history import Bar
from foxtrot.simulator.listings import E8, Listing, decimal8
from foxtrot.simulator.market import Book, Quote, Step, Trade

Row = dict[str, object]
encode = msgspec.json.encode

_ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
_MARGIN_QUOTES = {"USDT", "USDC", "BTC"}


def book_ticker_event(quote: Quote) -> bytes:
    """The `@bookTicker` frame; spot has no time in it."""
    return (
        f'{{"u":{quote.update_id},"s":"{quote.symbol}",'
        f'"b":"{decimal8(quote.bid_e8)}","B":"{decimal8(quote.bid_quantity_e8)}",'
        f'"a":"{decimal8(quote.ask_e8)}","A":"{decimal8(quote.ask_quantity_e8)}"}}'
    ).encode()


def trade_event(symbol: str, trade: Trade, event_ms: int) -> bytes:
    """The `@trade` frame."""
    return encode(
        {
            "e": "trade",
            "E": event_ms,
            "s": symbol,
            "t": trade.trade_id,
            "p": decimal8(trade.price_e8),
            "q": decimal8(trade.quantity_e8),
            "T": trade.time_ms,
            "m": trade.buyer_is_maker,
            "M": True,
        }
    )


def agg_trade_event(symbol: str, trade: Trade, event_ms: int) -> bytes:
    """The `@aggTrade` frame; every trade stands alone here."""
    return encode({"e": "aggTrade", "E": event_ms, "s": symbol, **agg_trade_row(trade)})


def mini_ticker_event(symbol: str, day: Bar, event_ms: int) -> bytes:
    """The `@miniTicker` frame."""
    return encode(
        {
            "e": "24hrMiniTicker",
            "E": event_ms,
            "s": symbol,
            "c": decimal8(day.close_e8),
            "o": decimal8(day.open_e8),
            "h": decimal8(day.high_e8),
            "l": decimal8(day.low_e8),
            "v": decimal8(day.volume_e8),
            "q": decimal8(day.turnover_e8),
        }
    )


def ticker_event(day: Bar, quote: Quote, last: Trade | None, event_ms: int) -> bytes:
    """The `@ticker` frame."""
    return encode(
        {
            "e": "24hrTicker",
            "E": event_ms,
            "s": quote.symbol,
            "p": decimal8(day.close_e8 - day.open_e8),
            "P": _percent(day),
            "w": decimal8(_average(day)),
            "x": decimal8(day.open_e8),
            "c": decimal8(day.close_e8),
            "Q": decimal8(last.quantity_e8 if last else 0),
            "b": decimal8(quote.bid_e8),
            "B": decimal8(quote.bid_quantity_e8),
            "a": decimal8(quote.ask_e8),
            "A": decimal8(quote.ask_quantity_e8),
            "o": decimal8(day.open_e8),
            "h": decimal8(day.high_e8),
            "l": decimal8(day.low_e8),
            "v": decimal8(day.volume_e8),
            "q": decimal8(day.turnover_e8),
            "O": event_ms - 86_400_000,
            "C": event_ms,
            "F": day.first_id,
            "L": day.last_id,
            "n": day.trades,
        }
    )


def average_price_event(symbol: str, bar: Bar, event_ms: int) -> bytes:
    """The `@avgPrice` frame."""
    return encode(
        {
            "e": "avgPrice",
            "E": event_ms,
            "s": symbol,
            "i": "5m",
            "w": decimal8(_average(bar)),
            "T": event_ms,
        }
    )


def depth_event(step: Step, event_ms: int) -> bytes:
    """The `@depth` frame: the changes of one or more steps."""
    return encode(
        {
            "e": "depthUpdate",
            "E": event_ms,
            "s": step.symbol,
            "U": step.first_id,
            "u": step.last_id,
            "b": _levels(sorted(step.bids.items(), reverse=True)),
            "a": _levels(sorted(step.asks.items())),
        }
    )


def depth_snapshot(book: Book) -> bytes:
    """The answer of /api/v3/depth, and the frame of `@depth5`, `@depth10`, `@depth20`."""
    return encode(
        {"lastUpdateId": book.update_id, "bids": _levels(book.bids), "asks": _levels(book.asks)}
    )


def kline_event(symbol: str, interval: str, bar: Bar, event_ms: int, *, closed: bool) -> bytes:
    """The `@kline_<interval>` frame."""
    return encode(
        {
            "e": "kline",
            "E": event_ms,
            "s": symbol,
            "k": {
                "t": bar.start_ms,
                "T": bar.end_ms - 1,
                "s": symbol,
                "i": interval,
                "f": bar.first_id,
                "L": bar.last_id,
                "o": decimal8(bar.open_e8),
                "c": decimal8(bar.close_e8),
                "h": decimal8(bar.high_e8),
                "l": decimal8(bar.low_e8),
                "v": decimal8(bar.volume_e8),
                "n": bar.trades,
                "x": closed,
                "q": decimal8(bar.turnover_e8),
                "V": decimal8(bar.taker_volume_e8),
                "Q": decimal8(bar.taker_turnover_e8),
                "B": "0",
            },
        }
    )


def kline_row(bar: Bar) -> list[object]:
    """One row of /api/v3/klines."""
    return [
        bar.start_ms,
        decimal8(bar.open_e8),
        decimal8(bar.high_e8),
        decimal8(bar.low_e8),
        decimal8(bar.close_e8),
        decimal8(bar.volume_e8),
        bar.end_ms - 1,
        decimal8(bar.turnover_e8),
        bar.trades,
        decimal8(bar.taker_volume_e8),
        decimal8(bar.taker_turnover_e8),
        "0",
    ]


def trade_row(trade: Trade) -> Row:
    """One row of /api/v3/trades."""
    return {
        "id": trade.trade_id,
        "price": decimal8(trade.price_e8),
        "qty": decimal8(trade.quantity_e8),
        "quoteQty": decimal8(trade.price_e8 * trade.quantity_e8 // E8),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def agg_trade_row(trade: Trade) -> Row:
    """One row of /api/v3/aggTrades."""
    return {
        "a": trade.trade_id,
        "p": decimal8(trade.price_e8),
        "q": decimal8(trade.quantity_e8),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def ticker_row(day: Bar, quote: Quote, last: Trade | None, now_ms: int) -> Row:
    """One row of /api/v3/ticker/24hr of type FULL."""
    return {
        "symbol": quote.symbol,
        "priceChange": decimal8(day.close_e8 - day.open_e8),
        "priceChangePercent": _percent(day),
        "weightedAvgPrice": decimal8(_average(day)),
        "prevClosePrice": decimal8(day.open_e8),
        "lastPrice": decimal8(day.close_e8),
        "lastQty": decimal8(last.quantity_e8 if last else 0),
        "bidPrice": decimal8(quote.bid_e8),
        "bidQty": decimal8(quote.bid_quantity_e8),
        "askPrice": decimal8(quote.ask_e8),
        "askQty": decimal8(quote.ask_quantity_e8),
        **_day_rows(day, now_ms),
    }


def mini_ticker_row(symbol: str, day: Bar, now_ms: int) -> Row:
    """One row of /api/v3/ticker/24hr of type MINI."""
    return {"symbol": symbol, "lastPrice": decimal8(day.close_e8), **_day_rows(day, now_ms)}


def book_ticker_row(quote: Quote) -> Row:
    """One row of /api/v3/ticker/bookTicker."""
    return {
        "symbol": quote.symbol,
        "bidPrice": decimal8(quote.bid_e8),
        "bidQty": decimal8(quote.bid_quantity_e8),
        "askPrice": decimal8(quote.ask_e8),
        "askQty": decimal8(quote.ask_quantity_e8),
    }


def average_price(bar: Bar, now_ms: int) -> Row:
    """The answer of /api/v3/avgPrice."""
    return {"mins": 5, "price": decimal8(_average(bar)), "closeTime": now_ms}


def exchange_info(listings: Iterable[Listing], limits: Limits, now_ms: int) -> Row:
    """The answer of /api/v3/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute or 6_000),
            _rate_limit("ORDERS", "SECOND", 10, limits.orders_per_10_s or 100),
            _rate_limit("ORDERS", "DAY", 1, limits.orders_per_day or 200_000),
            _rate_limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol_row(item) for item in listings],
    }


def _symbol_row(item: Listing) -> Row:
    margin = item.quote in _MARGIN_QUOTES
    return {
        "symbol": item.symbol,
        "status": "TRADING",
        "baseAsset": item.base,
        "baseAssetPrecision": 8,
        "quoteAsset": item.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(_ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": margin,
        "filters": filters(item),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"] if margin else ["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def filters(item: Listing) -> list[Mapping[str, object]]:
    """The filters of a symbol, as exchangeInfo tells them and orders are held to."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": decimal8(item.tick_e8),
            "maxPrice": decimal8(item.price_e8 // item.tick_e8 * item.tick_e8 * 16),
            "tickSize": decimal8(item.tick_e8),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": decimal8(item.step_e8),
            "maxQty": decimal8(item.lot_e8 * 10_000),
            "stepSize": decimal8(item.step_e8),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": decimal8(0),
            "maxQty": decimal8(item.lot_e8 * 100),
            "stepSize": decimal8(0),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": decimal8(item.min_notional_e8),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> Row:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _day_rows(day: Bar, now_ms: int) -> Row:
    return {
        "openPrice": decimal8(day.open_e8),
        "highPrice": decimal8(day.high_e8),
        "lowPrice": decimal8(day.low_e8),
        "volume": decimal8(day.volume_e8),
        "quoteVolume": decimal8(day.turnover_e8),
        "openTime": now_ms - 86_400_000,
        "closeTime": now_ms,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def _levels(levels: Sequence[tuple[int, int]]) -> list[list[str]]:
    return [[decimal8(price), decimal8(quantity)] for price, quantity in levels]


def _percent(day: Bar) -> str:
    return f"{100 * (day.close_e8 - day.open_e8) / day.open_e8:.3f}"


def _average(bar: Bar) -> int:
    return bar.turnover_e8 * E8 // bar.volume_e8 if bar.volume_e8 else bar.close_e8
