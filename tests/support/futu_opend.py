"""An OpenD in memory, for the sessions of market data: it keeps the rules of subscriptions."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from foxtrot.adapter.futu.errors import error_of
from foxtrot.adapter.futu.instruments import Instrument
from foxtrot.adapter.futu.schema import Proto, s2c_of
from foxtrot.adapter.futu.session import FutuSession, Venue
from foxtrot.adapter.futu.settings import FutuSettings
from foxtrot.adapter.futu.slots import Marks
from foxtrot.adapter.futu.symbols import parse
from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import FoxtrotError, UnknownSymbol, VenueUnavailable
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Environment, Exchange, Interval, Lane
from foxtrot.model.events import EVENT_TICK, Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import Source, TickData
from foxtrot.model.requests import SubscribeRequest
from foxtrot.simulator.futu_limits import FutuLimits, Refused
from foxtrot.simulator.futu_subscriptions import Subscriptions
from tests.support.clock import ManualClock
from tests.support.futu_feed import AT_S, as_read, bars, book, prints, quote
from tests.support.virtual_time import VirtualLoop, run_virtually

S = TypeVar("S", bound=FutuSession)

CONFIG = StreamConfig(polling_interval_s=1.0, stream_idle_s=10.0, stream_look_s=1.0)
_ME = 1


def key(code: str = "00700", channel: Channel = Channel.TICK) -> StreamKey:
    """A stream of Hong Kong; of bars, those of a minute."""
    detail = Interval.MINUTE.value if channel is Channel.BAR else ""
    return StreamKey(channel, code, Exchange.SEHK, detail)


class Opend:
    """Stands for a connection and for what is behind it.

    Attributes:
        asked: Every question, with what it asks.
        last: The last price of everything.
        volume: Of the day.
        touch: Best bid and ask of everything.
        pushes: Whether quotes are pushed when a stream begins.
        mute: Questions that are never answered.
        refusals: What it says to subscriptions and snapshots of a code.
        no_books: What it says to subscriptions of books; empty if the user may see them.
        pushed: Code and SubType of what is pushed now.
    """

    def __init__(self, quota: int = 100) -> None:
        self.asked: list[tuple[Proto, Any]] = []
        self.asked_of_quota: list[tuple[Proto, Any]] = []
        self.quota = quota
        self.last, self.volume = 612.0, 1_000
        self.touch = 611.5, 612.0
        self.pushes = True
        self.mute: set[Proto] = set()
        self.refusals: dict[str, str] = {}
        self.no_books = ""
        self.pushed: set[tuple[str, int]] = set()
        self.book = Subscriptions(FutuLimits(subscriptions=quota))
        self.events: list[Event] = []
        self.errors: list[FoxtrotError] = []
        self.reports: list[tuple[str, str, str]] = []
        self.sinks: dict[Proto, Callable[[Any], None]] = {}
        self.unreadable: Callable[[str], None] = print
        self.received = 0
        self.lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.marks = Marks()
        self.wanted: dict[StreamKey, SubscribeRequest] = {}
        self._port = SimpleNamespace(
            stream_config=CONFIG,
            event_engine=SimpleNamespace(put=self.events.append),
            on_error=self.errors.append,
            request_of=self.wanted.get,
            on_tick=self._on_tick,
            clock=ManualClock(time_ns=int(AT_S + 150) * 1_000_000_000),
        )

    @functools.cached_property
    def venue(self) -> Venue:
        """What sessions share, around this OpenD."""
        shared = SimpleNamespace(
            name="FUTU",
            settings=FutuSettings(Environment.SIMULATED),
            contracts=self,
            marks=self.marks,
            port=self._port,
            config=CONFIG,
            new_client=lambda: self,
            forget_if_unwanted=self.marks.forget,
            quota=None,
        )
        return cast("Venue", shared)

    # -- the contracts and the connection ----------------------------------------------------

    async def resolve_all(
        self, _client: object, names: Iterable[tuple[str, Exchange]]
    ) -> dict[tuple[str, Exchange], object]:
        """See `Contracts`."""
        return {name: _instrument(*name) for name in names}

    async def open(self) -> None:
        """See `FutuClient`, like the next four."""

    async def close(self) -> None:
        """The connection ends."""
        if not self.lost.done():
            self.lost.set_result(VenueUnavailable("FUTU", "", "closed"))

    def on_push(self, proto: Proto, sink: Callable[[Any], None]) -> None:
        """Who takes a push."""
        self.sinks[proto] = sink

    async def ask(self, proto: Proto, c2s: Any, *, timeout_s: float | None = None) -> Any:
        """Ask a question; those about quotas come by the clock, and are kept apart."""
        of_quota = proto is Proto.Qot_RequestHistoryKLQuota or getattr(c2s, "isReqAllConn", False)
        (self.asked_of_quota if of_quota else self.asked).append((proto, c2s))
        await asyncio.sleep(0.001)
        if proto in self.mute:
            await asyncio.sleep(timeout_s or 10.0)
            raise VenueUnavailable("FUTU", "", f"{proto.name} was not answered")
        s2c = s2c_of(proto)
        try:
            _ANSWERS[proto](self, c2s, s2c)
        except Refused as refused:
            raise error_of("FUTU", proto, -1, 0, str(refused)) from None
        self.received += 1
        return s2c

    # -- what it does -------------------------------------------------------------------------

    def subscribe(self, c2s: Any, _s2c: Any) -> None:
        """All that is named, or nothing."""
        codes = [security.code for security in c2s.securityList]
        keys = list(itertools.product(codes, c2s.subTypeList))
        now = asyncio.get_running_loop().time()
        if not c2s.isSubOrUnSub:
            self.book.remove(_ME, keys, now)
            self.pushed -= set(keys)
            return
        self._refuse(codes)
        if self.no_books and 2 in c2s.subTypeList:
            raise Refused(self.no_books)
        self.book.add(_ME, keys, now)
        if not c2s.isRegOrUnRegPush:
            return
        self.pushed |= set(keys)
        if self.pushes and 1 in c2s.subTypeList:
            for code in codes:
                asyncio.get_running_loop().call_soon(self.push, code)

    def register(self, c2s: Any, _s2c: Any) -> None:
        """Pushes begin, or end."""
        keys = set(itertools.product([each.code for each in c2s.securityList], c2s.subTypeList))
        self.pushed = self.pushed | keys if c2s.isRegOrUnReg else self.pushed - keys

    def tell_held(self, _c2s: Any, s2c: Any) -> None:
        """What is subscribed, and what of the quota is left."""
        held = len(self.book.held(_ME))
        s2c.totalUsedQuota, s2c.remainQuota = held, self.quota - held
        row = s2c.connSubInfoList.add(usedQuota=0, isOwnConnData=True)
        for code, sub_type in self.book.held(_ME):
            info = row.subInfoList.add(subType=sub_type)
            info.securityList.add(market=1, code=code)

    def tell_history_quota(self, _c2s: Any, s2c: Any) -> None:
        """Nobody has asked for the past."""
        s2c.usedQuota, s2c.remainQuota = 0, self.quota

    def tell_snapshots(self, c2s: Any, s2c: Any) -> None:
        """What contracts look like now."""
        codes = [security.code for security in c2s.securityList]
        self._refuse(codes)
        for code in codes:
            basic = s2c.snapshotList.add().basic
            basic.security.market, basic.security.code = 1, code
            basic.curPrice, basic.volume, basic.turnover = self.last, self.volume, 5e5
            basic.bidPrice, basic.askPrice = self.touch
            basic.bidVol, basic.askVol = 100, 200
            basic.updateTimestamp = AT_S

    def tell_prints(self, _c2s: Any, s2c: Any) -> None:
        """The tape: the three newest prints."""
        for item in prints((1, 612.0, 0), (2, 612.0, 1), (3, 612.0, 2), data_type=3).tickerList:
            s2c.tickerList.add().ParseFromString(item.SerializeToString())

    def tell_bars(self, c2s: Any, s2c: Any) -> None:
        """Those of the last minutes."""
        rows = bars(*((minute, 612.0) for minute in range(1, c2s.reqNum + 1))).klList
        for row in rows:
            s2c.klList.add().ParseFromString(row.SerializeToString())

    def push(self, code: str = "00700") -> None:
        """Push a quote, if it is subscribed."""
        if (code, 1) in self.pushed:
            told = quote(self.last, volume=self.volume, code=code, at_s=self._now_s())
            self.sinks[Proto.Qot_UpdateBasicQot](told)

    def push_book(self, code: str = "00700") -> None:
        """Push a book, if it is subscribed."""
        if (code, 2) in self.pushed:
            (bid, ask), at_s = self.touch, self._now_s()
            told = as_read(book([(bid, 100)], [(ask, 200)], at_s=at_s, code=code))
            self.sinks[Proto.Qot_UpdateOrderBook](told)

    def servers(self, *, up: bool) -> None:
        """Say that Futu's servers of quotes are lost, or are there again."""
        told: Any = s2c_of(Proto.Notify)
        told.connectStatus.qotLogined, told.connectStatus.trdLogined = up, True
        self.sinks[Proto.Notify](told)

    def rights(self) -> None:
        """Say that the user's rights to quotes have changed."""
        told: Any = s2c_of(Proto.Notify)
        told.qotRight.hkQotRight = 1
        self.sinks[Proto.Notify](told)

    def forget(self) -> None:
        """Forget every subscription, and tell nobody."""
        self.book.drop(_ME, asyncio.get_running_loop().time())
        self.pushed.clear()

    # -- what a test looks at -----------------------------------------------------------------

    def kinds(self) -> Counter[Proto]:
        """How often each kind of question came."""
        return Counter(proto for proto, _ in self.asked)

    def ticks(self) -> list[TickData]:
        """The ticks that were told."""
        return [event.data for event in self.events if isinstance(event.data, TickData)]

    def states(self, stream: StreamKey) -> list[str]:
        """What was reported of a stream; saying the same again is no news."""
        states = [state for name, state, _ in self.reports if name == str(stream)]
        return [state for state, _ in itertools.groupby(states)]

    def _refuse(self, codes: list[str]) -> None:
        for code in codes:
            if code in self.refusals:
                raise Refused(self.refusals[code])

    def _on_tick(self, tick: TickData, lane: Lane = Lane.LATEST) -> None:
        self.events.append(Event(EVENT_TICK, tick, "", lane))

    def _now_s(self) -> float:
        return AT_S + asyncio.get_running_loop().time()


_ANSWERS: dict[Proto, Callable[[Opend, Any, Any], None]] = {
    Proto.Qot_Sub: Opend.subscribe,
    Proto.Qot_RegQotPush: Opend.register,
    Proto.Qot_GetSubInfo: Opend.tell_held,
    Proto.Qot_RequestHistoryKLQuota: Opend.tell_history_quota,
    Proto.Qot_GetSecuritySnapshot: Opend.tell_snapshots,
    Proto.Qot_GetTicker: Opend.tell_prints,
    Proto.Qot_GetKL: Opend.tell_bars,
}


def played(
    kind: Callable[[Venue, FeedCounters], S],
    play: Callable[[Opend, S], Awaitable[None]],
    quota: int = 100,
) -> FeedCounters:
    """Run a play with an open session, in virtual time; returns what was counted."""
    counters = FeedCounters()

    async def run() -> None:
        opend = Opend(quota)
        session = kind(opend.venue, counters)
        session.report = lambda stream, state, reason: opend.reports.append(
            (str(stream), state.value, reason)
        )
        await session.open()
        running = asyncio.ensure_future(session.run())
        try:
            await play(opend, session)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await session.close()

    run_virtually(run(), VirtualLoop())
    return counters


def _instrument(symbol: str, exchange: Exchange) -> object:
    if symbol == "99999":
        return UnknownSymbol("FUTU", "", "未知股票 99999")
    source = Source.of(symbol, exchange, "FUTU")
    data = SimpleNamespace(symbol=symbol, exchange=exchange)
    return Instrument(parse(symbol, exchange), cast("Any", data), source, 100, 0.5, exchange)
