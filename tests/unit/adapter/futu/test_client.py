"""The connection to OpenD: an attempt ends in time and says why, and nothing of it is left."""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from Crypto.PublicKey import RSA

from foxtrot.adapter.futu import client as client_module
from foxtrot.adapter.futu.client import FutuClient
from foxtrot.adapter.futu.schema import Message, Proto, c2s_of
from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    HeartbeatTimeout,
    InvalidState,
    MalformedMessage,
    NameResolutionError,
    PermissionDenied,
    StreamingError,
    UnknownSymbol,
    VenueUnavailable,
    WrongThread,
)
from foxtrot.simulator.futu import SimulatedFutu
from tests.support.futu_line import DEADLINE_S, PATIENT, QUICK, made, opened
from tests.support.futu_venue import running_futu


@pytest.fixture
def venue() -> Iterator[SimulatedFutu]:
    """An OpenD."""
    with running_futu() as opend:
        yield opend


async def failing(port: int, config: StreamConfig = PATIENT, **changes: object) -> FoxtrotError:
    """What opening raises."""
    client = made(port, config, **changes)
    try:
        with pytest.raises(FoxtrotError) as caught:
            async with asyncio.timeout(DEADLINE_S):
                await client.open()
        assert client.lost.done()
    finally:
        await client.close()
    return caught.value


def static_of(code: str) -> Message:
    """The question what OpenD knows of a stock of Hong Kong."""
    c2s = c2s_of(Proto.Qot_GetStaticInfo)
    c2s.securityList.add(market=1, code=code)
    return c2s


async def lost(client: FutuClient) -> FoxtrotError:
    """Why the connection is gone."""
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.shield(client.lost)


# -- opening ------------------------------------------------------------------------------------


async def test_an_open_connection_knows_its_number_and_asks(venue: SimulatedFutu) -> None:
    """After the handshake, one question is one round trip, and a probe is answered."""
    async with opened(venue.port) as client:
        assert client.conn_id
        assert client.server_version == 1011
        answer = await client.ask(Proto.Qot_GetStaticInfo, static_of("00700"))
        assert answer.staticInfoList[0].basic.lotSize == 100
        await client.probe()
        assert client.received == 3


async def test_an_absent_opend_is_refused_at_once() -> None:
    """Nobody listens: the error comes before any deadline, and asks whether OpenD is running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await failing(taken.getsockname()[1])
    assert type(error) is ConnectError
    assert "is OpenD running" in str(error)


async def test_a_silent_opend_costs_the_deadline(venue: SimulatedFutu) -> None:
    """It accepts and says nothing: the attempt ends at its deadline, the next one is free."""
    venue.faults.inject("mute")
    assert isinstance(await failing(venue.port, QUICK), ConnectTimeout)
    venue.faults.clear()
    async with opened(venue.port) as client:
        await client.probe()


@pytest.mark.parametrize(
    "fault", ["half_frame", "bad_checksum", "unknown_format", "corrupt_length"]
)
async def test_a_broken_handshake_is_one_failed_attempt(venue: SimulatedFutu, fault: str) -> None:
    """Half a frame, a wrong checksum, format or length: an error at once, and then a connection."""
    venue.faults.inject(fault, count=1)
    error = await failing(venue.port)
    assert type(error) is ConnectError
    assert "handshake" in str(error)
    async with opened(venue.port) as client:
        await client.probe()


async def test_a_refused_login_says_so_once_and_always(venue: SimulatedFutu) -> None:
    """OpenD says no: an error with its words, each time; when it says yes, all is well."""
    venue.faults.inject("error_ack", request="init_connect", count=2)
    for _ in range(2):
        error = await failing(venue.port)
        assert type(error) is ConnectError
        assert "OpenD refused it" in str(error)
    async with opened(venue.port):
        pass


async def test_a_name_without_an_address_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that no resolver knows is an error of its own."""

    def unknown(host: str) -> str:
        raise socket.gaierror

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    assert isinstance(await failing(11111, host="opend.invalid"), NameResolutionError)


async def test_a_machine_without_a_socket_to_spare_is_a_failed_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever asks has to know one kind of error alone; the words are the system's."""

    def full(*args: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def load() -> SimpleNamespace:
        return SimpleNamespace(connect=full)

    monkeypatch.setattr(client_module, "load", load)
    error = await failing(11111)
    assert type(error) is ConnectError
    assert "too many open files" in str(error)


async def test_it_is_opened_once(venue: SimulatedFutu) -> None:
    """A used connection cannot be opened again."""
    async with opened(venue.port) as client:
        with pytest.raises(InvalidState):
            await client.open()


async def test_a_line_that_closes_right_behind_the_handshake_was_never_open(
    venue: SimulatedFutu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answer and end come at once: the attempt has failed, and no signs of life are given later."""
    client = made(venue.port)

    def answered(proto: int, serial: int, body: bytes) -> None:
        client._on_answer(proto, serial, body)
        client._on_lost(None)

    monkeypatch.setattr(client._line, "_answered", answered)
    with pytest.raises(ConnectError, match="handshake"):
        async with asyncio.timeout(DEADLINE_S):
            await client.open()
    assert client._pulse is None
    await client.close()


async def test_closing_ends_an_attempt_under_way(venue: SimulatedFutu) -> None:
    """Who closes a connection that still opens need not wait for its deadline."""
    venue.faults.inject("mute")
    client = made(venue.port)
    opening = asyncio.ensure_future(client.open())
    async with asyncio.timeout(DEADLINE_S):
        while not venue.connections:  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectError):
            await opening


async def test_closing_ends_an_attempt_that_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host that takes no packets: who closes need not wait for the connection's deadline."""
    begun = asyncio.Event()

    class Nowhere:
        def connect(self, *args: object) -> tuple[int, SimpleNamespace]:
            begun.set()
            return 0, SimpleNamespace(conn_id=1)

        def close(self, conn_id: int) -> None: ...

    async def load() -> Nowhere:
        return Nowhere()

    monkeypatch.setattr(client_module, "load", load)
    client = made(11111, replace(PATIENT, close_timeout_s=0.0))
    opening = asyncio.ensure_future(client.open())
    async with asyncio.timeout(DEADLINE_S):
        await begun.wait()
        await client.close()
        with pytest.raises(ConnectError, match="closed"):
            await opening


# -- encryption ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> str:
    """A private key as OpenD takes it."""
    return RSA.generate(1024).export_key().decode()


async def test_an_encrypted_line_works_as_any_other(key: str, tmp_path: Path) -> None:
    """With OpenD's key, questions are encrypted and answered."""
    file = tmp_path / "key.pem"
    file.write_text(key)
    with running_futu(rsa_key=key) as venue:
        async with opened(venue.port, rsa_key_file=str(file)) as client:
            answer = await client.ask(Proto.Qot_GetStaticInfo, static_of("00005"))
            assert answer.staticInfoList[0].basic.lotSize == 400


@pytest.mark.parametrize(("secret", "vector"), [("short", "0" * 16), ("0" * 16, "")])
async def test_a_cipher_that_cannot_be_used_is_a_failed_handshake(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, vector: str
) -> None:
    """OpenD tells a key and a vector of sixteen characters each, or there is no connection."""
    file = tmp_path / "key.pem"
    file.write_text(key)
    told = iter([secret, vector])
    monkeypatch.setattr("foxtrot.simulator.futu_hall.secrets.token_hex", lambda size: next(told))
    with running_futu(rsa_key=key) as opend:
        error = await failing(opend.port, rsa_key_file=str(file))
    assert isinstance(error, ConnectError)
    assert "handshake failed" in str(error)


async def test_a_missing_key_is_said_to_be_missing(key: str) -> None:
    """An OpenD that encrypts ends the handshake of who does not; the error names the setting."""
    with running_futu(rsa_key=key) as venue:
        error = await failing(venue.port)
    assert "rsa_key_file" in str(error)


@pytest.mark.parametrize("text", [None, "no key at all"])
async def test_a_key_that_cannot_be_used_is_a_wrong_setting(
    venue: SimulatedFutu, tmp_path: Path, text: str | None
) -> None:
    """No file, or no key in it: a configuration error, which is not tried again."""
    file = tmp_path / "key.pem"
    if text is not None:
        file.write_text(text)
    error = await failing(venue.port, rsa_key_file=str(file))
    assert isinstance(error, ConfigurationError)
    assert "rsa_key_file" in str(error)


# -- questions ----------------------------------------------------------------------------------


async def test_a_refusal_has_opends_words_and_code(venue: SimulatedFutu) -> None:
    """A stock that does not exist is an UnknownSymbol, and the connection stays."""
    async with opened(venue.port) as client:
        with pytest.raises(UnknownSymbol, match="NOPE"):
            await client.ask(Proto.Qot_GetStaticInfo, static_of("NOPE"))
        await client.probe()


async def test_an_answer_that_does_not_come_has_a_deadline(venue: SimulatedFutu) -> None:
    """One lost answer is told at its deadline; the line, which lives, stays."""
    async with opened(venue.port) as client:
        venue.faults.inject("bad_checksum", count=1)
        with pytest.raises(MalformedMessage):
            await client.ask(Proto.Qot_GetStaticInfo, static_of("00700"))
        await client.probe()


async def test_a_line_that_went_dead_is_given_up(venue: SimulatedFutu) -> None:
    """Nothing at all is answered: the question fails at its deadline, and the line with it."""
    async with opened(venue.port, QUICK) as client:
        venue.faults.inject("mute")
        with pytest.raises(VenueUnavailable, match=r"within 0\.2 s"):
            await client.ask(Proto.Qot_GetStaticInfo, static_of("00700"))
        assert isinstance(await lost(client), HeartbeatTimeout)


async def test_a_loss_leaves_nobody_waiting(venue: SimulatedFutu) -> None:
    """The line drops while a question is open: it fails at once, and nothing is sent any more."""
    async with opened(venue.port) as client:
        venue.faults.inject("mute")
        question = asyncio.ensure_future(client.ask(Proto.Qot_GetStaticInfo, static_of("00700")))
        await asyncio.sleep(0)
        venue.faults.inject("rst")
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(DEADLINE_S):
                await question
        assert isinstance(await lost(client), ConnectionClosed)
        before = client.received
        with pytest.raises(ConnectionClosed):
            await client.ask(Proto.Qot_GetStaticInfo, static_of("00700"))
        assert client.received == before


async def test_a_length_that_cannot_be_ends_the_line(venue: SimulatedFutu) -> None:
    """After a frame of two gigabytes nothing can be trusted: the line is given up at once."""
    async with opened(venue.port) as client:
        venue.faults.inject("corrupt_length", count=1)
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(DEADLINE_S):
                await client.ask(Proto.Qot_GetStaticInfo, static_of("00700"))
        assert type(await lost(client)) is StreamingError


async def test_another_thread_is_turned_away(venue: SimulatedFutu) -> None:
    """A connection belongs to its loop's thread."""
    async with opened(venue.port) as client:
        caught: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(client.probe())
            except WrongThread as error:
                caught.append(error)

        await asyncio.to_thread(elsewhere)
        assert caught


# -- pushes -------------------------------------------------------------------------------------


async def test_pushes_come_on_the_network_thread_and_one_bad_one_costs_no_other(
    venue: SimulatedFutu,
) -> None:
    """What a sink cannot take, and what cannot be read, is counted; the next push comes."""
    told: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
    uncounted: queue.SimpleQueue[str] = queue.SimpleQueue()

    def sink(s2c: Message) -> None:
        if s2c.event.desc == "bad":
            raise ValueError
        told.put((threading.get_ident(), s2c.event.desc))

    client = made(venue.port)
    client.unreadable = uncounted.put
    client.on_push(Proto.Notify, sink)
    await client.open()
    try:
        for text in ("bad", "good"):
            venue.on_loop(lambda text=text: venue.hall.tell_event(1, text))
        thread, text = await asyncio.to_thread(told.get, timeout=DEADLINE_S)
        assert (text, uncounted.get(timeout=DEADLINE_S)) == ("good", "Notify")
        assert thread != threading.get_ident()
    finally:
        await client.close()


async def test_an_order_carries_the_connections_own_number(venue: SimulatedFutu) -> None:
    """A packet id is filled in, anew for each order; trading is refused while it is locked."""
    async with opened(venue.port) as client:
        numbers = set()
        for _ in range(2):
            c2s = c2s_of(Proto.Trd_PlaceOrder)
            c2s.header.trdEnv, c2s.header.accID, c2s.header.trdMarket = 1, 281756457982434020, 1
            c2s.trdSide, c2s.orderType, c2s.code, c2s.qty, c2s.price = 1, 1, "00700", 100, 600.0
            c2s.secMarket = 1
            with pytest.raises(PermissionDenied):
                await client.ask(Proto.Trd_PlaceOrder, c2s)
            assert c2s.packetID.connID == client.conn_id
            numbers.add(c2s.packetID.serialNo)
        assert len(numbers) == 2


# -- nothing is left ----------------------------------------------------------------------------


async def test_two_hundred_connects_and_kills_leave_nothing(venue: SimulatedFutu) -> None:
    """Good, refused, cut and broken attempts: no thread, socket or descriptor more than before."""
    async with opened(venue.port):
        pass
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for turn in range(200):
        kind = ("", "half_frame", "error_ack", "rst")[turn % 4]
        if kind in ("half_frame", "error_ack"):
            venue.faults.inject(kind, count=1)
        client = made(venue.port)
        try:
            await client.open()
            if kind == "rst":
                venue.faults.inject("rst")
        except ConnectError:
            pass
        await client.close()
        venue.faults.clear()
    async with asyncio.timeout(DEADLINE_S):
        while venue.connections:  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(0)
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= files
