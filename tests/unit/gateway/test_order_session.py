"""Questions of a trading session: an answer, or why there is none; never an exception."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from foxtrot.errors import AuthenticationError, VenueUnavailable
from foxtrot.execution.reports import Known, Unknown
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.order_session import BaseOrderSession
from foxtrot.gateway.session import LineSession


class Session(LineSession[Any, Any], BaseOrderSession[Any]):
    """A trading session that is asked nothing by itself."""

    async def prepare(self) -> None:
        """Nothing."""

    open = sync = run = close = prepare


@pytest.fixture
async def session() -> Session:
    """Not open."""
    settings = SimpleNamespace(endpoint="here:1")
    return Session(cast("Any", SimpleNamespace(name="TOY", settings=settings)), FeedCounters())


def raising(error: Exception) -> Callable[[], Awaitable[tuple[str, ...]]]:
    """A question that ends so."""

    async def ask() -> tuple[str, ...]:
        raise error

    return ask


async def test_an_answer_is_known_even_if_it_is_empty(session: Session) -> None:
    """That there is nothing is an answer, too."""

    async def ask() -> tuple[str, ...]:
        return ()

    assert await session._known(ask) == Known(())


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (VenueUnavailable("TOY", "", "not now"), False),
        (ValueError("a price of -1"), False),
        (AuthenticationError("TOY", "", "wrong key"), True),
    ],
    ids=["later", "not to be believed", "useless"],
)
async def test_no_answer_is_never_an_empty_one(
    session: Session, error: Exception, ends: bool
) -> None:
    """Why there is none is told; where asking on helps nothing, the session is lost with it."""
    answer = await session._known(raising(error))
    assert isinstance(answer, Unknown)
    assert str(error) in answer.reason
    assert answer.error is (error if ends else None)
    assert session._lost.done() is ends


async def test_it_streams_nothing(session: Session) -> None:
    """Whoever wants the market's streams of it gets none, and no error."""
    assert not (await session.subscribe(())).refused
    await session.unsubscribe(())
