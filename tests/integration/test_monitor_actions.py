"""What may be asked over HTTP, and what becomes of it."""

from __future__ import annotations

import threading

import pytest

from foxtrot.errors import InvalidState
from foxtrot.model.constants import ConnectionState, Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest, SubscribeRequest
from foxtrot.monitoring import acts
from tests.support.monitor import WAIT_S, Monitored
from tests.support.rig import eventually


@pytest.fixture
def monitored():
    with Monitored() as monitored:
        yield monitored


def test_a_halt_blocks_cancels_and_is_shown(monitored: Monitored) -> None:
    """The reason is told from then on; a resume ends it."""
    order = OrderRequest("X", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 100.0)
    monitored.engine.send_order(order, "FAKE")
    eventually(lambda: len(monitored.engine.get_all_active_orders()) == 1, "the order")
    assert monitored.post("/api/v1/halt", {"reason": "a drill"}).data["adapters"] == ["FAKE"]
    assert monitored.engine.halted == "a drill"
    eventually(lambda: not monitored.engine.get_all_active_orders(), "the cancel")
    health = monitored.get("/api/v1/health").data
    assert (health["halted"], health["status"]) == ("a drill", "ailing")
    assert monitored.post("/api/v1/resume").status == 200
    assert not monitored.engine.halted
    assert monitored.get("/api/v1/health").data["status"] == "ok"


def test_who_halts_in_a_hurry_need_not_say_why(monitored: Monitored) -> None:
    """`curl -X POST .../halt` is enough."""
    assert monitored.post("/api/v1/halt").status == 200
    assert monitored.engine.halted == "asked to over HTTP"


def test_an_account_in_a_reason_is_not_given_away() -> None:
    """Whoever typed it: what is shown has passed the veil."""
    venue = {"adapter": "ib", "connect": {"account": "DU7654321"}}
    with Monitored({"venues": {"X": venue}}) as monitored:
        monitored.post("/api/v1/halt", {"reason": "DU7654321 is wrong"})
        assert b"7654321" not in monitored.get("/api/v1/health").body


@pytest.mark.parametrize(
    "body", [{"reason": ""}, {"reason": "x" * 201}, {"why": "x"}, [], "halt", {"reason": 5}]
)
def test_a_halt_that_cannot_be_read_is_told(monitored: Monitored, body: object) -> None:
    """Nothing is done then."""
    assert monitored.post("/api/v1/halt", body).status == 422
    assert not monitored.engine.halted


@pytest.mark.parametrize("path", ["halt", "resume", "ib/pool/cleanup", "adapters/FAKE/mode"])
def test_nothing_is_done_without_the_token(monitored: Monitored, path: str) -> None:
    """Nor by GET."""
    assert monitored.post(f"/api/v1/{path}", {}, Authorization="").status == 401
    assert monitored.get(f"/api/v1/{path}").status == 405
    assert not monitored.engine.halted


def test_what_an_adapter_offers_is_done(monitored: Monitored) -> None:
    """Whatever the case of its name; what it does not offer is told, with what it does."""
    monitored.venue.connect({})
    eventually(lambda: "restart" in monitored.venue.actions(), "the adapter")
    shown = monitored.get("/api/v1/adapters").data["adapters"]
    assert shown[0]["actions"] == ["disconnect", "restart"]  # type: ignore[index]
    assert monitored.post("/api/v1/adapters/fake/actions/disconnect").data["adapters"] == ["FAKE"]
    eventually(lambda: monitored.venue.state is ConnectionState.DISCONNECTED, "the end")
    reply = monitored.post("/api/v1/adapters/FAKE/actions/explode")
    assert (reply.status, reply.error) == (409, "refused")
    reply = monitored.post("/api/v1/adapters/NONE/actions/restart")
    assert (reply.status, reply.error) == (404, "refused")


def test_a_venue_is_switched_to_polling_and_back(monitored: Monitored) -> None:
    """No stream is lost on the way, and null leaves the choice to the settings again."""
    monitored.venue.connect({})
    monitored.venue.subscribe(SubscribeRequest("BTCUSDT", Exchange.BINANCE))

    def mode() -> str:
        return str(monitored.get("/api/v1/streams").data["streams"][0]["freshness"])  # type: ignore[index]

    eventually(lambda: mode() == "fresh", "the websocket")
    for asked, seen in (("polling", "polling"), ("websocket", "fresh"), ("polling", "polling")):
        done = monitored.post("/api/v1/adapters/fake/mode", {"mode": asked}).data
        assert done == {"done": f"mode {asked}", "adapters": ["FAKE"]}
        eventually(lambda seen=seen: mode() == seen, f"mode {asked}")  # type: ignore[misc]
    assert monitored.post("/api/v1/adapters/FAKE/mode", {"mode": None}).status == 200
    eventually(lambda: mode() == "fresh", "the settings' choice")
    one = {"mode": "polling", "vt_symbol": "BTCUSDT.BINANCE"}
    assert monitored.post("/api/v1/adapters/FAKE/mode", one).status == 200
    eventually(lambda: mode() == "polling", "one symbol is polled")
    other = {**one, "vt_symbol": "X.BINANCE"}
    refused = monitored.post("/api/v1/adapters/FAKE/mode", other)
    assert refused.status == 409
    assert monitored.post("/api/v1/adapters/NONE/mode", {"mode": None}).status == 404
    for body in ({}, {"mode": "pigeon"}):
        assert monitored.post("/api/v1/adapters/FAKE/mode", body).status == 422


def test_pools_are_cleaned_where_there_are_any(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter has a pool if it says so; no venue is known by name."""
    reply = monitored.post("/api/v1/ib/pool/cleanup")
    assert (reply.status, reply.error) == (404, "not_found")
    cleaned = threading.Event()
    facts = {"pool.idle": 2, "pool.established": 5, "client_ids.history": "4", "pace.orders": 7}
    monkeypatch.setattr(monitored.venue, "facts", lambda: facts)
    monkeypatch.setattr(monitored.venue, "actions", lambda: {"pool.cleanup": cleaned.set})
    assert monitored.post("/api/v1/ib/pool/cleanup").data["adapters"] == ["FAKE"]
    assert cleaned.is_set()
    for path, shown in (
        ("pool/status", {"idle": 2, "client_ids.history": "4"}),
        ("pool/metrics", {"established": 5}),
        ("pace/stats", {"orders": 7}),
        ("pace/status", {}),
    ):
        assert monitored.get(f"/api/v1/ib/{path}").data["adapters"] == {"FAKE": shown}
    pool = monitored.get("/api/v1/ib/pool/health").data["adapters"]["FAKE"]  # type: ignore[index]
    assert pool["healthy"] is False
    assert pool["reason"] == "FAKE is disconnected"


def test_what_the_engine_refuses_is_told(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own words."""

    def refuses() -> None:
        raise InvalidState("not now")

    monkeypatch.setattr(monitored.engine, "resume", refuses)
    reply = monitored.post("/api/v1/resume")
    assert (reply.status, reply.error) == (409, "refused")
    assert b"not now" in reply.body


def test_what_does_not_end_in_time_is_told_and_does_not_hold_up_the_server(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The halt itself goes on; other requests are answered meanwhile."""
    release = threading.Event()
    monkeypatch.setattr(acts, "_DEADLINE_S", 0.1)
    monkeypatch.setattr(monitored.engine, "halt", lambda reason: release.wait(WAIT_S))
    reply = monitored.post("/api/v1/halt", {})
    assert (reply.status, reply.error) == (503, "no_answer")
    assert monitored.get("/api/v1/health").status == 200
    release.set()


def test_metrics_are_told_in_prometheus_words(monitored: Monitored) -> None:
    """With the token only."""
    reply = monitored.get("/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"\nfoxtrot_" in reply.body
    assert monitored.get("/metrics", Authorization="").status == 401
