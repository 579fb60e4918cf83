"""The trading session: orders by request, what becomes of them by the user stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from foxtrot.adapter.binance import evidence, limits, mapping, order_mapping
from foxtrot.adapter.binance.account import AccountAnswer, Holding, Ledger, UserStream
from foxtrot.adapter.binance.client import missing_names
from foxtrot.adapter.binance.evidence import Reply, Unheard
from foxtrot.adapter.binance.order_mapping import OrderAnswer, TradeAnswer
from foxtrot.adapter.binance.session import BinanceSession, Venue
from foxtrot.connectivity.diagnostics import labels
from foxtrot.core.logs import get_logger
from foxtrot.errors import (
    AuthenticationError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    NotSupported,
    RateLimited,
    StreamingError,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)
from foxtrot.execution.reports import (
    FillReport,
    Known,
    OrderIntent,
    OrderRecord,
    OrderReport,
    Unknown,
    exact,
)
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.order_session import BaseOrderSession
from foxtrot.gateway.trading import Answer, Balances, NotSent, TradingListener
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData

log = get_logger("foxtrot.binance.orders")

_FEW_LEVELS = 5
_PAGE = 1000
_PAGES_LIMIT = 100
_FILLS_MOST = _PAGE * _PAGES_LIMIT
_STREAM_RETRY_S = 60.0
_NO_SUCH_ORDER = frozenset({"-2013", "-2026"})
"""It does not exist, or it was archived: it ended 90 days ago, and nothing of it was traded."""


class OrderSession(BinanceSession, BaseOrderSession[Venue]):
    """A session that trades; see `gateway.trading.TradingSession`.

    Args:
        venue: What the sessions of one adapter share.
        counters: Of what the user stream brings.
        listener: Who is told what happens to the account.
        interest: The contracts in whose positions somebody is interested.
    """

    hurries = True

    def __init__(
        self,
        venue: Venue,
        counters: FeedCounters,
        listener: TradingListener,
        interest: Callable[[], Iterable[ContractData]],
    ) -> None:
        super().__init__(venue, counters)
        self._listener, self._interest = listener, interest
        self._stream = UserStream(self, counters)
        self._ledger = Ledger(venue.name)
        self._clock_wrong = asyncio.Event()
        self.least_poll_s = limits.ACCOUNT_POLL_S
        self.fills_s = limits.FILLS_S
        self.pushes = False
        """Whether the venue tells what happens, so that asking is for gaps only."""

    # -- Session ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Set the clock, prove the keys, and listen to the account."""
        await self._client.set_clock()
        try:
            await self._ask_holdings()
        except AuthenticationError as error:
            shown = f"{error.text}; the key was {self._venue.settings.api_key}"
            raise AuthenticationError(error.venue, error.code, shown) from None
        if not self._stream_wanted:
            log.info("user_stream_off", venue=self._venue.name, instead="polling")
            return
        try:
            await self._listen_in_time()
        except (StreamingError, VenueUnavailable) as error:
            if not self._venue.flags.websocket_fallback_on_error:
                raise
            log.warning("user_stream_failed", venue=self._venue.name, **labels(error))

    async def probe(self) -> None:
        """Ask for a sign of life where the account's events come from."""
        if self.pushes:
            await self._ask_stream("ping", {})
            return
        if self._client.held_back:  # the silence is ours
            return
        await self._client.get("ping", weight=limits.PING_WEIGHT)
        self._counters.received += 1

    async def run(self) -> None:
        """Watch the user stream and the clock."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.raise_when_lost())
            group.create_task(self._watch_stream())
            group.create_task(self._keep_clock())

    # -- the user stream --------------------------------------------------------------------

    @property
    def _stream_wanted(self) -> bool:
        return self._venue.flags.websocket_enabled and not missing_names()

    async def _listen_in_time(self) -> None:
        timeout_s = self._venue.config.connect_timeout_s / 2  # polling must be in time to step in
        try:
            async with asyncio.timeout(timeout_s):
                await self._listen()
        except TimeoutError:
            raise ConnectTimeout(self.endpoint, timeout_s) from None

    async def _listen(self) -> None:
        socket = await self._client.dial_trading(self._stream)
        try:
            await self._stream.attach(socket)
            await self._subscribe_to_account()
            self.pushes = True
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - boundary: ccxt hands on whatever it met
            raise self._client.translated(error, "the user stream") from None
        finally:
            if not self.pushes:
                await self._client.hang_up(socket)

    async def _subscribe_to_account(self) -> None:
        params = self._client.signed()
        reply = await self._ask_stream("userDataStream.subscribe.signature", params)
        if reply.status != evidence.OK:
            raise evidence.refusal(reply, self._venue.name, "the user stream")

    async def _ask_stream(self, method: str, params: Mapping[str, str | int]) -> Reply:
        return await self._stream.request(method, params, self._venue.config.request_timeout_s)

    async def _watch_stream(self) -> None:
        """Try again where it could not be had."""
        while True:
            await asyncio.sleep(_STREAM_RETRY_S)
            if not self.pushes and self._stream_wanted:
                await self._try_to_listen()

    async def _try_to_listen(self) -> None:
        try:
            await self._listen_in_time()
        except FoxtrotError:
            log.info("user_stream_still_off", venue=self._venue.name, retry_s=_STREAM_RETRY_S)
            return
        log.info("user_stream_back", venue=self._venue.name)
        self._listener.on_missed("the user stream is back")

    async def _keep_clock(self) -> None:
        while True:
            await self._clock_wrong.wait()
            self._clock_wrong.clear()
            try:
                await self._client.set_clock()
            except FoxtrotError as error:
                log.warning("clock_not_set", venue=self._venue.name, **labels(error))

    # -- UserListener -----------------------------------------------------------------------

    def on_execution(self, report: OrderReport, fill: FillReport | None) -> None:
        """Pass on what happened to an order."""
        if fill is not None:
            self._listener.on_fill(fill)
        self._listener.on_report(report)

    def on_holdings(self, holdings: Sequence[Holding], ts_ms: int) -> None:
        """Pass on what changed of the account; what is older than that is asked for instead."""
        if self._ledger.overtaken(holdings, ts_ms):
            self._listener.on_missed("balances came out of order")
            return
        changed = self._ledger.pushed(holdings, ts_ms)
        self._listener.on_balances(self._ledger.balances(changed, self._interest()))

    def on_missed(self, what: str) -> None:
        """Have everything asked again."""
        self._listener.on_missed(what)

    def on_stream_lost(self, error: BaseException | None, code: int) -> None:
        """The session ends with its stream: there may be a gap, which the next one asks for."""
        if self.pushes:
            lost = self._client.translated(error) if error is not None else ConnectionClosed(code)
            self.fail(lost)

    # -- TradingSession: orders -------------------------------------------------------------

    async def place(self, intent: OrderIntent) -> Answer:
        """Send a new order, once."""
        try:
            params = order_mapping.parameters(intent, self._venue.name)
        except NotSupported as error:
            return NotSent(str(error))
        reply = await self._command("post", "order", params)
        return evidence.placed(reply, intent.orderid)

    async def cancel(self, record: OrderRecord) -> Answer:
        """Cancel an order by its client order id, or by the venue's if it is not ours."""
        params = {"symbol": record.intent.request.symbol, **_named(record)}
        reply = await self._command("delete", "order", params)
        return evidence.cancelled(reply, record)

    async def replace(self, record: OrderRecord, intent: OrderIntent) -> tuple[Answer, Answer]:
        """Cancel and send anew in one request; the new order goes only if the cancel does."""
        try:
            params = order_mapping.parameters(intent, self._venue.name)
        except NotSupported as error:
            answer = NotSent(str(error))
            return answer, answer
        named = {f"cancel{key[0].upper()}{key[1:]}": each for key, each in _named(record).items()}
        params |= {"cancelReplaceMode": "STOP_ON_FAILURE", **named}
        reply = await self._command("post", "order/cancelReplace", params)
        return evidence.replaced(reply, record, intent.orderid)

    async def _command(self, method: str, path: str, params: Mapping[str, str]) -> Reply | Unheard:
        reply = await self._client.command(method, path, params)
        if evidence.is_about_the_clock(reply):
            self._clock_wrong.set()
        if isinstance(reply, Reply) and evidence.is_about_the_address(reply):
            self.fail(evidence.refusal(reply, self._venue.name, path))
        return reply

    # -- TradingSession: questions ----------------------------------------------------------

    async def open_orders(self) -> Known[OrderReport] | Unknown:
        """Every open order of the account."""
        return await self._known(self._open_orders)

    async def find(self, symbol: str, orderid: str, venue_id: str) -> Known[OrderReport] | Unknown:
        """One order, whatever its state."""
        named = {"orderId": venue_id} if venue_id else {"origClientOrderId": orderid}
        return await self._known(lambda: self._find({"symbol": symbol, **named}))

    async def fills(self, symbols: Sequence[str], since_ns: int) -> Known[FillReport] | Unknown:
        """The account's fills in these symbols since a moment."""
        return await self._known(lambda: self._fills(symbols, since_ns))

    async def balances(self) -> Balances | Unknown:
        """All that the account holds."""

        async def ask() -> Balances:
            await self._ask_holdings()
            return self._ledger.balances(self._ledger.assets, self._interest())

        return await self._told(ask)

    async def look_up(self, symbol: str, exchange: Exchange) -> ContractData | Unknown:
        """Binance lists all it has: what is not among them does not exist."""
        return self._venue.contracts.get(symbol) or Unknown("Binance does not list it")

    async def reference_price(self, symbol: str, exchange: Exchange) -> Decimal | Unknown:
        """The best ask of now: what an order at market may cost."""
        try:
            book = await self._venue.book(self._client, symbol, _FEW_LEVELS)
        except FoxtrotError as error:
            return self._unknown(error)
        if mapping.bad_book(book) or not book.asks:
            return Unknown("the order book cannot be believed, or is empty")
        return exact(book.asks[0][0])

    def _is_useless_after(self, error: FoxtrotError) -> bool:
        """Whether asking on would help nothing, or hammer.

        Where others were refused, the stream goes on telling, and cancels go out.
        """
        if isinstance(error, RateLimited):
            return self._client.refused or not self.pushes
        return super()._is_useless_after(error)

    async def _open_orders(self) -> tuple[OrderReport, ...]:
        answer = await self._client.ask_signed("openOrders", weight=limits.OPEN_ORDERS_WEIGHT)
        orders = self._venue.converted(answer, list[OrderAnswer], "openOrders")
        return tuple(map(order_mapping.order_report, orders))

    async def _find(self, params: Mapping[str, str]) -> tuple[OrderReport, ...]:
        try:
            answer = await self._client.ask_signed("order", params, weight=limits.ORDER_WEIGHT)
        except UnknownSymbol:
            if "orderId" in params:  # the venue had it: it ended with the symbol
                return ()
            raise
        except VenueError as error:
            if error.code in _NO_SUCH_ORDER:
                return ()
            raise
        order = self._venue.converted(answer, OrderAnswer, "order")
        return (order_mapping.order_report(order),)

    async def _fills(self, symbols: Sequence[str], since_ns: int) -> tuple[FillReport, ...]:
        found: list[FillReport] = []
        for symbol in symbols:
            try:
                found += await self._fills_of(symbol, since_ns)
            except UnknownSymbol as error:  # delisted: the account's other fills are wanted still
                log.warning("fills_not_told", venue=self._venue.name, reason=str(error))
        return tuple(found)

    async def _fills_of(self, symbol: str, since_ns: int) -> list[FillReport]:
        found: list[FillReport] = []
        params: dict[str, str | int] = {"startTime": self._client.venue_ms(since_ns)}
        for _ in range(_PAGES_LIMIT):
            trades = await self._trades({"symbol": symbol, "limit": _PAGE, **params})
            found += map(order_mapping.fill_of_trade, trades)
            if len(trades) < _PAGE:
                return found
            params = {"fromId": trades[-1].id + 1}
        raise VenueUnavailable(self._venue.name, "", f"more than {_FILLS_MOST} fills")

    async def _trades(self, params: Mapping[str, str | int]) -> list[TradeAnswer]:
        answer = await self._client.ask_signed("myTrades", params, weight=limits.MY_TRADES_WEIGHT)
        return self._venue.converted(answer, list[TradeAnswer], "myTrades")

    async def _ask_holdings(self) -> None:
        self._ledger.asking()
        answer = await self._client.ask_signed("account", weight=limits.ACCOUNT_WEIGHT)
        account = self._venue.converted(answer, AccountAnswer, "account")
        if not account.balances:  # it lists what is zero, too
            raise VenueUnavailable(self._venue.name, "", "the list of balances is empty")
        self._ledger.answered(account.balances)


def _named(record: OrderRecord) -> dict[str, str]:
    """How the venue is told which order is meant."""
    if record.external:
        return {"orderId": record.venue_id}
    return {"origClientOrderId": record.orderid}
