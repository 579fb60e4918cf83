"""The trading websocket: answers find who asked, events go on, and nothing ends the reading."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence

import pytest

from foxtrot.adapter.binance.account import Holding, UserStream
from foxtrot.errors import ConnectionClosed
from foxtrot.execution.reports import FillReport, OrderReport
from foxtrot.gateway.counters import FeedCounters

PUSH: dict[str, object] = {
    "e": "executionReport", "E": 1_700_000_000_000, "s": "BTCUSDT", "c": "fx-1", "S": "BUY",
    "o": "LIMIT", "f": "GTC", "q": "0.5", "p": "100.0", "P": "0", "x": "NEW", "X": "NEW",
    "i": 7, "l": "0", "z": "0", "L": "0", "t": -1, "T": 1_700_000_000_000, "C": "", "r": "NONE",
}  # fmt: skip


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.executions: list[tuple[OrderReport, FillReport | None]] = []
        self.holdings: list[Sequence[Holding]] = []
        self.missed: list[str] = []
        self.lost: list[int] = []

    def on_execution(self, report: OrderReport, fill: FillReport | None) -> None:
        """See `UserListener`, like all below."""
        self.executions.append((report, fill))

    def on_holdings(self, holdings: Iterable[Holding], ts_ms: int) -> None:
        """Keep it."""
        self.holdings.append(list(holdings))

    def on_missed(self, what: str) -> None:
        """Keep it."""
        self.missed.append(what)

    def on_stream_lost(self, error: BaseException | None, code: int) -> None:
        """Keep it."""
        self.lost.append(code)


class Line:
    """A socket that is open and keeps what is posted."""

    def __init__(self) -> None:
        self.posted: asyncio.Queue[Mapping[str, object]] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()

    async def opened(self) -> None:
        """When it is."""
        await self.open.wait()

    async def post(self, request: Mapping[str, object]) -> None:
        """Keep it."""
        self.posted.put_nowait(request)


@pytest.fixture
def heard() -> Heard:
    """Who is told."""
    return Heard()


@pytest.fixture
def counters() -> FeedCounters:
    """Of what comes."""
    return FeedCounters(())


@pytest.fixture
def stream(heard: Heard, counters: FeedCounters) -> UserStream:
    """A stream that nobody opened yet."""
    return UserStream(heard, counters)


def event(body: Mapping[str, object]) -> bytes:
    """An event as the venue wraps it."""
    return json.dumps({"subscriptionId": 0, "event": body}).encode()


def answer(number: str, status: int = 200) -> bytes:
    """An answer to a request."""
    return json.dumps({"id": number, "status": status, "result": {"n": number}}).encode()


async def test_answers_find_who_asked(stream: UserStream) -> None:
    """Also in another order than the questions."""
    line = Line()
    await stream.attach(line)  # type: ignore[arg-type]
    asks = [asyncio.ensure_future(stream.request("ping", {}, 5.0)) for _ in range(2)]
    first, second = [str((await line.posted.get())["id"]) for _ in asks]
    stream.on_frame(answer(second))
    stream.on_frame(answer(first))
    replies = [await ask for ask in asks]
    assert [json.loads(reply.body)["n"] for reply in replies] == [first, second]


async def test_an_answer_that_nobody_awaits_is_ignored(
    stream: UserStream, counters: FeedCounters
) -> None:
    """It came after its time."""
    stream.on_frame(answer("77"))
    assert counters.ignored == 1


async def test_whoever_waits_learns_that_the_line_is_gone(stream: UserStream, heard: Heard) -> None:
    """At once, and the session learns it too."""
    line = Line()
    await stream.attach(line)  # type: ignore[arg-type]
    ask = asyncio.ensure_future(stream.request("ping", {}, 60.0))
    await line.posted.get()
    stream.on_lost(None, 1006)
    with pytest.raises(ConnectionClosed):
        await ask
    assert heard.lost == [1006]


async def test_a_line_that_is_lost_before_it_is_open_is_told(stream: UserStream) -> None:
    """Whoever opens it gets the cause."""
    line = Line()
    line.open.clear()
    opening = asyncio.ensure_future(stream.attach(line))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    stream.on_lost(OSError("refused"), 1006)
    with pytest.raises(OSError, match="refused"):
        await opening


async def test_a_request_on_no_line_is_refused(stream: UserStream) -> None:
    """Nothing waits for what was never sent."""
    with pytest.raises(ConnectionClosed):
        await stream.request("ping", {}, 1.0)


def test_events_go_on(stream: UserStream, heard: Heard) -> None:
    """Wrapped as the venue does now, or bare."""
    stream.on_frame(event(PUSH))
    stream.on_frame(json.dumps(PUSH).encode())
    assert [report.orderid for report, _ in heard.executions] == ["fx-1", "fx-1"]
    balances = [{"a": "BTC", "f": "1.5", "l": "0.5"}]
    stream.on_frame(event({"e": "outboundAccountPosition", "u": 5, "B": balances}))
    assert [str(each.free) for each in heard.holdings[0]] == ["1.5"]


@pytest.mark.parametrize("kind", ["balanceUpdate", "externalLockUpdate"])
def test_a_balance_that_changed_from_outside_is_asked_for(
    stream: UserStream, heard: Heard, kind: str
) -> None:
    """Its event says by how much, not how much there is."""
    stream.on_frame(event({"e": kind}))
    assert heard.missed == ["a balance changed from outside"]


@pytest.mark.parametrize("kind", ["eventStreamTerminated", "serverShutdown"])
def test_an_end_that_is_announced_is_an_end(stream: UserStream, heard: Heard, kind: str) -> None:
    """Though the connection stands."""
    stream.on_frame(event({"e": kind}))
    assert heard.lost == [1001]


def test_an_unknown_event_is_counted_and_passed_over(
    stream: UserStream, heard: Heard, counters: FeedCounters
) -> None:
    """A venue may add some; nothing was missed."""
    for _ in range(3):
        stream.on_frame(event({"e": "neverHeardOf"}))
    assert counters.ignored == 3
    assert heard.missed == []


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[]",
        event({"e": 5}),
        event({**PUSH, "X": "HALF_DONE"}),
        event({**PUSH, "q": "NaN"}),
        event({**PUSH, "x": "TRADE", "l": "0", "L": "0"}),
        event({**PUSH, "T": 10**15}),
        event(PUSH)[:60],
        event({"e": "outboundAccountPosition", "u": 5, "B": [{"a": "BTC"}]}),
    ],
)
def test_what_cannot_be_read_may_have_been_an_order(
    stream: UserStream, heard: Heard, counters: FeedCounters, frame: bytes
) -> None:
    """It is counted, all is asked for, and the next frame is read."""
    stream.on_frame(frame)
    assert heard.missed == ["a frame of the user stream could not be read"]
    assert counters.malformed == 1
    stream.on_frame(event(PUSH))
    assert len(heard.executions) == 1
