"""A snapshot in which something of everything has happened, so that each metric has a sample."""

from __future__ import annotations

from typing import Final

from foxtrot.model.constants import Channel, ConnectionState, Exchange, Mode, StreamState
from foxtrot.model.health import (
    AdapterHealth,
    Alert,
    BridgeHealth,
    EngineHealth,
    Health,
    Histogram,
    Latency,
    ProcessHealth,
    RollOutHealth,
    SessionHealth,
    StreamStatus,
    TradingHealth,
)

NS: Final = 1_000_000_000
NOW_NS: Final = 1_000 * NS
READY, FAILED = ConnectionState.READY, ConnectionState.FAILED


def stream(symbol: str, state: StreamState = StreamState.ACTIVE) -> StreamStatus:
    """A stream that brought something at 999 s and is in its state since 940 s."""
    return StreamStatus(
        "V",
        Channel.TICK,
        symbol,
        Exchange.BINANCE,
        state,
        Mode.WEBSOCKET,
        940 * NS,
        last_data_ns=999 * NS,
    )


HISTOGRAM: Final = Histogram((0.1, 0.3), (4, 2, 1), 1.5)
ADAPTER: Final = AdapterHealth(
    "V",
    READY,
    sessions=(
        SessionHealth("websocket", READY, 900 * NS, up_s=100.0, down_s=2.0),
        SessionHealth("polling", FAILED, 950 * NS, breaker="open"),
    ),
    streams=(stream("A"), stream("B", StreamState.STALE)),
    received=50,
    malformed=3,
    rejected=2,
    reconnects=4,
    errors_by_class={"network": 7},
    trading=TradingHealth(
        READY,
        open_orders=5,
        in_doubt=("o1",),
        in_doubt_since_ns=988 * NS,
        outcomes={"filled": 6, "refused": 1},
    ),
    facts={"limits.weight.left": 4_900, "limits.weight.most": 5_000, "pool.idle": 3, "x": "y"},
)
HEALTH: Final = Health(
    EngineHealth(
        True,
        delivered=10,
        conflated=2,
        dropped=1,
        queued=4,
        lag_s=0.5,
        handler_errors=3,
        quarantined=("h",),
        lanes={"slow": EngineHealth(True, delivered=9)},
        latency={"V": Latency(HISTOGRAM, HISTOGRAM)},
    ),
    BridgeHealth(True, tasks=("a", "b"), blocked_s=0.25),
    (ADAPTER,),
    problems=("p",),
    process=ProcessHealth(1_000, 2.5, ("t1", "t2"), 12, 900 * NS),
    alerts=(Alert("TradingHalted", "trading", "critical", "", 1.0, 0),),
    rollouts={"V": RollOutHealth("first", 0, rolled_back=True)},
    halted="asked to",
)
