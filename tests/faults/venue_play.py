"""Plays a schedule over the real client and a simulated venue, and says what went wrong.

Several may be played at once, each on threads of its own. Time is compressed by the configuration
alone: the client, the threads and the sockets are real, so a seed repeats its schedule, not every
turn of the machine.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from foxtrot.core.settings import Settings
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, ConnectionState, Mode
from foxtrot.model.events import EVENT_BAR, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_TICK
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import BarData, MarketTradeData
from tests.faults.play import CRASH
from tests.faults.schedules import Act
from tests.faults.venue_schedules import Change, Trouble, VenueSchedule, venue_schedule
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import healed, same_book
from tests.support.rig import SERVED, SHORT, Rig, eventually, running

AT_ONCE = 6
"""Schedules that are played at the same time: they wait most of theirs."""

_MOVE_S = 0.02
_ROUNDS = 4
_LOOKS_PER_MOVE = 20
_CONFIG = replace(SHORT, stream_look_s=0.05, stream_longest_s=2.0, refused_retry_s=0.3)
_FLAGS: Mapping[str, object] = {
    "liveness.probe_s": 1.5,
    "liveness.stream_idle_s": 1.0,
    "polling.interval": 0.25,
    "connect.timeout_s": 1.0,
    "subscribe.timeout_s": 0.7,
}
_SWALLOWS = "mute"
"""A venue that swallowed an UNSUBSCRIBE goes on sending until the connection ends."""

_VENUES: Mapping[str, Callable[[], BinanceUnderTest]] = {"binance": BinanceUnderTest}
VENUES = tuple(_VENUES)


@dataclass
class VenueReport:
    """What came of a schedule: no problem, hopefully."""

    venue: str
    seed: int
    problem: str = ""
    trace: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What happened, what is wrong, and the command that plays it again."""
        repeat = f"to repeat: scripts/faults --venue {self.venue} --seed {self.seed}"
        return "\n".join((*self.trace, self.problem or "well", repeat))


def play_many(venue: str, seeds: Sequence[int], upto: int | None = None) -> Iterator[VenueReport]:
    """Play schedules, some of them at a time; the reports in the order of the seeds."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="schedule") as pool:
        yield from pool.map(lambda seed: play_venue(venue, seed, upto), seeds)


def play_venue(name: str, seed: int, upto: int | None = None) -> VenueReport:
    """Play the schedule of `seed`, or a prefix of its faults."""
    report = VenueReport(name, seed)
    venue = _VENUES[name]()
    plan = venue_schedule(seed, venue.symbols)
    venue.start()
    try:
        with running(venue, _FLAGS, _CONFIG) as rig:
            VenuePlay(plan if upto is None else plan.upto(upto), venue, rig, report.trace).run()
    except Exception as error:  # boundary: told in the report, with its seed
        report.problem = f"{type(error).__name__}: {error}"
    finally:
        venue.faults.clear()
        venue.stop()
    return report


class VenuePlay:
    """One schedule on its way."""

    def __init__(
        self, plan: VenueSchedule, venue: BinanceUnderTest, rig: Rig, trace: list[str]
    ) -> None:
        self._plan, self._venue, self._rig, self._trace = plan, venue, rig, trace
        self._turns = 0

    def run(self) -> None:
        """Play it to its end.

        Raises:
            AssertionError: Something is not as it should be.
        """
        self._rig.connect()
        self._storm()
        self._rig.venue.faults.clear()
        self._rig.surplus = _SWALLOWS in {fault.name for fault in self._plan.faults}
        eventually(self._is_routed, "each stream comes by the way that the settings say")
        healed(self._rig)
        self._let_days_settle()
        self._check_rest()
        self._check_quiet()
        self._check_tape()
        self._check_books()
        self._check_errors()

    # -- the storm --------------------------------------------------------------------------

    def _storm(self) -> None:
        started, pause = time.monotonic(), threading.Event()
        for at, step in self._timeline():
            while (left_s := started + at - time.monotonic()) > 0:
                pause.wait(min(left_s, _MOVE_S))
                self._move()
            step()

    def _timeline(self) -> list[tuple[float, Callable[[], None]]]:
        steps: list[tuple[float, Callable[[], None]]] = []
        for fault in self._plan.faults:
            steps.append((fault.at, lambda fault=fault: self._begin(fault)))
            if fault.ends > fault.at:
                steps.append((fault.ends, lambda fault=fault: self._end(fault)))
        for change in self._plan.changes:
            steps.append((change.at, lambda change=change: self._do(change)))
        return sorted(steps, key=lambda step: step[0])

    def _move(self) -> None:
        """One symbol after the other moves on."""
        self._turns += 1
        self._venue.move(self._venue.symbols[self._turns % len(self._venue.symbols)])

    def _begin(self, fault: Trouble) -> None:
        self._note(fault.at, "fault", fault.name, fault.params, "drops" if fault.drops else "")
        self._venue.faults.inject(fault.name, **fault.params)
        if fault.drops:
            self._venue.faults.inject("rst")

    def _end(self, fault: Trouble) -> None:
        self._note(fault.ends, "over", fault.name)
        self._venue.faults.clear(fault.name)

    def _do(self, change: Change) -> None:
        texts = [str(key) for key in change.keys]
        self._note(change.at, change.act.value, *texts, change.settings or "")
        rig = self._rig
        if change.act is Act.WANT:
            for key in change.keys:
                rig.subscribe(key.symbol, key.channel)
        elif change.act is Act.DROP:
            for key in change.keys:
                rig.unsubscribe(key.symbol, key.channel)
        elif change.act is Act.FLAGS:
            rig.engine.reload_settings(Settings.parse({**rig.flags, **change.settings}))
        else:
            rig.adapter.restart()

    def _note(self, at: float, *what: object) -> None:
        self._trace.append(f"{at:6.2f}  {' '.join(str(each) for each in what if each)}")

    # -- in the end -------------------------------------------------------------------------

    def _let_days_settle(self) -> None:
        """Move the market: what is older than a clock that was set back is doubted for a while."""
        looks = itertools.count()
        for request in self._rig.adapter.subscriptions():
            key = self._rig.venue.key(request.symbol, request.channel)
            if key.channel is Channel.TICK:
                text = f"the newest statistics of {key}"
                eventually(lambda key=key: self._is_newest(key) or self._nudge(key, looks), text)

    def _nudge(self, key: StreamKey, looks: Iterator[int]) -> bool:
        if next(looks) % _LOOKS_PER_MOVE == 0:
            self._venue.move(key.symbol)
        return False

    def _check_rest(self) -> None:
        """Everything wanted is served once and told as it stands at the venue."""
        rig = self._rig
        rig.wait_served()
        eventually(lambda: not self._doubled(), "no stream is sent twice")
        eventually(self._is_routed, "each stream comes by the way that the settings say")
        rig.settle()
        for request in rig.adapter.subscriptions():
            key = rig.venue.key(request.symbol, request.channel)
            if request.channel is Channel.DEPTH:
                same_book(rig, request.symbol)
            else:
                eventually(lambda key=key: self._is_newest(key), f"the newest of {key} is told")

    def _check_quiet(self) -> None:
        """Nothing happens while nothing happens, for so long that the silence is probed."""
        rig, session = self._rig, self._liveliest()
        since, asked = len(rig.log), len(self._venue.asked())
        before = rig.fact(session)
        rounds = 1 if session.startswith(Mode.WEBSOCKET.value) else _ROUNDS
        rig.wait_fact(session, before + rounds)
        rig.settle()
        told = rig.statuses("websocket", since) + rig.statuses("polling", since)
        assert not told, f"a session changed its state while nothing happened: {told}"
        assert len(self._venue.asked()) == asked, "streams were asked for while nothing happened"
        self._check_rest()

    def _liveliest(self) -> str:
        """The count that shows that the silence was probed, or that polling goes its rounds."""
        names = {session.name for session in self._rig.adapter.health().sessions}
        streamed = Mode.WEBSOCKET.value in names
        return "websocket.control" if streamed else "polling.received"

    def _doubled(self) -> list[str]:
        """Streams that the venue sends on two connections."""
        given = Counter(name for each in self._venue.sim.connections for name in each.streams)
        return [name for name, times in given.items() if times > 1]

    def _is_routed(self) -> bool:
        """Whether each stream comes by the way that the settings say, and by no other."""
        flags = self._rig.adapter.settings.for_adapter(self._rig.name)
        chosen, health = flags.websocket_symbols, self._rig.adapter.health()
        due = {Mode.WEBSOCKET.value} if flags.websocket_enabled else set()
        for stream in health.streams:
            streamed = flags.websocket_enabled and (not chosen or stream.symbol in chosen)
            mode = Mode.WEBSOCKET if streamed else Mode.POLLING
            if stream.mode is not mode or stream.state not in SERVED:
                return False
            due.add(mode.value)
        states = {session.name: session.state for session in health.sessions}
        return states == dict.fromkeys(due, ConnectionState.READY)

    def _is_newest(self, key: StreamKey) -> bool:
        rig, market = self._rig, self._venue.sim.market
        if key.channel is Channel.TICK:
            tick = rig.engine.get_tick(f"{key.symbol}.{rig.venue.exchange.value}")
            day = market.day(key.symbol)
            newest = (*self._venue.newest(key.symbol), day.close_e8 / 1e8, day.volume_e8 / 1e8)
            told = tick and (tick.bid_price_1, tick.ask_price_1, tick.last_price, tick.volume)
            return told == newest
        if key.channel is Channel.TRADE:
            return self._tape(key.symbol)[-1:] == [market.trades(key.symbol)[-1].trade_id]
        bars = [bar for bar in rig.log.of(EVENT_BAR) if isinstance(bar, BarData)]
        last = next((bar for bar in reversed(bars) if bar.symbol == key.symbol), None)
        true = market.bar(key.symbol, key.detail, market.now_ms(key.symbol))
        told = last and (last.close_price, last.volume, last.datetime.timestamp() * 1e3)
        return told == (true.close_e8 / 1e8, true.volume_e8 / 1e8, true.start_ms)

    def _tape(self, symbol: str) -> list[int]:
        """The numbers of the trades of a symbol, as they were told."""
        told = [t for t in self._rig.log.of(EVENT_MARKET_TRADE) if isinstance(t, MarketTradeData)]
        return [int(trade.tradeid) for trade in told if trade.symbol == symbol]

    def _check_tape(self) -> None:
        """What was wanted all the time is told once, and never goes back."""
        symbol = self._plan.anchor[0].symbol
        tape = self._tape(symbol)
        assert tape, f"no trade of {symbol} was told"
        assert tape == sorted(set(tape)), f"trades of {symbol} were told twice or late"

    def _check_books(self) -> None:
        """What came in is delivered or counted, to the last event."""
        rig = self._rig
        rig.adapter.close()
        eventually(self._balanced, f"the engine's books balance: {rig.engine.health().engine}")
        engine = rig.engine.health().engine
        lost = engine.dropped, engine.handler_errors
        assert lost == (0, 0), f"something was lost: {engine}"
        names = set(FeedCounters.NAMES) - {"received"}
        accounted = sum(rig.fact(f"websocket.{name}") for name in names)
        kinds = (EVENT_TICK, EVENT_DEPTH, EVENT_MARKET_TRADE, EVENT_BAR)
        events = sum(len(rig.log.of(kind)) for kind in kinds) + engine.conflated
        told = rig.fact("websocket.received") - accounted
        assert 0 <= told <= events, f"{told} frames made events, {events} events there were"

    def _check_errors(self) -> None:
        """What went wrong, went wrong at the venue."""
        texts = [error.text for error in self._rig.adapter.health().errors]
        crashes = [text for text in texts if CRASH.match(text)]
        assert not crashes, f"the product crashed: {crashes}"

    def _balanced(self) -> bool:
        engine = self._rig.engine.health().engine
        return engine.received == engine.delivered + engine.conflated + engine.dropped
