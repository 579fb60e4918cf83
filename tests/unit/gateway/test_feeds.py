"""Every wanted stream is served by one of two ways, and moves between them without being lost."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.clock import SystemClock
from foxtrot.core.settings import FeatureFlags, Settings
from foxtrot.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionClosed,
    SubscriptionRefused,
    UnknownSymbol,
)
from foxtrot.gateway.feeds import MarketFeeds
from foxtrot.model.constants import Channel, Exchange, Mode, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.health import StreamKey
from tests.support.events import WAIT_S
from tests.support.fake_adapter import FakeAdapter
from tests.support.sessions import PATIENT, FakeVenue, Told, tick

A, B, C = tick("A"), tick("B"), tick("C")
TRADES = StreamKey(Channel.TRADE, "A", Exchange.BINANCE)
QUICK = {"websocket.reconnect_base_delay": 0.01, "websocket.reconnect_max_delay": 0.02}
OFF = {"websocket.enabled": False}
WEBSOCKET, POLLING = "websocket", "polling"


def flags(**extra: object) -> FeatureFlags:
    return Settings.parse({**QUICK, **extra}).flags


class Feeds:
    """Market feeds on a bridge, with a scripted venue for each way."""

    def __init__(self, config: StreamConfig = PATIENT, **extra: object) -> None:
        self.streams, self.polls, self.told = FakeVenue(), FakeVenue(), Told()
        self.bridge = AsyncThreadBridge("test-bridge")
        self.bridge.start()
        venues = {Mode.WEBSOCKET: self.streams, Mode.POLLING: self.polls}
        self.bridge.call_soon(
            lambda: setattr(
                self,
                "feeds",
                MarketFeeds(
                    "FAKE",
                    make_session=lambda mode: venues[mode].make(),
                    capabilities=FakeAdapter.capabilities,
                    listener=self.told,
                    bridge=self.bridge,
                    clock=SystemClock(),
                    config=config,
                    flags=flags(**extra),
                ),
            )
        )
        self.feeds: MarketFeeds
        self.settle()

    def settle(self) -> None:
        """Wait until the loop has done what was asked before."""

        async def nothing() -> None:
            return

        self.bridge.run(nothing(), timeout=WAIT_S)

    def start(self, *keys: StreamKey) -> None:
        self.bridge.call_soon(self.feeds.want, keys)
        self.bridge.call_soon(self.feeds.start)

    def want(self, *keys: StreamKey) -> None:
        self.bridge.call_soon(self.feeds.want, keys)

    def apply(self, **extra: object) -> None:
        self.bridge.call_soon(self.feeds.apply, flags(**extra))

    def wait(self, session: str, state: S, since: int = 0) -> None:
        self.told.statuses.wait_for(lambda s: (s.session, s.state) == (session, state), since=since)

    def stop(self) -> None:
        self.bridge.run(self.feeds.stop(), timeout=WAIT_S)

    def modes(self) -> dict[StreamKey, Mode]:
        return {key: mode for key, (mode, _) in self.feeds.entries().items()}


def made(config: StreamConfig = PATIENT, **extra: object) -> Iterator[Feeds]:
    feeds = Feeds(config, **extra)
    try:
        yield feeds
        feeds.stop()
        assert feeds.bridge.health().tasks == ()
        for session in (*feeds.streams.sessions, *feeds.polls.sessions):
            assert session.closed == 1
    finally:
        feeds.bridge.stop()


@pytest.fixture
def feeds() -> Iterator[Feeds]:
    """Feeds with the default flags: websocket on."""
    yield from made()


@pytest.fixture
def alone() -> Iterator[Feeds]:
    """Feeds that do not fall back on polling."""
    yield from made(**{"websocket.fallback_on_error": False})


@pytest.fixture
def broken() -> Iterator[Feeds]:
    """Feeds whose websocket cannot be had; the breaker opens at the second miss."""
    config = replace(PATIENT, breaker_threshold=2, breaker_open_s=0.02)
    for feeds in made(config):
        feeds.streams.always["open"] = ConnectError("fake.example:1", "refused")
        yield feeds


@pytest.fixture
def polled() -> Iterator[Feeds]:
    """Feeds with the websocket switched off."""
    yield from made(**OFF)


def test_streams_go_by_websocket_and_polling_rests(feeds: Feeds) -> None:
    """With the websocket on nothing is polled, and the adapter is READY."""
    feeds.start(A, B)
    feeds.streams.changes.wait_for(lambda held: held == {A, B})
    feeds.wait(WEBSOCKET, S.READY)
    assert feeds.feeds.state is S.READY
    assert feeds.polls.sessions == []
    assert [session.name for session in feeds.feeds.sessions()] == [WEBSOCKET]


def test_before_the_start_nothing_is_connected(feeds: Feeds) -> None:
    """Made and not started, it is DISCONNECTED and has no session."""
    feeds.want(A)
    feeds.settle()
    assert feeds.feeds.state is S.DISCONNECTED
    assert feeds.feeds.sessions() == ()


def test_with_the_websocket_off_everything_is_polled(polled: Feeds) -> None:
    """Polling alone is DEGRADED at best, and no websocket is opened."""
    polled.start(A)
    polled.polls.changes.wait_for(lambda held: held == {A})
    polled.wait(POLLING, S.READY)
    assert polled.feeds.state is S.DEGRADED
    assert polled.streams.sessions == []
    mode, entry = polled.feeds.entries()[A]
    assert (mode, entry.state) == (Mode.POLLING, StreamState.POLLING)


def test_switching_the_websocket_off_moves_every_stream_to_polling(feeds: Feeds) -> None:
    """The mode changes while it runs: the websocket is closed and no stream is lost."""
    feeds.start(A, B)
    feeds.wait(WEBSOCKET, S.READY)
    feeds.apply(**OFF)
    feeds.polls.changes.wait_for(lambda held: held == {A, B})
    feeds.wait(WEBSOCKET, S.DISCONNECTED)
    assert feeds.streams.sessions[0].closed == 1
    assert set(feeds.modes().values()) == {Mode.POLLING}


def test_switching_the_websocket_on_moves_every_stream_back(polled: Feeds) -> None:
    """And the polling is closed again."""
    polled.start(A, B)
    polled.wait(POLLING, S.READY)
    polled.apply()
    polled.streams.changes.wait_for(lambda held: held == {A, B})
    polled.wait(POLLING, S.DISCONNECTED)
    assert set(polled.modes().values()) == {Mode.WEBSOCKET}


def test_a_hundred_switches_lose_nothing(feeds: Feeds) -> None:
    """However often the flag changes, the last one counts and every stream is served by it."""
    feeds.start(A, B, C)
    for _ in range(50):
        feeds.apply(**OFF)
        feeds.apply()
    feeds.apply(**OFF)
    feeds.polls.changes.wait_for(lambda held: held == {A, B, C})
    assert feeds.modes() == dict.fromkeys((A, B, C), Mode.POLLING)


def test_only_listed_symbols_are_streamed(feeds: Feeds) -> None:
    """websocket.symbols names those that go by websocket; the others are polled beside it."""
    feeds.apply(**{"websocket.symbols": ["A"]})
    feeds.start(A, B)
    feeds.streams.changes.wait_for(lambda held: held == {A})
    feeds.polls.changes.wait_for(lambda held: held == {B})
    assert feeds.modes() == {A: Mode.WEBSOCKET, B: Mode.POLLING}


def test_a_channel_that_is_not_streamed_is_polled(feeds: Feeds) -> None:
    """The venue's capabilities count, whatever the flags say."""
    feeds.start(A, TRADES)
    feeds.polls.changes.wait_for(lambda held: held == {TRADES})
    feeds.streams.changes.wait_for(lambda held: held == {A})


def test_polling_ends_with_its_last_stream(feeds: Feeds) -> None:
    """Nothing is polled for nobody."""
    feeds.start(A, TRADES)
    feeds.wait(POLLING, S.READY)
    feeds.bridge.call_soon(feeds.feeds.drop, (TRADES,))
    feeds.wait(POLLING, S.DISCONNECTED)
    assert feeds.modes() == {A: Mode.WEBSOCKET}


def test_a_refused_stream_is_not_asked_for_at_every_change(feeds: Feeds) -> None:
    """Subscribing to a good symbol sends no second request for a bad one."""
    feeds.streams.refused[A] = UnknownSymbol("FAKE", "", "no such symbol")
    feeds.start(A)
    feeds.wait(WEBSOCKET, S.DEGRADED)
    feeds.want(B)
    feeds.streams.changes.wait_for(lambda held: held == {B})
    feeds.want(C)
    feeds.streams.changes.wait_for(lambda held: held == {B, C})
    assert feeds.streams.asked.count(A) == 1


def test_a_refused_stream_is_asked_for_when_the_user_asks_again(feeds: Feeds) -> None:
    """Subscribing again is the way to say: try once more."""
    feeds.streams.refused[A] = UnknownSymbol("FAKE", "", "no such symbol")
    feeds.start(A)
    feeds.wait(WEBSOCKET, S.DEGRADED)
    feeds.bridge.call_soon(feeds.streams.refused.clear)
    feeds.want(A)
    feeds.wait(WEBSOCKET, S.READY)
    assert feeds.streams.asked == [A, A]


def test_one_way_that_serves_makes_a_failed_one_degraded(feeds: Feeds) -> None:
    """FAILED is shown only where nothing is delivered."""
    feeds.streams.plan("open", AuthenticationError("FAKE", "", "bad key"))
    feeds.start(A, TRADES)
    feeds.wait(WEBSOCKET, S.FAILED)
    feeds.polls.changes.wait_for(lambda held: held == {A, TRADES})
    feeds.settle()
    assert feeds.feeds.state is S.DEGRADED


def test_a_stand_in_that_cannot_be_had_is_no_loss_of_the_rest(feeds: Feeds) -> None:
    """One stream is refused, and cannot be polled either: the others are served as before."""
    feeds.streams.refused[A] = SubscriptionRefused("FAKE", "2", "no")
    feeds.polls.plan("open", AuthenticationError("FAKE", "", "bad key"))
    feeds.start(A, B)
    feeds.wait(POLLING, S.FAILED)
    feeds.streams.changes.wait_for(lambda held: held == {B})
    feeds.settle()
    assert feeds.feeds.state is S.DEGRADED


def test_polling_by_choice_that_cannot_be_had_is_failed(feeds: Feeds) -> None:
    """Nobody else serves what is polled by choice."""
    feeds.apply(**{"websocket.symbols": ["A"]})
    feeds.polls.plan("open", AuthenticationError("FAKE", "", "bad key"))
    feeds.start(A, B)
    feeds.wait(POLLING, S.FAILED)
    feeds.wait(WEBSOCKET, S.READY)
    feeds.settle()
    assert feeds.feeds.state is S.FAILED


def test_without_one_that_serves_it_is_failed(alone: Feeds) -> None:
    """A refused key on the only way is FAILED."""
    alone.streams.plan("open", AuthenticationError("FAKE", "", "bad key"))
    alone.start(A)
    alone.wait(WEBSOCKET, S.FAILED)
    assert alone.feeds.state is S.FAILED


def test_an_open_breaker_means_polling(broken: Feeds) -> None:
    """While the websocket cannot be had, every one of its streams is polled."""
    broken.start(A, B)
    broken.polls.changes.wait_for(lambda held: held == {A, B})
    broken.wait(POLLING, S.READY)
    broken.settle()
    assert broken.modes() == {A: Mode.POLLING, B: Mode.POLLING}
    assert broken.feeds.state is S.DEGRADED


def test_what_is_polled_says_why(polled: Feeds) -> None:
    """By choice, by the venue or by need: the reason stands beside the mode."""
    polled.start(A, TRADES)
    polled.polls.changes.wait_for(lambda held: held == {A, TRADES})
    polled.settle()
    assert reasons(polled) == dict.fromkeys((A, TRADES), "websocket.enabled is off")
    polled.apply(**{"websocket.symbols": ["B"]})
    polled.wait(WEBSOCKET, S.READY)
    polled.settle()
    assert reasons(polled) == {
        A: "not one of websocket.symbols",
        TRADES: "the venue does not stream trade",
    }


def test_what_is_polled_in_need_says_what_is_wrong(feeds: Feeds, broken: Feeds) -> None:
    """A refused stream tells the refusal, a lost websocket its state."""
    feeds.streams.refused[B] = SubscriptionRefused("FAKE", "2", "no")
    feeds.start(A, B)
    feeds.polls.changes.wait_for(lambda held: held == {B})
    feeds.settle()
    assert reasons(feeds) == {A: "", B: "FAKE: no (code 2)"}
    broken.start(A)
    broken.polls.changes.wait_for(lambda held: held == {A})
    broken.settle()
    assert reasons(broken)[A].startswith("the websocket is ")


def reasons(feeds: Feeds) -> dict[StreamKey, str]:
    return {key: entry.reason for key, (_, entry) in feeds.feeds.entries().items()}


def test_a_websocket_that_heals_takes_its_streams_back(broken: Feeds) -> None:
    """Nobody has to do anything, and polling ends only when the websocket holds the streams."""
    broken.start(A, B)
    broken.polls.changes.wait_for(lambda held: held == {A, B})
    broken.bridge.call_soon(broken.streams.always.clear)
    broken.streams.changes.wait_for(lambda held: held == {A, B})
    broken.wait(POLLING, S.DISCONNECTED)
    broken.settle()
    assert broken.modes() == {A: Mode.WEBSOCKET, B: Mode.WEBSOCKET}
    assert broken.feeds.state is S.READY


def test_a_stream_asked_for_during_the_fall_back_is_polled_too(broken: Feeds) -> None:
    """A new wish does not wait for the websocket."""
    broken.start(A)
    broken.polls.changes.wait_for(lambda held: held == {A})
    broken.want(B)
    broken.polls.changes.wait_for(lambda held: held == {A, B})


def test_a_stream_given_back_during_the_fall_back_is_gone(broken: Feeds) -> None:
    """Neither way serves what nobody wants."""
    broken.start(A, B)
    broken.polls.changes.wait_for(lambda held: held == {A, B})
    broken.bridge.call_soon(broken.feeds.drop, (A,))
    broken.polls.changes.wait_for(lambda held: held == {B})
    assert set(broken.modes()) == {B}


def test_without_fall_back_nothing_is_polled(alone: Feeds) -> None:
    """The setting decides; the adapter shows that nothing is delivered."""
    alone.streams.always["open"] = ConnectError("fake.example:1", "refused")
    alone.start(A)
    alone.wait(WEBSOCKET, S.RECONNECTING)
    alone.settle()
    assert alone.polls.sessions == []
    assert alone.feeds.state is S.RECONNECTING


def test_a_stream_that_the_websocket_refuses_is_polled_alone(feeds: Feeds) -> None:
    """One symbol's fault moves one symbol."""
    feeds.streams.refused[A] = SubscriptionRefused("FAKE", "2", "no")
    feeds.start(A, B)
    feeds.polls.changes.wait_for(lambda held: held == {A})
    feeds.streams.changes.wait_for(lambda held: held == {B})
    feeds.wait(POLLING, S.READY)
    feeds.settle()
    assert feeds.modes() == {A: Mode.POLLING, B: Mode.WEBSOCKET}


def test_changed_delays_count_at_once(feeds: Feeds) -> None:
    """New reconnect settings are in force at the next loss, without a reconnect."""
    feeds.start(A)
    feeds.wait(WEBSOCKET, S.READY)
    slow = {"websocket.reconnect_base_delay": 50.0, "websocket.reconnect_max_delay": 50.0}
    feeds.apply(**slow)
    feeds.bridge.call_soon(feeds.streams.newest.lose, ConnectionClosed(1006))
    status = feeds.told.statuses.wait_for(lambda s: s.state is S.RECONNECTING)
    assert status.delay_s >= 40.0
    assert len(feeds.streams.sessions) == 1


def test_a_stop_during_a_switch_leaves_nothing(feeds: Feeds) -> None:
    """Stopped while the websocket is being closed for polling, both sessions end."""
    feeds.start(A)
    feeds.wait(WEBSOCKET, S.READY)
    feeds.apply(**OFF)
    feeds.polls.calls.wait_for(lambda call: call.step == "prepare")
    feeds.stop()
    assert feeds.feeds.sessions() == ()
    assert feeds.told.statuses.items[-1].state is S.DISCONNECTED


def test_what_was_wanted_is_there_after_a_stop_and_a_start(feeds: Feeds) -> None:
    """A stop keeps the list."""
    feeds.start(A, B)
    feeds.wait(WEBSOCKET, S.READY)
    feeds.stop()
    since = len(feeds.streams.changes)
    feeds.start()
    feeds.streams.changes.wait_for(lambda held: held == {A, B}, since=since)


def test_ten_thousand_subscriptions_cost_few_requests(feeds: Feeds) -> None:
    """A burst is bundled, and a drop in the same burst is never sent."""
    feeds.start()
    feeds.wait(WEBSOCKET, S.READY)
    keys = [tick(f"S{number}") for number in range(10_000)]
    for key in keys:
        feeds.want(key)
    for key in keys[1:]:
        feeds.bridge.call_soon(feeds.feeds.drop, (key,))
    feeds.streams.changes.wait_for(lambda held: held == {keys[0]})
    feeds.settle()
    assert len(feeds.feeds.entries()) == 1
    assert len(feeds.streams.calls_of("subscribe")) < 100


def test_a_symbol_is_routed_by_hand(feeds: Feeds) -> None:
    """A pinned symbol goes its own way, whatever the flags say; the others follow the flags."""
    feeds.start(A, B)
    feeds.wait(WEBSOCKET, S.READY)
    feeds.bridge.call_soon(feeds.feeds.pin, {A.vt_symbol: Mode.POLLING})
    feeds.polls.changes.wait_for(lambda held: held == {A})
    feeds.wait(POLLING, S.READY)
    assert feeds.modes() == {A: Mode.POLLING, B: Mode.WEBSOCKET}
    assert reasons(feeds)[A] == "switched to polling by hand"
    feeds.bridge.call_soon(feeds.feeds.pin, {A.vt_symbol: Mode.WEBSOCKET})
    feeds.apply(**OFF)
    feeds.polls.changes.wait_for(lambda held: held == {B})
    feeds.streams.changes.wait_for(lambda held: held == {A})
    feeds.wait(WEBSOCKET, S.READY)
    assert feeds.modes() == {A: Mode.WEBSOCKET, B: Mode.POLLING}
    feeds.bridge.call_soon(feeds.feeds.pin, {})
    feeds.wait(WEBSOCKET, S.DISCONNECTED)
    assert set(feeds.modes().values()) == {Mode.POLLING}
