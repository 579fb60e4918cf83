"""Cards MO: streaming, polling, and changing between them while the program runs."""

from __future__ import annotations

import pytest

from foxtrot.core.settings import Settings
from foxtrot.model.constants import Channel, Mode, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_TICK
from foxtrot.model.objects import TickData
from tests.conformance.base import Cards
from tests.conformance.market_data import assert_valid
from tests.support.rig import EVENT_OF, WAIT_S, Rig, eventually, running

POLLED = {"websocket.enabled": False}


class ModeCards(Cards):
    """MO010 to MO090."""

    @pytest.mark.parametrize("channel", list(Channel))
    def test_MO010_polling_delivers_the_same_form(self, rig: Rig, channel: Channel) -> None:
        """MO010: nobody has to know how data came.

        Prerequisite: websocket.enabled is off. Action: subscribe, connect; the market moves.
        Expected: an object of the channel's type. Pass: as valid as a streamed one; no stream
        was asked for; the adapter is DEGRADED.
        """
        self.needs_channel(rig, channel, polled=True)
        symbol = rig.venue.symbols[0]
        apply(rig, POLLED)
        rig.subscribe(symbol, channel)
        rig.connect()
        rig.wait_served()
        rig.wait_state(S.READY, session="polling")
        if channel is Channel.TRADE:  # the first answer only tells where the tape stands
            eventually(lambda: polls(rig, symbol) >= 2, "the tape has been read")
        assert_valid(rig.wait_event(rig.request(symbol, channel)), rig, symbol)
        assert rig.venue.asked() == []
        assert rig.venue.connections == 0 or rig.venue.polled_by_line
        assert rig.adapter.state is S.DEGRADED

    def test_MO020_changing_the_mode_loses_no_subscription(self) -> None:
        """MO020: a running program goes to polling and back.

        Prerequisite: all channels of all symbols are streamed under load.
        Action: websocket.enabled off, then on. Expected: each stream POLLING, then ACTIVE.
        Pass: every stream flows in each mode; nothing is wanted less.
        """
        with self.started(self.venue_class(rate_hz=20)) as venue, running(venue) as rig:
            self.needs_polling(rig)
            both = rig.adapter.capabilities.polled & rig.adapter.capabilities.streamed
            for symbol in venue.symbols:
                rig.subscribe(symbol, *sorted(both, key=lambda channel: channel.value))
            rig.connect()
            wanted = len(venue.symbols) * len(both)
            for flags, state in (
                ({}, StreamState.ACTIVE),
                (POLLED, StreamState.POLLING),
                ({}, StreamState.ACTIVE),
            ):
                apply(rig, flags)
                wait_mode(rig, Mode.POLLING if flags else Mode.WEBSOCKET)
                assert stream_states(rig) == {state}
                wait_all_flow(rig)
                assert len(rig.adapter.health().streams) == wanted
            assert rig.adapter.state is S.READY

    def test_MO030_some_streamed_some_polled(self, rig: Rig) -> None:
        """MO030: websocket.symbols chooses what is streamed.

        Prerequisite: all is streamed. Action: websocket.symbols names one symbol; then none.
        Expected: that one ACTIVE, the others POLLING; then all ACTIVE.
        Pass: each flows; the venue sends what is streamed only.
        """
        self.needs_polling(rig)
        rig.ready(*rig.venue.symbols)
        kept = rig.venue.symbols[1]
        apply(rig, {"websocket.symbols": [kept]})
        eventually(lambda: rig.venue.live() == {rig.venue.key(kept)}, "one is streamed")
        rig.wait_served()
        modes = {s.symbol: s.mode for s in rig.adapter.health().streams}
        assert [symbol for symbol, mode in modes.items() if mode is Mode.WEBSOCKET] == [kept]
        rig.wait_flowing()
        apply(rig, {})
        everything = {rig.venue.key(symbol) for symbol in rig.venue.symbols}
        eventually(lambda: rig.venue.live() == everything, "all are streamed")
        rig.wait_served()
        rig.wait_flowing()

    def test_MO040_polling_survives_a_restart_of_the_venue(self, rig: Rig) -> None:
        """MO040: polling reconnects as streaming does.

        Prerequisite: all is polled. Action: the venue stops and starts.
        Expected: RECONNECTING, READY of the polling session. Pass: every stream flows.
        """
        self.needs_polling(rig)
        apply(rig, POLLED)
        rig.ready(*rig.venue.symbols)
        since = len(rig.log)
        rig.venue.stop()
        rig.wait_state(S.RECONNECTING, since=since, session="polling")
        rig.venue.start()
        rig.wait_state(S.READY, since=since, session="polling")
        rig.wait_served()
        rig.wait_flowing()

    def test_MO050_unsubscribing_ends_polling_of_one(self, rig: Rig) -> None:
        """MO050: what is polled can be given back.

        Prerequisite: two symbols are polled. Action: unsubscribe one; both move.
        Expected: ticks of the other. Pass: none of the one that was given back.
        """
        self.needs_polling(rig)
        first, second = rig.venue.symbols[:2]
        apply(rig, POLLED)
        rig.ready(first, second)
        rig.wait_flowing()
        rig.unsubscribe(first)
        eventually(lambda: len(rig.adapter.health().streams) == 1, "one stream is polled")
        rig.wait_flowing()
        since = len(rig.log)
        rig.venue.move(first)
        rig.wait_flowing()
        assert rig.ticks(first, since) == []

    def test_MO060_an_unknown_symbol_is_refused_by_polling_too(self, rig: Rig) -> None:
        """MO060: a misspelt symbol costs the others nothing.

        Prerequisite: all is polled. Action: subscribe to a misspelt and a good symbol.
        Expected: FAILED with advice. Pass: the good one flows.
        """
        self.needs_polling(rig)
        wrong, meant = rig.venue.misspelt
        apply(rig, POLLED)
        rig.subscribe(wrong)
        rig.subscribe(rig.venue.symbols[1])
        rig.connect()
        rig.wait_state(S.DEGRADED, session="polling")
        failed = [s for s in rig.adapter.health().streams if s.state is StreamState.FAILED]
        assert [s.symbol for s in failed] == [wrong]
        assert meant in failed[0].reason
        rig.wait_fresh(rig.venue.symbols[1])

    def test_MO070_trades_are_told_once_over_all_modes(self, rig: Rig) -> None:
        """MO070: a change of mode repeats no print of the tape.

        Prerequisite: market trades are streamed. Action: to polling and back, trades all along.
        Expected: market trades. Pass: no id twice, each id above the one before.
        """
        self.needs_channel(rig, Channel.TRADE, polled=True)
        self.needs_channel(rig, Channel.TRADE)
        symbol = rig.venue.symbols[0]
        rig.subscribe(symbol, Channel.TRADE)
        rig.connect()
        for flags in ({}, POLLED, {}, POLLED):
            apply(rig, flags)
            wait_mode(rig, Mode.POLLING if flags else Mode.WEBSOCKET)
            for _ in range(3):
                rig.venue.trade(symbol)
            rig.wait_flowing()
        ids = [trade_id(data) for data in rig.log.of(EVENT_OF[Channel.TRADE])]
        assert ids == sorted(set(ids))

    def test_MO080_the_mode_is_shown(self, rig: Rig) -> None:
        """MO080: health says how each stream is served.

        Prerequisite: READY. Action: to polling. Expected: one session in use.
        Pass: it is the polling one, and the adapter DEGRADED with reason to be found there.
        """
        self.needs_polling(rig)
        rig.ready(rig.venue.symbols[0])
        apply(rig, POLLED)
        eventually(
            lambda: [s.name for s in rig.adapter.health().sessions] == ["polling"],
            "only the polling session runs",
        )
        rig.wait_served()
        assert rig.adapter.state is S.DEGRADED
        assert {s.mode for s in rig.adapter.health().streams} == {Mode.POLLING}

    def test_MO090_many_symbols_are_polled_in_batches(self) -> None:
        """MO090: polling a hundred symbols stays within the venue's limits.

        Prerequisite: the venue trades 120. Action: poll them all.
        Expected: ticks of each. Pass: nobody is refused for too many requests.
        """
        names = self.venue_class.many(120)
        with self.started(self.venue_class(names)) as venue, running(venue, POLLED) as rig:
            self.needs_polling(rig)
            rig.ready(*names)
            rig.log.wait_until(_of_all(names), WAIT_S)
            assert rig.error_kinds() == []


def apply(rig: Rig, flags: dict[str, object]) -> None:
    """Change the settings while running."""
    rig.engine.reload_settings(Settings.parse({**rig.flags, **flags}))


def wait_mode(rig: Rig, mode: Mode) -> None:
    """Wait until every stream is served that way."""
    eventually(
        lambda: {s.mode for s in rig.adapter.health().streams} == {mode}, f"all are {mode.value}"
    )
    rig.wait_served()


def stream_states(rig: Rig) -> set[StreamState]:
    """The states of all streams."""
    return {status.state for status in rig.adapter.health().streams}


def wait_all_flow(rig: Rig) -> None:
    """Wait until each wanted stream has brought something after this call; it moves by itself."""
    since = len(rig.log)
    for request in rig.adapter.subscriptions():
        rig.log.wait_for(
            lambda event, r=request: (
                event.type == EVENT_OF[r.channel] and getattr(event.data, "symbol", "") == r.symbol
            ),
            WAIT_S,
            since=since,
        )


def polls(rig: Rig, symbol: str) -> int:
    """How many answers the polling session has had."""
    assert symbol
    return rig.fact("polling.received") - 1  # the first was the sign of life


def trade_id(data: object) -> int:
    """The venue's number of a market trade."""
    return int(getattr(data, "tradeid"))  # noqa: B009


def _of_all(names: list[str]):
    def chosen(events: list) -> list:
        told = {e.data.symbol for e in events if isinstance(e.data, TickData)}
        return [e for e in events if e.type == EVENT_TICK] if told == set(names) else []

    return chosen
