"""Cards OR: sending, filling, modifying, cancelling and refusing orders."""

from __future__ import annotations

import math

import pytest

from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Direction, OrderType, Status
from foxtrot.model.events import EVENT_ORDER, EVENT_TRADE
from tests.conformance.base import TradingCards
from tests.support.rig import eventually
from tests.support.trading_rig import VOLUME, TradingRig, trading
from tests.support.venues import VenueUnderTest

SUBMITTING, RESTS, PART = Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED
FILLED, CANCELLED, REJECTED = Status.ALLTRADED, Status.CANCELLED, Status.REJECTED

TAKING = (OrderType.MARKET, OrderType.FAK, OrderType.FOK)
RESTING = (OrderType.LIMIT, OrderType.POST_ONLY, OrderType.STOP, OrderType.STOP_LIMIT)


class OrderCards(TradingCards):
    """OR010 to OR220."""

    @pytest.mark.parametrize("type_", RESTING, ids=lambda each: each.name)
    def test_OR010_an_order_rests(self, rig: TradingRig, type_: OrderType) -> None:
        """OR010: an order that finds no other side rests at the venue, as it was asked for.

        Prerequisite: READY. Action: send a limit, post-only, stop and stop-limit order.
        Expected: SUBMITTING before send_order returns, then NOTTRADED.
        Pass: the venue has it once, open, under our orderid and with our volume.
        """
        self.needs_order(rig, type_)
        rig.trade()
        stop = self.above(rig) if type_ in (OrderType.STOP, OrderType.STOP_LIMIT) else 0.0
        price = stop if type_ is OrderType.STOP_LIMIT else None
        orderid = rig.send(type_, stop_price=stop, price=price)
        rig.wait_order(orderid, RESTS)
        assert rig.statuses_of(orderid) == [SUBMITTING, RESTS]
        held = rig.held(orderid)
        assert (held.volume, held.traded, held.open) == (VOLUME, 0.0, True)
        rig.wait_agreed()

    @pytest.mark.parametrize("type_", TAKING, ids=lambda each: each.name)
    def test_OR020_an_order_takes(self, rig: TradingRig, type_: OrderType) -> None:
        """OR020: an order that finds the other side is filled, each fill told once.

        Prerequisite: READY. Action: send a market, FAK and FOK order that trade at once.
        Expected: SUBMITTING, the fills, ALLTRADED.
        Pass: fills add up to the order; ids, prices and volumes are the venue's.
        """
        self.needs_order(rig, type_)
        rig.trade()
        price = None if type_ is OrderType.MARKET else self.above(rig)
        orderid = rig.send(type_, price=price, volume=0.01)
        rig.wait_order(orderid, FILLED)
        rig.wait_agreed()
        assert rig.statuses_of(orderid)[0] is SUBMITTING
        assert sum(rig.filled(orderid)) == pytest.approx(0.01)

    @pytest.mark.parametrize("type_", [OrderType.FAK, OrderType.FOK], ids=lambda each: each.name)
    def test_OR030_what_cannot_be_filled_at_once_ends(
        self, rig: TradingRig, type_: OrderType
    ) -> None:
        """OR030: a FAK or FOK order that finds nobody ends at once, with a reason.

        Prerequisite: READY. Action: send one below the market. Expected: CANCELLED with a reason.
        Pass: it is never told as resting, and nothing is open.
        """
        self.needs_order(rig, type_)
        rig.trade()
        orderid = rig.send(type_)
        assert "expired" in rig.wait_order(orderid, CANCELLED).reason.lower()
        assert RESTS not in rig.statuses_of(orderid) or "silent_taking" in rig.venue.lacks
        rig.wait_agreed()

    def test_OR040_partial_fills(self, rig: TradingRig) -> None:
        """OR040: an order that is filled in parts is told so, part by part.

        Prerequisite: an order rests. Action: the venue fills it in three parts.
        Expected: PARTTRADED, PARTTRADED, ALLTRADED with growing traded volume, a trade for each.
        Pass: exactly three trades; each order event comes before its trade.
        """
        rig.trade()
        orderid = rig.rest()
        for volume in (0.1, 0.15, None):
            rig.venue.fill(orderid, volume)
        rig.wait_order(orderid, FILLED)
        rig.wait_agreed()
        assert rig.filled(orderid) == [0.1, 0.15, 0.25]
        traded = [order.traded for order in rig.orders(orderid)]
        assert traded == sorted(traded)
        told = [e.type for e in rig.log.items if e.type in (EVENT_ORDER, EVENT_TRADE)]
        assert told[-2:] == [EVENT_ORDER, EVENT_TRADE]

    def test_OR050_a_cancel(self, rig: TradingRig) -> None:
        """OR050: an order that rests can be cancelled.

        Prerequisite: an order rests. Action: cancel it. Expected: CANCELLED.
        Pass: the venue has it no more; one cancel came in.
        """
        rig.trade()
        orderid = rig.rest()
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()
        assert rig.venue.cancels() == [orderid]

    def test_OR060_a_cancel_of_what_has_ended(self, rig: TradingRig) -> None:
        """OR060: cancelling a cancelled order tells what it is, and asks nobody.

        Prerequisite: an order was cancelled. Action: cancel it again.
        Expected: its event again. Pass: CANCELLED still; no second cancel at the venue.
        """
        rig.trade()
        orderid = rig.rest()
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.settle()
        since = len(rig.log)
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED, since=since)
        assert rig.venue.cancels() == [orderid]

    def test_OR070_a_cancel_of_what_nobody_knows(self, rig: TradingRig) -> None:
        """OR070: cancelling an order that is not known is said in words.

        Prerequisite: READY. Action: cancel an orderid that never was.
        Expected: a log line that names it. Pass: the venue is not asked.
        """
        rig.trade()
        rig.cancel("no-such-order")
        assert "no order no-such-order is known" in rig.wait_log("no-such-order")
        assert rig.venue.cancels() == []

    def test_OR080_a_cancel_before_the_answer(self, rig: TradingRig) -> None:
        """OR080: a cancel that comes before the venue's answer is carried out after it.

        Prerequisite: the answer to an order is late. Action: send, and cancel at once.
        Expected: CANCELLED. Pass: both sides agree; nothing is pending.
        """
        rig.trade()
        rig.venue.faults.inject("late_ack", request="place", seconds=0.3)
        orderid = rig.send()
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()
        assert rig.trading().cancels_pending == 0

    def test_OR090_cancel_all(self, rig: TradingRig) -> None:
        """OR090: every order of ours is cancelled at once, and nobody else's.

        Prerequisite: five orders of ours rest, and one placed by hand. Action: cancel_all.
        Expected: CANCELLED five times. Pass: the other one rests; orders pass as before.
        """
        rig.trade()
        ours = [rig.rest(volume=0.01) for _ in range(5)]
        symbol = rig.venue.symbols[0]
        other = rig.venue.place_by_hand(symbol, 0.01, rig.venue.resting_price(symbol))
        self.look(rig)
        rig.wait_order(f"ext-{other}", RESTS)
        rig.adapter.cancel_all()
        for orderid in ours:
            rig.wait_order(orderid, CANCELLED)
        assert rig.venue.by_id(other, symbol).open
        rig.rest()
        rig.wait_agreed()

    def test_OR100_halt_and_resume(self, rig: TradingRig) -> None:
        """OR100: halt blocks new orders and cancels ours; resume lets orders pass again.

        Prerequisite: orders rest. Action: halt, send, resume, send.
        Expected: CANCELLED, then a local refusal that says why, then NOTTRADED.
        Pass: the refused order never reached the venue.
        """
        rig.trade()
        ours = [rig.rest(volume=0.01) for _ in range(3)]
        rig.adapter.halt("because of a card")
        refused = rig.send()
        assert rig.refused(refused) == (
            "local:halted: because of a card; resume() lets orders pass again"
        )
        for orderid in ours:
            rig.wait_order(orderid, CANCELLED)
        assert rig.trading().halted == "because of a card"
        rig.adapter.resume()
        rig.rest()
        rig.wait_agreed()
        assert refused not in rig.venue.received()

    def test_OR110_an_order_under_way_is_halted_too(self, rig: TradingRig) -> None:
        """OR110: an order whose answer is awaited is cancelled as soon as it is known.

        Prerequisite: an order whose answer is late. Action: halt. Expected: CANCELLED.
        Pass: nothing is open, nothing is pending.
        """
        rig.trade()
        rig.venue.faults.inject("late_ack", request="place", seconds=0.3)
        orderid = rig.send()
        eventually(lambda: orderid in rig.venue.received(), "the order came in")
        rig.adapter.halt()
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()
        eventually(lambda: rig.trading().cancels_pending == 0, "no cancel is pending")

    def test_OR120_modify(self, rig: TradingRig) -> None:
        """OR120: an order is replaced by one of another price.

        Prerequisite: an order rests. Action: modify its price.
        Expected: the old one CANCELLED, a new one NOTTRADED with its own orderid.
        Pass: the venue has the new price once.
        """
        rig.trade()
        orderid = rig.rest()
        price = rig.venue.on_grid(rig.venue.resting_price(rig.venue.symbols[0]) * 0.99)
        new = rig.modify(orderid, price=price)
        rig.wait_order(new, RESTS)
        rig.wait_order(orderid, CANCELLED)
        assert rig.last_of_each()[-1].price == price
        rig.wait_agreed()

    def test_OR130_modify_takes_what_is_left(self, rig: TradingRig) -> None:
        """OR130: a replaced order that is partly filled is replaced by its rest.

        Prerequisite: an order of 0.5, of which 0.2 are filled. Action: modify its price.
        Expected: a new order of 0.3. Pass: no more than 0.5 can ever be traded.
        """
        rig.trade()
        orderid = rig.rest()
        rig.venue.fill(orderid, 0.2)
        rig.wait_order(orderid, PART)
        price = rig.venue.on_grid(rig.venue.resting_price(rig.venue.symbols[0]) * 0.99)
        new = rig.modify(orderid, price=price)
        rig.wait_order(new, RESTS)
        rig.wait_order(orderid, CANCELLED)
        assert rig.held(new).volume == pytest.approx(0.3)
        rig.wait_agreed()

    def test_OR140_modify_of_what_has_ended(self, rig: TradingRig) -> None:
        """OR140: what has ended cannot be modified, and no new order comes of it.

        Prerequisite: an order was cancelled. Action: modify it. Expected: the new one REJECTED
        with words. Pass: the venue never heard of it.
        """
        rig.trade()
        orderid = rig.rest()
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        new = rig.modify(orderid, volume=0.1)
        assert "is not open, so it cannot be modified" in rig.refused(new)
        assert new not in rig.venue.received()
        rig.wait_agreed()

    def test_OR150_modify_when_the_cancel_fails(self, rig: TradingRig) -> None:
        """OR150: an order that fills while it is replaced is not replaced.

        Prerequisite: an order rests; it fills the moment its cancel comes in. Action: modify.
        Expected: the old one ALLTRADED, the new one REJECTED. Pass: both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        rig.venue.faults.inject("cancel_race")
        new = rig.modify(orderid, volume=0.1)
        assert "not attempted" in rig.refused(new)
        rig.wait_order(orderid, FILLED)
        rig.wait_agreed()

    def test_OR160_modify_when_the_new_order_is_refused(self, rig: TradingRig) -> None:
        """OR160: a replacement may end with nothing: cancelled, and the new one refused.

        Prerequisite: an order rests. Action: modify it to more than the balance.
        Expected: the old one CANCELLED, the new one REJECTED in the venue's words.
        Pass: both sides agree.
        """
        rig.trade()
        orderid = rig.rest()
        volume = rig.venue.too_much
        new = rig.modify(orderid, volume=volume)
        assert rig.venue.poor in rig.refused(new)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()

    def test_OR170_local_refusals_name_rule_limit_and_value(self, venue: VenueUnderTest) -> None:
        """OR170: what breaks a rule of the guard never leaves, and is told why.

        Prerequisite: READY, with caps. Action: send orders that break one rule each.
        Expected: REJECTED, `local:<rule>: …` with the limit and the value.
        Pass: the venue received none of them.
        """
        flags: dict[str, object] = {
            "orders.max_volume": venue.unit,
            "orders.max_notional": 1_000_000.0,
            "orders.price_collar": 0.2,
        }
        with trading(venue, flags) as rig:
            self.needs_orders(rig)
            rig.trade(venue.symbols[0])
            rig.wait_fresh(venue.symbols[0])
            listed = rig.adapter.capabilities.lists_contracts
            high = venue.on_grid(venue.crossing_price(venue.symbols[0]) * 1.5)
            cases = {
                "local:volume: nan is not": {"volume": math.nan},
                "local:volume: 0.0 is not": {"volume": 0.0},
                f"local:max_volume: {1.5 * venue.unit} is above": {"volume": 1.5},
                "local:price: -1.0 is not": {"price": -1.0},
                f"local:price: {venue.resting_price(venue.symbols[0])}0000001": {
                    "price": venue.resting_price(venue.symbols[0]) + 0.00000001
                },
                "local:price_collar: ": {"price": high},
                f"local:{'' if listed else 'not_sent: '}contract: ": {
                    "symbol": venue.misspelt[0],
                    "price": 10.0,
                },
                "local:direction: ": {"direction": Direction.NET},
            }
            for words, terms in cases.items():
                orderid = rig.send(**terms)  # type: ignore[arg-type]
                reason = rig.refused(orderid)
                assert reason.startswith(words.partition("0000001")[0]), reason
                asked = [] if listed or "contract" not in words else [SUBMITTING]
                assert rig.statuses_of(orderid) == [*asked, REJECTED]
            assert venue.received() == {}

    def test_OR180_too_many_orders(self, venue: VenueUnderTest) -> None:
        """OR180: the caps on open orders and on orders in a second hold; ended orders free them.

        Prerequisite: at most two open. Action: send three, cancel one, send again.
        Expected: the third REJECTED with limit and value, the fourth NOTTRADED.
        Pass: the same with one order in a second.
        """
        with trading(venue, {"orders.max_open": 2}) as rig:
            self.needs_orders(rig)
            rig.trade()
            first, _ = rig.rest(volume=0.01), rig.rest(volume=0.01)
            third = rig.send(volume=0.01)
            assert rig.refused(third) == "local:max_open: 2 are open, the limit is 2"
            rig.cancel(first)
            rig.wait_order(first, CANCELLED)
            rig.rest(volume=0.01)
        with trading(venue, {"orders.max_per_second": 1}) as rig:
            rig.trade()
            rig.send(volume=0.01)
            second = rig.send(volume=0.01)
            assert rig.refused(second).startswith("local:max_per_second: 1 in this second")

    def test_OR190_the_venues_rejection_is_passed_on(self, rig: TradingRig) -> None:
        """OR190: what the venue refuses is REJECTED, in its own words.

        Prerequisite: READY. Action: ask for more than the balance, and for a post-only order that
        would take. Expected: REJECTED with the venue's reason, which is not `local:`.
        Pass: both came in once; none is open.
        """
        rig.trade()
        poor = rig.send(volume=rig.venue.too_much)
        assert rig.venue.poor in rig.refused(poor)
        if OrderType.POST_ONLY in rig.adapter.capabilities.orders:
            crossing = rig.send(OrderType.POST_ONLY, price=self.above(rig), volume=0.01)
            assert "immediately match" in rig.refused(crossing)
        assert not any(order.reason.startswith("local:") for order in rig.orders())
        rig.wait_agreed()

    def test_OR200_orders_before_ready_are_refused(self, rig: TradingRig) -> None:
        """OR200: no order leaves before all that happened is known.

        Prerequisite: never connected; then the venue is away. Action: send.
        Expected: REJECTED, `local:not_ready: …` in words. Pass: as the venue is back, orders pass.
        """
        assert rig.refused(rig.send()).startswith("local:not_ready: ")
        rig.venue.stop()
        rig.connect()
        rig.wait_state(S.RECONNECTING, session="trading")
        early = rig.send()
        assert rig.refused(early).startswith("local:not_ready: ")
        rig.venue.start()
        rig.wait_trading(S.READY)
        rig.wait_served()
        rig.rest()

    def test_OR210_balances_and_positions_follow(self, rig: TradingRig) -> None:
        """OR210: the account is told at the start and after every change.

        Prerequisite: READY, one symbol subscribed. Action: an order rests, fills; a deposit.
        Expected: account and position events. Pass: they equal the venue's books each time.
        """
        symbol = rig.venue.symbols[0]
        rig.trade(symbol)
        self.same_balances(rig)
        orderid = rig.rest()
        self.same_balances(rig)
        rig.venue.fill(orderid)
        self.same_balances(rig)
        rig.venue.deposit(rig.venue.cash, 123.0)
        self.look(rig, "deposits")
        self.same_balances(rig)
        eventually(
            lambda: rig.position(symbol) == rig.venue.position(symbol), "the position is told"
        )

    def test_OR220_the_session_of_orders_is_shown(self, rig: TradingRig) -> None:
        """OR220: what trading does can be seen.

        Prerequisite: an order rests. Action: look at the health.
        Expected: READY, one open order, pushes, the time of the last reconciliation.
        Pass: after its end nothing is open.
        """
        rig.trade()
        orderid = rig.rest()
        health = rig.trading()
        assert (health.state, health.open_orders, health.in_doubt) == (S.READY, 1, ())
        assert health.pushed
        assert health.reconciled_ns > 0
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        eventually(lambda: rig.trading().open_orders == 0, "nothing is open")

    @staticmethod
    def same_balances(rig: TradingRig) -> None:
        """Wait until every balance was told as the venue has it."""

        def same() -> bool:
            return all(rig.account(asset) == held for asset, held in rig.venue.balances().items())

        eventually(same, "the balances are the venue's")
