"""The simulated gateway of Interactive Brokers, as tests of what connects to it see it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from foxtrot.adapter.ib import IbAdapter
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey
from foxtrot.simulator import ib_requests as asked
from foxtrot.simulator.ib import IbLimits, SimulatedIb, SimulatedIbThread
from foxtrot.simulator.ib_history import UPDATES
from foxtrot.simulator.ib_orders import IbOrder
from foxtrot.simulator.listings import E8
from tests.support.simulated import SimulatedUnderTest
from tests.support.venues import Fault, Held, Traded

SYMBOLS = ("AAPL", "MSFT", "IBM", "EUR.USD", "SPX")
"""A universe for tests that need no futures and options, so that it is made at once."""

_ACCOUNT, _OTHER_ACCOUNT = "DU1234567", "DU7654321"

_CHANNELS = {
    "market_data": Channel.TICK,
    "depth": Channel.DEPTH,
    "tick_by_tick": Channel.TRADE,
    UPDATES: Channel.BAR,
}
"""What the gateway calls the channels."""

_REQUESTS = {
    "open_orders": ("open_orders", "all_orders"),
    "trades": ("executions",),
    "account": ("account_updates", "positions"),
    "query": ("open_orders", "all_orders", "completed_orders", "executions"),
}
"""By what the gateway is asked for what all venues are asked for."""

_NO_HTTP = "there is no HTTP"
_NO_FRAMES = "a line ends, or is reset: there are no close frames"
_LACKS = {
    "turnover": "IB tells no turnover",
    "direction": "IB does not tell who took",
    "keys": "TWS is logged in: nobody shows it a key",
    "push_off": "the account is pushed, whatever the settings say",
    "account_stream": "reports and answers come over one line",
    "other_hands": "an order of another hand is told to nobody who does not ask",
    "foreign_cancel": "only the client that sent an order can cancel it",
    "silent_taking": "an order is told as open before it is tried",
    "replace": "an order is replaced by a cancel and a new one",
    "http_error": _NO_HTTP,
    "truncated_body": _NO_HTTP,
    "html_body": _NO_HTTP,
    "foreign_ack": "an order is answered by reports under its own id",
    "nameless_ack": "an order is answered by reports under its own id",
    "close": _NO_FRAMES,
    "user_terminated": _NO_FRAMES,
    "cut_24h": _NO_FRAMES,
    "duplicate": "what comes twice are reports",
}

_LIMITS = IbLimits(tick_by_tick_again_s=0.0, messages_per_s=500)
"""Ten times as many messages as TWS takes: the adapter's own pace is raised alike."""

_STREAMED = (asked.ReqMktData, asked.ReqMktDepth, asked.ReqTickByTickData, asked.ReqHistoricalData)


@contextlib.contextmanager
def running_ib(
    symbols: Sequence[str] | None = SYMBOLS,
    *,
    seed: int = 7,
    rate_hz: float = 0.0,
    limits: IbLimits | None = None,
    server_version: int = 176,
    port: int = 0,
) -> Iterator[SimulatedIb]:
    """A gateway that listens; its market moves by `tick` alone, unless it has a rate."""
    venue = SimulatedIb(
        symbols,
        seed=seed,
        rate_hz=rate_hz,
        limits=limits,
        server_version=server_version,
        port=port,
    )
    with SimulatedIbThread(venue):
        yield venue


class IbUnderTest(SimulatedUnderTest[SimulatedIb]):
    """A simulated gateway on a thread; its user has two accounts.

    Args:
        symbols: What it trades, US stocks; a few by default.
        rate_hz: How often its market moves by itself.
        limits: Its rules for clients.
        accounts: Those of its user; the first is traded.
    """

    adapter_class: ClassVar[type[BaseAdapter]] = IbAdapter
    exchange = Exchange.SMART
    symbols: ClassVar[Sequence[str]] = ("AAPL-USD-STK", "MSFT-USD-STK", "IBM-USD-STK")
    misspelt = ("APPL-USD-STK", "AAPL-USD-STK")
    wrong_settings: ClassVar[Mapping[str, Setting]] = {
        "environment": {"environment": "production", "port": 9002},
        "port": {"environment": "simulated"},
        "host": {"environment": "simulated", "host": "192.0.2.1", "port": 9002},
        "client_id": {"environment": "simulated", "port": 9002, "client_id": -1},
        "account": {"environment": "simulated", "port": 9002, "account": "no account"},
        "market_data": {"environment": "simulated", "port": 9002, "market_data": "free"},
        "colour": {"environment": "simulated", "port": 9002, "colour": "blue"},
    }

    lacks = _LACKS
    cash = f"{_ACCOUNT}.USD"
    too_much = 500.0
    poor = "FUNDS ARE NOT SUFFICIENT"
    maintenance: ClassVar[Sequence[Fault]] = (("refuse", {"rest": True}), ("rst", {}))
    refusal: ClassVar[Fault] = ("request_swallowed", {"count": 0})
    quotes_by_side = True
    polled_by_line = True
    stalls: ClassVar[Mapping[str, Fault]] = {
        "sync": ("request_swallowed", {"request": "contract_details", "count": 0}),
        "subscribe": ("request_swallowed", {"request": "market_data", "count": 0}),
    }
    waits: ClassVar[Mapping[str, float]] = {
        "foxtrot.adapter.ib.market_data.PRINTS_AGAIN_S": 0.0,
        "foxtrot.adapter.ib.market_data._SOON_S": 0.1,
        "foxtrot.adapter.ib.polling.BARS_EVERY_S": 0.1,
        "foxtrot.adapter.ib.pace_rules.MESSAGES_PER_S": 400,
        "foxtrot.adapter.ib.pace_rules._PER_CONTRACT_S": 0.2,
        "foxtrot.adapter.ib.order_lists.FRESH_S": 0.1,
    }

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        rate_hz: float = 0.0,
        limits: IbLimits | None = None,
        accounts: Sequence[str] = (_ACCOUNT, _OTHER_ACCOUNT),
    ) -> None:
        self._names = {symbol: symbol.partition("-")[0] for symbol in symbols or self.symbols}
        self._symbols = {name: symbol for symbol, name in self._names.items()}
        sim = SimulatedIb(
            list(self._symbols),
            seed=7,
            rate_hz=rate_hz,
            limits=limits or _LIMITS,
            accounts=accounts,
            balances={"USD": 10_000},
        )
        sim.desk.set_fractions(True)
        super().__init__(sim)

    @classmethod
    def many(cls, count: int) -> list[str]:
        """See `VenueUnderTest`, like all below."""
        return [f"T{number:03d}-USD-STK" for number in range(count)]

    def name(self, symbol: str) -> str:
        """Of a stock that trades in US dollars."""
        return self._names[symbol]

    def setting(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """Where it listens, and that it is only looked at."""
        return {"environment": "simulated", "port": self.sim.port, "read_only": True}

    def trade(self, symbol: str) -> str:
        """IB numbers no prints."""
        super().trade(symbol)
        return ""

    def live(self) -> set[StreamKey]:
        """The lines of all clients."""
        return {
            self.key(self._symbols[each.contract.name], _CHANNELS[each.channel])
            for each in self.sim.streams.live
        }

    def asked(self) -> list[StreamKey]:
        """Every request for a stream."""
        return [key for key, given_back in self._requests() if not given_back]

    def returned(self) -> list[StreamKey]:
        """Every cancel of one."""
        return [key for key, given_back in self._requests() if given_back]

    @property
    def ids(self) -> set[int]:
        """Client ids that are connected now."""
        return {each.client_id for each in self.sim.connections if each.joined}

    # -- trading ----------------------------------------------------------------------------

    def keys(self) -> dict[str, str]:
        """None are needed, as TWS is logged in: only that one wants to trade."""
        return {"read_only": "false", "account": self.sim.account_names[0]}

    def other_keys(self) -> dict[str, str]:
        """The user's other account."""
        return {"read_only": "false", "account": _OTHER_ACCOUNT}

    def allow_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is as it is: the account is pushed."""

    def resting_price(self, symbol: str) -> float:
        """A tenth below the best bid, in cents."""
        return round(self.newest(symbol)[0] * 0.9, 2)

    def fill(self, orderid: str, volume: float | None = None) -> None:
        """At its limit."""
        self.sim.desk.fill(orderid, volume)

    def end(self, orderid: str, *, expired: bool = False) -> None:
        """By the desk; at midnight, TWS says no more of it."""
        self.sim.desk.end(orderid)

    def forget_orders(self) -> None:
        """By the desk."""
        self.sim.desk.forget_orders()

    def place_by_hand(self, symbol: str, volume: float, price: float) -> str:
        """In TWS's own window."""
        return str(self.sim.desk.place_by_hand(self._names[symbol], volume, price).perm_id)

    def held(self) -> list[Held]:
        """The books of the gateway."""
        return [self._held(order) for order in self.sim.desk.held()]

    def traded(self) -> list[Traded]:
        """Every fill, once; a correction is none."""
        first = {each.stem: each for each in reversed(self.sim.desk.traded())}
        return [
            Traded(self._symbols[e.order.name], e.stem, e.order.ref, e.quantity_e8 / E8)
            for e in reversed(first.values())
        ]

    def received(self) -> Mapping[str, int]:
        """Of every message that came in, whatever became of it."""
        return Counter(each.order_ref for each in self.sim.seen.of(asked.PlaceOrder))

    def cancels(self) -> list[str]:
        """As the gateway heard them."""
        return self.sim.desk.cancels()

    def balances(self) -> dict[str, tuple[float, float]]:
        """What the account is worth, and the cash in each currency."""

        def look() -> dict[str, tuple[float, float]]:
            account = self.sim.desk.account()
            values = {(key, where): value for key, value, where in account.values()}
            worth, free = (
                float(values[key, "USD"]) for key in ("NetLiquidation", "AvailableFunds")
            )
            cash = {
                f"{account.name}.{currency}": (float(values["CashBalance", currency]), 0.0)
                for currency in account.balances
            }
            return {account.name: (worth, max(0.0, worth - free)), **cash}

        return self.sim.on_loop(look)

    def deposit(self, asset: str, amount: float) -> None:
        """By the desk."""
        self.sim.desk.deposit(amount, asset.partition(".")[2])

    @classmethod
    def requests_of(cls, request: str) -> Sequence[str]:
        """As TWS's API has them."""
        return _REQUESTS.get(request, (request,))

    def position(self, symbol: str) -> float:
        """The books of the account."""
        holding = self.sim.desk.account().holdings.get(self._names[symbol])
        return holding.quantity_e8 / E8 if holding is not None else 0.0

    # -- inside -----------------------------------------------------------------------------

    def _requests(self) -> Iterator[tuple[StreamKey, bool]]:
        """Each stream that was asked for or given back, and whether it was the latter."""
        streams: dict[tuple[int, int], StreamKey] = {}
        for client, request in self.sim.seen.requests:
            if isinstance(request, asked.Cancel) and (client, request.req_id) in streams:
                yield streams.pop((client, request.req_id)), True
            elif isinstance(request, _STREAMED) and _goes_on(request):
                name = self.sim.name_of(request.contract)
                key = self.key(self._symbols[str(name)], _CHANNELS[request.kind])
                streams[client, request.req_id] = key
                yield key, False

    def _held(self, order: IbOrder) -> Held:
        return Held(
            str(order.perm_id),
            order.ref,
            self._symbols[order.name],
            order.terms.quantity_e8 / E8,
            order.filled_e8 / E8,
            order.open,
        )


def _goes_on(request: asked.Request) -> bool:
    """Whether it asks for a stream, and not for what is known now."""
    return not getattr(request, "snapshot", False) and getattr(request, "keep_up_to_date", True)
