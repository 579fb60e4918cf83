"""The rules of OpenD for its clients, as Futu documents them, and what it says of a breach."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from foxtrot.simulator.socket_connection import SocketLimits
from foxtrot.simulator.window import Window

WINDOW_S = 30.0


class Refused(Exception):
    """An answer that says no.

    Args:
        text: What OpenD says.
        code: Its `errCode`.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        self.code = code
        super().__init__(text)


class FutuLimits(SocketLimits, frozen=True):
    """The rules, besides those of any socket; None switches one off.

    Those without a unit are requests in 30 seconds.

    Args:
        place: New orders of one account.
        modify: Changes and cancels of one account.
        orders: Lists of orders of one account that are fetched anew.
        unlock: Unlocks.
        history: First pages of bars of the past.
        snapshot: Snapshots.
        subscriptions: The quota: codes times types, over all connections.
        subscribed_s: How long a subscription must last, in seconds.
        history_codes: The quota of different codes whose past may be asked for in 30 days.
        snapshot_codes: Codes in one snapshot.
        keep_alive_s: How often a client is told to give a sign of life, in seconds.
    """

    place: int | None = 15
    modify: int | None = 20
    orders: int | None = 10
    unlock: int | None = 10
    history: int | None = 60
    snapshot: int | None = 60
    subscriptions: int = 100
    subscribed_s: float = 60.0
    history_codes: int = 100
    snapshot_codes: int = 400
    keep_alive_s: int = 10
    clients: int = 128


_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "place": "下单",
        "modify": "改单",
        "orders": "获取订单列表",
        "unlock": "解锁交易",
        "history": "获取历史K线",
        "snapshot": "获取股票快照",
    }
)
"""What OpenD calls the requests of a window."""

NO_QUOTA = "订阅额度不足，订阅失败，已用订阅额度：{}/{}"
TOO_SOON = "{}的{}订阅时间过短，至少需要订阅1分钟"
NOT_SUBSCRIBED = "请先订阅{}的{}数据"
UNKNOWN_STOCK = "未知股票 {}"
TOO_MANY_CODES = "请求股票个数超过上限，最多{}个"
NO_SUCH_REQUEST = "未知的协议ID"
WRONG_COUNT = "请求数量错误"


class Windows:
    """How often each kind of request came in the last 30 seconds.

    Args:
        limits: The rules.
    """

    def __init__(self, limits: FutuLimits) -> None:
        self._limits = limits
        self._windows: dict[tuple[str, object], Window] = {}

    def admit(self, kind: str, whose: object = None) -> None:
        """Count one request; must be called on the venue's loop.

        Args:
            kind: A field of `FutuLimits`, such as `place`.
            whose: What has a window of its own, such as an account.

        Raises:
            Refused: It is one too many. It counts all the same.
        """
        limit: int | None = getattr(self._limits, kind)
        window = self._windows.setdefault((kind, whose), Window(limit, WINDOW_S))
        if not window.admit(asyncio.get_running_loop().time()):
            raise Refused(f"{_NAMES[kind]}频率太高，请求失败，每30秒最多{limit}次。")


def counted(wanted: int, most: int) -> int:
    """How many of something are told to who wants so many.

    Raises:
        Refused: Fewer than none are wanted.
    """
    if wanted < 0:
        raise Refused(WRONG_COUNT)
    return min(wanted, most)
