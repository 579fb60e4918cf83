"""The simulated OpenD, as tests of what connects to it see it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from foxtrot.adapter.futu import limits as pace
from foxtrot.adapter.futu.mapping import BAR_SUBS, BOOK, PRINTS, QUOTE
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Channel, Interval
from foxtrot.model.health import StreamKey
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu, SimulatedFutuThread
from foxtrot.simulator.futu_accounts import HK, REAL, AccountSpec
from foxtrot.simulator.futu_connection import Request
from foxtrot.simulator.futu_contracts import Universe
from foxtrot.simulator.futu_quotes import Stream
from foxtrot.simulator.futu_schema import Proto
from foxtrot.simulator.listings import E8
from tests.support.futu_books import PASSWORD, FutuBooks
from tests.support.venues import Fault

_ACCOUNTS = _ACCOUNT, _OTHER_ACCOUNT = 281_756_457_982_434_020, 281_756_457_982_434_021

_KNOWN_BY = {
    QUOTE: Channel.TICK,
    BOOK: Channel.DEPTH,
    PRINTS: Channel.TRADE,
    BAR_SUBS[Interval.MINUTE]: Channel.BAR,
}
"""The SubType by which a channel is recognised; with a quote, a book is that of a tick."""

_REQUESTS = {
    "trades": ("trades", "executions"),
    "query": ("open_orders", "all_orders", "trades", "executions"),
}
"""By what OpenD is asked for what all venues are asked for."""

_NO_HTTP = "there is no HTTP"
_NO_FRAMES = "a line ends, or is reset: there are no close frames"
_LACKS = {
    "own_depth": "a tick shows the book: OpenD pushes it as long as ticks are wanted",
    "push_off": "the account is pushed, whatever the settings say",
    "deposits": "OpenD tells of orders, not of what the account holds",
    "silent_taking": "an order is told as open before it is tried",
    "replace": "an order is replaced by a cancel and a new one",
    "http_error": _NO_HTTP,
    "truncated_body": _NO_HTTP,
    "html_body": _NO_HTTP,
    "foreign_ack": "an answer names Futu's id alone; ours comes in pushes and lists",
    "nameless_ack": "an answer names Futu's id alone; ours comes in pushes and lists",
    "close": _NO_FRAMES,
    "user_terminated": _NO_FRAMES,
    "cut_24h": _NO_FRAMES,
    "duplicate": "what comes twice are reports",
}

_LIMITS = FutuLimits(
    place=None, modify=None, orders=None, unlock=None, history=None, snapshot=None,
    subscriptions=1_000, subscribed_s=0.0,
)  # fmt: skip
"""None of OpenD's windows, and no minute that a subscription must last."""

_WIDE = dict.fromkeys(pace.PER_WINDOW, 10_000)


@contextlib.contextmanager
def running_futu(
    symbols: Sequence[str] | None = None,
    *,
    seed: int = 7,
    rate_hz: float = 0.0,
    limits: FutuLimits | None = None,
    rsa_key: str | None = None,
    port: int = 0,
) -> Iterator[SimulatedFutu]:
    """An OpenD that listens; its market moves by `tick` alone, unless it has a rate."""
    venue = SimulatedFutu(
        symbols, seed=seed, rate_hz=rate_hz, limits=limits, rsa_key=rsa_key, port=port
    )
    with SimulatedFutuThread(venue):
        yield venue


class FutuUnderTest(FutuBooks):
    """A simulated OpenD on a thread, whose user trades stocks of Hong Kong from two accounts.

    Args:
        symbols: What it trades; a few stocks by default.
        rate_hz: How often its market moves by itself.
    """

    unit = 20_000.0
    symbols: ClassVar[Sequence[str]] = ("01810", "09988", "00700")
    misspelt = ("01811", "01810")
    wrong_settings: ClassVar[Mapping[str, Setting]] = {
        "environment": {"environment": "production"},
        "host": {"environment": "simulated", "host": "192.0.2.1"},
        "port": {"environment": "simulated", "port": 0},
        "market": {"environment": "simulated", "market": "SG"},
        "account": {"environment": "simulated", "account": "mine"},
        "trade_env": {"environment": "live", "trade_env": "simulate"},
        "password": {"environment": "simulated", "password": "env:FOXTROT_NO_SUCH_PASSWORD"},
        "rsa_key_file": {"environment": "simulated", "rsa_key_file": "key.pem"},
        "colour": {"environment": "simulated", "colour": "blue"},
    }

    lacks = _LACKS
    cash = f"{_ACCOUNT}.HKD"
    too_much = 1.0
    poor = "购买力"
    maintenance: ClassVar[Sequence[Fault]] = (("refuse", {"rest": True}), ("rst", {}))
    refusal: ClassVar[Fault] = ("request_swallowed", {"count": 0})
    polled_by_line = True
    stalls: ClassVar[Mapping[str, Fault]] = {
        "sync": ("request_swallowed", {"request": "contract_details", "count": 0}),
        "subscribe": ("request_swallowed", {"request": "subscribe", "count": 0}),
    }
    waits: ClassVar[Mapping[str, object]] = {
        "foxtrot.adapter.futu.limits.PER_WINDOW": _WIDE,
        "foxtrot.adapter.futu.limits.APART_S": {},
        "foxtrot.adapter.futu.polling.SNAPSHOT_PACE_S": 0.01,
        "foxtrot.adapter.futu.polling._AFTER_ERROR_S": 0.2,
        "foxtrot.adapter.futu.market_data._RETRY_S": 0.3,
        "foxtrot.adapter.futu.orders.BALANCES_S": 0.1,
        "foxtrot.adapter.futu.orders.LEAST_POLL_S": 0.5,
        "foxtrot.adapter.futu.orders._SETTLED_S": 0.05,
        "foxtrot.adapter.futu.order_lists.BELIEVED_S": 0.1,
    }

    def __init__(self, symbols: Sequence[str] | None = None, *, rate_hz: float = 0.0) -> None:
        accounts = [AccountSpec(each, REAL, (HK,), {"HKD": 350_000}) for each in _ACCOUNTS]
        sim = SimulatedFutu(
            [self.name(symbol) for symbol in symbols or self.symbols],
            seed=7,
            rate_hz=rate_hz,
            limits=_LIMITS,
            accounts=accounts,
        )
        super().__init__(sim)

    @classmethod
    def many(cls, count: int) -> list[str]:
        """See `VenueUnderTest`, like all below."""
        return [f"90{number:03d}" for number in range(count)]

    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """Where it listens, and that it is only looked at."""
        return {"environment": "simulated", "port": self.sim.port, "read_only": True}

    def live(self) -> set[StreamKey]:
        """What is pushed to any client; a book alone if it was asked for by itself."""
        pushed = {(each.connection.number, self._key_of(each)) for each in self.sim.quotes.live}
        asked = {(number, key) for number, key, given_back in self._requests() if not given_back}
        return {key for _, key in pushed & asked}

    def asked(self) -> list[StreamKey]:
        """Every subscription."""
        return [key for _, key, given_back in self._requests() if not given_back]

    def returned(self) -> list[StreamKey]:
        """Every end of pushes."""
        return [key for _, key, given_back in self._requests() if given_back]

    # -- trading ----------------------------------------------------------------------------

    def keys(self) -> dict[str, str]:
        """The trade password, and for whom."""
        return {"read_only": "false", "password": PASSWORD, "account": str(_ACCOUNT)}

    def other_keys(self) -> dict[str, str]:
        """The user's other account."""
        return {**self.keys(), "account": str(_OTHER_ACCOUNT)}

    def allow_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is as it is: the account is pushed."""

    def forget_keys(self) -> None:
        """The password is another one now."""
        self.sim.on_loop(lambda: self.sim.accounts.change_password("another"))

    def resting_price(self, symbol: str) -> float:
        """A tenth below the best bid."""
        return self._on_grid(symbol, self.newest(symbol)[0] * 0.9)

    @classmethod
    def on_grid(cls, price: float) -> float:
        """By the steps of the first symbol."""
        return cls._on_grid(cls.symbols[0], price)

    def received(self) -> Mapping[str, int]:
        """Of every order that came in, whatever became of it."""
        return Counter(each.remark for each in self.sim.seen.of(Proto.Trd_PlaceOrder))

    def balances(self) -> dict[str, tuple[float, float]]:
        """What the account is worth, and its cash."""

        def look() -> dict[str, tuple[float, float]]:
            account = self.sim.desk.account(_ACCOUNT)
            worth_e8 = account.cash_e8() + account.market_value_e8()
            cash = account.balances["HKD"].free_e8 / E8
            worth = (worth_e8 / E8, account.frozen_e8() / E8)
            return {account.name: worth, self.cash: (cash, 0.0)}

        return self.sim.on_loop(look)

    def deposit(self, asset: str, amount: float) -> None:
        """By the desk."""
        self.sim.desk.deposit(amount, asset.partition(".")[2], account=_ACCOUNT)

    @classmethod
    def requests_of(cls, request: str) -> Sequence[str]:
        """As the protocol has them."""
        return _REQUESTS.get(request, (request,))

    def position(self, symbol: str) -> float:
        """The books of the account."""
        holding = self.sim.desk.account(_ACCOUNT).holdings.get(self.name(symbol))
        return holding.quantity_e8 / E8 / self.unit if holding is not None else 0.0

    @classmethod
    def _on_grid(cls, symbol: str, price: float) -> float:
        name = cls.name(symbol)
        step_e8 = Universe.of([name]).contracts[name].tick_e8
        return round(price * E8 / step_e8) * step_e8 / E8

    # -- inside -----------------------------------------------------------------------------

    def _requests(self) -> Iterator[tuple[int, StreamKey, bool]]:
        """Each stream that a client asked for or gave back, and whether it was the latter."""
        held: set[tuple[int, StreamKey]] = set()
        for number, request in self.sim.seen.requests:
            for key in self._asked_by(request):
                held.add((number, key))
                yield number, key, False
            for key in self._ended_by(request):
                if (number, key) in held:
                    held.discard((number, key))
                    yield number, key, True

    def _asked_by(self, request: Request) -> Iterator[StreamKey]:
        c2s = request.c2s
        if request.proto is Proto.Qot_Sub and c2s.isSubOrUnSub:
            types = set(c2s.subTypeList)
            (sub_type,) = types - {BOOK} or types
            yield from (self.key(each.code, _KNOWN_BY[sub_type]) for each in c2s.securityList)

    def _ended_by(self, request: Request) -> Iterator[StreamKey]:
        c2s = request.c2s
        if request.proto is Proto.Qot_RegQotPush and not c2s.isRegOrUnReg:
            for security in c2s.securityList:
                yield from (self.key(security.code, _KNOWN_BY[each]) for each in c2s.subTypeList)

    def _key_of(self, stream: Stream) -> StreamKey:
        return self.key(stream.contract.code, _KNOWN_BY[stream.sub_type])
