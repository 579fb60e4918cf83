"""Coroutines run on the bridge's loop for callers on any thread."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future

import pytest

from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.logs import correlation_id, get_logger
from foxtrot.errors import (
    BridgeNotRunning,
    BridgeTimeout,
    InvalidState,
    ShutdownTimeout,
    WrongThread,
)
from tests.support.engine import WAIT_S
from tests.support.rig import eventually


@pytest.fixture
def bridge() -> Iterator[AsyncThreadBridge]:
    """A running bridge."""
    with AsyncThreadBridge("test-bridge") as made:
        yield made


async def echo(value: object) -> object:
    """Give `value` back, one turn of the loop later."""
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    """Fail."""
    raise ValueError("as told")


class Sleeper:
    """A coroutine that sleeps until it is cancelled, and tells what happens to it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    """Fields of the log lines of one event."""
    fields = [r.foxtrot for r in caplog.records if hasattr(r, "foxtrot")]
    return [line for line in fields if line["event"] == event]


def settle(bridge: AsyncThreadBridge) -> None:
    """Wait until the loop has done what it was asked to."""
    for _ in range(5):
        bridge.run(echo(None), WAIT_S)


# ------------------------------------------------------------------ run


def test_run_returns_the_result_of_the_coroutine(bridge: AsyncThreadBridge) -> None:
    """A caller on another thread waits for the coroutine and gets what it returned."""
    assert bridge.run(echo(42), WAIT_S) == 42


def test_run_raises_what_the_coroutine_raised(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """An error reaches the caller itself, and is not logged behind its back."""
    with pytest.raises(ValueError, match="as told"):
        bridge.run(fail(), WAIT_S)
    gc.collect()
    assert caplog.records == []


def test_run_gives_up_in_time_and_cancels(bridge: AsyncThreadBridge) -> None:
    """What takes too long is cancelled, and the error names it."""
    sleeper = Sleeper()
    with pytest.raises(BridgeTimeout, match=r"Sleeper.__call__ did not finish within 0.01 s"):
        bridge.run(sleeper(), 0.01)
    assert sleeper.cancelled.wait(WAIT_S)


def test_a_timeout_of_the_coroutines_own_is_not_mistaken(bridge: AsyncThreadBridge) -> None:
    """A TimeoutError raised inside the coroutine arrives as it is."""

    async def impatient() -> None:
        raise TimeoutError("the venue's")

    with pytest.raises(TimeoutError, match="the venue's") as caught:
        bridge.run(impatient(), WAIT_S)
    assert not isinstance(caught.value, BridgeTimeout)


def test_run_on_the_loop_thread_is_refused_at_once(bridge: AsyncThreadBridge) -> None:
    """A coroutine that would make its own loop wait gets WrongThread; nothing is left unawaited."""

    async def mistaken() -> None:
        with pytest.raises(WrongThread, match="await it"):
            bridge.run(echo(1), WAIT_S)

    bridge.run(mistaken(), WAIT_S)
    gc.collect()  # filterwarnings=error turns "never awaited" into a failure


@pytest.mark.parametrize("started_before", [False, True])
def test_a_bridge_that_does_not_run_refuses_work_at_once(started_before: bool) -> None:
    """Before the start and after the stop, run, submit and call_soon raise BridgeNotRunning."""
    bridge = AsyncThreadBridge()
    if started_before:
        bridge.start()
        bridge.stop()
    with pytest.raises(BridgeNotRunning):
        bridge.run(echo(1), WAIT_S)
    with pytest.raises(BridgeNotRunning):
        bridge.submit(echo(1), name="late")
    with pytest.raises(BridgeNotRunning):
        bridge.call_soon(print)
    with pytest.raises(BridgeNotRunning):
        _ = bridge.loop
    gc.collect()


def test_a_forked_process_is_told_that_the_loop_stayed_behind(
    bridge: AsyncThreadBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it asks for would wait for ever: a fork takes no thread along."""
    with monkeypatch.context() as child:
        child.setattr("foxtrot.core.bridge.os.getpid", lambda: -1)
        with pytest.raises(BridgeNotRunning, match="forked from; make an engine of its own"):
            bridge.call_soon(print)
    bridge.run(asyncio.sleep(0), timeout=WAIT_S)


def test_a_stop_frees_those_who_wait(bridge: AsyncThreadBridge) -> None:
    """A caller that waits in `run` when the bridge stops is told so, before its own time is up."""
    sleeper, raised = Sleeper(), []

    def wait() -> None:
        try:
            bridge.run(sleeper(), WAIT_S)
        except BridgeNotRunning as error:
            raised.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert sleeper.started.wait(WAIT_S)
    bridge.stop(WAIT_S)
    waiter.join(WAIT_S)
    assert len(raised) == 1


# ------------------------------------------------------------------ submit, spawn, call_soon


def test_submit_does_not_wait(bridge: AsyncThreadBridge) -> None:
    """The future of a submitted coroutine holds its result, or its error."""
    assert bridge.submit(echo(1), name="one").result(WAIT_S) == 1
    error = bridge.submit(fail(), name="two").exception(WAIT_S)
    assert isinstance(error, ValueError)


def test_cancelling_the_future_cancels_the_task(bridge: AsyncThreadBridge) -> None:
    """Cancelling works while the task runs, and before it began."""
    sleeper, unborn = Sleeper(), Sleeper()
    future = bridge.submit(sleeper(), name="sleeper")
    assert sleeper.started.wait(WAIT_S)
    assert future.cancel()
    assert sleeper.cancelled.wait(WAIT_S)

    async def cancel_before_it_starts() -> None:
        assert bridge.submit(unborn(), name="unborn").cancel()

    bridge.run(cancel_before_it_starts(), WAIT_S)
    settle(bridge)
    assert not unborn.started.is_set()
    assert bridge.health().tasks == ()


def test_spawn_makes_a_task_the_bridge_owns(bridge: AsyncThreadBridge) -> None:
    """A task spawned on the loop thread is listed by name and ended by `stop`."""
    sleeper = Sleeper()

    async def spawn() -> None:
        bridge.spawn(sleeper(), name="child")

    bridge.run(spawn(), WAIT_S)
    assert sleeper.started.wait(WAIT_S)
    assert bridge.health().tasks == ("child",)
    bridge.stop(WAIT_S)
    assert sleeper.cancelled.is_set()
    assert bridge.health().tasks == ()


def test_spawn_on_another_thread_is_refused(bridge: AsyncThreadBridge) -> None:
    """Off the loop thread `spawn` raises WrongThread and closes the coroutine."""
    with pytest.raises(WrongThread, match="use submit"):
        bridge.spawn(echo(1), name="misplaced")
    gc.collect()


def test_calls_keep_their_order_among_themselves_and_with_jobs(bridge: AsyncThreadBridge) -> None:
    """What one thread asks for happens in the order it asked."""
    done: list[object] = []

    async def note(value: object) -> None:
        done.append(value)

    for number in range(0, 3_000, 3):
        bridge.call_soon(done.append, number)
        bridge.submit(note(number + 1), name="note")
        bridge.submit(note(number + 2), name="note")
    settle(bridge)

    calls = [n for n in done if n % 3 == 0]  # type: ignore[operator]
    jobs = [n for n in done if n % 3]  # type: ignore[operator]
    assert calls == list(range(0, 3_000, 3))
    assert jobs == [n for n in range(3_000) if n % 3]


def test_calls_from_many_threads_all_happen(bridge: AsyncThreadBridge) -> None:
    """No call is lost between threads, and each thread's calls keep their order."""
    done: list[tuple[int, int]] = []

    def ask(me: int) -> None:
        for number in range(2_000):
            bridge.call_soon(done.append, (me, number))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    settle(bridge)

    for me in range(5):
        assert [number for who, number in done if who == me] == list(range(2_000))


def test_a_call_that_fails_harms_no_other(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in a call is logged with its traceback, even an exit; the next call happens."""
    done: list[int] = []
    bridge.call_soon(int, "no number")
    bridge.call_soon(exit, 3)
    bridge.call_soon(done.append, 1)
    settle(bridge)

    assert done == [1]
    found = [str(line["exception"]) for line in lines(caplog, "loop_exception")]
    assert "ValueError" in found[0]
    assert "SystemExit" in found[1]


def test_a_backlog_of_calls_is_alarmed_once(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """When the loop hangs and calls pile up, one ERROR says so; all of them still happen."""
    hanging, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def hang() -> None:
        hanging.set()
        go_on.wait(WAIT_S)

    bridge.call_soon(hang)
    assert hanging.wait(WAIT_S)
    for number in range(15_000):
        bridge.call_soon(done.append, number)
    go_on.set()
    settle(bridge)

    assert len(done) == 15_000
    assert len(lines(caplog, "call_backlog_alarm")) == 1


def test_an_exit_in_a_task_does_not_end_the_loop(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """`sys.exit()` in a coroutine is that coroutine's failure."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bridge.run(leave(), WAIT_S)
    assert bridge.run(echo(1), WAIT_S) == 1
    assert len(lines(caplog, "loop_interrupted")) == 1


# ------------------------------------------------------------------ failures nobody looks at


def test_a_failed_task_nobody_awaits_is_logged(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """A background task that dies is reported by name, even while somebody holds on to it."""
    held: list[asyncio.Task[None]] = []

    async def spawn() -> None:
        held.append(bridge.spawn(fail(), name="keeper"))

    bridge.run(spawn(), WAIT_S)
    settle(bridge)
    bridge.stop(WAIT_S)

    assert [line["task"] for line in lines(caplog, "task_failed")] == ["keeper"]


def test_a_failed_task_somebody_awaits_is_not_logged(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Who awaits a task gets its error; the log stays silent."""

    async def parent() -> None:
        task = bridge.spawn(fail(), name="child")
        await asyncio.wait([task])
        with pytest.raises(ValueError, match="as told"):
            task.result()

    bridge.run(parent(), WAIT_S)
    bridge.stop(WAIT_S)
    assert lines(caplog, "task_failed") == []


def test_a_failed_job_whose_future_is_dropped_is_logged(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Submitting without looking at the result loses no error; looking keeps the log silent."""
    seen = bridge.submit(fail(), name="seen")
    assert seen.exception(WAIT_S) is not None
    del seen
    bridge.submit(fail(), name="dropped")
    settle(bridge)
    gc.collect()

    assert [line["task"] for line in lines(caplog, "task_failed")] == ["dropped"]


def test_what_asyncio_complains_of_is_logged(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop's own complaints become log lines with named fields."""
    bridge.loop.call_soon_threadsafe(bridge.loop.call_exception_handler, {"message": "a complaint"})
    settle(bridge)
    assert [line["reason"] for line in lines(caplog, "loop_exception")] == ["a complaint"]


# ------------------------------------------------------------------ correlation ids


def test_the_correlation_id_travels_into_the_loop(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines logged on the loop for a caller carry the caller's correlation id; others do not."""
    log = get_logger("foxtrot.test")
    caplog.set_level(logging.INFO, "foxtrot.test")

    async def work(where: str) -> None:
        await asyncio.sleep(0)
        log.info("worked", where=where)

    def say(where: str) -> None:
        log.info("worked", where=where)

    async def ask_at_once() -> None:
        for where in ("first call", "second call"):
            correlation_id.set(where)
            bridge.call_soon(say, where)

    bridge.run(ask_at_once(), WAIT_S)
    token = correlation_id.set("req-1")
    bridge.run(work("run"), WAIT_S)
    bridge.submit(work("submit"), name="work").result(WAIT_S)
    correlation_id.reset(token)
    bridge.run(work("without"), WAIT_S)

    assert {line["where"]: line.get("correlation_id") for line in lines(caplog, "worked")} == {
        "run": "req-1",
        "submit": "req-1",
        "first call": "first call",
        "second call": "second call",
        "without": None,
    }


# ------------------------------------------------------------------ lifetime


def test_start_returns_when_the_loop_turns() -> None:
    """After `start` the loop is there; a second start is an error; it may start again later."""
    bridge = AsyncThreadBridge("again")
    for _ in range(2):
        bridge.start()
        assert bridge.loop.is_running()
        assert not bridge.on_loop_thread
        with pytest.raises(InvalidState, match="running already"):
            bridge.start()
        assert bridge.run(echo(1), WAIT_S) == 1
        bridge.stop(WAIT_S)
    bridge.stop(WAIT_S)


def test_stop_leaves_nothing_behind() -> None:
    """After `stop` no thread, no descriptor, no task is left, whatever was going on."""
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    bridge, closed = AsyncThreadBridge(), threading.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.set()

    async def leave_generator_open() -> None:
        await anext(generator)

    generator = numbers()
    with bridge:
        sleepers = [Sleeper() for _ in range(10)]
        for sleeper in sleepers:
            bridge.submit(sleeper(), name="sleeper")
        bridge.run(leave_generator_open(), WAIT_S)
        bridge.run(asyncio.to_thread(lambda: None), WAIT_S)

    assert all(sleeper.cancelled.is_set() for sleeper in sleepers)
    assert closed.is_set()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_stop_ends_tasks_that_ending_tasks_begin(bridge: AsyncThreadBridge) -> None:
    """A task may still say goodbye while it is cancelled; what it spawns for that ends, too."""
    started, last = threading.Event(), Sleeper()

    async def parting() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            bridge.spawn(last(), name="last")
            await asyncio.sleep(0)

    bridge.submit(parting(), name="parting")
    assert started.wait(WAIT_S)
    bridge.stop(WAIT_S)
    assert last.cancelled.is_set()


def test_a_task_that_refuses_to_end_is_named(
    bridge: AsyncThreadBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """`stop` gives up in time, names the task, and still joins the thread."""
    started, let_go = threading.Event(), asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            started.set()
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    bridge.submit(stubborn(), name="stubborn")
    assert started.wait(WAIT_S)
    with pytest.raises(ShutdownTimeout, match="left behind: task stubborn"):
        bridge.stop(0.1)
    assert not any(thread.name == "test-bridge" for thread in threading.enumerate())
    bridge.stop(WAIT_S)


def test_a_loop_that_hangs_is_named() -> None:
    """When a coroutine blocks the loop, `stop` names thread and task; later it succeeds."""
    bridge, hanging, go_on = AsyncThreadBridge("hung-loop"), threading.Event(), threading.Event()

    async def hang() -> None:
        hanging.set()
        go_on.wait(WAIT_S)

    bridge.start()
    bridge.submit(hang(), name="hanging")
    assert hanging.wait(WAIT_S)
    with pytest.raises(ShutdownTimeout, match="thread hung-loop, task hanging"):
        bridge.stop(0.01)
    with pytest.raises(BridgeNotRunning):
        bridge.run(echo(1), WAIT_S)
    go_on.set()
    bridge.stop(WAIT_S)


def test_a_worker_thread_that_hangs_is_named(bridge: AsyncThreadBridge) -> None:
    """Blocking work on the loop's worker threads is waited for, then named."""
    working, go_on = threading.Event(), threading.Event()

    def work() -> None:
        working.set()
        go_on.wait(WAIT_S)

    bridge.submit(asyncio.to_thread(work), name="blocking")
    assert working.wait(WAIT_S)
    with pytest.raises(ShutdownTimeout, match="thread test-bridge-worker"):
        bridge.stop(0.1)
    go_on.set()


def test_its_own_loop_cannot_stop_or_start_it(bridge: AsyncThreadBridge) -> None:
    """On the loop thread `stop`, `start` and `lease` raise WrongThread: they would wait there."""

    async def mistaken() -> None:
        assert bridge.on_loop_thread
        with pytest.raises(WrongThread):
            bridge.stop()
        with pytest.raises(WrongThread):
            bridge.start()
        with pytest.raises(WrongThread):
            bridge.lease("me")

    bridge.run(mistaken(), WAIT_S)


def test_work_that_comes_while_it_stops_is_done_or_refused() -> None:
    """Every job given to a stopping bridge ends: with its result, cancelled, or refused."""
    for _ in range(5):
        bridge, begun = AsyncThreadBridge(), threading.Semaphore(0)
        futures = []

        def give() -> None:
            try:
                while True:
                    futures.append(bridge.submit(echo(1), name="job"))  # noqa: B023
                    begun.release()  # noqa: B023
            except BridgeNotRunning:
                return

        bridge.start()
        givers = [threading.Thread(target=give) for _ in range(3)]
        for giver in givers:
            giver.start()
        for _ in range(50):
            assert begun.acquire(timeout=WAIT_S)
        bridge.stop(WAIT_S)
        for giver in givers:
            giver.join(WAIT_S)
        assert all(future.done() for future in futures)


def test_a_job_that_ends_while_it_stops_has_its_result() -> None:
    """Whoever ended before the loop did is told of, also in the loop's last turn."""
    bridge, begun, gate = AsyncThreadBridge(), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        assert gate.wait(WAIT_S)

    async def at_once() -> int:
        return 1

    bridge.start()
    bridge.call_soon(block)
    assert begun.wait(WAIT_S)
    future = bridge.submit(at_once(), name="job")
    stopper = threading.Thread(target=bridge.stop, args=(WAIT_S,))
    stopper.start()
    eventually(lambda: not bridge.health().running, "it stops")
    gate.set()
    stopper.join(WAIT_S)
    assert future.result(0) == 1


def test_nobody_waits_for_a_job_given_in_the_last_turn() -> None:
    """What comes when all tasks have ended is done or cancelled, as is what came before."""
    bridge = AsyncThreadBridge()
    futures: list[Future[object]] = []

    def give(_: object) -> None:
        futures.append(bridge.submit(echo(1), name="late"))

    async def last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            task = asyncio.current_task()
            assert task is not None
            task.add_done_callback(give)  # after the one that tells the end of the last task

    bridge.start()
    bridge.submit(last(), name="last")
    bridge.run(echo(1), WAIT_S)
    bridge.stop(WAIT_S)
    assert [future.done() for future in futures] == [True]


# ------------------------------------------------------------------ leases


def test_leases_share_one_bridge() -> None:
    """The first lease starts the bridge, the last one to go stops it, in any order."""
    bridge = AsyncThreadBridge()
    first, second = bridge.lease("binance"), bridge.lease("ib")
    assert bridge.health().leases == ("binance", "ib")
    first.release()
    first.release()
    assert bridge.run(echo(1), WAIT_S) == 1
    second.release()
    assert not bridge.health().running
    with bridge.lease("futu") as leased:
        assert leased.run(echo(1), WAIT_S) == 1
    assert not bridge.health().running


def test_a_bridge_that_was_started_is_not_stopped_by_leases(bridge: AsyncThreadBridge) -> None:
    """Who starts the bridge stops it; leases come and go."""
    with bridge.lease("binance"):
        pass
    assert bridge.run(echo(1), WAIT_S) == 1


def test_the_last_lease_cannot_be_given_back_on_the_loop() -> None:
    """A lease that others outlive may be given back on the loop thread, the last one may not."""
    bridge = AsyncThreadBridge()
    first, last = bridge.lease("first"), bridge.lease("last")

    async def give_back() -> None:
        first.release()
        with pytest.raises(WrongThread):
            last.release()

    bridge.run(give_back(), WAIT_S)
    assert bridge.health().leases == ("last",)
    last.release()
    assert not bridge.health().running


def test_leases_from_many_threads_end_with_a_stopped_bridge() -> None:
    """However leases overlap, work done under one always finds a running loop."""
    bridge, results = AsyncThreadBridge(), []

    def use(me: int) -> None:
        for _ in range(10):
            with bridge.lease(str(me)) as leased:
                results.append(leased.run(echo(me), WAIT_S))

    threads = [threading.Thread(target=use, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(results) == 50
    assert not bridge.health().running
    assert bridge.health().leases == ()


def test_its_repr_is_a_status_line() -> None:
    """`repr` shows name, state and what it holds."""
    bridge = AsyncThreadBridge("spine")
    assert repr(bridge) == "<AsyncThreadBridge spine STOPPED tasks=0 leases=0>"
    with bridge.lease("binance"):
        assert repr(bridge) == "<AsyncThreadBridge spine RUNNING tasks=0 leases=1>"
