"""The market data lines of the simulated gateway: who may have which, and until when."""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from foxtrot.errors import UnknownSymbol
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_distortion import Distortion
from foxtrot.simulator.ib_limits import (
    DUPLICATE_ID,
    INVALID,
    NO_SUCH_BOOK,
    NO_SUCH_STREAM,
    NO_TICK_BY_TICK,
    NOT_SUBSCRIBED,
    SHOWN_DELAYED,
    TOO_MANY_BOOKS,
    TOO_MANY_LINES,
    TOO_MANY_PRINTS,
    IbLimits,
    text_of,
)
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.ib_requests import (
    Asked,
    CancelMktData,
    CancelMktDepth,
    CancelRealTimeBars,
    CancelTickByTickData,
    ContractQuery,
    ReqMarketDataType,
    ReqMktData,
    ReqMktDepth,
    ReqMktDepthExchanges,
    ReqRealTimeBars,
    ReqTickByTickData,
)
from foxtrot.simulator.ib_ticks import (
    BAR_S,
    DELAYED,
    LIVE,
    Depth,
    Feed,
    Prints,
    Quotes,
    RealTimeBars,
)
from foxtrot.simulator.ib_wire import encode
from foxtrot.simulator.market import Market, Step

QUOTES, BOOKS, PRINTS, BARS = "market_data", "depth", "tick_by_tick", "real_time_bars"
"""What faults call the channels."""

FARMED = (QUOTES, BOOKS, PRINTS, BARS)
"""Those of the market data farm."""

_TICK_TYPES = ("Last", "AllLast", "BidAsk", "MidPoint")
_SOURCES = ("TRADES", "BID", "ASK", "MIDPOINT")
_DEPTH_EXCHANGES = (("NASDAQ", "STK"), ("ARCA", "STK"), ("BATS", "STK"), ("CME", "FUT"))


class Refused(Exception):
    """A stream that a client cannot have."""

    def __init__(self, code: int, *facts: object) -> None:
        self.code = code
        super().__init__(text_of(code, *facts))


class Stream(msgspec.Struct, frozen=True):
    """One line to one client."""

    connection: Connection
    req_id: int
    contract: IbContract
    channel: str
    feed: Feed

    def send(self, messages: list[bytes]) -> None:
        """Put them on the client's line."""
        if messages:
            self.connection.deliver(b"".join(messages))


class Venue(Protocol):
    """What the streams need of the gateway."""

    faults: FaultBoard
    limits: IbLimits
    market: Market
    universe: Universe

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""


class Streams(Room):
    """The lines of all clients.

    Args:
        venue: Whose market data this is.
    """

    def __init__(self, venue: Venue) -> None:
        self.unsubscribed: set[str] = set()
        """Names of contracts whose live data the user has not paid for."""
        self.cut_off = False
        """Whether the gateway has lost its servers."""
        self._venue = venue
        self._distortion = Distortion(venue.faults)
        self._streams: dict[tuple[int, int], Stream] = {}
        self._types: dict[int, int] = {}
        self._asked_at: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Streams {len(self._streams)}>"

    @property
    def live(self) -> tuple[Stream, ...]:
        """The lines that are open now."""
        return tuple(self._streams.values())

    def handlers(self) -> Handlers:
        """See `Room`, like the next two."""
        return {
            ReqMktData: self._quotes,
            CancelMktData: self._cancel,
            ReqMktDepth: self._depth,
            CancelMktDepth: self._cancel,
            ReqTickByTickData: self._prints,
            CancelTickByTickData: self._cancel,
            ReqRealTimeBars: self._bars,
            CancelRealTimeBars: self._cancel,
            ReqMarketDataType: self._set_type,
            ReqMktDepthExchanges: self._tell_exchanges,
        }

    def left(self, connection: Connection) -> None:
        """Its lines are free again."""
        self._types.pop(connection.number, None)
        for key in [key for key in self._streams if key[0] == connection.number]:
            del self._streams[key]

    def step(self, step: Step) -> None:
        """Tell who listens to this symbol."""
        for stream in self.live:
            if stream.contract.name == step.symbol:
                self._send(stream, stream.feed.step(step))

    def open(self, stream: Stream) -> bool:
        """Begin a line; False if there is none left, and the client is told."""
        try:
            self._admit(stream)
        except Refused as refused:
            stream.connection.error(stream.req_id, refused.code, str(refused))
            return False
        self._streams[stream.connection.number, stream.req_id] = stream
        self._send(stream, stream.feed.begin())
        return True

    def close(self, connection: Connection, req_id: int) -> bool:
        """End a line; whether there was one."""
        return self._streams.pop((connection.number, req_id), None) is not None

    def drop_all(self) -> None:
        """Forget every line, and tell nobody."""
        self._streams.clear()

    def drop_farm(self) -> None:
        """Forget what comes from the market data farm: bars that are kept up to date do not."""
        for key in [key for key, stream in self._streams.items() if stream.channel in FARMED]:
            del self._streams[key]

    # -- requests ---------------------------------------------------------------------------

    def _quotes(self, connection: Connection, request: ReqMktData) -> None:
        contract = self._found(connection, request, request.contract)
        if contract is None:
            return
        data_type = self._permitted(connection, request.req_id, contract)
        if data_type is None:
            return
        feed = Quotes(
            request.req_id,
            contract,
            self._venue.market,
            market_data_type=data_type,
            generic=request.generic_ticks,
        )
        stream = Stream(connection, request.req_id, contract, QUOTES, feed)
        if request.snapshot or request.regulatory_snapshot:
            self._snapshot(stream)
        else:
            self.open(stream)

    def _depth(self, connection: Connection, request: ReqMktDepth) -> None:
        contract = self._found(connection, request, request.contract)
        if contract is None:
            return
        maker = (contract.primary_exchange or contract.exchange) if request.smart else None
        feed = Depth(request.req_id, contract, self._venue.market, request.rows, maker)
        self.open(Stream(connection, request.req_id, contract, BOOKS, feed))

    def _prints(self, connection: Connection, request: ReqTickByTickData) -> None:
        contract = self._found(connection, request, request.contract)
        if contract is None:
            return
        prints = request.tick_type in ("Last", "AllLast")
        without = {"CASH": prints, "IND": not prints}.get(contract.sec_type, False)
        if request.tick_type not in _TICK_TYPES or without:
            connection.error(request.req_id, NO_TICK_BY_TICK, text_of(NO_TICK_BY_TICK))
            return
        feed = Prints(
            request.req_id,
            contract,
            self._venue.market,
            request.tick_type,
            ignore_size=request.ignore_size,
        )
        self.open(Stream(connection, request.req_id, contract, PRINTS, feed))

    def _bars(self, connection: Connection, request: ReqRealTimeBars) -> None:
        contract = self._found(connection, request, request.contract)
        if contract is None:
            return
        if request.bar_size != BAR_S or request.what_to_show not in _SOURCES:
            text = text_of(INVALID, "Real-time bars have 5 seconds of TRADES, BID, ASK or MIDPOINT")
            connection.error(request.req_id, INVALID, text)
            return
        feed = RealTimeBars(request.req_id, contract, self._venue.market, request.what_to_show)
        self.open(Stream(connection, request.req_id, contract, BARS, feed))

    def _cancel(self, connection: Connection, request: Asked) -> None:
        if not self.close(connection, request.req_id):
            code = NO_SUCH_BOOK if isinstance(request, CancelMktDepth) else NO_SUCH_STREAM
            connection.error(request.req_id, code, text_of(code, request.req_id))

    def _set_type(self, connection: Connection, request: ReqMarketDataType) -> None:
        self._types[connection.number] = request.market_data_type

    def _tell_exchanges(self, connection: Connection, _request: ReqMktDepthExchanges) -> None:
        rows = [
            (name, kind, "", "Deep2" if kind == "STK" else "Deep", 2147483647)
            for name, kind in _DEPTH_EXCHANGES
        ]
        connection.send(80, len(rows), *[field for row in rows for field in row])

    # -- inside -----------------------------------------------------------------------------

    def _found(
        self, connection: Connection, request: Asked, query: ContractQuery
    ) -> IbContract | None:
        try:
            contract = self._venue.universe.one(query).contract
        except UnknownSymbol as unknown:
            connection.error(request.req_id, int(unknown.code), unknown.text)
            return None
        self._venue.wake(contract.name)
        return contract

    def _permitted(self, connection: Connection, req_id: int, contract: IbContract) -> int | None:
        """Live data, delayed data, or none and an error."""
        if contract.name not in self.unsubscribed:
            return LIVE
        if self._types.get(connection.number, LIVE) not in (3, 4):
            connection.error(req_id, NOT_SUBSCRIBED, text_of(NOT_SUBSCRIBED))
            return None
        connection.error(req_id, SHOWN_DELAYED, text_of(SHOWN_DELAYED))
        return DELAYED

    def _admit(self, stream: Stream) -> None:
        """Whether there is a line left.

        Raises:
            Refused: With the code that says why not.
        """
        limits, channel = self._venue.limits, stream.channel
        if (stream.connection.number, stream.req_id) in self._streams:
            raise Refused(DUPLICATE_ID)
        if channel in (QUOTES, BARS) and _full(limits.market_lines, self._count(QUOTES, BARS)):
            raise Refused(TOO_MANY_LINES)
        if channel == BOOKS and _full(limits.depth_lines, self._count(BOOKS)):
            raise Refused(TOO_MANY_BOOKS, limits.depth_lines)
        if channel == PRINTS:
            self._admit_prints(stream)

    def _admit_prints(self, stream: Stream) -> None:
        limits, name = self._venue.limits, stream.contract.name
        now_s = asyncio.get_running_loop().time()
        asked_s = self._asked_at.get(name, float("-inf"))
        again = now_s < asked_s + limits.tick_by_tick_again_s
        if again or _full(limits.tick_by_tick_lines, self._count(PRINTS)):
            raise Refused(TOO_MANY_PRINTS)
        self._asked_at[name] = now_s

    def _count(self, *channels: str) -> int:
        return sum(1 for stream in self._streams.values() if stream.channel in channels)

    def _snapshot(self, stream: Stream) -> None:
        """All that is known and an end; of a silent market only the end, when it is time."""
        messages = self._distorted(stream, stream.feed.begin(), snapshot=True)
        end = encode(57, 1, stream.req_id)
        if messages:
            stream.send([*messages, end])
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self._venue.limits.snapshot_s, stream.send, [end])

    def _send(self, stream: Stream, messages: list[bytes]) -> None:
        stream.send(self._distorted(stream, messages))

    def _distorted(
        self, stream: Stream, messages: list[bytes], *, snapshot: bool = False
    ) -> list[bytes]:
        if self.cut_off:
            return []
        name = stream.contract.name
        return self._distortion.messages(name, stream.channel, messages, snapshot=snapshot)


def _full(limit: int | None, count: int) -> bool:
    return limit is not None and count >= limit
