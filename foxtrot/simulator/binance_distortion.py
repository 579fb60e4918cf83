"""Faults of the data itself: what becomes of a frame between the market and the wire."""

from __future__ import annotations

import re
from itertools import cycle

from foxtrot.simulator.faults import FaultBoard

HOSTILE_NUMBERS = ("NaN", "Infinity", "-Infinity", "-1.00000000", "1e400", "\uff11\uff12\uff13", "")
_GARBAGE = b"\xc2\xa7 this is no JSON"
_DIFFS = frozenset({"depth", "depth@100ms"})
_WITH_PRICE = frozenset({"bookTicker", "ticker", "miniTicker", "trade"})


class Distortion:
    """Applies the standing faults to data frames.

    Args:
        faults: The board the faults stand on.
    """

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._hostile = cycle(HOSTILE_NUMBERS)
        self._old: dict[str, bytes] = {}

    def frames(self, stream: str, symbol: str, channel: str, frame: bytes) -> list[bytes]:
        """The frames that are sent in the place of this one."""
        self._old.setdefault(stream, frame)
        if self._faults.quiet:
            return [frame]
        return self._distorted(symbol, channel, frame)

    def old(self, stream: str) -> bytes | None:
        """The first frame that was ever due on a stream."""
        return self._old.get(stream)

    def _distorted(self, symbol: str, channel: str, frame: bytes) -> list[bytes]:
        faults = self._faults
        if faults.active("silent", symbol=symbol, channel=channel) or faults.active("mute"):
            return []
        if faults.take("drop_stream", symbol=symbol, channel=channel):
            return []
        if channel in _DIFFS and faults.take("depth_gap", symbol=symbol):
            return []
        before = []
        if faults.take("garbage_frame", symbol=symbol, channel=channel):
            before.append(_GARBAGE)
        if faults.take("unknown_event", symbol=symbol, channel=channel):
            before.append(b'{"e":"neverHeardOf","E":1,"s":"%b"}' % symbol.encode())
        if channel in _WITH_PRICE:
            frame = self._with_hostile_number(symbol, channel, frame)
        if faults.take("malformed_frame", symbol=symbol, channel=channel):
            frame = frame[: len(frame) // 2]
        if faults.take("duplicate", symbol=symbol, channel=channel):
            return [*before, frame, frame]
        return [*before, frame]

    def _with_hostile_number(self, symbol: str, channel: str, frame: bytes) -> bytes:
        fault = self._faults.take("hostile_number", symbol=symbol, channel=channel)
        if fault is None:
            return frame
        text = next(self._hostile) if fault.body is None else fault.body
        key = {"bookTicker": b"b", "trade": b"p"}.get(channel, b"c")
        return re.sub(
            rb'"%b":"[^"]*"' % key,
            lambda _: b'"%b":"%b"' % (key, text.encode()),
            frame,
            count=1,
        )
