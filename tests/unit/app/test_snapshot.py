"""What the screen is drawn from."""

from foxtrot.app import snapshot
from foxtrot.app.watch import Watch
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.constants import Exchange
from foxtrot.model.requests import SubscribeRequest
from tests.support.trading_adapter import TradingAdapter


def test_each_adapter_shows_its_own_price() -> None:
    """An exchange and its testnet have the same symbols, and stand below each other."""
    watch = Watch()
    with MainEngine() as engine:
        watch.attach(engine.event_engine)
        for name, price in (("LIVE", 100), ("TESTNET", 7)):
            adapter = engine.add_adapter(TradingAdapter, name)
            adapter.subscribe(SubscribeRequest("A", Exchange.BINANCE))
            adapter.quote("A.BINANCE", price)
        quotes = snapshot.take(engine, watch, "both", 0.0).quotes
    assert [quote.tick and quote.tick.last_price for quote in quotes] == [100, 7]
