"""Pool, client ids and pace together, over real sockets to a simulated TWS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.client_ids import IbClientIdRegistry, leases
from foxtrot.adapter.ib.limits import pace_of
from foxtrot.adapter.ib.pool import IbConnectionPool
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.connectivity.config import StreamConfig
from foxtrot.errors import ClientIdInUse, ConnectionClosed, VenueUnavailable
from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_venue import running_ib

WAIT_S = 10.0
CONFIG = StreamConfig(connect_timeout_s=5.0, probe_s=0.2)


@pytest.fixture
def tws() -> Iterator[SimulatedIb]:
    with running_ib(("AAPL",)) as venue:
        yield venue


class Desk:
    """A pool of real connections, on the loop of the test."""

    def __init__(self, tws: SimulatedIb) -> None:
        connect = {"environment": "simulated", "host": tws.host, "port": tws.port}
        self.settings = IbSettings.parse(connect)
        self.pace = pace_of(self.settings.endpoint)
        ids = IbClientIdRegistry("IB", self.settings.endpoint, 1)
        self.pool = IbConnectionPool("IB", ids, lambda number, purpose: self.client(number))

    def client(self, number: int) -> IbClient:
        return IbClient("IB", self.settings, CONFIG, self.pace, number)


@pytest.fixture
async def desk(tws: SimulatedIb) -> AsyncIterator[Desk]:
    desk = Desk(tws)
    async with asyncio.timeout(WAIT_S):
        yield desk
        await desk.pool.close()
    assert leases() == []


@pytest.mark.parametrize("fault", ["rst", "eof"])
async def test_a_connection_that_is_cut_raises_in_its_holder(
    tws: SimulatedIb, desk: Desk, fault: str
) -> None:
    """The body does not wait for its deadline; the next lease connects anew."""

    async def hold() -> None:
        async with desk.pool.acquire("data_fetch"):
            tws.faults.inject(fault)
            await asyncio.Event().wait()

    with pytest.raises(ConnectionClosed):
        await hold()
    tws.faults.clear()
    async with desk.pool.acquire("data_fetch") as client:
        await client.probe()
    assert desk.pool.metrics().established == 2


async def test_a_connection_that_went_mute_is_found_out(tws: SimulatedIb, desk: Desk) -> None:
    """After trouble a sign of life is asked for, before the next holder gets the line."""
    first = await desk.pool.take(Purpose.API)
    tws.faults.inject("mute")
    with pytest.raises(VenueUnavailable):
        await first.probe()
    await desk.pool.give_back(first, suspect=True)
    asking = asyncio.ensure_future(desk.pool.take(Purpose.API))
    await first.lost
    tws.faults.clear()
    second = await asking
    assert second is not first
    await second.probe()
    await desk.pool.give_back(second)


async def test_an_id_that_another_program_has_is_passed_over(desk: Desk) -> None:
    """TWS says 326: streams and questions take the next id, who trades is told."""
    strangers = [desk.client(200), desk.client(1)]
    for stranger in strangers:
        await stranger.open()
    try:
        async with desk.pool.acquire("history") as client:
            assert client.client_id == 201
        with pytest.raises(ClientIdInUse):
            await desk.pool.take(Purpose.TRADING)
    finally:
        for stranger in strangers:
            await stranger.close()


async def test_seventy_messages_at_once_do_not_offend_tws(tws: SimulatedIb, desk: Desk) -> None:
    """TWS counts fifty a second, strictly; the connection lives and nothing was violated."""
    async with desk.pool.acquire("api") as client:
        await asyncio.gather(*(client.tell(lambda raw: raw.reqCurrentTime()) for _ in range(70)))
        await client.probe()
    assert tws.violations == []
    assert desk.pace.statistics().violations == 0
