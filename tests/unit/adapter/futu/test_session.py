"""What all sessions of Futu have: a connection of their own, contracts, and a loss told once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

import pytest

from foxtrot.adapter.futu.session import FutuSession
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.errors import ConnectionClosed, StreamingError, UnknownSymbol
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator.futu import SimulatedFutu
from tests.support.futu_line import DEADLINE_S, Port, venue_at
from tests.support.futu_venue import running_futu


class Plain(FutuSession):
    """A session that serves nothing."""

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        """Nothing."""
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Wait for the loss."""
        await self.raise_when_lost()


@pytest.fixture
def opend() -> Iterator[SimulatedFutu]:
    """An OpenD."""
    with running_futu() as venue:
        yield venue


@contextlib.asynccontextmanager
async def opened(opend: SimulatedFutu, counters: FeedCounters) -> AsyncIterator[Plain]:
    """A session, open."""
    session = Plain(venue_at(opend.port), counters)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await session.prepare()
            await session.open()
            await session.sync()
        yield session
    finally:
        await session.close()


async def test_a_loss_ends_the_run_with_its_cause(opend: SimulatedFutu) -> None:
    """The line drops: `run` raises why, once; the first cause counts."""
    async with opened(opend, FeedCounters()) as session:
        await session.probe()
        opend.faults.inject("rst")
        with pytest.raises(ConnectionClosed, match="OpenD"):
            async with asyncio.timeout(DEADLINE_S):
                await session.run()
        session.fail(StreamingError("later"))
        with pytest.raises(ConnectionClosed):
            await session.run()


async def test_a_closed_session_has_no_connection(opend: SimulatedFutu) -> None:
    """Closing gives the connection back, also twice; nothing can be asked after it."""
    async with opened(opend, FeedCounters()) as session:
        assert session.received
        await session.close()
        await session.close()
        assert not session.received
        with pytest.raises(ConnectionClosed):
            await session.probe()


async def test_streams_without_a_contract_are_told_apart(opend: SimulatedFutu) -> None:
    """Each stream has its contract, or why there is none."""
    good = StreamKey(Channel.TICK, "00700", Exchange.SEHK)
    bad = StreamKey(Channel.TICK, "99999", Exchange.SEHK)
    async with opened(opend, FeedCounters()) as session:
        found, refused = await session.instruments([good, bad])
    assert found[good].lot_size == 100
    assert isinstance(refused[bad], UnknownSymbol)


async def test_what_opend_says_of_itself_is_counted(opend: SimulatedFutu) -> None:
    """Notices of its servers and events are control messages; events are told to people, once."""
    counters = FeedCounters()
    async with opened(opend, counters) as session:
        opend.on_loop(opend.hall.tell_logins)
        for _ in range(2):
            opend.on_loop(lambda: opend.hall.tell_event(1, "update available"))
        await session.probe()
        port = cast("Port", session._venue.port)
        assert port.said == ["FUTU: OpenD says: update available"]
    assert (counters.received, counters.control, counters.malformed) == (3, 3, 0)
