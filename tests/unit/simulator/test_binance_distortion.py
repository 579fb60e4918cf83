"""Faults of the data, as a client meets them."""

from __future__ import annotations

import json

import pytest

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_distortion import HOSTILE_NUMBERS


async def next_text(stream) -> str:
    message = await stream.receive()
    return message.data


async def test_a_malformed_frame_is_cut_json(sim: SimulatedBinance, connect) -> None:
    """One frame is broken off, the next is whole."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.faults.inject("malformed_frame")
    sim.tick("BTCUSDT", 2)
    cut = await next_text(stream)
    assert cut.startswith('{"u":')
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    await stream.json()


async def test_garbage_and_unknown_events_come_before_the_data(
    sim: SimulatedBinance, connect
) -> None:
    """They are extra frames; no data is lost by them."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.faults.inject("garbage_frame")
    sim.faults.inject("unknown_event")
    sim.tick("BTCUSDT")
    assert "no JSON" in await next_text(stream)
    assert (await stream.json())["e"] == "neverHeardOf"
    assert (await stream.json())["u"] == sim.market.quote("BTCUSDT").update_id


@pytest.mark.parametrize(
    ("channel", "key"), [("bookTicker", "b"), ("ticker", "c"), ("miniTicker", "c")]
)
async def test_hostile_numbers_come_in_turn(
    sim: SimulatedBinance, connect, channel: str, key: str
) -> None:
    """A price is NaN, infinite, negative, too large or in foreign digits; the frame stays JSON."""
    stream = await connect()
    await stream.subscribe(f"btcusdt@{channel}")
    sim.faults.inject("hostile_number", count=len(HOSTILE_NUMBERS))
    sim.tick("BTCUSDT", len(HOSTILE_NUMBERS) + 1)
    seen = [(await stream.json())[key] for _ in HOSTILE_NUMBERS]
    assert tuple(seen) == HOSTILE_NUMBERS
    assert float((await stream.json())[key]) > 0


async def test_a_hostile_number_can_be_chosen(sim: SimulatedBinance, connect) -> None:
    """`body` names the text, `symbol` and `channel` the victim."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker", "ethusdt@bookTicker")
    sim.faults.inject("hostile_number", body="0x10", symbol="ETHUSDT", channel="bookTicker")
    sim.tick("BTCUSDT")
    sim.tick("ETHUSDT")
    assert float((await stream.json())["b"]) > 0
    assert (await stream.json())["b"] == "0x10"


async def test_silence_stops_the_data_but_not_the_answers(sim: SimulatedBinance, connect) -> None:
    """Commands are acknowledged while no data comes; afterwards it flows again."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.faults.inject("silent")
    sim.tick("BTCUSDT", 3)
    assert (await stream.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@bookTicker"]
    assert sim.last("BTCUSDT") is None
    sim.faults.clear("silent")
    sim.tick("BTCUSDT")
    assert (await stream.json())["u"] == sim.market.quote("BTCUSDT").update_id


async def test_one_stream_can_be_dead_alone(sim: SimulatedBinance, connect) -> None:
    """The other symbols go on."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker", "ethusdt@bookTicker")
    sim.faults.inject("drop_stream", symbol="BTCUSDT")
    sim.tick("BTCUSDT")
    sim.tick("ETHUSDT")
    assert (await stream.json())["s"] == "ETHUSDT"


async def test_duplicates_are_the_same_frame_twice(sim: SimulatedBinance, connect) -> None:
    """Every frame comes twice."""
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    sim.faults.inject("duplicate")
    sim.tick("BTCUSDT")
    assert await next_text(stream) == await next_text(stream)


async def test_a_depth_gap_loses_one_update(sim: SimulatedBinance, connect) -> None:
    """The next update does not follow the last one that was sent."""
    stream = await connect()
    await stream.subscribe("btcusdt@depth@100ms")
    sim.tick("BTCUSDT")
    first = await stream.json()
    sim.faults.inject("depth_gap", symbol="BTCUSDT")
    sim.tick("BTCUSDT", 3)
    second, third = await stream.json(), await stream.json()
    assert second["U"] > first["u"] + 1
    assert third["U"] == second["u"] + 1


async def test_partial_books_know_no_gap(sim: SimulatedBinance, connect) -> None:
    """A fault of the updates leaves snapshots alone."""
    stream = await connect()
    await stream.subscribe("btcusdt@depth5")
    sim.faults.inject("depth_gap")
    sim.tick("BTCUSDT")
    frame = await stream.json()
    assert list(frame) == ["lastUpdateId", "bids", "asks"]
    assert len(frame["bids"]) == len(frame["asks"]) == 5
