"""Whatever becomes of orders, in whatever order it is told: the ledger is never short of one."""

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.core.settings import RiskLimits
from foxtrot.engine.risk import Ledger, refusal
from foxtrot.execution.reports import exact
from foxtrot.model.constants import Direction, Exchange, OrderType, Status
from foxtrot.model.objects import OrderData, TradeData
from foxtrot.model.requests import OrderRequest

LIMIT = 10
A = "A.BINANCE"
SIDES = (Direction.LONG, Direction.SHORT)


class Venue:
    """Orders and fills at a venue, and what of them was not told yet."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.ledger = dice, Ledger()
        self.orders: dict[str, tuple[OrderRequest, Decimal, Status]] = {}
        self.untold: list[OrderData | TradeData] = []
        self.position = Decimal(0)

    def send(self, direction: Direction, volume: float) -> None:
        """Send what the limit allows."""
        request = OrderRequest("A", Exchange.BINANCE, direction, OrderType.LIMIT, volume, 1.0)
        if refusal(RiskLimits(max_position=LIMIT), self.ledger, request, lambda name: 1.0):
            return
        orderid = str(len(self.orders))
        self.ledger.sent(f"FAKE.{orderid}", request)
        self.orders[orderid] = (request, Decimal(0), Status.NOTTRADED)

    def fill(self, share: float) -> None:
        """Fill a part of some open order, or all of it."""
        if (chosen := self._open()) is None:
            return
        request, traded, _ = self.orders[chosen]
        left = exact(request.volume) - traded
        volume = left if share > 0.5 else min(left, Decimal(1))
        status = Status.ALLTRADED if volume == left else Status.PARTTRADED
        self.position += volume if request.direction is Direction.LONG else -volume
        self._now(chosen, traded + volume, status)
        self.untold.append(
            TradeData(
                "FAKE",
                "A",
                Exchange.BINANCE,
                chosen,
                "t",
                request.direction,
                price=1.0,
                volume=float(volume),
            )
        )

    def cancel(self) -> None:
        """Cancel some open order."""
        if (chosen := self._open()) is not None:
            self._now(chosen, self.orders[chosen][1], Status.CANCELLED)

    def tell(self) -> None:
        """Tell something that happened; states of one order in their order, fills in any."""
        if not self.untold:
            return
        item = self.dice.choice(self.untold)
        first = next(
            each
            for each in self.untold
            if type(each) is type(item) and each.orderid == item.orderid
        )
        self.untold.remove(first)
        if isinstance(first, OrderData):
            self.ledger.on_order(first)
        else:
            self.ledger.on_trade(first)

    def _open(self) -> str | None:
        closed = (Status.ALLTRADED, Status.CANCELLED)
        choices = [key for key, (_, _, status) in self.orders.items() if status not in closed]
        return self.dice.choice(choices) if choices else None

    def _now(self, orderid: str, traded: Decimal, status: Status) -> None:
        request = self.orders[orderid][0]
        self.orders[orderid] = (request, traded, status)
        self.untold.append(
            OrderData(
                "FAKE",
                "A",
                Exchange.BINANCE,
                orderid,
                direction=request.direction,
                volume=request.volume,
                traded=float(traded),
                status=status,
            )
        )


@given(st.integers(0, 2**32), st.integers(1, 120))
def test_the_position_at_the_venue_never_passes_the_limit(seed: int, steps: int) -> None:
    """However late orders and fills are told; and when all is told, the ledger agrees."""
    dice = random.Random(seed)
    venue = Venue(dice)
    for _ in range(steps):
        choice = dice.random()
        if choice < 0.3:
            venue.send(dice.choice(SIDES), dice.choice([0.5, 1.0, 3.0, 7.5]))
        elif choice < 0.5:
            venue.fill(dice.random())
        elif choice < 0.6:
            venue.cancel()
        else:
            venue.tell()
        assert abs(venue.position) <= LIMIT, f"seed {seed}"
    while venue.untold:
        venue.tell()
    assert venue.ledger.position(A) == venue.position, f"seed {seed}"
    still_open = {
        f"FAKE.{key}": (request, traded)
        for key, (request, traded, status) in venue.orders.items()
        if status in (Status.NOTTRADED, Status.PARTTRADED)
    }
    assert list(venue.ledger.active_orders()) == list(still_open)
    for side in SIDES:
        left = [
            exact(r.volume) - traded for r, traded in still_open.values() if r.direction is side
        ]
        assert venue.ledger.pending(A, side) == sum(left), f"seed {seed}"
