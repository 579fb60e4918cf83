"""The venue says no: to a subscription, to a request, or to us altogether."""

from __future__ import annotations

import time

import pytest

from foxtrot.errors import FoxtrotError, RateLimited
from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.requests import HistoryRequest
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import everything, healed, spent
from tests.support.rig import Rig, eventually, running

POLLED = {"websocket.enabled": False}


def failed(rig: Rig) -> list[str]:
    """The streams that the venue refuses."""
    return [
        f"{s.channel.value}:{s.symbol}"
        for s in rig.adapter.health().streams
        if s.state is StreamState.FAILED
    ]


def test_one_refused_symbol_is_found_in_its_batch(rig: Rig) -> None:
    """A batch that is refused is halved until the bad one is alone; all others are served."""
    rig.venue.faults.inject("error_ack", count=0, symbol="ETHUSDT")
    for symbol in rig.venue.symbols:
        rig.subscribe(symbol)
    rig.connect()
    rig.wait_state(S.DEGRADED)
    assert failed(rig) == ["tick:ETHUSDT"]
    assert rig.venue.live() == {rig.venue.key("BTCUSDT"), rig.venue.key("ETHBTC")}
    assert "SubscriptionRefused" in rig.error_kinds()
    rig.wait_fresh("BTCUSDT", "ETHBTC")


def test_what_was_refused_is_asked_again_on_a_new_session(rig: Rig) -> None:
    """A refusal holds for a session; the next one asks once more."""
    rig.venue.faults.inject("error_ack", count=0, symbol="ETHUSDT")
    rig.subscribe("ETHUSDT")
    rig.connect()
    rig.wait_state(S.DEGRADED)
    rig.venue.faults.clear()
    rig.adapter.restart()
    healed(rig)
    assert failed(rig) == []


def test_a_data_flow_is_as_good_as_an_answer(rig: Rig) -> None:
    """A subscription that works but is never acknowledged is held as soon as data comes."""
    rig.venue.faults.inject("no_ack", count=0)
    rig.subscribe("BTCUSDT")
    rig.connect()
    eventually(lambda: rig.venue.asked() != [], "the venue was asked")
    rig.venue.move("BTCUSDT")
    rig.wait_state(S.READY)
    healed(rig)
    assert rig.venue.connections == 1


def test_a_venue_that_never_answers_is_left(rig: Rig) -> None:
    """Three unanswered requests for a quiet stream end the session; the next one is better."""
    rig.venue.faults.inject("no_ack", count=0)
    rig.subscribe("BTCUSDT")
    rig.connect()
    status = rig.wait_state(S.RECONNECTING)
    assert "unanswered" in status.reason
    healed(rig)


def test_429_pauses_as_long_as_the_venue_says(rig: Rig) -> None:
    """Retry-After is the least wait before the next attempt."""
    refuse(rig, 429, {"Retry-After": "1"}, path="/api/v3/exchangeInfo", count=1)
    rig.subscribe("BTCUSDT")
    began = time.monotonic()
    rig.connect()
    status = rig.wait_state(S.RECONNECTING)
    assert status.delay_s >= 1
    assert "retry after 1 s" in status.reason
    healed(rig)
    assert time.monotonic() - began >= 1


def test_418_stops_all_requests_until_it_is_over(rig: Rig) -> None:
    """A ban is waited out without a probe."""
    refuse(rig, 418, {"Retry-After": "2"}, path="/api/v3/exchangeInfo", count=1)
    rig.subscribe("BTCUSDT")
    rig.connect()
    status = rig.wait_state(S.RECONNECTING)
    assert status.delay_s >= 2
    assert rig.error_kinds() == ["VenueBanned"]
    healed(rig)
    sim = rig.venue.sim  # type: ignore[attr-defined]
    asked = [path for _, path, _ in sim.seen.requests if path.endswith("exchangeInfo")]
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (429, "", "rate_limit"),
        (418, "", "ban"),
        (503, "", "venue"),
        (401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions."}', "authentication"),
        (401, '{"code":-2010,"msg":"You don\'t have permission."}', "permission"),
        (400, '{"code":-1121,"msg":"Invalid symbol."}', "symbol"),
    ],
)
def test_each_refusal_has_its_class_and_its_action(
    rig: Rig, status: int, body: str, error_class: str
) -> None:
    """The history says whose trouble it is, and what is said to be done is what is done."""
    refuse(rig, status, {"Retry-After": "1"}, path="/api/v3/exchangeInfo", count=1, body=body)
    rig.subscribe("BTCUSDT")
    rig.connect()
    eventually(lambda: rig.adapter.health().errors != (), "it is remembered")
    record = rig.adapter.health().errors[0]
    assert record.error_class == error_class
    assert record.action == ("wait" if status in (429, 418, 503) else "stop")
    state = rig.wait_state(S.RECONNECTING if record.action == "wait" else S.FAILED)
    assert state.reason == record.text
    assert state.delay_s >= (1 if status in (429, 418) else 0)


@pytest.mark.parametrize("code", [-2014, -2015, -1022])
def test_a_refused_key_is_not_tried_again(rig: Rig, code: int) -> None:
    """Both ways stop after one attempt each; nothing more is asked until somebody asks."""
    body = f'{{"code":{code},"msg":"no"}}'
    refuse(rig, 401, {}, path="/api/v3/exchangeInfo", count=0, body=body)
    rig.subscribe("BTCUSDT")
    rig.connect()
    rig.wait_state(S.FAILED)
    rig.wait_state(S.FAILED, session="polling")
    assert rig.adapter.state is S.FAILED
    assert [error.error_class for error in rig.adapter.health().errors] == ["authentication"] * 2
    rig.venue.faults.clear()
    rig.adapter.restart()
    healed(rig)
    sim = rig.venue.sim  # type: ignore[attr-defined]
    asked = [path for _, path, _ in sim.seen.requests if path.endswith("exchangeInfo")]
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<html><body>Request blocked</body></html>"),
        (500, '{"code":-1000,"msg":"An unknown error"}'),
        (502, "<html>Bad Gateway</html>"),
        (503, '{"code":-1008,"msg":"Server is currently overloaded"}'),
        (504, "<html>Gateway Time-out</html>"),
        (500, ""),
    ],
)
def test_a_venue_in_trouble_is_asked_again(rig: Rig, status: int, body: str) -> None:
    """Errors of the venue's own end in another attempt, never in FAILED."""
    refuse(rig, status, {}, path="/api/v3/exchangeInfo", count=2, body=body)
    rig.subscribe("BTCUSDT")
    rig.connect()
    rig.wait_state(S.RECONNECTING)
    healed(rig)
    assert S.FAILED not in rig.states()


@pytest.mark.parametrize("path", ["/api/v3/depth", "/api/v3/ticker/24hr"])
def test_a_refused_snapshot_costs_no_stream(rig: Rig, path: str) -> None:
    """Where only a snapshot is refused the streams stay, and the snapshot is fetched later."""
    refuse(rig, 503, {}, path=path, count=2)
    everything(rig)
    spent(rig)
    healed(rig)
    assert rig.venue.connections == 1


@pytest.mark.parametrize("status", [403, 429, 503])
def test_polling_survives_refusals(venue: BinanceUnderTest, status: int) -> None:
    """A polling session that is refused pauses and goes on; the prices are fresh again."""
    with running(venue, POLLED) as rig:
        rig.ready("BTCUSDT")
        refuse(rig, status, {"Retry-After": "1"}, path="/api/v3/ticker/24hr", count=3)
        rig.wait_state(S.RECONNECTING, session="polling")
        rig.wait_served()
        rig.wait_fresh("BTCUSDT")


def test_a_budget_of_our_own_is_no_dead_venue(
    venue: BinanceUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polling that waits for its weight budget is silent, yet not held for dead."""
    monkeypatch.setattr("foxtrot.adapter.binance.limits.WEIGHT_PER_MINUTE", 100)
    with running(venue, POLLED) as rig:
        rig.subscribe("BTCUSDT", Channel.TICK, Channel.TRADE)
        rig.connect()
        rig.wait_served()
        rig.wait_fresh("BTCUSDT")
        before = rig.fact("polling.received")
        idle = rig.adapter.stream_config.idle_s + rig.adapter.stream_config.probe_s
        deadline = time.monotonic() + 2 * idle
        eventually(lambda: time.monotonic() > deadline, "twice the time to be held for dead")
        assert rig.fact("polling.received") - before < 20
        assert rig.states("polling").count(S.RECONNECTING) == 0


def test_history_is_refused_in_words(rig: Rig) -> None:
    """A refused page of bars is an error of ours, with the venue's reason, while it lasts."""
    import datetime as dt

    rig.ready("BTCUSDT")
    refuse(rig, 429, {"Retry-After": "1"}, path="/api/v3/klines", count=1)
    asked = HistoryRequest(
        "BTCUSDT", rig.venue.exchange, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    )
    with pytest.raises(FoxtrotError, match="retry after 1 s"):
        rig.engine.query_history(asked, rig.name)

    def told() -> bool:
        try:
            return len(rig.engine.query_history(asked, rig.name)) >= 60
        except RateLimited:
            return False

    eventually(told, "history can be had again")


def refuse(
    rig: Rig,
    status: int,
    headers: dict[str, str],
    *,
    path: str,
    count: int,
    body: str | None = None,
) -> None:
    """Requests of a path are answered with an error, so many times."""
    params: dict[str, object] = {"status": status, "path": path, "count": count}
    if body is not None:
        params["body"] = body
    rig.venue.faults.inject("http_error", headers=headers, **params)
