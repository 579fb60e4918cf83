"""Events with fields, for hosts and for foxtrot's own programs, and no secrets in either."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.core import logs
from foxtrot.core.redaction import register_secret
from foxtrot.errors import ConfigurationError

CANARY = "canary-7f3a9c-secret"


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_embedded_library_prints_nothing() -> None:
    """Without `configure`, importing and logging write to neither stdout nor stderr."""
    code = (
        "from foxtrot.core.logs import get_logger\n"
        "get_logger('foxtrot.x').error('lost', symbol='BTCUSDT')\n"
        "import logging\n"
        "assert not logging.getLogger().handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_host_sees_events_as_records(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the room's name, the fields in its text and as a dict, and the caller."""
    with caplog.at_level("INFO", logger="foxtrot"):
        logs.get_logger("foxtrot.binance").bind(venue="BINANCE").info("subscribed", name="BTCUSDT")
    (record,) = caplog.records
    assert record.name == "foxtrot.binance"
    assert record.getMessage() == "subscribed venue=BINANCE name=BTCUSDT"
    assert record.foxtrot == {"event": "subscribed", "venue": "BINANCE", "name": "BTCUSDT"}
    assert record.filename == "test_logs.py"


@pytest.mark.parametrize("method", ["debug", "info", "warning", "error", "critical"])
def test_each_method_writes_its_level(method: str, caplog: pytest.LogCaptureFixture) -> None:
    """A line has the level of the method that wrote it."""
    with caplog.at_level("DEBUG", logger="foxtrot"):
        getattr(logs.get_logger("foxtrot.x"), method)("event")
    assert [record.levelname for record in caplog.records] == [method.upper()]


def test_a_level_as_a_number_is_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    """`log` takes a level, and lines below the level are not written."""
    log = logs.get_logger("foxtrot.x")
    with caplog.at_level("INFO", logger="foxtrot"):
        log.log(logging.DEBUG, "hidden")
        log.log(logging.INFO, "shown")
        assert (log.is_enabled_for(logging.DEBUG), log.is_enabled_for(logging.INFO)) == (
            False,
            True,
        )
    assert [record.getMessage() for record in caplog.records] == ["shown"]


def test_a_filtered_line_touches_none_of_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A field of a line that is not written is not turned into text."""

    class Dear:
        def __str__(self) -> str:
            raise AssertionError("was rendered")

    with caplog.at_level("INFO", logger="foxtrot"):
        logs.get_logger("foxtrot.x").debug("frame", body=Dear())
    assert caplog.records == []


def test_the_correlation_id_is_in_every_line(caplog: pytest.LogCaptureFixture) -> None:
    """Lines of one call can be found by one id."""
    token = logs.correlation_id.set("c-1")
    try:
        with caplog.at_level("INFO", logger="foxtrot"):
            logs.get_logger("foxtrot.x").info("sent")
    finally:
        logs.correlation_id.reset(token)
    assert caplog.records[0].foxtrot["correlation_id"] == "c-1"


def test_what_an_order_caused_is_recalled_and_what_it_leads_to_is_new() -> None:
    """News of an order bears the id it was sent under; an order sent for the news gets its own."""
    with logs.correlated("request") as request:
        logs.remember("V.1")
    with logs.correlated("connect"):
        with logs.recalled("V.1"):
            assert logs.correlation_id.get() == request
            with logs.correlated("maker") as fresh:
                assert fresh.startswith("maker-")
            assert logs.correlation_id.get() == request
        with logs.recalled("V.unknown"):
            assert logs.correlation_id.get().startswith("connect-")
    assert logs.correlation_id.get() == ""


def test_no_more_orders_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The newest are; the memory does not grow with the orders of a year."""
    monkeypatch.setattr(logs, "_ORDERS_KEPT", 2)
    monkeypatch.setattr(logs, "_of_orders", type(logs._of_orders)())
    with logs.correlated("request"):
        for number in range(5):
            logs.remember(f"V.{number}")
    assert list(logs._of_orders) == ["V.3", "V.4"]


@pytest.mark.parametrize(("level", "shown"), [("INFO", ["lost"]), ("DEBUG", ["asked", "lost"])])
def test_the_chatter_of_the_sdks_is_for_debug(level: str, shown: list[str]) -> None:
    """At INFO only their trouble is shown; ours is shown as ever."""
    stream = io.StringIO()
    logs.configure(level=level, json=True, stream=stream)
    chatter = logging.getLogger("ib_async.client")
    chatter.info("asked")
    chatter.warning("lost")
    logs.get_logger("foxtrot.x").info("ours")
    assert [line["event"] for line in _lines(stream)] == [*shown, "ours"]


def test_lines_are_json_where_no_terminal_is() -> None:
    """One object a line, with time, level, logger, event and fields that keep their types."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    logs.get_logger("foxtrot.x").info("tick", price=1.5, level=3, ok=True, bad=float("nan"))
    (line,) = _lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "level": "info", "logger": "foxtrot.x", "event": "tick",
        "price": 1.5, "level_": 3, "ok": True, "bad": "nan",
    }  # fmt: skip


def test_lines_are_for_people_where_asked() -> None:
    """The console form shows event and fields in one line."""
    stream = io.StringIO()
    logs.configure(json=False, stream=stream)
    logs.get_logger("foxtrot.x").info("tick", symbol="BTCUSDT")
    assert "tick" in stream.getvalue()
    assert "symbol=BTCUSDT" in stream.getvalue()


def test_configuring_again_replaces_the_handlers() -> None:
    """No line is written twice."""
    first, second = io.StringIO(), io.StringIO()
    logs.configure(stream=first)
    logs.configure(stream=second)
    logs.get_logger("foxtrot.x").info("once")
    assert (first.getvalue(), len(_lines(second))) == ("", 1)


def test_the_level_changes_at_once() -> None:
    """`set_level` counts for the next line."""
    stream = io.StringIO()
    logs.configure(level="WARNING", stream=stream)
    log = logs.get_logger("foxtrot.x")
    log.info("hidden")
    logs.set_level("DEBUG")
    log.debug("shown")
    assert [line["event"] for line in _lines(stream)] == ["shown"]


def test_an_unknown_level_is_refused() -> None:
    """The error names the levels there are."""
    with pytest.raises(ConfigurationError, match=r"logging\.level: must be one of DEBUG, INFO"):
        logs.configure(level="LOUD")


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    """The log file and its directory are closed to others, and lines in it are JSON."""
    file = tmp_path / "logs" / "foxtrot.log"
    logs.configure(stream=io.StringIO(), file=file)
    logs.get_logger("foxtrot.x").info("kept")
    assert json.loads(file.read_text())["event"] == "kept"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_full_disk_loses_lines_of_the_file_and_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The lines are shown elsewhere; no traceback of the logging library is, and no record."""
    stream = io.StringIO()
    logs.configure(stream=stream, file=Path("/dev/full"))
    for _ in range(3):
        logging.getLogger("foreign").warning("word %s", CANARY)
    logs.configure(stream=stream)
    told = [line["event"] for line in _lines(stream)]
    assert told.count("log_unwritable") == 1
    assert len(told) == 4
    assert capsys.readouterr().err == ""


def test_a_log_file_behind_a_link_is_refused(tmp_path: Path) -> None:
    """Nobody can direct the log into another file."""
    (tmp_path / "link.log").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigurationError, match="cannot write the log file"):
        logs.configure(stream=io.StringIO(), file=tmp_path / "link.log")


def _log_everything() -> None:
    log = logs.get_logger("foxtrot.x")
    log.debug(CANARY, text=CANARY, api_key="k-" + CANARY, nested={"a": [CANARY], CANARY: 1})
    log.info("bytes", body=CANARY.encode(), error=ValueError(CANARY), thing={CANARY})
    try:
        try:
            raise ValueError(f"inner {CANARY}")
        except ValueError as error:
            raise RuntimeError(f"url?signature={CANARY}") from error
    except RuntimeError:
        log.exception("failed", symbol="BTCUSDT")
        logging.getLogger("ccxt.base.exchange").exception("failed %s", CANARY)
    sdk = logging.getLogger("ccxt.base.exchange")
    sdk.debug("GET %s %s", f"https://h/?signature={CANARY}", {"X-MBX-APIKEY": CANARY})
    logging.getLogger("ib_insync.client").debug("account %s", CANARY)
    logging.getLogger("some.library").warning("said %s", CANARY, exc_info=ValueError(CANARY))


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_written_at_debug(as_json: bool, tmp_path: Path) -> None:
    """Neither our lines, nor the SDKs', nor tracebacks show a secret."""
    register_secret(CANARY)
    stream = io.StringIO()
    logs.configure(level="DEBUG", json=as_json, stream=stream, file=tmp_path / "x.log")
    _log_everything()
    written = stream.getvalue() + (tmp_path / "x.log").read_text()
    assert "canary" not in written
    assert written.count("<redacted>") > 10
    assert "RuntimeError" in written


def test_a_field_named_like_a_secret_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    """A value nobody has registered is hidden by the name of its field, at every depth."""
    with caplog.at_level("INFO", logger="foxtrot"):
        logs.get_logger("foxtrot.x").info("sent", api_key="unheard-of", body={"secret": "of-too"})
    assert "unheard-of" not in caplog.text
    assert caplog.records[0].foxtrot["body"] == {"secret": "<redacted>"}


def test_a_host_sees_no_secret_of_the_sdks(caplog: pytest.LogCaptureFixture) -> None:
    """After `guard_sdk_loggers` a host's own handlers get scrubbed records."""
    register_secret(CANARY)
    logs.guard_sdk_loggers()
    with caplog.at_level("DEBUG"):
        sdk = logging.getLogger("ccxt.base.exchange")
        sdk.debug("GET %s", f"https://h/?signature=x{CANARY}")
        sdk.error("failed", exc_info=ValueError(CANARY))
        sdk.debug("wrong %d", "arguments")
    assert "canary" not in caplog.text
    assert "ValueError" in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_what_was_raised_is_shown_however_long_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last line says what went wrong; a thousand calls above it must not push it out."""

    def ping(left: int) -> None:
        if not left:
            raise ValueError("the point of it")
        pong(left - 1)

    def pong(left: int) -> None:
        ping(left)

    try:
        ping(400)
    except ValueError:
        logs.get_logger("foxtrot.x").exception("failed")
    trace = caplog.records[0].foxtrot["exception"]
    assert trace.startswith("  | Traceback (most recent call last):")
    assert trace.endswith("\n  | ValueError: the point of it")
    assert len(trace) < 40_000


def test_a_forged_line_stays_inside_its_traceback() -> None:
    """A line feed in an error's text cannot pose as a log line of its own."""
    stream = io.StringIO()
    logs.configure(json=False, stream=stream)
    try:
        raise ValueError("x\n2026-01-01 [info] all is well")
    except ValueError:
        logs.get_logger("foxtrot.x").exception("failed")
    assert not any(line.startswith("2026-01-01 ") for line in stream.getvalue().splitlines())


def test_odd_values_do_not_break_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is passed as a field, the line is written."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    deep: list[object] = []
    deep.append(deep)
    with caplog.at_level("INFO", logger="foxtrot"):
        logs.get_logger("foxtrot.x").info(
            "odd", a=Broken(), b=deep, c=10**5000, d="x" * 1000, e="\x1b[2J"
        )
    fields = caplog.records[0].foxtrot
    assert fields["a"] == "<unprintable Broken>"
    assert fields["c"] == "<integer of 16610 bits>"
    assert (len(fields["d"]), fields["e"]) == (256, "\\x1b[2J")


def test_a_disabled_room_is_silent_at_every_level(caplog: pytest.LogCaptureFixture) -> None:
    """A host that shuts a room's logger gets nothing from it."""
    log = logs.get_logger("foxtrot.shut")
    logging.getLogger("foxtrot.shut").setLevel(logging.CRITICAL + 1)
    for write in (log.debug, log.info, log.warning, log.error, log.critical, log.exception):
        write("event")
    assert caplog.records == []
