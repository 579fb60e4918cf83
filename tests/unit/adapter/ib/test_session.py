"""What sessions share: contracts are asked for once, and a refusal is one stream's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from foxtrot.adapter.ib import IbAdapter
from foxtrot.adapter.ib.client import IbClient
from foxtrot.adapter.ib.contracts import Contracts
from foxtrot.adapter.ib.instruments import Instrument
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.adapter.ib.session import IbSession, Venue
from foxtrot.connectivity.config import StreamConfig
from foxtrot.connectivity.orchestrator import SubscribeOutcome
from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import ConnectionClosed, UnknownSymbol, VenueUnavailable
from foxtrot.gateway.counters import FeedCounters
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from tests.support.ib_door import Door, frame, standing


class Plain(IbSession):
    """Has no streams of its own."""

    async def subscribe(self, keys: Sequence[StreamKey]) -> SubscribeOutcome:
        return SubscribeOutcome()

    async def unsubscribe(self, keys: Sequence[StreamKey]) -> None:
        return

    async def run(self) -> None:
        await self.raise_when_lost()


class Scripted(Contracts):
    """Answers as the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__("IB")
        self.asked: list[str] = []
        self.answers: dict[str, Instrument | Exception] = {}

    async def resolve(self, client: IbClient, symbol: str, exchange: Exchange) -> Instrument:
        self.asked.append(symbol)
        answer = self.answers[symbol]
        if isinstance(answer, Exception):
            raise answer
        return answer


def key(symbol: str, channel: Channel = Channel.TICK) -> StreamKey:
    return StreamKey(channel, symbol, Exchange.SMART)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A TWS that shakes hands."""
    async with standing(Door()) as door:
        yield door


@pytest.fixture
async def contracts() -> Scripted:
    """No answers yet."""
    return Scripted()


@pytest.fixture
async def session(door: Door, contracts: Scripted) -> AsyncIterator[Plain]:
    """Open."""
    adapter = IbAdapter(EventEngine())
    adapter.configure({"environment": "simulated", "port": door.port, "market_data": "frozen"})
    known = adapter._configured()
    venue = Venue("IB", known.settings, contracts, known.marks, adapter)
    session = Plain(venue, FeedCounters(), Purpose.STREAMING)
    await session.prepare()
    await session.open()
    yield session
    await session.close()
    await venue.release()


async def test_says_which_market_data_it_wants(door: Door, session: Plain) -> None:
    """The kind of market data is told before anything is READY."""
    await session.sync()
    assert await door.hear("59") == ("59", "1", "2")


async def test_each_contract_is_asked_for_once(session: Plain, contracts: Scripted) -> None:
    """Several streams of a contract are one question; what is refused is refused for each."""
    contracts.answers = {"NOPE": UnknownSymbol("IB", "200", "no such contract")}
    keys = [key("NOPE"), key("NOPE", Channel.DEPTH)]
    found, refused = await session.instruments(keys)
    assert not found
    assert list(refused) == keys
    assert contracts.asked == ["NOPE"]


def unanswered(contracts: Scripted) -> list[StreamKey]:
    """One contract that there is not, and one of which TWS says nothing."""
    contracts.answers = {
        "NOPE": UnknownSymbol("IB", "200", "no such contract"),
        "AAPL": VenueUnavailable("IB", "", "contract was not answered within 10 s"),
    }
    return [key("NOPE"), key("AAPL")]


async def test_silence_about_one_contract_costs_the_others_nothing(
    door: Door, session: Plain, contracts: Scripted
) -> None:
    """TWS answers else, as when IB's contract data is away: only this stream has to wait."""
    door.answers["49"] = lambda _: frame(49, 1, 1)
    found, refused = await session.instruments(unanswered(contracts))
    assert not found
    assert "not answered within 10 s" in str(refused[key("AAPL")])


async def test_silence_about_everything_puts_the_connection_in_question(
    session: Plain, contracts: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TWS does not answer a sign of life either: no symbol is to blame."""
    monkeypatch.setattr(session.client, "_config", StreamConfig(probe_s=0.1))
    with pytest.raises(VenueUnavailable, match="currentTime"):
        await session.instruments(unanswered(contracts))


async def test_unreadable_messages_are_counted_with_the_session(door: Door, session: Plain) -> None:
    """What the SDK cannot decode is in the counters of this kind of session."""
    door.send(frame(11, "too short"))
    await_answer = session.probe()
    door.answers["49"] = lambda _: frame(49, 1, 1)
    await await_answer
    assert session._counters.malformed == 1
    assert session.received > 0


async def test_ends_with_the_cause_of_its_loss(door: Door, session: Plain) -> None:
    """The line drops: `run` raises the cause, and there is no client to ask any more."""
    door.end()
    with pytest.raises(ConnectionClosed, match="closed by TWS"):
        await session.run()
    await session.close()
    with pytest.raises(ConnectionClosed, match="not open"):
        _ = session.client
