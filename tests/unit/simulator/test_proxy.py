"""A line through the proxy suffers what it is told to, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from foxtrot.simulator.proxy import HOST, TcpProxy, TcpProxyThread, serve

WAIT_S = 10.0
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ANSWER = bytes(range(256)) * 8


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """Sends back what comes, until it ends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """In front of an echo."""
    async with echo() as port:
        proxy = TcpProxy(port, seed=7)
        await proxy.start()
        try:
            yield proxy
        finally:
            await proxy.stop()


@asynccontextmanager
async def calling(proxy: TcpProxy) -> AsyncIterator[Client]:
    """A client of it that has had an answer already."""
    client = await asyncio.open_connection(HOST, proxy.port)
    try:
        client[1].write(b"!")
        assert await read(client, 1) == b"!"
        yield client
    finally:
        client[1].transport.abort()


async def read(client: Client, size: int) -> bytes:
    """So many bytes, or fewer before the end."""
    async with asyncio.timeout(WAIT_S):
        try:
            return await client[0].readexactly(size)
        except asyncio.IncompleteReadError as short:
            return short.partial


async def pieces(client: Client, size: int) -> list[int]:
    """The sizes of what came at once, until that much had come."""
    sizes: list[int] = []
    async with asyncio.timeout(WAIT_S):
        while sum(sizes) < size:
            sizes.append(len(await client[0].read(1 << 16)))
    return sizes


async def turns(count: int = 200) -> None:
    """Let everything happen that needs no time."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_without_a_toxic_all_bytes_pass_and_an_end_is_an_end(proxy: TcpProxy) -> None:
    """A healthy line adds and takes nothing."""
    async with calling(proxy) as client:
        client[1].write(ANSWER * 100)
        assert await read(client, len(ANSWER) * 100) == ANSWER * 100
        client[1].write_eof()
        assert await read(client, 1) == b""


async def test_a_late_line_keeps_the_order(proxy: TcpProxy) -> None:
    """Latency with jitter makes bytes late, each by its own, but never changes their places."""
    async with calling(proxy) as client:
        proxy.toxics.inject("latency", delay_s=0.02, jitter_s=0.02)
        started = asyncio.get_running_loop().time()
        for number in range(50):
            client[1].write(bytes([number]))
            await turns(3)
        assert await read(client, 50) == bytes(range(50))
        assert asyncio.get_running_loop().time() > started


async def test_a_narrow_line_takes_its_time(proxy: TcpProxy) -> None:
    """Two thousand bytes at ten thousand a second are not there before a fifth of a second."""
    async with calling(proxy) as client:
        proxy.toxics.inject("bandwidth", rate_bytes_s=10_000, stream="upstream")
        started = asyncio.get_running_loop().time()
        client[1].write(ANSWER)
        assert await read(client, len(ANSWER)) == ANSWER
        assert asyncio.get_running_loop().time() - started >= len(ANSWER) / 10_000


async def test_pieces_are_as_small_as_asked_for(proxy: TcpProxy) -> None:
    """One to seven bytes at a time, and all of them."""
    async with calling(proxy) as client:
        proxy.toxics.inject("slicer", size_bytes=4, variation_bytes=3, delay_s=0.001)
        client[1].write(ANSWER[:300])
        sizes = await pieces(client, 300)
        assert sum(sizes) == 300
        assert len(sizes) > 300 / 7 / 4  # a busy reader may find several at once


async def test_while_it_is_down_nobody_listens(proxy: TcpProxy) -> None:
    """Every connection is cut, none is taken; when it is up again, it is where it was."""
    async with calling(proxy) as client:
        proxy.toxics.inject("down")
        with pytest.raises(ConnectionResetError):
            await read(client, 1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, proxy.port)
        proxy.toxics.clear("down")
        async with calling(proxy):
            pass


async def test_nothing_leaves_a_black_hole(proxy: TcpProxy) -> None:
    """What is sent into it is lost, and so is an end; what comes after it is not."""
    async with calling(proxy) as client:
        proxy.toxics.inject("timeout")
        client[1].write(b"lost")
        await turns()
        assert not client[0].at_eof()
        proxy.toxics.clear()
        client[1].write(b"found")
        assert await read(client, 5) == b"found"


async def test_an_end_inside_a_black_hole_is_told_after_it(proxy: TcpProxy) -> None:
    """A peer that went away in the dark is gone when the light is on again."""
    async with calling(proxy) as client:
        proxy.toxics.inject("timeout")
        client[1].write_eof()
        await turns()
        assert not client[0].at_eof()
        proxy.toxics.clear()
        assert await read(client, 1) == b""


async def test_a_line_that_times_out_is_closed(proxy: TcpProxy) -> None:
    """Nothing comes, and then the end."""
    async with calling(proxy) as client:
        proxy.toxics.inject("timeout", delay_s=0.01)
        client[1].write(b"lost")
        assert await read(client, 4) == b""


async def test_a_reset_is_a_reset(proxy: TcpProxy) -> None:
    """Live connections and new ones are reset as long as it stands."""
    async with calling(proxy) as client:
        proxy.toxics.inject("reset_peer")
        with pytest.raises(ConnectionResetError):
            await read(client, 1)
        later = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises(ConnectionResetError):
            await read(later, 1)
        later[1].close()


async def test_a_slow_end_comes_late(proxy: TcpProxy) -> None:
    """All bytes are there long before the end."""
    async with calling(proxy) as client:
        proxy.toxics.inject("slow_close", delay_s=0.05)
        started = asyncio.get_running_loop().time()
        client[1].write(b"bye")
        client[1].write_eof()
        assert await read(client, 4) == b"bye"
        assert asyncio.get_running_loop().time() - started >= 0.05


async def test_a_line_ends_after_so_many_bytes(proxy: TcpProxy) -> None:
    """Nothing comes beyond the limit."""
    async with calling(proxy) as client:
        proxy.toxics.inject("limit_data", size_bytes=100)
        client[1].write(ANSWER)
        assert await read(client, len(ANSWER)) == ANSWER[:100]


async def test_a_half_open_line_stays_dead_and_the_next_one_lives(proxy: TcpProxy) -> None:
    """Neither end is told; who connects anew is served."""
    async with calling(proxy) as client:
        proxy.toxics.inject("half_open")
        client[1].write(b"anybody?")
        proxy.toxics.clear()
        await turns()
        assert not client[0].at_eof()
        async with calling(proxy) as other:
            other[1].write(b"hello")
            assert await read(other, 5) == b"hello"
        assert proxy.connections == 2


async def test_bits_are_wrong_here_and_there(proxy: TcpProxy) -> None:
    """As many bytes as before, about one in a hundred of them wrong."""
    async with calling(proxy) as client:
        proxy.toxics.inject("corrupt", size_bytes=100)
        client[1].write(ANSWER)
        got = await read(client, len(ANSWER))
        assert len(got) == len(ANSWER)
        wrong = sum(a != b for a, b in zip(got, ANSWER, strict=True))
        assert len(ANSWER) / 400 < wrong < len(ANSWER) / 50


async def test_only_its_share_of_connections_suffers() -> None:
    """Which ones is the seed's choice."""
    async with echo() as port:
        proxy = TcpProxy(port, seed=3)
        await proxy.start()
        toxic = proxy.toxics.inject("limit_data", size_bytes=2, toxicity=0.5)
        struck = []
        for number in range(1, 9):
            async with calling(proxy) as client:
                client[1].write(b"abc")
                struck.append(await read(client, 3) == b"a")
                assert struck[-1] == toxic.strikes(3, number)
        assert set(struck) == {True, False}
        await proxy.stop()


async def test_nobody_behind_it_looks_like_nobody() -> None:
    """A client is cut off when there is nobody to pass on to."""
    proxy = TcpProxy(1)
    await proxy.start()
    client = await asyncio.open_connection(HOST, proxy.port)
    assert await read(client, 1) == b""
    client[1].close()
    await proxy.stop()


def test_toxics_change_from_any_thread() -> None:
    """A proxy on its own thread has done what it was told when the call returns."""
    with TcpProxyThread(TcpProxy(1)) as thread:
        proxy = thread.venue
        proxy.toxics.inject("down")
        with pytest.raises(ConnectionRefusedError):
            asyncio.run(_connect(proxy.port))
        proxy.toxics.clear()
        asyncio.run(_connect(proxy.port))


async def _connect(port: int) -> None:
    _, writer = await asyncio.open_connection(HOST, port)
    writer.close()


async def test_a_person_switches_toxics_over_http() -> None:
    """The control endpoint is that of the simulated venues."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with echo() as port:
        proxy = TcpProxy(port)
        serving = asyncio.create_task(serve(proxy, ready.set_result))
        url = await asyncio.wait_for(ready, WAIT_S)
        async with aiohttp.ClientSession() as http:
            toxic = {"name": "limit_data", "size_bytes": 3}
            async with http.post(url, json=toxic) as answer:
                assert answer.status == 201
            async with http.post(url, json={"name": "nothing"}) as answer:
                assert answer.status == 400
            assert [each.name for each in proxy.toxics.faults()] == ["limit_data"]
            async with http.delete(url) as answer:
                assert await answer.json() == []
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert proxy.toxics.faults() == ()
