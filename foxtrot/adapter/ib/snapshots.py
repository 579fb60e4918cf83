"""What a contract looks like at one moment: a snapshot, and its rows put together."""

from __future__ import annotations

from collections.abc import Iterable

from foxtrot.adapter.ib import mapping
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.mapping import ASK, BID, LAST
from foxtrot.adapter.ib.sdk import RawClient
from foxtrot.adapter.ib.slots import Quoted
from foxtrot.model.objects import NO_STATISTICS, NS_PER_S, DayStatistics, Source, TickData

_KINDS = (1, 2, 4)
"""The types of a bid, an ask and a last price, as `Quoted` has them."""

ANSWER_S = 12.0
"""A snapshot ends after 11 s at the latest. Source: TWS API documents, "Market Data: Snapshots"."""


async def ask_snapshot(client: IbClient, instrument: Instrument) -> list[object]:
    """The rows of a snapshot, for `Snapshot`.

    Raises:
        VenueError: TWS refuses it, or does not answer.
        ConnectionClosed: The connection was lost.
    """

    def send(raw: RawClient, number: int) -> None:
        raw.reqMktData(number, instrument.contract, "", True, False, [])

    def cancel(raw: RawClient, number: int) -> None:
        raw.cancelMktData(number)

    return await client.ask("snapshot", send, timeout_s=ANSWER_S, cancel=cancel)


class Snapshot:
    """One snapshot.

    A row is what a callback has after the id: type, price and size; type and size; type and text.

    Args:
        rows: As TWS sent them.
        lowest: The bound that prices are above; see `mapping.lowest_price`.
    """

    def __init__(self, rows: Iterable[object], lowest: float) -> None:
        self.bad = ""
        """Why its numbers cannot be believed; empty if they can."""
        self.event_ns = 0
        self._lowest = lowest
        self._prices: dict[int, float] = {}
        self._sizes: dict[int, float] = {}
        self._day = [0.0] * len(NO_STATISTICS.__struct_fields__)
        for row in rows:
            self._take(row)

    @classmethod
    def told(cls, quoted: Quoted, lowest: float) -> Snapshot:
        """That which a stream told; a price that it has not told yet is none of it."""
        prices, sizes = quoted[::2], quoted[1::2]
        rows = zip(_KINDS, prices, sizes, strict=True)
        return cls([row for row in rows if row[1]], lowest)

    def __bool__(self) -> bool:
        """Whether it says anything of the market."""
        return bool(self._prices)

    def quoted(self, told: Quoted = (0.0,) * 6) -> Quoted:
        """What was `told`, with what the snapshot says laid over it."""
        parts: list[float] = []
        for what in (BID, ASK, LAST):
            parts.append(self._prices.get(what, told[2 * what]))
            parts.append(self._sizes.get(what, told[2 * what + 1]))
        return parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]

    def tick(self, source: Source, recv_ns: int) -> TickData:
        """It as a tick."""
        bid, bid_volume, ask, ask_volume, last, last_volume = self.quoted()
        return TickData(
            source, self.event_ns, recv_ns, last, last_volume,
            bid, bid_volume, ask, ask_volume, DayStatistics(*self._day),
        )  # fmt: skip

    def _take(self, row: object) -> None:
        match row:
            case (int(kind), float(price), float(size)):
                self._take_price(kind, price, size)
            case (int(kind), float(size)):
                self._take_size(kind, size)
            case (int(kind), str(text)) if kind in mapping.LAST_TIMES and text.isdecimal():
                if not mapping.bad_time(int(text)):
                    self.event_ns = int(text) * NS_PER_S

    def _take_price(self, kind: int, price: float, size: float) -> None:
        none = mapping.is_none(price, size)
        self.bad = self.bad or ("" if none else mapping.bad_price(price, size, self._lowest))
        if kind in mapping.PRICES and not (none and mapping.PRICES[kind] == LAST):
            what = mapping.PRICES[kind]
            self._prices[what], self._sizes[what] = 0.0 if none else price, size
        elif kind in mapping.DAY_PRICES and not none:
            self._day[mapping.DAY_PRICES[kind]] = price

    def _take_size(self, kind: int, size: float) -> None:
        if kind in mapping.SIZES:
            self.bad = self.bad or mapping.bad_size(size)
            self._sizes[mapping.SIZES[kind]] = size
        elif kind in mapping.DAY_SIZES:
            self.bad = self.bad or mapping.bad_size(size)
            self._day[mapping.DAY_SIZES[kind]] = size
