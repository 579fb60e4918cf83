"""The HTTP API over real sockets: what it answers, and that nobody can hold it up."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.model.constants import Channel, Direction, Exchange, OrderType
from foxtrot.model.health import AdapterHealth
from foxtrot.model.requests import OrderRequest, SubscribeRequest
from foxtrot.monitoring import listening
from foxtrot.monitoring.server import MonitorServer
from tests.support.monitor import WAIT_S, Monitored
from tests.support.rig import eventually

READ = (
    "/live",
    "/api/v1/health",
    "/api/v1/adapters",
    "/api/v1/streams",
    "/api/v1/orders",
    "/api/v1/system/config",
    "/api/v1/data/info",
)


@pytest.fixture
def monitored():
    with Monitored() as monitored:
        yield monitored


def order(symbol: str = "BTCUSDT") -> OrderRequest:
    return OrderRequest(symbol, Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 100.0)


@pytest.mark.parametrize("path", READ)
def test_every_answer_is_one_envelope(monitored: Monitored, path: str) -> None:
    """`success`, `data` and `error`, as JSON that nobody keeps."""
    reply = monitored.get(path)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert set(msgspec.json.decode(reply.body)) == {"success", "data", "error"}
    assert reply.data


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v1/halt", 405, "method_not_allowed"),
        ("/api/v1/orders?limit=many", 422, "invalid"),
        ("/api/v1/streams?freshness=rotten", 422, "invalid"),
        ("/api/v1/ib/pool/status", 404, "not_found"),
        ("/docs", 404, "not_found"),
        ("/openapi.json", 404, "not_found"),
    ],
)
def test_what_fails_is_the_same_envelope(
    monitored: Monitored, path: str, status: int, error: str
) -> None:
    """With a word for programs and a sentence for people."""
    reply = monitored.get(path)
    assert (reply.status, reply.error) == (status, error)


def test_without_the_token_only_life_is_told(monitored: Monitored) -> None:
    """Over a real socket, as in the door's own tests."""
    for path in (*READ[1:], "/metrics", "/api/v1/openapi.json", "/nothing"):
        assert monitored.get(path, Authorization="").status == 401
    assert monitored.get("/live", Authorization="").data == {"ok": True}


def test_a_stream_is_told_with_freshness_mode_and_age(monitored: Monitored) -> None:
    """As soon as data came; and filters choose among them."""
    monitored.venue.connect({})
    for channel in (Channel.TICK, Channel.DEPTH, Channel.TRADE):
        monitored.venue.subscribe(SubscribeRequest("BTCUSDT", Exchange.BINANCE, channel))

    def words() -> dict[str, str]:
        shown = monitored.get("/api/v1/streams").data["streams"]
        return {each["channel"]: each["freshness"] for each in shown}  # type: ignore[index,attr-defined]

    eventually(lambda: words() == {"tick": "fresh", "depth": "fresh", "trade": "polling"}, "modes")
    polled = monitored.get("/api/v1/streams?freshness=polling&adapter=fake").data
    assert [each["vt_symbol"] for each in polled["streams"]] == ["BTCUSDT.BINANCE"]  # type: ignore[attr-defined]
    assert polled["counts"] == {"fresh": 2, "stale": 0, "polling": 1, "dead": 0}
    assert monitored.get("/api/v1/streams?adapter=OTHER").data["streams"] == []


def test_orders_are_told(monitored: Monitored) -> None:
    """The open ones first, and only they if that is asked."""
    sent = [monitored.engine.send_order(order(), "FAKE") for _ in range(3)]
    eventually(lambda: len(monitored.engine.get_all_orders()) == 3, "orders")
    monitored.venue.fill(sent[0].partition(".")[2])
    eventually(lambda: len(monitored.engine.get_all_active_orders()) == 2, "a fill")
    eventually(lambda: monitored.get("/api/v1/orders").data["active"] == 2, "the reading")
    shown = monitored.get("/api/v1/orders").data
    assert shown["total"] == 3
    assert [each["vt_orderid"] for each in shown["orders"]][2] == sent[0]  # type: ignore[attr-defined]
    for query, count in (("active=true", 2), ("limit=1", 1)):
        assert len(monitored.get(f"/api/v1/orders?{query}").data["orders"]) == count  # type: ignore[arg-type]


def test_settings_are_told_without_secrets() -> None:
    """A reference to a secret is shown, a secret is not, and an account has another name."""
    connect = {"api_key": "env:A_KEY", "secret": "canary-7f3a", "account": "DU7654321"}
    connect["passphrase"] = "xyz"  # too short to be looked for in texts
    settings = {"polling.interval": 2.5, "venues": {"X": {"adapter": "ib", "connect": connect}}}
    with Monitored(settings) as monitored:
        reply = monitored.get("/api/v1/system/config")
    assert b"canary" not in reply.body
    assert b"xyz" not in reply.body
    assert b"7654321" not in reply.body
    venue = reply.data["venues"]["X"]  # type: ignore[index]
    assert venue["api_key"] == "env:A_KEY"
    assert venue["account"].startswith("account-")
    assert reply.data["flags"]["polling.interval"] == 2.5  # type: ignore[index]


def test_fifty_clients_are_served_by_few_readings(monitored: Monitored) -> None:
    """All get the whole answer, though the engine is asked twice a second at most."""
    asked = []
    health = monitored.engine.health
    monitored.engine.health = lambda: asked.append(1) or health()  # type: ignore[method-assign,func-returns-value,assignment]
    together = threading.Barrier(50, timeout=WAIT_S)

    def ask(_: int) -> bytes:
        together.wait()
        return monitored.get("/api/v1/health").body

    with ThreadPoolExecutor(50) as clients:
        bodies = list(clients.map(ask, range(50)))
    assert all(msgspec.json.decode(body)["success"] for body in bodies)
    assert len(asked) < 25


def test_a_part_that_hangs_is_told_within_a_second_and_hangs_alone(monitored: Monitored) -> None:
    """Other paths go on, one thread is lost and no more, and all is well when it is over."""
    release, entered = threading.Event(), []

    def hangs() -> AdapterHealth:
        entered.append(1)
        release.wait(WAIT_S)
        return AdapterHealth("FAKE", monitored.venue.state)

    monitored.venue.health = hangs  # type: ignore[method-assign]
    replies = [monitored.get("/api/v1/health") for _ in range(2)]
    assert [(each.status, each.error) for each in replies] == [(503, "no_answer")] * 2
    assert len(entered) == 1
    assert monitored.get("/api/v1/system/config").status == 200
    release.set()
    eventually(lambda: monitored.get("/api/v1/health").status == 200, "health")


def test_a_part_that_raises_does_not_end_the_server(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is an error without its text, and the next one is good."""
    with monkeypatch.context() as broken:
        broken.setattr(type(monitored.engine), "halted", property(lambda _: 1 / 0))
        reply = monitored.get("/api/v1/health")
    assert (reply.status, reply.error) == (500, "internal")
    assert b"division" not in reply.body
    eventually(lambda: monitored.get("/api/v1/health").status == 200, "health")


# -- sockets ----------------------------------------------------------------------------------


def raw(monitored: Monitored, *parts: bytes) -> bytes:
    """What comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", monitored.port), WAIT_S) as line:
        for part in parts:
            line.sendall(part)
        received = b""
        try:
            while data := line.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received


@pytest.mark.parametrize(
    "parts",
    [
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\nX: ", b"x" * 8500, b"\r\n\r\n"),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n" * 1500, b"\r\n"),
        (b"GET /live?", b"x" * 8500, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (b"GET /live HTTP/1.1\r\nX: ", b"x" * 9000, b"x" * 9000),
    ],
)
def test_a_head_of_more_than_8_kib_is_refused(
    monitored: Monitored, parts: tuple[bytes, ...]
) -> None:
    """In one header, in many, in the path, or without an end; the server goes on."""
    assert b"200 OK" not in (told := raw(monitored, *parts))
    assert told.startswith(b"HTTP/1.1 400") or told == b""
    assert monitored.get("/live").status == 200


def test_what_is_no_http_is_refused(monitored: Monitored) -> None:
    """In the form of every other answer, and without a line in the log for each of them."""
    told = raw(monitored, b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400")
    assert msgspec.json.decode(told.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /live HTTP/1.1\r\nHost: loc", b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\nGET"],
)
def test_who_does_not_finish_his_request_is_shown_out(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who says nothing, a part, or a part after a whole one: the connection is closed by us."""
    monkeypatch.setattr(listening, "HEADER_S", 0.2)
    with Monitored() as monitored:
        answer = raw(monitored, *([sent] if sent else []))
        assert answer.count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


def test_connections_are_bounded(monitored: Monitored) -> None:
    """Those above are told to come later; when the others are gone, it serves again."""
    lines = [
        socket.create_connection(("127.0.0.1", monitored.port), WAIT_S)
        for _ in range(listening.CONNECTIONS + 1)
    ]
    try:
        lines[-1].sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        told = lines[-1].makefile("rb")
        assert told.readline().startswith(b"HTTP/1.1 503")
        length = next(int(head[15:]) for head in told if head.startswith(b"content-length:"))
        assert b'"code":"busy"' in b"".join(iter(told.readline, b"\r\n")) + told.read(length)
    finally:
        for line in lines:
            line.close()
    eventually(lambda: monitored.get("/live").status == 200, "room")


def test_only_the_loopback_is_served_unless_asked(data_directory: Path) -> None:
    """An address that others reach must be meant."""
    with MainEngine() as engine:
        for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
            with pytest.raises(ConfigurationError, match="only the loopback"):
                MonitorServer(engine, 0, host)
        with MonitorServer(engine, 0, "127.0.0.1") as server:
            assert server.url.startswith("http://127.0.0.1:")
        with MonitorServer(engine, 0, "0.0.0.0", remote=True) as server:
            assert server.url.startswith("http://0.0.0.0:")


def test_a_port_in_use_is_told(monitored: Monitored) -> None:
    """Before any thread is started."""
    with pytest.raises(ConfigurationError, match="in use"):
        MonitorServer(monitored.engine, monitored.port).start()


def test_it_can_begin_after_it_could_not(
    data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kept it from serving is told once, and not for ever."""

    async def fails(self: MonitorServer, place: socket.socket) -> None:
        raise ZeroDivisionError

    with MainEngine() as engine:
        server = MonitorServer(engine, 0)
        with monkeypatch.context() as broken:
            broken.setattr(MonitorServer, "_serve", fails)
            with pytest.raises(InvalidState, match="could not begin: ZeroDivisionError"):
                server.start()
        with server:
            assert server.url


def test_it_ends_and_leaves_nothing(data_directory: Path) -> None:
    """No thread, no socket, though a client is still connected; stopping twice is stopping once."""
    before = set(threading.enumerate())
    with MainEngine() as engine:
        server = MonitorServer(engine, 0)
        server.start()
        with pytest.raises(InvalidState):
            server.start()
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), WAIT_S):
            server.stop()
            server.stop()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), WAIT_S)
        server.start()
        server.stop()
    eventually(lambda: set(threading.enumerate()) <= before, "the threads to end")
