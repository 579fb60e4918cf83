"""Full speed: whole frames, in order, counted."""

from __future__ import annotations

import asyncio
import time

import pytest

from foxtrot.simulator.binance import SimulatedBinance
from foxtrot.simulator.binance_blast import BlastPlan


async def test_a_blast_is_counted_and_in_order(sim: SimulatedBinance, connect) -> None:
    """Exactly the frames asked for come, symbols in turn, ids without a hole."""
    sim.blast(BlastPlan(frames=2_000))
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker", "ethusdt@bookTicker")
    frames = [await stream.json() for _ in range(2_000)]
    ids = [frame["u"] for frame in frames]
    assert ids == list(range(ids[0], ids[0] + 2_000))
    assert [frame["s"] for frame in frames[:4]] == ["BTCUSDT", "ETHUSDT"] * 2
    assert len({frame["b"] for frame in frames}) > 2
    assert (await stream.ask("LIST_SUBSCRIPTIONS"))["id"] == 2


async def test_a_blast_can_be_paced_and_stamped(sim: SimulatedBinance, connect) -> None:
    """A bid's volume is the monotonic clock, so that a handler can measure the whole way."""
    sim.blast(BlastPlan(5_000, frames=50, stamped=True))
    stream = await connect("/stream")
    began = time.monotonic()
    await stream.subscribe("btcusdt@bookTicker")
    stamps = [float((await stream.json())["data"]["B"]) for _ in range(50)]
    assert stamps == sorted(stamps)
    assert began < stamps[0] <= stamps[-1] < time.monotonic()


async def test_a_blast_holds_back_while_silent(sim: SimulatedBinance, connect) -> None:
    """Faults hold for the flood too."""
    sim.faults.inject("silent")
    sim.blast(BlastPlan(frames=1))
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker")
    assert (await stream.ask("LIST_SUBSCRIPTIONS"))["id"] == 2
    sim.faults.clear()
    assert "u" in await stream.json()


async def test_a_blast_ends_with_its_connection(sim: SimulatedBinance, connect, until) -> None:
    """No task goes on for a client that has left, and another may come."""
    sim.blast()
    for _ in range(2):
        stream = await connect()
        await stream.subscribe("btcusdt@bookTicker")
        await stream.json()
        await stream.socket.close()
    await until(lambda: not sim.connections)
    await until(lambda: not any("blast" in task.get_name() for task in asyncio.all_tasks()))


async def test_other_streams_are_not_flooded(sim: SimulatedBinance, connect) -> None:
    """Who asks for a book beside the flood gets it at the market's pace."""
    sim.blast(BlastPlan(frames=2))
    stream = await connect()
    await stream.subscribe("btcusdt@bookTicker", "btcusdt@depth@100ms")
    sim.tick("BTCUSDT")
    frames = [await stream.json() for _ in range(3)]
    assert "depthUpdate" in [frame.get("e") for frame in frames]


@pytest.mark.parametrize(
    ("channel", "number"), [("ticker", "E"), ("trade", "t"), ("depth@100ms", "u")]
)
async def test_every_channel_can_be_flooded(
    sim: SimulatedBinance, connect, channel: str, number: str
) -> None:
    """The frames of the plan's channel come, each newer than the one before."""
    sim.blast(BlastPlan(frames=50, channel=channel))
    stream = await connect()
    await stream.subscribe(f"btcusdt@{channel}")
    frames = [await stream.json() for _ in range(50)]
    numbers = [frame[number] for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    assert {frame["s"] for frame in frames} == {"BTCUSDT"}


async def test_flooded_differences_fit_the_book(sim: SimulatedBinance, connect) -> None:
    """The first difference is the one after the snapshot, and each follows the one before."""
    sim.blast(BlastPlan(frames=3, channel="depth@100ms"))
    stream = await connect()
    await stream.subscribe("btcusdt@depth@100ms", "ethusdt@depth@100ms")
    frames = [await stream.json() for _ in range(3)]
    bitcoin = sim.market.book("BTCUSDT").update_id
    assert [(f["U"], f["u"]) for f in frames if f["s"] == "BTCUSDT"] == [
        (bitcoin + 1, bitcoin + 1),
        (bitcoin + 2, bitcoin + 2),
    ]
