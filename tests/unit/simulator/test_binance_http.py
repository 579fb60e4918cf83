"""The front door: handshakes, faults of requests, the control endpoint."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_limits import Limits


@pytest.mark.parametrize("path", ["/ws", "/ws/7", "/stream", "/stream/ws", "/stream/ws/3"])
async def test_streams_are_served_at_every_path_binance_and_sdks_use(connect, path: str) -> None:
    """Numbers in the path, as ccxt puts them there, name no stream."""
    stream = await connect(path)
    assert (await stream.ask("LIST_SUBSCRIPTIONS"))["result"] == []


async def test_streams_can_be_named_in_the_url(sim: SimulatedBinance, connect) -> None:
    """One after /ws/ comes raw; several after ?streams= come wrapped."""
    raw = await connect("/ws/btcusdt@bookTicker")
    wrapped = await connect("/stream?streams=ethusdt@bookTicker/ethbtc@bookTicker")
    sim.tick("BTCUSDT")
    sim.tick("ETHBTC")
    assert (await raw.json())["s"] == "BTCUSDT"
    assert (await wrapped.json())["stream"] == "ethbtc@bookTicker"


async def test_listen_keys_are_refused(connect) -> None:
    """A path that can only be a listen key is gone."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect("/ws/" + "x" * 60)
    assert refused.value.status == 410


@pytest.mark.parametrize("limits", [Limits(connections=2)])
async def test_too_many_handshakes_are_refused(connect) -> None:
    """429, with the time to wait."""
    await connect()
    await connect()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect()
    assert refused.value.status == 429
    assert refused.value.headers is not None
    assert 299 <= int(refused.value.headers["Retry-After"]) <= 301


@pytest.mark.parametrize("limits", [Limits(streams_per_connection=2)])
async def test_too_many_streams_in_the_url_are_refused(connect) -> None:
    """The limit holds for the URL as for commands."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect("/stream?streams=a@trade/b@trade/c@trade")
    assert refused.value.status == 400


async def test_the_websocket_api_refuses_by_name(sim: SimulatedBinance, connect) -> None:
    """What the venue cannot do is refused in words, and nonsense too."""
    stream = await connect("/ws-api/v3")
    await stream.socket.send_json({"id": "a", "method": "sor.order.place", "params": {}})
    reply = await stream.json()
    assert (reply["id"], reply["status"], reply["error"]["code"]) == ("a", 400, -1020)
    await stream.socket.send_str("{")
    assert (await stream.json())["id"] is None


async def test_refused_handshakes_are_reset_or_answered(sim: SimulatedBinance, connect) -> None:
    """Without a status the line drops; requests still work unless they are meant too."""
    sim.faults.inject("refuse")
    with pytest.raises(aiohttp.ClientError):
        await connect()
    sim.faults.clear()
    sim.faults.inject("refuse", status=503, count=1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect()
    assert refused.value.status == 503
    await connect()


async def test_refused_requests_are_reset(
    sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """With `rest` no request is answered either."""
    sim.faults.inject("refuse", rest=True)
    with pytest.raises(aiohttp.ClientError):
        await session.get(sim.rest_url + "/api/v3/time")


async def test_a_slow_handshake_takes_its_time(sim: SimulatedBinance, connect) -> None:
    """Until then the client knows nothing."""
    sim.faults.inject("slow_handshake", seconds=3_600)
    opening = asyncio.ensure_future(connect())
    done, _ = await asyncio.wait({opening}, timeout=0.1)
    assert not done
    opening.cancel()
    sim.faults.clear()
    sim.faults.inject("slow_handshake", seconds=0.001)
    await connect()


async def test_a_mute_venue_leaves_handshakes_hanging(sim: SimulatedBinance, connect) -> None:
    """They go on when it speaks again."""
    sim.faults.inject("mute")
    opening = asyncio.ensure_future(connect())
    done, _ = await asyncio.wait({opening}, timeout=0.2)
    assert not done
    sim.faults.clear()
    async with asyncio.timeout(5):
        await opening


async def test_a_mute_venue_leaves_requests_hanging_if_told(
    sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """With `rest` a request gets no answer while the fault stands; without, it does."""
    url = sim.rest_url + "/api/v3/time"
    sim.faults.inject("mute")
    async with session.get(url) as response:
        assert response.status == 200
    sim.faults.clear()
    sim.faults.inject("mute", rest=True)
    with pytest.raises(TimeoutError):
        await session.get(url, timeout=aiohttp.ClientTimeout(total=0.2))
    sim.faults.clear()
    async with session.get(url) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "fault", [{"name": "mute", "rest": True}, {"name": "latency", "seconds": 60}]
)
async def test_requests_to_one_path_alone_can_be_slow_or_hang(
    sim: SimulatedBinance, session: aiohttp.ClientSession, until, fault: dict
) -> None:
    """With a path a fault concerns requests to it, and no others."""
    params = {name: value for name, value in fault.items() if name != "name"}
    sim.faults.inject(fault["name"], path="/api/v3/time", **params)
    hanging = asyncio.ensure_future(session.get(sim.rest_url + "/api/v3/time"))
    await until(lambda: bool(sim.seen.requests))
    for _ in range(3):
        async with session.get(sim.rest_url + "/api/v3/ping") as response:
            assert response.status == 200
    assert not hanging.done()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_a_canned_error_hits_its_path_only(
    sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """Status, body and headers are as told, as often as told."""
    sim.faults.inject(
        "http_error",
        path="/api/v3/time",
        status=429,
        body='{"code":-1003,"msg":"No."}',
        headers={"Retry-After": "7"},
        count=1,
    )
    async with session.get(sim.rest_url + "/api/v3/ping") as response:
        assert response.status == 200
    async with session.get(sim.rest_url + "/api/v3/time") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert (await response.json())["code"] == -1003
    async with session.get(sim.rest_url + "/api/v3/time") as response:
        assert response.status == 200


async def test_an_error_may_be_a_page(
    sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """Front servers answer in HTML."""
    sim.faults.inject("http_error", status=502, body="<html>Bad gateway</html>")
    async with session.get(sim.rest_url + "/api/v3/time") as response:
        assert (response.status, response.content_type) == (502, "text/html")


async def test_a_truncated_body_is_status_200(
    sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """Half of the JSON, and nothing in HTTP that says so."""
    sim.faults.inject("truncated_body", path="/exchangeInfo")
    async with session.get(sim.rest_url + "/api/v3/exchangeInfo") as response:
        assert response.status == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(await response.text())


async def test_requests_can_be_slow(sim: SimulatedBinance, session: aiohttp.ClientSession) -> None:
    """Latency holds for requests as for frames."""
    sim.faults.inject("latency", seconds=3_600)
    with pytest.raises(TimeoutError):
        await session.get(sim.rest_url + "/", timeout=aiohttp.ClientTimeout(total=0.1))
    sim.faults.clear()
    sim.faults.inject("latency", seconds=0.001)
    async with session.get(sim.rest_url + "/api/v3/time") as response:
        assert response.status == 200


async def test_faults_can_be_controlled_over_http(
    sim: SimulatedBinance, session: aiohttp.ClientSession
) -> None:
    """List, inject, clear one, clear all; a wrong one is 400 with the reason."""
    url = sim.rest_url + "/control/faults"
    async with session.post(url, json={"name": "latency", "seconds": 0.5}) as response:
        assert response.status == 201
    async with session.post(url, json={"name": "silent"}) as response:
        assert response.status == 201
    async with session.get(url) as response:
        assert [fault["name"] for fault in await response.json()] == ["latency", "silent"]
    async with session.delete(url + "/latency") as response:
        assert [fault["name"] for fault in await response.json()] == ["silent"]
    async with session.delete(url) as response:
        assert await response.json() == []
    for body in ({"name": "slient"}, {"name": "latency", "self": 1}, {"name": "rst", "x": 1}):
        async with session.post(url, json=body) as response:
            assert response.status == 400
            assert "error" in await response.json()
    async with session.delete(url + "/slient") as response:
        assert response.status == 400


async def test_what_was_seen_can_be_read_over_http(
    sim: SimulatedBinance, session: aiohttp.ClientSession, connect
) -> None:
    """Connections, subscriptions and requests, for tests in another process."""
    stream = await connect()
    await stream.subscribe("btcusdt@trade")
    async with session.get(sim.rest_url + "/api/v3/depth", params={"symbol": "BTCUSDT"}):
        pass
    async with session.get(sim.rest_url + "/control/seen") as response:
        seen = await response.json()
    assert seen == {
        "connections": 1,
        "order_connections": 0,
        "subscriptions": ["btcusdt@trade"],
        "subscribes": [[1, ["btcusdt@trade"]]],
        "unsubscribes": [],
        "requests": [["GET", "/api/v3/depth", {"symbol": "BTCUSDT"}]],
    }


@pytest.mark.parametrize("limits", [Limits(weight_per_minute=2)])
async def test_connecting_to_the_websocket_api_has_a_weight(
    sim: SimulatedBinance, connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs 2; beyond the limit the handshake is refused."""
    monkeypatch.setattr(sim, "now_ms", lambda: 1_790_000_010_000)
    await connect("/ws-api/v3")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect("/ws-api/v3")
    assert refused.value.status == 429
