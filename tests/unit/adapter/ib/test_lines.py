"""What TWS is asked for each kind of stream."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from unittest.mock import Mock

import pytest

from foxtrot.adapter.ib.instruments import instrument
from foxtrot.adapter.ib.lines import Line, make_slot, over_limit
from foxtrot.adapter.ib.sdk import RawClient
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.adapter.ib.slots import Mark
from foxtrot.model.constants import Channel, Environment, Exchange, Interval, Lane
from foxtrot.model.health import StreamKey
from tests.support.ib_answers import details
from tests.support.ib_lines import key

SMART = Exchange.SMART


def line(
    channel: Channel, symbol: str = "AAPL-USD-STK", exchange: Exchange = SMART, detail: str = ""
) -> Line:
    """A stream of a contract."""
    stream = StreamKey(channel, symbol, exchange, detail)
    known = instrument("IB", (symbol, exchange), details(7, symbol, exchange.value))
    return Line(stream, known, make_slot(stream, known, Mark(), conflate=False))


def asked(stream: Line) -> tuple[object, ...]:
    """The name and the arguments of the message that asks for it, but for id and contract."""
    raw = Mock(spec_set=["reqMktData", "reqMktDepth", "reqTickByTickData", "reqHistoricalData"])
    stream.ask(5, cast("RawClient", raw))
    ((name, arguments, _),) = raw.mock_calls
    assert arguments[:2] == (5, stream.instrument.contract)
    return name, *arguments[2:]


@pytest.mark.parametrize(
    ("interval", "duration", "size"),
    [
        (Interval.MINUTE, "600 S", "1 min"),
        (Interval.MINUTE_5, "3000 S", "5 mins"),
        (Interval.MINUTE_15, "9000 S", "15 mins"),
        (Interval.HOUR, "36000 S", "1 hour"),
        (Interval.HOUR_4, "1 W", "4 hours"),
        (Interval.DAILY, "1 M", "1 day"),
        (Interval.WEEKLY, "1 Y", "1 week"),
    ],
)
def test_bars_are_kept_up_to_date(interval: Interval, duration: str, size: str) -> None:
    """A few of the past come first; the end is open, or TWS would not go on."""
    name, end, *rest = asked(line(Channel.BAR, detail=interval.value))
    assert (name, end) == ("reqHistoricalData", "")
    assert rest == [duration, size, "TRADES", False, 2, True, []]


def test_a_book_of_all_exchanges_is_asked_for_as_such() -> None:
    """SMART has rows of several exchanges, any other its own."""
    assert asked(line(Channel.DEPTH))[2] is True
    assert asked(line(Channel.DEPTH, exchange=Exchange.ISLAND))[2] is False


def test_all_prints_are_asked_for() -> None:
    """Those that do not change the last price, too."""
    assert asked(line(Channel.TRADE)) == ("reqTickByTickData", "AllLast", 0, False)


def test_a_future_is_asked_for_its_open_interest() -> None:
    """And may be below zero."""
    future = line(Channel.TICK, "CL-20261218-USD-FUT", Exchange.NYMEX)
    assert asked(future)[1] == "588"
    assert future.slot.lowest < 0.0
    assert future.slot.lane is Lane.BOUNDED


def test_each_kind_has_its_own_limit() -> None:
    """What is held counts, and so does what is asked for at once; who may have more, can say so."""
    settings = IbSettings(Environment.PAPER, "127.0.0.1", 7497)
    held = [key(f"S{n}", Channel.DEPTH) for n in range(2)]
    wanted = [key("A", Channel.DEPTH), key("B", Channel.DEPTH), key("A", Channel.TICK)]
    refused = over_limit(held, wanted, settings)
    assert list(refused) == wanted[1:2]
    code, words = refused[wanted[1]]
    assert code == "309"
    assert "all 3" in words
    assert "depth_lines" in words
    assert not over_limit(held, wanted, replace(settings, depth_lines=5))
