"""What a roll-out has reached survives the process, or is begun again safely."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from foxtrot.connectivity.rollout import Progress, Stage
from foxtrot.core.settings import Settings
from foxtrot.engine.main_engine import MainEngine
from foxtrot.engine.rollout_file import Shelf, path_of
from foxtrot.model.constants import Environment, Exchange, Mode
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.health import RollOutHealth
from foxtrot.model.requests import SubscribeRequest
from tests.support.clock import ManualClock
from tests.support.fake_adapter import FakeAdapter

FLAGS: dict[str, object] = {
    "rollout.enabled": True,
    "rollout.symbols": ["A", "B"],
    **{f"rollout.{stage.value}_s": 100 for stage in Stage},
}
HERE = Environment.SIMULATED


class Life:
    """A process with a roll-out, whose time the test moves."""

    def __init__(self, flags: dict[str, object] = FLAGS) -> None:
        self.engine, self.clock = MainEngine(settings=flags), ManualClock()
        self.engine.rollouts.clock = self.clock
        self.adapter = self.engine.add_adapter(FakeAdapter)
        self.engine.subscribe(SubscribeRequest("A", Exchange.BINANCE), "FAKE")

    def go(self, seconds: float = 0.0) -> RollOutHealth:
        """Connected, some time passes, and the timer says so; where it stands then."""
        self.engine.connect({}, "FAKE")
        self.clock.advance(seconds)
        self.engine.event_engine.put(Event(EVENT_TIMER))
        assert self.engine.event_engine.drain()
        return self.engine.health().rollouts["FAKE"]

    def until(self, stage: Stage) -> Life:
        """Go on well until that stage."""
        self.go()
        while self.engine.health().rollouts["FAKE"].stage != stage.value:
            self.go(100.0)
        return self


Lives = Callable[..., Life]


@pytest.fixture
def lives() -> Iterator[Lives]:
    """Begins a process; the one before is gone then."""
    with ExitStack() as running:

        def begin(flags: dict[str, object] = FLAGS) -> Life:
            running.close()
            life = Life(flags)
            running.callback(life.engine.close)
            return life

        yield begin


@pytest.fixture
def file(data_directory: Path) -> Path:
    """Where the progress is kept."""
    return data_directory / "rollout" / "fake-simulated.json"


def test_the_next_process_goes_on_where_the_last_one_stood(lives: Lives) -> None:
    """At its stage, with the time in which it proved itself; what lies between proves nothing."""
    lives().until(Stage.TOP).go(70.0)
    life = lives()
    assert life.go().stage == "top"
    assert life.adapter.flags.websocket_symbols == ("A", "B")
    assert life.go(29.0).stage == "top"
    assert life.go(1.0).stage == "majors"


def test_what_was_rolled_back_stays_so_in_the_next_process(lives: Lives) -> None:
    """With the reason; only a person lets it begin anew."""
    life = lives().until(Stage.FIRST)
    life.engine.override_mode("FAKE", Mode.POLLING)
    shown = lives().go(10_000.0)
    assert (shown.stage, shown.rolled_back, shown.reason) == ("polling", True, "manual override")
    life = lives()
    life.go()
    life.engine.override_mode("FAKE", None)
    assert not lives().go().rolled_back


def test_what_a_person_says_wins_over_what_was_reached(lives: Lives) -> None:
    """Said before the connection is there, it is what counts, and what is kept."""
    lives().until(Stage.TOP)
    life = lives()
    life.engine.override_mode("FAKE", Mode.POLLING)
    assert life.go().reason == "manual override"
    assert not life.adapter.flags.websocket_enabled
    assert lives().go().stage == "polling"


def test_another_begin_in_the_settings_wins_over_what_was_reached(lives: Lives) -> None:
    """A person has written it since; the same one says nothing new."""
    lives().until(Stage.TOP)
    assert lives({**FLAGS, "rollout.begin": "first"}).go().stage == "first"
    assert lives({**FLAGS, "rollout.begin": "first"}).until(Stage.MAJORS)
    assert lives({**FLAGS, "rollout.begin": "first"}).go().stage == "majors"


def test_an_environment_has_its_own_progress(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a simulated venue has proved is nothing to the live one, and is there on the way back.

    Also when one process goes from the one to the other.
    """
    life = lives().until(Stage.TOP)
    monkeypatch.setattr(FakeAdapter, "environment", Environment.LIVE)
    assert life.go().stage == "polling"
    life = lives()
    assert life.go().stage == "polling"
    monkeypatch.setattr(FakeAdapter, "environment", HERE)
    assert life.go().stage == "top"


def test_the_file_is_for_this_user_alone(lives: Lives, file: Path) -> None:
    """Like everything that foxtrot keeps; no draft of it is left."""
    lives().until(Stage.FIRST)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"stage": "everything"}',
        b'{"stage": "all", "elapsed_s": -1}',
        b'{"stage": "all", "rolled_back": true}',
        b'{"stage": "first", "validated": true}',
        b'{"stage": "all", "reason": "' + b"x" * 70_000 + b'"}',
    ],
)
def test_a_damaged_file_begins_with_polling(
    lives: Lives, file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the settings say of the begin; it is told, and set aside for whoever wants it."""
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    life = lives({**FLAGS, "rollout.begin": "all"})
    shown = life.go()
    assert (shown.stage, shown.reason) == ("polling", "its file was damaged and is set aside")
    assert not life.adapter.flags.websocket_enabled
    assert "rollout_damaged" in caplog.text
    assert file.with_suffix(".damaged").read_bytes()[:100] == content[:100]
    assert lives({**FLAGS, "rollout.begin": "all"}).go().stage == "polling"


def test_a_place_that_cannot_be_written_keeps_nobody_from_going_on(
    lives: Lives, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, not at each turn."""
    file.parent.parent.mkdir(parents=True, exist_ok=True)
    file.parent.write_text("no directory")
    assert lives().until(Stage.ALL).go().stage == "all"
    told = [line for line in caplog.records if "rollout_not_kept" in line.getMessage()]
    assert len(told) == 1


def test_a_roll_out_that_is_switched_off_is_forgotten(lives: Lives, file: Path) -> None:
    """Switched on again it begins anew."""
    life = lives().until(Stage.TOP)
    life.engine.reload_settings(Settings())
    assert not file.exists()
    life.engine.reload_settings(Settings.parse(FLAGS))
    assert life.go().stage == "polling"


def test_time_alone_is_written_once_a_minute(data_directory: Path) -> None:
    """The disk is not asked for each second of days."""
    flags = Settings.parse(FLAGS).flags
    shelf, path = Shelf(lambda name: flags), path_of(flags, "FAKE", HERE)
    assert shelf.recall("FAKE", HERE) is None
    for elapsed_s, kept_s in ((0.0, 0.0), (59.0, 0.0), (60.0, 60.0), (61.0, 60.0)):
        shelf.keep({"FAKE": Progress(Stage.FIRST, elapsed_s)})
        kept = Shelf(lambda name: flags).recall("FAKE", HERE)
        assert kept is not None
        assert kept.elapsed_s == kept_s
    assert path.is_relative_to(data_directory)


def test_it_is_kept_beside_the_order_journals(tmp_path: Path) -> None:
    """Where the settings say, under a name that can be a file's."""
    flags = Settings.parse({"journal.directory": str(tmp_path)}).flags
    assert path_of(flags, "IB", Environment.LIVE) == tmp_path / "rollout" / "ib-live.json"
    odd = path_of(flags, "../x", Environment.LIVE)
    assert odd.parent == tmp_path / "rollout"
