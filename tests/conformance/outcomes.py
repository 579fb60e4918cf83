"""Cards OU: what becomes of an order when the answer is lost, late, broken or somebody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import OrderType, Status
from tests.conformance.base import TradingCards
from tests.support.rig import SHORT, eventually
from tests.support.trading_rig import TradingRig, in_doubt, trading
from tests.support.venues import VenueUnderTest

SUBMITTING, RESTS = Status.SUBMITTING, Status.NOTTRADED
FILLED, CANCELLED, REJECTED = Status.ALLTRADED, Status.CANCELLED, Status.REJECTED

Fault = tuple[str, dict[str, object]]

CARRIED_OUT: dict[str, Fault] = {
    "answer swallowed": ("ack_swallowed", {}),
    "answer reset": ("ack_reset", {}),
    "answer truncated": ("truncated_body", {}),
    "answer is a page": ("html_body", {}),
    "answer of another order": ("foreign_ack", {}),
    "answer without id": ("nameless_ack", {}),
    "answer too late": ("late_ack", {"seconds": 1.5}),
    "answer late": ("late_ack", {"seconds": 0.2}),
    "503 though done": ("http_error", {"status": 503, "acts": True, "count": 1}),
    "403 though done": ("http_error", {"status": 403, "acts": True, "count": 1}),
}
NOT_CARRIED_OUT: dict[str, Fault] = {
    "request swallowed": ("request_swallowed", {}),
    "request reset": ("request_reset", {}),
    "503": ("http_error", {"status": 503, "count": 1}),
    "403": ("http_error", {"status": 403, "count": 1}),
}

IMPATIENT = replace(SHORT, request_timeout_s=0.5)
"""For questions that are not answered."""

LOST_CANCELS = {name: fault for name, fault in NOT_CARRIED_OUT.items() if name != "request reset"}
"""A client may send a cancel again by itself, when its connection is reset: that harms nobody."""


class OutcomeCards(TradingCards):
    """OU010 to OU100."""

    @pytest.mark.parametrize("fault", CARRIED_OUT.values(), ids=list(CARRIED_OUT))
    def test_OU010_an_order_that_arrived_is_found(self, rig: TradingRig, fault: Fault) -> None:
        """OU010: an order that the venue took is never shown as rejected.

        Prerequisite: READY; the answer to the next order is spoilt. Action: send.
        Expected: NOTTRADED, maybe after a doubt in words. Pass: sent once, both sides agree.
        """
        rig.trade()
        self.strike(rig, fault, "place")
        orderid = rig.send()
        rig.wait_order(orderid, RESTS)
        rig.wait_agreed()
        assert rig.statuses_of(orderid) == [SUBMITTING, RESTS]
        assert rig.venue.received() == {orderid: 1}

    @pytest.mark.parametrize("fault", CARRIED_OUT.values(), ids=list(CARRIED_OUT))
    def test_OU020_a_fill_without_an_answer_is_told_once(
        self, rig: TradingRig, fault: Fault
    ) -> None:
        """OU020: an order that traded at once is filled, whatever became of the answer.

        Prerequisite: as OU010. Action: send a market order. Expected: ALLTRADED.
        Pass: each fill once.
        """
        self.needs_order(rig, OrderType.MARKET)
        rig.trade()
        self.strike(rig, fault, "place")
        orderid = rig.send(OrderType.MARKET, volume=0.01)
        rig.wait_order(orderid, FILLED)
        rig.wait_agreed()
        assert REJECTED not in rig.statuses_of(orderid)

    @pytest.mark.parametrize("fault", NOT_CARRIED_OUT.values(), ids=list(NOT_CARRIED_OUT))
    def test_OU030_an_order_that_never_arrived_is_rejected_by_proof(
        self, rig: TradingRig, fault: Fault
    ) -> None:
        """OU030: an order without an answer is in doubt until it is proved that there is none.

        Prerequisite: READY; the next order gets lost. Action: send.
        Expected: in doubt with a reason; then REJECTED, "never reached the venue".
        Pass: not sent again; the next order goes through.
        """
        rig.trade()
        self.strike(rig, fault, "place")
        orderid = rig.send()
        assert in_doubt(rig.wait_doubt(orderid))
        assert rig.refused(orderid) == "never reached the venue"
        rig.rest()
        rig.wait_agreed()
        assert rig.venue.received()[orderid] == 1

    @pytest.mark.parametrize("fault", CARRIED_OUT.values(), ids=list(CARRIED_OUT))
    def test_OU040_a_cancel_that_was_done_is_found(self, rig: TradingRig, fault: Fault) -> None:
        """OU040: an order whose cancel was carried out ends, whatever became of the answer.

        Prerequisite: an order rests; the answer to its cancel is spoilt. Action: cancel.
        Expected: CANCELLED. Pass: both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        self.strike(rig, fault, "cancel")
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()

    @pytest.mark.parametrize("fault", LOST_CANCELS.values(), ids=list(LOST_CANCELS))
    def test_OU050_a_cancel_that_was_lost_is_told(self, rig: TradingRig, fault: Fault) -> None:
        """OU050: an order whose cancel got lost is open, and that is said.

        Prerequisite: an order rests; its cancel gets lost. Action: cancel, and cancel again.
        Expected: NOTTRADED with a reason; then CANCELLED. Pass: both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        self.strike(rig, fault, "cancel")
        since = len(rig.log)
        rig.cancel(orderid)
        rig.wait_order(
            orderid, RESTS, since=since, where=lambda o: o.reason.startswith("cancel refused: ")
        )
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()

    @pytest.mark.parametrize("fault", NOT_CARRIED_OUT.values(), ids=list(NOT_CARRIED_OUT))
    def test_OU060_cancel_all_goes_on_until_none_is_open(
        self, rig: TradingRig, fault: Fault
    ) -> None:
        """OU060: cancel_all is repeated for whom the first cancel got lost.

        Prerequisite: three orders rest; one cancel gets lost. Action: cancel_all.
        Expected: CANCELLED three times. Pass: no cancel is pending.
        """
        rig.trade()
        ours = [rig.rest(volume=0.01) for _ in range(3)]
        self.strike(rig, fault, "cancel")
        rig.adapter.cancel_all()
        for orderid in ours:
            rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()
        eventually(lambda: rig.trading().cancels_pending == 0, "no cancel is pending")

    @pytest.mark.parametrize("fault", [*CARRIED_OUT.values()], ids=list(CARRIED_OUT))
    def test_OU070_a_replacement_without_an_answer(self, rig: TradingRig, fault: Fault) -> None:
        """OU070: a replacement that was carried out is found, both halves of it.

        Prerequisite: an order rests; the answer to its replacement is spoilt. Action: modify.
        Expected: the old one CANCELLED, the new one NOTTRADED. Pass: both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        self.strike(rig, fault, "place" if "replace" in rig.venue.lacks else "replace")
        new = rig.modify(orderid, volume=0.25)
        rig.wait_order(new, RESTS)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()

    @pytest.mark.parametrize("fault", NOT_CARRIED_OUT.values(), ids=list(NOT_CARRIED_OUT))
    def test_OU080_a_replacement_that_was_lost(self, rig: TradingRig, fault: Fault) -> None:
        """OU080: a replacement that got lost leaves the old order open and proves the new one not.

        Prerequisite: an order rests; its replacement gets lost. Action: modify.
        Expected: the new one REJECTED, "never reached the venue". Pass: the old one rests.
        """
        self.needs(rig.venue, "replace")
        rig.trade()
        orderid = rig.rest()
        self.strike(rig, fault, "replace")
        new = rig.modify(orderid, volume=0.25)
        assert rig.refused(new) == "never reached the venue"
        rig.wait_agreed()
        assert rig.held(orderid).open

    @pytest.mark.parametrize("fault", NOT_CARRIED_OUT.values(), ids=list(NOT_CARRIED_OUT))
    def test_OU085_half_a_replacement_was_lost(self, rig: TradingRig, fault: Fault) -> None:
        """OU085: where a replacement is two requests, the second one may get lost alone.

        Prerequisite: an order rests; the new order of its replacement gets lost. Action: modify.
        Expected: the old one CANCELLED, the new one REJECTED, "never reached the venue".
        Pass: nothing is open; the new one was sent once.
        """
        self.needs(rig.venue, "two_step_replace")
        rig.trade()
        orderid = rig.rest()
        self.strike(rig, fault, "place")
        new = rig.modify(orderid, volume=0.25)
        assert rig.refused(new) == "never reached the venue"
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()
        assert rig.venue.received()[new] == 1

    def test_OU090_a_cancel_of_an_order_in_doubt(self, rig: TradingRig) -> None:
        """OU090: an order in doubt that is cancelled ends as soon as it can be.

        Prerequisite: an order is in doubt, which the venue took. Action: cancel.
        Expected: CANCELLED. Pass: both sides agree; nothing is pending.
        """
        rig.trade()
        rig.venue.faults.inject("silent")
        rig.venue.faults.inject("ack_swallowed", request="place")
        orderid = rig.send()
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.venue.faults.clear("silent")
        rig.wait_agreed()

    def test_OU100_a_doubt_that_nobody_can_resolve_is_alarmed(
        self, venue: VenueUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """OU100: an order stays in doubt while the venue does not answer for it, with an alarm.

        Prerequisite: an order got lost, and questions for it are not answered. Action: wait.
        Expected: a log line. Pass: the order is never REJECTED by silence; then it is resolved.
        """
        monkeypatch.setattr("foxtrot.execution.reconciler.ALARM_NS", 300_000_000)
        with trading(venue, config=IMPATIENT) as rig:
            self.needs_orders(rig)
            rig.trade()
            venue.faults.inject("request_swallowed", request="place")
            self.refuse(venue, "query")
            orderid = rig.send()
            assert orderid in rig.wait_log("in doubt for more than")
            assert REJECTED not in rig.statuses_of(orderid)
            assert rig.trading().in_doubt == (orderid,)
            venue.faults.clear()
            assert rig.refused(orderid) == "never reached the venue"
            rig.wait_state(S.READY, session="trading")

    @staticmethod
    def strike(rig: TradingRig, fault: Fault, request: str) -> None:
        """Spoil the next request of a kind."""
        name, params = fault
        TradingCards.needs(rig.venue, name)
        rig.venue.faults.inject(name, request=request, **params)
