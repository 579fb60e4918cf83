"""Tells a write-ahead log that lost committed frames from one that merely ends in the middle.

SQLite stops at the first frame whose checksum is wrong and forgets the rest without a word. That is
right for the torn end which a killed process leaves, and wrong for a flipped bit further up.
The format is that of https://www.sqlite.org/fileformat2.html, "The Write-Ahead Log".
"""

from __future__ import annotations

import struct

Sums = tuple[int, int]

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_WORD_ORDERS = {0x377F0682: "<", 0x377F0683: ">"}
_MASK = 0xFFFFFFFF


def is_damaged(log: bytes) -> bool:
    """Whether frames that once were whole in `log` cannot be read any more.

    It holds for logs that are emptied at each checkpoint, where no frame of an earlier round can
    follow the last one. A log that ends within a frame, or in zeros, is torn and not damaged.
    """
    if _is_blank(log) or len(log) < _HEADER.size:
        return False
    magic, _, page_size, _, salt1, salt2, sum1, sum2 = _HEADER.unpack_from(log)
    order = _WORD_ORDERS.get(magic)
    if order is None:
        return True
    sums = _checksum(log[:24], order, (0, 0))
    if sums != (sum1, sum2):
        return True
    step = _FRAME.size + page_size
    for start in range(_HEADER.size, len(log) - step + 1, step):
        _, _, *salts, sum1, sum2 = _FRAME.unpack_from(log, start)
        covered = log[start : start + 8] + log[start + _FRAME.size : start + step]
        sums = _checksum(covered, order, sums)
        if salts != [salt1, salt2] or sums != (sum1, sum2):
            return not _is_blank(log[start:])
    return False


def _is_blank(data: bytes) -> bool:
    return data.count(0) == len(data)


def _checksum(data: bytes, order: str, sums: Sums) -> Sums:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
