"""Ticks of the past: two in every second in which something was traded. Pure."""

from __future__ import annotations

from enum import Enum

from foxtrot.simulator.history import Bar
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.ib_past import head_ms
from foxtrot.simulator.ib_ticks import price, size
from foxtrot.simulator.ib_wire import Value
from foxtrot.simulator.listings import to_e8
from foxtrot.simulator.market import Market

_SECOND_MS = 1_000
_LOOK_S = 20
"""How many seconds are looked through for each tick that is wanted."""


class TickKind(Enum):
    """What ticks there are, each with the id of its message."""

    MIDPOINT = 96
    BID_ASK = 97
    TRADES = 98


def ticks(
    market: Market,
    contract: IbContract,
    kind: TickKind,
    at_ms: int,
    count: int,
    *,
    forwards: bool,
) -> list[tuple[Value, ...]]:
    """The rows of whole seconds, oldest first: at least `count` from a moment on, or up to it.

    Args:
        market: Where it was traded.
        contract: What.
        kind: Which ticks.
        at_ms: From, or until when (exclusive).
        count: How many are wanted.
        forwards: Whether they begin at the moment; else they end there.
    """
    now_ms, least_ms = market.now_ms(contract.name), head_ms(contract)
    second = (max(at_ms, least_ms) if forwards else min(at_ms, now_ms)) // _SECOND_MS * _SECOND_MS
    pages: list[list[tuple[Value, ...]]] = []
    found = 0
    for _ in range(count * _LOOK_S):
        if not forwards:
            second -= _SECOND_MS
        if not least_ms - _SECOND_MS < second <= now_ms - _SECOND_MS or found >= count:
            break
        page = _rows(market.stretch(contract.name, second, second + _SECOND_MS), contract, kind)
        pages.append(page)
        found += len(page)
        if forwards:
            second += _SECOND_MS
    ordered = pages if forwards else reversed(pages)
    return [row for page in ordered for row in page]


def _rows(bar: Bar, contract: IbContract, kind: TickKind) -> list[tuple[Value, ...]]:
    if not bar.trades:
        return []
    at_s, half_e8 = bar.start_ms // 1_000, bar.volume_e8 // 2
    pieces = ((bar.open_e8, half_e8), (bar.close_e8, bar.volume_e8 - half_e8))
    if kind is TickKind.TRADES:
        where = contract.primary_exchange or contract.exchange
        return [(at_s, 0, price(at), size(lot), where, "") for at, lot in pieces]
    tick_e8 = to_e8(str(contract.min_tick))
    if kind is TickKind.BID_ASK:
        return [
            (at_s, 0, price(at), price(at + tick_e8), size(lot), size(lot)) for at, lot in pieces
        ]
    return [(at_s, "", price(at) + contract.min_tick / 2, "0") for at, _ in pieces]
