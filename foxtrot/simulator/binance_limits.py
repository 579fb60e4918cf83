"""Binance's rules for well-behaved clients, each number a field, and the books that enforce them.

Pure: the caller says what time it is. All clients are on loopback, so there is one address.
"""

from __future__ import annotations

import msgspec

_BAN_MAX_S = 259_200.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's limits; None switches a rule off."""

    # Websocket
    messages_per_s: int | None = 5
    streams_per_connection: int | None = 1024
    connections: int | None = 300
    connections_window_s: float = 300.0
    life_s: float | None = 86_400.0
    ping_interval_s: float | None = 20.0
    pong_timeout_s: float = 60.0
    send_buffer_bytes: int | None = 8 << 20

    # Requests
    weight_per_minute: int | None = 6_000
    orders_per_10_s: int | None = 100
    orders_per_day: int | None = 200_000
    refusals_before_ban: int = 10
    ban_s: float = 120.0

    @classmethod
    def none(cls) -> Limits:
        """No rule at all; the server does not even ping."""
        return cls(
            messages_per_s=None,
            streams_per_connection=None,
            connections=None,
            life_s=None,
            ping_interval_s=None,
            send_buffer_bytes=None,
            weight_per_minute=None,
            orders_per_10_s=None,
            orders_per_day=None,
        )


class Refusal(msgspec.Struct, frozen=True):
    """An answer that says no, and when to come back."""

    status: int
    message: str
    retry_after_s: int


class WeightGate:
    """The request weight of the current minute of the venue's clock, and the ban of who goes on."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._minute = 0
        self._refusals = 0
        self._banned_until_ms = 0
        self._ban_s = limits.ban_s
        self.used = 0

    def charge(self, weight: int, now_ms: int) -> Refusal | None:
        """Count a request; the refusal if it is not to be answered."""
        minute = now_ms // 60_000
        if minute != self._minute:
            self._minute, self.used, self._refusals = minute, 0, 0
        limit = self._limits.weight_per_minute
        if limit is None:
            self.used += weight
            return None
        if now_ms < self._banned_until_ms:
            return self._banned(now_ms)
        self.used += weight
        if self.used <= limit:
            return None
        self._refusals += 1
        if self._refusals > self._limits.refusals_before_ban:
            self._banned_until_ms = now_ms + int(self._ban_s * 1000)
            self._ban_s = min(self._ban_s * 2, _BAN_MAX_S)
            return self._banned(now_ms)
        return Refusal(429, _too_much(limit), 60 - now_ms // 1000 % 60)

    def _banned(self, now_ms: int) -> Refusal:
        left_s = max(1, -(-(self._banned_until_ms - now_ms) // 1000))
        return Refusal(418, _ban(self._banned_until_ms), left_s)


class OrderGate:
    """The unfilled orders of each account in the current ten seconds and the current day.

    A new order counts one; an order that is filled takes one back.
    """

    def __init__(self, limits: Limits) -> None:
        self._rules = (
            ("SECOND", 10, 10_000, limits.orders_per_10_s),
            ("DAY", 1, 86_400_000, limits.orders_per_day),
        )
        self._counts: dict[str, list[tuple[int, int]]] = {}

    def charge(self, account: str, now_ms: int) -> Refusal | None:
        """Count a new order; the refusal if it is one too many."""
        counts = self._current(account, now_ms)
        for (interval, number, length, limit), count in zip(self._rules, counts, strict=True):
            if limit is not None and count >= limit:
                words = f"Too many new orders; current limit is {limit} orders per "
                left_s = -(-(length - now_ms % length) // 1000)
                return Refusal(429, f"{words}{number} {interval}.", left_s)
        self._store(account, now_ms, [count + 1 for count in counts])
        return None

    def give_back(self, account: str) -> None:
        """Forget one order: it was refused, or it is filled."""
        counts = self._counts.get(account, [])
        self._counts[account] = [(start, max(0, count - 1)) for start, count in counts]

    def headers(self, account: str, now_ms: int) -> dict[str, str]:
        """What the answer to a new order tells of the counts."""
        ten_s, day = self._current(account, now_ms)
        return {"X-MBX-ORDER-COUNT-10S": str(ten_s), "X-MBX-ORDER-COUNT-1D": str(day)}

    def rows(self, account: str, now_ms: int) -> list[dict[str, object]]:
        """The counts as /api/v3/rateLimit/order tells them."""
        counts = self._current(account, now_ms)
        return [
            {
                "rateLimitType": "ORDERS",
                "interval": interval,
                "intervalNum": number,
                "limit": limit,
                "count": count,
            }
            for (interval, number, _, limit), count in zip(self._rules, counts, strict=True)
        ]

    def _current(self, account: str, now_ms: int) -> list[int]:
        known = self._counts.get(account) or [(0, 0)] * len(self._rules)
        return [
            count if start == now_ms // length else 0
            for (start, count), (_, _, length, _) in zip(known, self._rules, strict=True)
        ]

    def _store(self, account: str, now_ms: int, counts: list[int]) -> None:
        lengths = (length for _, _, length, _ in self._rules)
        self._counts[account] = [
            (now_ms // length, count) for length, count in zip(lengths, counts, strict=True)
        ]


def _too_much(limit: int) -> str:
    return (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )


def _ban(until_ms: int) -> str:
    return (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
