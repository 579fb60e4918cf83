"""What of a stream is left when it is given back."""

from foxtrot.adapter.binance import mapping
from foxtrot.adapter.binance.slots import drop_slot
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import TickData
from tests.support.binance_frames import Routed, quote


def test_ticks_show_no_levels_of_a_book_that_was_given_back(routed: Routed) -> None:
    """They would stand still beside a best bid and ask that move."""
    levels = [(99.0, 5.0), (98.0, 5.0)], [(101.0, 5.0), (102.0, 5.0)]
    assert routed.router.snapshot("BTCUSDT", mapping.DepthSnapshot(7, *levels))
    drop_slot(routed.router, StreamKey(Channel.DEPTH, "BTCUSDT", Exchange.BINANCE))
    routed(quote(1, "50.0", "51.0"))
    assert isinstance(routed.last, TickData)
    assert (routed.last.bid_price_1, routed.last.bid_price_2) == (50.0, 0.0)
    assert (routed.last.ask_price_1, routed.last.ask_price_2) == (51.0, 0.0)
