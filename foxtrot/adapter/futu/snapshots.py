"""What OpenD says when it is asked: what contracts look like now, and what it pushes to us."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import cast

from foxtrot.adapter.futu import mapping
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.limits import SNAPSHOT_CODES
from foxtrot.adapter.futu.mapping import WireSnapshot
from foxtrot.adapter.futu.schema import Proto, c2s_of
from foxtrot.adapter.futu.slots import Sub
from foxtrot.adapter.futu.symbols import Security
from foxtrot.errors import RateLimited, VenueError, VenueUnavailable
from foxtrot.model.objects import Source, TickData

OF_THE_MOMENT = (RateLimited, VenueUnavailable)
"""Refusals that say nothing of the contract."""


async def look_at(client: FutuClient, some: Sequence[Security]) -> dict[Security, WireSnapshot]:
    """What these contracts look like now, in one request: 400 at most.

    Raises:
        VenueError: OpenD does not answer, has been asked too often, or refuses one of them.
        MalformedMessage: The answer cannot be read.
        ConnectionClosed: The connection was lost.
    """
    c2s = c2s_of(Proto.Qot_GetSecuritySnapshot)
    for security in some:
        c2s.securityList.add(market=security.market, code=security.code)
    answer = await client.ask(Proto.Qot_GetSecuritySnapshot, c2s)
    found: dict[Security, WireSnapshot] = {}
    for row in answer.snapshotList:
        basic = cast("WireSnapshot", row.basic)
        found[Security(basic.security.market, basic.security.code)] = basic
    return found


async def snapshots(
    client: FutuClient, securities: Iterable[Security]
) -> dict[Security, WireSnapshot]:
    """What these contracts look like now, without those that OpenD refuses to show.

    Raises:
        VenueError: OpenD does not answer, or has been asked too often.
        MalformedMessage: An answer cannot be read.
        ConnectionClosed: The connection was lost.
    """
    wanted, found = list(dict.fromkeys(securities)), dict[Security, WireSnapshot]()
    for start in range(0, len(wanted), SNAPSHOT_CODES):
        found |= await _shown(client, wanted[start : start + SNAPSHOT_CODES])
    return found


async def _shown(client: FutuClient, some: list[Security]) -> dict[Security, WireSnapshot]:
    """Ask once; one bad contract has all of them refused, so it is found by halves."""
    try:
        return await look_at(client, some)
    except OF_THE_MOMENT:
        raise
    except VenueError:
        if len(some) == 1:
            return {}
    middle = len(some) // 2
    return await _shown(client, some[:middle]) | await _shown(client, some[middle:])


async def held_at_opend(client: FutuClient) -> set[Sub]:
    """What OpenD has subscribed for this connection.

    Raises:
        VenueError: It does not answer.
        ConnectionClosed: The connection was lost.
    """
    c2s = c2s_of(Proto.Qot_GetSubInfo)
    c2s.isReqAllConn = False
    answer = await client.ask(Proto.Qot_GetSubInfo, c2s)
    return {
        (Security(security.market, security.code), info.subType)
        for row in answer.connSubInfoList
        if row.isOwnConnData
        for info in row.subInfoList
        for security in info.securityList
    }


def bad_snapshot(basic: WireSnapshot) -> str:
    """Why a snapshot cannot be believed; empty if it can."""
    return mapping.bad_quote(basic) or mapping.bad_touch(basic)


def tick_of(basic: WireSnapshot, source: Source) -> TickData:
    """A snapshot as a tick; it shows the best level alone."""
    bid, bid_volume, ask, ask_volume = touch_of(basic)
    return TickData(
        source, mapping.ns_of(basic.updateTimestamp), time.time_ns(), basic.curPrice, 0.0,
        bid, bid_volume, ask, ask_volume, mapping.day_of(basic),
    )  # fmt: skip


def touch_of(basic: WireSnapshot) -> tuple[float, float, float, float]:
    """Best bid and ask with their volumes."""
    return basic.bidPrice, float(basic.bidVol), basic.askPrice, float(basic.askVol)
