"""What faults call OpenD's requests, and what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from foxtrot.simulator.futu_contracts import PLACES
from foxtrot.simulator.futu_schema import Message, Proto

_KINDS: Mapping[Proto, str] = MappingProxyType(
    {
        Proto.InitConnect: "init_connect",
        Proto.GetGlobalState: "global_state",
        Proto.KeepAlive: "keep_alive",
        Proto.Qot_Sub: "subscribe",
        Proto.Qot_RegQotPush: "register_push",
        Proto.Qot_GetSubInfo: "subscriptions",
        Proto.Qot_GetBasicQot: "latest",
        Proto.Qot_GetKL: "latest",
        Proto.Qot_GetTicker: "latest",
        Proto.Qot_GetOrderBook: "latest",
        Proto.Qot_GetStaticInfo: "contract_details",
        Proto.Qot_GetSecuritySnapshot: "snapshot",
        Proto.Qot_RequestTradeDate: "trading_days",
        Proto.Qot_GetMarketState: "market_state",
        Proto.Qot_RequestHistoryKL: "history",
        Proto.Qot_RequestHistoryKLQuota: "history_quota",
        Proto.Trd_GetAccList: "managed_accounts",
        Proto.Trd_UnlockTrade: "unlock",
        Proto.Trd_SubAccPush: "account_updates",
        Proto.Trd_GetFunds: "account",
        Proto.Trd_GetPositionList: "positions",
        Proto.Trd_GetMaxTrdQtys: "buying_power",
        Proto.Trd_GetOrderList: "open_orders",
        Proto.Trd_GetHistoryOrderList: "all_orders",
        Proto.Trd_GetOrderFillList: "trades",
        Proto.Trd_GetHistoryOrderFillList: "executions",
        Proto.Trd_PlaceOrder: "place",
        Proto.Trd_ModifyOrder: "replace",
    }
)

_CHANGES = 1
"""ModifyOrderOp_Normal; the others end an order, or put it off."""


def kind_of(proto: Proto, c2s: Message) -> str:
    """Which of `faults.REQUESTS` it is; empty if faults have no name for it."""
    if proto is Proto.Qot_Sub and (c2s.isUnsubAll or not c2s.isSubOrUnSub):
        return "unsubscribe"
    if proto is Proto.Trd_ModifyOrder and c2s.modifyOrderOp != _CHANGES:
        return "cancel_all" if c2s.forAll else "cancel"
    return _KINDS.get(proto, "")


def symbols_of(c2s: Message) -> tuple[str | None, ...]:
    """The securities a request names, such as HK.00700; a single None if it names none."""
    fields = c2s.DESCRIPTOR.fields_by_name
    if "securityList" in fields:
        found = [_name(item.market, item.code) for item in c2s.securityList]
    elif "security" in fields:
        found = [_name(c2s.security.market, c2s.security.code)]
    elif "code" in fields and "secMarket" in fields:
        found = [_traded_name(c2s.secMarket, c2s.code)]
    else:
        found = []
    return tuple(found) or (None,)


def _name(market: int, code: str) -> str:
    place = PLACES.get(market)
    return f"{place.prefix}.{code}" if place else code


def _traded_name(trd_sec_market: int, code: str) -> str:
    for place in PLACES.values():
        if place.trd_sec_market == trd_sec_market:
            return f"{place.prefix}.{code}"
    return code
