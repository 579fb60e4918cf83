"""A venue's answer decides what it proves, no more; no answer decides nothing."""

from decimal import Decimal
from itertools import pairwise

import pytest

from foxtrot.execution.decisions import (
    AddFill,
    Adopt,
    Alarm,
    Ask,
    AskFills,
    Correct,
    Decision,
    Resolve,
    StillOpen,
    apply,
)
from foxtrot.execution.order_tracker import Changes, OrderTracker
from foxtrot.execution.reconciler import CLOCKS_APART_NS, Reconciler
from foxtrot.execution.reports import FillReport, Known, OrderReport, Unknown
from foxtrot.execution.reports import OrderState as State
from tests.support.orders import (
    BTC,
    ETH,
    NOW,
    S,
    fill,
    intent,
    report,
    state_of,
    tracker_with,
)

NONE: Known[OrderReport] = Known(())
NO_FILLS: Known[FillReport] = Known(())
ASK = Ask(BTC, "fx-1", "")
FILLS = AskFills(BTC, NOW - CLOCKS_APART_NS)


class Glue:
    """Tracker and reconciler as a session puts them together; time is counted in seconds."""

    def __init__(self, tracker: OrderTracker) -> None:
        self.tracker = tracker
        self.reconciler = Reconciler(tracker)
        self.told = Changes()

    def look(self, at_s: float, *, ready: bool = True) -> list[Decision]:
        """What time brings."""
        return self.carry_out(self.reconciler.look(int(at_s * S), ready=ready), at_s)

    def order(
        self,
        answer: Known[OrderReport] | Unknown,
        at_s: float,
        ask: Ask = ASK,
        *,
        ready: bool = True,
    ) -> list[Decision]:
        """An answer to the question for one order, at once."""
        asked = self.reconciler.asked(int(at_s * S), ready=ready)
        return self.carry_out(self.reconciler.order(ask, answer, asked, int(at_s * S)), at_s)

    def fills(
        self,
        answer: Known[FillReport] | Unknown,
        at_s: float,
        ask: AskFills = FILLS,
        *,
        ready: bool = True,
    ) -> list[Decision]:
        """An answer to the question for fills, at once."""
        asked = self.reconciler.asked(int(at_s * S), ready=ready)
        return self.carry_out(self.reconciler.fills(ask, answer, asked, int(at_s * S)), at_s)

    def open(
        self, answer: Known[OrderReport] | Unknown, at_s: float = 0, symbol: str = ""
    ) -> list[Decision]:
        """An answer to the question for all open orders, at once."""
        asked = self.reconciler.asked(int(at_s * S), ready=True)
        decisions = self.reconciler.open_orders(answer, asked, int(at_s * S), symbol=symbol)
        return self.carry_out(decisions, at_s)

    def carry_out(self, decisions: list[Decision], at_s: float) -> list[Decision]:
        """Let decisions count."""
        for decision in decisions:
            self.told += apply(self.tracker, decision, NOW + int(at_s * S))
        return decisions

    def state(self, orderid: str = "fx-1") -> State:
        """What the tracker has come to."""
        return state_of(self.tracker, orderid)


def doubt() -> Glue:
    """An order in doubt since second 0, seen to be so."""
    glue = Glue(tracker_with(venue_id=""))
    glue.look(0)
    glue.tracker.doubted("fx-1", "timeout", NOW)
    glue.look(0)
    return glue


def absent_twice() -> Glue:
    """An order in doubt that was not found in second 5 and in second 7."""
    glue = doubt()
    glue.order(NONE, 5)
    glue.order(NONE, 7)
    return glue


def test_a_doubt_is_asked_for_soon_then_less_often() -> None:
    """After 0.5, 1, 2, 4 … seconds, never more than 30 apart, as long as nobody answers."""
    glue = doubt()
    asked = []
    for tick in range(4 * 200):
        if ASK in glue.look(tick / 4):
            asked.append(tick / 4)
            glue.order(Unknown("timeout"), tick / 4)
    gaps = [later - sooner for sooner, later in pairwise(asked)]
    assert asked[0] == 0.5
    assert gaps[:8] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert glue.state() is State.IN_DOUBT


def test_a_question_is_not_asked_again_while_it_is_under_way() -> None:
    """One query for each order; if its answer is lost, the next after half a minute."""
    glue = doubt()
    assert glue.look(0.5) == [ASK]
    assert glue.look(20) == []
    assert ASK in glue.look(30.5)


def test_a_new_session_asks_at_once() -> None:
    """However long a doubt has lasted: it is asked for when the session is READY again."""
    glue = doubt()
    for at_s in (0.5, 1.5, 3.5, 7.5):
        glue.look(at_s)
        glue.order(Unknown("timeout"), at_s)
    assert glue.look(15.5, ready=False) == []
    assert glue.look(15.75) == [ASK]


def test_nothing_is_asked_without_a_session() -> None:
    """A query without a connection would be a query wasted."""
    glue = doubt()
    assert glue.look(10, ready=False) == []


def test_a_doubt_that_is_found_is_resolved() -> None:
    """The venue's answer says how it is."""
    glue = doubt()
    shown = report(traded="0.4")
    assert glue.order(Known((shown,)), 0.5) == [Resolve("fx-1", shown)]
    assert glue.state() is State.PARTIALLY_FILLED


def test_an_order_that_never_arrived_needs_all_the_evidence() -> None:
    """Not found after the grace period, again two seconds later, and not among the fills."""
    glue = absent_twice()
    assert glue.look(7) == [FILLS]
    assert glue.fills(NO_FILLS, 7.25) == [Resolve("fx-1")]
    assert glue.state() is State.REJECTED
    assert glue.told.records[-1].reason == "never reached the venue"


def test_the_evidence_is_asked_for_in_time() -> None:
    """A doubt about an order that never arrived lasts no longer than the rules ask for."""
    glue = doubt()
    asked = []
    for tick in range(4 * 20):
        for decision in glue.look(tick / 4):
            asked.append((tick / 4, type(decision)))
            if isinstance(decision, Ask):
                glue.order(NONE, tick / 4)
            else:
                glue.fills(NO_FILLS, tick / 4)
    assert asked == [(0.5, Ask), (1.5, Ask), (3.5, Ask), (5, Ask), (7, Ask), (7.25, AskFills)]
    assert glue.state() is State.REJECTED


def test_a_venue_that_carries_out_late_orders_is_given_longer() -> None:
    """Where no request is too old, "not found" proves nothing in the first 15 s."""
    glue = doubt()
    glue.reconciler = Reconciler(glue.tracker, refuses_late=False)
    asked = []
    for tick in range(4 * 30):
        for decision in glue.look(tick / 4):
            asked.append(tick / 4)
            if isinstance(decision, Ask):
                glue.order(NONE, tick / 4)
            else:
                glue.fills(NO_FILLS, tick / 4)
        if tick < 4 * 17:
            assert glue.state() is State.IN_DOUBT
    assert asked[-3:] == [15, 17, 17.25]
    assert glue.state() is State.REJECTED


@pytest.mark.parametrize(
    ("times", "ready"),
    [
        ([5], True),
        ([4.9, 4.95, 7], True),
        ([5, 6.9], True),
        ([5, 7], False),
        ([1, 3], True),
    ],
)
def test_not_found_is_no_evidence_before_its_time(times: list[float], ready: bool) -> None:
    """Once is not enough, nor within the grace period, nor at once again, nor unsynchronised."""
    glue = doubt()
    for at_s in times:
        glue.order(NONE, at_s, ready=ready)
    assert glue.fills(NO_FILLS, 10) == []
    assert glue.state() is State.IN_DOUBT


@pytest.mark.parametrize(
    ("ask", "at_s", "ready"),
    [
        (FILLS, 6.9, True),
        (FILLS, 8, False),
        (AskFills(ETH, 0), 8, True),
        (AskFills(BTC, 0, "9"), 8, True),
        (AskFills(BTC, NOW), 8, True),
    ],
)
def test_only_the_right_fills_are_evidence(ask: AskFills, at_s: float, ready: bool) -> None:
    """Asked for after the last "not found", when READY, of that symbol, from before the order."""
    glue = absent_twice()
    assert glue.fills(NO_FILLS, at_s, ask, ready=ready) == []
    assert glue.state() is State.IN_DOUBT


def test_many_doubts_ask_for_the_fills_of_a_symbol_once() -> None:
    """The query reaches back to the oldest of them, and its answer serves them all."""
    tracker = tracker_with(venue_id="")
    glue = Glue(tracker)
    tracker.intend(intent("fx-2", created_ns=NOW - 9 * S), NOW)
    for orderid in ("fx-1", "fx-2"):
        tracker.doubted(orderid, "timeout", NOW)
    glue.look(0)
    for at_s in (5, 7):
        glue.order(NONE, at_s)
        glue.order(NONE, at_s, Ask(BTC, "fx-2", ""))
    (ask,) = glue.look(7)
    assert ask == AskFills(BTC, NOW - 9 * S - CLOCKS_APART_NS)
    assert glue.fills(NO_FILLS, 8, ask) == [Resolve("fx-1"), Resolve("fx-2")]


def test_fills_of_all_symbols_are_evidence_too() -> None:
    """One list of the whole account proves as much as one of the symbol."""
    glue = absent_twice()
    assert glue.fills(NO_FILLS, 8, AskFills("", 0)) == [Resolve("fx-1")]


def test_no_answer_decides_nothing() -> None:
    """A query that timed out is not an empty list, whichever query it was."""
    glue = doubt()
    assert glue.order(Unknown("timeout"), 5) == []
    assert glue.order(Unknown("timeout"), 8) == []
    assert glue.fills(NO_FILLS, 10) == []
    glue = absent_twice()
    assert glue.fills(Unknown("timeout"), 8) == []
    assert glue.state() is State.IN_DOUBT
    glue = Glue(tracker_with())
    assert glue.open(Unknown("timeout"), 100) == []
    assert glue.look(101) == []


def test_a_fill_resolves_a_doubt() -> None:
    """The order is not found, but it traded: it was there."""
    glue = absent_twice()
    assert glue.fills(Known((fill("1", "1"),)), 8) == [AddFill(fill("1", "1"))]
    assert glue.state() is State.FILLED


def test_a_nameless_fill_may_be_the_doubted_order() -> None:
    """It is no stranger's until the venue has said whose it is: that is asked first."""
    glue = absent_twice()
    nameless = fill("1", "1", orderid="")
    assert glue.fills(Known((nameless,)), 8) == [AddFill(nameless)]
    assert glue.state() is State.IN_DOUBT
    assert Ask(BTC, "", "7") in [*glue.look(8.5), *glue.look(9)]
    assert glue.fills(NO_FILLS, 9) == []
    glue.order(Known((report(State.FILLED, "1"),)), 9, Ask(BTC, "", "7"))
    assert glue.state() is State.FILLED
    assert glue.told.fills[0].orderid == "fx-1"
    assert glue.tracker.fills_missing() == ()


def test_a_fill_of_somebody_else_proves_nothing() -> None:
    """It bears another name than the doubted order."""
    glue = absent_twice()
    other = fill("1", "1", orderid="web_1", venue_id="9")
    assert glue.fills(Known((other,)), 8) == [AddFill(other), Resolve("fx-1")]


def test_a_long_doubt_is_alarmed_once() -> None:
    """After half a minute somebody should look, also without a session."""
    glue = doubt()
    assert glue.look(30, ready=False) == []
    assert glue.look(30.1, ready=False) == [Alarm("fx-1", "in doubt for more than 30 s: timeout")]
    assert glue.told.alarms == ("fx-1: in doubt for more than 30 s: timeout",)
    assert glue.look(90, ready=False) == []
    assert glue.state() is State.IN_DOUBT


def test_an_open_order_that_a_list_lacks_is_asked_for_singly() -> None:
    """It may be filled, canceled, or too new for the list: only its own answer says."""
    glue = Glue(tracker_with())
    assert glue.open(NONE) == []
    assert glue.state() is State.ACCEPTED
    ask = Ask(BTC, "fx-1", "7")
    assert glue.look(0.25) == [ask]
    shown = report(State.FILLED, "1")
    assert glue.order(Known((shown,)), 0.5, ask) == [Correct(shown)]
    assert glue.state() is State.FILLED
    assert glue.look(0.75) == []


def test_an_order_that_a_list_wrongly_lacks_is_asked_for_once() -> None:
    """It is open after all: settled until the next list."""
    glue = Glue(tracker_with())
    glue.open(NONE)
    ask = Ask(BTC, "fx-1", "7")
    assert glue.look(0.25) == [ask]
    assert glue.order(Known((report(),)), 0.5, ask) == []
    assert glue.look(60) == []


def test_a_fill_does_not_settle_what_a_list_said_of_its_order() -> None:
    """Canceled elsewhere after a part was traded: the fill that comes first is not the whole."""
    glue = Glue(tracker_with())
    glue.open(NONE)
    glue.fills(Known((fill("a", "0.4"),)), 0.1)
    assert glue.state() is State.PARTIALLY_FILLED
    ask = Ask(BTC, "fx-1", "7")
    assert glue.look(0.25) == [ask]
    shown = report(State.CANCELED, "0.4")
    assert glue.order(Known((shown,)), 0.5, ask) == [Correct(shown)]
    assert glue.state() is State.CANCELED
    assert glue.look(60) == []


def test_a_list_of_one_symbol_judges_that_symbol() -> None:
    """Orders in other symbols are not missing from it."""
    glue = Glue(tracker_with())
    glue.open(NONE, symbol=ETH)
    assert glue.look(1) == []


def test_what_changed_after_the_question_is_not_judged_by_the_answer() -> None:
    """Sent, or acknowledged, while the list was on its way: it is as old as its question."""
    glue = Glue(tracker_with(venue_id=""))
    asked = glue.reconciler.asked(0, ready=True)
    glue.tracker.accepted("fx-1", "7", NOW)
    glue.tracker.intend(intent("fx-2"), NOW)
    glue.tracker.sent("fx-2", NOW)
    assert glue.reconciler.open_orders(NONE, asked, S) == []
    assert glue.look(2) == []


def test_an_intent_is_not_missed() -> None:
    """What was not sent yet cannot be at the venue."""
    tracker = OrderTracker("BINANCE")
    tracker.intend(intent(), NOW)
    glue = Glue(tracker)
    glue.open(NONE)
    assert glue.look(1) == []


def test_an_accepted_order_is_never_given_up() -> None:
    """The venue does not know what it acknowledged: alarmed once, and asked for again."""
    glue = Glue(tracker_with())
    ask = Ask(BTC, "fx-1", "7")
    glue.open(NONE)
    text = "shown by the venue before, unknown to it now; cancel it to close it here"
    assert glue.look(0) == [ask]
    assert glue.order(NONE, 6, ask) == [Alarm("fx-1", text)]
    assert glue.look(7) == [ask]
    assert glue.order(NONE, 9, ask) == []
    assert glue.fills(NO_FILLS, 10) == []
    assert glue.state() is State.ACCEPTED


def vanished() -> tuple[Glue, Ask]:
    """An order to be cancelled since second 0, of which the venue says that it does not know it."""
    glue, ask = Glue(tracker_with()), Ask(BTC, "fx-1", "7")
    glue.tracker.cancelling("fx-1", NOW)
    glue.look(0)
    glue.order(NONE, 5, ask)
    glue.order(NONE, 7, ask)
    return glue, ask


OF_ORDER = AskFills(BTC, NOW - 60 * S, "7")


def test_an_order_to_be_cancelled_that_the_venue_forgot_is_closed() -> None:
    """On the same proof as for a doubt: twice not found, and its fills are all known."""
    glue, _ = vanished()
    assert glue.look(8) == [OF_ORDER]
    assert glue.fills(NO_FILLS, 8, OF_ORDER) == [Resolve("fx-1")]
    assert glue.state() is State.CANCELED
    assert glue.told.records[-1].reason.endswith("the venue does not know it any more")
    assert [alarm.partition(": ")[0] for alarm in glue.told.alarms] == ["fx-1"]


def test_a_fill_of_it_that_was_missed_comes_first() -> None:
    """What has traded is not closed by the same list that shows the trade."""
    glue, _ = vanished()
    missed = fill("1", "0.4", orderid="")
    assert glue.fills(Known((missed,)), 8, OF_ORDER) == [AddFill(missed)]
    assert glue.state() is State.PENDING_CANCEL


def test_a_cancel_whose_order_is_shown_again_is_no_end() -> None:
    """The venue knows it after all: open, so the cancel came to nothing."""
    glue, ask = vanished()
    shown = report()
    assert StillOpen("fx-1") in glue.order(Known((shown,)), 8, ask)
    assert glue.state() is State.ACCEPTED


def test_a_list_corrects_adopts_and_resolves() -> None:
    """What the venue shows is taken: more of ours, somebody else's, and one in doubt."""
    tracker = tracker_with()
    tracker.intend(intent("fx-2"), NOW)
    tracker.doubted("fx-2", "timeout", NOW)
    tracker.intend(intent("fx-3"), NOW)
    tracker.accepted("fx-3", "6", NOW)
    glue = Glue(tracker)
    more = report(traded="0.4")
    there = report(orderid="fx-2", venue_id="8")
    same = report(orderid="fx-3", venue_id="6")
    alien = report(orderid="web_1", venue_id="9")
    assert glue.open(Known((more, there, same, alien))) == [
        Correct(more),
        Resolve("fx-2", there),
        Adopt(alien),
    ]
    assert glue.state("fx-2") is glue.state("ext-9") is State.ACCEPTED
    assert glue.open(Known((more, there, same, alien))) == []


def test_a_cancel_that_came_to_nothing_is_taken_back() -> None:
    """Long after it the venue shows the order as open: it can be cancelled again."""
    tracker = tracker_with()
    tracker.cancelling("fx-1", NOW)
    glue = Glue(tracker)
    ask = Ask(BTC, "fx-1", "7")
    glue.look(0)
    assert glue.order(Known((report(),)), 4.9, ask) == []
    assert glue.look(5) == []
    assert glue.state() is State.PENDING_CANCEL
    assert glue.order(Known((report(),)), 5, ask) == [StillOpen("fx-1")]
    assert glue.state() is State.ACCEPTED


def test_an_answer_from_before_a_cancel_does_not_judge_it() -> None:
    """It was refused and asked for again while a query was under way."""
    tracker = tracker_with()
    tracker.cancelling("fx-1", NOW)
    glue = Glue(tracker)
    glue.look(0)
    asked = glue.reconciler.asked(6 * S, ready=True)
    tracker.cancel_refused("fx-1", "busy", NOW)
    tracker.cancelling("fx-1", NOW)
    shown = Known((report(),))
    assert glue.reconciler.order(Ask(BTC, "fx-1", "7"), shown, asked, 7 * S) == []


def test_a_pending_cancel_is_asked_for_after_the_grace_period() -> None:
    """Its answer may have been lost."""
    tracker = tracker_with()
    glue = Glue(tracker)
    glue.look(0)
    tracker.cancelling("fx-1", NOW)
    assert glue.look(1) == []
    assert glue.look(5.75) == []
    assert glue.look(6) == [Ask(BTC, "fx-1", "7")]


def test_a_cancel_that_the_venue_is_working_on_stays() -> None:
    """The venue itself says that the cancel is pending."""
    tracker = tracker_with()
    tracker.cancelling("fx-1", NOW)
    glue = Glue(tracker)
    glue.look(0)
    pending = report(State.PENDING_CANCEL)
    assert glue.order(Known((pending,)), 20, Ask(BTC, "fx-1", "7")) == []


def test_an_ended_order_that_a_list_shows_is_asked_for_then_alarmed() -> None:
    """A list may be a little old; the order's own answer is not, and somebody should look."""
    tracker = tracker_with()
    tracker.reported(report(State.CANCELED), NOW)
    glue = Glue(tracker)
    assert glue.open(Known((report(),))) == []
    ask = Ask(BTC, "fx-1", "7")
    assert glue.look(0) == [ask]
    alarm = Alarm("fx-1", "ended, but the venue shows it as open")
    assert glue.order(Known((report(),)), 0.5, ask) == [alarm]
    glue.open(Known((report(),)), 30)
    assert glue.look(30) == [ask]
    assert glue.order(Known((report(),)), 30.5, ask) == []
    assert glue.state() is State.CANCELED


def test_an_ended_order_that_is_not_found_is_not_asked_for_again() -> None:
    """The list was older than its end."""
    tracker = tracker_with()
    tracker.reported(report(State.CANCELED), NOW)
    glue = Glue(tracker)
    glue.open(Known((report(),)))
    ask = Ask(BTC, "fx-1", "7")
    assert glue.look(0) == [ask]
    assert glue.order(NONE, 0.5, ask) == []
    assert glue.look(60) == []


def test_missing_fills_are_asked_for() -> None:
    """The venue says that more was traded than the fills that came."""
    tracker = tracker_with()
    tracker.reported(report(State.FILLED, "1"), NOW)
    glue = Glue(tracker)
    wanted = AskFills(BTC, NOW - CLOCKS_APART_NS, "7")
    assert glue.look(0) == [wanted]
    glue.fills(NO_FILLS, 0.5, wanted)
    assert glue.look(1.25) == []
    assert glue.look(1.5) == [wanted]
    glue.fills(Known((fill("1", "1"),)), 2, wanted)
    assert [each.trade_id for each in glue.told.fills] == ["1"]
    assert glue.look(60) == []


def test_fills_that_cannot_be_had_are_alarmed_once() -> None:
    """The venue never shows them: somebody should look."""
    tracker = tracker_with()
    tracker.reported(report(State.FILLED, "1"), NOW)
    glue = Glue(tracker)
    glue.look(0)
    text = "the venue does not show all of its fills"
    assert Alarm("fx-1", text) in glue.look(31)
    assert Alarm("fx-1", text) not in glue.look(62)


def test_an_external_order_of_unknown_volume_is_asked_for() -> None:
    """Only a fill of it was seen; by its venue id, as its name is not ours to ask by."""
    tracker = OrderTracker("BINANCE")
    tracker.filled(fill("1", "0.5", orderid="web_1"), NOW)
    glue = Glue(tracker)
    assert glue.look(0) == [Ask(BTC, "ext-7", "7")]


def test_a_known_fill_is_not_added_again() -> None:
    """Lists overlap with what was pushed."""
    tracker = tracker_with()
    tracker.filled(fill("1", "0.5"), NOW)
    assert Glue(tracker).fills(Known((fill("1", "0.5"),)), 0) == []


def test_after_an_absence_fills_are_asked_for_from_before_the_first_doubt() -> None:
    """Per symbol: since the account was last seen, or since an unanswered order was made."""
    tracker = tracker_with()
    tracker.intend(intent("fx-2", symbol=ETH, created_ns=NOW - 5 * S), NOW)
    tracker.doubted("fx-2", "timeout", NOW)
    asks = Reconciler(tracker).backfill(["XRPUSDT"], NOW)
    assert asks == (
        AskFills(BTC, NOW - CLOCKS_APART_NS),
        AskFills(ETH, NOW - 5 * S - CLOCKS_APART_NS),
        AskFills("XRPUSDT", NOW - CLOCKS_APART_NS),
    )


def test_a_question_falls_when_its_order_is_forgotten() -> None:
    """Ended and followed by many others: nobody asks for it any more."""
    tracker = OrderTracker("BINANCE", keep_ended=1)
    tracker.reported(report(State.CANCELED, orderid="web"), NOW)
    glue = Glue(tracker)
    glue.open(Known((report(orderid="web"),)))
    tracker.reported(report(State.CANCELED, orderid="web", venue_id="8"), NOW)
    assert glue.look(1) == []


def test_a_second_answer_without_a_question_is_taken_for_what_it_shows() -> None:
    """It came late, when everything was settled."""
    glue = Glue(tracker_with())
    shown = report(traded="0.5")
    assert glue.order(Known((shown,)), 1) == [Correct(shown)]
    assert glue.order(NONE, 2) == []
    assert glue.told.records[0].traded == Decimal("0.5")
