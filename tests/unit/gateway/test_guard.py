"""No order passes around the guard, and each refusal says which rule, limit and value."""

import math
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import msgspec
import pytest

from foxtrot.core.settings import FeatureFlags
from foxtrot.gateway.guard import STORM_PAUSE_S, Guard, Market
from foxtrot.model.constants import Direction, Exchange, OrderType, Product, StreamState
from foxtrot.model.objects import ContractData, Source, TickData
from foxtrot.model.requests import OrderRequest
from tests.support.clock import ManualClock

CONTRACT = ContractData(
    "FAKE", "BTCUSDT", Exchange.BINANCE, "BTCUSDT", Product.SPOT, 1.0, 0.01,
    min_volume=0.001, max_volume=100.0, volume_step=0.001, min_notional=5.0,
)  # fmt: skip
SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "FAKE")


def tick(
    clock: ManualClock, bid: float = 99.0, ask: float = 101.0, last: float = 100.0
) -> TickData:
    """A tick that came just now."""
    return TickData(SOURCE, 0, clock.time_ns(), last, 1.0, bid, 1.0, ask, 1.0)


class Desk:
    """A guard over settings that a test may change, and what it knows of the market."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.flags = FeatureFlags()
        self.guard = Guard(lambda: self.flags, self.clock.monotonic)
        self.contract: ContractData | None = CONTRACT
        self.tick: TickData | None = tick(self.clock)
        self.stream: StreamState | None = StreamState.ACTIVE
        self._sent = 0

    def set(self, **flags: float) -> None:
        """Change flags by their dotted keys, written with two underscores."""
        given = {key.replace("__", "."): value for key, value in flags.items()}
        self.flags = FeatureFlags.model_validate(given)

    def market(self) -> Market:
        """What is known now."""
        return Market(self.contract, self.tick, self.stream, self.clock.time_ns())

    def ask(self, **changes: object) -> str:
        """The verdict on a good order, but for the changes."""
        self._sent += 1
        return self.guard.admit(f"o-{self._sent}", order(**changes), self.market())


def order(**changes: object) -> OrderRequest:
    """A limit order that fits the contract and every default cap."""
    base = OrderRequest("BTCUSDT", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 1.0, 100.0)
    return msgspec.structs.replace(base, **changes)


@pytest.fixture
def desk() -> Desk:
    """A guard with the default caps and a live market."""
    return Desk()


def test_a_good_order_passes(desk: Desk) -> None:
    """An order that breaks no rule is admitted."""
    assert desk.ask() == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"volume": 0.0}, "volume: 0.0 is not a number above 0"),
        ({"volume": math.nan}, "volume: nan is not a number above 0"),
        ({"volume": math.inf}, "volume: inf is not a number above 0"),
        ({"volume": True}, "volume: True is not a number above 0"),
        ({"price": "100"}, "price: '100' is not a number above 0"),
        ({"price": -1.0}, "price: -1.0 is not a number above 0"),
        ({"type": OrderType.STOP_LIMIT}, "stop_price: 0.0 is not a number above 0"),
        ({"direction": Direction.NET}, "direction: <Direction.NET: 'Net'> is neither"),
        ({"volume": 0.0001}, "volume: 0.0001 is below the contract's least of 0.001"),
        ({"volume": 101.0}, "volume: 101.0 is above the contract's most of 100.0"),
        ({"volume": 0.0015}, "volume: 0.0015 is not a multiple of the step 0.001; 0.001 and 0.002"),
        (
            {"price": 100.005},
            "price: 100.005 is not a multiple of the step 0.01; 100 and 100.01",
        ),
        ({"volume": 0.01}, "notional: 1.000 is below the contract's least of 5.0"),
    ],
)
def test_a_number_that_cannot_be_sent_is_refused(
    desk: Desk, changes: dict[str, object], words: str
) -> None:
    """A refusal names the field, its value and what would fit; nothing is rounded."""
    assert desk.ask(**changes).startswith(words)


def test_a_price_as_a_person_writes_it_is_on_the_step(desk: Desk) -> None:
    """Binary fractions do not make an exact price look off its step."""
    for price in (100.1, 100.29, 99.57, 104.03):
        assert desk.ask(price=price) == ""


def test_a_price_of_another_band_has_another_step(desk: Desk) -> None:
    """In Hong Kong the step depends on the price: a stop far below may be finer than the market."""
    desk.contract = msgspec.structs.replace(CONTRACT, pricetick=0.2, least_pricetick=0.001)
    assert desk.ask(price=99.9) == ""
    assert desk.ask(price=99.9995).startswith("price: 99.9995 is not a multiple of the step 0.001")


def test_an_unknown_contract_is_refused(desk: Desk) -> None:
    """Without the contract nothing can be checked, so nothing is sent."""
    desk.contract = None
    assert desk.ask().startswith("contract: BTCUSDT.BINANCE is not known")


def test_the_caps_on_size_refuse_with_limit_and_value(desk: Desk) -> None:
    """Volume and notional are capped."""
    desk.set(orders__max_volume=2.0, orders__max_notional=150.0)
    assert desk.ask(volume=3.0) == "max_volume: 3.0 is above the limit of 2.000000"
    assert desk.ask(volume=2.0).startswith("max_notional: 200.00 is above the limit of 150")
    assert desk.ask(volume=1.0) == ""


def test_a_notional_counts_the_multiplier_of_the_contract(desk: Desk) -> None:
    """Two futures of 50 at 100 are 10,000, whether the contract is known or looked up."""
    desk.contract = future = msgspec.structs.replace(CONTRACT, size=50.0)
    desk.set(orders__max_notional=5_000.0)
    words = "max_notional: 10000.0 is above the limit of 5000"
    assert desk.ask(volume=2.0).startswith(words)
    assert desk.ask(volume=1.0) == ""
    assert desk.guard.judge_contract(order(volume=2.0), future).startswith(words)
    assert desk.guard.judge_contract(order(volume=1.0), future) == ""


def test_a_cap_of_zero_is_no_cap(desk: Desk) -> None:
    """Who switches a cap off has no cap."""
    desk.set(orders__max_volume=0, orders__max_notional=0, orders__price_collar=0)
    assert desk.ask(volume=100.0, price=10_000.0) == ""


def test_a_market_order_is_capped_by_the_last_prices(desk: Desk) -> None:
    """A market order's notional is that of the other side's best price."""
    desk.set(orders__max_notional=100.5)
    assert desk.ask(type=OrderType.MARKET, price=0.0).startswith("max_notional: 101.00")
    assert desk.ask(type=OrderType.MARKET, price=0.0, direction=Direction.SHORT) == ""


def test_a_market_order_without_any_price_asks_for_one(desk: Desk) -> None:
    """Where no price is known the venue has to be asked before the order may go."""
    desk.tick, desk.stream = None, None
    request = order(type=OrderType.MARKET, price=0.0)
    assert desk.guard.unpriced(request, desk.market())
    judge = desk.guard.judge_notional
    assert judge(request, Decimal(2_000_000), desk.contract).startswith("max_notional")
    assert judge(request, Decimal(100), desk.contract) == ""


@pytest.mark.parametrize(
    ("direction", "price", "refused"),
    [
        (Direction.LONG, 111.11, True),
        (Direction.LONG, 111.1, False),
        (Direction.LONG, 50.0, False),
        (Direction.SHORT, 89.09, True),
        (Direction.SHORT, 89.1, False),
        (Direction.SHORT, 150.0, False),
    ],
)
def test_the_collar_stops_a_price_that_hurts(
    desk: Desk, direction: Direction, price: float, refused: bool
) -> None:
    """A limit price may be better than the market by any amount, worse only within the collar."""
    verdict = desk.ask(direction=direction, price=price)
    assert verdict.startswith("price_collar:") is refused


def test_a_stop_limit_is_collared_by_its_own_stop(desk: Desk) -> None:
    """A stop far from the market is fine; its limit has to be near the stop."""
    far = {"type": OrderType.STOP_LIMIT, "stop_price": 200.0}
    assert desk.ask(price=201.0, **far) == ""
    assert desk.ask(price=221.0, **far).startswith("price_collar:")


def test_a_stop_price_that_is_not_sent_moves_no_collar(desk: Desk) -> None:
    """A limit order has none; what a script left in the field would let any price pass."""
    assert desk.ask(price=1000.0, stop_price=1000.0).startswith("price_collar:")


@pytest.mark.parametrize("state", [StreamState.STALE, StreamState.FAILED])
def test_prices_that_lie_stop_orders(desk: Desk, state: StreamState) -> None:
    """A stale or failed stream refuses orders of its symbol."""
    desk.stream = state
    assert desk.ask() == f"stale_data: the prices of this symbol are {state.value}"


def test_an_old_tick_stops_orders_unless_the_market_is_quiet(desk: Desk) -> None:
    """Age counts while the stream is thought to move; a quiet market's price is good."""
    desk.clock.advance(31.0)
    assert desk.ask() == "stale_data: the last tick is 31.0 s old, the limit is 30 s"
    desk.stream = StreamState.QUIET
    assert desk.ask() == ""


def test_an_order_before_the_first_tick_is_refused(desk: Desk) -> None:
    """Who subscribed is told to wait for the first price."""
    desk.tick = None
    assert desk.ask() == "stale_data: no price of this symbol has come yet"


def test_orders_per_second_are_capped_in_any_second(desk: Desk) -> None:
    """The window rolls; a refused order takes no place in it."""
    desk.set(orders__max_per_second=2)
    assert [desk.ask(), desk.ask()] == ["", ""]
    desk.clock.advance(0.9)
    assert desk.ask() == "max_per_second: 2 in this second, the limit is 2"
    desk.clock.advance(0.2)
    assert desk.ask() == ""


def test_open_orders_are_capped_until_one_ends(desk: Desk) -> None:
    """An ended order makes room; ending twice makes no more of it."""
    desk.set(orders__max_open=1)
    desk.guard.opened("before")
    assert desk.ask() == "max_open: 1 are open, the limit is 1"
    desk.guard.ended("before")
    desk.guard.ended("before")
    assert [desk.ask(), desk.ask()[:8]] == ["", "max_open"]


def test_the_caps_hold_with_many_threads(desk: Desk) -> None:
    """However many threads send, no more than the cap is admitted."""
    desk.set(orders__max_open=5, orders__max_per_second=1000)
    with ThreadPoolExecutor(16) as pool:
        verdicts = list(
            pool.map(lambda n: desk.guard.admit(str(n), order(), desk.market()), range(200))
        )
    assert verdicts.count("") == 5


def test_halted_refuses_everything_until_resumed(desk: Desk) -> None:
    """The gate is shut at once and opened only by hand."""
    desk.guard.halt("fat finger")
    assert desk.ask() == "halted: fat finger; resume() lets orders pass again"
    desk.guard.resume()
    assert desk.ask() == ""


def test_a_venue_that_says_wait_is_obeyed(desk: Desk) -> None:
    """The longest hold counts, and it ends by itself."""
    desk.guard.hold(10.0, "too many orders")
    desk.guard.hold(1.0, "shorter")
    assert desk.ask() == "held: too many orders; 10 s left"
    desk.clock.advance(10.0)
    assert desk.ask() == ""


def test_a_storm_of_rejections_pauses_trading(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Rejections in a row pause new orders; an accepted one between them starts over."""
    desk.set(orders__max_rejections=2)
    desk.guard.rejected("fx-1")
    desk.guard.accepted("fx-2")
    desk.guard.rejected("fx-3")
    assert desk.ask() == ""
    desk.guard.rejected("fx-4")
    assert "reject_storm" in caplog.text
    assert desk.ask().startswith("held: the venue rejected too many orders in a row; 30 s left")
    desk.clock.advance(STORM_PAUSE_S)
    assert desk.ask() == ""


def test_orders_that_are_taken_and_then_rejected_are_a_storm_too(desk: Desk) -> None:
    """The exchange may say no after the venue said yes; the same order counts once."""
    desk.set(orders__max_rejections=2)
    for orderid in ("fx-1", "fx-2"):
        desk.guard.accepted(orderid)
    for _ in range(2):
        desk.guard.rejected("fx-1")
    assert desk.ask() == ""
    desk.guard.rejected("fx-2")
    assert desk.ask().startswith("held: the venue rejected too many orders in a row")


def test_a_rule_that_breaks_refuses(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The guard fails closed."""
    desk.flags = None  # type: ignore[assignment]
    assert desk.ask().startswith("guard: a rule could not be judged")
    assert "guard_failed" in caplog.text
