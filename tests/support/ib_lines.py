"""A TWS in memory, for the sessions of market data: it takes the SDK's messages and says things."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from foxtrot.adapter.ib.client import FIRST_REQUEST_ID, IbClient, RawClient, sdk
from foxtrot.adapter.ib.errors import ends_request
from foxtrot.adapter.ib.inbox import Inbox
from foxtrot.adapter.ib.instruments import instrument
from foxtrot.adapter.ib.limits import IbPaceManager
from foxtrot.adapter.ib.requests import Requests
from foxtrot.adapter.ib.session import Venue
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.adapter.ib.slots import Marks
from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import FoxtrotError, UnknownSymbol, VenueUnavailable
from foxtrot.model.constants import Channel, Environment, Exchange, Interval, Lane
from foxtrot.model.events import Event
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import TickData
from foxtrot.model.requests import SubscribeRequest
from tests.support.clock import ManualClock
from tests.support.ib_answers import details
from tests.support.ib_door import frame
from tests.support.ib_feed import AT_S, price, size

CONFIG = StreamConfig(polling_interval_s=1.0)
TICK, CANCEL_TICK, DEPTH, CANCEL_DEPTH, BARS, CANCEL_BARS, PRINTS, CANCEL_PRINTS = (
    "1", "2", "10", "11", "20", "25", "97", "98"
)  # fmt: skip
_NUMBER_AT = {TICK: 2, DEPTH: 2, BARS: 1, PRINTS: 1, CANCEL_TICK: 2, CANCEL_DEPTH: 2}
_ANY = range(1_000)


def key(symbol: str = "AAPL-USD-STK", channel: Channel = Channel.TICK) -> StreamKey:
    """A stream; of bars, those of a minute."""
    detail = Interval.MINUTE.value if channel is Channel.BAR else ""
    return StreamKey(channel, symbol, Exchange.SMART, detail)


class Tws:
    """Stands for a connection and for what is behind it.

    Attributes:
        asked: Every message that came, as its fields.
        bid: What the market looks like; a stream tells it when it begins, a snapshot always.
        last: What was traded last; nothing if 0.
        silent: Streams begin without a word, and nothing is refused.
        refusals: By message id: the code that refuses it.
    """

    def __init__(self, config: StreamConfig = CONFIG) -> None:
        self.asked: list[list[str]] = []
        self.bid = 10.0
        self.last = 0.0
        self.silent = False
        self.refusals: dict[str, int] = {}
        self.events: list[Event] = []
        self.errors: list[FoxtrotError] = []
        self.reports: list[tuple[str, str, str]] = []
        self.requests = Requests("IB")
        self.inbox = Inbox("IB", self.requests, lambda *_: None)
        self.lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.raw = cast("Any", sdk().Client(self.inbox))
        self.raw.connState, self.raw._apiReady, self.raw.MaxRequests = 2, True, 0
        self.raw._serverVersion = self.raw.decoder.serverVersion = 176
        self.raw.conn.sendMsg = self._take
        self.raw.decoder.logger = self.inbox.decoder_log
        self.read: Callable[[bytes], None] = self.raw._onSocketHasData
        self.received = 0
        self._number = FIRST_REQUEST_ID
        self.port = _Port(self, config)
        self.wanted: dict[StreamKey, SubscribeRequest] = {}

    @property
    def venue(self) -> Venue:
        """What sessions share, around this TWS."""
        shared = SimpleNamespace(
            name="IB",
            settings=IbSettings(Environment.PAPER, "127.0.0.1", 7497),
            contracts=self,
            marks=self.port.marks,
            port=self.port,
            pace=IbPaceManager("127.0.0.1:7497"),
            pool=self,
            config=self.port.stream_config,
            forget_if_unwanted=lambda key: None,
        )
        return cast("Venue", shared)

    # -- the pool, the contracts and the connection ------------------------------------------

    async def take(self, *_: object) -> IbClient:
        """See `IbConnectionPool`, like the next."""
        return cast("IbClient", self)

    async def give_back(self, *_: object) -> None:
        """The connection is closed."""
        if not self.lost.done():
            self.lost.set_result(VenueUnavailable("IB", "", "closed"))

    async def resolve(self, _client: object, symbol: str, exchange: Exchange) -> object:
        """See `Contracts`."""
        if symbol.startswith("NONE"):
            raise UnknownSymbol("IB", "200", f"no such contract: {symbol}")
        return instrument("IB", (symbol, exchange), details(abs(hash(symbol)) % 10**6, symbol))

    def new_request_id(self) -> int:
        """See `IbClient`, like the next two."""
        self._number += 1
        return self._number

    async def tell(self, send: Callable[[RawClient], None], *, order: bool = False) -> None:
        """Send one message."""
        await asyncio.sleep(0)
        send(self.raw)

    async def ask(
        self,
        what: str,
        send: Callable[[RawClient, int], None],
        *,
        timeout_s: float | None = None,
        cancel: Callable[[RawClient, int], None] | None = None,
    ) -> list[object]:
        """Ask a question."""
        number = self.new_request_id()
        question = self.requests.open(number, what)
        try:
            await self.tell(lambda raw: send(raw, number))
            async with asyncio.timeout(timeout_s):
                return await question.done
        except TimeoutError:
            raise VenueUnavailable("IB", "", f"{what} was not answered") from None
        finally:
            self.requests.close(number)

    # -- what it says -----------------------------------------------------------------------

    def say(self, *messages: bytes) -> None:
        """Let these arrive at once."""
        self.received += len(messages)
        self.read(b"".join(messages))

    def notice(self, code: int, text: str = "so TWS says", number: int = -1) -> None:
        """Say an error or a notice."""
        self.say(frame(4, 2, number, code, text, ""))

    def id_of(self, kind: str, nth: int = -1) -> int:
        """The request id of the newest message of that kind."""
        fields = [fields for fields in self.asked if fields[0] == kind][nth]
        return int(fields[_NUMBER_AT.get(kind, 2)])

    def count(self, kind: str, *, snapshots: bool = False) -> int:
        """How often it was asked."""
        asked = [fields for fields in self.asked if fields[0] == kind]
        return sum(kind != TICK or _is_snapshot(fields) is snapshots for fields in asked)

    def ticks(self) -> list[TickData]:
        """The ticks that were told."""
        return [event.data for event in self.events if isinstance(event.data, TickData)]

    def states(self, stream: StreamKey) -> list[str]:
        """What was reported of a stream; saying the same again is no news."""
        states = [state for name, state, _ in self.reports if name == str(stream)]
        return [state for state, _ in itertools.groupby(states)]

    def kinds(self) -> Counter[str]:
        """How often each kind of message came."""
        return Counter(fields[0] for fields in self.asked)

    def _take(self, data: bytes) -> None:
        fields = data[4:-1].decode().split("\0")
        self.asked.append(fields)
        asyncio.get_running_loop().call_soon(self._answer, fields)

    def _answer(self, fields: list[str]) -> None:
        kind = fields[0]
        if kind not in (TICK, DEPTH, BARS, PRINTS) or self.lost.done():
            return
        number = int(fields[_NUMBER_AT[kind]])
        if kind in self.refusals:
            assert ends_request(self.refusals[kind])
            self.notice(self.refusals[kind], "refused", number)
        elif kind == TICK and _is_snapshot(fields):
            self.say(*self.market(number), frame(57, 1, number))
        elif kind == TICK and not self.silent:
            self.say(frame(58, 1, number, 1), *self.market(number))
        elif kind == BARS:
            starts = (AT_S, AT_S + 60)
            rows = [field for start in starts for field in (start, 10, 12, 9, 11, 5, 10.5, 3)]
            self.say(frame(17, number, "", "", len(starts), *rows))

    def market(self, number: int) -> tuple[bytes, ...]:
        """What it looks like now."""
        bid, ask = self.bid, self.bid + 1
        traded = (price(4, self.last, 3, number),) if self.last else ()
        return (
            price(1, bid, 5, number), size(0, 5, number), price(2, ask, 7, number),
            size(3, 7, number), *traded,
        )  # fmt: skip


class _Port:
    """The part of an adapter that its sessions of market data use."""

    def __init__(self, tws: Tws, config: StreamConfig) -> None:
        self._tws = tws
        self.marks = Marks()
        self.stream_config = replace(config)
        self.event_engine = SimpleNamespace(put=tws.events.append)
        self.clock = ManualClock(time_ns=(AT_S + 90) * 1_000_000_000)
        self.on_error = tws.errors.append
        self.on_bar = lambda bar: tws.events.append(Event("eBar.", bar))

    def request_of(self, stream: StreamKey) -> SubscribeRequest | None:
        """The request behind a stream."""
        return self._tws.wanted.get(stream)

    def on_tick(self, tick: TickData, lane: Lane = Lane.LATEST) -> None:
        """A polled tick."""
        self._tws.events.append(Event("eTick.", tick, "", lane))


def _is_snapshot(fields: list[str]) -> bool:
    return fields[-3] == "1"
