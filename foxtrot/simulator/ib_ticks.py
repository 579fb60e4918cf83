"""What TWS sends of one contract: quotes, books, prints and bars of five seconds, as messages.

Pure: a feed is told each step of the market and returns what is to be sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from foxtrot.simulator.history import Bar
from foxtrot.simulator.ib_listings import IbContract
from foxtrot.simulator.ib_wire import encode
from foxtrot.simulator.listings import E8
from foxtrot.simulator.market import Market, Quote, Step, Trade

BAR_S = 5
_BBO_EXCHANGE, _SNAPSHOT_PERMISSIONS = "9c0001", 3
_ATTRIBUTES = 1
_LIVE = {
    "bid": (1, 0),
    "ask": (2, 3),
    "last": (4, 5),
    "high": (6, -1),
    "low": (7, -1),
    "close": (9, -1),
    "open": (14, -1),
    "volume": (-1, 8),
    "stamp": (45, -1),
}
"""Numbers of the ticks: of the price, and of the size that follows it."""
_DELAYED = {
    "bid": (66, 69),
    "ask": (67, 70),
    "last": (68, 71),
    "high": (72, -1),
    "low": (73, -1),
    "close": (75, -1),
    "open": (76, -1),
    "volume": (-1, 74),
    "stamp": (88, -1),
}
_RT_VOLUME = 48
LIVE, DELAYED = 1, 3
_INSERT, _UPDATE, _DELETE = range(3)

Levels = list[tuple[int, int]]
"""Price and quantity of the rows of one side, best first."""


def price(value_e8: int) -> float:
    """A price as it is told."""
    return value_e8 / E8


def size(value_e8: int) -> str:
    """A size as it is told: a decimal without an end of noughts."""
    return f"{value_e8 / E8:.8f}".rstrip("0").rstrip(".")


class Feed(Protocol):
    """The messages of one stream."""

    def begin(self) -> list[bytes]:
        """What comes first."""

    def step(self, step: Step) -> list[bytes]:
        """What a step of the market makes of it."""


class Quotes:
    """reqMktData: best bid and ask, the last print, and the statistics of the day.

    Args:
        req_id: Id of the request.
        contract: Of which contract; an index has no bid and ask, a currency pair no prints.
        market: Where it is traded.
        market_data_type: 1 live, 3 delayed.
        generic: Numbers of further ticks that were asked for; 233 is honoured.
    """

    def __init__(
        self,
        req_id: int,
        contract: IbContract,
        market: Market,
        *,
        market_data_type: int = LIVE,
        generic: str = "",
    ) -> None:
        self._id, self._contract, self._market = req_id, contract, market
        self._type = market_data_type
        self._numbers = _LIVE if market_data_type == LIVE else _DELAYED
        self._quoted = contract.sec_type != "IND"
        self._traded = contract.sec_type != "CASH"
        self._rt_volume = "233" in generic.split(",")
        self._before: Quote | None = None
        self._extremes: dict[str, int] = {}

    def begin(self) -> list[bytes]:
        """All that is known."""
        name = self._contract.name
        day, trades = self._market.day(name), self._market.trades(name)
        messages = [
            encode(58, 1, self._id, self._type),
            encode(81, self._id, self._contract.min_tick, _BBO_EXCHANGE, _SNAPSHOT_PERMISSIONS),
            *self._quote(self._market.quote(name)),
        ]
        if self._traded:
            if trades:
                messages.extend(self._print(trades[-1]))
            else:
                messages.append(self._price("last", day.close_e8, 0))
            messages.extend(self._day(day))
            messages.extend(self._price(field, day.open_e8, 0) for field in ("open", "close"))
        return messages

    def step(self, step: Step) -> list[bytes]:
        """What changed of the quote, and the last print with what it makes of the day."""
        messages = list(self._quote(self._market.quote(step.symbol)))
        if self._traded and step.trades:
            messages.extend(self._print(step.trades[-1]))
            messages.extend(self._day(self._market.day(step.symbol)))
            if self._rt_volume:
                messages.extend(self._tape(trade) for trade in step.trades)
        return messages

    def _quote(self, quote: Quote) -> Iterator[bytes]:
        """A price comes with its size, and the size once more alone; else only the size."""
        before, self._before = self._before, quote
        if not self._quoted:
            return
        for field, value, amount, old_value, old_amount in (
            (
                "bid",
                quote.bid_e8,
                quote.bid_quantity_e8,
                before and before.bid_e8,
                before and before.bid_quantity_e8,
            ),
            (
                "ask",
                quote.ask_e8,
                quote.ask_quantity_e8,
                before and before.ask_e8,
                before and before.ask_quantity_e8,
            ),
        ):
            if value != old_value:
                yield self._price(field, value, amount)
            if value != old_value or amount != old_amount:
                yield self._size(field, amount)

    def _print(self, trade: Trade) -> Iterator[bytes]:
        yield encode(46, 6, self._id, self._numbers["stamp"][0], str(trade.time_ms // 1_000))
        yield self._price("last", trade.price_e8, trade.quantity_e8)
        yield self._size("last", trade.quantity_e8)

    def _day(self, day: Bar) -> Iterator[bytes]:
        """The volume of the day; its high and low only when they have moved."""
        yield self._size("volume", day.volume_e8)
        for field, value in (("high", day.high_e8), ("low", day.low_e8)):
            if self._extremes.get(field) != value:
                self._extremes[field] = value
                yield self._price(field, value, 0)

    def _tape(self, trade: Trade) -> bytes:
        volume = size(self._market.day(self._contract.name).volume_e8)
        facts = (price(trade.price_e8), size(trade.quantity_e8), trade.time_ms, volume)
        text = ";".join(str(fact) for fact in (*facts, price(trade.price_e8), "true"))
        return encode(46, 6, self._id, _RT_VOLUME, text)

    def _price(self, field: str, value_e8: int, amount_e8: int) -> bytes:
        number = self._numbers[field][0]
        amount = size(amount_e8)
        return encode(1, 6, self._id, number, price(value_e8), amount, _ATTRIBUTES)

    def _size(self, field: str, amount_e8: int) -> bytes:
        return encode(2, 6, self._id, self._numbers[field][1], size(amount_e8))


class Depth:
    """reqMktDepth: the rows of the book; each change is an insert, an update or a delete.

    Args:
        req_id: Id of the request.
        contract: Of which contract.
        market: Where it is traded.
        rows: How many a side.
        maker: Who stands there, told in every row of a smart book; None for one exchange's own.
    """

    def __init__(
        self, req_id: int, contract: IbContract, market: Market, rows: int, maker: str | None
    ) -> None:
        self._id, self._name, self._market = req_id, contract.name, market
        self._rows, self._maker = max(1, rows), maker
        self._sides: dict[int, Levels] = {0: [], 1: []}

    def begin(self) -> list[bytes]:
        """Every row."""
        return self._changes()

    def step(self, step: Step) -> list[bytes]:
        """The rows that changed."""
        return self._changes()

    def _changes(self) -> list[bytes]:
        book = self._market.book(self._name, self._rows)
        messages: list[bytes] = []
        for side, levels in ((1, list(book.bids)), (0, list(book.asks))):
            messages.extend(self._side(side, self._sides[side], levels))
            self._sides[side] = levels
        return messages

    def _side(self, side: int, old: Levels, new: Levels) -> Iterator[bytes]:
        """Rows are brought up to date in their place; the last one leaves and comes anew.

        So it makes no difference whether a client moves the rows below an insert, as the API's
        reference has it, or puts a row in the place of what was there, as some clients do.
        """
        for position, level in enumerate(new):
            if position >= len(old):
                yield self._row(position, _INSERT, side, *level)
            elif old[position] == level:
                continue
            elif position < len(old) - 1:
                yield self._row(position, _UPDATE, side, *level)
            else:
                yield self._row(position, _DELETE, side, 0, 0)
                yield self._row(position, _INSERT, side, *level)

    def _row(self, position: int, operation: int, side: int, at_e8: int, amount_e8: int) -> bytes:
        end = (operation, side, price(at_e8), size(amount_e8))
        if self._maker is None:
            return encode(12, 1, self._id, position, *end)
        return encode(13, 1, self._id, position, self._maker, *end, True)


class Prints:
    """reqTickByTickData: every print (`Last`, `AllLast`), or every quote (`BidAsk`, `MidPoint`).

    Args:
        req_id: Id of the request.
        contract: Of which contract.
        market: Where it is traded.
        tick_type: One of the four.
        ignore_size: Whether a quote of the same prices is left out.
    """

    def __init__(
        self,
        req_id: int,
        contract: IbContract,
        market: Market,
        tick_type: str,
        *,
        ignore_size: bool,
    ) -> None:
        self._id, self._contract, self._market = req_id, contract, market
        self._type, self._ignore_size = tick_type, ignore_size
        self._before: tuple[int, ...] = ()

    def begin(self) -> list[bytes]:
        """The quote as it stands; of prints, nothing."""
        name = self._contract.name
        return self._quote(self._market.quote(name), self._market.now_ms(name))

    def step(self, step: Step) -> list[bytes]:
        """What the step brought."""
        if self._type in ("Last", "AllLast"):
            return [self._print(trade) for trade in step.trades]
        return self._quote(self._market.quote(step.symbol), step.time_ms)

    def _print(self, trade: Trade) -> bytes:
        number = 1 if self._type == "Last" else 2
        exchange = self._contract.primary_exchange or self._contract.exchange
        facts = (trade.time_ms // 1_000, price(trade.price_e8), size(trade.quantity_e8))
        return encode(99, self._id, number, *facts, 0, exchange, "")

    def _quote(self, quote: Quote, now_ms: int) -> list[bytes]:
        prices = (quote.bid_e8, quote.ask_e8)
        amounts = (quote.bid_quantity_e8, quote.ask_quantity_e8)
        now = prices if self._ignore_size or self._type == "MidPoint" else prices + amounts
        if now == self._before or self._type in ("Last", "AllLast"):
            return []
        self._before = now
        head = (99, self._id)
        if self._type == "MidPoint":
            return [encode(*head, 4, now_ms // 1_000, price(sum(prices)) / 2)]
        shown = [size(amount) for amount in amounts]
        return [encode(*head, 3, now_ms // 1_000, *map(price, prices), *shown, 0)]


class RealTimeBars:
    """reqRealTimeBars: a bar of five seconds, when it is over.

    Args:
        req_id: Id of the request.
        contract: Of which contract.
        market: Where it is traded.
        what: TRADES, BID, ASK or MIDPOINT.
    """

    def __init__(self, req_id: int, contract: IbContract, market: Market, what: str) -> None:
        self._id, self._name, self._market, self._what = req_id, contract.name, market, what
        self._begins_s = 0
        self._prices: list[float] = []
        self._volume_e8 = self._worth_e8 = self._count = 0

    def begin(self) -> list[bytes]:
        """Nothing; the first bar begins with the request."""
        self._open(self._market.now_ms(self._name))
        return []

    def step(self, step: Step) -> list[bytes]:
        """The bar that is over, if this step begins another."""
        over = []
        if step.time_ms // 1_000 >= self._begins_s + BAR_S:
            over.append(self.bar())
            self._open(step.time_ms)
        self._add(step)
        return over

    def bar(self) -> bytes:
        """The bar as it stands."""
        prices = self._prices
        shape = (prices[0], max(prices), min(prices), prices[-1])
        average = self._worth_e8 / self._volume_e8 if self._volume_e8 else prices[-1]
        if self._what != "TRADES":
            return encode(50, 3, self._id, self._begins_s, *shape, "-1", -1.0, -1)
        volume = size(self._volume_e8)
        return encode(50, 3, self._id, self._begins_s, *shape, volume, average, self._count)

    def _open(self, now_ms: int) -> None:
        self._begins_s = now_ms // 1_000 // BAR_S * BAR_S
        self._prices = self._prices[-1:] or [self._now()]
        self._volume_e8 = self._worth_e8 = self._count = 0

    def _now(self) -> float:
        quote = self._market.quote(self._name)
        if self._what == "BID":
            return price(quote.bid_e8)
        if self._what == "ASK":
            return price(quote.ask_e8)
        if self._what == "MIDPOINT":
            return price(quote.bid_e8 + quote.ask_e8) / 2
        trades = self._market.trades(self._name)
        return price(trades[-1].price_e8 if trades else quote.bid_e8)

    def _add(self, step: Step) -> None:
        if self._what != "TRADES":
            self._prices.append(self._now())
            return
        for trade in step.trades:
            self._prices.append(price(trade.price_e8))
            self._volume_e8 += trade.quantity_e8
            self._worth_e8 += trade.price_e8 * trade.quantity_e8 // E8
            self._count += 1
