"""Cards TC: trading by polling, with bad keys, without keys, and with a journal in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.core.redaction import scrub
from foxtrot.execution.journal import Journal
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import OrderType, Status
from tests.conformance.base import TradingCards
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig, trading
from tests.support.venues import VenueUnderTest

RESTS, PART = Status.NOTTRADED, Status.PARTTRADED
FILLED, CANCELLED, REJECTED = Status.ALLTRADED, Status.CANCELLED, Status.REJECTED

POLLED: dict[str, object] = {"websocket.enabled": False, "polling.interval": 0.3}


class ConditionCards(TradingCards):
    """TC010 to TC100."""

    @pytest.fixture
    def polled(
        self, venue: VenueUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[TradingRig]:
        """A rig whose websockets are switched off, against a venue that may be asked often."""
        venue.allow_polling(monkeypatch)
        with trading(venue, POLLED) as rig:
            self.needs_orders(rig)
            rig.trade()
            yield rig

    def test_TC010_trading_by_polling(self, polled: TradingRig) -> None:
        """TC010: without websockets orders live and end as with them, told by asking.

        Prerequisite: websockets are off. Action: rest, fill in parts, take, cancel, modify.
        Expected: the same events as with a stream. Pass: both sides agree, each fill once.
        """
        rig = polled
        assert rig.trading().pushed is ("push_off" in rig.venue.lacks)
        orderid, other = rig.rest(), rig.rest(volume=0.1)
        rig.venue.fill(orderid, 0.2)
        rig.wait_order(orderid, PART)
        rig.venue.fill(orderid)
        rig.wait_order(orderid, FILLED)
        taker = rig.send(OrderType.MARKET, volume=0.01)
        rig.wait_order(taker, FILLED)
        new = rig.modify(other, volume=0.2)
        rig.wait_order(new, RESTS)
        rig.cancel(new)
        rig.wait_order(new, CANCELLED)
        rig.wait_agreed()

    def test_TC020_other_hands_by_polling(self, polled: TradingRig) -> None:
        """TC020: what other hands do is found by asking, too.

        Prerequisite: as TC010. Action: another hand places, fills and cancels; a deposit.
        Expected: external orders, the end of ours, balances. Pass: both sides agree.
        """
        rig, symbol = polled, polled.venue.symbols[0]
        orderid = rig.rest()
        other = rig.venue.place_by_hand(symbol, 0.1, rig.venue.resting_price(symbol))
        self.look(rig)
        rig.wait_order(f"ext-{other}", RESTS)
        rig.venue.fill(rig.venue.by_id(other, symbol).orderid or other)
        self.look(rig)
        rig.wait_order(f"ext-{other}", FILLED)
        rig.venue.end(orderid)
        rig.wait_order(orderid, CANCELLED)
        cash = rig.venue.cash
        rig.venue.deposit(cash, 7.0)
        self.look(rig, "deposits")
        eventually(lambda: rig.account(cash) == rig.venue.balances()[cash], "the balance")
        rig.wait_agreed()

    @pytest.mark.parametrize("fault", ["ack_swallowed", "request_swallowed"])
    def test_TC030_a_doubt_by_polling(self, polled: TradingRig, fault: str) -> None:
        """TC030: an order without an answer is resolved by asking.

        Prerequisite: as TC010; the answer or the order gets lost. Action: send.
        Expected: in doubt, then what the venue knows. Pass: sent once.
        """
        rig = polled
        rig.venue.faults.inject(fault, request="place")
        orderid = rig.send()
        rig.wait_order(orderid, RESTS if fault == "ack_swallowed" else REJECTED)
        rig.wait_agreed()
        assert rig.venue.received() == {orderid: 1}

    def test_TC040_switching_the_stream_off_and_on(
        self, venue: VenueUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """TC040: the settings may switch between stream and polling while orders are open.

        Prerequisite: an order rests. Action: switch websockets off, fill a part; on, fill more.
        Expected: the fills. Pass: each once.
        """
        self.needs(venue, "push_off")
        venue.allow_polling(monkeypatch)
        with trading(venue) as rig:
            self.needs_orders(rig)
            rig.trade()
            orderid = rig.rest()
            rig.change_settings(POLLED)
            eventually(lambda: not rig.trading().pushed, "it polls")
            venue.fill(orderid, 0.1)
            rig.wait_trades(orderid, 1)
            rig.change_settings({})
            eventually(lambda: rig.trading().pushed, "it listens")
            venue.fill(orderid, 0.1)
            rig.wait_trades(orderid, 2)
            rig.wait_agreed()

    def test_TC050_bad_keys(self, rig: TradingRig) -> None:
        """TC050: a key that is refused is not tried again, and its words never show it.

        Prerequisite: the venue does not know the key. Action: connect, send.
        Expected: FAILED at once; `local:not_ready` in words that name the key's reference.
        Pass: asked once with the key; market data flows.
        """
        self.needs(rig.venue, "keys")
        rig.venue.forget_keys()
        rig.subscribe(rig.venue.symbols[0])
        rig.connect()
        reason = rig.wait_trading(S.FAILED)
        assert "Secret" in reason
        refused = rig.refused(rig.send())
        assert refused.startswith("local:not_ready: trading is failed")
        for key in rig.venue.keys().values():
            assert key not in reason + refused
            assert scrub(reason) == reason
        rig.wait_state(S.READY)
        rig.wait_fresh(rig.venue.symbols[0])
        assert rig.states("trading") == [S.CONNECTING, S.FAILED]
        assert rig.attempts() <= 1

    def test_TC060_no_keys(self, rig: TradingRig) -> None:
        """TC060: without keys an adapter brings market data, and refuses orders in words.

        Prerequisite: no keys in the setting. Action: connect, send.
        Expected: READY; `local:no_account`. Pass: ticks flow; there is no trading session.
        """
        rig.subscribe(rig.venue.symbols[0])
        rig.connect(rig.venue.setting())
        rig.wait_served()
        assert rig.refused(rig.send()).startswith("local:no_account: ")
        rig.wait_fresh(rig.venue.symbols[0])
        assert rig.states("trading") == []

    def test_TC070_the_keys_come_later(self, rig: TradingRig) -> None:
        """TC070: who connects again with keys can trade.

        Prerequisite: connected without keys. Action: connect with keys.
        Expected: READY, orders pass. Pass: and after connecting without keys they do not.
        """
        rig.connect(rig.venue.setting())
        rig.wait_state(S.READY)
        rig.connect()
        rig.wait_trading(S.READY)
        rig.wait_served()
        orderid = rig.rest()
        since = len(rig.log)
        rig.connect(rig.venue.setting())
        rig.wait_trading(S.DISCONNECTED, since)
        eventually(lambda: "no_account" in rig.refused(rig.send()), "orders are refused")
        since = len(rig.log)
        rig.connect()
        rig.wait_trading(S.READY, since)
        rig.wait_served()
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.wait_agreed()

    def test_TC075_connecting_again_and_again(self, rig: TradingRig) -> None:
        """TC075: whoever connects several times in a row gets one session, and one journal.

        Prerequisite: the venue listens. Action: connect five times, disconnect, connect.
        Expected: READY. Pass: never FAILED; orders pass.
        """
        for _ in range(5):
            rig.connect()
        rig.adapter.disconnect()
        rig.connect()
        rig.wait_served()
        rig.rest()
        assert S.FAILED not in rig.states("trading")
        rig.wait_agreed()

    def test_TC077_another_account_and_back(self, rig: TradingRig) -> None:
        """TC077: who changes the account and comes back is told no fill twice.

        Prerequisite: an order that is filled in part. Action: connect with other keys, and back.
        Expected: the other account's orders pass; then the first order again, as it is.
        Pass: its fill was told once in all; the order can be cancelled.
        """
        rig.trade()
        orderid = rig.rest()
        rig.venue.fill(orderid, 0.2)
        rig.wait_trades(orderid)
        since = len(rig.log)
        rig.connect({**rig.venue.setting(), **rig.venue.other_keys()})
        rig.wait_trading(S.READY, since)
        other = rig.rest(volume=0.01)
        rig.cancel(other)
        rig.wait_order(other, CANCELLED)
        rig.settle()
        since = len(rig.log)
        rig.connect()
        rig.wait_trading(S.READY, since)
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.settle()
        assert len(rig.fills(orderid)) == 1

    def test_TC080_a_second_process_on_the_journal(
        self, rig: TradingRig, data_directory: Path
    ) -> None:
        """TC080: who finds the journal in use does not trade, and says why.

        Prerequisite: somebody else has the account's journal open. Action: connect, send.
        Expected: FAILED; a refusal that names the journal. Pass: once it is free, orders pass.
        """
        rig.adapter.configure({**rig.venue.setting(), **rig.venue.keys()})
        other = Journal.open(data_directory, rig.adapter.account)
        try:
            rig.connect()
            assert "is in use" in rig.wait_trading(S.FAILED)
            assert "is in use; stop the other foxtrot" in rig.refused(rig.send())
        finally:
            other.close()
        rig.connect()
        rig.wait_trading(S.READY)
        rig.wait_served()
        rig.rest()

    def test_TC090_a_disk_in_trouble(self, rig: TradingRig, data_directory: Path) -> None:
        """TC090: while nothing can be written down new orders are refused, and cancels go.

        Prerequisite: an order rests; the journal's file is taken away. Action: send, cancel,
        put it back, send. Expected: `local:journal` in words; CANCELLED; NOTTRADED.
        Pass: health says so while it lasts; the next run knows how it ended.
        """
        rig.trade()
        orderid, left = rig.rest(volume=0.1), rig.rest(volume=0.1)
        away = taken_away(data_directory)
        refused = rig.refused(rig.send())
        assert refused.startswith("local:journal: ")
        assert "put it back" in rig.trading().journal
        rig.cancel(orderid)
        rig.wait_order(orderid, CANCELLED)
        rig.venue.fill(left)
        rig.wait_order(left, FILLED)
        for there, here in away:
            there.rename(here)
        last = rig.rest(volume=0.1)
        rig.wait_agreed()
        assert rig.trading().journal == ""
        rig.adapter.close()
        with trading(rig.venue) as second:
            second.trade()
            second.wait_order(last, RESTS)
            second.settle()
            told = {each.orderid: each.status for each in second.last_of_each()}
            assert told == {orderid: CANCELLED, left: FILLED, last: RESTS}

    def test_TC100_a_damaged_journal(self, venue: VenueUnderTest, data_directory: Path) -> None:
        """TC100: a journal that cannot be believed is kept aside, and the venue asked for all.

        Prerequisite: a run left an order; its journal is damaged. Action: a new run.
        Expected: an alarm; the order shown as external. Pass: it can be cancelled by its name.
        """
        with trading(venue) as first:
            self.needs_orders(first)
            first.trade()
            orderid = first.rest()
        (path,) = data_directory.glob("journal/*.db")
        path.write_bytes(b"no journal" * 1_000)
        with trading(venue) as second:
            second.connect()
            second.wait_log("the journal was damaged")
            name = f"ext-{second.held(orderid).venue_id}"
            second.wait_order(name, RESTS)
            second.cancel(name)
            second.wait_order(name, CANCELLED)


def taken_away(directory: Path) -> list[tuple[Path, Path]]:
    """Rename the files of the journal; where they are, and where they were."""
    moved = []
    for path in directory.glob("journal/*"):
        if ".lock" not in path.name:
            moved.append((path.rename(path.with_name(f"away-{path.name}")), path))
    return moved
