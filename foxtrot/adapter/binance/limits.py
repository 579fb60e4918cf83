"""Binance's pacing rules, and how foxtrot keeps them.

Source: Binance spot API documents, "web-socket-streams" and "rest-api, LIMITS" (2026-07).
"""

from __future__ import annotations

import asyncio

from foxtrot.connectivity.pacing import RollingWindow, Spacing

STREAMS_PER_CONNECTION = 1000
"""The venue allows 1024; the rest is air for requests in flight."""

NAMES_PER_MESSAGE = 200
"""Streams named in one SUBSCRIBE."""

WEIGHT_PER_MINUTE = 5000
"""The venue allows 6000 per address and minute; others may share the address."""

MARKET_WEIGHT_PER_MINUTE = WEIGHT_PER_MINUTE * 4 // 5
"""Of it, for market data and history."""

_SEND_GAP_S = 0.3
"""The venue cuts a connection at more than 5 messages in a second; pings count too."""


def send_spacing() -> Spacing:
    """Spaces what is sent on one websocket connection."""
    return Spacing(_SEND_GAP_S)


class WeightWindow(RollingWindow):
    """The request weight of one address in a minute; a rolling one is stricter than the venue's.

    Args:
        limit: For all who ask.
        share: Of it for market data and history: the rest is left to the questions of the account.
    """

    def __init__(self, limit: int, share: int) -> None:
        super().__init__(limit, 60.0)
        self._held_until = 0.0
        self.share = RollingWindow(share, 60.0)
        self.turn = asyncio.Lock()
        """Of those who have the share: who asks for little would overtake the others for ever."""

    def hold(self, until: float) -> None:
        """The venue has refused somebody, and wants to be asked nothing by anybody before then."""
        self._held_until = max(self._held_until, until)

    def held_s(self, now: float) -> float:
        """For how many seconds the venue wants to be asked nothing more."""
        return max(self._held_until - now, 0.0)


def weight_window() -> WeightWindow:
    """What an adapter may use."""
    return WeightWindow(WEIGHT_PER_MINUTE, MARKET_WEIGHT_PER_MINUTE)


def tickers_weight(symbols: int) -> int:
    """Weight of GET /api/v3/ticker/24hr for that many symbols."""
    if symbols <= 20:
        return 2
    return 40 if symbols <= 100 else 80


def depth_weight(levels: int) -> int:
    """Weight of GET /api/v3/depth."""
    if levels <= 100:
        return 5
    if levels <= 500:
        return 25
    return 50 if levels <= 1000 else 250


TRADES_WEIGHT = 25
KLINES_WEIGHT = 2
PING_WEIGHT = 1
ORDER_WEIGHT = 4
ACCOUNT_WEIGHT = 20
MY_TRADES_WEIGHT = 20
OPEN_ORDERS_WEIGHT = 80

RECEIVE_WINDOW_MS = 5_000
"""A signed request that is older is not carried out. No longer than `reconciler.GRACE_NS`: an order
that is not found after that time will not come any more."""

FILLS_S = 60.0 * MY_TRADES_WEIGHT / (WEIGHT_PER_MINUTE - MARKET_WEIGHT_PER_MINUTE)
"""How often the budget allows the question for one symbol's fills, whoever else asks."""

ACCOUNT_POLL_S = 3.0
"""A round of open orders, balances and one symbol's fills weighs 120: half of the budget."""
