"""Orders meet the simulated market: what fills, what waits, what ends."""

from __future__ import annotations

import pytest

from foxtrot.errors import ConfigurationError, InvalidState, OrderRejected
from foxtrot.simulator.accounts import Account, Order, Reason, Side, State, Ticket, TimeInForce
from foxtrot.simulator.listings import notional_e8, to_e8
from foxtrot.simulator.market import Market, Step, Trade
from foxtrot.simulator.matching import Matching, What

BTC = "BTCUSDT"
START_MS = 1_790_000_000_000


class Pit:
    """One account in a market that moves by hand."""

    def __init__(self, seed: int = 1) -> None:
        self.market = Market.of([BTC], seed=seed, now_ms=START_MS)
        self.matching = Matching(self.market, seed=seed)
        self.market.on_step = lambda step: self.matching.step(step, step.time_ms)
        self.account = Account("main", {"USDT": 1_000_000, "BTC": 10})
        self.told: list[tuple[What, str]] = []
        self.matching.on_report = lambda report: self.told.append(
            (report.what, report.order.client_id)
        )
        self._count = 0

    def place(self, side: Side, quantity: str = "1", price: int | None = None, **more) -> Order:
        self._count += 1
        fields = {"client_id": f"c{self._count}", **more}
        ticket = Ticket(
            symbol=BTC, side=side, quantity_e8=to_e8(quantity), price_e8=price, **fields
        )
        return self.matching.place(self.account, ticket, START_MS)

    def rest(self, side: Side = Side.BUY, quantity: str = "1", percent: int = 1, **more) -> Order:
        """An order that is so far from the market."""
        return self.place(side, quantity, self.away(side, percent), **more)

    def away(self, side: Side, percent: int) -> int:
        quote = self.market.quote(BTC)
        if side is Side.BUY:
            return quote.bid_e8 * (100 - percent) // 100
        return quote.ask_e8 * (100 + percent) // 100


@pytest.fixture
def pit() -> Pit:
    """An empty pit."""
    return Pit()


def test_a_market_order_takes_the_best_levels_first(pit: Pit) -> None:
    """It pays what the book asks, level by level, and is the taker."""
    asks = pit.market.book(BTC).asks
    wanted = asks[0][1] + asks[1][1] // 2
    order = pit.place(Side.BUY, str(wanted / 10**8))
    assert order.state is State.FILLED
    assert [fill.price_e8 for fill in order.fills] == [asks[0][0], asks[1][0]]
    assert order.fills[0].quantity_e8 == asks[0][1]
    assert not any(fill.maker for fill in order.fills)


def test_what_was_taken_is_gone_until_the_book_moves(pit: Pit) -> None:
    """A second order of the same moment pays the next level."""
    best = pit.market.book(BTC).asks[0]
    pit.place(Side.BUY, str(best[1] / 10**8))
    assert pit.place(Side.BUY, "0.01").fills[0].price_e8 > best[0]
    pit.market.tick(BTC)
    again = pit.market.book(BTC).asks[0]
    assert pit.place(Side.BUY, "0.00001").fills[0].price_e8 == again[0]


def test_a_market_order_beyond_the_book_ends_with_what_it_got() -> None:
    """The rest of it expires, for want of liquidity."""
    pit = Pit()
    pit.account.balance("BTC").free_e8 = to_e8(10_000)
    order = pit.place(Side.SELL, "9000")
    assert (order.state, order.expiry) == (State.EXPIRED, "INSUFFICIENT_LIQUIDITY")
    assert order.filled_e8 == sum(quantity for _, quantity in pit.market.book(BTC).bids)
    assert pit.account.balance("BTC").locked_e8 == 0


def test_a_budget_is_never_overspent(pit: Pit) -> None:
    """A quantity of whole steps that costs at most the budget."""
    order = pit.place(Side.BUY, "0", budget_e8=to_e8(100))
    assert order.state is State.FILLED
    assert to_e8(99) < order.turnover_e8 <= to_e8(100)
    assert order.quantity_e8 % pit.market.listings[BTC].step_e8 == 0


def test_a_budget_below_one_step_buys_nothing(pit: Pit) -> None:
    """It is refused."""
    with pytest.raises(OrderRejected) as refused:
        pit.place(Side.BUY, "0", budget_e8=1)
    assert refused.value.code == Reason.NO_LIQUIDITY.value


def test_a_limit_order_rests_and_locks(pit: Pit) -> None:
    """What stands behind it cannot be spent twice; a cancel frees it."""
    order = pit.rest(quantity="10")
    balance = pit.account.balance("USDT")
    assert balance.locked_e8 == notional_e8(order.ticket.price_e8, order.quantity_e8)
    with pytest.raises(OrderRejected) as refused:
        pit.rest(quantity="10")
    assert refused.value.code == Reason.BALANCE.value
    pit.matching.cancel(order, START_MS)
    assert (order.state, balance.locked_e8, balance.free_e8) == (
        State.CANCELED,
        0,
        to_e8(1_000_000),
    )


def test_a_market_that_moves_through_fills_at_the_orders_own_price(pit: Pit) -> None:
    """Who rests is the maker."""
    order = pit.rest(quantity="0.1")
    pit.market.set_quote(BTC, pit.away(Side.BUY, 2) / 10**8)
    assert order.state is State.FILLED
    assert {(fill.price_e8, fill.maker) for fill in order.fills} == {(order.ticket.price_e8, True)}


def test_a_large_order_is_filled_in_parts(pit: Pit) -> None:
    """What the book has is taken with every step, until all is done."""
    pit.account.balance("BTC").free_e8 = to_e8(1_000)
    order = pit.rest(Side.SELL, quantity="50")
    pit.market.set_quote(BTC, pit.market.quote(BTC).bid_e8 * 1.0101 / 10**8)
    assert order.state is State.PARTIALLY_FILLED
    pit.market.set_quote(BTC, pit.market.quote(BTC).bid_e8 * 1.02 / 10**8)
    for _ in range(200):
        pit.market.tick(BTC)
    assert order.state is State.FILLED
    assert len(order.fills) > 1


def test_trades_at_the_price_fill_a_share_by_the_seed() -> None:
    """Same seed, same fills; another seed, others."""

    def fills(seed: int) -> list[int]:
        pit = Pit(seed)
        order = pit.place(Side.BUY, "10", pit.market.quote(BTC).bid_e8)
        for _ in range(60):
            pit.market.tick(BTC)
        return [fill.quantity_e8 for fill in order.fills]

    assert fills(5) == fills(5)
    assert fills(5)
    assert fills(5) != fills(6)


@pytest.mark.parametrize(
    ("tif", "reason"),
    [
        (TimeInForce.IOC, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        (TimeInForce.FOK, "UNFILLED_FOK_ORDER_EXPIRED"),
    ],
)
def test_what_may_not_rest_expires(pit: Pit, tif: TimeInForce, reason: str) -> None:
    """IOC keeps what it got, FOK wants all or nothing."""
    best = pit.market.book(BTC).asks[0]
    order = pit.place(Side.BUY, str(best[1] * 2 / 10**8), best[0], tif=tif)
    assert (order.state, order.expiry) == (State.EXPIRED, reason)
    assert order.filled_e8 == (best[1] if tif is TimeInForce.IOC else 0)
    assert pit.account.balance("USDT").locked_e8 == 0


def test_fok_is_filled_if_the_book_has_it_all(pit: Pit) -> None:
    """A part of the best level is there at once."""
    price = pit.market.quote(BTC).ask_e8
    assert pit.place(Side.BUY, "0.00001", price, tif=TimeInForce.FOK).state is State.FILLED


def test_post_only_is_refused_if_it_would_take(pit: Pit) -> None:
    """At the other side's price; one level below it rests."""
    quote = pit.market.quote(BTC)
    with pytest.raises(OrderRejected) as refused:
        pit.place(Side.BUY, "0.1", quote.ask_e8, post_only=True)
    assert refused.value.code == Reason.WOULD_MATCH.value
    assert pit.place(Side.BUY, "0.1", quote.bid_e8, post_only=True).state is State.NEW


def test_an_open_client_id_is_taken_once(pit: Pit) -> None:
    """It may be used again when its order has ended."""
    order = pit.rest(client_id="x")
    with pytest.raises(OrderRejected) as refused:
        pit.rest(client_id="x")
    assert refused.value.code == Reason.DUPLICATE.value
    pit.matching.cancel(order, START_MS)
    assert pit.rest(client_id="x").open


@pytest.mark.parametrize("side", Side)
def test_a_stop_waits_for_its_price(pit: Pit, side: Side) -> None:
    """It does not trade before, and is told when it begins to work."""
    buying = side is Side.BUY
    stop = pit.away(Side.SELL if buying else Side.BUY, 2)
    order = pit.place(side, "0.1", stop_e8=stop, above=buying)
    pit.market.tick(BTC)
    assert (order.state, order.working_ms) == (State.NEW, None)
    pit.market.set_quote(BTC, stop * (1.001 if buying else 0.999) / 10**8)
    assert order.state is State.FILLED
    assert [what for what, _ in pit.told][:3] == [What.ACCEPTED, What.TRIGGERED, What.TRADED]


def test_a_stop_limit_rests_at_its_limit_when_triggered(pit: Pit) -> None:
    """A limit behind the market's new price waits in the book."""
    stop = pit.away(Side.SELL, 1)
    order = pit.place(Side.BUY, "0.1", stop * 98 // 100, stop_e8=stop, above=True)
    pit.market.set_quote(BTC, stop * 1.001 / 10**8)
    assert (order.state, order.resting) == (State.NEW, True)


def test_a_stop_whose_price_is_reached_is_refused(pit: Pit) -> None:
    """It would trigger at once."""
    with pytest.raises(OrderRejected) as refused:
        pit.place(Side.BUY, "0.1", stop_e8=pit.away(Side.BUY, 1), above=True)
    assert refused.value.code == Reason.WOULD_TRIGGER.value


def test_a_stop_that_can_no_longer_be_paid_expires(pit: Pit) -> None:
    """The market has run away from what was set aside."""
    stop = pit.away(Side.SELL, 1)
    pit.account.balance("USDT").free_e8 = notional_e8(stop, to_e8(1)) + 1
    order = pit.place(Side.BUY, "1", stop_e8=stop, above=True)
    pit.market.set_quote(BTC, stop * 1.2 / 10**8)
    assert (order.state, order.expiry) == (State.EXPIRED, "REJECTED")
    assert pit.account.balance("USDT").locked_e8 == 0


def test_a_better_price_is_served_before_an_older_order(pit: Pit) -> None:
    """Price first, then time: who stands behind gets what is left, which is nothing."""
    pit.account.balance("BTC").free_e8 = to_e8(1_000)
    old, better, later = (pit.rest(Side.SELL, "90", percent) for percent in (2, 1, 1))
    pit.market.set_quote(BTC, pit.away(Side.SELL, 3) / 10**8)
    assert better.filled_e8 > 0
    assert (old.filled_e8, later.filled_e8) == (0, 0)


def test_a_trade_is_shared_out_once(pit: Pit) -> None:
    """All that falls to the customers of one trade is no more than the trade."""
    price, traded = pit.market.quote(BTC).bid_e8, to_e8("0.06")
    orders = [pit.place(Side.BUY, "0.05", price) for _ in range(40)]
    for number in range(20):
        before = sum(order.filled_e8 for order in orders)
        trade = Trade(number, price, traded, START_MS, buyer_is_maker=True)
        pit.matching.step(Step(BTC, START_MS, 1, 0, {}, {}, (trade,)), START_MS)
        assert sum(order.filled_e8 for order in orders) - before <= traded
    assert orders[0].state is State.FILLED


def test_a_forced_fill_stays_within_the_order(pit: Pit) -> None:
    """Not more than is left, not beyond the limit, not what does not rest."""
    order = pit.rest(quantity="1")
    pit.matching.fill(order, START_MS, quantity_e8=to_e8("0.4"))
    assert (order.state, order.remaining_e8) == (State.PARTIALLY_FILLED, to_e8("0.6"))
    with pytest.raises(ConfigurationError, match="quantity"):
        pit.matching.fill(order, START_MS, quantity_e8=to_e8("0.7"))
    with pytest.raises(ConfigurationError, match="price"):
        pit.matching.fill(order, START_MS, price_e8=order.ticket.price_e8 + 1)
    pit.matching.fill(order, START_MS, price_e8=order.ticket.price_e8 - 1)
    with pytest.raises(InvalidState):
        pit.matching.fill(order, START_MS)


def test_an_order_ends_once(pit: Pit) -> None:
    """What has ended can neither be canceled nor expire."""
    order = pit.rest()
    pit.matching.expire(order, START_MS)
    assert (order.state, order.expiry) == (State.EXPIRED, "EXCHANGE_CANCELED")
    for end in (pit.matching.cancel, pit.matching.expire):
        with pytest.raises(OrderRejected) as refused:
            end(order, START_MS)
        assert refused.value.code == Reason.UNKNOWN.value


def test_the_fee_is_of_what_comes_in(pit: Pit) -> None:
    """A tenth of a percent: of the coins when buying, of the money when selling."""
    bought, sold = pit.place(Side.BUY, "1").fills, pit.place(Side.SELL, "1").fills
    assert {fill.fee_asset for fill in bought} == {"BTC"}
    assert {fill.fee_asset for fill in sold} == {"USDT"}
    assert sum(fill.fee_e8 for fill in bought) == pytest.approx(to_e8("0.001"), abs=len(bought))


def test_an_amended_order_keeps_its_id_and_trades_what_it_now_can(pit: Pit) -> None:
    """What was filled stays; a price that crosses trades at once; the account pays the rest."""
    order = pit.rest(Side.BUY, "2")
    pit.matching.fill(order, START_MS, quantity_e8=to_e8("0.5"))
    ask = pit.market.quote(BTC).ask_e8
    resting = Ticket(symbol=BTC, side=Side.BUY, quantity_e8=to_e8(3), price_e8=ask // 2)
    pit.matching.amend(order, resting, START_MS)
    assert (order.remaining_e8, order.open) == (to_e8("2.5"), True)
    assert order.locked_e8 == notional_e8(ask // 2, to_e8("2.5"))
    crossing = Ticket(symbol=BTC, side=Side.BUY, quantity_e8=to_e8("0.51"), price_e8=ask)
    pit.matching.amend(order, crossing, START_MS)
    assert (order.state, len(order.fills)) == (State.FILLED, 2)
    assert [what for what, _ in pit.told].count(What.AMENDED) == 2
    assert pit.account.open_orders == []


def test_an_amendment_that_cannot_be_changes_nothing(pit: Pit) -> None:
    """Neither one below what is filled, nor one that the account cannot pay."""
    order = pit.rest(Side.BUY, "2")
    pit.matching.fill(order, START_MS, quantity_e8=to_e8(1))
    before = (order.ticket, order.quantity_e8, order.locked_e8)
    for quantity in (1, 10_000):
        ticket = Ticket(
            symbol=BTC, side=Side.BUY, quantity_e8=to_e8(quantity), price_e8=order.ticket.price_e8
        )
        with pytest.raises(OrderRejected):
            pit.matching.amend(order, ticket, START_MS)
    assert (order.ticket, order.quantity_e8, order.locked_e8) == before
