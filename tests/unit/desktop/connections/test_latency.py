"""The latencies that the panel draws."""

from __future__ import annotations

from tests.support.desktop import require

require("vnpy", "talib", "loguru")

from tests.support.desktop import main_engine_class  # noqa: E402

main_engine_class()

from foxtrot.desktop.connections.latency import Trails  # noqa: E402
from foxtrot.model.health import Histogram, Latency  # noqa: E402


def latency(count: int, sum_s: float) -> dict[str, Latency]:
    """Of one venue, since its start."""
    histogram = Histogram((1.0,), (count, 0), sum_s)
    return {"B": Latency(histogram, histogram)}


def test_each_look_adds_the_mean_of_what_came_since() -> None:
    """A curve tells the moment, not the average of the day; silence adds nothing."""
    trails = Trails()
    assert trails.look(latency(100, 0.1)) == {"B": (1.0,)}
    assert trails.look(latency(100, 0.1)) == {"B": (1.0,)}
    (first, second) = trails.look(latency(200, 0.4))["B"]
    assert (first, round(second, 9)) == (1.0, 3.0)
    assert trails.look({}) == {"B": (first, second)}


def test_a_curve_does_not_grow_for_ever() -> None:
    """A panel that is open for days keeps the last minute."""
    trails = Trails(kept=3)
    for count in range(1, 9):
        seen = trails.look(latency(count, count * 0.001))
    assert len(seen["B"]) == 3
