"""What every fault has to end in, and how a fault that ends a session is played through."""

from __future__ import annotations

from foxtrot.model.constants import Channel
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.health import ConnectionStatus
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, TickData
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import Rig, eventually

ALL = tuple(Channel)


def everything(rig: Rig) -> None:
    """All channels of all symbols are wanted, connected and served."""
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol, *ALL)
    rig.connect()
    rig.wait_served()


def lost(rig: Rig, fault: str, **params: object) -> ConnectionStatus:
    """Inject a fault that ends the session; what was said about it."""
    since = len(rig.log)
    rig.venue.faults.inject(fault, **params)
    return rig.wait_state(S.RECONNECTING, since=since)


def healed(rig: Rig) -> None:
    """The books at the end: all restored, all fresh, all flowing, the depth is the venue's."""
    rig.venue.faults.clear()
    rig.wait_served()
    ticked = [r.symbol for r in rig.adapter.subscriptions() if r.channel is Channel.TICK]
    rig.wait_fresh(*ticked)
    rig.wait_flowing()
    for request in rig.adapter.subscriptions():
        if request.channel is Channel.DEPTH:
            same_book(rig, request.symbol)


def spent(rig: Rig) -> None:
    """Wait until every fault on the board has struck as often as it was to."""
    eventually(lambda: not rig.venue.faults.faults(), "the faults are used up")


def same_book(rig: Rig, symbol: str) -> None:
    """Wait until the levels that were told last are those of the venue's book."""
    assert isinstance(rig.venue, BinanceUnderTest)
    book = rig.venue.sim.market.book(symbol, 20)
    bids = [(price / 1e8, volume / 1e8) for price, volume in book.bids]
    asks = [(price / 1e8, volume / 1e8) for price, volume in book.asks]

    def same() -> bool:
        depth = rig.engine.get_depth(f"{symbol}.{rig.venue.exchange.value}")
        return depth is not None and (list(depth.bids), list(depth.asks)) == (bids, asks)

    eventually(same, f"the book of {symbol} is the venue's")


def prices_of(data: object) -> list[float]:
    """The prices of a tick, a book, a print or a bar."""
    if isinstance(data, TickData):
        return [data.bid_price_1, data.ask_price_1, data.last_price]
    if isinstance(data, DepthData):
        return [price for price, _ in (*data.bids, *data.asks)]
    if isinstance(data, BarData):
        return [data.open_price, data.high_price, data.low_price, data.close_price]
    return [data.price] if isinstance(data, MarketTradeData) else []
