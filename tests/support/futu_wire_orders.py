"""Orders and deals as OpenD tells them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from foxtrot.adapter.futu.order_mapping import WireFill, WireOrder

ORDER: dict[str, object] = {
    "trdSide": 1,
    "orderType": 1,
    "orderStatus": 5,
    "orderID": 7,
    "orderIDEx": "FH7",
    "code": "00700",
    "qty": 300.0,
    "price": 500.0,
    "fillQty": 0.0,
    "fillAvgPrice": 0.0,
    "lastErrMsg": "",
    "secMarket": 1,
    "createTime": "",
    "updateTime": "",
    "createTimestamp": 1.7e9,
    "updateTimestamp": 1.7e9,
    "remark": "fx-1",
    "HasField": lambda name: True,
    "auxPrice": 0.0,
}
DEAL: dict[str, object] = {
    "trdSide": 1,
    "fillID": 3,
    "fillIDEx": "FD3",
    "orderID": 7,
    "orderIDEx": "FH7",
    "code": "00700",
    "qty": 100.0,
    "price": 500.0,
    "secMarket": 1,
    "createTime": "",
    "createTimestamp": 1.7e9,
    "status": 0,
}


def order(**fields: object) -> WireOrder:
    """An order to buy 300 of Tencent at 500, with other fields if some are given."""
    return cast("WireOrder", SimpleNamespace(**{**ORDER, **fields}))


def deal(**fields: object) -> WireFill:
    """A deal of it."""
    return cast("WireFill", SimpleNamespace(**{**DEAL, **fields}))
