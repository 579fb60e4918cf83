"""The inbox: callbacks go to who wants them, and what one does with them harms no other."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib.inbox import Inbox
from foxtrot.adapter.ib.requests import Requests
from foxtrot.errors import VenueError


class Sink:
    """Wants ticks and errors, and nothing else."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def tickSize(self, *args: object) -> None:
        self.heard.append(args)

    def error(self, *args: object) -> None:
        self.heard.append(args)


class Broken(Sink):
    """Fails with whatever it hears."""

    def tickSize(self, *args: object) -> None:
        raise ValueError("broken")


@pytest.fixture
async def requests() -> Requests:
    """Nothing is asked."""
    return Requests("IB")


@pytest.fixture
async def inbox(requests: Requests) -> Inbox:
    """Nobody listens."""
    return Inbox("IB", requests, lambda number, code, text: None)


async def test_a_callback_that_nobody_wants_is_dropped(inbox: Inbox) -> None:
    """Every name of the API can be called, whether or not somebody listens."""
    inbox.newsArticle(1, 2, "x")
    inbox.market = Sink()
    inbox.newsArticle(1, 2, "x")
    assert not inbox.malformed


async def test_a_sink_that_comes_or_goes_is_known_at_once(inbox: Inbox) -> None:
    """Callbacks follow the sinks of the moment."""
    first, second = Sink(), Sink()
    inbox.tickSize(1, 0, 1.0)
    inbox.market = first
    inbox.tickSize(1, 0, 2.0)
    inbox.market, inbox.trading = second, first
    inbox.tickSize(1, 0, 3.0)
    inbox.market = inbox.trading = None
    inbox.tickSize(1, 0, 4.0)
    assert first.heard == [(1, 0, 2.0), (1, 0, 3.0)]
    assert second.heard == [(1, 0, 3.0)]


async def test_a_sink_that_fails_does_not_stop_the_other(inbox: Inbox) -> None:
    """What one raises is counted and told, and the other hears all."""
    told: list[str] = []
    inbox.on_unreadable = told.append
    inbox.market, inbox.trading = Broken(), Sink()
    inbox.tickSize(1, 0, 1.0)
    inbox.tickSize(1, 0, 2.0)
    assert isinstance(inbox.trading, Sink)
    assert inbox.trading.heard == [(1, 0, 1.0), (1, 0, 2.0)]
    assert told == ["tickSize", "tickSize"]
    assert inbox.malformed == {"tickSize": 2}


async def test_an_error_goes_to_the_question_that_it_ends(inbox: Inbox, requests: Requests) -> None:
    """The error of a question is its own; warnings, and all others, are for the sinks."""
    inbox.trading = sink = Sink()
    question = requests.open(7, "contract")
    inbox.error(7, 2174, "time zone", "")
    assert not question.done.done()
    inbox.error(8, 200, "of somebody else", "")
    inbox.error(7, 200, "No security definition", "")
    assert isinstance(question.done.exception(), VenueError)
    assert sink.heard == [(7, 2174, "time zone", ""), (8, 200, "of somebody else", "")]


async def test_what_the_sdk_does_without_is_not_offered(inbox: Inbox) -> None:
    """Private names and the hooks around each read are no callbacks."""
    assert not hasattr(inbox, "tcpDataArrived")
    assert not hasattr(inbox, "_private")
