"""The gateway at full speed."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from foxtrot.simulator.ib import SimulatedIb
from foxtrot.simulator.ib_blast import BlastPlan
from tests.unit.simulator.ib_raw import AAPL, raw

QUOTES = (1, 11, 5, *AAPL, False, "", False, False, "")
PRINTS = (97, 5, *AAPL, "Last", 0, False)
COUNT = 1_300
"""More than two writes."""


async def flood(
    plan: BlastPlan, subscribe: tuple[str | int | float | bool, ...]
) -> list[list[str]]:
    """Everything that a blast sends."""
    async with SimulatedIb(("AAPL",), rate_hz=0) as sim:
        sim.blast(plan)
        async with raw(sim) as client:
            client.send(*subscribe)
            return [await client.find(_is_blast) for _ in range(plan.messages or 0)]


def _is_blast(fields: list[str]) -> bool:
    return any(len(field) == 17 and field[10] == "." for field in fields)


@pytest.mark.parametrize("rate_hz", [None, 100_000.0])
async def test_quotes_come_in_pairs_and_always_move(rate_hz: float | None) -> None:
    """A price and its size, bid and ask in turn; no price follows itself."""
    messages = await flood(BlastPlan(rate_hz=rate_hz, messages=COUNT), QUOTES)
    assert [(fields[0], fields[3]) for fields in messages[:4]] == [
        ("1", "1"),
        ("2", "0"),
        ("1", "2"),
        ("2", "3"),
    ]
    bids = [fields[4] for fields in messages[::4]]
    assert all(one != other for one, other in pairwise(bids))


async def test_sizes_can_be_the_time_of_sending() -> None:
    """Latency is measured by the clock that a message carries."""
    began_s = time.monotonic()
    messages = await flood(BlastPlan(messages=COUNT, stamped=True), QUOTES)
    stamps = [float(fields[5]) for fields in messages[::2]]
    assert stamps == sorted(stamps)
    assert began_s - 1e-3 < stamps[0] < stamps[-1] <= time.monotonic()


async def test_prints_can_be_blasted() -> None:
    """One message a print."""
    plan = BlastPlan(messages=COUNT, channel="tick_by_tick")
    messages = await flood(plan, PRINTS)
    assert {(fields[0], fields[1], fields[2]) for fields in messages} == {("99", "5", "1")}


async def test_who_ends_its_lines_is_left_alone() -> None:
    """Until it asks for something again."""
    async with SimulatedIb(("AAPL",), rate_hz=0) as sim:
        sim.blast()
        async with raw(sim) as client:
            client.send(*QUOTES)
            await client.find(_is_blast)
            client.send(2, 2, 5)
            await client.settled()
            assert not [fields for fields in await client.settled() if _is_blast(fields)]
            client.send(*QUOTES)
            await client.find(_is_blast)
