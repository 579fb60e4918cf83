"""What OpenD says of itself: who is logged in, which markets are open, what is used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from foxtrot.adapter.futu import symbols
from foxtrot.adapter.futu.account import WireAccount
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of, module
from foxtrot.model.constants import Exchange
from foxtrot.model.health import Fact

_SECURITIES = 1
"""TrdCategory."""

_MARKETS = {"HK": "marketHK", "US": "marketUS", "SH": "marketSH", "SZ": "marketSZ"}


class State(msgspec.Struct, frozen=True):
    """How OpenD is.

    Args:
        version: Of OpenD.
        build: Of OpenD.
        quotes: Whether it has Futu's servers of quotes.
        trading: Whether it has those of trading.
        time_s: Its clock, in whole seconds since the epoch.
        markets: What each market does, in Futu's words, such as Morning or Closed.
    """

    version: int
    build: int
    quotes: bool
    trading: bool
    time_s: int
    markets: Mapping[str, str]


class History(msgspec.Struct, frozen=True):
    """A contract that counts in the quota of the past, and since when (seconds, epoch)."""

    vt_symbol: str
    name: str
    since_s: int


class Quota(msgspec.Struct, frozen=True):
    """What of OpenD's quotas is used, over all its connections, and what is left.

    Subscriptions are contracts times kinds of data; of the past, contracts within 30 days.
    `contracts` are those, where they were asked for.
    """

    subscriptions: int
    subscriptions_left: int
    past: int
    past_left: int
    contracts: tuple[History, ...] = ()

    def facts(self) -> dict[str, Fact]:
        """The same as an adapter tells of its limits."""
        return {
            "limits.subscriptions.left": self.subscriptions_left,
            "limits.subscriptions.most": self.subscriptions + self.subscriptions_left,
            "limits.history_contracts.left": self.past_left,
            "limits.history_contracts.most": self.past + self.past_left,
        }


async def state(client: FutuClient) -> State:
    """How OpenD is.

    Raises:
        FoxtrotError: It does not say.
    """
    c2s = c2s_of(Proto.GetGlobalState)
    c2s.userID = client.user_id
    s2c = await client.ask(Proto.GetGlobalState, c2s)
    markets = {name: market_state(getattr(s2c, field)) for name, field in _MARKETS.items()}
    up = bool(s2c.qotLogined), bool(s2c.trdLogined)
    return State(s2c.serverVer, s2c.serverBuildNo, *up, int(s2c.time), markets)


async def accounts(client: FutuClient) -> Sequence[WireAccount]:
    """The accounts of the user that OpenD is logged in as.

    Raises:
        FoxtrotError: It does not say.
    """
    c2s = c2s_of(Proto.Trd_GetAccList)
    c2s.userID, c2s.trdCategory, c2s.needGeneralSecAccount = 0, _SECURITIES, True
    s2c = await client.ask(Proto.Trd_GetAccList, c2s)
    return cast("Sequence[WireAccount]", s2c.accList)


async def quota(client: FutuClient, *, contracts: bool = True) -> Quota:
    """What is used of what may be subscribed, and of whose past may be asked for.

    Args:
        client: Who is asked.
        contracts: Whether to name those whose past was asked for.

    Raises:
        FoxtrotError: OpenD does not say.
    """
    c2s = c2s_of(Proto.Qot_GetSubInfo)
    c2s.isReqAllConn = True
    held = await client.ask(Proto.Qot_GetSubInfo, c2s)
    c2s = c2s_of(Proto.Qot_RequestHistoryKLQuota)
    c2s.bGetDetail = contracts
    past = await client.ask(Proto.Qot_RequestHistoryKLQuota, c2s)
    return Quota(
        held.totalUsedQuota,
        held.remainQuota,
        past.usedQuota,
        past.remainQuota,
        tuple(map(_history, past.detailList)),
    )


def market_state(number: int) -> str:
    """A Qot_Common.QotMarketState in words."""
    return _word("Qot_Common", "QotMarketState", number)


def trd_market(number: int) -> str:
    """A Trd_Common.TrdMarket in words."""
    return _word("Trd_Common", "TrdMarket", number)


def _word(file: str, enum: str, number: int) -> str:
    names: dict[int, str] = {value: name for name, value in getattr(module(file), enum).items()}
    return names.get(number, str(number)).removeprefix(f"{enum}_")


def _history(row: Message) -> History:
    security = row.security
    exchange = symbols.exchange_of(security.market, 0) or Exchange.GLOBAL
    return History(f"{security.code}.{exchange.value}", row.name, int(row.requestTimeStamp))
