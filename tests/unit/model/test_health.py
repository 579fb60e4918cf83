"""Snapshots of state are ready to be shown and to be turned into JSON."""

import msgspec

from foxtrot.model.constants import (
    Channel,
    ConnectionState,
    Environment,
    Exchange,
    Mode,
    StreamState,
)
from foxtrot.model.health import (
    AdapterHealth,
    BridgeHealth,
    EngineHealth,
    ErrorRecord,
    Health,
    SessionHealth,
    StreamKey,
    StreamStatus,
)


def test_a_stream_is_named_by_channel_symbol_and_detail() -> None:
    """What stands in logs and reasons."""
    assert str(StreamKey(Channel.TICK, "A", Exchange.BINANCE)) == "tick:A.BINANCE"
    assert str(StreamKey(Channel.BAR, "A", Exchange.BINANCE, "1m")) == "bar:A.BINANCE:1m"


def test_stream_keys_are_equal_by_value() -> None:
    """They are keys of books."""
    assert StreamKey(Channel.TICK, "A", Exchange.BINANCE) == StreamKey(
        Channel.TICK, "A", Exchange.BINANCE
    )
    assert (
        len(
            {
                StreamKey(Channel.TICK, "A", Exchange.BINANCE),
                StreamKey(Channel.DEPTH, "A", Exchange.BINANCE),
            }
        )
        == 2
    )


def test_health_turns_into_json() -> None:
    """With the values of the enums, so that any program can read it."""
    adapter = AdapterHealth(
        "BINANCE",
        ConnectionState.READY,
        Environment.SIMULATED,
        sessions=(SessionHealth("websocket", ConnectionState.READY, 1),),
        streams=(
            StreamStatus(
                "BINANCE",
                Channel.TICK,
                "A",
                Exchange.BINANCE,
                StreamState.ACTIVE,
                Mode.WEBSOCKET,
                1,
            ),
        ),
        errors=(ErrorRecord(1, "StreamingError", "reconnect", "broke"),),
    )
    health = Health(EngineHealth(running=True), BridgeHealth(running=True), (adapter,))
    read = msgspec.json.decode(msgspec.json.encode(health))
    assert read["adapters"][0]["state"] == "ready"
    assert read["adapters"][0]["streams"][0]["mode"] == "websocket"
    assert msgspec.json.decode(msgspec.json.encode(health), type=Health) == health
