"""One stream fails while the others are well; and the whole websocket fails while requests work."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.model.constants import Channel, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_STREAM
from foxtrot.model.health import StreamStatus
from tests.support.binance_venue import BinanceUnderTest
from tests.support.events import WAIT_S
from tests.support.rig import SHORT, Rig, eventually, running

IMPATIENT = replace(SHORT, stream_look_s=0.05, refused_retry_s=0.3, stream_longest_s=0.4)


@pytest.fixture
def watched(venue: BinanceUnderTest) -> Iterator[Rig]:
    """An adapter that is soon suspicious of a silent stream."""
    with running(venue, {"liveness.stream_idle_s": 0.2}, IMPATIENT) as rig:
        yield rig


def state(rig: Rig, symbol: str, channel: Channel = Channel.TICK) -> StreamState:
    streams = rig.adapter.health().streams
    return next(s.state for s in streams if (s.symbol, s.channel) == (symbol, channel))


def snapshots_asked(rig: Rig) -> int:
    sim = rig.venue.sim  # type: ignore[attr-defined]
    return sum(1 for _, path, _ in sim.seen.requests if path.endswith("ticker/24hr"))


def states_told(rig: Rig, symbol: str) -> set[StreamState]:
    told = [event.data for event in rig.log.items if event.type == EVENT_STREAM]
    return {s.state for s in told if isinstance(s, StreamStatus) and s.symbol == symbol}


def test_a_quiet_market_is_quiet_and_not_stale(watched: Rig) -> None:
    """Where nothing moves nothing is renewed: the venue sees one subscription and no more."""
    watched.ready("BTCUSDT", "ETHUSDT")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        eventually(lambda symbol=symbol: state(watched, symbol) is StreamState.QUIET, "quiet")
    watched.wait_fresh("BTCUSDT")
    eventually(lambda: state(watched, "BTCUSDT") is not StreamState.STALE, "alive")
    assert StreamState.STALE not in states_told(watched, "BTCUSDT")
    assert len(watched.venue.asked()) == 2
    assert watched.states() == [S.CONNECTING, S.SYNCING, S.READY]


def test_one_dropped_stream_is_polled_and_comes_back(watched: Rig) -> None:
    """The others go on; its prices come by request, and by the stream when the stream is back."""
    watched.ready("BTCUSDT", "ETHUSDT")
    watched.wait_fresh("BTCUSDT", "ETHUSDT")
    watched.venue.faults.inject("drop_stream", symbol="BTCUSDT")
    since = len(watched.log)
    watched.venue.move("BTCUSDT", 3)
    watched.wait_newest("BTCUSDT", since)
    assert StreamState.STALE in states_told(watched, "BTCUSDT")
    watched.wait_fresh("ETHUSDT")
    watched.venue.faults.clear()

    def flows_again() -> bool:
        watched.venue.move("BTCUSDT")
        return state(watched, "BTCUSDT") is StreamState.ACTIVE

    eventually(flows_again, "the stream is back")
    watched.wait_fresh("BTCUSDT", "ETHUSDT")
    assert watched.states().count(S.RECONNECTING) == 0


def test_statistics_that_stand_still_beside_live_quotes_are_asked_for_afresh(
    venue: BinanceUnderTest,
) -> None:
    """Half a stream is found too: the quotes go on, and the last price is the venue's again."""
    patient = replace(IMPATIENT, stream_strikes=1_000)
    with running(venue, {"liveness.stream_idle_s": 0.2}, patient) as rig:
        rig.ready("BTCUSDT", "ETHUSDT")
        rig.wait_fresh("BTCUSDT", "ETHUSDT")
        venue.faults.inject("drop_stream", symbol="BTCUSDT", channel="ticker")

        def restarted() -> bool:
            venue.trade("BTCUSDT")
            return venue.key("BTCUSDT") in venue.returned()

        eventually(restarted, "it is asked for afresh")
        assert "tick:BTCUSDT.BINANCE:day" in rig.adapter.health().errors[0].text
        venue.faults.clear()
        since = len(rig.log)

        def fresh() -> bool:
            venue.trade("BTCUSDT")
            return any(tick.ts_event_ns for tick in rig.ticks("BTCUSDT", since))

        eventually(fresh, "statistics are told again")
        assert StreamState.STALE not in states_told(rig, "BTCUSDT")
        assert rig.states("polling") == []
        assert set(venue.returned()) == {venue.key("BTCUSDT")}
        assert venue.connections == 1


def test_statistics_that_never_come_back_are_polled(watched: Rig) -> None:
    """After three times the stream is given up as a whole, so that its prices are one thing."""
    watched.ready("BTCUSDT")
    watched.wait_fresh("BTCUSDT")
    watched.venue.faults.inject("drop_stream", symbol="BTCUSDT", channel="ticker")

    def polled() -> bool:
        watched.venue.trade("BTCUSDT")
        return state(watched, "BTCUSDT") is StreamState.POLLING

    eventually(polled, "it is polled")
    watched.wait_fresh("BTCUSDT")


def test_a_stream_given_back_while_it_is_judged_costs_nothing(watched: Rig) -> None:
    """Nobody wants it any more: its silence is no fault, and the session goes on."""
    watched.ready("BTCUSDT", "ETHUSDT")
    watched.venue.faults.inject("latency", seconds=0.5)
    asked = snapshots_asked(watched)
    eventually(lambda: snapshots_asked(watched) > asked, "the silent ones are compared")
    watched.unsubscribe("ETHUSDT")
    watched.venue.faults.clear()
    watched.wait_served()
    eventually(lambda: state(watched, "BTCUSDT") is StreamState.QUIET, "the other one is judged")
    assert watched.error_kinds() == []
    assert watched.venue.connections == 1


def test_a_websocket_that_cannot_be_had_is_replaced_by_polling(rig: Rig) -> None:
    """Handshakes are refused, requests work: prices come by request, and by websocket again."""
    rig.ready("BTCUSDT", "ETHUSDT")
    rig.venue.faults.inject("refuse")
    rig.venue.faults.inject("rst")
    rig.wait_state(S.READY, session="polling")
    rig.wait_fresh("BTCUSDT", "ETHUSDT")
    eventually(lambda: rig.adapter.state is S.DEGRADED, "degraded while polled")
    breakers = {s.name: s.breaker for s in rig.adapter.health().sessions}
    assert breakers["websocket"] != "closed"
    since = len(rig.log)
    rig.venue.faults.clear()
    rig.wait_state(S.READY, since=since)
    rig.wait_state(S.DISCONNECTED, since=since, session="polling")
    rig.wait_served()
    rig.wait_fresh("BTCUSDT", "ETHUSDT")
    assert rig.adapter.state is S.READY


def test_without_fall_back_a_lost_websocket_is_waited_for(venue: BinanceUnderTest) -> None:
    """The setting decides; nothing is polled, and the websocket is back by itself."""
    with running(venue, {"websocket.fallback_on_error": False}) as rig:
        rig.ready("BTCUSDT")
        venue.faults.inject("refuse", count=7)
        venue.faults.inject("rst")
        since = len(rig.log)
        rig.wait_state(S.READY, since=since)
        rig.wait_fresh("BTCUSDT")
        assert rig.states("polling") == []


def test_late_answers_never_overwrite_newer_data(rig: Rig) -> None:
    """A slow answer of polling that comes after the websocket is back is dropped."""
    rig.ready("BTCUSDT")
    rig.wait_fresh("BTCUSDT")
    for _ in range(3):
        rig.venue.faults.inject("refuse")
        rig.venue.faults.inject("rst")
        rig.wait_state(S.READY, session="polling", since=len(rig.log))
        rig.venue.move("BTCUSDT")
        since = len(rig.log)
        rig.venue.faults.clear()
        rig.wait_state(S.READY, since=since)
        rig.wait_fresh("BTCUSDT")
        newest = rig.venue.newest("BTCUSDT")
        rig.wait_state(S.DISCONNECTED, since=since, session="polling")
        rig.settle()
        last = rig.ticks("BTCUSDT")[-1]
        assert (last.bid_price_1, last.ask_price_1) == newest


def test_data_on_its_way_is_no_stall(venue: BinanceUnderTest) -> None:
    """A price that the snapshot knows a moment before the stream does is no sign of a dead one."""
    patient = replace(IMPATIENT, stream_look_s=0.5)
    with running(venue, {"liveness.stream_idle_s": 0.2}, patient) as rig:
        rig.ready("BTCUSDT")
        venue.faults.inject("latency", seconds=0.15)
        for _ in range(3):
            looked_up(rig)
            since = len(rig.log)
            venue.move("BTCUSDT")
            rig.wait_newest("BTCUSDT", since)
        assert StreamState.STALE not in states_told(rig, "BTCUSDT")
        assert len(venue.asked()) == 1


def looked_up(rig: Rig) -> int:
    """Wait until the markets of silent streams are looked up once more; how often they were."""
    before = lookups(rig)
    eventually(lambda: lookups(rig) > before, "silent streams are compared")
    return lookups(rig)


def lookups(rig: Rig) -> int:
    """How often the venue was asked for prices."""
    sim = rig.venue.sim  # type: ignore[attr-defined]
    return sum(1 for _, path, _ in sim.seen.requests if path.endswith("/ticker/24hr"))


def test_a_book_that_cannot_be_had_after_a_gap_is_stale_until_it_can(watched: Rig) -> None:
    """The differences flow all the time: they alone must not make an old book look live."""
    watched.subscribe("BTCUSDT", Channel.DEPTH)
    watched.ready()
    request = watched.request("BTCUSDT", Channel.DEPTH)
    watched.venue.move("BTCUSDT")
    watched.wait_event(request)
    since = len(watched.log)
    watched.venue.faults.inject("http_error", path="/api/v3/depth", status=503, count=0)
    watched.venue.faults.inject("depth_gap", symbol="BTCUSDT", count=1)

    def stale() -> bool:
        watched.venue.move("BTCUSDT")
        return state(watched, "BTCUSDT", Channel.DEPTH) is StreamState.STALE

    eventually(stale, "the stream says that its book is old")
    told = watched.log.wait_type(
        EVENT_STREAM, WAIT_S, since=since, where=lambda each: each.state is StreamState.STALE
    )
    assert isinstance(told, StreamStatus)
    assert "no book" in told.reason
    watched.venue.faults.clear()
    active = lambda: state(watched, "BTCUSDT", Channel.DEPTH) is StreamState.ACTIVE  # noqa: E731
    eventually(active, "the stream has its book again")
    watched.wait_event(request)
    assert watched.states().count(S.RECONNECTING) == 0


def test_a_depth_stream_that_stays_silent_is_polled(watched: Rig) -> None:
    """A book that is fetched anew is no sign of life: after three times the stream is given up."""
    watched.subscribe("BTCUSDT", Channel.DEPTH)
    watched.ready()
    watched.venue.move("BTCUSDT")
    watched.wait_event(watched.request("BTCUSDT", Channel.DEPTH))
    watched.venue.faults.inject("drop_stream", symbol="BTCUSDT")

    def polled() -> bool:
        watched.venue.move("BTCUSDT")
        return state(watched, "BTCUSDT", Channel.DEPTH) is StreamState.POLLING

    eventually(polled, "it is polled")
