"""A handler that fails harms nobody else, and is set aside when it does nothing else."""

import functools
import logging
from collections.abc import Iterator

import pytest

from foxtrot.core import handlers
from foxtrot.core.event_engine import EventEngine, Handler
from foxtrot.core.handlers import QUARANTINE_AFTER, name_of
from foxtrot.model.events import Event
from tests.support.clock import ManualClock
from tests.support.engine import WAIT_S, Recorder


class Fragile:
    """A handler that raises on what is marked as bad."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, event: Event) -> None:
        self.calls += 1
        if event.data == "bad":
            raise ValueError("as told")


@pytest.fixture
def engine() -> Iterator[EventEngine]:
    """A running engine with a clock that stands still."""
    made = EventEngine(clock=ManualClock())
    made.start()
    yield made
    made.stop(WAIT_S)


def serve(engine: EventEngine, *data: str) -> None:
    """Put events of type "a" and wait until they are served."""
    for item in data:
        engine.put(Event("a", item))
    assert engine.drain(WAIT_S)


def named(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    """Fields of the log lines of one event."""
    fields = [record.foxtrot for record in caplog.records]  # type: ignore[attr-defined]
    return [line for line in fields if line["event"] == event]


def test_a_handler_that_raises_harms_nobody_else(
    engine: EventEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The other handlers get the event, the next event is served, the failure is logged by name."""
    before, after = Recorder(), Recorder()
    for handler in (before, Fragile(), after):
        engine.register("a", handler)
    serve(engine, "bad", "good")

    assert before.data == after.data == ["bad", "good"]
    assert engine.health().handler_errors == 1
    (line,) = named(caplog, "handler_failed")
    assert "Fragile" in str(line["handler"])
    assert (line["event_type"], line["failures"]) == ("a", 1)
    assert "ValueError: as told" in str(line["exception"])


async def coroutine(event: object) -> None:
    """Nobody would await it."""


@pytest.mark.parametrize("handler", [None, "name", coroutine])
def test_what_cannot_be_a_handler_is_refused_where_it_is_registered(
    engine: EventEngine, handler: Handler
) -> None:
    """Not at the first event, on another thread; for one type, for all, or on the spot."""
    for register in (
        lambda: engine.register("a", handler),
        lambda: engine.register("a", handler, inline=True),
        lambda: engine.register_general(handler),
    ):
        with pytest.raises(TypeError, match="a handler is a"):
            register()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_not_even_an_exit_ends_the_dispatcher(
    engine: EventEngine, error: type[BaseException]
) -> None:
    """`sys.exit()` and the like in a handler are failures of that handler."""
    recorder = Recorder()

    def leave(event: Event) -> None:
        raise error

    engine.register("a", leave)
    engine.register("a", recorder)
    serve(engine, "first", "second")

    assert recorder.data == ["first", "second"]
    assert engine.health().handler_errors == 2


def test_a_handler_that_only_fails_is_set_aside(
    engine: EventEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """After a hundred failures in a row a handler is called no more; health and an ERROR say so."""
    fragile, sound = Fragile(), Recorder()
    engine.register("a", fragile)
    engine.register_general(sound)
    serve(engine, *["bad"] * (QUARANTINE_AFTER + 50))

    assert fragile.calls == QUARANTINE_AFTER
    assert len(sound.events) == QUARANTINE_AFTER + 50
    assert engine.health().quarantined == (name_of(fragile),)
    assert len(named(caplog, "handler_quarantined")) == 1
    assert caplog.records[-1].levelno == logging.ERROR


def test_one_success_ends_the_row(engine: EventEngine) -> None:
    """A handler that works now and then is never set aside."""
    fragile = Fragile()
    engine.register("a", fragile)
    almost = ["bad"] * (QUARANTINE_AFTER - 1)
    serve(engine, *almost, "good", *almost)

    assert fragile.calls == 2 * QUARANTINE_AFTER - 1
    assert engine.health().quarantined == ()


def test_events_it_does_not_get_do_not_end_the_row(engine: EventEngine) -> None:
    """Events for others are no successes of a failing handler."""
    fragile = Fragile()
    engine.register("a", fragile)
    engine.register("b", Recorder())
    for _ in range(QUARANTINE_AFTER):
        engine.put(Event("a", "bad"))
        engine.put(Event("b"))
    assert engine.drain(WAIT_S)

    assert engine.health().quarantined == (name_of(fragile),)


def test_registering_again_gives_a_new_chance(engine: EventEngine) -> None:
    """A handler that was set aside is called again once it is registered again."""
    fragile = Fragile()
    engine.register("a", fragile)
    serve(engine, *["bad"] * QUARANTINE_AFTER, "not seen")
    engine.register("a", fragile)
    serve(engine, "good", "bad")

    assert fragile.calls == QUARANTINE_AFTER + 2
    assert engine.health().quarantined == ()


def test_unregistering_one_that_was_set_aside_forgets_it(engine: EventEngine) -> None:
    """Health does not list handlers that are registered nowhere."""
    fragile = Fragile()
    engine.register("a", fragile)
    serve(engine, *["bad"] * QUARANTINE_AFTER)
    engine.unregister("a", fragile)

    assert engine.health().quarantined == ()


def test_a_handler_that_keeps_failing_does_not_flood_the_log(
    engine: EventEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """Of its failures the first, the tenth, the hundredth … are logged, also between successes."""
    engine.register("a", Fragile())
    serve(engine, *["bad", "good"] * 250)

    assert [line["failures"] for line in named(caplog, "handler_failed")] == [1, 10, 100]
    assert engine.health().handler_errors == 250


def test_a_broken_log_does_not_stop_the_dispatcher(
    engine: EventEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where even the log raises, the events still arrive."""

    class BrokenLog:
        def error(self, event: str, **fields: object) -> None:
            raise OSError("disk full")

    monkeypatch.setattr(handlers, "log", BrokenLog())
    recorder = Recorder()
    engine.register("a", Fragile())
    engine.register("a", recorder)
    serve(engine, "bad", "good")

    assert recorder.data == ["bad", "good"]


def test_the_failure_of_a_critical_handler_is_told_once_until_it_succeeds(
    engine: EventEngine,
) -> None:
    """Who relies on a handler hears of the first failure in a row, by name and error."""
    told: list[tuple[str, BaseException]] = []
    engine.register("a", Fragile(), critical=lambda name, error: told.append((name, error)))
    serve(engine, "good", "bad", "bad")
    assert [(name, str(error)) for name, error in told] == [(f"{__name__}.Fragile", "as told")]
    assert engine.health().failing == (f"{__name__}.Fragile",)

    serve(engine, "good")
    assert engine.health().failing == ()
    serve(engine, "bad")
    assert len(told) == 2


def test_a_critical_handler_is_never_set_aside(engine: EventEngine) -> None:
    """However often it fails, it gets the next event."""
    handler = Fragile()
    engine.register("a", handler, critical=lambda name, error: None)
    serve(engine, *["bad"] * (QUARANTINE_AFTER + 5))
    assert handler.calls == QUARANTINE_AFTER + 5
    assert engine.health().quarantined == ()


def test_a_critical_handler_on_a_lane_is_told_of_as_well(engine: EventEngine) -> None:
    """It does not matter on which thread it fails."""
    told: list[str] = []
    engine.register("a", Fragile(), lane="slow", critical=lambda name, error: told.append(name))
    engine.register("a", Fragile(), inline=True, critical=lambda name, error: told.append(name))
    serve(engine, "bad", "bad")
    assert told == [f"{__name__}.Fragile"] * 2
    assert engine.health().failing == (f"{__name__}.Fragile",) * 2


def test_who_is_told_and_raises_does_not_stop_the_dispatcher(
    engine: EventEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure to hear of a failure is logged, and the next event is served."""

    def deaf(name: str, error: BaseException) -> None:
        raise RuntimeError("did not hear")

    recorder = Recorder()
    engine.register("a", Fragile(), critical=deaf)
    engine.register("a", recorder)
    serve(engine, "bad", "good")
    assert recorder.data == ["bad", "good"]
    (line,) = named(caplog, "critical_not_told")
    assert line["handler"] == f"{__name__}.Fragile"


def test_unregistering_a_critical_handler_makes_it_one_like_others(engine: EventEngine) -> None:
    """Registered anew without the word, it is nobody's concern any more."""
    told: list[str] = []
    handler = Fragile()
    engine.register("a", handler, critical=lambda name, error: told.append(name))
    engine.unregister("a", handler)
    engine.register("a", handler)
    serve(engine, "bad")
    assert told == []


def test_handlers_are_named_as_their_authors_know_them() -> None:
    """Functions, methods, partials and callable objects all have a name in the log."""
    recorder = Recorder()
    assert name_of(name_of) == "foxtrot.core.handlers.name_of"
    assert name_of(recorder.wait_for).endswith("Recorder.wait_for")  # type: ignore[arg-type]
    assert name_of(functools.partial(print, "x")) == "builtins.print"
    assert name_of(recorder) == "tests.support.engine.Recorder"
