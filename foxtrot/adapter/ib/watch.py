"""Which streams stand still though they should not, and what is done about it.

TWS says when it has lost IB, or a data centre, and when it has found it again; it does not say
which streams live on. Nor does a stream that died in silence say so: a snapshot tells it from a
quiet market. Ticks are compared with what they said last; of prints, books and bars, the market
must not have moved since the first snapshot of their silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from foxtrot.adapter.ib.lines import Line
from foxtrot.adapter.ib.slots import Quoted, TickSlot
from foxtrot.adapter.ib.snapshots import Snapshot
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.diagnostics import labels
from foxtrot.connectivity.freshness import StreamFreshness
from foxtrot.core.logs import get_logger
from foxtrot.errors import FoxtrotError, StaleStream
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.health import StreamKey

log = get_logger("foxtrot.ib.watch")

Report: TypeAlias = Callable[[StreamKey, StreamState, str], None]

_MOST_AT_ONCE = 10
"""Of books, prints and bars compared at once: each may take a market data line meanwhile."""

_PROOF = {Channel.TICK: 1}
_LATE_PROOF = 2
"""How often in a row the market has to be found elsewhere: bars follow it by some seconds."""


@dataclass(slots=True)
class _Doubt:
    """A stream that may be dead. It is told as such after `patience_s`, unless it speaks.

    With `mend`, TWS is asked for it again once it has been silent for the usual time.
    """

    reason: str
    heard_ns: int
    since: float
    patience_s: float
    mend: bool
    told: bool = False


class LineWatch:
    """Watches the streams of one session. Belongs to the loop thread.

    Args:
        venue: The adapter's name, for logs.
        config: Deadlines, as they are now.
        lines: The streams.
        report: Told that a stream is quiet, stale or alive again.
        renew: Asks TWS for one stream afresh, soon; or gives it up, when it was asked too often.
        snapshot: Fetches what a contract looks like now, without the stream.
    """

    def __init__(
        self,
        venue: str,
        config: Callable[[], StreamConfig],
        lines: Mapping[StreamKey, Line],
        *,
        report: Report,
        renew: Callable[[Line, str], None],
        snapshot: Callable[[Line], Awaitable[Snapshot]],
    ) -> None:
        self._venue, self._config, self._lines = venue, config, lines
        self._report, self._renew, self._snapshot = report, renew, snapshot
        self._doubts: dict[StreamKey, _Doubt] = {}
        self._judging: asyncio.Task[None] | None = None
        settings = config()
        self._freshness = StreamFreshness(
            idle_s=settings.stream_idle_s, longest_s=settings.stream_longest_s
        )

    # -- what TWS says ----------------------------------------------------------------------

    def broken(self, channels: Iterable[Channel], reason: str) -> None:
        """Nothing of these can come: who is silent from now on is stale."""
        for line in self._of(channels):
            self._doubt(line, reason, patience_s=0.0, mend=False)

    def mended(self, channels: Iterable[Channel], reason: str) -> None:
        """Those that stood still should come again."""
        for line in self._of(channels):
            if line.key in self._doubts:
                self.expect(line, reason)

    def expect(self, line: Line, reason: str) -> None:
        """It should bring something soon; if not, TWS is asked for it again."""
        self._doubt(line, reason, patience_s=self._config().stream_idle_s, mend=True)

    def trust(self, line: Line) -> None:
        """TWS has taken the request for it: prints and books may be silent for long after that."""
        line.seen = None  # how the market moved before the request, it does not tell
        doubt = self._doubts.pop(line.key, None)
        if doubt is not None and doubt.told:
            self._report(line.key, StreamState.ACTIVE, "TWS was asked for it again")

    def stale(self, line: Line, reason: str) -> None:
        """It is stale, and TWS is asked for it again."""
        self.expect(line, reason)
        doubt = self._doubts[line.key]
        if not doubt.told:
            self._tell(doubt, line)
        self._renew(line, reason)

    def _of(self, channels: Iterable[Channel]) -> list[Line]:
        chosen = frozenset(channels)
        return [line for key, line in self._lines.items() if key.channel in chosen]

    def _doubt(self, line: Line, reason: str, *, patience_s: float, mend: bool) -> None:
        known, now = self._doubts.get(line.key), asyncio.get_running_loop().time()
        told = known is not None and known.told
        heard_ns = line.slot.heard_ns
        self._doubts[line.key] = _Doubt(reason, heard_ns, now, patience_s, mend, told)

    # -- looking ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at every stream now and then, for as long as the session lives."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._config().stream_look_s)
                silent = self._look(asyncio.get_running_loop().time())
                if silent and (self._judging is None or self._judging.done()):
                    self._judging = group.create_task(self._judge(silent))

    def _look(self, now: float) -> list[Line]:
        """Tell what changed; returns the streams to be compared with a snapshot."""
        for key, doubt in list(self._doubts.items()):
            line = self._lines.get(key)
            if line is None:
                del self._doubts[key]
            else:
                self._look_again(line, doubt, now)
        heard = {
            key: line.slot.heard_ns
            for key, line in self._lines.items()
            if key not in self._doubts and line.request_id
        }
        sighting = self._freshness.look(heard, now)
        for key in sighting.revived:
            self._lines[key].strikes = 0
            self._report(key, StreamState.ACTIVE, "data came")
        ticks = [key for key in sighting.silent if key.channel is Channel.TICK]
        others = [key for key in sighting.silent if key.channel is not Channel.TICK]
        return [self._lines[key] for key in (*ticks, *others[:_MOST_AT_ONCE])]

    def _look_again(self, line: Line, doubt: _Doubt, now: float) -> None:
        if line.slot.heard_ns != doubt.heard_ns:
            del self._doubts[line.key]
            line.strikes = 0
            if doubt.told:
                self._report(line.key, StreamState.ACTIVE, "data came")
            return
        if not doubt.told and now - doubt.since >= doubt.patience_s:
            self._tell(doubt, line)
        if doubt.mend and now - doubt.since >= self._config().stream_idle_s:
            doubt.since = now
            self._renew(line, doubt.reason)

    def _tell(self, doubt: _Doubt, line: Line) -> None:
        doubt.told = True
        self._report(line.key, StreamState.STALE, doubt.reason)

    # -- quiet or dead ----------------------------------------------------------------------

    async def _judge(self, silent: list[Line]) -> None:
        before = {line.key: line.slot.heard_ns for line in silent}
        asked = await asyncio.gather(*map(self._snapshot, silent), return_exceptions=True)
        # A stream may be a moment behind the snapshot; what is on its way arrives meanwhile.
        await asyncio.sleep(self._config().stream_look_s)
        for line, answer in zip(silent, asked, strict=True):
            same = self._lines.get(line.key) is line and line.slot.heard_ns == before[line.key]
            if isinstance(answer, FoxtrotError):
                log.info("stream_not_compared", stream=str(line.key), **labels(answer))
                self._put_off(line)  # with all market data lines in use there are no snapshots
            elif isinstance(answer, BaseException):
                raise answer
            elif same and line.key not in self._doubts:
                self._judge_one(line, answer)

    def _put_off(self, line: Line) -> None:
        self._freshness.put_off(line.key, asyncio.get_running_loop().time())

    def _judge_one(self, line: Line, snapshot: Snapshot) -> None:
        market, told = _compared(line, snapshot)
        now = asyncio.get_running_loop().time()
        strikes = self._freshness.judge(line.key, market, now, told=told)
        if strikes >= _PROOF.get(line.key.channel, _LATE_PROOF):
            error = StaleStream(str(line.key))
            log.warning("stream_stale", venue=self._venue, **labels(error))
            self.stale(line, str(error))
        elif self._freshness.state(line.key) is StreamState.QUIET:
            self._report(line.key, StreamState.QUIET, "its market stands still")


def _compared(line: Line, snapshot: Snapshot) -> tuple[object, object]:
    """The market of a silent stream as it is now, and as the stream left it.

    Ticks say themselves how they left it. For the others that is the first snapshot of this
    silence, at which there is nothing to compare. What one of the two does not show has not moved.
    """
    if isinstance(line.slot, TickSlot):
        told: Quoted = line.slot.quoted()
        return snapshot.quoted(told), told
    heard_ns = line.slot.heard_ns
    if line.seen is None or line.seen[0] != heard_ns:
        line.seen = heard_ns, snapshot
        return None, None
    before = line.seen[1]
    return (
        line.tells_of(snapshot.quoted(before.quoted())),
        line.tells_of(before.quoted(snapshot.quoted())),
    )
