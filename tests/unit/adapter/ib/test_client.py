"""The connection to TWS: a failure to open has its real cause, and a loss leaves nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Protocol

import pytest

from foxtrot.adapter.ib import client as client_module
from foxtrot.adapter.ib.client import IbClient, sdk
from foxtrot.adapter.ib.limits import IbPaceManager
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import (
    ClientIdInUse,
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    InvalidState,
    PermissionDenied,
    StreamingError,
    UnknownSymbol,
    VenueUnavailable,
    WrongThread,
)
from foxtrot.model.constants import Environment
from tests.support.ib_door import Door, Fields, frame, standing

QUICK = StreamConfig(connect_timeout_s=0.2, request_timeout_s=0.2, close_timeout_s=0.5)
PATIENT = StreamConfig()


class Execution(Protocol):
    time: dt.datetime


def made(port: int, config: StreamConfig = PATIENT, **changes: object) -> IbClient:
    settings = replace(
        IbSettings(Environment.SIMULATED, "127.0.0.1", port),
        **changes,  # type: ignore[arg-type]
    )
    pace = IbPaceManager(settings.endpoint)
    return IbClient("IB", settings, config, pace, settings.client_id)


@contextlib.asynccontextmanager
async def opened(door: Door, config: StreamConfig = PATIENT) -> AsyncIterator[IbClient]:
    client = made(door.port, config)
    try:
        async with asyncio.timeout(5):
            await client.open()
        yield client
    finally:
        await client.close()


async def failing(door: Door, config: StreamConfig = PATIENT, **changes: object) -> FoxtrotError:
    """What opening raises; the deadline of the test is half of the connection's own."""
    async with standing(door):
        client = made(door.port, config, **changes)
        try:
            with pytest.raises(FoxtrotError) as caught:
                async with asyncio.timeout(5):
                    await client.open()
            assert client.lost.done()
            with pytest.raises(ConnectionClosed):
                await client.tell(lambda raw: raw.reqCurrentTime())
        finally:
            await client.close()
    return caught.value


# -- opening ------------------------------------------------------------------------------------


async def test_knows_what_tws_says_of_itself() -> None:
    """After opening, accounts, version and the next order id are known."""
    async with standing(Door()) as door, opened(door) as client:
        assert client.accounts == ("DU1234567",)
        assert client.account == "DU1234567"
        assert client.server_version == 176
        assert client.next_order_id() == 7
        assert client.next_order_id() == 8
        client.saw_order_id(20)
        client.saw_order_id(3)
        assert client.next_order_id() == 21


async def test_a_refused_connection_says_what_to_look_at() -> None:
    """Nobody listens: the error comes at once, and asks whether TWS is running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = made(taken.getsockname()[1])
        with pytest.raises(ConnectError, match="is TWS or IB Gateway running"):
            async with asyncio.timeout(5):
                await client.open()
        await client.close()


async def test_another_service_at_the_port_is_not_taken_for_tws() -> None:
    """What answers in another protocol is named as such, with where to look."""
    error = await failing(Door(version=b"SSH-2.0-OpenSSH_9.6\r\n"))
    assert type(error) is ConnectError
    assert "no TWS; is this its API port?" in str(error)


async def test_a_client_id_in_use_is_an_error_of_its_own() -> None:
    """Error 326 during the handshake raises ClientIdInUse before any deadline."""
    text = "Unable to connect as the client id is already in use."
    error = await failing(Door(welcome=frame(4, 2, -1, 326, text, ""), after_welcome="eof"))
    assert isinstance(error, ClientIdInUse)
    assert error.client_id == 1


@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_a_close_during_the_handshake_names_its_likely_causes(end: str) -> None:
    """TWS that closes without a word: the error names trusted addresses and the client id."""
    error = await failing(Door(welcome=b"", after_welcome=end))
    assert type(error) is ConnectError
    assert "trusted" in str(error)
    assert "client id 1" in str(error)


@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_a_close_before_the_handshake_is_no_less(end: str) -> None:
    """TWS that closes at once, as to a stranger's address, gets the same words."""
    error = await failing(Door(version=b"", after_hello=end))
    assert type(error) is ConnectError
    assert "trusted" in str(error)


async def test_no_handshake_is_told_as_such() -> None:
    """Somebody accepts and keeps silent: the error says that the handshake is missing."""
    error = await failing(Door(version=b""), QUICK)
    assert isinstance(error, ConnectTimeout)
    assert error.what == "handshake"


@pytest.mark.parametrize("welcome", [b"", frame(15, 1, "DU1234567"), frame(9, 1, 7)])
async def test_half_a_welcome_is_told_as_such(welcome: bytes) -> None:
    """Order id or accounts are missing: the error says so."""
    error = await failing(Door(welcome=welcome), QUICK)
    assert isinstance(error, ConnectTimeout)
    assert error.what == "order id and accounts"


@pytest.mark.parametrize(
    "version",
    [
        b"\x00\x00\x00\x08garbage\x00" + b"\x00\x00\x00\x04a\x00b\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame("no number", "at all"),
    ],
)
async def test_who_speaks_something_else_is_no_tws(version: bytes) -> None:
    """Garbage or HTTP in place of the handshake ends it with a typed error."""
    error = await failing(Door(version=version), QUICK)
    assert isinstance(error, StreamingError)


async def test_a_tws_that_is_too_old_is_told_as_such() -> None:
    """At once, with the version that it speaks and the one that is needed."""
    error = await failing(Door(version=frame(100, "too old")))
    assert type(error) is ConnectError
    assert "too old" in str(error)
    assert "100" in str(error)
    assert "157" in str(error)


@pytest.mark.parametrize(
    ("environment", "account", "field"),
    [
        (Environment.PAPER, "U7654321", "environment"),
        (Environment.SIMULATED, "U7654321", "environment"),
        (Environment.LIVE, "DU7654321", "environment"),
    ],
)
async def test_never_trades_live_by_accident(
    environment: Environment, account: str, field: str
) -> None:
    """A login of another kind than the setting says is refused, and the text names both."""
    door = Door(welcome=frame(15, 1, account) + frame(9, 1, 7))
    error = await failing(door, environment=environment)
    assert isinstance(error, ConfigurationError)
    assert error.field == field
    assert account in str(error)


async def test_an_account_that_tws_does_not_have_is_refused() -> None:
    """The setting names an account that the login does not have: the others are listed."""
    error = await failing(Door(), account="DU999")
    assert isinstance(error, ConfigurationError)
    assert "DU1234567" in str(error)


async def test_what_a_terminal_would_obey_is_not_shown_of_an_account() -> None:
    """Whoever answers at the port may say anything; what people read of it is words."""
    door = Door(welcome=frame(15, 1, "DU1\x1b[2J") + frame(9, 1, 1))
    error = await failing(door, account="DU999")
    assert isinstance(error, ConfigurationError)
    assert "DU1" in str(error)
    assert "\x1b" not in str(error)


async def test_several_accounts_need_a_choice() -> None:
    """With several accounts and none named, only who wants to trade is refused."""
    door = Door(welcome=frame(15, 1, "DU1,DU2") + frame(9, 1, 1))
    async with standing(door), opened(door) as client:
        with pytest.raises(ConfigurationError, match="DU1, DU2"):
            _ = client.account


async def test_a_cancelled_opening_leaves_nothing_behind() -> None:
    """Who gives up while TWS is silent leaves no socket: TWS sees the end of the line."""
    async with standing(Door(version=b"")) as door:
        client = made(door.port)
        opening = asyncio.ensure_future(client.open())
        async with asyncio.timeout(5):
            await door.met.wait()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        async with asyncio.timeout(5):
            await door.ended.wait()
        await client.close()


async def test_is_used_once() -> None:
    """A connection that was opened, or closed, is never opened again."""
    async with standing(Door()) as door, opened(door) as client:
        with pytest.raises(InvalidState):
            await client.open()
        await client.close()
        await client.close()
        with pytest.raises(InvalidState):
            await client.open()


# -- questions ----------------------------------------------------------------------------------


def _details(fields: Fields) -> bytes:
    return frame(4, 2, fields[2], 200, "No security definition has been found", "")


async def test_a_refused_question_raises_what_the_code_means() -> None:
    """An error with a question's id raises its typed error in who asked."""
    async with standing(Door(answers={"9": _details})) as door, opened(door) as client:
        with pytest.raises(UnknownSymbol, match="No security definition"):
            await client.ask(
                "contract", lambda raw, n: raw.reqContractDetails(n, sdk().Contract(conId=1))
            )
        assert client.requests.in_flight == ()


def _no_warning(fields: Fields) -> bytes:
    number = fields[1]
    return frame(4, 2, number, 2174, "time zone", "") + frame(88, number, "1700000000")


async def test_a_warning_does_not_end_a_question() -> None:
    """A warning with a question's id is no answer; the answer after it is."""
    async with standing(Door(answers={"87": _no_warning})) as door, opened(door) as client:
        rows = await client.ask(
            "head",
            lambda raw, n: raw.reqHeadTimeStamp(n, sdk().Contract(conId=1), "TRADES", True, 2),
        )
        assert rows == ["1700000000"]


async def test_a_question_without_an_answer_is_taken_back() -> None:
    """At the deadline the question raises, is cancelled at TWS, and is forgotten."""
    async with standing(Door()) as door, opened(door, QUICK) as client:
        with pytest.raises(VenueUnavailable, match="head was not answered"):
            await client.ask(
                "head",
                lambda raw, n: raw.reqHeadTimeStamp(n, sdk().Contract(conId=1), "TRADES", True, 2),
                cancel=lambda raw, n: raw.cancelHeadTimeStamp(n),
            )
        asked, cancelled = await door.hear("87"), await door.hear("90")
        assert cancelled[1] == asked[1]
        assert client.requests.in_flight == ()


async def test_questions_of_one_kind_wait_for_each_other() -> None:
    """Two questions that share an end are asked one after the other, and both are answered."""
    async with standing(Door()) as door, opened(door) as client:
        first = asyncio.ensure_future(client.ask_named("openOrders", lambda r: r.reqOpenOrders()))
        await door.hear("5")
        second = asyncio.ensure_future(
            client.ask_named("allOpenOrders", lambda r: r.reqAllOpenOrders())
        )
        probe = asyncio.ensure_future(client.ask_named("currentTime", lambda r: r.reqCurrentTime()))
        await door.hear("49")
        assert not any(fields[0] == "16" for fields in door.heard)
        door.send(frame(53, 1), frame(49, 1, 1700000000))
        assert await first == []
        assert await probe == [1700000000]
        await door.hear("16")
        door.send(frame(53, 1))
        assert await second == []


async def test_a_tws_that_may_only_read_says_so_at_once() -> None:
    """Error 321 about Read-Only mode names no question: those about orders end with advice."""
    text = "Error validating request.-'bW' : cause - The API interface is in Read-Only mode."
    refusal = frame(4, 2, -1, 321, text, "")
    async with standing(Door(answers={"5": lambda _: refusal})) as door, opened(door) as client:
        positions = asyncio.ensure_future(client.ask_named("positions", lambda r: r.reqPositions()))
        await door.hear("61")
        with pytest.raises(PermissionDenied, match="switch off Read-Only API"):
            await client.ask_named("openOrders", lambda raw: raw.reqOpenOrders())
        assert not positions.done()
        door.send(frame(62, 1))
        assert await positions == []


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """An answer that comes after its deadline does not end the next question of its kind."""
    async with standing(Door()) as door, opened(door) as client:
        with pytest.raises(VenueUnavailable):
            await client.ask_named("openOrders", lambda r: r.reqOpenOrders(), timeout_s=0.05)
        second = asyncio.ensure_future(
            client.ask_named("allOpenOrders", lambda r: r.reqAllOpenOrders())
        )
        await door.hear("16")
        probe = asyncio.ensure_future(client.probe())
        await door.hear("49")
        door.send(frame(53, 1), frame(49, 1, 1))
        await probe
        assert not second.done()
        door.send(frame(53, 1))
        assert await second == []


async def test_a_sign_of_life_waits_behind_no_crowd() -> None:
    """Thousands of messages that wait for their turn are no reason to take TWS for dead."""
    quick = replace(PATIENT, probe_s=3.0)
    answers = {"49": lambda _: frame(49, 1, 1)}
    async with standing(Door(answers=answers)) as door, opened(door, quick) as client:
        crowd = [asyncio.ensure_future(client.tell(lambda raw: raw.reqIds(1))) for _ in range(400)]
        await asyncio.sleep(0)
        await client.probe()
        assert sum(each.done() for each in crowd) < 400
        for each in crowd:
            each.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


async def test_a_list_that_stays_unanswered_costs_the_line() -> None:
    """The second time in a row: what never came would be taken out of every answer after it."""
    async with standing(Door()) as door, opened(door) as client:
        for lost in (False, True):
            with pytest.raises(VenueUnavailable, match="openOrders was not answered"):
                await client.ask_named("openOrders", lambda r: r.reqOpenOrders(), timeout_s=0.05)
            assert client.lost.done() is lost


async def test_a_question_has_its_time_from_its_turn_on() -> None:
    """A hundred questions at once are answered, though their turns take longer than an answer."""
    async with standing(Door(answers={"87": _no_warning})) as door, opened(door, QUICK) as client:
        asking = [
            client.ask(
                "head",
                lambda raw, n: raw.reqHeadTimeStamp(n, sdk().Contract(conId=1), "TRADES", True, 2),
            )
            for _ in range(30)
        ]
        assert await asyncio.gather(*asking) == [["1700000000"]] * 30


async def test_a_sink_hears_what_answers_no_question() -> None:
    """A sink gets the callbacks that it has methods for; what it raises harms nobody."""

    class Sink:
        def __init__(self) -> None:
            self.heard: list[object] = []

        def orderStatus(self, order_id: int, status: str, *_: object) -> None:
            self.heard.append((order_id, status))
            raise RuntimeError("the sink is broken")

        def error(self, req_id: int, code: int, text: str, advanced: str) -> None:
            self.heard.append((req_id, code))

    async with standing(Door()) as door, opened(door) as client:
        client.inbox.trading = sink = Sink()
        probe = asyncio.ensure_future(client.probe())
        await door.hear("49")
        status = frame(3, 7, "Submitted", 0, 1, 0, 99, 0, 0, 1, "", 0)
        door.send(frame(4, 2, 7, 399, "held", ""), status, frame(49, 1, 1))
        await probe
        assert sink.heard == [(7, 399), (7, "Submitted")]
        assert client.inbox.malformed == {"orderStatus": 1}


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is eight hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Hong_Kong")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
@pytest.mark.parametrize(
    "told",
    [
        "20251104-14:13:24",  # TWS's "UTC format"
        "20251104 14:13:24 UTC",
        "20251104 15:13:24 MET",
        "20251104 09:13:24 US/Eastern",
        "20251104 23:13:24 JST",  # a zone of older gateways that no machine knows
        "20251104  22:13:24",  # of TWS's own zone, which is thought to be this machine's
    ],
)
async def test_a_fill_is_dated_right_however_tws_writes_it(told: str) -> None:
    """The libraries take UTC for this machine's time, and drop a fill of an unknown zone."""
    seen: list[float] = []

    class Sink:
        def execDetails(self, req_id: int, contract: object, execution: Execution) -> None:
            seen.append(execution.time.timestamp())

    sink, names = Sink(), (265598, "AAPL", "STK", "", 0.0, "", "", "SMART", "USD", "AAPL", "NMS")
    rest = ("DU1234567", "NYSE", "BOT", 22, 22.96, 179749072, 1, 0, 22, 22.96, "fx-1", "", "", "")
    async with standing(Door()) as door, opened(door) as client:
        client.inbox.trading = sink
        probe = asyncio.ensure_future(client.probe())
        await door.hear("49")
        door.send(frame(11, -1, 7, *names, "00c8.01.01", told, *rest, 2), frame(49, 1, 1))
        await probe
    assert seen == [1762265604]


async def test_an_unreadable_message_is_counted_and_passed_over() -> None:
    """A message with fields missing does not end the connection, and shows nothing of itself."""
    async with standing(Door()) as door, opened(door) as client:
        probe = asyncio.ensure_future(client.probe())
        await door.hear("49")
        door.send(frame(11, "DU1234567"), frame(49, 1, 1))
        await probe
        assert client.inbox.malformed == {"decode": 1}


# -- losing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
async def test_questions_fail_when_the_line_is_lost(reset: bool) -> None:
    """Whoever waits for an answer hears of the loss at once, by whatever end."""
    async with standing(Door()) as door, opened(door) as client:
        asking = [
            asyncio.ensure_future(client.ask("x", lambda r, n: r.reqMatchingSymbols(n, "A"))),
            asyncio.ensure_future(client.ask_named("positions", lambda r: r.reqPositions())),
        ]
        await door.hear("81")
        await door.hear("61")
        door.end(reset=reset)
        async with asyncio.timeout(5):
            results = await asyncio.gather(*asking, return_exceptions=True)
            lost = await client.lost
        assert [type(each) for each in results] == [ConnectionClosed, ConnectionClosed]
        assert isinstance(lost, ConnectionClosed)
        with pytest.raises(ConnectionClosed):
            await client.tell(lambda raw: raw.reqCurrentTime())


async def test_questions_fail_when_it_is_closed() -> None:
    """Closing does not leave anybody waiting, and TWS sees a polite end."""
    async with standing(Door()) as door, opened(door) as client:
        asking = asyncio.ensure_future(client.ask_named("positions", lambda r: r.reqPositions()))
        await door.hear("61")
        await client.close()
        with pytest.raises(ConnectionClosed):
            await asking
        async with asyncio.timeout(5):
            await door.ended.wait()


async def test_an_impossible_length_ends_the_connection() -> None:
    """A frame that would be gigabytes long is not waited for."""
    async with standing(Door()) as door, opened(door) as client:
        door.send(b"\xff\xff\xff\xff", frame(49, 1, 1))
        async with asyncio.timeout(5):
            lost = await client.lost
        assert "length" in str(lost)


async def test_a_gateway_that_hangs_is_closed_all_the_same() -> None:
    """A peer that never closes its side is cut off at the deadline."""
    async with standing(Door()) as door, opened(door, QUICK) as client:
        assert door.writer is not None
        door.writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await client.close()


async def test_another_thread_is_refused() -> None:
    """Every use from a thread that does not own the connection raises WrongThread."""
    async with standing(Door()) as door, opened(door) as client:
        for use in (client.next_order_id, client.new_request_id, lambda: client.raw):
            with pytest.raises(WrongThread):
                await asyncio.to_thread(use)

        def told() -> None:
            asyncio.run(client.tell(lambda raw: raw.reqCurrentTime()))

        with pytest.raises(WrongThread):
            await asyncio.to_thread(told)
        assert not any(fields[0] == "49" for fields in door.heard)


def test_ids_of_requests_are_far_from_ids_of_orders() -> None:
    """An error's id means an order or a request, never both: the ids do not overlap."""
    assert client_module.FIRST_REQUEST_ID > 100_000_000
    assert client_module.FIRST_REQUEST_ID * 2 < 2**31
