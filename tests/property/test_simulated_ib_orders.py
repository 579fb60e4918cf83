"""Whatever clients, hands and the market do, the simulated TWS tells one story of every order."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot.simulator.accounts import Side
from foxtrot.simulator.ib import SimulatedIb
from foxtrot.simulator.ib_requests import CancelOrder, ContractQuery, PlaceOrder, ReqGlobalCancel
from foxtrot.simulator.listings import E8

AAPL = ContractQuery(symbol="AAPL", sec_type="STK", exchange="SMART", currency="USD")
PRICE = 224.5
"""About where this market begins."""
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(["BUY", "SELL"]),
            st.sampled_from(["LMT", "MKT", "STP", "STP LMT"]),
            st.integers(1, 3_000),
            st.integers(-3, 3),
            st.sampled_from(["DAY", "GTC", "IOC", "FOK"]),
        ),
        st.tuples(st.just("amend"), st.integers(0, 9), st.integers(1, 90), st.integers(-3, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 50)),
        st.tuples(st.just("move"), st.integers(-4, 4)),
        st.tuples(st.just("tick")),
        st.tuples(st.just("midnight")),
        st.tuples(st.just("panic")),
    ),
    min_size=5,
    max_size=40,
)


class Client(SimpleNamespace):
    """A connection that keeps what it is told, as fields."""

    def __init__(self) -> None:
        super().__init__(number=1, client_id=1, version=176, joined=True, path="client/1")
        self.told: list[list[str]] = []

    def deliver(self, data: bytes) -> None:
        self.told.append(data[4:].decode().split("\0")[:-1])

    def error(self, error_id: int, code: int, text: str) -> None:
        self.told.append(["4", "2", str(error_id), str(code), text])


class Story:
    """One client at one gateway that listens to no port."""

    def __init__(self) -> None:
        self.sim = SimulatedIb(("AAPL",), rate_hz=0)
        self.client = Client()
        self.sim._connections[1] = self.client
        self.placed: list[PlaceOrder] = []

    def play(self, step: tuple) -> None:
        """One step."""
        name, *args = step
        getattr(self, f"_{name}")(*args)

    def _place(self, action: str, kind: str, quantity: int, offset: int, tif: str) -> None:
        order_id = self.sim.next_order_id(1)
        fields = dict.fromkeys(PlaceOrder.__struct_fields__, "")
        fields |= {
            "order_id": order_id,
            "contract": AAPL,
            "action": action,
            "quantity": float(quantity),
            "order_type": kind,
            "limit_price": PRICE + offset if "LMT" in kind else None,
            "aux_price": PRICE - offset if "STP" in kind else None,
            "tif": tif,
            "order_ref": f"ref-{order_id}",
            "transmit": True,
            "parent_id": 0,
            "outside_rth": False,
            "hidden": False,
            "all_or_none": False,
            "what_if": False,
        }
        self.placed.append(PlaceOrder(**fields))
        self.sim.handle(self.client, self.placed[-1])

    def _amend(self, which: int, quantity: int, offset: int) -> None:
        if self.placed:
            first = self.placed[which % len(self.placed)]
            limit = None if first.limit_price is None else PRICE + offset
            changed = msgspec.structs.replace(first, quantity=float(quantity), limit_price=limit)
            self.sim.handle(self.client, changed)

    def _cancel(self, which: int) -> None:
        if self.placed:
            order_id = self.placed[which % len(self.placed)].order_id
            self.sim.handle(self.client, CancelOrder(order_id=order_id))

    def _fill(self, which: int, quantity: int) -> None:
        resting = [each for each in self.sim.desk.held() if each.booked and each.booked.resting]
        if resting:
            order = resting[which % len(resting)]
            self.sim.desk.fill(order.perm_id, min(quantity, order.remaining_e8 // E8))

    def _move(self, offset: int) -> None:
        self.sim.desk.set_price("AAPL", PRICE + offset)

    def _tick(self) -> None:
        self.sim.tick("AAPL", 5)

    def _midnight(self) -> None:
        self.sim.desk.end_day()

    def _panic(self) -> None:
        self.sim.handle(self.client, ReqGlobalCancel())

    def statuses(self) -> dict[int, list[tuple[str, str, str]]]:
        """What was told of each order: status, filled and remaining, by permId."""
        told: dict[int, list[tuple[str, str, str]]] = {}
        for fields in self.client.told:
            if fields[0] == "3":
                told.setdefault(int(fields[6]), []).append((fields[2], fields[3], fields[4]))
        return told


@settings(max_examples=60)
@given(steps=STEPS)
def test_what_is_told_of_an_order_is_what_became_of_it(steps: list) -> None:
    """The last status is the true one, an end is told once, and fills add up to it."""
    story = Story()
    for step in steps:
        story.play(step)
    sim, statuses = story.sim, story.statuses()
    fills = [fields for fields in story.client.told if fields[0] == "11"]
    filled: Counter[int] = Counter()
    for fields in fills:
        filled[int(fields[21])] += int(fields[19])
    for order in sim.desk.held():
        told = statuses[order.perm_id]
        rest = order.terms.quantity_e8 // E8 - filled[order.perm_id]
        amounts = (str(filled[order.perm_id]), str(rest))
        assert told[-1] == (order.status, *amounts)
        assert sum(each[0] in ("Filled", "Cancelled") for each in told) == (not order.open)
        assert filled[order.perm_id] * E8 == order.filled_e8 <= order.terms.quantity_e8
        assert sum(each.quantity_e8 for each in order.executions) == order.filled_e8
    assert len({fields[14] for fields in fills}) == len(fills) == len(sim.desk.traded())
    assert len(statuses) == len(sim.desk.held())


@settings(max_examples=60)
@given(steps=STEPS)
def test_a_position_is_the_sum_of_its_fills(steps: list) -> None:
    """And the cash is what they cost, with every commission."""
    story = Story()
    for step in steps:
        story.play(step)
    account, held, cash = story.sim.desk.account(), 0, 1_000_000 * E8
    for each in story.sim.desk.traded():
        sign = 1 if each.order.side is Side.BUY else -1
        held += sign * each.quantity_e8
        cash -= sign * each.price_e8 * each.quantity_e8 // E8 + each.commission_e8
    assert sum(each.quantity_e8 for each in account.positions()) == held
    assert account.balance("USD").free_e8 == cash
