"""Whatever OpenD says of orders: what comes out is believable, or it is refused whole."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.futu import evidence, order_mapping
from foxtrot.adapter.futu.order_mapping import CN, HK, HKCC, US
from foxtrot.adapter.futu.symbols import Security
from foxtrot.errors import (
    AuthenticationError,
    ConnectionClosed,
    FoxtrotError,
    MalformedMessage,
    NotSupported,
    PermissionDenied,
    RateLimited,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)
from foxtrot.execution.reports import TERMINAL, OrderIntent, OrderState, exact
from foxtrot.gateway.trading import Doubtful, NotSent, Refused
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest
from tests.support.futu_wire_orders import deal, order

TENCENT = Security(1, "00700")
NAME = ("00700", Exchange.SEHK)
ENDED = {3, 11, 14, 15, 21, 22, 23, 24}
ALIVE = {0, 1, 2, 5, 10, 12, 13}
SAYS_NOTHING = {-1, 4, 16, 99}

amounts = st.floats(min_value=1e-8, max_value=1e12, allow_nan=False)
floats = st.floats(allow_nan=True, allow_infinity=True)
lots = st.integers(0, 10_000)
statuses = st.one_of(
    st.sampled_from([-1, *range(6), *range(10, 16), *range(21, 25)]), st.integers(-9, 99)
)
requests = st.builds(
    OrderRequest,
    symbol=st.just(NAME[0]),
    exchange=st.just(NAME[1]),
    direction=st.sampled_from([Direction.LONG, Direction.SHORT]),
    type=st.sampled_from(sorted(order_mapping.ORDER_TYPES, key=lambda each: each.value)),
    volume=amounts,
    price=amounts,
    stop_price=amounts,
)


@given(requests)
def test_what_is_sent_and_shown_again_is_what_was_asked_for(request: OrderRequest) -> None:
    """An order that OpenD echoes has the terms of its request, to the last digit."""
    intent = OrderIntent("fx-1", request, 1)
    sent = order_mapping.terms(intent, TENCENT, (HK, US), real=True, venue="FUTU")
    shown = order_mapping.order_report(
        order(
            trdSide=sent.side,
            orderType=sent.kind,
            qty=sent.quantity,
            price=sent.price or 0.0,
            auxPrice=sent.stop_price or 0.0,
            secMarket=sent.sec_market,
        ),
        NAME,
    )

    assert shown is not None
    assert (shown.direction, shown.type) == (request.direction, request.type)
    assert shown.volume == exact(request.volume)
    assert shown.price in (0, exact(request.price))
    assert shown.stop_price in (0, exact(request.stop_price))
    assert (sent.trd_market, sent.sec_market, sent.code) == (HK, 1, "00700")


@pytest.mark.parametrize(
    ("security", "markets", "real", "type_"),
    [
        (Security(11, "AAPL"), (HK,), False, OrderType.LIMIT),
        (Security(11, "AAPL"), (HK, US), True, OrderType.FOK),
        (TENCENT, (HK,), False, OrderType.STOP),
        (TENCENT, (HK,), True, OrderType.POST_ONLY),
    ],
)
def test_what_futu_does_not_take_is_never_sent(
    security: Security, markets: tuple[int, ...], real: bool, type_: OrderType
) -> None:
    """Another account's market, and kinds of orders that there are not: refused here, in words."""
    request = OrderRequest(security.code, Exchange.SMART, Direction.LONG, type_, 100.0, 1.0)
    with pytest.raises(NotSupported):
        order_mapping.terms(
            OrderIntent("fx-1", request, 1), security, markets, real=real, venue="FUTU"
        )


@pytest.mark.parametrize(("markets", "reached_by"), [((CN,), CN), ((HK, US, HKCC), HKCC)])
def test_mainland_stocks_are_reached_by_the_way_the_account_has(
    markets: tuple[int, ...], reached_by: int
) -> None:
    """A practice account trades China itself, a real one by way of Hong Kong; for the day."""
    request = OrderRequest("600519", Exchange.SSE, Direction.LONG, OrderType.LIMIT, 100.0, 1.0)
    intent, moutai = OrderIntent("fx-1", request, 1), Security(21, "600519")
    sent = order_mapping.terms(intent, moutai, markets, real=HKCC in markets, venue="FUTU")
    assert (sent.trd_market, sent.sec_market, sent.tif) == (reached_by, 31, 0)


@given(statuses, lots, lots)
def test_a_status_proves_what_it_says_and_no_more(status: int, traded: int, volume: int) -> None:
    """An end is a documented end, or all traded; what is timed out or unknown proves nothing."""
    shown = order_mapping.order_report(
        order(orderStatus=status, fillQty=float(traded), qty=float(volume)), NAME
    )
    documented = status in ENDED | ALIVE
    if shown is None:
        assert not documented
        assert not traded
        assert order_mapping.no_proof(status)
        return
    filled = bool(traded) and traded >= volume
    assert (shown.state in TERMINAL) is (status in ENDED or (filled and status not in {10, 12, 13}))
    assert shown.state is not OrderState.REJECTED or (status in {3, 21} and not traded)
    assert bool(shown.reason) or shown.state is not OrderState.REJECTED
    assert documented or "status" in shown.reason or filled


@pytest.mark.parametrize("status", sorted(ENDED | ALIVE | SAYS_NOTHING))
def test_each_documented_status_ends_an_order_or_does_not(status: int) -> None:
    """Of an order that traded nothing: what ended has ended, what lives lives, else no word."""
    shown = order_mapping.order_report(order(orderStatus=status), NAME)
    if status in SAYS_NOTHING:
        assert shown is None
        assert str(status) in order_mapping.no_proof(status)
    else:
        assert shown is not None
        assert shown.state in TERMINAL or status in ALIVE
        assert not order_mapping.no_proof(status)


@given(floats, floats, floats, floats, floats, st.integers(-1, 6), st.integers(-1, 25))
def test_hostile_numbers_of_an_order_are_refused_or_believable(
    volume: float, price: float, stop: float, traded: float, at: float, side: int, kind: int
) -> None:
    """What is no price, volume or time raises ValueError and nothing else; the rest is finite."""
    hostile = order(
        qty=volume,
        price=price,
        auxPrice=stop,
        fillQty=traded,
        updateTimestamp=at,
        trdSide=side,
        orderType=kind,
    )
    try:
        shown = order_mapping.order_report(hostile, NAME)
    except ValueError:
        return
    assert shown is not None
    numbers = (shown.volume, shown.traded, shown.price, shown.stop_price)
    assert all(0 <= each < Decimal(10) ** 15 for each in numbers)
    assert shown.ts_ns >= 0


@given(floats, floats, floats)
def test_hostile_numbers_of_a_deal_are_refused_or_believable(
    volume: float, price: float, at: float
) -> None:
    """A deal has a volume, a price that is none below zero, and a time."""
    hostile = deal(qty=volume, price=price, createTimestamp=at)
    try:
        shown = order_mapping.fill_report(hostile, NAME, "fx-1")
    except ValueError:
        return
    assert shown.trade_id == "FD3"
    assert 0 < shown.volume < Decimal(10) ** 15
    assert 0 <= shown.price < Decimal(10) ** 15


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 90_000)), min_size=1, max_size=6))
def test_fills_made_of_orders_add_up_to_what_traded(parts: list[tuple[int, int]]) -> None:
    """Volumes add up exactly, prices to what Futu rounds; names last over a restart in between."""
    done, worth = Decimal(0), Decimal(0)
    fills = []
    for count, cents in parts:
        before, before_worth = done, worth
        done, worth = done + count, worth + count * Decimal(cents) / 100
        average = float(worth / done)
        shown = order_mapping.order_report(
            order(qty=5_000.0, fillQty=float(done), orderStatus=10, fillAvgPrice=average), NAME
        )
        assert shown is not None
        fill = order_mapping.fill_between(shown, average, before, before_worth)
        again = order_mapping.fill_between(shown, average, before, None)
        assert (fill.trade_id, fill.volume) == (again.trade_id, again.volume)
        assert math.isclose(fill.price, cents / 100, rel_tol=1e-4, abs_tol=1e-5)
        fills.append(fill)
    assert sum(each.volume for each in fills) == done
    assert len({each.trade_id for each in fills}) == len(fills)


errors = st.sampled_from(
    [
        VenueError("FUTU", "-1", "no"),
        PermissionDenied("FUTU", "-1", "locked"),
        UnknownSymbol("FUTU", "-1", "no such stock"),
        AuthenticationError("FUTU", "-1", "wrong"),
        RateLimited("FUTU", "-1", "slowly", 30.0),
        VenueUnavailable("FUTU", "-100", "timed out"),
        ConnectionClosed(1006),
        MalformedMessage("FUTU", 3, "", "an answer"),
        TimeoutError(),
    ]
)


@given(errors, st.booleans())
def test_only_futus_own_refusal_rejects_an_order(
    error: FoxtrotError | TimeoutError, sent: bool
) -> None:
    """What did not leave is not sent, what Futu refused is refused; all else is in doubt."""
    answer = evidence.of_request(error, sent=sent)
    if not sent:
        assert isinstance(answer, NotSent)
    elif isinstance(error, VenueError) and not isinstance(error, VenueUnavailable):
        assert isinstance(answer, Refused)
        assert (answer.hold_s > 0) is isinstance(error, RateLimited)
    else:
        assert isinstance(answer, Doubtful)
    assert answer.reason
