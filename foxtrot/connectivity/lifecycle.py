"""The states of a session: one table of allowed transitions, one setter. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from foxtrot.errors import InvalidState
from foxtrot.model.constants import ConnectionState as S

TRANSITIONS: dict[S, frozenset[S]] = {
    S.DISCONNECTED: frozenset({S.CONNECTING, S.CLOSING}),
    S.CONNECTING: frozenset({S.SYNCING, S.RECONNECTING, S.FAILED, S.CLOSING}),
    S.SYNCING: frozenset({S.READY, S.DEGRADED, S.RECONNECTING, S.FAILED, S.CLOSING}),
    S.READY: frozenset({S.DEGRADED, S.RECONNECTING, S.FAILED, S.CLOSING}),
    S.DEGRADED: frozenset({S.READY, S.RECONNECTING, S.FAILED, S.CLOSING}),
    S.RECONNECTING: frozenset({S.SYNCING, S.DEGRADED, S.FAILED, S.CLOSING}),
    S.FAILED: frozenset({S.CONNECTING, S.RECONNECTING, S.SYNCING, S.CLOSING}),
    S.CLOSING: frozenset({S.DISCONNECTED, S.CLOSED}),
    S.CLOSED: frozenset(),
}
"""FAILED may still reach SYNCING: a session that gave up goes on with a slow probe."""

SEVERITY = (
    S.READY,
    S.DEGRADED,
    S.SYNCING,
    S.CONNECTING,
    S.RECONNECTING,
    S.DISCONNECTED,
    S.CLOSING,
    S.CLOSED,
    S.FAILED,
)
"""From best to worst; an adapter shows the worst of its sessions."""

SERVING = frozenset({S.READY, S.DEGRADED})
"""States in which a session delivers."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step that was taken."""

    previous: S
    state: S
    reason: str


class Lifecycle:
    """State of one session. Owned by the loop thread; reading is safe from any."""

    def __init__(self, now_ns: int) -> None:
        self.state = S.DISCONNECTED
        self.since_ns = now_ns
        self.reason = ""

    def move(self, to: S, reason: str, now_ns: int) -> Transition | None:
        """Go to `to`; None if already there (only the reason is refreshed).

        Raises:
            InvalidState: The table does not allow this transition.
        """
        if to is self.state:
            self.reason = reason
            return None
        if to not in TRANSITIONS[self.state]:
            raise InvalidState(f"a session cannot go from {self.state.value} to {to.value}")
        step = Transition(self.state, to, reason)
        self.state, self.since_ns, self.reason = to, now_ns, reason
        return step


def worst(states: list[S]) -> S:
    """The state to show for several sessions; DISCONNECTED if there are none."""
    return max(states, key=SEVERITY.index, default=S.DISCONNECTED)
