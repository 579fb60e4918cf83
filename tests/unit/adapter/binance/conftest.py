"""What the tests of the frames share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foxtrot.adapter.binance import frames
from tests.support.binance_frames import NOW_NS, Routed


@pytest.fixture
def routed() -> Routed:
    """A router that has seen nothing."""
    return Routed()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stops the clock of the frames; call it with seconds to let them pass."""
    now = [NOW_NS]
    monkeypatch.setattr(frames.time, "time_ns", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += round(seconds * 1e9)

    return advance
