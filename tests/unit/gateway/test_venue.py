"""What the sessions of an adapter share: made by each setting, kept where it is the same place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.marks import BaseMark, BaseMarks
from foxtrot.gateway.venue import BaseVenue, VenueAdapter
from foxtrot.model.constants import Channel, Environment, Exchange
from foxtrot.model.events import EVENT_LOG
from foxtrot.model.health import StreamKey
from foxtrot.model.objects import LogData, Source, TickData
from foxtrot.model.requests import SubscribeRequest
from tests.support.events import EventLog
from tests.support.fake_adapter import FakeAdapter

KEY = StreamKey(Channel.TICK, "BTCUSDT", Exchange.BINANCE)
PAPER = {"environment": "paper", "endpoint": "here:1"}


@dataclass
class ToySettings:
    """What a toy is connected with."""

    environment: Environment
    endpoint: str
    account_key: str = "toy-1"


class ToyVenue(BaseVenue[ToySettings, dict[str, str], BaseMark]):
    """A venue that counts how often it was released."""

    released = 0

    async def release(self) -> None:
        """Count."""
        self.released += 1


class Toy(VenueAdapter[ToyVenue], FakeAdapter):
    """An adapter of a toy."""

    def make_venue(self, setting: Setting, known: ToyVenue | None) -> ToyVenue:
        """Marks are always kept."""
        if not setting.get("endpoint"):
            raise ConfigurationError("connect", "endpoint", "is missing")
        settings = ToySettings(Environment(setting["environment"]), str(setting["endpoint"]))
        marks = known.marks if known is not None else BaseMarks(BaseMark)
        return ToyVenue(self.adapter_name, settings, {}, marks, self)

    @property
    def venue(self) -> ToyVenue:
        """That of the newest setting."""
        return self._configured()


@pytest.fixture
def engine() -> Iterator[EventEngine]:
    """Running."""
    engine = EventEngine()
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def toy(engine: EventEngine) -> Toy:
    """Not connected yet."""
    return Toy(engine)


def test_nothing_is_known_before_a_setting(toy: Toy) -> None:
    """Questions have empty answers, or say what is missing."""
    assert (toy.environment, toy.endpoint, toy.account) == (None, "", "")
    assert toy.last_tick(KEY.symbol, KEY.exchange) is None
    assert toy.last_data_ns(KEY) == 0
    with pytest.raises(InvalidState, match="never connected"):
        _ = toy.venue


def test_a_wrong_setting_leaves_the_one_before(toy: Toy) -> None:
    """What was connected goes on as it was."""
    toy.configure(PAPER)
    venue = toy.venue
    with pytest.raises(ConfigurationError):
        toy.configure({"environment": "paper"})
    assert toy.venue is venue
    assert (toy.environment, toy.endpoint, toy.account) == (Environment.PAPER, "here:1", "toy-1")


async def test_every_setting_is_given_back(toy: Toy) -> None:
    """What former settings opened is closed with the newest, and only once."""
    toy.configure(PAPER)
    first = toy.venue
    toy.configure({**PAPER, "endpoint": "there:1"})
    second = toy.venue
    await toy.release()
    await toy.release()
    assert (first.released, second.released) == (1, 2)


def test_a_live_account_is_said_aloud(toy: Toy, engine: EventEngine) -> None:
    """Nobody trades real money without having been told; play money needs no words."""
    log = EventLog(engine, EVENT_LOG)
    toy.configure(PAPER)
    toy.configure({"environment": "live", "endpoint": "there:1"})
    told = log.wait_type(EVENT_LOG, 5.0)
    assert isinstance(told, LogData)
    assert told.msg == "FAKE talks to a LIVE account at there:1"


def test_how_far_a_stream_was_told_is_forgotten_with_the_wish(toy: Toy) -> None:
    """A stream that only changes its session keeps its mark."""
    toy.configure(PAPER)
    toy.venue.marks.of(KEY).heard_ns = 7
    assert toy.last_data_ns(KEY) == 7
    toy.venue.forget_if_unwanted(KEY)
    assert toy.last_data_ns(KEY) == 0


def test_the_tick_of_a_stream_that_was_given_back_is_not_the_newest(toy: Toy) -> None:
    """No session may have been there to forget it, and an order would be judged by it for ever."""
    toy.configure(PAPER)
    tick = TickData(Source.of(KEY.symbol, KEY.exchange, "FAKE", ""), 0, 1)
    request = SubscribeRequest(KEY.symbol, KEY.exchange)
    toy.subscribe(request)
    toy.venue.marks.of(KEY).tick = tick
    assert toy.last_tick(KEY.symbol, KEY.exchange) is tick
    toy.unsubscribe(request)
    assert toy.last_tick(KEY.symbol, KEY.exchange) is None
