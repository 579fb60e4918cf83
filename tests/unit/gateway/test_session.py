"""What every session has: a loss that is told once, a connection or none, contracts or refusals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from foxtrot.errors import ConnectionClosed, FoxtrotError, UnknownSymbol, VenueUnavailable
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.session import LineSession, told_apart
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey


class Session(LineSession[Any, Any]):
    """A session without a venue."""

    async def prepare(self, *_: object) -> None:
        """Nothing."""

    open = sync = run = close = subscribe = unsubscribe = prepare


@pytest.fixture
async def session() -> Session:
    """Not open."""
    settings = SimpleNamespace(endpoint="here:1")
    return Session(cast("Any", SimpleNamespace(name="TOY", settings=settings)), FeedCounters())


async def test_a_loss_is_told_by_its_first_cause(session: Session) -> None:
    """What fails after it is a consequence."""
    first = VenueUnavailable("TOY", "", "gone")
    session.fail(first)
    session.fail(VenueUnavailable("TOY", "", "gone for another reason"))
    with pytest.raises(FoxtrotError) as raised:
        await session.raise_when_lost()
    assert raised.value is first


async def test_nothing_is_asked_without_a_connection(session: Session) -> None:
    """A session that is not open says so."""
    assert session.received == 0
    with pytest.raises(ConnectionClosed, match="not open"):
        await session.probe()


def test_a_contract_that_is_refused_is_refused_for_each_of_its_streams() -> None:
    """The others have theirs."""
    keys = [
        StreamKey(channel, symbol, Exchange.SMART)
        for channel in (Channel.TICK, Channel.DEPTH)
        for symbol in ("AAPL", "NONE")
    ]
    refusal = UnknownSymbol("TOY", "", "there is none")
    answers = {("AAPL", Exchange.SMART): "apple", ("NONE", Exchange.SMART): refusal}
    found, refused = told_apart(keys, answers)
    assert {key.symbol for key in found} == {"AAPL"}
    assert set(refused.values()) == {refusal}
    assert [*found, *refused] == sorted(keys, key=lambda key: key.symbol)
