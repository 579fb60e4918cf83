"""What the two sides do not share becomes something that both can read."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.support.desktop import require

require("vnpy")

from vnpy.trader import constant  # noqa: E402
from vnpy.trader import object as theirs  # noqa: E402

from foxtrot.desktop.conversion import to_foxtrot, to_vnpy  # noqa: E402
from foxtrot.errors import NotSupported  # noqa: E402
from foxtrot.model.constants import (  # noqa: E402
    Direction,
    Exchange,
    Interval,
    OrderType,
    Status,
)
from foxtrot.model.objects import (  # noqa: E402
    BarData,
    DayStatistics,
    LogData,
    OrderData,
    Source,
    TickData,
)
from foxtrot.model.requests import HistoryRequest, OrderRequest  # noqa: E402

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
NOON_NS = int(NOON.timestamp()) * 10**9


def test_a_reason_and_a_type_that_vnpy_lacks_are_in_its_extra() -> None:
    """A desktop can show why an order was refused; nothing of it is lost on the way back."""
    order = OrderData(
        "IB",
        "AAPL-USD-STK",
        Exchange.SMART,
        "1",
        type=OrderType.POST_ONLY,
        direction=Direction.LONG,
        status=Status.REJECTED,
        reason="local:halted",
    )
    shown = to_vnpy(order)
    assert (shown.type, shown.vt_orderid) == (constant.OrderType.LIMIT, "IB.1")
    assert shown.extra == {"reason": "local:halted", "type": "POST_ONLY"}
    back = to_foxtrot(shown, OrderData)
    assert (back.reason, back.type) == (order.reason, order.type)


def test_levels_of_a_tick_are_told() -> None:
    """Five levels on either side arrive in vnpy's ten fields, however many there are."""
    bids = tuple((100.0 - n, 1.0 + n) for n in range(7))
    source = Source.of("X", Exchange.SMART, "IB")
    day = DayStatistics(volume=9.0)
    tick = TickData(source, NOON_NS, NOON_NS + 5_000, 99.5, 1.0, 100.0, 1.0, day=day, bids=bids)
    shown = to_vnpy(tick)
    prices = [getattr(shown, f"bid_price_{n}") for n in range(1, 6)]
    assert prices == [100.0, 99.0, 98.0, 97.0, 96.0]
    assert (shown.bid_volume_5, shown.ask_price_2, shown.volume) == (5.0, 0, 9.0)
    assert shown.datetime == NOON
    assert shown.localtime == NOON + dt.timedelta(microseconds=5)


def test_a_stop_order_of_vnpy_stops_at_its_price() -> None:
    """vnpy's one price is the price at which a stop order is set off."""
    request = theirs.OrderRequest(
        "X",
        constant.Exchange.SMART,
        constant.Direction.SHORT,
        constant.OrderType.STOP,
        2,
        price=7,
    )
    ours = to_foxtrot(request, OrderRequest)
    assert (ours.stop_price, ours.price, ours.volume) == (7.0, 0.0, 2.0)
    assert to_vnpy(ours).price == 7.0


def test_what_vnpy_cannot_be_asked_for_is_refused() -> None:
    """An order type or a length of bars that vnpy lacks is not made another."""
    order = OrderRequest("X", Exchange.SMART, Direction.LONG, OrderType.POST_ONLY, 1.0, 1.0)
    with pytest.raises(NotSupported, match="Post only"):
        to_vnpy(order)
    with pytest.raises(NotSupported, match="5m"):
        to_vnpy(HistoryRequest("X", Exchange.SMART, NOON, interval=Interval.MINUTE_5))
    assert to_vnpy(BarData("IB", "X", Exchange.SMART, NOON, Interval.MINUTE_5)).interval is None


def test_levels_go_on_below_the_best() -> None:
    """A quote that is newer than the book leaves no level that is as good as it, or better."""
    book = ((9.0, 1.0), (8.0, 2.0), (7.0, 3.0)), ((11.0, 1.0), (12.0, 2.0), (13.0, 3.0))
    source = Source.of("X", Exchange.SMART, "IB")
    for bid, ask, levels in (
        (9.0, 11.0, (8.0, 7.0, 12.0, 13.0)),
        (8.0, 12.0, (7.0, 0.0, 13.0, 0.0)),
        (8.5, 11.5, (8.0, 7.0, 12.0, 13.0)),
        (9.5, 10.5, (9.0, 8.0, 11.0, 12.0)),
    ):
        quote = {"bid_price_1": bid, "ask_price_1": ask, "bids": book[0], "asks": book[1]}
        tick = to_vnpy(TickData(source, NOON_NS, NOON_NS, **quote))
        shown = tick.bid_price_2, tick.bid_price_3, tick.ask_price_2, tick.ask_price_3
        assert shown == levels


def test_moments_without_a_zone_are_of_this_machine() -> None:
    """What a gateway says without a zone is the same moment here."""
    here = dt.datetime(2026, 1, 5, tzinfo=dt.UTC).astimezone()
    request = theirs.HistoryRequest("X", constant.Exchange.SMART, here.replace(tzinfo=None))
    ours = to_foxtrot(request, HistoryRequest)
    assert ours.start == here
    assert ours.interval is Interval.MINUTE


def test_a_log_line_keeps_its_moment() -> None:
    """A line is shown at the local time at which it was written."""
    shown = to_vnpy(LogData("IB", "hello", ts_ns=NOON_NS))
    assert shown.time.astimezone(dt.UTC) == NOON
    assert to_foxtrot(shown, LogData).ts_ns == NOON_NS


def test_what_is_no_noun_of_either_is_refused() -> None:
    """A thing that the other side does not have is named."""
    with pytest.raises(TypeError, match="nothing like Source"):
        to_vnpy(Source.of("X", Exchange.SMART, "IB"))
    with pytest.raises(TypeError, match="OrderData was expected of vnpy, not object"):
        to_foxtrot(object(), OrderData)
