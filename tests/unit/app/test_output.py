"""JSON lines on a pipe whose reader may be slow, or gone."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator

import pytest

from foxtrot.app import jsonlines
from foxtrot.app.output import JsonOutput
from foxtrot.app.stop import Stop
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.events import Event


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    """An engine that runs, without adapters."""
    with MainEngine() as running:
        yield running


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Reading and writing end."""
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue


def say(engine: MainEngine, text: str, times: int = 1) -> None:
    """Put log lines and wait until they were handled."""
    for _ in range(times):
        engine.write_log(text)
    assert engine.event_engine.drain(10.0)


def test_lines_come_in_order_and_end_with_a_summary(
    engine: MainEngine, pipe: tuple[int, int]
) -> None:
    """The first line is the start, the last the summary, and what happened stands between."""
    reader, writer = pipe
    with Stop() as stop, JsonOutput("test", stop, fd=writer) as output:
        output.attach(engine)
        say(engine, "one")
        output.show(engine)
        say(engine, "two")
        output.finish(engine)
    lines = [json.loads(line) for line in os.read(reader, 65_536).splitlines()]
    assert [line.get("text", line["event"]) for line in lines] == ["start", "one", "two", "summary"]


def test_a_slow_reader_loses_the_oldest_and_is_told(
    engine: MainEngine, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that wait are bounded; the summary counts those that were given up."""
    monkeypatch.setattr("foxtrot.app.output._PENDING", 10)
    reader, writer = pipe
    with Stop() as stop, JsonOutput("test", stop, fd=writer) as output:
        output.attach(engine)
        say(engine, "word", times=25)
        output.finish(engine)
    lines = [json.loads(line) for line in os.read(reader, 65_536).splitlines()]
    assert [line["event"] for line in lines].count("log") == 10
    assert lines[-1]["unwritten"] == 15


def test_a_reader_that_stands_still_does_not_keep_the_program(
    engine: MainEngine, pipe: tuple[int, int]
) -> None:
    """A full pipe nobody reads cannot hold up the end."""
    _, writer = pipe
    with Stop(0.2) as stop, JsonOutput("test", stop, fd=writer) as output:
        output.attach(engine)
        say(engine, "x" * 1000, times=200)
        output.show(engine)
        assert stop.reason == "time is up"
        output.finish(engine)


def test_what_comes_while_lines_are_written_does_not_keep_the_program(
    engine: MainEngine, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A market that is faster than the output holds up neither the end nor the settings."""
    _, writer = pipe
    line, calls = jsonlines.line, 0

    def slow(event: Event, environment_of: jsonlines.EnvironmentOf) -> jsonlines.Fields | None:
        nonlocal calls
        calls += 1
        assert calls < 10, "it never ends"
        say(engine, "more")
        return line(event, environment_of)

    with Stop() as stop, JsonOutput("test", stop, fd=writer) as output:
        output.attach(engine)
        say(engine, "word", times=3)
        monkeypatch.setattr(jsonlines, "line", slow)
        output.show(engine)
    assert calls == 3


def test_a_full_disk_loses_lines_and_the_program_goes_on(
    engine: MainEngine,
    pipe: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told once; when there is room, a torn line is ended first and the loss counted."""
    reader, writer = pipe
    write, room = os.write, [5, 0, 0]  # bytes that the disk takes of the next writes

    def limited(fd: int, data: bytes) -> int:
        if fd != writer or not room:
            return write(fd, data)
        if not (taken := room.pop(0)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data[:taken])

    with Stop() as stop, JsonOutput("test", stop, fd=writer) as output:
        output.attach(engine)
        monkeypatch.setattr("foxtrot.app.output.os.write", limited)
        say(engine, "lost", times=2)
        output.show(engine)
        say(engine, "kept")
        output.finish(engine)
    _, torn, kept, summary = os.read(reader, 65_536).splitlines()
    assert (len(torn), json.loads(kept)["text"]) == (5, "kept")
    assert json.loads(summary)["unwritten"] == 2
    assert caplog.text.count("output_unwritable") == 1
    assert not stop.reason


def test_a_reader_that_left_ends_the_program(engine: MainEngine, pipe: tuple[int, int]) -> None:
    """A closed pipe asks the program to stop; it is no error."""
    reader, writer = pipe
    with Stop() as stop, JsonOutput("test", stop, fd=writer) as output:
        output.attach(engine)
        os.close(reader)
        say(engine, "word")
        output.show(engine)
        assert stop.reason == "nobody reads"
        output.finish(engine)
