"""How long a client has to wait between two sessions: reckoned apart from the product's code."""

from __future__ import annotations

from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import ConnectionClosed, RateLimited
from tests.support.model_venue import ModelSession, ModelVenue

_SLACK_S = 0.001
_LOOKS = 16
_ANSWER_S = 0.2
"""The slowest answer of a model venue to a probe."""


class Pace:
    """Checks each delay against the number of short lives before it, and each silence.

    A connection counts as good again only after it was READY for a while.
    """

    def __init__(self, venue: ModelVenue, config: StreamConfig) -> None:
        self._venue, self._config = venue, config
        self._retries = 0
        self._due: tuple[float, float] | None = None
        self._before: ModelSession | None = None
        self.misses = 0
        self.open_since = 0.0
        """Since when the breaker has to be open, if `tripped`."""

    @property
    def tripped(self) -> bool:
        """Whether the breaker has to be open."""
        return self.misses >= self._config.breaker_threshold

    def started(self) -> None:
        """The feed was started: it begins anew."""
        self._retries, self.misses, self._due = 0, 0, None

    def ready(self) -> None:
        """The session of the moment is READY."""
        self.misses = 0

    def made(self, session: ModelSession) -> None:
        """A session is made: was the wait right?"""
        before, self._before = self._before, session
        if before is None or self._due is None:
            return
        waited_s, (least, most) = self._venue.now - before.ended_at, self._due
        if not least - _SLACK_S <= waited_s <= most + _SLACK_S:
            text = f"{session.name} comes after {waited_s:.3f} s; due: {least:.3f} to {most:.3f} s"
            self._venue.complain(text)

    def closing(self, session: ModelSession) -> None:
        """A session ends: say when the next one is due."""
        self._check_silence(session)
        config, now = self._config, self._venue.now
        if session.ready_at < 0:
            self._missed(now)
        elif now - session.ready_at >= config.stable_after_s:
            self._retries = 0
        ceiling = min(
            config.reconnect_base_delay_s * 2**self._retries, config.reconnect_max_delay_s
        )
        self._retries += 1
        floor = self._floor_s(session)
        most = min(1.2 * ceiling, config.reconnect_max_delay_s)
        self._due = max(0.8 * ceiling, floor), max(most, floor)

    def _missed(self, now: float) -> None:
        self.misses += 1
        if self.misses == self._config.breaker_threshold:
            self.open_since = now

    def _floor_s(self, session: ModelSession) -> float:
        config, floors = self._config, [0.0]
        if self._retries >= config.max_reconnect_attempts:
            floors.append(config.reconnect_max_delay_s)
        if self.misses >= config.breaker_threshold:
            floors.append(config.breaker_open_s)
        if isinstance(session.cause, RateLimited):
            floors.append(session.cause.retry_after_s)
        if isinstance(session.cause, ConnectionClosed):
            codes = {1008: config.policy_wait_s, 1012: config.try_later_wait_s}
            codes[1013] = config.try_later_wait_s
            floors.append(codes.get(session.cause.code, 0.0))
        return max(floors)

    def _check_silence(self, session: ModelSession) -> None:
        if not session.deaf or not 0 <= session.ready_at <= session.deaf_at:
            return
        silent_s = self._venue.now - session.deaf_at
        config = self._config
        most = config.idle_s * (1 + 1 / _LOOKS) + config.probe_s + _ANSWER_S
        if silent_s > most + _SLACK_S:
            self._venue.complain(f"{session.name} was silent for {silent_s:.1f} s before its end")
