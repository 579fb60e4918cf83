"""IbConnectionPool: connections to a TWS, leased by purpose, reused while they live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Generic, Protocol, TypeVar

from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.core.aside import aside
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    ClientIdInUse,
    ConnectionClosed,
    FoxtrotError,
    InvalidState,
    VenueUnavailable,
)
from foxtrot.model.health import Fact

log = get_logger("foxtrot.ib.pool")

BOUNDS: Mapping[Purpose, int] = MappingProxyType(
    {Purpose.TRADING: 1, Purpose.STREAMING: 4, Purpose.HISTORY: 4, Purpose.API: 2}
)
"""Connections at a time. A TWS takes 32 clients, of all programs together."""

_WAIT_S = 60.0
_PROBE_S = 3.0
_PROBED_AFTER_S = 15.0
_IDS_TRIED = 3
_CLOSE_S = 5.0
_NORMAL = 1000


class Poolable(Protocol):
    """A connection, as the pool sees it."""

    @property
    def lost(self) -> asyncio.Future[FoxtrotError]:
        """Set when the connection is gone."""
        ...

    async def open(self) -> None:
        """Connect, or raise a `FoxtrotError`, within a deadline of its own."""

    async def close(self) -> None:
        """Disconnect; never raises, and ends within a deadline of its own."""

    async def probe(self) -> None:
        """Ask for a sign of life; raises a `FoxtrotError` if there is none."""


class ClientIds(Protocol):
    """Where client ids come from; see `IbClientIdRegistry`. Both may wait for a disk."""

    def lease(self, purpose: Purpose) -> int:
        """An id that nobody else uses."""
        ...

    def release(self, client_id: int, *, in_use: bool = False) -> None:
        """Give it back; `in_use`: a stranger has it at the venue."""


C = TypeVar("C", bound=Poolable)
T = TypeVar("T")


def _nothing() -> None:
    """Nothing is to be done."""


@dataclass(slots=True)
class PoolMetrics:
    """Counts since the start: connections made and not made, leases, those that waited or reused.

    `in_use` and `idle` are of now.
    """

    established: int = 0
    failed: int = 0
    leased: int = 0
    waited: int = 0
    reused: int = 0
    in_use: int = 0
    idle: int = 0


@dataclass(slots=True, eq=False)
class _Held(Generic[C]):
    """A connection of the pool."""

    connection: C
    client_id: int
    lane: _Lane[C]
    used_at: float = 0.0
    suspect: bool = False


class _Lane(Generic[C]):
    """The connections of one purpose. Who holds a slot may hold a connection."""

    def __init__(self, purpose: Purpose, bound: int) -> None:
        self.purpose, self.bound = purpose, bound
        self.slots = asyncio.Semaphore(bound)  # hands out in the order of asking
        self.idle: list[_Held[C]] = []


class IbConnectionPool(Generic[C]):
    """Leases connections. Lives on the loop thread.

    Trading and streaming get a connection of their own, which is closed when it is given back.
    History and the rest reuse what is there; what was idle for a while is probed first.

    Args:
        venue: Name of the adapter, for errors.
        ids: Where client ids come from.
        factory: Makes a connection, not yet open, for a client id.
        bounds: Connections of each purpose at a time.
    """

    def __init__(
        self,
        venue: str,
        ids: ClientIds,
        factory: Callable[[int, Purpose], C],
        bounds: Mapping[Purpose, int] = BOUNDS,
    ) -> None:
        self._venue, self._ids, self._factory = venue, ids, factory
        self._lanes: dict[Purpose, _Lane[C]] = {p: _Lane(p, bounds[p]) for p in Purpose}
        self._taken: dict[C, _Held[C]] = {}
        self._leases: set[_Lease[C]] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._metrics = PoolMetrics()
        self._closed = False

    def acquire(self, purpose: Purpose | str, *, timeout_s: float = _WAIT_S) -> _Lease[C]:
        """Hold a connection in the body: `async with pool.acquire("history") as connection`.

        When the connection dies, the body is cancelled, and the cause comes out of it.

        Raises:
            FoxtrotError: No connection can be had, or it died.
        """
        return _Lease(self, Purpose(purpose), timeout_s)

    async def take(self, purpose: Purpose, timeout_s: float = _WAIT_S) -> C:
        """Hold a connection until `give_back`, over the bounds of tasks, as sessions do.

        Raises:
            VenueUnavailable: All are in use, for that long.
            InvalidState: The pool is closed.
            FoxtrotError: No connection can be made.
        """
        lane = self._lanes[purpose]
        await self._wait_for_slot(lane, timeout_s)
        try:
            held = await self._reuse(lane) or await self._establish(lane)
        except BaseException:  # boundary: however it ended, the slot is not lost
            lane.slots.release()
            raise
        self._taken[held.connection] = held
        self._metrics.leased += 1
        return held.connection

    async def give_back(self, connection: C, *, suspect: bool = False) -> None:
        """The connection is not needed any more; `suspect`: probe it before it is reused.

        One that is not shared is closed when this returns. Doing it twice does no harm.
        """
        held = self._taken.pop(connection, None)
        if held is None:
            return
        if held.lane.purpose.is_shared and not connection.lost.done():
            held.used_at, held.suspect = asyncio.get_running_loop().time(), suspect
            held.lane.idle.append(held)
            held.lane.slots.release()
            return
        # A task of the pool: who waits here may be cancelled, and the slot is free after the end.
        await asyncio.wait([self._retire(held, then=held.lane.slots.release)])

    def metrics(self) -> PoolMetrics:
        """What was leased and made so far; from any thread."""
        idle = sum(len(lane.idle) for lane in self._lanes.values())
        return replace(self._metrics, in_use=len(self._taken), idle=idle)

    def facts(self) -> dict[str, Fact]:
        """The same as facts, with the client ids of each purpose; from any thread."""
        facts: dict[str, Fact] = {f"pool.{k}": v for k, v in asdict(self.metrics()).items()}
        taken = tuple(self._taken.copy().values())
        for purpose, lane in self._lanes.items():
            used, idle = [held for held in taken if held.lane is lane], tuple(lane.idle)
            name = purpose.value
            facts[f"pool.{name}.in_use"] = len(used)
            facts[f"pool.{name}.idle"] = len(idle)
            facts[f"pool.{name}.most"] = lane.bound
            ids = sorted(held.client_id for held in (*used, *idle))
            facts[f"client_ids.{name}"] = ", ".join(map(str, ids))
        return facts

    def close_idle(self) -> None:
        """Close the connections that nobody uses at the moment."""
        for lane in self._lanes.values():
            while lane.idle:
                self._retire(lane.idle.pop())

    async def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Close every connection; who holds one, or waits for one, gets `ConnectionClosed`."""
        self._closed = True
        for lease in tuple(self._leases):
            lease.fail(ConnectionClosed(_NORMAL, "the connection pool was closed"))
        for held in tuple(self._taken.values()):
            self._retire(held, then=held.lane.slots.release)
        self._taken.clear()
        self.close_idle()
        deadline = asyncio.get_running_loop().time() + timeout_s
        while pending := self._under_way():
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait(pending, timeout=left_s)
        for task in tuple(self._tasks):
            log.error("pool_task_left", venue=self._venue, task=task.get_name())
            task.cancel()

    def __repr__(self) -> str:
        lanes = (
            f"{lane.purpose.value} {len(lane.idle)} idle of {lane.bound}"
            for lane in self._lanes.values()
        )
        return f"<IbConnectionPool {self._venue}: {len(self._taken)} in use; {', '.join(lanes)}>"

    # ------------------------------------------------------------------ having one

    async def _wait_for_slot(self, lane: _Lane[C], timeout_s: float) -> None:
        self._refuse_closed()
        if not lane.slots.locked():
            await lane.slots.acquire()
            return
        self._metrics.waited += 1
        try:
            async with asyncio.timeout(timeout_s):
                await lane.slots.acquire()
        except TimeoutError:
            text = f"all {lane.bound} connections for {lane.purpose.value} are in use"
            raise VenueUnavailable(self._venue, "", text) from None

    async def _reuse(self, lane: _Lane[C]) -> _Held[C] | None:
        while lane.idle:
            held = lane.idle.pop()
            try:
                alive = await self._is_alive(held)
            except BaseException:  # boundary: cancelled; what was taken out is not forgotten
                self._retire(held)
                raise
            if alive and not self._closed:
                self._metrics.reused += 1
                return held
            self._retire(held)
        return None

    async def _is_alive(self, held: _Held[C]) -> bool:
        if held.connection.lost.done():
            return False
        idle_s = asyncio.get_running_loop().time() - held.used_at
        if idle_s < _PROBED_AFTER_S and not held.suspect:
            return True
        try:
            async with asyncio.timeout(_PROBE_S):
                await held.connection.probe()
        except (FoxtrotError, TimeoutError) as error:
            log.info("pool_probe_failed", venue=self._venue, error=type(error).__name__)
            return False
        return True

    async def _establish(self, lane: _Lane[C]) -> _Held[C]:
        for tried in range(1, _IDS_TRIED + 1):
            self._refuse_closed()
            client_id = await self._new_id(lane.purpose)
            held = _Held(self._factory(client_id, lane.purpose), client_id, lane)
            try:
                await held.connection.open()
            except BaseException as error:  # boundary: however it ended, its id is given back
                self._metrics.failed += 1
                in_use = isinstance(error, ClientIdInUse)
                await asyncio.wait([self._retire(held, in_use=in_use)])
                # Orders belong to the client id: who trades waits for it, and takes no other.
                if in_use and lane.purpose is not Purpose.TRADING and tried < _IDS_TRIED:
                    continue
                raise
            self._metrics.established += 1
            held.connection.lost.add_done_callback(partial(self._on_lost, held))
            if self._closed:
                self._retire(held)
                self._refuse_closed()
            return held
        raise AssertionError("the last try returns or raises")

    def _under_way(self) -> set[asyncio.Future[object]]:
        return {*self._tasks, *(lease.ended for lease in self._leases)}

    def _refuse_closed(self) -> None:
        if self._closed:
            raise InvalidState("the connection pool is closed")

    async def _new_id(self, purpose: Purpose) -> int:
        """Lease an id; who is cancelled in the middle leaves none behind."""
        leasing = self._spawn(aside(partial(self._ids.lease, purpose), "ib-client-id"), "lease")
        try:
            await asyncio.wait([leasing])
        except asyncio.CancelledError:
            leasing.add_done_callback(self._on_unwanted_id)
            raise
        return leasing.result()

    # ------------------------------------------------------------------ giving up

    def _on_unwanted_id(self, leasing: asyncio.Task[int]) -> None:
        if not leasing.cancelled() and leasing.exception() is None:
            self._spawn(self._release_id(leasing.result()), "release")

    def _on_lost(self, held: _Held[C], lost: asyncio.Future[FoxtrotError]) -> None:
        if held in held.lane.idle:
            held.lane.idle.remove(held)
            self._retire(held)

    def _retire(
        self, held: _Held[C], *, in_use: bool = False, then: Callable[[], None] = _nothing
    ) -> asyncio.Task[None]:
        """Close a connection and give its id back, whatever becomes of who asks for it."""
        return self._spawn(self._end(held, in_use, then), f"close-{held.client_id}")

    async def _end(self, held: _Held[C], in_use: bool, then: Callable[[], None]) -> None:
        try:
            await held.connection.close()
            await self._release_id(held.client_id, in_use=in_use)
        finally:
            then()

    async def _release_id(self, client_id: int, *, in_use: bool = False) -> None:
        await aside(partial(self._ids.release, client_id, in_use=in_use), "ib-client-id")

    def _spawn(self, work: Coroutine[object, object, T], what: str) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=f"{self._venue}.pool.{what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Lease(Generic[C]):
    """A connection for the length of a body, in one task."""

    def __init__(self, pool: IbConnectionPool[C], purpose: Purpose, timeout_s: float) -> None:
        self._pool, self._purpose, self._timeout_s = pool, purpose, timeout_s
        self._cause: FoxtrotError | None = None
        self.ended: asyncio.Future[object]

    async def __aenter__(self) -> C:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self.ended = asyncio.get_running_loop().create_future()
        self._pool._leases.add(self)
        try:
            self._connection = await self._pool.take(self._purpose, self._timeout_s)
        except BaseException as error:  # boundary: a close of the pool has the last word
            self._end()
            self._raise_cause(error)
            raise
        self._connection.lost.add_done_callback(self._on_lost)
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._connection.lost.remove_done_callback(self._on_lost)
        try:
            await self._pool.give_back(self._connection, suspect=error is not None)
        finally:
            self._raise_cause(error)

    def fail(self, cause: FoxtrotError) -> None:
        """Cancel the body; the first cause comes out of it."""
        if self._cause is None:
            self._cause = cause
            self._task.cancel()

    def _end(self) -> None:
        self._pool._leases.discard(self)
        self.ended.set_result(None)

    def _on_lost(self, lost: asyncio.Future[FoxtrotError]) -> None:
        if not self.ended.done():  # it was lost as the body ended: who has his answer keeps it
            self.fail(lost.result())

    def _raise_cause(self, error: BaseException | None) -> None:
        """Put the cause in the place of the cancellation, unless others cancelled as well."""
        if self._cause is None:
            return
        cancelled_by_us_alone = self._task.uncancel() <= self._cancelling
        if cancelled_by_us_alone and isinstance(error, asyncio.CancelledError):
            raise self._cause from None
