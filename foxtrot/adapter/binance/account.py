"""The account: what it holds, and the websocket that tells when something happens to it.

Source: Binance spot API documents, "user-data-stream" and "web-socket-api".
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from foxtrot.adapter.binance import order_mapping
from foxtrot.adapter.binance.client import Socket
from foxtrot.adapter.binance.evidence import OK, Reply
from foxtrot.adapter.binance.order_mapping import ExecutionReport
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConnectionClosed
from foxtrot.execution.reports import FillReport, OrderReport
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.trading import Balances
from foxtrot.model.constants import Direction, Exchange
from foxtrot.model.objects import AccountData, ContractData, PositionData

log = get_logger("foxtrot.binance.account")

_MOST = Decimal(10) ** 18
_GOING_AWAY = 1001
_KINDS_REMEMBERED = 100
_EMPTY = msgspec.Raw(b"")
_BALANCES_CHANGED = frozenset({"balanceUpdate", "externalLockUpdate"})


class Holding(msgspec.Struct):
    """One entry of `balances` of GET /account, or of `B` of a push."""

    asset: str
    free: Decimal
    locked: Decimal


class AccountAnswer(msgspec.Struct):
    """GET /account."""

    balances: list[Holding]


class PushedHolding(msgspec.Struct):
    """One entry of `B` of `outboundAccountPosition`."""

    a: str
    f: Decimal
    l: Decimal  # noqa: E741 - the venue's name


class AccountPush(msgspec.Struct):
    """`outboundAccountPosition`: the assets that changed, as they were at `u`."""

    u: int
    B: list[PushedHolding]


class Envelope(msgspec.Struct):
    """What every frame of the trading websocket has one half of: an answer, or an event."""

    id: str | int | None = None
    status: int = 0
    result: msgspec.Raw = _EMPTY
    error: msgspec.Raw = _EMPTY
    event: msgspec.Raw = _EMPTY
    e: str = ""


class Kind(msgspec.Struct):
    """The kind of an event."""

    e: str


_envelope = msgspec.json.Decoder(Envelope)
_kind = msgspec.json.Decoder(Kind)
_execution = msgspec.json.Decoder(ExecutionReport, strict=False)
_holdings = msgspec.json.Decoder(AccountPush, strict=False)


class UserListener(Protocol):
    """Who is told what the stream brings. Called on the loop thread."""

    def on_execution(self, report: OrderReport, fill: FillReport | None) -> None:
        """Something happened to an order."""

    def on_holdings(self, holdings: Sequence[Holding], ts_ms: int) -> None:
        """These assets changed, at a moment of the venue's clock."""

    def on_missed(self, what: str) -> None:
        """Something happened that the stream did not tell, or not readably."""

    def on_stream_lost(self, error: BaseException | None, code: int) -> None:
        """The stream is gone."""


class UserStream:
    """The trading websocket: requests and their answers by id, and what is pushed."""

    def __init__(self, listener: UserListener, counters: FeedCounters) -> None:
        self._listener, self._counters = listener, counters
        self._ids = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Reply]] = {}
        self._socket: Socket | None = None
        self._lost: asyncio.Future[BaseException] | None = None
        self._unknown: set[str] = set()
        self._pushes: Mapping[str, Callable[[bytes], None]] = {
            "executionReport": self._on_execution,
            "outboundAccountPosition": self._on_holdings,
            "eventStreamTerminated": self._on_terminated,
            "serverShutdown": self._on_terminated,
        }

    async def attach(self, socket: Socket) -> None:
        """Use `socket`, once it is open.

        Raises:
            ConnectionClosed: It could not be opened, or was lost at once.
            BaseException: What the SDK met instead.
        """
        self._socket = socket
        opened = asyncio.ensure_future(socket.opened())
        self._lost = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((opened, self._lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
        if self._lost.done():
            raise self._lost.result()

    async def request(
        self, method: str, params: Mapping[str, str | int], timeout_s: float
    ) -> Reply:
        """Send a request and wait for the venue's answer, whatever it says.

        Raises:
            TimeoutError: There was none in time.
            ConnectionClosed: The connection is gone.
        """
        if self._socket is None:
            raise ConnectionClosed(1006, "never opened")
        number = str(next(self._ids))
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        request: dict[str, object] = {"id": number, "method": method}
        if params:
            request["params"] = params
        try:
            async with asyncio.timeout(timeout_s):
                await self._socket.post(request)
                return await answer
        finally:
            self._answers.pop(number, None)

    # -- Receiver: what the socket brings ----------------------------------------------------

    def on_frame(self, data: bytes) -> None:
        """Take a frame."""
        self._counters.received += 1
        try:
            envelope = _envelope.decode(data)
            event = bytes(envelope.event)
            if event or envelope.e:
                self._on_event(event or data)
            else:
                self._on_answer(envelope)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            self._counters.malformed += 1
            log.warning("user_frame_unreadable", size=len(data), problem=type(error).__name__)
            self._listener.on_missed("a frame of the user stream could not be read")

    def on_lost(self, error: BaseException | None, code: int) -> None:
        """Pass on that the socket is gone."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionClosed(code, "lost while waiting for an answer"))
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(error or ConnectionClosed(code))
        self._listener.on_stream_lost(error, code)

    def _on_answer(self, envelope: Envelope) -> None:
        answer = self._answers.get(str(envelope.id))
        if answer is None or answer.done():
            self._counters.ignored += 1
            return
        self._counters.control += 1
        body = bytes(envelope.result if envelope.status == OK else envelope.error)
        answer.set_result(Reply(envelope.status, {}, body))

    def _on_event(self, event: bytes) -> None:
        kind = _kind.decode(event).e
        handle = self._pushes.get(kind)
        if handle is not None:
            handle(event)
        elif kind in _BALANCES_CHANGED:
            self._listener.on_missed("a balance changed from outside")
        else:
            self._counters.ignored += 1
            if kind not in self._unknown and len(self._unknown) < _KINDS_REMEMBERED:
                self._unknown.add(kind)
                log.info("user_event_ignored", kind=kind)

    def _on_execution(self, event: bytes) -> None:
        push = _execution.decode(event)
        report, fill = order_mapping.report_of_push(push), order_mapping.fill_of_push(push)
        self._listener.on_execution(report, fill)

    def _on_holdings(self, event: bytes) -> None:
        push = _holdings.decode(event)
        self._listener.on_holdings([Holding(each.a, each.f, each.l) for each in push.B], push.u)

    def _on_terminated(self, event: bytes) -> None:
        self._listener.on_stream_lost(None, _GOING_AWAY)


class Ledger:
    """What the account holds, as accounts per asset and positions per contract of interest."""

    def __init__(self, adapter_name: str) -> None:
        self._adapter_name = adapter_name
        self._held: dict[str, Holding] = {}
        self._pushed_ms: dict[str, int] = {}
        self._since_asked: set[str] = set()

    def asking(self) -> None:
        """All is about to be asked for: what is pushed from now on is not older than the answer."""
        self._since_asked.clear()

    def answered(self, holdings: Iterable[Holding]) -> None:
        """Take all that the venue says is held; what it lacks is held no more.

        Raises:
            ValueError: A number cannot be believed.
        """
        now = _believed(holdings)
        gone = self._held.keys() - now.keys()
        now |= {asset: Holding(asset, Decimal(0), Decimal(0)) for asset in gone}
        older = {asset: each for asset, each in now.items() if asset not in self._since_asked}
        self._held |= older
        self._pushed_ms = {k: at for k, at in self._pushed_ms.items() if k not in older}

    def overtaken(self, holdings: Iterable[Holding], ts_ms: int) -> bool:
        """Whether a push is older than one that came before it."""
        return any(ts_ms < self._pushed_ms.get(each.asset, ts_ms) for each in holdings)

    def pushed(self, holdings: Iterable[Holding], ts_ms: int) -> list[str]:
        """Take the holdings that the venue pushes; returns the assets that changed.

        Raises:
            ValueError: A number cannot be believed.
        """
        now = _believed(holdings)
        self._pushed_ms |= dict.fromkeys(now, ts_ms)
        self._since_asked |= now.keys()
        changed = [asset for asset, each in now.items() if self._held.get(asset) != each]
        self._held |= now
        return changed

    @property
    def assets(self) -> list[str]:
        """What is, or was, held."""
        return list(self._held)

    def balances(self, assets: Iterable[str], contracts: Iterable[ContractData]) -> Balances:
        """These assets, and the positions in `contracts` whose base they are."""
        asked = dict.fromkeys(assets)
        bases = {contract.symbol: contract.name.partition("/")[0] for contract in contracts}
        return Balances(
            tuple(self._account(asset) for asset in asked),
            tuple(self._position(symbol, base) for symbol, base in bases.items() if base in asked),
        )

    def _account(self, asset: str) -> AccountData:
        held = self._held[asset]
        total = float(held.free + held.locked)
        return AccountData(self._adapter_name, asset, total, float(held.locked))

    def _position(self, symbol: str, base: str) -> PositionData:
        held = self._held[base]
        return PositionData(
            self._adapter_name,
            symbol,
            Exchange.BINANCE,
            Direction.NET,
            float(held.free + held.locked),
            float(held.locked),
        )


def _believed(holdings: Iterable[Holding]) -> dict[str, Holding]:
    for each in (found := {each.asset: each for each in holdings}).values():
        for amount in (each.free, each.locked):
            if not amount.is_finite() or not -_MOST < amount < _MOST:
                raise ValueError(f"{each.asset}: a balance cannot be believed")
    return found
