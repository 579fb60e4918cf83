"""The guard: caps, price checks and the halt gate. No order passes around it.

It sits in the adapter, so that it holds in whatever engine the adapter is used. It fails closed: a
rule that cannot be judged refuses. Each refusal is `rule: words`, with the limit and the value.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from foxtrot.core.logs import get_logger
from foxtrot.core.settings import FeatureFlags
from foxtrot.execution.reports import exact
from foxtrot.model.constants import Direction, OrderType, StreamState
from foxtrot.model.objects import NS_PER_S, ContractData, TickData
from foxtrot.model.requests import OrderRequest

log = get_logger("foxtrot.gateway.guard")

STORM_PAUSE_S = 30.0
"""How long new orders pause after the venue rejected too many in a row."""

_UNPRICED = frozenset({OrderType.MARKET, OrderType.STOP})
_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_UNTRUSTED = frozenset({StreamState.STALE, StreamState.FAILED})


class Market(msgspec.Struct, frozen=True):
    """What is known of a contract at the moment when an order for it is judged.

    `stream` is the state of its tick subscription, None where nobody subscribed to it. `on_demand`
    means that the venue's contracts are looked up when they are needed, not listed.
    """

    contract: ContractData | None
    tick: TickData | None
    stream: StreamState | None
    now_ns: int
    on_demand: bool = False


class Guard:
    """Judges new orders; cancels are none of its business.

    Thread safety: every method may be called from any thread.

    Args:
        flags: The settings of the moment.
        monotonic: Seconds, never stepping back.
    """

    def __init__(self, flags: Callable[[], FeatureFlags], monotonic: Callable[[], float]) -> None:
        self._flags, self._monotonic = flags, monotonic
        self._lock = threading.Lock()
        self._halted = ""
        self._open: set[str] = set()
        self._recent: deque[float] = deque()
        self._rejected: dict[str, bool] = {}
        """Whether each of the newest orders was rejected, in the order of their answers."""
        self._held_until, self._held_reason = 0.0, ""

    # -- the gate ---------------------------------------------------------------------------

    @property
    def halted(self) -> str:
        """Why new orders are blocked; empty if they are not."""
        return self._halted

    def halt(self, reason: str) -> None:
        """Block new orders until `resume`."""
        self._halted = reason or "asked to"

    def resume(self) -> None:
        """Let orders pass again."""
        self._halted = ""
        with self._lock:
            self._rejected.clear()
            self._held_until = 0.0

    def hold(self, seconds: float, reason: str) -> None:
        """Block new orders for a while: the venue asked for it."""
        with self._lock:
            until = self._monotonic() + seconds
            if until > self._held_until:
                self._held_until, self._held_reason = until, reason

    # -- judging ----------------------------------------------------------------------------

    def admit(self, orderid: str, request: OrderRequest, market: Market) -> str:
        """Why an order may not be sent; empty if it may, and it counts as open from now on."""
        try:
            return self._judge(request, market) or self._count(orderid)
        except Exception:  # boundary: a rule that cannot be judged refuses
            log.exception("guard_failed", orderid=orderid)
            return "guard: a rule could not be judged, so the order was refused; see the log"

    @staticmethod
    def unlisted(market: Market) -> bool:
        """Whether an order can be judged only with a contract that has to be looked up."""
        return market.contract is None and market.on_demand

    def judge_contract(self, request: OrderRequest, contract: ContractData) -> str:
        """Which rule of its contract an order breaks, or why it is too large; empty if neither."""
        price = _own_price(request)
        return _misfit(request, contract) or (
            self.judge_notional(request, price, contract) if price else ""
        )

    def unpriced(self, request: OrderRequest, market: Market) -> bool:
        """Whether the notional of an order can be judged only with a price of the venue's."""
        return request.type is OrderType.MARKET and _reference(request, market.tick) is None

    def judge_notional(
        self, request: OrderRequest, price: Decimal, contract: ContractData | None
    ) -> str:
        """Why an order of that price is too large; empty if it is not."""
        limit = self._flags().orders_max_notional
        size = exact(contract.size).normalize() if contract is not None else Decimal(1)
        notional = price * exact(request.volume) * size
        if limit and notional > exact(limit):
            return f"max_notional: {notional:f} is above the limit of {limit:f}"
        return ""

    def _judge(self, request: OrderRequest, market: Market) -> str:
        return (
            self._gate()
            or _malformed(request)
            or ("" if self.unlisted(market) else _misfit(request, market.contract))
            or self._too_large(request, market)
            or self._too_far(request, market.tick)
            or self._stale(market)
        )

    def _gate(self) -> str:
        if self._halted:
            return f"halted: {self._halted}; resume() lets orders pass again"
        left_s = self._held_until - self._monotonic()
        if left_s > 0.0:
            return f"held: {self._held_reason}; {math.ceil(left_s)} s left"
        return ""

    def _too_large(self, request: OrderRequest, market: Market) -> str:
        limit = self._flags().orders_max_volume
        if limit and request.volume > limit:
            return f"max_volume: {request.volume} is above the limit of {limit:f}"
        price = _own_price(request) or _reference(request, market.tick)
        return self.judge_notional(request, price, market.contract) if price else ""

    def _too_far(self, request: OrderRequest, tick: TickData | None) -> str:
        collar = self._flags().orders_price_collar
        stops = request.type in _STOPS and request.stop_price
        reference = exact(request.stop_price) if stops else _reference(request, tick)
        if not collar or not reference or request.type in _UNPRICED:
            return ""
        price, room = exact(request.price), reference * exact(collar)
        buys = request.direction is Direction.LONG
        bound = reference + room if buys else reference - room
        if price > bound if buys else price < bound:
            side = "above" if buys else "below"
            return f"price_collar: {price:f} is {side} the limit of {bound:f}, from {reference:f}"
        return ""

    def _stale(self, market: Market) -> str:
        if market.stream is None:
            return ""
        if market.stream in _UNTRUSTED:
            return f"stale_data: the prices of this symbol are {market.stream.value}"
        if market.tick is None:
            return "stale_data: no price of this symbol has come yet"
        age_s = (market.now_ns - market.tick.ts_recv_ns) / NS_PER_S
        limit_s = self._flags().orders_stale_after_s
        if age_s > limit_s and market.stream is not StreamState.QUIET:
            return f"stale_data: the last tick is {age_s:.1f} s old, the limit is {limit_s:g} s"
        return ""

    # -- counting ---------------------------------------------------------------------------

    def _count(self, orderid: str) -> str:
        flags = self._flags()
        with self._lock:
            now = self._monotonic()
            while self._recent and self._recent[0] <= now - 1.0:
                self._recent.popleft()
            if len(self._recent) >= flags.orders_max_per_second:
                limit = flags.orders_max_per_second
                return f"max_per_second: {len(self._recent)} in this second, the limit is {limit}"
            if len(self._open) >= flags.orders_max_open:
                return f"max_open: {len(self._open)} are open, the limit is {flags.orders_max_open}"
            self._recent.append(now)
            self._open.add(orderid)
        return ""

    @property
    def open_orders(self) -> int:
        """How many orders count as open."""
        return len(self._open)

    def opened(self, orderid: str) -> None:
        """Count an order of ours as open that was not admitted here: one of an earlier run."""
        with self._lock:
            self._open.add(orderid)

    def ended(self, orderid: str) -> None:
        """No longer count an order as open."""
        with self._lock:
            self._open.discard(orderid)

    def accepted(self, orderid: str) -> None:
        """The venue took an order; it may still reject it."""
        with self._lock:
            self._rejected.setdefault(orderid, False)
            self._forget_oldest()

    def rejected(self, orderid: str) -> None:
        """The venue rejected an order; too many in a row, and new ones pause."""
        with self._lock:
            self._rejected[orderid] = True
            self._forget_oldest()
            most = self._flags().orders_max_rejections
            storm = len(self._rejected) >= most and all(self._rejected.values())
            if storm:
                self._rejected.clear()
        if storm:
            log.error(
                "reject_storm", pause_s=STORM_PAUSE_S, advice="look at the rejections' reasons"
            )
            self.hold(STORM_PAUSE_S, "the venue rejected too many orders in a row")

    def _forget_oldest(self) -> None:
        while len(self._rejected) > self._flags().orders_max_rejections:
            del self._rejected[next(iter(self._rejected))]


def _malformed(request: OrderRequest) -> str:
    """Which number of a request is none that can be sent."""
    needed: dict[str, object] = {"volume": request.volume}
    if request.type not in _UNPRICED:
        needed["price"] = request.price
    if request.type in _STOPS:
        needed["stop_price"] = request.stop_price
    for field, value in needed.items():
        if not _is_positive(value):
            return f"{field}: {value!r} is not a number above 0"
    if request.direction not in (Direction.LONG, Direction.SHORT):
        return f"direction: {request.direction!r} is neither LONG nor SHORT"
    return ""


def _is_positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0


def _misfit(request: OrderRequest, contract: ContractData | None) -> str:
    """Which rule of the contract a request breaks. Nothing is ever rounded: the user decides."""
    if contract is None:
        return f"contract: {request.vt_symbol} is not known; wait for its contract or mend the name"
    volume = exact(request.volume)
    least, most = exact(contract.min_volume), contract.max_volume
    if volume < least:
        return f"volume: {volume:f} is below the contract's least of {least:f}"
    if most is not None and volume > exact(most):
        return f"volume: {volume:f} is above the contract's most of {exact(most):f}"
    problem = _off_step("volume", volume, contract.volume_step)
    for field in ("price", "stop_price"):
        value = getattr(request, field)
        if not problem and value:
            step = contract.least_pricetick or contract.pricetick
            problem = _off_step(field, exact(value), step)
    notional = (_own_price(request) or Decimal(0)) * volume
    if not problem and notional and notional < exact(contract.min_notional):
        least_notional = f"{exact(contract.min_notional):f}"
        problem = f"notional: {notional:f} is below the contract's least of {least_notional}"
    return problem


def _off_step(field: str, value: Decimal, step: float) -> str:
    if not step or value % exact(step) == 0:
        return ""
    size = exact(step)
    below = value - value % size
    nearest = f"{below.normalize():f} and {(below + size).normalize():f} are the nearest"
    return f"{field}: {value:f} is not a multiple of the step {size:f}; {nearest}"


def _own_price(request: OrderRequest) -> Decimal | None:
    """The price that a request itself names."""
    price = request.stop_price if request.type is OrderType.STOP else request.price
    return exact(price) if request.type is not OrderType.MARKET and price else None


def _reference(request: OrderRequest, tick: TickData | None) -> Decimal | None:
    """What an order would trade at now: the other side's best price, or else the last one."""
    if tick is None:
        return None
    other = tick.ask_price_1 if request.direction is Direction.LONG else tick.bid_price_1
    price = other or tick.last_price
    return exact(price) if price else None
