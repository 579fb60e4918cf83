"""The fast path: from the socket's bytes to the assembler, for the messages that come in floods.

The SDK copies all that is still unread for every message, and makes an object of each. Here a
reading is walked through once, ticks go straight to the assembler, and everything else goes to the
SDK's own decoder. Where the SDK is built otherwise, its own path serves; the log says so.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from foxtrot.adapter.ib import mapping
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.sdk import RawClient
from foxtrot.adapter.ib.slots import TickSlot
from foxtrot.adapter.ib.ticks import Assembler
from foxtrot.connectivity.diagnostics import labels
from foxtrot.core.logs import get_logger
from foxtrot.errors import MalformedMessage

log = get_logger("foxtrot.ib.frames")

MESSAGE_TYPES = {
    b"1": "tickPrice",
    b"2": "tickSize",
    b"12": "marketDepth",
    b"13": "marketDepthL2",
    b"46": "tickString",
    b"99": "tickByTick",
}
"""TWS's names of the messages that are read here."""

_NEEDED: tuple[str, ...] = ("_data", "_onSocketHasData", "_numMsgRecv", "_numBytesRecv")
_PREFIX = 4
_MALFORMED_PER_MINUTE = 10
_PRINTS = frozenset({b"1", b"2"})
_MINUTE_NS = 60_000_000_000


def _wire(table: dict[int, int]) -> dict[bytes, int]:
    return {b"%d" % tick_type: what for tick_type, what in table.items()}


_PRICES, _SIZES = _wire(mapping.PRICES), _wire(mapping.SIZES)
_DAY_PRICES, _DAY_SIZES = _wire(mapping.DAY_PRICES), _wire(mapping.DAY_SIZES)
_LAST_TIMES = frozenset(b"%d" % tick_type for tick_type in mapping.LAST_TIMES)


class _Reader(RawClient, Protocol):
    """What the SDK's own reader keeps."""

    _numMsgRecv: int
    _numBytesRecv: int


def take_over(
    venue: str,
    client: IbClient,
    ticks: Assembler,
    on_rotten: Callable[[MalformedMessage], None],
) -> bool:
    """Let `ticks` hear what the socket of an open connection brings, by the fastest way there is.

    Args:
        venue: The adapter's name, for logs.
        client: The connection.
        ticks: Takes what is read; what it does not take goes to the connection's inbox.
        on_rotten: Told when what comes is so broken that the connection is worth replacing.

    Returns:
        Whether the fast path serves. If not, the SDK's own does, and the log says why.
    """
    raw = client.raw
    missing = [name for name in _NEEDED if not hasattr(raw, name)]
    if not callable(getattr(raw.decoder, "interpret", None)):
        missing.append("interpret")
    if not missing:
        client.read = FastFrames(venue, raw, ticks, on_rotten).on_data
        return True
    log.warning("fast_path_missing", venue=venue, missing=", ".join(missing))
    read = client.read

    def on_data(data: bytes) -> None:
        ticks.arrived()
        read(data)
        ticks.processed()

    client.read = on_data
    return False


class FastFrames:
    """Reads in the place of the SDK, on one connection. Belongs to the loop thread.

    Args:
        venue: The adapter's name, for logs.
        raw: The SDK's client, ready.
        ticks: Takes what is read.
        on_rotten: See `take_over`.
    """

    def __init__(
        self,
        venue: str,
        raw: RawClient,
        ticks: Assembler,
        on_rotten: Callable[[MalformedMessage], None],
    ) -> None:
        self._venue, self._ticks, self._on_rotten = venue, ticks, on_rotten
        self._raw = cast("_Reader", raw)
        self._length_at = struct.Struct(">I").unpack_from
        self._malformed_at: deque[int] = deque(maxlen=_MALFORMED_PER_MINUTE)
        self._by_kind: dict[bytes, Callable[[list[bytes]], bool]] = {
            b"12": self._on_depth,
            b"13": self._on_depth,
            b"46": self._on_string,
        }

    def on_data(self, data: bytes) -> None:
        """Take what the socket brought: whole messages, and perhaps a part of one more."""
        ticks, raw = self._ticks, self._raw
        ticks.arrived()
        if raw._data:
            data = raw._data + data
        length_at, by_kind, size = self._length_at, self._by_kind, len(data)
        tick_slots, trade_slots = ticks.tick_slots, ticks.trade_slots
        at = count = others = echoed = second = 0
        known: bytes | None = None
        while size - at > _PREFIX:
            end = at + _PREFIX + length_at(data, at)[0]
            if end > size:
                break
            fields = data[at + _PREFIX : end].split(b"\0")
            kind, at = fields[0], end
            count += 1
            try:
                if kind == b"1" and (slot := tick_slots.get(fields[2])) is not None:
                    _, _, _, tick_type, value, volume, _, _ = fields
                    what = _PRICES.get(tick_type)
                    if what is None:
                        self._on_day_price(slot, tick_type, value)
                    elif ticks.on_price(slot, what, float(value), float(volume or 0.0)):
                        echo = slot.echoes[tick_type] + volume + b"\0"
                        at += _PREFIX
                        if data.startswith(echo, at) and length_at(data, end)[0] == len(echo):
                            at += len(echo)
                            echoed += 1
                        else:
                            at = end
                elif kind == b"2" and (slot := tick_slots.get(fields[2])) is not None:
                    _, _, _, tick_type, value, _ = fields
                    what = _SIZES.get(tick_type)
                    if what is None:
                        self._on_day_size(slot, tick_type, value)
                    else:
                        ticks.on_size(slot, what, float(value))
                elif kind == b"99" and (
                    (trades := trade_slots.get(fields[1])) is not None and fields[2] in _PRINTS
                ):
                    _, _, _, seconds, value, volume, _, _, _, _ = fields
                    if seconds != known:
                        second, known = int(seconds), seconds
                    ticks.on_print(trades, second, float(value), float(volume))
                elif (handler := by_kind.get(kind)) is None or not handler(fields):
                    others += 1
                    raw.decoder.interpret([_text(field) for field in fields[:-1]])
            except Exception as error:  # noqa: BLE001 - boundary: one message costs no other
                self._unreadable(b"\0".join(fields), kind, error)
        raw._data = data[at:]
        raw._numMsgRecv += count + echoed
        raw._numBytesRecv += size
        ticks.counters.received += count + echoed - others
        ticks.counters.stale += echoed
        ticks.processed()

    # -- kinds: those of a stream that is none of ours are for the decoder -------------------

    def _on_day_price(self, slot: TickSlot, tick_type: bytes, value: bytes) -> None:
        place = _DAY_PRICES.get(tick_type)
        if place is None:
            self._ticks.counters.ignored += 1
        else:
            self._ticks.on_day(slot, place, float(value), price=True)

    def _on_day_size(self, slot: TickSlot, tick_type: bytes, value: bytes) -> None:
        place = _DAY_SIZES.get(tick_type)
        if place is None:
            self._ticks.counters.ignored += 1
        else:
            self._ticks.on_day(slot, place, float(value), price=False)

    def _on_string(self, fields: list[bytes]) -> bool:
        slot = self._ticks.tick_slots.get(fields[2])
        if slot is None or fields[3] not in _LAST_TIMES:
            return False
        self._ticks.on_last_time(slot, float(fields[4]))
        return True

    def _on_depth(self, fields: list[bytes]) -> bool:
        """Level II names a market maker after the row."""
        slot = self._ticks.depth_slots.get(fields[2])
        if slot is None:
            return False
        first = 4 if fields[0] == b"12" else 5
        try:
            row, (operation, side, price, size) = int(fields[3]), fields[first : first + 4]
            change = row, int(operation), int(side), float(price), float(size)
        except (ValueError, IndexError):
            self._ticks.on_lost_row(slot)
            raise
        self._ticks.on_row(slot, *change)
        return True

    # -- counts and troubles ----------------------------------------------------------------

    def _unreadable(self, data: bytes, kind: bytes, error: Exception) -> None:
        self._ticks.counters.unreadable(MESSAGE_TYPES.get(kind, "other"))
        now_ns = time.time_ns()
        recent = sum(now_ns - at < _MINUTE_NS for at in self._malformed_at)
        self._malformed_at.append(now_ns)
        digest, problem = hashlib.sha256(data).hexdigest()[:8], type(error).__name__
        message = MalformedMessage(self._venue, len(data), digest, problem)
        if not recent:
            frame_type = MESSAGE_TYPES.get(kind, "other")
            log.warning(
                "malformed_message", venue=self._venue, frame_type=frame_type, **labels(message)
            )
        if recent >= _MALFORMED_PER_MINUTE:
            self._on_rotten(message)


def _text(field: bytes) -> str:
    return field.decode(errors="backslashreplace")
