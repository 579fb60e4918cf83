"""Connections are leased, reused while they live, and never lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from foxtrot.adapter.ib.pool import IbConnectionPool
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.errors import (
    ClientIdInUse,
    ConnectError,
    ConnectionClosed,
    FoxtrotError,
    HeartbeatTimeout,
    InvalidState,
    VenueUnavailable,
)

CUT = ConnectionClosed(1006, "cut")
WAIT_S = 5.0


class Line:
    """A connection that does as it is told."""

    def __init__(self, client_id: int, purpose: Purpose) -> None:
        self.client_id, self.purpose = client_id, purpose
        self.lost: asyncio.Future[FoxtrotError] = asyncio.get_running_loop().create_future()
        self.refused: FoxtrotError | None = None
        self.mute = False
        self.opening = self.closing = self.probing = _at_once
        self.is_open = False
        self.probes = 0

    async def open(self) -> None:
        await self.opening()
        if self.refused is not None:
            raise self.refused
        self.is_open = True

    async def close(self) -> None:
        await self.closing()
        self.is_open = False
        self.cut(ConnectionClosed(1000, "closed by us"))

    async def probe(self) -> None:
        self.probes += 1
        await self.probing()
        if self.mute:
            raise HeartbeatTimeout(3.0)

    def cut(self, error: FoxtrotError = CUT) -> None:
        if not self.lost.done():
            self.lost.set_result(error)


async def _at_once() -> None:
    pass


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 - turns of the loop; there is nobody who tells
            await asyncio.sleep(0)


class Ids:
    """Client ids that count up."""

    def __init__(self) -> None:
        self._next = itertools.count(100)
        self.leased: set[int] = set()
        self.in_use: list[int] = []

    def lease(self, purpose: Purpose) -> int:
        client_id = next(self._next)
        self.leased.add(client_id)
        return client_id

    def release(self, client_id: int, *, in_use: bool = False) -> None:
        self.leased.remove(client_id)
        if in_use:
            self.in_use.append(client_id)


class Rig:
    """A pool, and every line that it made."""

    def __init__(self, bound: int = 2) -> None:
        self.ids, self.lines = Ids(), []
        self.prepare: Callable[[Line], None] = lambda line: None
        self.pool = IbConnectionPool("IB", self.ids, self.made, dict.fromkeys(Purpose, bound))

    def made(self, client_id: int, purpose: Purpose) -> Line:
        line = Line(client_id, purpose)
        self.prepare(line)
        self.lines.append(line)
        return line

    @property
    def open_lines(self) -> list[Line]:
        return [line for line in self.lines if line.is_open]


@pytest.fixture
async def rig():
    rig = Rig()
    async with asyncio.timeout(20.0):
        yield rig
        await rig.pool.close()
    assert not rig.open_lines
    assert not rig.ids.leased, "every id is given back"


async def test_a_connection_is_reused(rig: Rig) -> None:
    """The second lease gets the connection of the first, without connecting."""
    async with rig.pool.acquire("history") as first:
        assert first.is_open
    async with rig.pool.acquire("data_fetch") as second:
        assert second is first
    figures = rig.pool.metrics()
    assert (figures.established, figures.leased, figures.reused, figures.idle) == (1, 2, 1, 1)


async def test_purposes_do_not_mix(rig: Rig) -> None:
    """What answers questions does not take a connection of history."""
    async with rig.pool.acquire("history"):
        pass
    async with rig.pool.acquire(Purpose.API) as connection:
        assert connection.purpose is Purpose.API


@pytest.mark.parametrize("purpose", [Purpose.TRADING, Purpose.STREAMING])
async def test_a_session_gets_a_connection_of_its_own(rig: Rig, purpose: Purpose) -> None:
    """Trading and streaming begin with a fresh connection, which is closed at the end."""
    first = await rig.pool.take(purpose)
    await rig.pool.give_back(first)
    assert not first.is_open
    assert not rig.ids.leased
    second = await rig.pool.take(purpose)
    assert second is not first
    await rig.pool.give_back(second)
    await rig.pool.give_back(second)


async def test_who_waits_is_served_in_the_order_of_asking(rig: Rig) -> None:
    """No more than the bound is open; the first to wait is the first to get one."""
    served, free = [], asyncio.Event()

    async def use(name: int) -> None:
        async with rig.pool.acquire("history"):
            served.append(name)
            await free.wait()

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for name in range(2):
            group.create_task(use(name))
        await until(lambda: len(served) == 2)
        for name in range(2, 6):
            group.create_task(use(name))
        await asyncio.sleep(0)
        assert len(rig.open_lines) == 2
        free.set()
    assert served == list(range(6))
    figures = rig.pool.metrics()
    assert (figures.established, figures.waited) == (2, 4)


async def test_who_waits_too_long_is_told_why(rig: Rig) -> None:
    """The wait has a deadline, after which the error names what is used up."""
    async with (
        asyncio.timeout(WAIT_S),
        rig.pool.acquire("history"),
        rig.pool.acquire("history"),
    ):
        with pytest.raises(VenueUnavailable, match="all 2 connections for history are in use"):
            async with rig.pool.acquire("history", timeout_s=0.01):
                raise AssertionError("there is none to be had")


async def test_a_connection_that_dies_raises_in_its_holder_and_is_replaced(rig: Rig) -> None:
    """The body is cancelled where it waits, the cause comes out, and the next lease is fresh."""
    where = []

    async def hold() -> None:
        async with asyncio.timeout(WAIT_S), rig.pool.acquire("history") as connection:
            try:
                asyncio.get_running_loop().call_soon(connection.cut)
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                where.append("in the body")
                raise

    with pytest.raises(ConnectionClosed, match="cut"):
        await hold()
    assert where == ["in the body"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "whoever holds the lease goes on as if nothing was"
    async with rig.pool.acquire("history") as other:
        assert other is not rig.lines[0]
    assert rig.ids.leased == {other.client_id}


async def test_a_cancellation_from_outside_is_stronger_than_a_loss(rig: Rig) -> None:
    """Who is cancelled while his connection dies is cancelled."""

    async def hold() -> None:
        async with rig.pool.acquire("history") as connection:
            held.set_result(connection)
            await asyncio.Event().wait()

    held: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(hold())
    (await held).cut()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("first", ["answer", "loss"])
async def test_a_loss_that_comes_with_the_answer_cancels_nobody(rig: Rig, first: str) -> None:
    """Who has the answer keeps it, who has not hears why; a bare cancellation would say nothing."""
    answer, holding = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def ask() -> object:
        async with rig.pool.acquire("history"):
            holding.set()
            return await answer

    asking = asyncio.ensure_future(ask())
    await asyncio.wait_for(holding.wait(), WAIT_S)
    happenings = [lambda: answer.set_result("the bars"), rig.lines[0].cut]
    for happen in happenings if first == "answer" else reversed(happenings):
        happen()
    (outcome,) = await asyncio.gather(asking, return_exceptions=True)
    assert outcome == ("the bars" if first == "answer" else CUT)
    assert not asking.cancelling()


async def test_what_nobody_uses_is_closed_when_asked(rig: Rig) -> None:
    """What is in use stays, and the next question gets a fresh connection."""
    async with rig.pool.acquire("history") as used:
        async with rig.pool.acquire("history"):
            pass
        rig.pool.close_idle()
        await until(lambda: rig.open_lines == [used])
    async with rig.pool.acquire("history") as again:
        assert again is used
    assert rig.pool.metrics().idle == 1


async def test_a_connection_that_dies_while_idle_is_forgotten(rig: Rig) -> None:
    """Nobody gets it, and its id is free again."""
    async with rig.pool.acquire("history") as connection:
        pass
    connection.cut()
    await until(lambda: not rig.ids.leased)
    assert rig.pool.metrics().idle == 0


@pytest.mark.parametrize("mute", [False, True])
async def test_what_may_be_dead_is_probed_before_it_is_handed_out(rig: Rig, mute: bool) -> None:
    """After trouble in the body a sign of life is asked for; without one, the line is replaced."""
    with pytest.raises(ZeroDivisionError):
        async with rig.pool.acquire("api") as first:
            raise ZeroDivisionError
    first.mute = mute
    async with rig.pool.acquire("api") as second:
        assert (second is first) is not mute
    assert first.probes == 1


async def test_an_old_connection_is_probed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was idle for long is looked at; what was just used is not."""
    async with rig.pool.acquire("api"):
        pass
    async with rig.pool.acquire("api") as connection:
        assert connection.probes == 0
    monkeypatch.setattr("foxtrot.adapter.ib.pool._PROBED_AFTER_S", 0.0)
    async with rig.pool.acquire("api") as connection:
        assert connection.probes == 1


async def test_who_is_cancelled_during_a_probe_loses_no_connection(rig: Rig) -> None:
    """What was taken out to be looked at is closed, and its id given back."""
    with pytest.raises(ZeroDivisionError):
        async with rig.pool.acquire("api") as connection:
            raise ZeroDivisionError
    connection.probing = asyncio.Event().wait
    asking = asyncio.ensure_future(rig.pool.take(Purpose.API))
    await until(lambda: connection.probes == 1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(lambda: not rig.ids.leased)
    assert not connection.is_open


async def test_a_failure_to_connect_frees_everything(rig: Rig) -> None:
    """The error reaches who asked; the place and the id are free for the next."""
    rig.prepare = lambda line: setattr(line, "refused", ConnectError("tws", "refused"))
    for _ in range(3):
        with pytest.raises(ConnectError):
            async with rig.pool.acquire("history"):
                raise AssertionError("there is no connection")
    assert not rig.ids.leased
    assert rig.pool.metrics().failed == 3


async def test_an_id_that_a_stranger_has_is_passed_over(rig: Rig) -> None:
    """History and streams take the next id, and the registry is told."""
    busy = iter([ClientIdInUse("IB", 100), ClientIdInUse("IB", 101), None])
    rig.prepare = lambda line: setattr(line, "refused", next(busy))
    async with rig.pool.acquire("history") as connection:
        assert connection.client_id == 102
    assert rig.ids.in_use == [100, 101]


async def test_who_trades_never_takes_another_id(rig: Rig) -> None:
    """An order can be cancelled only under the id that placed it: the error is told at once."""
    rig.prepare = lambda line: setattr(line, "refused", ClientIdInUse("IB", line.client_id))
    with pytest.raises(ClientIdInUse):
        await rig.pool.take(Purpose.TRADING)
    assert len(rig.lines) == 1


@pytest.mark.parametrize("turns", range(12))
async def test_who_is_cancelled_leaves_nothing_behind(rig: Rig, turns: int) -> None:
    """Wherever a cancellation hits, no place, connection or id is lost."""

    async def use() -> None:
        async with rig.pool.acquire("history"):
            await asyncio.sleep(0)

    crowd = [asyncio.ensure_future(use()) for _ in range(6)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    async with (
        asyncio.timeout(WAIT_S),
        rig.pool.acquire("history") as one,
        rig.pool.acquire("history") as other,
    ):
        await until(lambda: len(rig.ids.leased) <= 2)
        assert rig.ids.leased == {one.client_id, other.client_id}


async def test_a_cancelled_give_back_closes_all_the_same(rig: Rig) -> None:
    """Who does not wait for the end does not prevent it."""
    gate = asyncio.Event()
    line = await rig.pool.take(Purpose.STREAMING)
    line.closing = gate.wait
    giving = asyncio.ensure_future(rig.pool.give_back(line))
    await asyncio.sleep(0)
    giving.cancel()
    await asyncio.gather(giving, return_exceptions=True)
    gate.set()
    await until(lambda: not rig.ids.leased)
    assert not line.is_open


async def test_close_ends_leases_waiters_and_openings(rig: Rig) -> None:
    """Holders, those who wait and those who connect get `ConnectionClosed`; all is closed."""

    async def use(purpose: str) -> None:
        async with rig.pool.acquire(purpose):
            await asyncio.Event().wait()

    holders = [asyncio.ensure_future(use("history")) for _ in range(4)]
    session = await rig.pool.take(Purpose.STREAMING)
    await until(lambda: rig.pool.metrics().leased == 3)
    rig.prepare = lambda line: setattr(line, "opening", asyncio.Event().wait)
    holders.append(asyncio.ensure_future(use("api")))
    await until(lambda: len(rig.lines) == 4)
    await rig.pool.close()
    assert not rig.open_lines
    assert session.lost.done()
    for told in await asyncio.gather(*holders, return_exceptions=True):
        assert isinstance(told, ConnectionClosed)
    with pytest.raises(InvalidState, match="the connection pool is closed"):
        await rig.pool.take(Purpose.API)


async def test_its_repr_is_a_status_line(rig: Rig) -> None:
    """What is in use and idle, at a glance."""
    async with rig.pool.acquire("api"), rig.pool.acquire("history"):
        pass
    async with rig.pool.acquire("api"):
        assert repr(rig.pool) == (
            "<IbConnectionPool IB: 1 in use; trading 0 idle of 2, streaming 0 idle of 2, "
            "history 1 idle of 2, api 0 idle of 2>"
        )


async def test_the_pool_is_told_in_facts(rig: Rig) -> None:
    """What each purpose holds, and under which client ids, beside the counts."""
    first = await rig.pool.take(Purpose.STREAMING)
    second = await rig.pool.take(Purpose.STREAMING)
    async with rig.pool.acquire(Purpose.HISTORY):
        pass
    facts = rig.pool.facts()
    streaming = f"{first.client_id}, {second.client_id}"
    assert facts["client_ids.streaming"] == streaming
    assert facts["client_ids.history"] == str(rig.lines[2].client_id)
    assert facts["client_ids.trading"] == ""
    assert (facts["pool.streaming.in_use"], facts["pool.streaming.idle"]) == (2, 0)
    assert (facts["pool.history.in_use"], facts["pool.history.idle"]) == (0, 1)
    assert (facts["pool.in_use"], facts["pool.idle"], facts["pool.streaming.most"]) == (2, 1, 2)
    for line in (first, second):
        await rig.pool.give_back(line)
