"""The books of the simulated matching balance, whatever customers and market do."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from foxtrot.errors import OrderRejected
from foxtrot.simulator.accounts import Account, Order, Side, State, Ticket, TimeInForce
from foxtrot.simulator.listings import notional_e8, to_e8
from foxtrot.simulator.market import Market
from foxtrot.simulator.matching import Matching, Report

SYMBOL = "ETHBTC"
START_MS = 1_700_000_000_000
BALANCES = {"ETH": 3_000, "BTC": 200}

sides = st.sampled_from(Side)
lots = st.integers(1, 10_000_000)
levels = st.integers(-5, 5) | st.integers(-500, 500)


class Customers(RuleBasedStateMachine):
    """Two accounts that do what they like in a market that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.market = Market.of([SYMBOL], seed=3, now_ms=START_MS)
        self.item = self.market.listings[SYMBOL]
        self.matching = Matching(self.market, seed=3)
        self.reports = 0
        self.told: dict[int, int] = {}
        self.matching.on_report = self.take
        self.accounts = [Account(name, BALANCES) for name in ("a", "b")]
        self.now_ms = START_MS
        self.market.on_step = lambda step: self.matching.step(step, step.time_ms)

    def take(self, report: Report) -> None:
        """Add up what the reports tell."""
        self.reports += 1
        if report.fill is not None:
            order_id = report.order.order_id
            self.told[order_id] = self.told.get(order_id, 0) + report.fill.quantity_e8

    def price(self, level: int) -> int:
        """A price so many levels above the best bid."""
        return self.market.quote(SYMBOL).bid_e8 + level * self.item.gap_e8

    def place(self, account: int, **fields: object) -> None:
        ticket = Ticket(symbol=SYMBOL, client_id=f"c{self.reports}", **fields)
        try:
            self.matching.place(self.accounts[account], ticket, self.now_ms)
        except OrderRejected:
            return

    @property
    def orders(self) -> list[Order]:
        return [order for account in self.accounts for order in account.orders]

    @rule(
        account=st.integers(0, 1),
        side=sides,
        size=lots,
        level=levels,
        tif=st.sampled_from(TimeInForce),
        post_only=st.booleans(),
    )
    def limit(
        self, account: int, side: Side, size: int, level: int, tif: TimeInForce, post_only: bool
    ) -> None:
        quantity, price = size * self.item.step_e8 // 100, self.price(level)
        quantity = max(self.item.step_e8, quantity // self.item.step_e8 * self.item.step_e8)
        self.place(
            account, side=side, quantity_e8=quantity, price_e8=price, tif=tif, post_only=post_only
        )

    @rule(account=st.integers(0, 1), side=sides, size=lots)
    def at_market(self, account: int, side: Side, size: int) -> None:
        self.place(account, side=side, quantity_e8=size // 50 * self.item.step_e8 + to_e8(0.01))

    @rule(account=st.integers(0, 1), side=sides, budget=st.integers(1, to_e8(2)))
    def with_a_budget(self, account: int, side: Side, budget: int) -> None:
        self.place(account, side=side, budget_e8=budget)

    @rule(
        account=st.integers(0, 1),
        side=sides,
        level=levels,
        above=st.booleans(),
        limited=st.booleans(),
    )
    def stop(self, account: int, side: Side, level: int, above: bool, limited: bool) -> None:
        price = self.price(level)
        self.place(
            account,
            side=side,
            quantity_e8=to_e8(3),
            stop_e8=price,
            price_e8=price if limited else None,
            above=above,
        )

    @precondition(lambda self: any(order.open for order in self.orders))
    @rule(which=st.integers(0, 99), expire=st.booleans())
    def end(self, which: int, expire: bool) -> None:
        standing = [order for order in self.orders if order.open]
        order = standing[which % len(standing)]
        (self.matching.expire if expire else self.matching.cancel)(order, self.now_ms)

    @precondition(lambda self: any(order.resting for order in self.orders))
    @rule(which=st.integers(0, 99), part=st.integers(1, 4))
    def force(self, which: int, part: int) -> None:
        resting = [order for order in self.orders if order.resting]
        order = resting[which % len(resting)]
        quantity = max(1, order.remaining_e8 // part)
        self.matching.fill(order, self.now_ms, quantity_e8=quantity)

    @rule(steps=st.integers(1, 5))
    def step(self, steps: int) -> None:
        for _ in range(steps):
            self.now_ms = self.market.tick(SYMBOL).time_ms

    @rule(level=levels)
    def jump(self, level: int) -> None:
        self.now_ms = self.market.set_quote(SYMBOL, self.price(level) / 10**8).time_ms

    @invariant()
    def books_balance(self) -> None:
        """Nothing is negative, and every unit that came or went is in a fill."""
        for account in self.accounts:
            total = {asset: to_e8(amount) for asset, amount in BALANCES.items()}
            for fill in account.fills:
                sign = 1 if fill.side is Side.BUY else -1
                total["ETH"] += sign * fill.quantity_e8
                total["BTC"] -= sign * fill.turnover_e8
                total[fill.fee_asset] -= fill.fee_e8
            for asset, balance in account.balances.items():
                assert balance.free_e8 >= 0
                assert balance.locked_e8 >= 0
                assert balance.free_e8 + balance.locked_e8 == total[asset]

    @invariant()
    def what_is_locked_stands_behind_an_order(self) -> None:
        """Open orders lock what they may spend, ended ones nothing."""
        for account in self.accounts:
            for asset, side in (("BTC", Side.BUY), ("ETH", Side.SELL)):
                orders = [o for o in account.open_orders if o.ticket.side is side]
                locked = sum(order.locked_e8 for order in orders)
                assert account.balance(asset).locked_e8 == locked
        assert all(order.open or not order.locked_e8 for order in self.orders)

    @invariant()
    def fills_add_up(self) -> None:
        """Orders, fills and reports tell the same, and no fill is beyond its limit."""
        ids = [fill.trade_id for account in self.accounts for fill in account.fills]
        assert len(ids) == len(set(ids))
        for order in self.orders:
            assert order.filled_e8 == sum(fill.quantity_e8 for fill in order.fills)
            assert order.turnover_e8 == sum(fill.turnover_e8 for fill in order.fills)
            assert order.filled_e8 == self.told.get(order.order_id, 0)
            assert (order.state is State.FILLED) == (order.remaining_e8 == 0)
            assert order.remaining_e8 >= 0
            for fill in order.fills:
                assert fill.turnover_e8 == notional_e8(fill.price_e8, fill.quantity_e8)
                limit = order.ticket.price_e8
                if limit is not None:
                    gain = limit - fill.price_e8
                    assert gain >= 0 if fill.side is Side.BUY else gain <= 0


TestCustomers = Customers.TestCase


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    side=sides,
    ranks=st.lists(st.integers(0, 2), min_size=2, max_size=6),
)
def test_who_stands_in_front_is_served_first(seed: int, side: Side, ranks: list[int]) -> None:
    """In every step the better price, and at one price the older order, is filled up first."""
    market = Market.of([SYMBOL], seed=seed, now_ms=START_MS)
    matching, account = Matching(market, seed=seed), Account("a", BALANCES)
    market.on_step = lambda step: matching.step(step, step.time_ms)
    quote, gap = market.quote(SYMBOL), market.listings[SYMBOL].gap_e8
    best, away = (quote.bid_e8, -gap) if side is Side.BUY else (quote.ask_e8, gap)
    orders = [
        matching.place(
            account,
            Ticket(
                symbol=SYMBOL,
                side=side,
                quantity_e8=to_e8(20),
                price_e8=best + rank * away,
                client_id=f"c{number}",
            ),
            START_MS,
        )
        for number, rank in enumerate(ranks)
    ]
    queue = [order for _, order in sorted(zip(ranks, orders, strict=True), key=lambda e: e[0])]
    for number in range(40):
        before = [order.filled_e8 for order in queue]
        if number == 20:
            market.set_quote(SYMBOL, (best + 4 * away) / 10**8)
        else:
            market.tick(SYMBOL)
        served = [order.filled_e8 > had for order, had in zip(queue, before, strict=True)]
        for (ahead, _), (_, behind_served) in pairwise(zip(queue, served, strict=True)):
            assert not behind_served or ahead.state is State.FILLED
