"""The program foxtrot, as a person or a script starts it: real processes, real sockets."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import queue
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

WAIT_S = 25.0
START = [sys.executable, "-m", "foxtrot"]
Line = dict[str, object]
Start = Callable[..., "Program"]


class Program:
    """A foxtrot process whose output is read as JSON lines."""

    def __init__(self, *arguments: str) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [*START, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[Line] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, **wanted: object) -> Line:
        """The next line that has these fields."""
        while True:
            text = self._queue.get(timeout=WAIT_S)
            assert text is not None, f"ended without {wanted}: {self.lines[-5:]}"
            self.lines.append(json.loads(text))
            if wanted.items() <= self.lines[-1].items():
                return self.lines[-1]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for the end."""
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        while (text := self._queue.get(timeout=WAIT_S)) is not None:
            self.lines.append(json.loads(text))
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()

    def errors(self) -> str:
        """What it wrote to stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def _read(self) -> None:
        """Hand the lines over; runs on a thread, as reading has no deadline."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts programs; none outlives the test."""
    with ExitStack() as stack:

        def begin(*arguments: str) -> Program:
            program = Program(*arguments)
            stack.callback(program.close)
            return program

        yield begin


@pytest.fixture
def venue(start: Start) -> Line:
    """A simulated Binance that `foxtrot sim` serves."""
    program = start("sim", "binance", "--port", "0", "--rate", "50", "--json")
    return program.wait_for(event="open")


def foxtrot(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*START, *arguments],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        env={**os.environ, **environment},
        check=False,
    )


def read(terminal: int) -> bytes:
    """What a process wrote to its terminal."""
    ready, _, _ = select.select((terminal,), (), (), WAIT_S)
    assert ready, "nothing was written"
    return os.read(terminal, 65_536)


def settings(venue: Line, **changed: object) -> str:
    """A settings file for the simulated venue."""
    entry = {"adapter": "binance", "connect": venue["connect"], "subscribe": ["BTCUSDT"]}
    entry |= {key: changed.pop(key) for key in ("subscribe",) if key in changed}
    flags = {"polling.interval": 0.1, **{k.replace("__", "."): v for k, v in changed.items()}}
    return json.dumps({**flags, "venues": {"BINANCE": entry}})


# -- demo ----------------------------------------------------------------------------------------


def test_demo_tells_ticks_that_are_labelled_simulated(start: Start) -> None:
    """Every tick of the demo says that it is simulated, and the last line balances the books."""
    demo = start("demo", "--json", "--rate", "50", "--symbols", "BTCUSDT,ETHUSDT")
    tick = demo.wait_for(event="tick", vt_symbol="ETHUSDT.BINANCE")
    assert tick["bid"] < tick["ask"]  # type: ignore[operator]
    assert demo.end() == 0
    told = [line for line in demo.lines if line["event"] in ("tick", "connection", "stream")]
    assert {line["environment"] for line in told} == {"simulated"}
    summary = demo.lines[-1]
    assert summary["event"] == "summary"
    assert summary["reason"] == "SIGINT"
    parts = ("delivered", "conflated", "dropped")
    assert summary["received"] == sum(int(str(summary[part])) for part in parts)


def test_demo_ends_by_itself_after_the_given_seconds(start: Start) -> None:
    """`--seconds` ends the demo with exit code 0, even while it is still starting."""
    demo = start("demo", "--json", "--seconds", "0.5")
    assert demo.exit_code() == 0
    assert demo.lines[-1]["reason"] == "time is up"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_starting_ends_the_demo(start: Start, number: signal.Signals) -> None:
    """A signal is obeyed while the venue's SDK is still being imported."""
    demo = start("demo", "--json")
    demo.wait_for(event="connection", state="connecting")
    assert demo.end(number) == 0
    assert demo.errors() == ""


def test_a_reader_that_leaves_ends_the_demo_quietly(start: Start) -> None:
    """`foxtrot demo | head -1` ends without an error."""
    reader, writer = os.pipe()
    process = subprocess.Popen([*START, "demo"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    with os.fdopen(reader) as lines:
        lines.readline()
    _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")


def test_a_reader_that_is_gone_is_no_failure() -> None:
    """What a command tells to nobody, as in `foxtrot doctor | true`, does not make it fail."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [*START, "--version"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=WAIT_S
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.timeout(90)
def test_demo_draws_a_live_screen_on_a_terminal() -> None:
    """On a terminal the demo shows SIMULATED, prices and states, and gives the terminal back."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [*START, "demo", "--venues", "binance"],  # one SDK to import
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(slave)
    shown = b""
    try:
        while not all(word in shown for word in (b"SIMULATED", b"BTCUSDT", b"active", b"ready")):
            shown += read(master)
        process.send_signal(signal.SIGINT)
        while b"ended after" not in shown:
            shown += read(master)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait(WAIT_S)
        os.close(master)
    assert shown.rindex(b"\x1b[?1049l") > shown.index(b"\x1b[?1049h")


# -- run -----------------------------------------------------------------------------------------


def test_run_switches_modes_while_it_runs(start: Start, venue: Line, tmp_path: Path) -> None:
    """`websocket.enabled` in the file moves the streams to polling and back, and none is lost."""
    file = tmp_path / "settings.json"
    file.write_text(settings(venue))
    program = start("run", "--config", str(file), "--json")
    program.wait_for(event="stream", symbol="BTCUSDT", state="active", mode="websocket")
    file.write_text(settings(venue, websocket__enabled=False))
    program.wait_for(event="stream", symbol="BTCUSDT", state="polling", mode="polling")
    program.wait_for(event="tick", vt_symbol="BTCUSDT.BINANCE")
    file.write_text(settings(venue))
    program.wait_for(event="stream", symbol="BTCUSDT", state="active", mode="websocket")
    program.wait_for(event="tick", vt_symbol="BTCUSDT.BINANCE")
    assert program.end() == 0


def test_run_follows_the_subscriptions_of_the_file(
    start: Start, venue: Line, tmp_path: Path
) -> None:
    """A symbol that is added to the file is subscribed at once."""
    file = tmp_path / "settings.json"
    file.write_text(settings(venue))
    program = start("run", "--config", str(file), "--json")
    program.wait_for(event="tick", vt_symbol="BTCUSDT.BINANCE")
    file.write_text(settings(venue, subscribe=[{"symbol": "ETHUSDT", "channel": "depth"}]))
    depth = program.wait_for(event="depth", vt_symbol="ETHUSDT.BINANCE")
    assert len(depth["bids"]) == 20  # type: ignore[arg-type]
    assert program.end() == 0


def test_run_names_the_place_of_a_mistake(tmp_path: Path) -> None:
    """A wrong connect setting is named with the file and its key, before anything connects."""
    file = tmp_path / "settings.json"
    file.write_text(settings({"connect": {"environment": "simulated"}}))
    ended = foxtrot("run", "--config", str(file), "--json")
    assert ended.returncode == 2
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(f"error: {file}: venues.BINANCE.connect.rest_url: is missing")


# -- check-config --------------------------------------------------------------------------------


def test_check_config_says_what_is_in_a_good_file(venue: Line, tmp_path: Path) -> None:
    """A good file is summed up: environment, endpoint, subscriptions, changed flags."""
    file = tmp_path / "settings.json"
    file.write_text(settings(venue))
    ended = foxtrot("check-config", str(file))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "BINANCE: SIMULATED, 127.0.0.1:" in ended.stdout
    assert "subscribes to 1 tick" in ended.stdout
    assert "polling.interval = 0.1" in ended.stdout


def test_check_config_shows_no_secret() -> None:
    """The keys of a live configuration are resolved and shown nowhere."""
    file = str(Path(__file__).parents[2] / "config" / "binance-live.json")
    ended = foxtrot("check-config", file, BINANCE_KEY="canary-key-1", BINANCE_SECRET="canary-2")
    assert ended.returncode == 0
    assert "LIVE, api.binance.com" in ended.stdout
    assert "canary" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ('{"websocket.enabld": true}', 'did you mean "websocket.enabled"?'),
        ('{"polling.interval": "1"}', "write it without quotation marks"),
        ('{"venues": {"X": {"adapter": "nosuch"}}}', "known: binance"),
        ("{", "settings.json"),
    ],
)
def test_check_config_gives_a_line_of_advice(content: str, advice: str, tmp_path: Path) -> None:
    """A mistake is one line on stderr and exit code 2."""
    file = tmp_path / "settings.json"
    file.write_text(content)
    ended = foxtrot("check-config", str(file))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: ")
    assert advice in ended.stderr


# -- history -------------------------------------------------------------------------------------


def test_history_writes_csv_to_stdout() -> None:
    """Bars come as CSV on stdout, and their count on stderr."""
    ended = foxtrot(
        *("history", "BTCUSDT", "--simulated", "--interval", "1h"),
        *("--start", "2026-01-01", "--end", "2026-01-02"),
    )
    rows = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert rows[0] == "datetime,open,high,low,close,volume,turnover"
    assert rows[1].startswith("2026-01-01T00:00:00Z,")
    assert len(rows) == 26
    assert ended.stderr == "25 bars\n"


def test_history_goes_to_the_simulated_venue_of_the_exchange() -> None:
    """A symbol at an exchange of IB has bars of IB, or the day since which there are any."""
    wanted = ("history", "AAPL-USD-STK.SMART", "--simulated", "--interval", "d")
    ended = foxtrot(*wanted, "--start", "2026-01-05", "--end", "2026-01-09")
    assert (ended.returncode, ended.stderr) == (0, "4 bars\n")
    assert ended.stdout.splitlines()[1].startswith("2026-01-05T05:00:00Z,")
    ended = foxtrot(*wanted, "--start", "1950-01-02", "--end", "1950-01-03")
    assert "AAPL-USD-STK.SMART has no data before " in ended.stderr


def test_history_leaves_no_half_file(venue: Line, tmp_path: Path) -> None:
    """The file appears when all bars are there; a failure leaves nothing behind."""
    file, target = tmp_path / "settings.json", tmp_path / "bars.csv"
    file.write_text(settings(venue))
    wanted = ("--config", str(file), "--csv", str(target), "--interval", "d")
    ended = foxtrot("history", "NOSUCHUSDT", *wanted)
    assert ended.returncode == 1
    assert "NOSUCHUSDT" in ended.stderr
    assert list(tmp_path.iterdir()) == [file]
    ended = foxtrot("history", "BTCUSDT", *wanted, "--start", "2026-01-01", "--end", "2026-01-03")
    assert ended.returncode == 0, ended.stderr
    assert len(target.read_text().splitlines()) == 4


def test_history_is_left_with_a_signal(start: Start, tmp_path: Path) -> None:
    """A history that waits for a venue that never answers ends with exit code 0."""
    file = tmp_path / "settings.json"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(WAIT_S)
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        file.write_text(settings({"connect": {"environment": "simulated", "rest_url": url}}))
        program = start("history", "BTCUSDT", "--config", str(file))
        connection, _ = mute.accept()
        with connection:
            assert program.end() == 0
    assert "Traceback" not in program.errors()


def test_history_asks_where_from() -> None:
    """Without a source history says how to name one."""
    ended = foxtrot("history", "BTCUSDT")
    assert ended.returncode == 2
    assert "--config FILE or --simulated" in ended.stderr


# -- the rest ------------------------------------------------------------------------------------


def test_sim_says_that_a_port_is_taken(venue: Line) -> None:
    """A port in use is one line of advice."""
    port = str(venue["rest_url"]).rpartition(":")[2]
    ended = foxtrot("sim", "binance", "--port", port)
    assert ended.returncode == 2
    assert ended.stderr == (
        f"error: command line: --port: {port} is in use; choose another one, "
        "or 0 for any that is free\n"
    )


def test_sim_tells_the_key_that_trades_there(start: Start) -> None:
    """It says of itself that it is simulated, unless another one was given."""
    program = start("sim", "binance", "--port", "0", "--json", "--key", "mine")
    opened = program.wait_for(event="open")
    assert opened["simulated_key"] == "mine"
    assert str(opened["simulated_secret"]).startswith("SIMULATED")
    assert program.end() == 0


def test_sim_ends_with_a_signal(start: Start) -> None:
    """Ctrl-C closes the simulated venue with exit code 0."""
    program = start("sim", "binance", "--port", "0", "--json")
    program.wait_for(event="open")
    assert program.end() == 0
    assert program.errors() == ""


def test_sim_serves_a_tws_gateway(start: Start) -> None:
    """A gateway shakes hands at its port, and does what is injected at the address beside it."""
    program = start("sim", "ib", "--port", "0", "--rate", "0", "--symbols", "AAPL", "--json")
    opened = program.wait_for(event="open")
    assert opened["connect"] == {name: opened[name] for name in ("environment", "host", "port")}
    with socket.create_connection((opened["host"], opened["port"]), WAIT_S) as line:
        line.sendall(b"API\0\0\0\0\x09v157..176")
        line.settimeout(WAIT_S)
        assert b"176\0" in line.recv(100)
        fault = urllib.request.Request(str(opened["faults_url"]), b'{"name": "eof"}')
        with urllib.request.urlopen(fault, timeout=WAIT_S) as answer:
            assert answer.status == 201
        assert line.recv(100) == b""
    assert program.end() == 0
    assert program.errors() == ""


def test_sim_serves_an_opend(start: Start) -> None:
    """An OpenD listens at its port, and does what is injected at the address beside it."""
    program = start("sim", "futu", "--port", "0", "--rate", "0", "--symbols", "HK.00700", "--json")
    opened = program.wait_for(event="open")
    assert opened["connect"] == {name: opened[name] for name in ("environment", "host", "port")}
    with socket.create_connection((opened["host"], opened["port"]), WAIT_S) as line:
        line.settimeout(WAIT_S)
        fault = urllib.request.Request(str(opened["faults_url"]), b'{"name": "eof"}')
        with urllib.request.urlopen(fault, timeout=WAIT_S) as answer:
            assert answer.status == 201
        assert line.recv(100) == b""
    assert program.end() == 0
    assert program.errors() == ""


def test_sim_puts_a_proxy_in_front_of_a_venue(start: Start) -> None:
    """What is sent to the proxy reaches the venue, until a toxic is injected beside it."""
    program = start("sim", "ib", "--port", "0", "--rate", "0", "--symbols", "AAPL", "--json")
    at = f"127.0.0.1:{program.wait_for(event='open')['port']}"
    proxy = start("sim", "proxy", "--port", "0", "--to", at, "--json")
    opened = proxy.wait_for(event="open")
    with socket.create_connection((opened["host"], opened["port"]), WAIT_S) as line:
        line.sendall(b"API\0\0\0\0\x09v157..176")
        line.settimeout(WAIT_S)
        assert b"176\0" in line.recv(100)
        toxic = urllib.request.Request(str(opened["faults_url"]), b'{"name": "down"}')
        with urllib.request.urlopen(toxic, timeout=WAIT_S) as answer:
            assert answer.status == 201
        with pytest.raises(ConnectionResetError):
            line.recv(100)
    assert (proxy.end(), program.end()) == (0, 0)
    assert foxtrot("sim", "proxy", "--port", "0").stderr.startswith("error: command line: --to")


def test_ib_tells_of_a_gateway_and_of_its_ids(start: Start) -> None:
    """A look at a gateway names the option that is wrong, or what the gateway answers."""
    ended = foxtrot("ib", "status")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: command line: --port: is missing")
    program = start("sim", "ib", "--port", "0", "--rate", "0", "--symbols", "AAPL", "--json")
    port = str(program.wait_for(event="open")["port"])
    ended = foxtrot("ib", "status", "--environment", "simulated", "--port", port, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["accounts"] == ["DU1234567"]
    assert foxtrot("ib", "ids", "--json").stdout == "", "its id is given back"


def test_futu_tells_of_an_opend(start: Start) -> None:
    """A look says why there is no OpenD, or what one answers; the password opens its orders."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = str(server.getsockname()[1])
    ended = foxtrot("futu", "status", "--port", free)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: cannot connect to 127.0.0.1:{free}: refused; is OpenD")
    program = start("sim", "futu", "--port", "0", "--rate", "0", "--json")
    opened = program.wait_for(event="open")
    assert opened["simulated_password"] == "123456"
    ended = foxtrot("futu", "contracts", "00700.SEHK", "--port", str(opened["port"]), "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["lot_size"] == 100


@pytest.mark.parametrize(
    "arguments",
    [
        ("sim", "futu", "--port", "0"),
        ("history", "00700.SEHK", "--simulated"),
    ],
)
def test_without_futus_sdk_a_line_says_what_to_install(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Whatever needs it says so, and nothing is started by halves."""
    absent = ("futu", "pandas", "simplejson", "Crypto", "google.protobuf")
    hide = f"import sys; sys.modules.update(dict.fromkeys({absent}))"
    (tmp_path / "sitecustomize.py").write_text(hide)
    ended = foxtrot(*arguments, PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "not installed" in ended.stderr
    assert ended.stderr.endswith("pip install futu-api\n")
    assert ended.stderr.count("\n") == 1


def test_version_is_shown() -> None:
    """`--version` names the program and its version."""
    ended = foxtrot("--version")
    assert ended.returncode == 0
    assert ended.stdout.startswith("foxtrot 0.")


@pytest.mark.parametrize("arguments", [("demo", "--bogus"), ("nosuch",), ("demo", "--rate", "-1")])
def test_misuse_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    """A wrong command line is one line that says where help is."""
    ended = foxtrot(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: ")
    assert "--help" in ended.stderr


def test_tracebacks_are_shown_only_when_asked_for() -> None:
    """`--debug` shows where an error came from; without it there is the line alone."""
    wrong = ("check-config", "/nowhere/settings.json")
    assert "Traceback" not in foxtrot(*wrong).stderr
    assert "Traceback" in foxtrot("--debug", *wrong).stderr


def test_a_running_program_is_halted_from_the_command_line(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`foxtrot halt` halts it, `foxtrot resume` lets it go on, and it ends as ever."""
    monkeypatch.setenv("FOXTROT_DATA_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    assert foxtrot("halt").returncode == 1
    program = start("demo", "--json")
    program.wait_for(event="connection", session="trading", state="ready")
    assert foxtrot("halt").returncode == 0
    program.wait_for(event="log", text="trading is halted: asked to by SIGUSR1")
    assert foxtrot("resume").returncode == 0
    program.wait_for(event="log", text="trading is resumed")
    assert program.end() == 0
    assert "open_orders" in program.lines[-1]
