"""Orders at the simulated TWS, asked for with the unmodified SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_sdk import troubles
from tests.support.ib_trader import Trader, trading

PLACED = [
    "open PreSubmitted",
    "status PreSubmitted 0+10",
    "open Submitted",
    "status Submitted 0+10",
]
CANCELED = ["status Cancelled 0+10", "error 202"]


@pytest.fixture
async def sim(caplog: pytest.LogCaptureFixture) -> AsyncIterator[SimulatedIb]:
    """A gateway whose market stands still; nothing it sends may trouble the SDK."""
    async with SimulatedIb(("AAPL", "MSFT", "SPX", "EUR.USD"), rate_hz=0) as venue:
        yield venue
    assert troubles(caplog) == []
    assert venue.violations == []


@pytest.fixture
async def trader(sim: SimulatedIb) -> AsyncIterator[Trader]:
    """Client 1."""
    async with trading(sim.port) as client:
        yield client


def last_error(calls: list) -> tuple[int, int]:
    """Id and code of the last error."""
    return next(args[:2] for name, args in reversed(calls) if name == "error")


async def test_an_order_is_taken_and_filled_in_parts(sim: SimulatedIb, trader: Trader) -> None:
    """The reports come in TWS's order; each fill is counted once, with its cost after it."""
    assert await trader.story(lambda: trader.place(1)) == PLACED
    sim.desk.fill("ref-1", 4)
    assert await trader.story() == [
        "fill BOT 4@200",
        "open Submitted",
        "status Submitted 4+6",
        "cost",
    ]
    sim.desk.fill("ref-1", price=199)
    assert await trader.story() == ["fill BOT 6@199", "open Filled", "status Filled 10+0", "cost"]
    assert [each.exec_id for each in sim.desk.traded()] == sorted(
        {each.exec_id for each in sim.desk.traded()}
    )
    assert sim.desk.received() == {"ref-1": 1}


async def test_a_marketable_order_trades_at_once(trader: Trader) -> None:
    """A market order is taken and filled in one go."""
    order = {"orderType": "MKT", "lmtPrice": "", "action": "SELL", "totalQuantity": 1}
    story = await trader.story(lambda: trader.place(1, **order))
    assert story[-3:] == ["open Filled", "status Filled 1+0", "cost"]
    assert story[4].startswith("fill SLD 1@")


async def test_an_order_that_may_not_rest_ends_with_what_it_got(trader: Trader) -> None:
    """Immediate or cancel, and fill or kill, below the market."""
    for number, tif in enumerate(("IOC", "FOK"), 1):
        story = await trader.story(lambda n=number, tif=tif: trader.place(n, tif=tif))
        assert story == PLACED + CANCELED


async def test_a_stop_waits_until_the_market_is_there(sim: SimulatedIb, trader: Trader) -> None:
    """Until then it is PreSubmitted; a stop that is reached already trades at once."""
    stop = {"orderType": "STP", "lmtPrice": "", "auxPrice": 250.0}
    assert await trader.story(lambda: trader.place(1, **stop)) == PLACED[:2]
    limit = {"orderType": "STP LMT", "lmtPrice": 260.0, "auxPrice": 255.0}
    assert await trader.story(lambda: trader.place(2, **limit)) == PLACED[:2]
    sim.desk.set_price("AAPL", 251)
    story = await trader.story()
    assert story[:2] == ["open Submitted", "status Submitted 0+10"]
    assert story[-2] == "status Filled 10+0"
    late = {"orderType": "STP", "lmtPrice": "", "auxPrice": 100.0, "totalQuantity": 1}
    assert "status Filled 1+0" in await trader.story(lambda: trader.place(3, **late))


async def test_an_open_order_is_modified_under_its_own_id(sim: SimulatedIb, trader: Trader) -> None:
    """It keeps its permId and what was filled; what would be another order is error 105."""
    await trader.told(lambda: trader.place(1))
    sim.desk.fill("ref-1", 4)
    await trader.told()
    change = {"totalQuantity": 12, "lmtPrice": 201.0}
    calls = await trader.told(lambda: trader.place(1, **change))
    (name, (_, _, order, _)), status = calls
    assert (name, order.lmtPrice, order.totalQuantity) == ("openOrder", 201.0, 12.0)
    assert status[1][1:4] == ("Submitted", 4.0, 8.0)
    assert [each.perm_id for each in sim.desk.held()] == [order.permId]
    for other in ({"action": "SELL"}, {"contract": trader.stock("MSFT")}):
        calls = await trader.told(lambda other=other: trader.place(1, **change | other))
        assert last_error(calls) == (1, 105)
    calls = await trader.told(lambda: trader.place(1, totalQuantity=4))
    assert last_error(calls) == (1, 201)
    assert sim.desk.held()[0].terms.quantity_e8 == 12 * 10**8


async def test_a_cancel_ends_the_order_and_says_so(sim: SimulatedIb, trader: Trader) -> None:
    """The status first, then the notice; what cannot be cancelled has an error for each reason."""
    await trader.told(lambda: trader.place(1))
    assert await trader.story(lambda: trader.client.cancelOrder(1, "")) == CANCELED
    assert await trader.story(lambda: trader.client.cancelOrder(1, "")) == ["error 10148"]
    assert await trader.story(lambda: trader.client.cancelOrder(7, "")) == ["error 10147"]
    await trader.told(lambda: trader.place(2))
    sim.desk.fill("ref-2")
    await trader.told()
    assert await trader.story(lambda: trader.client.cancelOrder(2, "")) == ["error 161"]
    assert sim.desk.cancels() == ["ref-1", "ref-1", "7", "ref-2"]


async def test_an_order_id_serves_once(sim: SimulatedIb, trader: Trader) -> None:
    """One that has ended, or is below a later one, is a duplicate; a filled one is error 104."""
    await trader.told(lambda: trader.place(5))
    assert last_error(await trader.told(lambda: trader.place(4))) == (4, 103)
    await trader.told(lambda: trader.client.cancelOrder(5, ""))
    assert last_error(await trader.told(lambda: trader.place(5))) == (5, 103)
    await trader.told(lambda: trader.place(6))
    sim.desk.fill("ref-6")
    assert last_error(await trader.told(lambda: trader.place(6))) == (6, 104)
    assert sim.desk.received() == {"ref-5": 1, "ref-6": 1}
    calls = await trader.told(lambda: trader.client.reqIds(1))
    assert calls[-1] == ("nextValidId", (7,))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"totalQuantity": 0}, 434),
        ({"totalQuantity": 0.5}, 10243),
        ({"lmtPrice": 200.001}, 110),
        ({"lmtPrice": ""}, 321),
        ({"orderType": "TRAIL"}, 387),
        ({"tif": "OPG"}, 10052),
        ({"account": "DU9"}, 321),
        ({"transmit": False}, 201),
        ({"parentId": 5}, 201),
        ({"algoStrategy": "Adaptive"}, 201),
        ({"hedgeType": "D"}, 201),
        ({"minQty": 5}, 201),
        ({"displaySize": 1}, 201),
        ({"cashQty": 1_000.0}, 201),
        ({"discretionaryAmt": 0.5}, 201),
        ({"totalQuantity": 100_000}, 201),
    ],
)
async def test_what_tws_does_not_take_is_refused_with_its_code(
    sim: SimulatedIb, trader: Trader, fields: dict, code: int
) -> None:
    """Nothing of it is kept, and the error is all that is told."""
    calls = await trader.told(lambda: trader.place(1, **fields))
    assert [(name, *args[:2]) for name, args in calls] == [("error", 1, code)]
    assert sim.desk.held() == []


async def test_an_order_that_shall_wait_for_something_is_not_traded_at_once(
    sim: SimulatedIb, trader: Trader
) -> None:
    """The gateway knows no conditions: it refuses the order, in place of forgetting them."""
    condition = trader.sdk.PriceCondition(price=1.0, conId=265598, exch="SMART")
    calls = await trader.told(lambda: trader.place(1, orderType="MKT", conditions=[condition]))
    assert [(name, *args[:2]) for name, args in calls] == [("error", 1, 201)]
    assert "conditions" in calls[0][1][2]
    assert sim.desk.received() == {"ref-1": 1}


async def test_a_contract_that_cannot_be_traded_is_refused(
    sim: SimulatedIb, trader: Trader
) -> None:
    """Unknown and ambiguous ones with 200, an index with 201."""
    sdk = trader.sdk
    for number, (contract, code) in enumerate(
        [
            (sdk.Stock("APPL", "SMART", "USD"), 200),
            (sdk.Index("SPX", "CBOE", "USD"), 201),
            (sdk.Stock("AAPL", "", "USD"), 321),
        ],
        1,
    ):
        calls = await trader.told(lambda n=number, c=contract: trader.place(n, contract=c))
        assert last_error(calls) == (number, code)
    assert sim.desk.held() == []


async def test_the_next_order_can_be_refused_by_hand(sim: SimulatedIb, trader: Trader) -> None:
    """Without a trace, or as an inactive order that is listed among the completed ones."""
    sim.desk.reject_next(201, "Order rejected - reason:No.")
    assert await trader.story(lambda: trader.place(1)) == ["error 201"]
    sim.desk.reject_next(201, "Order rejected - reason:No.", inactive=True)
    story = await trader.story(lambda: trader.place(2))
    assert story == ["open Inactive", "status Inactive 0+10", "error 201"]
    story = await trader.story(lambda: trader.client.reqCompletedOrders(False))
    assert story == ["completed ref-2 Inactive 0", "completedOrdersEnd"]
    assert await trader.story(lambda: trader.place(3)) == PLACED


async def test_a_read_only_tws_takes_no_orders(sim: SimulatedIb, trader: Trader) -> None:
    """Neither orders nor cancels, until the box is unticked."""
    await trader.told(lambda: trader.place(1))
    sim.desk.set_read_only(True)
    assert last_error(await trader.told(lambda: trader.place(2))) == (2, 321)
    assert last_error(await trader.told(lambda: trader.client.cancelOrder(1, ""))) == (1, 321)
    sim.desk.set_read_only(False)
    assert await trader.story(lambda: trader.place(2)) == PLACED


async def test_pieces_of_shares_are_for_users_who_may_trade_them(
    sim: SimulatedIb, trader: Trader
) -> None:
    """At first none may; quantities are told as exactly as they were sent."""
    sim.desk.set_fractions(True)
    story = await trader.story(lambda: trader.place(1, totalQuantity=0.25))
    assert story[-1] == "status Submitted 0+0.25"
    sim.desk.set_fractions(False)
    assert last_error(await trader.told(lambda: trader.place(2, totalQuantity=0.25))) == (2, 10243)


async def test_what_if_costs_nothing(sim: SimulatedIb, trader: Trader) -> None:
    """Margin and commission are told, and no order is kept."""
    ((_, (_, _, order, state)),) = await trader.told(lambda: trader.place(1, whatIf=True))
    assert (order.whatIf, state.initMarginChange, state.commission) == (True, "500.00", 1.0)
    assert sim.desk.held() == []


async def test_a_global_cancel_ends_the_orders_of_all(sim: SimulatedIb, trader: Trader) -> None:
    """Those of other clients and of TWS itself as well."""
    await trader.told(lambda: trader.place(1))
    sim.desk.place_by_hand("MSFT", 1, 100)
    sim.desk.place_by_hand("MSFT", 1, 100, client_id=7)
    await trader.told(lambda: trader.client.reqGlobalCancel())
    assert [each.status for each in sim.desk.held()] == ["Cancelled"] * 3


async def test_another_clients_order_is_not_mine(sim: SimulatedIb, trader: Trader) -> None:
    """Its reports go to him, his id means nothing to me, and mine nothing to him."""
    async with trading(sim.port, 2) as other:
        await other.told(lambda: other.place(1, orderRef="his"))
        assert await trader.story() == []
        assert await trader.story(lambda: trader.client.cancelOrder(1, "")) == ["error 10147"]
        sim.desk.fill("his", 4)
        assert (await other.story())[0] == "fill BOT 4@200"
        assert await trader.story() == []
        assert sim.desk.order("his").open


async def test_orders_fills_and_ids_outlive_the_connection_and_the_gateway(
    sim: SimulatedIb,
) -> None:
    """What happened while nobody was there is found in the lists afterwards."""
    async with trading(sim.port) as before:
        await before.told(lambda: before.place(3))
        await before.told(lambda: before.place(4))
    sim.desk.fill("ref-3")
    await sim.stop()
    await sim.start()
    async with trading(sim.port) as after:
        assert ("nextValidId", (5,)) in await after.told(lambda: after.client.reqIds(1))
        story = await after.story(lambda: after.client.reqOpenOrders())
        assert story == ["open Submitted", "status Submitted 0+10", "openOrderEnd"]
        story = await after.story(lambda: after.client.reqCompletedOrders(False))
        assert story == ["completed ref-3 Filled 10", "completedOrdersEnd"]
        ((_, (_, _, fill)), *rest) = await after.told(
            lambda: after.client.reqExecutions(9, after.sdk.ExecutionFilter())
        )
        assert (fill.orderRef, fill.orderId, fill.clientId, fill.shares) == ("ref-3", 3, 1, 10.0)
        assert [name for name, _ in rest] == ["commissionReport", "execDetailsEnd"]
        assert await after.story(lambda: after.client.cancelOrder(4, "")) == CANCELED


async def test_a_corrected_fill_has_a_higher_revision(sim: SimulatedIb, trader: Trader) -> None:
    """Only what is behind the last dot of its id changes; the order's mean price follows."""
    await trader.told(lambda: trader.place(1))
    first = sim.desk.fill("ref-1")
    cash = sim.desk.account().balance("USD").free_e8
    await trader.told()
    sim.desk.correct(first.exec_id, 190)
    ((_, (_, _, fill)), _cost) = await trader.told()
    stem, _, revision = fill.execId.rpartition(".")
    assert (stem, revision, fill.price, fill.avgPrice) == (first.stem, "02", 190.0, 190.0)
    assert sim.desk.account().balance("USD").free_e8 == cash + 100 * 10**8


async def test_at_midnight_the_day_ends(sim: SimulatedIb, trader: Trader) -> None:
    """Orders for the day are cancelled, others stay; nothing of the day is listed any more."""
    await trader.told(lambda: trader.place(1))
    await trader.told(lambda: trader.place(2, tif="GTC"))
    sim.desk.fill("ref-2", 1)
    sim.desk.end_day()
    assert [each.open for each in sim.desk.held()] == [False, True]
    await trader.told()
    ask = trader.client
    assert await trader.story(lambda: ask.reqCompletedOrders(False)) == ["completedOrdersEnd"]
    fills = await trader.story(lambda: ask.reqExecutions(1, trader.sdk.ExecutionFilter()))
    assert fills == ["execDetailsEnd"]


async def test_an_order_that_is_cancelled_may_be_filled_first(
    sim: SimulatedIb, trader: Trader
) -> None:
    """The fault for it: the fill wins, and the cancel is refused with 161."""
    await trader.told(lambda: trader.place(1))
    sim.faults.inject("cancel_race")
    story = await trader.story(lambda: trader.client.cancelOrder(1, ""))
    assert story[0] == "fill BOT 10@200"
    assert story[-1] == "error 161"


async def test_a_notice_about_an_order_lets_it_live(sim: SimulatedIb, trader: Trader) -> None:
    """The fault for it: 399, or another code such as 10349."""
    sim.faults.inject("order_notice")
    assert await trader.story(lambda: trader.place(1)) == [*PLACED, "error 399"]
    sim.faults.inject("order_notice", code=10349, body="Order TIF was set to DAY")
    assert await trader.story(lambda: trader.place(2)) == [*PLACED, "error 10349"]
    assert [each.open for each in sim.desk.held()] == [True, True]


async def test_a_swallowed_order_never_was(sim: SimulatedIb, trader: Trader) -> None:
    """The fault for it; one whose answer is swallowed lives, and its fills are told."""
    sim.faults.inject("request_swallowed", request="place")
    assert await trader.story(lambda: trader.place(1)) == []
    assert sim.desk.held() == []
    sim.faults.inject("ack_swallowed", request="place")
    assert await trader.story(lambda: trader.place(2)) == []
    sim.desk.fill("ref-2")
    assert (await trader.story())[0] == "fill BOT 10@200"


async def test_forgotten_orders_are_unknown_and_ids_go_on(sim: SimulatedIb, trader: Trader) -> None:
    """The books are empty, the cash is back, and no number is used twice."""
    await trader.told(lambda: trader.place(1))
    perm_id = sim.desk.fill("ref-1").order.perm_id
    sim.desk.forget_orders()
    await trader.told()
    assert (sim.desk.held(), sim.desk.traded(), sim.desk.account().positions()) == ([], [], [])
    await trader.told(lambda: trader.place(2))
    assert sim.desk.order("ref-2").perm_id > perm_id
