"""Cards RC: what happened while nobody looked is found, and told once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Status
from tests.conformance.base import TradingCards
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import TradingRig, trading
from tests.support.venues import VenueUnderTest

SUBMITTING, RESTS, PART = Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED
FILLED, CANCELLED, REJECTED = Status.ALLTRADED, Status.CANCELLED, Status.REJECTED

LOOKS_OFTEN = replace(SHORT, reconcile_s=0.5)
IMPATIENT = replace(SHORT, request_timeout_s=0.5)


class ReconcilingCards(TradingCards):
    """RC010 to RC200."""

    def test_RC010_orders_outlive_a_disconnect(self, rig: TradingRig) -> None:
        """RC010: what rested before a disconnect is there after the next connect.

        Prerequisite: orders rest. Action: disconnect; one is filled, one cancelled by another
        hand, one filled in part; connect. Expected: each is told as it is now.
        Pass: both sides agree, each fill once, and the one that is left can be cancelled.
        """
        rig.trade()
        filled, ended, part = (rig.rest(volume=0.1) for _ in range(3))
        self.disconnect(rig)
        rig.venue.fill(filled)
        rig.venue.end(ended)
        rig.venue.fill(part, 0.04)
        rig.connect()
        rig.wait_order(filled, FILLED)
        rig.wait_order(ended, CANCELLED)
        rig.wait_order(part, PART)
        rig.wait_agreed()
        rig.cancel(part)
        rig.wait_order(part, CANCELLED)
        rig.wait_agreed()

    def test_RC020_a_new_engine_takes_up_the_orders(self, venue: VenueUnderTest) -> None:
        """RC020: a new run knows the orders of the last one, their fills and their ids.

        Prerequisite: a run left an order that is filled in part. Action: a new run.
        Expected: PARTTRADED and its fill, told again; after a cancel CANCELLED.
        Pass: new ids differ from all old ones.
        """
        with trading(venue) as first:
            self.needs_orders(first)
            first.trade()
            orderid = first.rest()
            venue.fill(orderid, 0.2)
            first.wait_trades(orderid)
        with trading(venue) as second:
            second.trade()
            second.wait_order(orderid, PART)
            assert second.rest(volume=0.01) != orderid
            second.wait_agreed()
            second.cancel(orderid)
            second.wait_order(orderid, CANCELLED)
            second.wait_agreed()

    def test_RC030_fills_between_two_runs(self, venue: VenueUnderTest) -> None:
        """RC030: what happened between two runs is told by the second.

        Prerequisite: a run left three orders. Action: one is filled, one expires; a new run.
        Expected: ALLTRADED, CANCELLED, NOTTRADED. Pass: both sides agree.
        """
        with trading(venue) as first:
            self.needs_orders(first)
            first.trade()
            filled, ended, left = (first.rest(volume=0.1) for _ in range(3))
        venue.fill(filled)
        venue.end(ended, expired=True)
        with trading(venue) as second:
            second.trade()
            second.wait_order(filled, FILLED)
            second.wait_order(ended, CANCELLED)
            second.wait_order(left, RESTS)
            second.wait_agreed()

    @pytest.mark.parametrize("fault", ["request_swallowed", "ack_swallowed"])
    def test_RC040_a_doubt_is_resolved_by_the_next_run(
        self, venue: VenueUnderTest, fault: str
    ) -> None:
        """RC040: an order under way when a run ended is accounted for by the next run.

        Prerequisite: an order without an answer. Action: close; a new run.
        Expected: SUBMITTING in doubt, then NOTTRADED if the venue has it, else REJECTED.
        Pass: never sent again.
        """
        with trading(venue) as first:
            self.needs_orders(first)
            first.trade()
            venue.faults.inject("silent")
            venue.faults.inject(fault, request="place")
            orderid = first.send()
            eventually(lambda: orderid in venue.received(), "the order came in")
        venue.faults.clear()
        with trading(venue) as second:
            second.connect()
            second.wait_doubt(orderid)
            second.wait_order(orderid, REJECTED if fault == "request_swallowed" else RESTS)
            second.wait_agreed()
            assert venue.received() == {orderid: 1}

    @pytest.mark.parametrize("fault", ["request_swallowed", "ack_swallowed"])
    def test_RC050_a_disconnect_leaves_a_doubt(self, rig: TradingRig, fault: str) -> None:
        """RC050: an order under way when the line is cut is in doubt, and resolved when it is back.

        Prerequisite: an order without an answer. Action: disconnect, connect.
        Expected: in doubt, then what the venue knows. Pass: sent once.
        """
        rig.trade()
        rig.venue.faults.inject("silent")
        rig.venue.faults.inject(fault, request="place")
        orderid = rig.send()
        eventually(lambda: orderid in rig.venue.received(), "the order came in")
        self.disconnect(rig)
        rig.wait_doubt(orderid)
        rig.venue.faults.clear()
        rig.connect()
        rig.wait_order(orderid, REJECTED if fault == "request_swallowed" else RESTS)
        rig.wait_agreed()
        assert rig.venue.received() == {orderid: 1}

    def test_RC060_orders_by_another_hand(self, rig: TradingRig) -> None:
        """RC060: orders that were not sent from here are shown once, with their fills.

        Prerequisite: one was there before; READY. Action: another one is placed, filled in part.
        Expected: NOTTRADED as `ext-<id>`, PARTTRADED and a fill.
        Pass: both sides agree, also after a reconnect, which tells nothing twice.
        """
        symbol = rig.venue.symbols[0]
        price = rig.venue.resting_price(symbol)
        before = rig.venue.place_by_hand(symbol, 0.1, price)
        rig.trade()
        rig.wait_order(f"ext-{before}", RESTS)
        after = rig.venue.place_by_hand(symbol, 0.1, price)
        self.look(rig)
        rig.wait_order(f"ext-{after}", RESTS)
        rig.venue.fill(rig.venue.by_id(after, symbol).orderid or after, 0.04)
        self.look(rig)
        rig.wait_order(f"ext-{after}", PART)
        rig.wait_agreed()
        told = len(rig.orders())
        self.lose(rig)
        rig.settle()
        assert len(rig.orders()) == told

    def test_RC070_an_external_order_is_cancelled_by_its_name(self, rig: TradingRig) -> None:
        """RC070: who asks for it by its name may cancel an order of another hand.

        Prerequisite: an order placed by hand. Action: cancel `ext-<id>`. Expected: CANCELLED.
        Pass: the venue has it no more.
        """
        self.needs(rig.venue, "foreign_cancel")
        rig.trade()
        symbol = rig.venue.symbols[0]
        other = rig.venue.place_by_hand(symbol, 0.1, rig.venue.resting_price(symbol))
        rig.wait_order(f"ext-{other}", RESTS)
        rig.cancel(f"ext-{other}")
        rig.wait_order(f"ext-{other}", CANCELLED)
        rig.wait_agreed()

    @pytest.mark.parametrize("fault", ["rst", "eof", "close", "user_terminated", "cut_24h"])
    def test_RC080_fills_during_an_outage(self, rig: TradingRig, fault: str) -> None:
        """RC080: what happens while the line is cut is told after it, once.

        Prerequisite: orders rest. Action: cut the line and let nobody back; fill, end; let back.
        Expected: RECONNECTING, then all of it. Pass: both sides agree.
        """
        self.needs(rig.venue, fault)
        rig.trade()
        filled, ended, part = (rig.rest(volume=0.1) for _ in range(3))
        rig.venue.fill(part, 0.01)
        rig.wait_order(part, PART)
        since = len(rig.log)
        rig.venue.faults.inject("refuse", rest=True)
        rig.venue.faults.inject(fault)
        rig.wait_trading(S.RECONNECTING, since)
        rig.venue.fill(filled)
        rig.venue.fill(part, 0.02)
        rig.venue.end(ended)
        rig.venue.faults.clear()
        rig.wait_order(filled, FILLED)
        rig.wait_order(ended, CANCELLED)
        rig.wait_agreed()

    @pytest.mark.parametrize("fault", ["duplicate", "duplicate_reports", "reordered"])
    def test_RC090_reports_twice_and_out_of_order(self, rig: TradingRig, fault: str) -> None:
        """RC090: reports that come twice or in the wrong order are told once, in order.

        Prerequisite: READY. Action: orders are filled in parts under the fault.
        Expected: each fill once; traded never shrinks; what ended stays so. Pass: both agree.
        """
        self.needs(rig.venue, fault)
        rig.trade()
        rig.venue.faults.inject(fault, count=0)
        for _ in range(3):
            orderid = rig.send(volume=0.1)
            eventually(lambda name=orderid: self.is_held(rig, name), "the venue has it")
            rig.venue.fill(orderid, 0.03)
            rig.venue.fill(orderid)
        rig.venue.faults.clear()
        rig.rest(volume=0.01)
        rig.wait_agreed()
        for order in rig.last_of_each():
            traded = [each.traded for each in rig.orders(order.orderid)]
            assert traded == sorted(traded)

    def test_RC100_a_cancel_races_a_fill(self, rig: TradingRig) -> None:
        """RC100: an order that fills the moment it is cancelled is filled.

        Prerequisite: an order rests. Action: cancel; it fills just before. Expected: ALLTRADED.
        Pass: one end, one fill.
        """
        rig.trade()
        orderid = rig.rest()
        rig.venue.faults.inject("cancel_race")
        rig.cancel(orderid)
        rig.wait_order(orderid, FILLED)
        rig.wait_agreed()
        assert CANCELLED not in rig.statuses_of(orderid)

    def test_RC110_reports_before_the_answer(self, rig: TradingRig) -> None:
        """RC110: fills may be known before the answer to the order.

        Prerequisite: answers are late. Action: send; the venue fills it.
        Expected: PARTTRADED before the answer. Pass: the late answer changes nothing.
        """
        rig.trade()
        rig.venue.faults.inject("late_ack", request="place", seconds=0.5)
        orderid = rig.send()
        eventually(lambda: self.is_held(rig, orderid), "the venue has it")
        rig.venue.fill(orderid, 0.2)
        rig.wait_order(orderid, PART)
        rig.rest(volume=0.01)
        rig.wait_agreed()
        assert rig.last_of_each()[0].status is PART

    def test_RC120_a_stream_that_tells_nothing_is_found(
        self, rig: TradingRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RC120: a stream of the account that is silent while it lives is found and replaced.

        Prerequisite: READY; no more reports come, though all else is answered. Action: send.
        Expected: NOTTRADED by the answer; then RECONNECTING, as the stream did not tell of it.
        Pass: what was missed is told after it.
        """
        self.needs(rig.venue, "account_stream")
        self.impatient(monkeypatch)
        rig.trade()
        resting = rig.rest(volume=0.1)
        rig.settle()
        since = len(rig.log)
        rig.venue.faults.inject("silent")
        rig.venue.fill(resting, 0.04)
        rig.rest(volume=0.01)
        reason = rig.wait_trading(S.RECONNECTING, since)
        assert "account" in reason
        rig.venue.faults.clear()
        rig.wait_order(resting, PART)
        rig.wait_agreed()

    def test_RC130_a_silent_stream_is_found_without_an_order(
        self, venue: VenueUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RC130: lists that know more than the stream told prove it dead, without any order.

        Prerequisite: an order rests; no more reports come. Action: the venue fills a part.
        Expected: the fill by the next list; then RECONNECTING. Pass: told once.
        """
        self.needs(venue, "account_stream")
        self.impatient(monkeypatch)
        with trading(venue, config=LOOKS_OFTEN) as rig:
            self.needs_orders(rig)
            rig.trade()
            orderid = rig.rest()
            rig.settle()
            since = len(rig.log)
            venue.faults.inject("silent")
            venue.fill(orderid, 0.2)
            rig.wait_trades(orderid)
            assert "account" in rig.wait_trading(S.RECONNECTING, since)
            venue.faults.clear()
            rig.wait_agreed()

    def test_RC140_reports_that_are_late_are_no_alarm(
        self, venue: VenueUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RC140: a stream that lags behind lists and answers is not taken for dead.

        Prerequisite: reports come 0.2 s late; lists are asked for often. Action: trade.
        Expected: all of it, once. Pass: the session was never lost.
        """
        self.impatient(monkeypatch)
        with trading(venue, config=LOOKS_OFTEN) as rig:
            self.needs_orders(rig)
            rig.trade()
            venue.faults.inject("late_reports", seconds=0.2)
            for _ in range(4):
                orderid = rig.rest(volume=0.1)
                venue.fill(orderid, 0.05)
                rig.adapter.query_account()
                rig.wait_trades(orderid)
                rig.cancel(orderid)
                rig.wait_order(orderid, CANCELLED)
            for _ in range(3):
                seen = rig.trading().reconciled_ns
                eventually(lambda ns=seen: rig.trading().reconciled_ns > ns, "it asked again")
            rig.wait_agreed()
            assert S.RECONNECTING not in rig.states("trading")

    def test_RC150_maintenance(self, rig: TradingRig) -> None:
        """RC150: while the venue is under maintenance orders are refused here, in words.

        Prerequisite: an order rests. Action: maintenance cuts the line; send, cancel; it ends.
        Expected: `local:not_ready`, and a cancel that is refused in words; then all is as before.
        Pass: the order rests; both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        since = len(rig.log)
        for name, params in rig.venue.maintenance:
            rig.venue.faults.inject(name, **params)
        rig.wait_trading(S.RECONNECTING, since)
        assert rig.refused(rig.send()).startswith("local:not_ready: ")
        since = len(rig.log)
        rig.cancel(orderid)
        told = rig.wait_order(orderid, since=since)
        assert told.reason == "local:not_ready: not cancelled, trading is not ready"
        assert told.status is RESTS
        rig.venue.faults.clear()
        rig.wait_served()
        rig.rest(volume=0.01)
        rig.wait_agreed()

    def test_RC160_a_cancel_waits_for_a_session_about_to_be_ready(
        self, rig: TradingRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RC160: a cancel during a short loss goes out as soon as the line is back.

        Prerequisite: an order rests; the line is cut. Action: cancel. Expected: CANCELLED.
        Pass: without being asked a second time.
        """
        monkeypatch.setattr("foxtrot.gateway.order_flow.CANCEL_WAIT_S", 10.0)
        rig.trade()
        orderid = rig.rest()
        since = len(rig.log)
        rig.venue.faults.inject("rst")
        rig.wait_trading(S.RECONNECTING, since)
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()

    @pytest.mark.parametrize("request_", ["open_orders", "trades"])
    def test_RC170_an_empty_list_ends_no_order(self, rig: TradingRig, request_: str) -> None:
        """RC170: a list that lies empty loses no order and no fill.

        Prerequisite: an order that was filled in part while the line was cut.
        Action: reconnect to a venue that says "none". Expected: PARTTRADED with its fill.
        Pass: both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        since = len(rig.log)
        rig.venue.faults.inject("refuse", rest=True)
        rig.venue.faults.inject("rst")
        rig.wait_trading(S.RECONNECTING, since)
        rig.venue.fill(orderid, 0.2)
        for each in rig.venue.requests_of(request_):
            rig.venue.faults.inject("empty_list", request=each)
        rig.venue.faults.clear("refuse")
        rig.wait_order(orderid, PART)
        rig.wait_agreed()

    @pytest.mark.parametrize("request_", ["open_orders", "trades", "account"])
    def test_RC180_not_ready_before_every_list_is_answered(
        self, venue: VenueUnderTest, request_: str
    ) -> None:
        """RC180: a list that is not answered is not an empty one: trading waits for it.

        Prerequisite: an order rests; the line is cut; one list is not answered.
        Action: send. Expected: `local:not_ready`. Pass: READY as soon as the list is answered.
        """
        with trading(venue, config=IMPATIENT) as rig:
            self.needs_orders(rig)
            rig.trade()
            rig.rest()
            since = len(rig.log)
            self.refuse(venue, request_)
            venue.faults.inject("rst")
            rig.wait_trading(S.RECONNECTING, since)
            eventually(lambda: rig.attempts() >= 2, "it tried again")
            assert rig.refused(rig.send()).startswith("local:not_ready: ")
            assert rig.adapter.unready().startswith("not_ready: ")
            assert S.READY not in rig.states("trading", since)
            venue.faults.clear()
            rig.wait_trading(S.READY, since)
            assert rig.adapter.unready() == ""
            rig.wait_agreed()

    def test_RC190_an_order_that_the_venue_forgot(self, venue: VenueUnderTest) -> None:
        """RC190: an order that the venue knows no more is alarmed, and closed when asked to.

        Prerequisite: an order rested; the venue begins anew and knows nothing of it.
        Action: reconnect; then cancel the order. Expected: an alarm that says what to do; the
        order stays as it is, until the cancel: CANCELLED with a reason.
        Pass: nothing is guessed in silence; nothing is open or pending.
        """
        with trading(venue, config=LOOKS_OFTEN) as rig:
            self.needs_orders(rig)
            rig.trade()
            orderid = rig.rest()
            venue.forget_orders()
            self.lose(rig)
            alarm = rig.wait_log("unknown to it now")
            assert orderid in alarm
            assert "cancel it" in alarm
            assert rig.statuses_of(orderid) == [SUBMITTING, RESTS]
            rig.cancel(orderid)
            told = rig.wait_order(orderid, CANCELLED)
            assert "the venue does not know it any more" in told.reason
            eventually(lambda: rig.trading().open_orders == 0, "nothing is open")
            rig.rest(volume=0.01)

    def test_RC200_halt_ends_with_an_order_that_the_venue_forgot(
        self, venue: VenueUnderTest
    ) -> None:
        """RC200: halt ends, also with an order that the venue knows no more.

        Prerequisite: as RC190. Action: halt. Expected: CANCELLED with a reason.
        Pass: no cancel is pending.
        """
        with trading(venue, config=LOOKS_OFTEN) as rig:
            self.needs_orders(rig)
            rig.trade()
            orderid = rig.rest()
            venue.forget_orders()
            rig.adapter.halt()
            rig.wait_order(orderid, CANCELLED)
            eventually(lambda: rig.trading().cancels_pending == 0, "no cancel is pending")

    @staticmethod
    def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
        """Half a second of silence is long."""
        monkeypatch.setattr("foxtrot.gateway.untold.SILENCE_S", 0.5)

    @staticmethod
    def disconnect(rig: TradingRig) -> None:
        """Disconnect, and wait until that is done."""
        since = len(rig.log)
        rig.adapter.disconnect()
        rig.wait_trading(S.DISCONNECTED, since)

    @staticmethod
    def lose(rig: TradingRig) -> None:
        """Lose the line, and get it back."""
        since = len(rig.log)
        rig.venue.faults.inject("rst")
        rig.wait_trading(S.READY, since)

    @staticmethod
    def is_held(rig: TradingRig, orderid: str) -> bool:
        """Whether the venue took an order."""
        return any(held.orderid == orderid for held in rig.venue.held())
