"""Orders and cancels: sent once, and believed for what their answers prove."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from foxtrot.adapter.futu.account import TradedAccount
from foxtrot.adapter.futu.order_commands import OrderCommands
from foxtrot.adapter.futu.schema import Proto
from foxtrot.errors import FoxtrotError, RateLimited, VenueError, VenueUnavailable
from foxtrot.execution.reports import OrderIntent, OrderRecord, OrderState
from foxtrot.gateway.trading import Accepted, Doubtful, NotSent, Refused
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest

REQUEST = OrderRequest("00700", Exchange.SEHK, Direction.LONG, OrderType.LIMIT, 300.0, 500.0)
INTENT = OrderIntent("fx-1", REQUEST, 1_700_000_000_123_456_789)
RECORD = OrderRecord(INTENT, OrderState.PENDING_CANCEL, 1, venue_id="FH7")
NO = VenueError("FUTU", "-1", "no")


class Desk:
    """Stands for the connection, the feed and the lists."""

    def __init__(self) -> None:
        self.error: FoxtrotError | None = None
        self.sends = True
        self.named = "FH7"
        self.unproven: dict[str, str] = {}
        self.found: Any = None
        self.unwanted = ""
        self.meanwhile: dict[Proto, str] = {}
        """What comes up while a request waits for its turn."""
        self.asked: list[tuple[Proto, Any]] = []
        account = TradedAccount(9_053_218, 1, (1,), 1, 1, 1)
        me = cast("Any", self)
        self.commands = OrderCommands(
            "FUTU",
            me,
            account,
            me,
            me,
            record=lambda orderid: None,
            unwanted=lambda orderid: self.unwanted,
        )

    async def ask(self, proto: Proto, c2s: Any, *, turned: Callable[[], None] | None = None) -> Any:
        """Number it and answer, or wait for a turn that does not come."""
        self.asked.append((proto, c2s))
        if not self.sends:
            await asyncio.Event().wait()
        self.unwanted = self.meanwhile.get(proto, self.unwanted)
        if turned is not None:
            turned()
        c2s.packetID.connID, c2s.packetID.serialNo = 1, 1
        if self.error is not None:
            raise self.error
        return SimpleNamespace(orderID=7, orderIDEx=self.named)

    async def find(self, *args: object) -> Any:
        """What the lists show."""
        return self.found

    @contextlib.contextmanager
    def end_of(self, venue_id: str) -> Iterator[Any]:
        """The other order has ended when its cancel was taken."""
        end = asyncio.get_running_loop().create_future()
        end.set_result(SimpleNamespace(state=OrderState.CANCELED))
        yield end

    @property
    def lost(self) -> Any:
        """The connection lives."""
        return asyncio.get_running_loop().create_future()

    def soon(self) -> float:
        """When time is up."""
        return asyncio.get_running_loop().time() + 0.01


async def test_an_order_is_sent_in_futus_words_and_named_by_its_answer() -> None:
    """One question; what was answered is dated before whatever can be pushed."""
    desk = Desk()
    answer = await desk.commands.place(INTENT, desk.soon() + 5)
    assert isinstance(answer, Accepted)
    assert (answer.report.venue_id, answer.report.state) == ("FH7", OrderState.ACCEPTED)
    assert answer.report.ts_ns == 1_700_000_000_123_000_000
    ((proto, sent),) = desk.asked
    assert (proto, sent.remark, sent.qty, sent.price) == (Proto.Trd_PlaceOrder, "fx-1", 300, 500)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NO, Refused),
        (RateLimited("FUTU", "-1", "slowly", 30.0), Refused),
        (VenueUnavailable("FUTU", "-100", "timed out"), Doubtful),
    ],
)
async def test_an_order_without_a_good_answer_is_judged_by_what_came(
    error: FoxtrotError, kind: type[object]
) -> None:
    """Refused by Futu alone; that its servers did not answer proves nothing."""
    desk = Desk()
    desk.error = error
    assert isinstance(await desk.commands.place(INTENT, desk.soon() + 5), kind)


async def test_an_order_that_waits_for_its_turn_too_long_is_never_sent() -> None:
    """Time is up before it left: that is certain."""
    desk = Desk()
    desk.sends = False
    assert isinstance(await desk.commands.place(INTENT, desk.soon()), NotSent)


@pytest.mark.parametrize("why", ["halted: by hand", "cancelled before it was sent"])
async def test_an_order_that_is_unwanted_while_it_waits_for_its_turn_is_not_sent(why: str) -> None:
    """It may wait a second, and a market order would fill."""
    desk = Desk()
    desk.meanwhile = {Proto.Trd_PlaceOrder: why}
    assert await desk.commands.place(INTENT, desk.soon() + 5) == NotSent(why)


async def test_a_replacement_is_not_sent_once_trading_is_halted() -> None:
    """The cancel before it may take seconds."""
    desk = Desk()
    desk.meanwhile = {Proto.Trd_ModifyOrder: "halted: by hand"}
    cancel, new = await desk.commands.replace(RECORD, INTENT, desk.soon() + 5)
    assert isinstance(cancel, Accepted)
    assert new == NotSent("halted: by hand")


async def test_an_answer_that_names_no_order_or_an_unproven_one_leaves_doubt() -> None:
    """OpenD took it, and what became of it is not known."""
    desk = Desk()
    desk.unproven["fx-1"] = "status 4"
    assert await desk.commands.place(INTENT, desk.soon() + 5) == Doubtful("status 4")


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (OrderState.FILLED, Accepted),
        (OrderState.ACCEPTED, Refused),
        (None, Doubtful),
    ],
)
async def test_a_refused_cancel_is_judged_by_the_order(
    state: OrderState | None, kind: type[object]
) -> None:
    """It has ended, it lives on, or nobody knows: the words of a refusal do not say which."""
    desk = Desk()
    desk.error = NO
    desk.found = None if state is None else SimpleNamespace(state=state, venue_id="FH7")
    assert isinstance(await desk.commands.cancel(RECORD, desk.soon() + 5), kind)
