"""The commands of a market stream connection."""

from __future__ import annotations

import pytest

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_limits import Limits


async def test_subscribe_list_and_unsubscribe(sim: SimulatedBinance, connect) -> None:
    """What is subscribed is listed, and what is unsubscribed is not any more."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker", "ethusdt@trade")
    assert await stream.ask("LIST_SUBSCRIPTIONS") == {
        "result": ["btcusdt@bookTicker", "ethusdt@trade"],
        "id": 2,
    }
    assert await stream.ask("UNSUBSCRIBE", "btcusdt@bookTicker") == {"result": None, "id": 3}
    assert sim.subscriptions() == {"ethusdt@trade"}
    assert sim.seen.subscribes == [(1, ("btcusdt@bookTicker", "ethusdt@trade"))]
    assert sim.seen.unsubscribes == [(1, ("btcusdt@bookTicker",))]


@pytest.mark.parametrize("number", [7, -(2**63), "a" * 36, None])
async def test_an_id_may_be_a_number_a_short_text_or_null(connect, number: object) -> None:
    """The id comes back as it was sent."""
    stream = await connect()
    await stream.socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
    assert await stream.json() == {"result": [], "id": number}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        "{}",
        '{"method":"SUBSCRIBE"}',
        '{"method":"SUBSCRIBE","params":[],"id":1}',
        '{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}',
        '{"method":"SUBSCRIBE","params":[1],"id":1}',
        '{"method":"ORDER","params":["a"],"id":1}',
        '{"method":["SUBSCRIBE"],"params":["a"],"id":1}',
        '{"method":"LIST_SUBSCRIPTIONS","id":true}',
        '{"method":"LIST_SUBSCRIPTIONS","id":1.5}',
        '{"method":"LIST_SUBSCRIPTIONS","id":9223372036854775808}',
        '{"method":"LIST_SUBSCRIPTIONS","id":"%s"}' % ("a" * 37),
        '{"method":"GET_PROPERTY","params":[],"id":1}',
    ],
)
async def test_an_invalid_request_is_refused_with_code_2(connect, text: str) -> None:
    """The connection lives on."""
    stream = await connect()
    await stream.socket.send_str(text)
    reply = await stream.json()
    assert reply["code"] == 2
    assert reply["msg"].startswith("Invalid request: ")
    await stream.subscribe("btcusdt@trade")


@pytest.mark.parametrize("text", ["", "{", "SUBSCRIBE", "[" * 100_000])
async def test_malformed_json_is_refused_with_code_3(connect, text: str) -> None:
    """The connection lives on."""
    stream = await connect()
    await stream.socket.send_str(text)
    reply = await stream.json()
    assert reply["code"] == 3
    assert reply["msg"].startswith("Invalid JSON: ")
    await stream.subscribe("btcusdt@trade")


async def test_an_unknown_symbol_is_acknowledged_and_silent(sim: SimulatedBinance, connect) -> None:
    """As at the real venue, nothing ever comes for it, and it hinders nobody."""
    stream = await connect()
    await stream.subscribe("nosuchusdt@bookTicker", "btcusdt@bookTicker")
    sim.tick("BTCUSDT")
    assert (await stream.json())["s"] == "BTCUSDT"


@pytest.mark.parametrize("limits", [Limits(streams_per_connection=2)])
async def test_too_many_streams_are_refused(sim: SimulatedBinance, connect) -> None:
    """The request as a whole has no effect; streams that stand already do not count twice."""
    stream = await connect()
    await stream.subscribe("btcusdt@trade")
    await stream.subscribe("btcusdt@trade", "ethusdt@trade")
    assert (await stream.ask("SUBSCRIBE", "btcusdt@depth"))["code"] == 2
    assert sim.subscriptions() == {"btcusdt@trade", "ethusdt@trade"}


async def test_wrappers_can_be_switched_on(sim: SimulatedBinance, connect) -> None:
    """The property `combined` changes how data looks on this connection."""
    stream = await connect()
    assert (await stream.ask("GET_PROPERTY", "combined"))["result"] is False
    assert (await stream.ask("SET_PROPERTY", "combined", True))["result"] is None
    assert (await stream.ask("GET_PROPERTY", "combined"))["result"] is True
    assert (await stream.ask("SET_PROPERTY", "combined", "yes"))["code"] == 1
    assert (await stream.ask("SET_PROPERTY", "colour", True))["code"] == 0
    await stream.subscribe("btcusdt@bookTicker")
    sim.tick("BTCUSDT")
    assert (await stream.json())["stream"] == "btcusdt@bookTicker"


async def test_error_ack_refuses_one_subscription(sim: SimulatedBinance, connect) -> None:
    """The refused streams do not begin; the next attempt succeeds."""
    stream = await connect()
    sim.faults.inject("error_ack", symbol="BTCUSDT", code=-1121, body="Invalid symbol.")
    await stream.subscribe("ethusdt@trade")
    assert await stream.ask("SUBSCRIBE", "btcusdt@trade") == {
        "error": {"code": -1121, "msg": "Invalid symbol."},
        "id": 2,
    }
    assert sim.subscriptions() == {"ethusdt@trade"}
    await stream.subscribe("btcusdt@trade")


async def test_no_ack_lets_the_data_flow(sim: SimulatedBinance, connect) -> None:
    """The first thing that comes is data."""
    stream = await connect()
    sim.faults.inject("no_ack")
    await stream.socket.send_json(
        {"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}
    )
    assert await stream.ask("LIST_SUBSCRIPTIONS") == {"result": ["btcusdt@bookTicker"], "id": 1}
    sim.tick("BTCUSDT")
    assert "u" in await stream.json()


async def test_stale_replay_sends_old_data_first(sim: SimulatedBinance, connect) -> None:
    """Whoever comes back is first told what was true long ago."""
    first = await connect()
    await first.subscribe("btcusdt@bookTicker")
    sim.tick("BTCUSDT")
    old = await first.json()
    sim.tick("BTCUSDT", 5)
    sim.faults.inject("stale_replay")
    second = await connect()
    await second.subscribe("btcusdt@bookTicker")
    assert await second.json() == old
    sim.tick("BTCUSDT")
    assert (await second.json())["u"] > old["u"]
