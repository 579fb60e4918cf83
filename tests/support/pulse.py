"""What a busy machine gave to this process: time that nobody could have used is not counted."""

from __future__ import annotations

import threading
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager

BEAT_S = 0.01
_END_S = 15.0


class Pulse:
    """A thread that wakes a hundred times a second, or as often as it comes to it."""

    def __init__(self) -> None:
        self._beats_ns: list[int] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse")

    def lived_s(self, since_ns: int, until_ns: int) -> float:
        """Seconds between two moments, but those in which the process was not let run."""
        beats = bisect(self._beats_ns, until_ns) - bisect(self._beats_ns, since_ns)
        return min(beats * BEAT_S, (until_ns - since_ns) / 1e9)

    @property
    def busy(self) -> float:
        """How many times as long as on a machine of its own everything takes, on the average."""
        beats = self._beats_ns
        if len(beats) < 2:
            return 1.0
        return max((beats[-1] - beats[0]) / 1e9 / (len(beats) * BEAT_S), 1.0)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; what was counted is kept."""
        self._end.set()
        self._thread.join(_END_S)

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            self._beats_ns.append(time.time_ns())


@contextmanager
def beating() -> Iterator[Pulse]:
    """A pulse that beats inside."""
    pulse = Pulse()
    pulse.start()
    try:
        yield pulse
    finally:
        pulse.stop()
