"""Reads the requests of a client: which message is which, and the rare forms some fields have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from foxtrot.simulator import ib_requests as asked
from foxtrot.simulator.ib_order_request import read_contract, read_order
from foxtrot.simulator.ib_requests import ContractQuery, Request
from foxtrot.simulator.ib_wire import Cursor, WireError

_PLAIN: Mapping[int, tuple[int | None, type[Request]]] = {
    2: (2, asked.CancelMktData),
    5: (1, asked.ReqOpenOrders),
    6: (2, asked.ReqAccountUpdates),
    7: (3, asked.ReqExecutions),
    8: (1, asked.ReqIds),
    10: (5, asked.ReqMktDepth),
    11: (1, asked.CancelMktDepth),
    14: (1, asked.SetServerLogLevel),
    15: (1, asked.ReqAutoOpenOrders),
    16: (1, asked.ReqAllOpenOrders),
    17: (1, asked.ReqManagedAccts),
    24: (1, asked.ReqScannerParameters),
    25: (1, asked.CancelHistoricalData),
    49: (1, asked.ReqCurrentTime),
    50: (3, asked.ReqRealTimeBars),
    51: (1, asked.CancelRealTimeBars),
    58: (1, asked.ReqGlobalCancel),
    59: (1, asked.ReqMarketDataType),
    61: (1, asked.ReqPositions),
    62: (1, asked.ReqAccountSummary),
    63: (1, asked.CancelAccountSummary),
    64: (1, asked.CancelPositions),
    71: (2, asked.StartApi),
    76: (1, asked.ReqAccountUpdatesMulti),
    77: (1, asked.CancelAccountUpdatesMulti),
    78: (None, asked.ReqSecDefOptParams),
    81: (None, asked.ReqMatchingSymbols),
    82: (None, asked.ReqMktDepthExchanges),
    83: (None, asked.ReqSmartComponents),
    85: (None, asked.ReqNewsProviders),
    87: (None, asked.ReqHeadTimeStamp),
    90: (None, asked.CancelHeadTimeStamp),
    91: (None, asked.ReqMarketRule),
    92: (None, asked.ReqPnL),
    93: (None, asked.CancelPnL),
    94: (None, asked.ReqPnLSingle),
    95: (None, asked.CancelPnLSingle),
    96: (None, asked.ReqHistoricalTicks),
    97: (None, asked.ReqTickByTickData),
    98: (None, asked.CancelTickByTickData),
    99: (None, asked.ReqCompletedOrders),
    104: (None, asked.ReqUserInfo),
}
"""Messages whose fields stand one by one in the request, after the message's own version."""


def parse(fields: Sequence[str], version: int) -> Request:
    """One message of a client that speaks this server version.

    Raises:
        WireError: The message is unknown, too short or long, or a field is not what it must be.
    """
    cursor = Cursor(fields)
    number = cursor.integer()
    plain = _PLAIN.get(number)
    if plain is not None:
        request = _plain(cursor, *plain)
    elif number in _PECULIAR:
        request = _PECULIAR[number](cursor, version)
    else:
        raise WireError(f"message {number} is unknown")
    cursor.end()
    return request


def id_in(fields: Sequence[str]) -> int:
    """The id that an error about a message carries which was not read; -1 if it has none."""
    cursor = Cursor(fields)
    try:
        cursor.skip(_ID_AT[cursor.integer()] - 1)
        return cursor.integer()
    except (KeyError, WireError):
        return -1


_READERS: Mapping[object, Callable[[Cursor], object]] = {
    int: Cursor.integer,
    float: Cursor.number,
    str: Cursor.text,
    bool: Cursor.flag,
    ContractQuery: read_contract,
}


def _plain(cursor: Cursor, own_version: int | None, kind: Callable[..., Request]) -> Request:
    if own_version is not None:
        cursor.expect(own_version)
    return kind(*[read(cursor) for read in _FIELDS[kind]])


_FIELDS: Mapping[object, tuple[Callable[[Cursor], object], ...]] = {
    kind: tuple(_READERS[each.type] for each in msgspec.structs.fields(kind))
    for _, kind in _PLAIN.values()
}


def _legs(cursor: Cursor, contract: ContractQuery, per_leg: int) -> None:
    if contract.sec_type == "BAG":
        cursor.skip(per_leg * cursor.integer())


def _neutral(cursor: Cursor) -> None:
    """The contract against which delta is neutral: its id, delta and price."""
    if cursor.flag():
        cursor.skip(3)


def _market_data(cursor: Cursor, _version: int) -> Request:
    cursor.expect(11)
    req_id, contract = cursor.integer(), read_contract(cursor)
    _legs(cursor, contract, 4)
    _neutral(cursor)
    request = asked.ReqMktData(req_id, contract, cursor.text(), cursor.flag(), cursor.flag())
    cursor.skip(1)
    return request


def _cancel(cursor: Cursor, version: int) -> Request:
    cursor.expect(1)
    return asked.CancelOrder(cursor.integer(), cursor.text() if version >= 169 else "")


def _contract_details(cursor: Cursor, version: int) -> Request:
    cursor.expect(8)
    return asked.ReqContractDetails(
        cursor.integer(),
        read_contract(cursor),
        cursor.flag(),
        cursor.text(),
        cursor.text(),
        cursor.text() if version >= 176 else "",
    )


def _history(cursor: Cursor, _version: int) -> Request:
    req_id, contract, expired = cursor.integer(), read_contract(cursor), cursor.flag()
    end, bar_size, duration = cursor.text(), cursor.text(), cursor.text()
    use_rth, what, form = cursor.flag(), cursor.text(), cursor.integer()
    _legs(cursor, contract, 4)
    return asked.ReqHistoricalData(
        req_id,
        contract,
        expired,
        end,
        bar_size,
        duration,
        use_rth,
        what,
        form,
        cursor.flag(),
        cursor.text(),
    )


_PECULIAR: Mapping[int, Callable[[Cursor, int], Request]] = {
    1: _market_data,
    3: read_order,
    4: _cancel,
    9: _contract_details,
    20: _history,
}
"""Messages that are not read field by field."""

_ID_AT: Mapping[int, int] = {
    **{
        number: 1 if own_version is None else 2
        for number, (own_version, kind) in _PLAIN.items()
        if issubclass(kind, asked.Asked)
    },
    **{1: 2, 3: 1, 4: 2, 9: 2, 20: 1},
    **dict.fromkeys((21, 23, *range(52, 58), *range(67, 71), 74, 75), 2),
    **dict.fromkeys((22, 79, 84, 86, 88, 89, *range(100, 104)), 1),
    19: 4,
}
"""Where a message has the id that its client waits on, those that nobody answers here included."""
