"""The ledger misses nothing that may still trade, and every limit says rule, value and limit."""

from decimal import Decimal

import msgspec
import pytest

from foxtrot.core.settings import RiskLimits
from foxtrot.engine.risk import Ledger, refusal
from foxtrot.model.constants import Direction, Exchange, OrderType, Status
from foxtrot.model.objects import OrderData, TradeData
from foxtrot.model.requests import OrderRequest

A, B = "A.BINANCE", "B.BINANCE"
LONG, SHORT = Direction.LONG, Direction.SHORT


def request(direction: Direction, volume: float, symbol: str = "A") -> OrderRequest:
    return OrderRequest(symbol, Exchange.BINANCE, direction, OrderType.LIMIT, volume, 10.0)


def order(orderid: str, volume: float, **fields: object) -> OrderData:
    fields = {"status": Status.NOTTRADED, **fields}
    made = OrderData("FAKE", "A", Exchange.BINANCE, orderid, volume=volume)
    return msgspec.structs.replace(made, **fields)


def trade(
    orderid: str, direction: Direction, volume: float, price: float = 10.0, symbol: str = "A"
) -> TradeData:
    return TradeData(
        "FAKE", symbol, Exchange.BINANCE, orderid, "t", direction, price=price, volume=volume
    )


def holding(volume: float, price: float = 10.0, symbol: str = "A") -> Ledger:
    ledger = Ledger()
    side = LONG if volume > 0 else SHORT
    ledger.on_trade(trade("before", side, abs(volume), price, symbol))
    return ledger


def at(price: float, **others: float) -> object:
    return lambda vt_symbol: others.get(vt_symbol.partition(".")[0], price)


def refused(ledger: Ledger, asked: OrderRequest, price: float = 10.0, **limits: float) -> str:
    return refusal(RiskLimits(**limits), ledger, asked, at(price))  # type: ignore[arg-type]


# ------------------------------------------------------------------ the ledger


def test_what_an_order_may_still_trade_is_pending() -> None:
    """From the moment it leaves, less what was filled, until it ends."""
    ledger = Ledger()
    ledger.sent("FAKE.1", request(LONG, 5))
    assert ledger.pending(A, LONG) == 5
    ledger.on_order(order("1", 5, status=Status.PARTTRADED, traded=2))
    ledger.on_trade(trade("1", LONG, 2))
    assert (ledger.position(A), ledger.pending(A, LONG)) == (2, 3)
    assert (ledger.pending(A, SHORT), ledger.pending(B, LONG)) == (0, 0)
    ledger.on_order(order("1", 5, status=Status.CANCELLED, traded=2))
    assert (ledger.pending(A, LONG), ledger.active_orders()) == (0, {})


@pytest.mark.parametrize("fill_first", [True, False])
def test_a_fill_between_order_and_trade_is_never_out_of_sight(fill_first: bool) -> None:
    """Whichever comes first: position and pending together are the whole order at every step."""
    ledger = Ledger()
    ledger.sent("FAKE.1", request(LONG, 5))
    steps = [
        lambda: ledger.on_order(order("1", 5, status=Status.ALLTRADED, traded=5)),
        lambda: ledger.on_trade(trade("1", LONG, 5)),
    ]
    for step in reversed(steps) if fill_first else steps:
        step()
        assert ledger.position(A) + ledger.pending(A, LONG) == 5
    assert ledger.pending(A, LONG) == 0


def test_a_rejected_order_is_nothing() -> None:
    """It never was at the venue."""
    ledger = Ledger()
    ledger.sent("FAKE.1", request(LONG, 5))
    ledger.on_order(order("1", 5, status=Status.REJECTED))
    assert (ledger.pending(A, LONG), ledger.active_orders()) == (0, {})


def test_an_order_that_was_made_smaller_counts_with_its_new_volume() -> None:
    """A modified order may trade what it says now."""
    ledger = Ledger()
    ledger.sent("FAKE.1", request(LONG, 5))
    ledger.on_order(order("1", 3))
    assert ledger.pending(A, LONG) == 3


def test_profit_is_cash_and_what_is_held_at_the_last_price() -> None:
    """By the size of the contract; nothing is held, nothing needs a price."""
    ledger = Ledger()
    ledger.on_trade(trade("1", SHORT, 2, 100), size=10)
    assert ledger.profit(lambda vt_symbol: 97.5) == 50
    assert ledger.profit(lambda vt_symbol: 0.0) is None
    assert ledger.profit(lambda vt_symbol: float("nan")) is None
    ledger.on_trade(trade("2", LONG, 2, 101), size=10)
    assert ledger.profit(lambda vt_symbol: 0.0) == -20
    assert ledger.positions() == {}


def test_a_fill_without_a_side_is_no_guess() -> None:
    """It raises: whoever reads positions must not go on with a wrong one."""
    with pytest.raises(KeyError):
        Ledger().on_trade(trade("1", Direction.NET, 1))


# ------------------------------------------------------------------ the limits


def test_without_limits_everything_passes() -> None:
    """0 is no limit."""
    assert refused(holding(1e9), request(LONG, 1e9), 1e-9) == ""


@pytest.mark.parametrize(
    ("held", "direction", "volume", "problem"),
    [
        (0, LONG, 5, ""),
        (0, LONG, 5.1, "could be 5.1 long"),
        (0, SHORT, 5.1, "could be 5.1 short"),
        (3, LONG, 2.5, "could be 5.5 long"),
        (3, SHORT, 8, ""),
        (3, SHORT, 8.5, "could be 5.5 short"),
        (-9, LONG, 9, ""),
        (-9, LONG, 15, "could be 6 long"),
        (9, LONG, 0.1, "could be 9.1 long"),
        (9, SHORT, 1, ""),
    ],
)
def test_a_position_is_limited_to_both_sides(
    held: float, direction: Direction, volume: float, problem: str
) -> None:
    """What brings it nearer to 0 always passes."""
    ledger = holding(held) if held else Ledger()
    text = refused(ledger, request(direction, volume), max_position=5)
    assert text == (f"risk_position: {A} {problem}, the limit is 5" if problem else "")


def test_open_orders_count_as_if_they_had_traded() -> None:
    """Ten orders of one are a position of ten; the other side's do not make up for them."""
    ledger = Ledger()
    ledger.sent("FAKE.1", request(LONG, 4))
    ledger.sent("FAKE.2", request(SHORT, 4))
    assert refused(ledger, request(LONG, 1), max_position=5) == ""
    text = "risk_position: A.BINANCE could be 6 long, the limit is 5"
    assert refused(ledger, request(LONG, 2), max_position=5) == text
    assert refused(ledger, request(LONG, 5, "B"), max_position=5) == ""


def test_open_orders_are_limited_in_number() -> None:
    """Those that ended do not count."""
    ledger = Ledger()
    ledger.sent("FAKE.1", request(LONG, 1))
    ledger.sent("FAKE.2", request(LONG, 1))
    text = "risk_open_orders: 2 of this strategy are open, the limit is 2"
    assert refused(ledger, request(LONG, 1), max_open_orders=2) == text
    ledger.on_order(order("2", 1, status=Status.CANCELLED))
    assert refused(ledger, request(LONG, 1), max_open_orders=2) == ""


@pytest.mark.parametrize(
    ("held", "price", "direction", "volume", "problem"),
    [
        (10, 9.01, LONG, 1, ""),
        (10, 9, LONG, 1, "this strategy has lost 10"),
        (10, 9, SHORT, 10, ""),
        (10, 9, SHORT, 10.5, "this strategy has lost 10"),
        (-10, 11.25, SHORT, 1, "this strategy has lost 12.5"),
        (-10, 11.25, LONG, 10, ""),
        (10, 0, LONG, 1, "what is held has no price yet"),
        (10, 0, SHORT, 1, ""),
    ],
)
def test_a_loss_stops_all_but_the_way_out(
    held: float, price: float, direction: Direction, volume: float, problem: str
) -> None:
    """Without a price the loss is not known, and what could make it worse is refused."""
    text = refused(holding(held), request(direction, volume), price, max_loss=10)
    assert text == (f"risk_loss: {problem}, the limit is 10" if problem else "")


def test_the_way_out_is_open_once() -> None:
    """An order to close beside one that closes already would turn the position."""
    ledger = holding(10)
    ledger.sent("FAKE.1", request(SHORT, 10))
    assert refused(ledger, request(SHORT, 1), 5, max_loss=10).startswith("risk_loss")


def test_a_number_that_is_none_is_never_within_a_limit() -> None:
    """It raises, which the caller takes for a refusal; it does not compare as small."""
    with pytest.raises(ArithmeticError):
        refused(Ledger(), request(LONG, float("nan")), max_position=5)


def test_numbers_are_shown_plainly() -> None:
    """As a person would write them."""
    ledger = holding(0.1)
    text = refused(ledger, request(LONG, 1_000_000), max_position=1_000_000)
    assert text == "risk_position: A.BINANCE could be 1000000.1 long, the limit is 1000000"
    assert Decimal("1E+6") == 1_000_000
