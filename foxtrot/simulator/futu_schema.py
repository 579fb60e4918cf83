"""OpenD's messages, from the protobuf schema that the SDK brings; the SDK itself is not imported.

The schema's modules import each other by their bare names, so their folder is on `sys.path` while
they are loaded, and only then. They have no types of their own until then.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import threading
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from foxtrot.errors import ConfigurationError

_FAILED = -1
_loading = threading.Lock()


class Message(Protocol):
    """A protobuf message; its fields are made at run time from the schema."""

    def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None: ...

    def SerializeToString(self) -> bytes:
        """Its bytes."""

    def ParseFromString(self, data: bytes) -> int:
        """Take its fields from bytes."""

    def ClearField(self, name: str) -> None:
        """Unset a field."""

    def IsInitialized(self) -> bool:
        """Whether every required field is set."""


class Proto(IntEnum):
    """The ids of messages; the names are those of the schema's files."""

    InitConnect = 1001
    GetGlobalState = 1002
    Notify = 1003
    KeepAlive = 1004
    Trd_GetAccList = 2001
    Trd_UnlockTrade = 2005
    Trd_SubAccPush = 2008
    Trd_GetFunds = 2101
    Trd_GetPositionList = 2102
    Trd_GetMaxTrdQtys = 2111
    Trd_GetOrderList = 2201
    Trd_PlaceOrder = 2202
    Trd_ModifyOrder = 2205
    Trd_UpdateOrder = 2208
    Trd_GetOrderFillList = 2211
    Trd_UpdateOrderFill = 2218
    Trd_GetHistoryOrderList = 2221
    Trd_GetHistoryOrderFillList = 2222
    Qot_Sub = 3001
    Qot_RegQotPush = 3002
    Qot_GetSubInfo = 3003
    Qot_GetBasicQot = 3004
    Qot_UpdateBasicQot = 3005
    Qot_GetKL = 3006
    Qot_UpdateKL = 3007
    Qot_GetTicker = 3010
    Qot_UpdateTicker = 3011
    Qot_GetOrderBook = 3012
    Qot_UpdateOrderBook = 3013
    Qot_RequestHistoryKL = 3103
    Qot_RequestHistoryKLQuota = 3104
    Qot_GetStaticInfo = 3202
    Qot_GetSecuritySnapshot = 3203
    Qot_RequestTradeDate = 3219
    Qot_GetMarketState = 3223


@functools.cache
def module(name: str) -> ModuleType:
    """A module of the schema, by the name of its file, such as `Qot_Common`.

    Raises:
        ConfigurationError: The SDK is not installed, or too old to know it.
    """
    with _loading:
        folder = str(_folder())
        sys.path.insert(0, folder)
        try:
            return importlib.import_module(f"{name}_pb2")
        except ModuleNotFoundError:
            problem = f"the installed futu-api has no message {name}; install a newer one"
            raise ConfigurationError("simulated Futu", "", problem) from None
        finally:
            sys.path.remove(folder)


def request(proto: Proto) -> Message:
    """An empty request of this kind."""
    return cast("Message", module(proto.name).Request())


def response(proto: Proto) -> Message:
    """An empty answer or push of this kind; until it is said otherwise, a success.

    Its `s2c` is there, though it may have no field.
    """
    made = module(proto.name).Response(retType=0, retMsg="", errCode=0)
    made.s2c.SetInParent()
    return cast("Message", made)


def refusal(proto: Proto, text: str, code: int = 0) -> Message:
    """An answer of this kind that says no; those of all kinds are the same."""
    answer = response(proto)
    answer.ClearField("s2c")
    answer.retType, answer.retMsg, answer.errCode = _FAILED, text, code
    return answer


def _folder() -> Path:
    spec = importlib.util.find_spec("futu")
    if spec is None or spec.origin is None:
        remedy = "pip install futu-api"
        problem = f"the protobuf schema comes with futu-api, which is not installed; {remedy}"
        raise ConfigurationError("simulated Futu", "", problem)
    return Path(spec.origin).parent / "common" / "pb"
