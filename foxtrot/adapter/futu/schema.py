"""OpenD's messages, from the protobuf schema that the SDK brings.

The messages have no types until the SDK is imported, so their fields are read and written by name.
"""

from __future__ import annotations

import functools
import importlib
from enum import IntEnum
from types import ModuleType
from typing import Any, Protocol, cast

from foxtrot.adapter.futu.sdk import sdk
from foxtrot.errors import ConfigurationError


class Message(Protocol):
    """A protobuf message; its fields are made at run time from the schema."""

    def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None: ...

    def HasField(self, name: str) -> bool:
        """Whether an optional field is set."""

    def SerializeToString(self) -> bytes:
        """Its bytes."""

    def ParseFromString(self, data: bytes) -> int:
        """Take its fields from bytes."""

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
    Qot_UpdateBasicQot = 3005
    Qot_GetKL = 3006
    Qot_UpdateKL = 3007
    Qot_GetTicker = 3010
    Qot_UpdateTicker = 3011
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
    sdk()
    try:
        return importlib.import_module(f"futu.common.pb.{name}_pb2")
    except ModuleNotFoundError:
        problem = f"the installed futu-api has no message {name}; install a newer one"
        raise ConfigurationError("futu", "", problem) from None


def c2s_of(proto: Proto) -> Message:
    """An empty question of this kind, for `FutuClient.ask`."""
    return cast("Message", module(proto.name).C2S())


def s2c_of(proto: Proto) -> Message:
    """An empty answer or push of this kind, as `FutuClient` delivers it."""
    return cast("Message", module(proto.name).S2C())


def request(proto: Proto, c2s: Message) -> Message:
    """The whole message that asks `c2s`."""
    return cast("Message", module(proto.name).Request(c2s=c2s))


def read(kind: type[Message], body: bytes) -> Message:
    """A message from its bytes; empty ones are those that could not be had.

    Raises:
        ValueError: They are none of this kind, or it lacks what the schema requires.
    """
    message = kind()
    try:
        complete = body and message.ParseFromString(body) and message.IsInitialized()
    except Exception:  # noqa: BLE001 - boundary: protobuf's own error, which is the SDK's business
        complete = False
    if not complete:
        raise ValueError(kind.__name__)
    return message


@functools.cache
def response_class(proto: Proto) -> type[Message]:
    """The class of the answer or push of this kind: retType, retMsg, errCode, s2c."""
    return cast("type[Message]", module(proto.name).Response)


_IN_COLUMNS = {Proto.Qot_UpdateOrderBook: ".Qot_Common.OrderBook"}
"""Pushes whose rows of this kind are read as columns: to fetch them number by number is dear."""


@functools.cache
def push_class(proto: Proto) -> type[Message]:
    """The class to read pushes of this kind with: that of answers, but a book's sides are columns.

    Instead of a list of levels, each with a price, a side is one level with a list of prices. The
    wire cannot tell: parts of a field that is no list are merged, and their lists joined.
    """
    row = _IN_COLUMNS.get(proto)
    return _in_columns(module(proto.name), row) if row else response_class(proto)


def _in_columns(source: ModuleType, row: str) -> type[Message]:
    descriptors = importlib.import_module("google.protobuf.descriptor_pb2")
    pool = importlib.import_module("google.protobuf.descriptor_pool").DescriptorPool()
    for each in _with_imports(source.DESCRIPTOR):
        file = descriptors.FileDescriptorProto.FromString(each.serialized_pb)
        for kind in file.message_type:
            for field in kind.field:
                if f".{file.package}.{kind.name}" == row:
                    field.label = field.LABEL_REPEATED
                elif field.type_name == row:
                    field.label = field.LABEL_OPTIONAL
        pool.AddSerializedFile(file.SerializeToString())
    response = pool.FindMessageTypeByName(f"{source.DESCRIPTOR.package}.Response")
    factory = importlib.import_module("google.protobuf.message_factory")
    # The first since protobuf 4.22, the second before.
    make = getattr(factory, "GetMessageClass", None) or factory.MessageFactory(pool).GetPrototype
    return cast("type[Message]", make(response))


def _with_imports(file: Any) -> list[Any]:
    """A file of the schema and those that it imports, each after its own imports."""
    found = {each.name: each for one in file.dependencies for each in _with_imports(one)}
    return [*found.values(), file]
