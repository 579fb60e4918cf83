"""From an act of a schedule to an order that means something in the market of the moment."""

from __future__ import annotations

from foxtrot.model.constants import Direction, OrderType
from foxtrot.model.requests import OrderRequest
from tests.faults.venue_order_schedules import Act, Shape
from tests.support.venues import VenueUnderTest

_LOTS = {"BTCUSDT": 0.002, "ETHUSDT": 0.02, "ETHBTC": 0.02}
_DIGITS = {"BTCUSDT": 2, "ETHUSDT": 2, "ETHBTC": 5}
_TYPES = {
    Shape.MARKET: OrderType.MARKET,
    Shape.FAK: OrderType.FAK,
    Shape.FOK: OrderType.FOK,
    Shape.POST_ONLY: OrderType.POST_ONLY,
    Shape.STOP: OrderType.STOP,
    Shape.STOP_LIMIT: OrderType.STOP_LIMIT,
}
_CROSSING = frozenset({Shape.CROSS, Shape.FAK, Shape.FOK})


def request_of(act: Act, venue: VenueUnderTest) -> OrderRequest:
    """The order that an act asks for."""
    unpriced = act.shape in (Shape.MARKET, Shape.STOP)
    stop = 0.0
    if act.shape in (Shape.STOP, Shape.STOP_LIMIT):
        stop = _away(act.symbol, venue, 1.02 if act.buys else 0.98)
    return OrderRequest(
        act.symbol,
        venue.exchange,
        Direction.LONG if act.buys else Direction.SHORT,
        _TYPES.get(act.shape, OrderType.LIMIT),
        volume_of(act.symbol, act.size),
        0.0 if unpriced else price_of(act, venue, buys=act.buys),
        stop_price=stop,
    )


def price_of(act: Act, venue: VenueUnderTest, *, buys: bool) -> float:
    """The limit at which an order is what its shape says."""
    bid, ask = venue.newest(act.symbol)
    if act.shape in _CROSSING:
        return ask if buys else bid
    if act.shape is Shape.BEST:
        return bid if buys else ask
    share = 0.97 if act.shape is Shape.STOP_LIMIT else 0.95 + 0.001 * act.size
    return _away(act.symbol, venue, share if buys else 2.0 - share)


def volume_of(symbol: str, size: int) -> float:
    """So many lots."""
    return round(_LOTS[symbol] * size, 5)


def _away(symbol: str, venue: VenueUnderTest, share: float) -> float:
    return round(venue.newest(symbol)[0] * share, _DIGITS[symbol])
