"""Whatever TWS says of orders: what comes out is believable, or it is refused whole."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.ib import evidence, order_mapping
from foxtrot.adapter.ib.order_slips import ENDED, Slips
from foxtrot.adapter.ib.sdk import sdk
from foxtrot.execution.reports import TERMINAL, OrderIntent, OrderState, exact
from foxtrot.gateway.trading import Doubtful, Refused
from foxtrot.model.constants import Direction, Exchange
from foxtrot.model.requests import OrderRequest

NAME = ("AAPL-USD-STK", Exchange.SMART)

amounts = st.floats(min_value=1e-8, max_value=1e12, allow_nan=False)
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
words = st.one_of(st.sampled_from(sorted(order_mapping.STATUSES)), st.text(max_size=8))
floats = st.floats(allow_nan=True, allow_infinity=True)


@given(requests)
def test_what_is_sent_and_shown_again_is_what_was_asked_for(request: OrderRequest) -> None:
    """An order that TWS echoes has the terms of its request, to the last digit."""
    fields = order_mapping.order_fields(OrderIntent("fx-1", request, 1), "DU1", "IB")
    shown = order_mapping.terms(sdk().Order(**fields))

    assert (shown.direction, shown.type) == (request.direction, request.type)
    assert shown.volume == exact(request.volume)
    assert shown.price in (0, exact(request.price))
    assert shown.stop_price in (0, exact(request.stop_price))
    assert fields["orderRef"] == "fx-1"


@given(words, st.decimals(0, 10), st.decimals(0, 10), st.booleans())
def test_a_status_ends_an_order_only_if_it_says_so(
    status: str, traded: Decimal, volume: Decimal, refused: bool
) -> None:
    """An order ends by a status that means an end, or as all of it traded; else it lives."""
    try:
        state = order_mapping.state_of(status, traded, volume, refused=refused)
    except ValueError:
        assert status not in order_mapping.STATUSES
        return
    meant = status in ENDED or (refused and status == order_mapping.INACTIVE)
    assert (state in TERMINAL) == (meant or 0 < volume <= traded)
    assert state is not OrderState.REJECTED or refused


@given(floats, floats, floats, st.sampled_from(["LMT", "MKT", "TRAIL", "", "STP LMT"]))
def test_hostile_numbers_of_an_order_are_refused_or_believable(
    volume: float, price: float, stop: float, kind: str
) -> None:
    """What is no price or volume raises ValueError and nothing else; the rest is finite."""
    order = sdk().Order(
        action="BUY", totalQuantity=volume, orderType=kind, lmtPrice=price, auxPrice=stop
    )
    try:
        shown = order_mapping.terms(order)
    except ValueError:
        return
    numbers = (shown.volume, shown.price, shown.stop_price)
    assert all(each.is_finite() and abs(each) < Decimal(10) ** 15 for each in numbers)
    assert shown.volume >= 0


@given(st.from_regex(r"[0-9a-f]{8}\.[0-9a-f]{8}\.0[1-9]", fullmatch=True), st.integers(1, 99))
def test_a_correction_bears_the_name_of_the_fill_that_it_corrects(stem: str, number: int) -> None:
    """However often a fill is corrected, its trade id stays the same; its revision grows."""
    assert order_mapping.trade_id(f"{stem}.{number:02}") == (stem, number)


@given(st.integers(-1, 20_000))
def test_a_code_that_is_not_in_the_table_proves_nothing(code: int) -> None:
    """An order is rejected on positive evidence only; a cancel is never done by an error."""
    proof, new = evidence.proof_of(code), evidence.of_new_order(code, "words")

    assert isinstance(new, Refused) == (proof is evidence.Proof.REFUSED)
    assert isinstance(new, Doubtful) == (proof is evidence.Proof.NOTHING)
    cancelled = evidence.of_cancel(code, "words")
    assert isinstance(cancelled, Refused) == (proof is evidence.Proof.CANNOT_CANCEL)


steps = st.lists(
    st.tuples(
        st.sampled_from(["openOrder", "orderStatus"]),
        st.sampled_from(sorted(order_mapping.STATUSES)),
        st.integers(0, 10),
    ),
    max_size=12,
)


@given(steps)
def test_what_traded_never_shrinks_and_an_end_is_an_end(
    told: list[tuple[str, str, int]],
) -> None:
    """In whatever order TWS tells and repeats itself, an ended order does not come alive again."""
    slips, order = (
        Slips(),
        sdk().Order(
            action="BUY", totalQuantity=10.0, orderType="LMT", lmtPrice=1.0, permId=7, clientId=1
        ),
    )
    slips.opened(5, order, NAME, "Submitted", 1)
    before = OrderState.ACCEPTED
    traded = Decimal(0)
    for kind, status, filled in told:
        if kind == "openOrder":
            slip = slips.opened(5, order, NAME, status, 2)
        else:
            changed = slips.changed((1, 5), 7, status, float(filled), 2)
            assert changed is not None
            slip = changed
        report = slip.report()
        assert report.traded >= traded
        assert before not in TERMINAL or report.state in TERMINAL
        before, traded = report.state, report.traded


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_commission_is_finite_or_refused(number: float) -> None:
    """TWS's largest double stands for no commission yet; what is no number is refused."""
    try:
        fee = order_mapping.fee_of(number)
    except ValueError:
        return
    assert fee.is_finite()
    assert fee == 0 or not math.isclose(number, 1.7976931348623157e308)
