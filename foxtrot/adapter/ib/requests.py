"""Questions to TWS that wait for an answer, and which callbacks answer them. Pure bookkeeping.

TWS answers with rows and an end, or with everything at once. Most questions have an id; some have
none, so that only one of a kind can be under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from foxtrot.errors import FoxtrotError, VenueUnavailable

Enough = Callable[[object], bool]
"""Told a row of an answer; whether no more of them are needed."""

MOST_ROWS = 200_000
"""Of one answer; more is taken for an answer that never ends."""

ROWS = frozenset(
    {
        "contractDetails",
        "historicalData",
        "execDetails",
        "priceSizeTick",
        "tickSize",
        "tickString",
        "tickGeneric",
    }
)
"""Callbacks that bring one row of an answer; the request's id is their first argument.

Ticks are rows of a question for a snapshot; those of a stream, which is no question, are not.
"""

ENDS = frozenset(
    {
        "contractDetailsEnd",
        "historicalDataEnd",
        "execDetailsEnd",
        "tickSnapshotEnd",
    }
)
"""Callbacks that end an answer."""

WHOLE = frozenset({"symbolSamples", "headTimestamp", "historicalSchedule"})
"""Callbacks that bring an answer in one piece."""

PAGES = frozenset({"historicalTicks", "historicalTicksBidAsk", "historicalTicksLast"})
"""Callbacks that bring a list of rows, and say whether it is the last."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "positions": "positions",
        "openOrders": "openOrders",
        "allOpenOrders": "openOrders",
        "completedOrders": "completedOrders",
        "accountUpdates": "accountUpdates",
        "currentTime": "currentTime",
        "nextValidId": "nextValidId",
    }
)
"""Questions without an id; those of one kind share the end of their answers."""

NAMED_ROWS: Mapping[str, str] = MappingProxyType(
    {
        "position": "positions",
        "openOrder": "openOrders",
        "completedOrder": "completedOrders",
        "updateAccountValue": "accountUpdates",
        "updatePortfolio": "accountUpdates",
    }
)
"""Callbacks that bring a row of an answer without an id; pushes may be among them."""

NAMED_ENDS: Mapping[str, str] = MappingProxyType(
    {
        "positionEnd": "positions",
        "openOrderEnd": "openOrders",
        "completedOrdersEnd": "completedOrders",
        "accountDownloadEnd": "accountUpdates",
    }
)

NAMED_WHOLE: Mapping[str, str] = MappingProxyType(
    {
        "currentTime": "currentTime",
        "nextValidId": "nextValidId",
    }
)

ABOUT_ORDERS = ("openOrders", "completedOrders")
"""Kinds of questions that TWS refuses, without naming one, while its API may only read."""


def _row(args: tuple[object, ...]) -> object:
    return args[0] if len(args) == 1 else args


class Question:
    """What has come of one answer. `done` gets the rows, or the error.

    It is complete at its end, or with a row of which `enough` says so.
    """

    def __init__(self, what: str, venue: str, enough: Enough | None = None) -> None:
        self.what, self._venue, self._enough = what, venue, enough
        self.rows: list[object] = []
        self.done: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
        self.goes_on = True
        """Whether TWS may say more, unless it is told not to."""

    def add(self, row: object) -> None:
        """One more row."""
        if len(self.rows) >= MOST_ROWS:
            self.fail(VenueUnavailable(self._venue, "", f"the answer to {self.what} has no end"))
            return
        self.rows.append(row)
        if self._enough is not None and not self.done.done() and self._enough(row):
            self.done.set_result(self.rows)

    def end(self) -> None:
        """The answer is complete."""
        self.goes_on = False
        if not self.done.done():
            self.done.set_result(self.rows)

    def fail(self, error: FoxtrotError) -> None:
        """There will be no answer."""
        self.goes_on = False
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # seen: whoever asked may have been cancelled


class Requests:
    """The questions of one connection.

    Args:
        venue: Name of the adapter, for errors.
    """

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._by_id: dict[int, Question] = {}
        self._named: dict[str, Question] = {}
        self._owed: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def in_flight(self) -> tuple[str, ...]:
        """What has been asked and not answered."""
        questions = (*self._by_id.values(), *self._named.values())
        return tuple(question.what for question in questions)

    def open(self, number: int, what: str, enough: Enough | None = None) -> Question:
        """A question with an id was asked."""
        question = self._by_id[number] = Question(what, self._venue, enough)
        return question

    def close(self, number: int) -> None:
        """Nobody waits for it any more."""
        self._by_id.pop(number, None)

    def lock(self, name: str) -> asyncio.Lock:
        """Held while a question of this kind is under way."""
        return self._locks.setdefault(KINDS[name], asyncio.Lock())

    def open_named(self, name: str) -> Question:
        """A question without an id was asked; only while its lock is held."""
        question = self._named[KINDS[name]] = Question(name, self._venue)
        return question

    def close_named(self, name: str, *, sent: bool) -> None:
        """Nobody waits for it any more. Its answer may come yet: it must not pass for another's."""
        kind = KINDS[name]
        question = self._named.pop(kind)
        if sent and (question.done.cancelled() or not question.done.done()):
            self._owed[kind] = self._owed.get(kind, 0) + 1

    def owed(self, name: str) -> int:
        """How many answers of this kind may still come that nobody waits for."""
        return self._owed.get(KINDS[name], 0)

    def fail(self, number: int, error: FoxtrotError) -> bool:
        """TWS refused a question; whether there was one with this id."""
        question = self._by_id.get(number)
        if question is not None:
            question.fail(error)
        return question is not None

    def fail_kinds(self, kinds: Sequence[str], error: FoxtrotError) -> None:
        """TWS refused questions without an id."""
        for kind in kinds:
            if kind in self._named:
                self._named[kind].fail(error)

    def fail_all(self, error: FoxtrotError) -> None:
        """The connection is gone."""
        for question in (*self._by_id.values(), *self._named.values()):
            question.fail(error)

    def route(self, name: str) -> Callable[[tuple[object, ...]], bool] | None:
        """Who takes the arguments of a callback; he says whether they concern nobody else."""
        if name in ROWS:
            return self._take_row
        if name in ENDS:
            return self._take_end
        if name in WHOLE:
            return self._take_whole
        if name in PAGES:
            return self._take_page
        if name in NAMED_ROWS:
            kind = NAMED_ROWS[name]
            return lambda args: self._take_named_row(kind, args)
        if name in NAMED_ENDS:
            kind = NAMED_ENDS[name]
            return lambda args: self._take_named_end(kind, None)
        if name in NAMED_WHOLE:
            kind = NAMED_WHOLE[name]
            return lambda args: self._take_named_end(kind, args)
        return None

    def _question(self, args: tuple[object, ...]) -> Question | None:
        number = args[0]
        return self._by_id.get(number) if isinstance(number, int) else None

    def _take_row(self, args: tuple[object, ...]) -> bool:
        question = self._question(args)
        if question is None:
            return False
        question.add(_row(args[1:]))
        return True

    def _take_end(self, args: tuple[object, ...]) -> bool:
        question = self._question(args)
        if question is None:
            return False
        question.end()
        return True

    def _take_whole(self, args: tuple[object, ...]) -> bool:
        return self._take_row(args) and self._take_end(args)

    def _take_page(self, args: tuple[object, ...]) -> bool:
        question = self._question(args)
        if question is None:
            return False
        _number, rows, last = args
        for row in rows if isinstance(rows, list) else ():
            question.add(row)
        if last:
            question.end()
        return True

    def _take_named_row(self, kind: str, args: tuple[object, ...]) -> bool:
        question = self._named.get(kind)
        if question is not None:
            question.add(_row(args))
        return False

    def _take_named_end(self, kind: str, args: tuple[object, ...] | None) -> bool:
        question = self._named.get(kind)
        if self._owed.get(kind):
            self._owed[kind] -= 1
            if question is not None:
                question.rows.clear()
        elif question is not None:
            if args is not None:
                question.add(_row(args))
            question.end()
        return False
