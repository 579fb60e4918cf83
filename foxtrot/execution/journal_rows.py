"""The rows of the journal, and how each shows that it is what was written.

SQLite finds a broken tree, but not a flipped bit within a row. So each row holds its content as one
JSON body with its CRC, and its other columns follow from that body: a row that does not agree with
itself is damaged.
"""

from __future__ import annotations

import zlib
from decimal import InvalidOperation
from typing import TypeVar

import msgspec

from foxtrot.execution.reports import FillReport, OrderRecord

SCHEMA_VERSION = 1
"""Goes up when an older foxtrot could not read what is written any more."""

SCHEMA = {
    "head": "CREATE TABLE head (id INTEGER PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL)",
    "orders": (
        "CREATE TABLE orders (orderid TEXT PRIMARY KEY, open INTEGER NOT NULL,"
        " updated_ns INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"
    ),
    "fills": (
        "CREATE TABLE fills (symbol TEXT NOT NULL, trade_id TEXT NOT NULL, orderid TEXT NOT NULL,"
        " ts_ns INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL,"
        " PRIMARY KEY (symbol, trade_id)) WITHOUT ROWID"
    ),
    "fills_of_order": "CREATE INDEX fills_of_order ON fills (orderid)",
}
PUT_HEAD = "REPLACE INTO head VALUES (?, ?, ?)"
PUT_ORDER = "REPLACE INTO orders VALUES (?, ?, ?, ?, ?)"
PUT_FILL = "REPLACE INTO fills VALUES (?, ?, ?, ?, ?, ?)"
HEADS = "SELECT id, body, crc FROM head"
ORDERS = "SELECT orderid, open, updated_ns, body, crc FROM orders"
FILLS = "SELECT symbol, trade_id, orderid, ts_ns, body, crc FROM fills"
ORDERS_SINCE = f"{ORDERS} WHERE updated_ns >= ?"
FILLS_SINCE = f"{FILLS} WHERE ts_ns >= ?"
FILLS_OF = f"{FILLS} WHERE orderid = ?"
FORGET_ORDERS = "DELETE FROM orders WHERE NOT open AND updated_ns < ?"
FORGET_FILLS = "DELETE FROM fills WHERE ts_ns < ? AND orderid NOT IN (SELECT orderid FROM orders)"

_BEYOND = 2**63  # SQLite's integers have 64 bits

Row = tuple[str | int | bytes, ...]
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True):
    """What the journal knows of itself.

    `run` counts how often it was opened. All that the venue did until `seen_ns` is written down.
    """

    version: int
    prefix: str
    run: int
    seen_ns: int


class Damaged(Exception):
    """Something is not what was written; never leaves this room."""


class Unwritable(Exception):
    """A value that could not be read back as it is; never leaves this room."""


_heads = msgspec.json.Decoder(Head)
_orders = msgspec.json.Decoder(OrderRecord)
_fills = msgspec.json.Decoder(FillReport)
_encode = msgspec.json.Encoder().encode


def head_row(head: Head) -> Row:
    """The row of `head`."""
    return _fitting(_head_columns(_body(head, _heads)))


def order_row(record: OrderRecord) -> Row:
    """The row of `record`.

    Raises:
        Unwritable: It holds a number that is not finite or too large, or half a character.
    """
    return _fitting(_order_columns(record, _body(record, _orders)))


def fill_row(fill: FillReport) -> Row:
    """The row of `fill`.

    Raises:
        Unwritable: It holds a number that is not finite or too large, or half a character.
    """
    return _fitting(_fill_columns(fill, _body(fill, _fills)))


def checked_head(row: Row) -> Head:
    """The head in a row of HEADS.

    Raises:
        Damaged: The row is not what was written.
    """
    head = _decoded(row[1], _heads)
    return _agreeing(head, row, _head_columns(_bytes(row[1])))


def checked_order(row: Row) -> OrderRecord:
    """The order in a row of ORDERS.

    Raises:
        Damaged: The row is not what was written.
    """
    record = _decoded(row[3], _orders)
    return _agreeing(record, row, _order_columns(record, _bytes(row[3])))


def checked_fill(row: Row) -> FillReport:
    """The fill in a row of FILLS.

    Raises:
        Damaged: The row is not what was written.
    """
    fill = _decoded(row[4], _fills)
    return _agreeing(fill, row, _fill_columns(fill, _bytes(row[4])))


def _body(value: T, decoder: msgspec.json.Decoder[T]) -> bytes:
    try:
        body = _encode(value)
        if decoder.decode(body) == value:
            return body
    except (msgspec.MsgspecError, UnicodeError, InvalidOperation, OverflowError):
        pass
    raise Unwritable


def _fitting(row: Row) -> Row:
    if any(isinstance(value, int) and abs(value) >= _BEYOND for value in row):
        raise Unwritable
    return row


def _bytes(body: str | int | bytes) -> bytes:
    if not isinstance(body, bytes):
        raise Damaged("a row has no body")
    return body


def _decoded(body: str | int | bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(_bytes(body))
    except (msgspec.MsgspecError, UnicodeError, ValueError, ArithmeticError):
        raise Damaged("a row cannot be read") from None


def _agreeing(value: T, row: Row, expected: Row) -> T:
    if row != expected:
        raise Damaged("a row does not agree with itself")
    return value


def _head_columns(body: bytes) -> Row:
    return (1, body, zlib.crc32(body))


def _order_columns(record: OrderRecord, body: bytes) -> Row:
    return (record.orderid, int(record.is_open), record.updated_ns, body, zlib.crc32(body))


def _fill_columns(fill: FillReport, body: bytes) -> Row:
    return (fill.symbol, fill.trade_id, fill.orderid, fill.ts_ns, body, zlib.crc32(body))
