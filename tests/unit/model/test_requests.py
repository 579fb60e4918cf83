"""What a caller asks for."""

import datetime as dt

import pytest

from foxtrot.model.constants import Channel, Direction, Exchange, Interval, Offset, OrderType
from foxtrot.model.requests import CancelRequest, HistoryRequest, OrderRequest, SubscribeRequest

REQUESTS = [
    SubscribeRequest("A", Exchange.BINANCE),
    OrderRequest("A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0),
    CancelRequest("1", "A", Exchange.BINANCE),
    HistoryRequest("A", Exchange.BINANCE, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda value: type(value).__name__)
def test_a_request_has_a_vt_symbol_and_cannot_be_changed(request_: object) -> None:
    """It may be kept and compared."""
    assert request_.vt_symbol == "A.BINANCE"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        request_.symbol = "B"  # type: ignore[attr-defined]
    assert hash(request_) == hash(request_)


def test_a_subscription_is_to_conflated_ticks_by_default() -> None:
    """Two fields are enough, as in vnpy."""
    request = SubscribeRequest("A", Exchange.BINANCE)
    assert (request.channel, request.conflate) == (Channel.TICK, True)
    assert request == SubscribeRequest(symbol="A", exchange=Exchange.BINANCE)


def test_an_order_request_has_vnpys_order_of_fields() -> None:
    """symbol, exchange, direction, type, volume, price, offset, reference."""
    request = OrderRequest(
        "A", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 2.0, Offset.OPEN, "mine"
    )
    assert (request.volume, request.price) == (1.0, 2.0)
    assert (request.offset, request.reference, request.stop_price) == (Offset.OPEN, "mine", 0.0)


def test_history_is_by_the_minute_and_until_now_by_default() -> None:
    """Start is the only time one has to give."""
    request = REQUESTS[3]
    assert isinstance(request, HistoryRequest)
    assert (request.end, request.interval) == (None, Interval.MINUTE)
