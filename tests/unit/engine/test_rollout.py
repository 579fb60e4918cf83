"""The roll-out at work: what its stages mean for adapters, settings and people."""

from __future__ import annotations

import pytest

from foxtrot.connectivity.rollout import Stage
from foxtrot.core.settings import Settings
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.rollout import RollOuts
from foxtrot.errors import ConfigurationError, ConnectionClosed, NotSupported
from foxtrot.gateway.capabilities import Capabilities
from foxtrot.model.constants import Channel, Exchange, Mode, StreamState
from foxtrot.model.events import EVENT_LOG, EVENT_STREAM, EVENT_TIMER, Event
from foxtrot.model.health import StreamStatus
from foxtrot.model.objects import LogData
from foxtrot.model.requests import SubscribeRequest
from tests.support.clock import ManualClock
from tests.support.events import EventLog
from tests.support.fake_adapter import FakeAdapter

SYMBOLS = ("A", "B", "C", "D", "E", "F", "G")
FLAGS: dict[str, object] = {
    "rollout.enabled": True,
    "rollout.symbols": list(SYMBOLS[:6]),
    **{f"rollout.{stage.value}_s": 10 for stage in Stage},
}


class Roller:
    """An engine with a roll-out whose time the test moves."""

    def __init__(self, engine: MainEngine, flags: dict[str, object]) -> None:
        self.engine, self.clock = engine, ManualClock()
        engine.rollouts.clock = self.clock
        self.log = EventLog(engine.event_engine)
        self.reload(flags)
        self.adapter = engine.add_adapter(FakeAdapter)
        for symbol in SYMBOLS:
            engine.subscribe(SubscribeRequest(symbol, Exchange.BINANCE), "FAKE")
        engine.connect({}, "FAKE")

    def reload(self, flags: dict[str, object]) -> None:
        """Follow other settings."""
        self.engine.reload_settings(Settings.parse(flags))

    def go(self, seconds: float = 10.0) -> None:
        """Time passes, and the timer says so."""
        self.clock.advance(seconds)
        self.engine.event_engine.put(Event(EVENT_TIMER))
        assert self.engine.event_engine.drain()

    def wait_streamed(self, symbols: tuple[str, ...]) -> None:
        """Wait until just these are streamed, and the others polled."""

        def told(events: list[Event]) -> list[Event]:
            last = {
                each.data.symbol: each.data.state
                for each in events
                if each.type == EVENT_STREAM and isinstance(each.data, StreamStatus)
            }
            streamed = {name for name, state in last.items() if state is StreamState.ACTIVE}
            polled = {name for name, state in last.items() if state is StreamState.POLLING}
            complete = streamed == set(symbols) and streamed | polled == set(SYMBOLS)
            return events[-1:] if complete else []

        self.log.wait_until(told)

    def said(self) -> list[str]:
        """What people were told of it."""
        assert self.engine.event_engine.drain()
        lines = [each for each in self.log.of(EVENT_LOG) if isinstance(each, LogData)]
        return [line.msg for line in lines if line.adapter_name == "rollout"]


@pytest.fixture
def roller(engine: MainEngine) -> Roller:
    """A roll-out that begins."""
    return Roller(engine, FLAGS)


def test_the_websocket_takes_over_stage_by_stage(roller: Roller) -> None:
    """First one symbol, then five, then the majors, then all; nothing is lost on the way."""
    for streamed in ((), SYMBOLS[:1], SYMBOLS[:5], SYMBOLS[:6], SYMBOLS):
        roller.wait_streamed(streamed)
        roller.go(0.0)
        roller.go()
    shown = roller.engine.health().rollouts["FAKE"]
    assert (shown.stage, shown.reason) == ("all", "validated; the roll-out is over")
    assert [line.split(":")[0].rpartition(" ")[2] for line in roller.said()] == [
        "first", "top", "majors", "all",
    ]  # fmt: skip


def test_trouble_takes_all_of_it_back_to_polling(roller: Roller) -> None:
    """By itself, and people are told why."""
    roller.go(0.0)
    roller.go()
    roller.wait_streamed(SYMBOLS[:1])
    roller.go(0.0)
    for _ in range(20):
        roller.adapter.on_error(ConnectionClosed(1006))
    roller.go(1.0)
    roller.wait_streamed(())
    shown = roller.engine.health().rollouts["FAKE"]
    assert (shown.stage, shown.rolled_back) == ("polling", True)
    assert roller.said()[-1] == (
        "the websocket of FAKE was rolled back to polling: errors: 100.0% in five minutes"
    )


def test_a_reload_leaves_the_stage_and_takes_the_plan(roller: Roller) -> None:
    """Other settings come into force under the stage of now; switched off, they count alone."""
    roller.go(0.0)
    roller.go()
    roller.wait_streamed(SYMBOLS[:1])
    roller.reload({**FLAGS, "rollout.symbols": ["B"], "polling.interval": 0.5})
    roller.wait_streamed(("B",))
    assert roller.adapter.flags.polling_interval == 0.5
    roller.reload({"websocket.symbols": ["C"]})
    roller.wait_streamed(("C",))
    assert roller.engine.health().rollouts == {}


def test_a_person_switches_the_mode_and_gives_it_back(engine: MainEngine) -> None:
    """Without a roll-out, too; the settings themselves stay as they are."""
    roller = Roller(engine, {"websocket.symbols": ["C"]})
    roller.wait_streamed(("C",))
    before = engine.settings
    engine.override_mode("fake", Mode.WEBSOCKET)
    roller.wait_streamed(SYMBOLS)
    engine.override_mode("FAKE", Mode.POLLING)
    roller.wait_streamed(())
    assert engine.health().rollouts["FAKE"].reason == "manual override"
    engine.override_mode("FAKE", None)
    roller.wait_streamed(("C",))
    assert engine.health().rollouts == {}
    assert engine.settings is before


def test_a_person_takes_a_roll_out_back_and_lets_it_begin_anew(roller: Roller) -> None:
    """Override is one of the reasons to go back; a reload does not undo it, a person does."""
    roller.go(0.0)
    roller.go()
    roller.wait_streamed(SYMBOLS[:1])
    roller.engine.override_mode("FAKE", Mode.POLLING)
    roller.wait_streamed(())
    assert roller.engine.health().rollouts["FAKE"].rolled_back
    roller.reload({**FLAGS, "polling.interval": 0.5})
    roller.go()
    roller.wait_streamed(())
    roller.engine.override_mode("FAKE", None)
    roller.go(0.0)
    roller.go()
    roller.wait_streamed(SYMBOLS[:1])


def test_an_adapter_that_comes_later_is_rolled_out_as_well(roller: Roller) -> None:
    """Under its own name and flags; the other's stage is none of its business."""
    roller.go(0.0)
    roller.go()
    second = roller.engine.add_adapter(FakeAdapter, "Second")
    assert roller.adapter.flags.websocket_symbols == ("A",)
    assert not second.flags.websocket_enabled
    assert set(roller.engine.health().rollouts) == {"FAKE", "Second"}


def test_a_change_of_mind_is_told_like_any_other(engine: MainEngine) -> None:
    """A stream that is to be polled again before polling let go of it is told to be polled."""
    roller = Roller(engine, {"websocket.symbols": ["C"]})
    roller.wait_streamed(("C",))

    def change(event: Event) -> None:
        status = event.data
        assert isinstance(status, StreamStatus)
        if (status.symbol, status.state) == ("B", StreamState.ACTIVE):
            roller.reload({"websocket.symbols": ["C"]})

    engine.event_engine.register(EVENT_STREAM, change, inline=True)
    roller.reload({"websocket.symbols": ["B", "C"]})
    streamed = [("B", StreamState.ACTIVE), ("B", StreamState.POLLING)]
    roller.log.wait_until(
        lambda events: events[-1:] if streams_of(events, "B")[-2:] == streamed else []
    )


def streams_of(events: list[Event], symbol: str) -> list[tuple[str, StreamState]]:
    """What was told of the stream of a symbol."""
    told = [event.data for event in events if isinstance(event.data, StreamStatus)]
    return [(each.symbol, each.state) for each in told if each.symbol == symbol]


def test_a_mode_of_an_unknown_adapter_is_refused(engine: MainEngine) -> None:
    """As for everything else that names an adapter."""
    with pytest.raises(ConfigurationError, match="no adapter 'X'"):
        engine.override_mode("X", Mode.POLLING)


def test_a_venue_that_cannot_be_polled_is_not_switched_to_it(
    engine: MainEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue that streams alone goes on streaming, and who asked is told."""
    adapter = engine.add_adapter(FakeAdapter)
    monkeypatch.setattr(adapter, "capabilities", Capabilities(frozenset(Channel)))
    with pytest.raises(NotSupported, match="polling"):
        engine.override_mode("FAKE", Mode.POLLING)
    assert engine.health().rollouts == {}


def test_one_symbol_is_switched_by_its_name(roller: Roller) -> None:
    """A symbol that is pinned is streamed, whatever the stage of its venue."""
    roller.go(0.0)
    roller.engine.override_mode("fake", Mode.WEBSOCKET, "C.BINANCE")
    roller.wait_streamed(("C",))
    assert roller.engine.health().adapters[0].pinned == {"C.BINANCE": Mode.WEBSOCKET}
    roller.engine.override_mode("FAKE", None, "C.BINANCE")
    roller.wait_streamed(())


def test_without_a_roll_out_nothing_is_looked_at(engine: MainEngine) -> None:
    """No thread, and the settings are passed on as they are."""
    engine.add_adapter(FakeAdapter)
    assert engine.health().engine.lanes == {}
    outs: RollOuts = engine.rollouts
    assert outs.over(engine.settings) is engine.settings
