"""Faults of IB's data: what becomes of messages between the market and the wire."""

from __future__ import annotations

from itertools import cycle

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_wire import encode, frame

HOSTILE_NUMBERS = ("NaN", "inf", "-inf", "-1.0", "1e400", "\uff11\uff12\uff13", "")

_PRICE_AT = {b"1": 4, b"12": 6, b"13": 7, b"50": 4, b"90": 4, b"99": 4}
"""Where a message has the price that a hostile number takes the place of, by its id."""

_GARBAGE = frame(b"\xff\xfe\xfd no message\0")
_UNKNOWN = encode(99_999, 1, "never heard of")
_HEADER = 4


class Distortion:
    """Applies the standing faults to data messages.

    Args:
        faults: The board the faults stand on.
    """

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._hostile = cycle(HOSTILE_NUMBERS)

    def messages(
        self, symbol: str, channel: str, messages: list[bytes], *, snapshot: bool = False
    ) -> list[bytes]:
        """What is sent in the place of these messages of one stream, or of a snapshot.

        The death of one stream leaves snapshots alone: by them it is found.
        """
        faults = self._faults
        if faults.quiet:
            return messages
        if faults.active("silent", symbol=symbol, channel=channel):
            return []
        if faults.active("farm_down", symbol=symbol):
            return []
        if not snapshot and faults.take("drop_stream", symbol=symbol, channel=channel):
            return []
        return [each for message in messages for each in self._distorted(symbol, channel, message)]

    def _distorted(self, symbol: str, channel: str, message: bytes) -> list[bytes]:
        faults = self._faults
        before = []
        if faults.take("garbage_frame", symbol=symbol, channel=channel):
            before.append(_GARBAGE)
        if faults.take("unknown_event", symbol=symbol, channel=channel):
            before.append(_UNKNOWN)
        message = self._with_hostile_number(symbol, channel, message)
        if faults.take("malformed_frame", symbol=symbol, channel=channel):
            message = _shortened(message)
        if faults.take("duplicate", symbol=symbol, channel=channel):
            return [*before, message, message]
        return [*before, message]

    def _with_hostile_number(self, symbol: str, channel: str, message: bytes) -> bytes:
        fields = message[_HEADER:].split(b"\0")
        at = _PRICE_AT.get(fields[0])
        if at is None:
            return message
        fault = self._faults.take("hostile_number", symbol=symbol, channel=channel)
        if fault is None:
            return message
        text = next(self._hostile) if fault.body is None else fault.body
        fields[at] = text.encode()
        return frame(b"\0".join(fields))


def _shortened(message: bytes) -> bytes:
    """The same message without its last two fields."""
    return frame(b"\0".join([*message[_HEADER:].split(b"\0")[:-3], b""]))
