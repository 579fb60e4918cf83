"""What a frame claims to be, however broken; and types of which several in a row are unreadable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from foxtrot.model.constants import Channel

QUOTE_PREFIX = b'{"u":'
BOOK_TICKER = "bookTicker"
OTHER = "other"

CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        BOOK_TICKER: Channel.TICK,
        "24hrTicker": Channel.TICK,
        "depthUpdate": Channel.DEPTH,
        "trade": Channel.TRADE,
        "kline": Channel.BAR,
    }
)
"""Which of our channels each of the venue's types serves."""

FRAME_TYPES = (*CHANNELS, OTHER)
"""All that a frame can be counted as; OTHER is what does not say."""

_LOOKED_AT = 256
"""Bytes; type and symbol stand first."""

_TYPE = re.compile(rb'"e"\s*:\s*"(\w{1,32})"')
_SYMBOL = re.compile(rb'"s"\s*:\s*"([A-Z0-9]{1,32})"')


def type_of(data: bytes) -> str:
    """The type that a frame claims, readable or not."""
    start = data[:_LOOKED_AT]
    found = _TYPE.search(start)
    if found is None:
        return BOOK_TICKER if QUOTE_PREFIX in start else OTHER
    claimed = found[1].decode()
    return claimed if claimed in CHANNELS else OTHER


def symbol_of(data: bytes) -> str:
    """The symbol that a frame names, readable or not; empty if it names none."""
    found = _SYMBOL.search(data[:_LOOKED_AT])
    return found[1].decode() if found else ""


class UnreadableRows:
    """Unreadable frames in a row, by type, on one connection.

    `open` is empty while all is well; who is in a hurry looks at it before calling `readable`.
    """

    def __init__(self) -> None:
        self.open: dict[str, list[str]] = {}

    def unreadable(self, data: bytes, strikes: int) -> frozenset[str] | None:
        """A frame could not be read; from `strikes` in a row on, the symbols that are concerned.

        Returns:
            None while there are fewer. Empty if one of the frames named no symbol: then any may be.
        """
        row = self.open.setdefault(type_of(data), [])
        row.append(symbol_of(data))
        if len(row) < strikes:
            return None
        del self.open[type_of(data)]
        return frozenset() if "" in row else frozenset(row)

    def readable(self, data: bytes) -> None:
        """A frame was read: the row of its type is over."""
        self.open.pop(type_of(data), None)
