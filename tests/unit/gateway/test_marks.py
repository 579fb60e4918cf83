"""Marks: what outlives a session."""

from __future__ import annotations

from foxtrot.gateway.marks import BaseMark, BaseMarks
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey

SMART = StreamKey(Channel.TICK, "AAPL-USD-STK", Exchange.SMART)
ARCA = StreamKey(Channel.TICK, "AAPL-USD-STK", Exchange.ARCA)


def test_a_symbol_of_two_exchanges_has_two_marks() -> None:
    """Each is the same object as long as somebody wants the stream."""
    marks = BaseMarks(BaseMark)
    mark = marks.of(SMART)
    mark.heard_ns = 5
    assert marks.of(SMART) is mark
    assert marks.of(ARCA) is not mark
    assert (marks.heard_ns(SMART), marks.heard_ns(ARCA)) == (5, 0)
    marks.forget(SMART)
    assert marks.heard_ns(SMART) == 0
    assert marks.tick(SMART.symbol, SMART.exchange) is None
