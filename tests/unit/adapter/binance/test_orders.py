"""What the trading session makes of answers that a simulated venue does not give by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
import pytest

from foxtrot.adapter.binance import orders
from foxtrot.adapter.binance.adapter import BinanceAdapter
from foxtrot.adapter.binance.evidence import Reply
from foxtrot.adapter.binance.orders import OrderSession
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import (
    AuthenticationError,
    FoxtrotError,
    RateLimited,
    UnknownSymbol,
    VenueError,
)
from foxtrot.execution.reports import FillReport, Known, OrderReport, Unknown
from foxtrot.gateway.trading import Balances, Doubtful, NotSent
from foxtrot.model.constants import OrderType
from tests.support.orders import NOW, intent

Ask = Callable[[str, Mapping[str, str | int]], object]


class Account:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.told: list[Balances] = []

    def on_report(self, report: OrderReport) -> None:
        """See `TradingListener`, like all below."""

    def on_fill(self, fill: FillReport) -> None:
        """Nobody reads it here."""

    def on_missed(self, what: str) -> None:
        """Keep it."""
        self.missed.append(what)

    def on_balances(self, balances: Balances) -> None:
        """Keep it."""
        self.told.append(balances)


class Door:
    """In the place of the client: answers as the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str | int]]] = []
        self.answer: Ask = lambda path, params: []
        self.reply: Reply | Exception = Reply(200, {}, b"")
        self.held_back = 0
        self.refused = False

    async def get(self, path: str, *, weight: int) -> object:
        """An answer to what needs no signature."""
        self.asked.append((path, {}))
        return {}

    async def ask_signed(
        self, path: str, params: Mapping[str, str | int] | None = None, *, weight: int
    ) -> object:
        """An answer, or what is raised instead of one."""
        self.asked.append((path, dict(params or {})))
        answer = self.answer(path, dict(params or {}))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def command(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """A reply."""
        self.asked.append((path, dict(params)))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    def venue_ms(self, ts_ns: int) -> int:
        """The venue's clock is ours."""
        return ts_ns // 1_000_000


@pytest.fixture
def adapter() -> Iterator[BinanceAdapter]:
    """An adapter that was told where to connect, and never does."""
    made = BinanceAdapter(EventEngine(), bridge=AsyncThreadBridge("never-started"))
    made.configure(
        {
            "environment": "simulated",
            "rest_url": "http://127.0.0.1:1",
            "api_key": "a-canary-key",
            "secret": "a-canary-secret",
        }
    )
    yield made
    made.close()


@pytest.fixture
def door() -> Door:
    """The other end."""
    return Door()


@pytest.fixture
async def session(adapter: BinanceAdapter, door: Door) -> OrderSession:
    """A session behind that door."""
    made = adapter.make_trading_session(Account())
    made._client = door  # type: ignore[assignment]
    return made


def trade(number: int) -> dict[str, object]:
    """A row of the list of trades."""
    return {
        "symbol": "BTCUSDT", "id": number, "orderId": 7, "price": "100", "qty": "0.1",
        "time": NOW // 1_000_000, "isBuyer": True,
    }  # fmt: skip


@pytest.mark.parametrize(("held_back", "asked"), [(0, [("ping", {})]), (1, [])])
async def test_a_polled_account_that_waits_for_the_budget_is_not_held_for_dead(
    session: OrderSession, door: Door, held_back: int, asked: object
) -> None:
    """The silence is ours; a probe would only wait in the same line, and end the session."""
    door.held_back = held_back
    await session.probe()
    assert door.asked == asked


async def test_fills_are_read_page_by_page(
    session: OrderSession, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time at first, then from the id after the last one, until a page is not full."""
    monkeypatch.setattr(orders, "_PAGE", 2)
    pages = {None: [trade(1), trade(2)], 3: [trade(3), trade(4)], 5: [trade(5)]}
    door.answer = lambda path, params: pages[params.get("fromId")]  # type: ignore[index]
    answer = await session.fills(["BTCUSDT"], NOW)
    assert isinstance(answer, Known)
    assert [fill.trade_id for fill in answer.items] == ["1", "2", "3", "4", "5"]
    assert [params.get("startTime") for _, params in door.asked] == [NOW // 1_000_000, None, None]


async def test_a_list_that_does_not_end_is_no_list(
    session: OrderSession, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the fills would look like all of them."""
    monkeypatch.setattr(orders, "_PAGE", 1)
    door.answer = lambda path, params: [trade(int(params.get("fromId", 1)))]
    assert isinstance(await session.fills(["BTCUSDT"], NOW), Unknown)
    assert len(door.asked) == orders._PAGES_LIMIT


@pytest.mark.parametrize("code", ["-2013", "-2026"])
async def test_an_order_that_is_not_there_is_known_not_to_be(
    session: OrderSession, door: Door, code: str
) -> None:
    """The venue says so itself, or that it is in its archive."""
    door.answer = lambda path, params: VenueError("BINANCE", code, "none such")
    assert await session.find("BTCUSDT", "fx-1", "") == Known(())


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (VenueError("BINANCE", "-1000", "?"), False),
        (RateLimited("BINANCE", "-1003", "too much", 5.0), True),
        (AuthenticationError("BINANCE", "-2015", "no"), True),
    ],
)
async def test_a_question_without_an_answer_is_unknown(
    session: OrderSession, door: Door, error: FoxtrotError, ends: bool
) -> None:
    """With its cause, and the end of the session, where asking on would be wrong."""
    door.answer = lambda path, params: error
    for answer in (
        await session.open_orders(),
        await session.find("BTCUSDT", "fx-1", ""),
        await session.fills(["BTCUSDT"], NOW),
        await session.balances(),
    ):
        assert isinstance(answer, Unknown)
        assert answer.error is (error if ends else None)
    assert session._lost.done() is ends


@pytest.mark.parametrize(
    ("refused", "pushes", "ends"), [(False, True, False), (True, True, True), (False, False, True)]
)
async def test_a_refusal_of_others_ends_no_session_that_hears_of_its_account(
    session: OrderSession, door: Door, refused: bool, pushes: bool, ends: bool
) -> None:
    """A page of history that was one too many must not stop cancels for minutes."""
    door.refused, session.pushes = refused, pushes
    door.answer = lambda path, params: RateLimited("BINANCE", "", "held", 60.0)
    assert isinstance(await session.open_orders(), Unknown)
    assert session._lost.done() is ends


async def test_a_symbol_that_was_delisted_ends_no_session(
    session: OrderSession, door: Door
) -> None:
    """An order of old in it stays open to question, and all that is listed can be traded."""

    def answer(path: str, params: Mapping[str, str | int]) -> object:
        gone = params["symbol"] == "LUNAUSDT"
        return UnknownSymbol("BINANCE", "-1121", "Invalid symbol.") if gone else []

    door.answer = answer
    assert await session.fills(["LUNAUSDT", "BTCUSDT"], NOW) == Known(())
    assert [params["symbol"] for _, params in door.asked] == ["LUNAUSDT", "BTCUSDT"]
    found = await session.find("LUNAUSDT", "fx-1", "")
    assert isinstance(found, Unknown)
    assert found.error is None
    assert not session._lost.done()


async def test_an_order_that_lived_in_a_delisted_symbol_does_not_live_any_more(
    session: OrderSession, door: Door
) -> None:
    """Else it were open here for ever, and could not be cancelled either."""
    door.answer = lambda path, params: UnknownSymbol("BINANCE", "-1121", "Invalid symbol.")
    assert await session.find("LUNAUSDT", "fx-1", "7") == Known(())


@pytest.mark.parametrize("answer", [{"balances": []}, {}, {"balances": [{"asset": "BTC"}]}])
async def test_an_account_without_a_balance_is_no_answer(
    session: OrderSession, door: Door, answer: object
) -> None:
    """The venue lists what is zero, too: nobody has nothing."""
    door.answer = lambda path, params: answer
    assert isinstance(await session.balances(), Unknown)


async def test_what_the_venue_has_not_is_not_sent(session: OrderSession, door: Door) -> None:
    """An order type that Binance does not know."""
    order = intent()
    order = msgspec.structs.replace(
        order, request=msgspec.structs.replace(order.request, type=OrderType.RFQ)
    )
    assert isinstance(await session.place(order), NotSent)
    assert door.asked == []


async def test_a_ban_in_an_answer_ends_the_session(session: OrderSession, door: Door) -> None:
    """With the time that the venue named."""
    door.reply = Reply(418, {"Retry-After": "7"}, b'{"code":-1003,"msg":"Way too much."}')
    answer = await session.place(intent())
    assert not isinstance(answer, Doubtful)
    lost = session._lost.result()
    assert isinstance(lost, RateLimited)
    assert lost.retry_after_s == 7.0


async def test_a_session_that_has_ended_sends_nothing(adapter: BinanceAdapter) -> None:
    """And says so: nobody needs to be asked what became of it."""
    ended = adapter.make_trading_session(Account())
    assert isinstance(await ended.place(intent()), NotSent)
