"""StreamConfig: every timeout and bound of a session, in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from foxtrot.model.constants import Channel

if TYPE_CHECKING:
    from foxtrot.core.settings import FeatureFlags


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """How a session is opened, watched, reopened and closed. Seconds, unless the name says else."""

    # Timeouts
    connect_timeout_s: float = 10.0
    sync_timeout_s: float = 30.0
    subscribe_timeout_s: float = 5.0
    close_timeout_s: float = 2.0
    end_timeout_s: float = 1.0  # for what was cancelled; an SDK may swallow that
    request_timeout_s: float = 10.0

    # Liveness: idle, then a probe, then the kill
    idle_s: float = 15.0
    probe_s: float = 4.0

    # Single streams: silence, then a snapshot; again after twice as long while it is quiet
    stream_look_s: float = 1.0
    stream_idle_s: float = 10.0
    stream_longest_s: float = 120.0

    # Reconnecting
    reconnect_base_delay_s: float = 1.0
    reconnect_max_delay_s: float = 60.0
    max_reconnect_attempts: int = 50
    stable_after_s: float = 30.0
    rotate_after_s: float = 84_600.0  # 23.5 hours: venues cut a connection after a day
    policy_wait_s: float = 60.0
    try_later_wait_s: float = 5.0
    refused_retry_s: float = 60.0

    # Circuit breaker: consecutive attempts that miss READY, then a pause and one attempt
    breaker_threshold: int = 5
    breaker_open_s: float = 60.0

    # Orders: all lists are asked for again, though the venue pushes
    reconcile_s: float = 60.0

    # Polling
    polling_interval_s: float = 1.0

    # Limits
    error_history: int = 100
    subscribe_attempts: int = 3
    stream_strikes: int = 3
    frame_strikes: int = 3  # unreadable frames of one type in a row

    # Channels that are asked for stream by stream instead of many in one request
    individual: frozenset[Channel] = frozenset()

    def with_flags(self, flags: FeatureFlags) -> StreamConfig:
        """This configuration with what the user's settings say laid over it."""
        return replace(
            self,
            connect_timeout_s=flags.connect_timeout_s,
            subscribe_timeout_s=flags.subscribe_timeout_s,
            idle_s=flags.liveness_idle_s,
            probe_s=flags.liveness_probe_s,
            stream_idle_s=flags.liveness_stream_idle_s,
            reconnect_base_delay_s=flags.websocket_reconnect_base_delay,
            reconnect_max_delay_s=flags.websocket_reconnect_max_delay,
            max_reconnect_attempts=flags.websocket_max_reconnect_attempts,
            polling_interval_s=flags.polling_interval,
            individual=frozenset(map(Channel, flags.subscriptions_individual)),
        )
