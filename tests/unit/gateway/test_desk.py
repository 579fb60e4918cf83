"""The desk's own life: its journal, its readiness, and a stream that keeps things to itself."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import (
    BridgeNotRunning,
    ConnectionClosed,
    FoxtrotError,
    JournalInUse,
    JournalUnavailable,
)
from foxtrot.execution.journal import Journal
from foxtrot.execution.reports import Known, OrderRecord, Unknown
from foxtrot.execution.reports import OrderState as State
from foxtrot.gateway.desk import OrderDesk
from foxtrot.gateway.guard import Guard, Market
from foxtrot.gateway.trading import Accepted, Balances, TradingListener
from foxtrot.gateway.untold import SILENCE_S
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Exchange, Product, Status
from foxtrot.model.health import ConnectionStatus, StreamKey
from foxtrot.model.objects import AccountData, ContractData, OrderData, PositionData, TradeData
from foxtrot.model.requests import OrderRequest
from tests.support.orders import BTC, fill, intent, report
from tests.support.scripted_trading import ScriptedSession, settled
from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_time import VirtualLoop, run_virtually

CONTRACT = ContractData("FAKE", BTC, Exchange.BINANCE, "BTC/USDT", Product.SPOT, 1.0, 0.01, 0.001)
REQUEST = intent().request


class House:
    """A desk in virtual time, with a journal on disk and scripted sessions."""

    def __init__(self, loop: VirtualLoop, directory: Path) -> None:
        self.clock, self.directory = loop.clock, directory
        self.bridge = VirtualBridge()
        self.flags = FeatureFlags()
        self.guard = Guard(lambda: self.flags, self.clock.monotonic)
        self.sessions: list[ScriptedSession] = []
        self.orders: list[OrderData] = []
        self.trades: list[TradeData] = []
        self.statuses: list[ConnectionStatus] = []
        self.errors: list[FoxtrotError] = []
        self.journals: list[Journal] = []
        self.opening: asyncio.Event | None = None
        self.trouble: FoxtrotError | None = None
        self.prepare: Callable[[ScriptedSession], None] = lambda session: None
        self.desk = OrderDesk(
            "FAKE",
            make_session=self._make,
            open_journal=self._open,
            market=lambda request: Market(CONTRACT, None, None, self.clock.time_ns()),
            refused_ids=map("local-{}".format, itertools.count(1)),
            guard=self.guard,
            listener=self,
            bridge=self.bridge,  # type: ignore[arg-type]
            clock=self.clock,
            config=StreamConfig(reconcile_s=60.0),
            flags=lambda: self.flags,
        )

    @property
    def session(self) -> ScriptedSession:
        """The newest one."""
        return self.sessions[-1]

    async def ready(self) -> None:
        """Start, and wait until orders can be sent."""
        self.desk.start()
        await self.wait(S.READY)

    async def wait(self, state: S) -> None:
        """Wait until the desk is in a state."""
        for _ in range(1_000):
            if self.desk.state is state:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{self.desk.state} is not {state}")

    async def send(self, request: OrderRequest = REQUEST) -> str:
        """Send an order that the venue takes."""
        orderid = self.desk.send(request)
        await settled()
        return orderid

    def refused(self) -> str:
        """Send an order that does not leave; why."""
        orderid = self.desk.send(REQUEST)
        told = self.orders[-1]
        assert (told.orderid, told.status) == (orderid, Status.REJECTED)
        return told.reason

    def _make(self, listener: TradingListener) -> ScriptedSession:
        session = ScriptedSession()
        self.prepare(session)
        self.sessions.append(session)
        return session

    async def _open(self) -> Journal:
        if self.opening is not None:
            await self.opening.wait()
        if self.trouble is not None:
            raise self.trouble
        self.journals.append(Journal.open(self.directory, "main", clock=self.clock))
        return self.journals[-1]

    def on_order(self, order: OrderData) -> None:
        """See `DeskListener`, like all below."""
        self.orders.append(order)

    def on_trade(self, trade: TradeData) -> None:
        """Keep it."""
        self.trades.append(trade)

    def write_log(self, msg: str) -> None:
        """Nobody reads it here."""

    def on_connection(self, status: ConnectionStatus) -> None:
        """Keep it."""
        self.statuses.append(status)

    def on_streams(self, keys: Sequence[StreamKey]) -> None:
        """There are none."""

    def on_error(self, error: FoxtrotError) -> None:
        """Keep it."""
        self.errors.append(error)

    def on_account(self, account: AccountData) -> None:
        """Nobody reads it here."""

    def on_position(self, position: PositionData) -> None:
        """Nobody reads it here."""


Scene = Callable[[House], Coroutine[object, object, None]]
Playing = Callable[[Scene], None]


@pytest.fixture
def in_house(tmp_path: Path) -> Playing:
    """Plays a scene in virtual time; the desk is closed at its end, and nothing left behind."""

    def play_it(play: Scene) -> None:
        loop = VirtualLoop()

        async def scene() -> House:
            house = House(loop, tmp_path)
            try:
                await play(house)
            finally:
                await house.desk.close()
            return house

        house = run_virtually(scene(), loop)
        assert house.bridge.crashes == []

    return play_it


def test_orders_pass_when_all_is_known_and_not_before(in_house: Playing) -> None:
    """SUBMITTING is told before `send` returns, and only on a session that is READY."""

    async def play(house: House) -> None:
        assert house.refused().startswith("local:not_ready: trading is disconnected")
        await house.ready()
        orderid = house.desk.send(REQUEST)
        assert [each.status for each in house.orders][-1] is Status.SUBMITTING
        await settled()
        assert house.session.calls[-1] == ("place", orderid)
        assert house.journals[0].open_records()[0].orderid == orderid
        house.session.answer("place", orderid, Accepted(report(orderid=orderid)))
        await settled()
        assert house.orders[-1].status is Status.NOTTRADED

    in_house(play)


def test_a_journal_that_opens_late_is_not_lost_with_its_session(in_house: Playing) -> None:
    """Stopped and started while it opens: the next session takes the same one."""

    async def play(house: House) -> None:
        house.opening = asyncio.Event()
        house.desk.start()
        await asyncio.sleep(0.1)
        await house.desk.stop()
        house.desk.start()
        await asyncio.sleep(0.1)
        house.opening.set()
        await house.wait(S.READY)
        assert len(house.journals) == 1

    in_house(play)


def test_a_journal_that_opens_after_the_end_is_closed(in_house: Playing, tmp_path: Path) -> None:
    """Its lock does not outlive the desk."""

    async def play(house: House) -> None:
        house.opening = asyncio.Event()
        house.desk.start()
        await asyncio.sleep(0.1)
        closing = asyncio.ensure_future(house.desk.close())
        await asyncio.sleep(0.1)
        house.opening.set()
        await closing
        Journal.open(tmp_path, "main").close()

    in_house(play)


def test_a_journal_in_use_stops_trading_in_words(in_house: Playing) -> None:
    """Until somebody connects again, and it is free."""

    async def play(house: House) -> None:
        house.trouble = JournalInUse("/x/y.db")
        house.desk.start()
        await house.wait(S.FAILED)
        assert "is in use" in house.refused()
        await house.desk.stop()
        house.trouble = None
        await house.ready()

    in_house(play)


def test_a_journal_that_cannot_be_read_now_is_tried_again(in_house: Playing) -> None:
    """A disk may come back."""

    async def play(house: House) -> None:
        house.trouble = JournalUnavailable("/x/y.db", "the disk is full")
        house.desk.start()
        await house.wait(S.RECONNECTING)
        assert "the disk is full" in house.refused()
        house.trouble = None
        await house.wait(S.READY)

    in_house(play)


def test_a_flood_of_gaps_is_asked_for_as_often_as_the_limits_allow(in_house: Playing) -> None:
    """The first at once, then one round in `least_poll_s`; doubts are looked after all the same."""

    async def play(house: House) -> None:
        await house.ready()
        before = len(house.session.calls)
        for _ in range(200):
            house.desk.on_missed("a frame")
            await asyncio.sleep(0.05)
        rounds = house.session.calls[before:].count(("open_orders", ""))
        assert 7 <= rounds <= 11

    in_house(play)


def test_after_the_machine_slept_everything_is_asked_for_at_once(
    in_house: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lid that was closed for an hour is a gap: the lists are asked for, not in a minute."""

    async def play(house: House) -> None:
        await house.ready()
        await asyncio.sleep(1)
        before, awake = len(house.session.calls), house.clock.time_ns
        monkeypatch.setattr(house.clock, "time_ns", lambda: awake() + 3_600_000_000_000)
        await asyncio.sleep(3)
        assert ("open_orders", "") in house.session.calls[before:]

    in_house(play)


def test_the_fills_of_many_symbols_may_take_their_time(
    in_house: Playing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What limits hold back is waited for: a start gets through, and how far it is can be read."""
    caplog.set_level(logging.INFO, logger="foxtrot.gateway.lookout")

    async def slowly(session: ScriptedSession, symbols: Sequence[str], since_ns: int) -> object:
        await asyncio.sleep(0.9)
        return Known(())

    async def play(house: House) -> None:
        now_ns = house.clock.time_ns()
        journal = Journal.open(house.directory, "main", clock=house.clock)
        orders = [intent(f"old-{n}", symbol=f"S{n}USDT", created_ns=now_ns) for n in range(60)]
        journal.record([OrderRecord(each, State.CANCELED, now_ns) for each in orders])
        journal.close()
        monkeypatch.setattr(ScriptedSession, "fills", slowly)
        monkeypatch.setattr(ScriptedSession, "fills_s", 1.2)
        await house.ready()
        assert len(house.sessions) == 1
        assert [line for line in caplog.messages if "backfill_progress" in line]

    in_house(play)


def test_a_silent_stream_ends_the_session(in_house: Playing) -> None:
    """An answer told of an order, and the stream does not: the session is replaced."""

    async def play(house: House) -> None:
        await house.ready()
        orderid = await house.send()
        shown = report(orderid=orderid, ts_ns=house.clock.time_ns())
        house.session.answer("place", orderid, Accepted(shown))
        house.prepare = lambda session: setattr(session, "orders", Known((shown,)))
        await asyncio.sleep(SILENCE_S + 1)
        await house.wait(S.READY)
        assert len(house.sessions) == 2
        assert "of the account" in str(house.errors[0])

    in_house(play)


def test_lists_that_are_not_answered_once_do_no_harm(in_house: Playing) -> None:
    """Nothing was known to be missing: the session goes on, and asks again in its time."""

    async def play(house: House) -> None:
        await house.ready()
        house.session.orders = Unknown("busy")
        await asyncio.sleep(100.0)
        assert house.desk.state is S.READY
        seen = house.desk.health().reconciled_ns
        house.session.orders = Known(())
        await asyncio.sleep(100.0)
        assert house.desk.health().reconciled_ns > seen
        assert len(house.sessions) == 1

    in_house(play)


def test_a_question_of_the_users_that_is_not_answered_does_no_harm(in_house: Playing) -> None:
    """Who looks at the balances while the venue is busy trades on, and gets them a bit later."""

    async def play(house: House) -> None:
        await house.ready()
        house.session.calls.clear()
        house.session.held = Unknown("busy")
        house.desk.refresh()
        await asyncio.sleep(5.0)
        assert (len(house.sessions), house.desk.state) == (1, S.READY)
        assert ("balances", "") in house.session.calls
        seen = house.desk.health().reconciled_ns
        house.session.held = Balances()
        await asyncio.sleep(5.0)
        assert house.desk.health().reconciled_ns > seen

    in_house(play)


def test_a_journal_that_is_lost_holds_up_no_cancel(in_house: Playing) -> None:
    """The session goes on, and asks for everything as ever."""

    async def play(house: House) -> None:
        await house.ready()
        orderid = await house.send()
        house.session.answer("place", orderid, Accepted(report(orderid=orderid)))
        house.journals[0].path.unlink()
        await asyncio.sleep(100.0)
        assert house.journals[0].trouble
        assert house.desk.state is S.READY
        house.desk.cancel(orderid)
        await settled()
        assert house.session.calls[-1] == ("cancel", orderid)
        house.session.answer("cancel", orderid, Accepted(report(State.CANCELED, orderid=orderid)))
        await settled()

    in_house(play)


def test_what_is_known_to_be_missing_must_be_answered(in_house: Playing) -> None:
    """After a gap the lists are waited for: without them the session is not READY."""

    async def play(house: House) -> None:
        await house.ready()
        house.session.orders = Unknown("busy")
        house.desk.on_missed("a frame")
        await house.wait(S.RECONNECTING)
        assert house.refused().startswith("local:not_ready")
        await house.wait(S.READY)

    in_house(play)


def test_what_was_not_answered_is_asked_for_from_the_same_moment_again(in_house: Playing) -> None:
    """The journal notes what is known only when all lists were answered."""

    async def play(house: House) -> None:
        await house.ready()
        known = house.journals[0].last_seen_ns
        house.session.held = Unknown("busy")
        await asyncio.sleep(100.0)
        assert house.journals[0].last_seen_ns == known
        house.session.held = Balances()
        await asyncio.sleep(100.0)
        assert house.journals[0].last_seen_ns > known

    in_house(play)


def test_an_order_under_way_when_the_line_is_cut_is_resolved_by_the_next(
    in_house: Playing,
) -> None:
    """In doubt after its time, asked for by the next session, told as the venue has it."""

    async def play(house: House) -> None:
        await house.ready()
        orderid = await house.send()
        shown = report(State.PARTIALLY_FILLED, "0.4", orderid=orderid)
        house.prepare = lambda session: setattr(session, "found", Known((shown,)))
        house.sessions[0].lose(ConnectionClosed(1006))
        await house.wait(S.RECONNECTING)
        await house.wait(S.READY)
        await asyncio.sleep(house.flags.orders_timeout_s + 1)
        record = house.desk.record(orderid)
        assert record is not None
        assert record.state is State.PARTIALLY_FILLED

    in_house(play)


def test_fills_of_an_earlier_run_are_told_once_in_this_one(
    in_house: Playing, tmp_path: Path
) -> None:
    """At the start from the journal; a list that shows them again tells nothing."""
    earlier = Journal.open(tmp_path, "main")
    orderid = earlier.next_orderid()
    earlier.intend(intent(orderid))
    earlier.close()

    async def play(house: House) -> None:
        shown = report(State.PARTIALLY_FILLED, "0.4", orderid=orderid)
        house.prepare = lambda session: (
            setattr(session, "orders", Known((shown,))),
            setattr(session, "trades", Known((fill("1", "0.4", orderid=orderid),))),
        )
        await house.ready()
        await house.desk.stop()
        await house.ready()
        assert [trade.tradeid for trade in house.trades] == ["1"]
        assert house.guard.open_orders == 1

    in_house(play)


def test_a_close_bridge_refuses_in_words(in_house: Playing) -> None:
    """An order that cannot reach the loop any more is told as not sent, and not left open."""

    async def play(house: House) -> None:
        await house.ready()

        def closed(*_: object) -> None:
            raise BridgeNotRunning("closed")

        house.bridge.call_soon = closed  # type: ignore[method-assign]
        assert house.refused() == "local:not_ready: foxtrot is closing"
        assert house.guard.open_orders == 0
        assert house.journals[0].open_records() == []

    in_house(play)
