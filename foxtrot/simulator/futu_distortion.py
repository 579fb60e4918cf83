"""Faults of Futu's data: what becomes of pushes between the market and the wire."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import cycle

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_schema import Message, Proto

HOSTILE_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300)

UNKNOWN = 3_999
"""The id of a message that nobody knows."""

_GARBAGE = b"\xff\xfe\xfd no message"
_ROWS = {
    Proto.Qot_UpdateBasicQot: ("basicQotList", "curPrice"),
    Proto.Qot_UpdateOrderBook: ("orderBookBidList", "price"),
    Proto.Qot_UpdateTicker: ("tickerList", "price"),
    Proto.Qot_UpdateKL: ("klList", "closePrice"),
}
"""Where a push has the price that a hostile number takes the place of."""


class Distortion:
    """Applies the standing faults to pushes.

    Args:
        faults: The board the faults stand on.
    """

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._hostile = cycle(HOSTILE_NUMBERS)

    def pushes(
        self, symbol: str, channel: str, proto: Proto, message: Message
    ) -> Iterator[tuple[int, bytes]]:
        """The ids and bodies that are sent in the place of this message."""
        faults = self._faults
        if faults.quiet:
            yield proto, message.SerializeToString()
            return
        if faults.active("silent", symbol=symbol, channel=channel):
            return
        if faults.active("farm_down", symbol=symbol):
            return
        if faults.take("drop_stream", symbol=symbol, channel=channel):
            return
        if faults.take("garbage_frame", symbol=symbol, channel=channel):
            yield proto, _GARBAGE
        if faults.take("unknown_event", symbol=symbol, channel=channel):
            yield UNKNOWN, message.SerializeToString()
        self._make_hostile(symbol, channel, proto, message)
        body = message.SerializeToString()
        if faults.take("malformed_frame", symbol=symbol, channel=channel):
            body = body[: len(body) // 2]
        yield proto, body
        if faults.take("duplicate", symbol=symbol, channel=channel):
            yield proto, body

    def _make_hostile(self, symbol: str, channel: str, proto: Proto, message: Message) -> None:
        fault = self._faults.take("hostile_number", symbol=symbol, channel=channel)
        if fault is None:
            return
        rows, field = _ROWS[proto]
        value = next(self._hostile) if fault.body is None else _number(fault.body)
        for row in getattr(message.s2c, rows)[:1]:
            setattr(row, field, value)


def _number(text: str) -> float:
    """What a text means; NaN if it is no number, as a price can be nothing else on this wire."""
    try:
        return float(text)
    except ValueError:
        return math.nan
