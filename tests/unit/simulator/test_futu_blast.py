"""The simulated OpenD at full speed."""

from __future__ import annotations

import time

from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_blast import BlastPlan
from foxtrot.simulator.futu_schema import Proto
from tests.unit.simulator.futu_raw import connected

QUOTE, BOOK, PRINTS = 1, 2, 4


async def test_a_client_is_flooded_with_what_it_subscribed_to() -> None:
    """As many as planned, of each kind in turn, and prints are all different."""
    async with SimulatedFutu(["HK.00700"], rate_hz=0.0) as venue:
        venue.blast(BlastPlan(messages=900, stamped=True))
        before = time.monotonic()
        async with connected(venue) as client:
            await client.subscribe(QUOTE, BOOK, PRINTS)
            told = [client.parsed(await client.read()) for _ in range(900)]
    prints = [message.s2c.tickerList[0] for message in told if hasattr(message.s2c, "tickerList")]
    assert len(prints) == 300
    assert len({row.sequence for row in prints}) == 300
    assert before <= prints[0].recvTime <= prints[-1].recvTime <= time.monotonic()


async def test_a_flood_leaves_room_for_answers() -> None:
    """Requests are answered in the midst of it."""
    async with SimulatedFutu(["HK.00700"], rate_hz=0.0) as venue:
        venue.blast()
        async with connected(venue) as client:
            await client.subscribe(QUOTE)
            answer = await client.ask(Proto.GetGlobalState, userID=0)
    assert answer.s2c.qotLogined
