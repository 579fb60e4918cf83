"""Cards CN: connecting, losing, coming back, and what an adapter says of itself."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Mode, StreamState
from foxtrot.model.events import EVENT_CONNECTION, EVENT_CONTRACT, EVENT_TICK
from tests.conformance.base import Cards
from tests.support.rig import Rig, eventually, running
from tests.support.venues import VenueUnderTest


class ConnectionCards(Cards):
    """CN010 to CN190."""

    def test_CN010_connecting_ends_ready(self, rig: Rig) -> None:
        """CN010: a connection is told step by step.

        Prerequisite: the venue listens. Action: connect.
        Expected: CONNECTING, SYNCING, READY, in this order, each naming the state before.
        Pass: exactly these; the adapter says READY too.
        """
        rig.connect()
        rig.wait_state(S.READY)
        assert rig.states() == [S.CONNECTING, S.SYNCING, S.READY]
        assert [s.previous for s in rig.statuses()] == [S.DISCONNECTED, S.CONNECTING, S.SYNCING]
        assert rig.adapter.state is S.READY

    def test_CN020_contracts_come_before_ticks(self, rig: Rig) -> None:
        """CN020: nobody sees a price of a contract they do not know.

        Prerequisite: streams are wanted. Action: connect.
        Expected: one contract event per symbol, then ticks.
        Pass: no tick before the last contract; the contracts are usable.
        """
        rig.ready(*rig.venue.symbols)
        rig.wait_fresh(*rig.venue.symbols)
        types = [event.type for event in rig.log.items]
        contracts = [at for at, type_ in enumerate(types) if type_ == EVENT_CONTRACT]
        assert contracts[-1] < types.index(EVENT_TICK)
        for symbol in rig.venue.symbols:
            contract = rig.engine.get_contract(f"{symbol}.{rig.venue.exchange.value}")
            assert contract is not None
            assert contract.pricetick > 0
            assert contract.adapter_name == rig.name

    def test_CN030_ready_means_served(self, rig: Rig) -> None:
        """CN030: READY is said when every wanted stream is held, not before.

        Prerequisite: streams are wanted. Action: connect.
        Expected: READY. Pass: at that moment the venue sends all of them.
        """
        for symbol in rig.venue.symbols:
            rig.subscribe(symbol)
        rig.connect()
        rig.wait_state(S.READY)
        assert rig.venue.live() == {rig.venue.key(symbol) for symbol in rig.venue.symbols}

    def test_CN040_a_wrong_setting_is_refused_by_name(self, rig: Rig) -> None:
        """CN040: a mistake in the connect setting is named and starts nothing.

        Prerequisite: none. Action: connect with each wrong setting.
        Expected: ConfigurationError that names the field. Pass: the adapter stays DISCONNECTED,
        no event is told, and a right setting works afterwards.
        """
        for field, setting in rig.venue.wrong_settings.items():
            with pytest.raises(ConfigurationError) as caught:
                rig.engine.connect(setting, rig.name)
            assert caught.value.field == field
            assert rig.adapter.state is S.DISCONNECTED
        assert rig.log.of(EVENT_CONNECTION) == []
        rig.ready(rig.venue.symbols[0])

    def test_CN050_disconnect_keeps_the_subscriptions(self, rig: Rig) -> None:
        """CN050: disconnecting forgets no subscription.

        Prerequisite: READY with streams. Action: disconnect, then connect.
        Expected: CLOSING, DISCONNECTED; then up to READY. Pass: the venue sends nothing in
        between, and everything afterwards without another subscribe.
        """
        rig.ready(*rig.venue.symbols)
        rig.engine.disconnect(rig.name)
        rig.wait_state(S.DISCONNECTED)
        eventually(lambda: not rig.venue.live(), "the venue sends nothing")
        assert len(rig.adapter.subscriptions()) == len(rig.venue.symbols)
        rig.connect()
        rig.wait_served()
        rig.wait_flowing()

    def test_CN060_disconnecting_twice_is_disconnecting_once(self, rig: Rig) -> None:
        """CN060: disconnect is idempotent.

        Prerequisite: READY. Action: disconnect twice, then connect.
        Expected: one CLOSING. Pass: READY again.
        """
        rig.ready(rig.venue.symbols[0])
        rig.engine.disconnect(rig.name)
        rig.engine.disconnect(rig.name)
        rig.wait_state(S.DISCONNECTED)
        since = len(rig.log)
        rig.connect()
        rig.wait_state(S.READY, since=since)
        assert rig.states().count(S.CLOSING) == 1

    def test_CN070_restart_is_both_in_order(self, rig: Rig) -> None:
        """CN070: restart disconnects and connects with what was known.

        Prerequisite: READY with streams. Action: restart.
        Expected: CLOSING, DISCONNECTED, CONNECTING, SYNCING, READY on a new connection.
        Pass: all streams flow.
        """
        rig.ready(*rig.venue.symbols)
        since, before = len(rig.log), rig.venue.connections
        rig.adapter.restart()
        rig.wait_state(S.READY, since=since)
        steps = [S.CLOSING, S.DISCONNECTED, S.CONNECTING, S.SYNCING, S.READY]
        assert rig.states(since=since) == steps
        rig.wait_served()
        assert rig.venue.connections > before
        rig.wait_flowing()

    def test_CN080_a_second_connect_starts_afresh(self, rig: Rig) -> None:
        """CN080: connect while connected applies the new setting.

        Prerequisite: READY. Action: connect again.
        Expected: down and up. Pass: one session, all streams flow.
        """
        rig.ready(rig.venue.symbols[0])
        since = len(rig.log)
        rig.connect()
        rig.wait_state(S.READY, since=since)
        rig.wait_served()
        assert len(rig.adapter.health().sessions) == 1
        rig.wait_flowing()

    def test_CN090_a_venue_that_restarts_is_back_by_itself(
        self, venue: VenueUnderTest, rig: Rig
    ) -> None:
        """CN090: nothing has to be done when a venue comes back.

        Prerequisite: READY with streams. Action: the venue stops, and starts again.
        Expected: RECONNECTING with a reason and an attempt, then READY.
        Pass: every subscription is restored; the last tick is as new as the venue's last.
        """
        rig.ready(*venue.symbols)
        since = len(rig.log)
        venue.stop()
        lost = rig.wait_state(S.RECONNECTING, since=since)
        assert lost.reason
        assert lost.attempt >= 1
        venue.start()
        rig.wait_state(S.READY, since=since)
        rig.wait_served()
        rig.wait_fresh(*venue.symbols)
        health = rig.adapter.health()
        assert health.reconnects == health.sessions[0].reconnects == 1
        assert health.last_reconnect_ns >= lost.since_ns
        assert health.sessions[0].last_reconnect_ns >= lost.since_ns

    def test_CN100_a_venue_that_is_down_at_first_is_waited_for(self) -> None:
        """CN100: connect before the venue is up is no mistake.

        Prerequisite: the venue is down. Action: connect; then the venue starts.
        Expected: CONNECTING, RECONNECTING, then READY. Pass: the streams flow.
        """
        venue = self.venue_class()
        with self.started(venue):
            pass
        with running(venue) as rig:
            rig.subscribe(venue.symbols[0])
            rig.connect()
            rig.wait_state(S.RECONNECTING)
            with self.started(venue):
                rig.wait_served()
                rig.wait_flowing()
                rig.adapter.close()

    def test_CN110_contracts_are_told_once(self, venue: VenueUnderTest, rig: Rig) -> None:
        """CN110: a reconnect does not load or tell the contracts again.

        Prerequisite: READY. Action: the venue restarts.
        Expected: no contract event after the first READY. Pass: as many as symbols in all.
        """
        rig.ready(*venue.symbols)
        venue.stop()
        venue.start()
        rig.wait_served()
        rig.wait_flowing()
        assert len(rig.log.of(EVENT_CONTRACT)) == len(venue.symbols)

    def test_CN120_no_reconnect_after_disconnect(self, venue: VenueUnderTest, rig: Rig) -> None:
        """CN120: disconnect ends the reconnect loop too.

        Prerequisite: the venue is gone, the adapter reconnects. Action: disconnect.
        Expected: CLOSING, DISCONNECTED. Pass: when the venue is back nobody connects to it.
        """
        rig.ready(venue.symbols[0])
        venue.stop()
        rig.wait_state(S.RECONNECTING)
        rig.engine.disconnect(rig.name)
        rig.wait_state(S.DISCONNECTED)
        before = venue.connections
        venue.start()
        eventually(lambda: not rig.tasks(), "no task of the adapter runs")
        assert venue.connections == before

    def test_CN130_health_is_a_full_snapshot(self, rig: Rig) -> None:
        """CN130: health tells what a person asks first.

        Prerequisite: READY with one stream. Action: health, before and after.
        Expected: state, environment, endpoint, session, stream with mode, reason, since when and
        last data, counters with every type of message, reconnects.
        Pass: all are there and the whole can be turned into JSON.
        """
        blank = rig.adapter.health()
        assert (blank.state, blank.sessions) == (S.DISCONNECTED, ())
        assert set(blank.malformed_by_type) == set(rig.adapter.message_types)
        assert not any(blank.malformed_by_type.values())
        assert (blank.reconnects, blank.last_reconnect_ns) == (0, 0)
        rig.ready(rig.venue.symbols[0])
        rig.wait_fresh(rig.venue.symbols[0])
        health = rig.adapter.health()
        (session,), (stream,) = health.sessions, health.streams
        assert (health.state, session.state) == (S.READY, S.READY)
        assert health.environment is not None
        assert health.endpoint.startswith("127.0.0.1:")
        assert (stream.state, stream.mode) == (StreamState.ACTIVE, Mode.WEBSOCKET)
        assert health.received > 0
        assert session.last_ready_ns > 0
        assert stream.last_data_ns >= stream.since_ns > 0
        assert (health.reconnects, session.reconnects, session.last_reconnect_ns) == (0, 0, 0)
        assert msgspec.json.decode(msgspec.json.encode(rig.engine.health()))

    def test_CN140_diagnostics_are_flat_facts(self, rig: Rig) -> None:
        """CN140: diagnostics can be pasted into a support request.

        Prerequisite: READY. Action: diagnostics. Expected: flat text and numbers.
        Pass: nothing nested, and the counters of both ways are there.
        """
        rig.ready(rig.venue.symbols[0])
        facts = rig.adapter.diagnostics()
        assert all(isinstance(value, str | int | float) for value in facts.values())
        assert facts["state"] == "ready"
        assert {f"{mode.value}.received" for mode in Mode} <= facts.keys()

    def test_CN150_actions_do_what_they_say(self, rig: Rig) -> None:
        """CN150: what can be done now is offered by name.

        Prerequisite: none. Action: actions before, while and after being connected.
        Expected: nothing; restart, disconnect and what the venue has beside them; nothing.
        Pass: the offered disconnect works.
        """
        assert rig.adapter.actions() == {}
        rig.ready(rig.venue.symbols[0])
        assert {"restart", "disconnect"} <= set(rig.adapter.actions())
        rig.adapter.actions()["disconnect"]()
        rig.wait_state(S.DISCONNECTED)
        eventually(lambda: rig.adapter.actions() == {}, "nothing is offered")

    def test_CN160_an_error_is_remembered_in_words(self, venue: VenueUnderTest, rig: Rig) -> None:
        """CN160: what went wrong can be read later.

        Prerequisite: READY. Action: the venue goes away.
        Expected: an error record. Pass: it has a time, a kind, a class, an action and a text.
        """
        rig.ready(venue.symbols[0])
        venue.stop()
        rig.wait_state(S.RECONNECTING)
        record = rig.adapter.health().errors[0]
        assert (record.error_class, record.action) == ("network", "reconnect")
        assert record.kind
        assert record.text
        age = dt.datetime.now(dt.UTC) - dt.datetime.fromtimestamp(record.ts_ns / 1e9, dt.UTC)
        assert abs(age) < dt.timedelta(minutes=1)

    def test_CN170_delays_follow_the_settings_while_running(
        self, venue: VenueUnderTest, rig: Rig
    ) -> None:
        """CN170: a new longest delay counts for the next session.

        Prerequisite: READY. Action: settings with another base delay; the venue goes away.
        Expected: RECONNECTING. Pass: its delay is inside the new bounds.
        """
        rig.ready(venue.symbols[0])
        flags = {**rig.flags, "websocket.reconnect_base_delay": 0.2}
        rig.engine.reload_settings(Settings.parse(flags))
        since = len(rig.log)
        rig.adapter.restart()
        rig.wait_state(S.READY, since=since)
        rig.wait_served()
        rig.wait_flowing()
        venue.stop()
        lost = rig.wait_state(S.RECONNECTING, since=since)
        assert 0.16 <= lost.delay_s <= 0.2

    def test_CN190_a_closed_adapter_says_so(self, rig: Rig) -> None:
        """CN190: close is final, and harmless when repeated.

        Prerequisite: READY. Action: close twice, then connect.
        Expected: InvalidState. Pass: CLOSED, no action offered.
        """
        rig.ready(rig.venue.symbols[0])
        rig.adapter.close()
        rig.adapter.close()
        with pytest.raises(InvalidState):
            rig.connect()
        assert rig.adapter.state is S.CLOSED
        assert rig.adapter.actions() == {}
