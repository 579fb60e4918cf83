"""The SDK, ib_async or ib_insync, and what foxtrot relies on of it. `client.py` is its door.

Both are used unmodified, and only their `Client` (socket, handshake, encoding, decoding) and their
value classes are: what lies above keeps a state of its own that cannot be trusted after an error.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Protocol, cast

from foxtrot.core.aside import aside
from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError
from foxtrot.model.health import Finding

log = get_logger("foxtrot.ib.sdk")

_EVENTKITS = ("eventkit", "aeventkit")
_MEND = "pip uninstall -y eventkit aeventkit && pip install aeventkit"


class RawContract(Protocol):
    """The SDK's Contract."""

    conId: int
    symbol: str
    secType: str
    lastTradeDateOrContractMonth: str
    strike: float
    right: str
    multiplier: str
    exchange: str
    primaryExchange: str
    currency: str
    localSymbol: str
    tradingClass: str
    includeExpired: bool


class RawOrder(Protocol):
    """The SDK's Order; unset numbers are 1.7976931348623157e308 and 2147483647."""

    orderId: int
    clientId: int
    permId: int
    action: str
    totalQuantity: float
    orderType: str
    lmtPrice: float
    auxPrice: float
    tif: str
    orderRef: str
    account: str
    outsideRth: bool
    transmit: bool
    filledQuantity: float


class RawOrderState(Protocol):
    """The SDK's OrderState."""

    status: str
    warningText: str
    completedTime: str
    completedStatus: str


class RawExecution(Protocol):
    """The SDK's Execution; `time` is an aware datetime."""

    execId: str
    acctNumber: str
    exchange: str
    side: str
    shares: float
    price: float
    permId: int
    clientId: int
    orderId: int
    orderRef: str
    cumQty: float
    avgPrice: float
    time: object


class RawCommissionReport(Protocol):
    """The SDK's CommissionReport."""

    execId: str
    commission: float
    currency: str


class _Slots(Protocol):
    """An event of eventkit's. Bound methods are held weakly."""

    def connect(self, listener: object) -> object: ...

    def disconnect(self, listener: object) -> object: ...


class RawConnection(Protocol):
    """The SDK's socket."""

    transport: asyncio.Transport | None
    hasData: _Slots
    disconnected: _Slots


class RawDecoder(Protocol):
    """The SDK's decoder: fields of a message to a call of the inbox."""

    logger: object
    handlers: dict[int, Callable[[list[str]], None]]

    def interpret(self, fields: list[str]) -> None:
        """Decode one message."""


class RawStatistics(Protocol):
    """The SDK's ConnectionStats."""

    numMsgRecv: int


class RawClient(Protocol):
    """The SDK's Client: a method for each message. Nothing here waits; `IbClient` paces.

    Names and order of the arguments are the API's own.
    """

    MaxRequests: int
    MinClientVersion: int
    conn: RawConnection
    apiError: _Slots
    decoder: RawDecoder
    _logger: object
    _data: bytes

    async def connectAsync(
        self, host: str, port: int, clientId: int, timeout: float | None
    ) -> None:
        """Connect; a timeout of 0 is none."""

    def disconnect(self) -> None:
        """Close the socket."""

    def isReady(self) -> bool:
        """Whether TWS has named order id and accounts."""

    def serverVersion(self) -> int:
        """Of TWS; 0 before the handshake."""

    def getAccounts(self) -> list[str]:
        """The accounts that TWS has named."""

    def getReqId(self) -> int:
        """The next order id; each call counts."""

    def connectionStats(self) -> RawStatistics:
        """How much went over the line."""

    def _onSocketHasData(self, data: bytes) -> None:
        """Take what the socket brings."""

    def reqCurrentTime(self) -> None:
        """Ask for TWS's time."""

    def reqIds(self, numIds: int) -> None:
        """Ask for the next order id; the number means nothing."""

    def reqMarketDataType(self, marketDataType: int) -> None:
        """Choose live, frozen, delayed or delayed frozen data."""

    def reqMktData(
        self,
        reqId: int,
        contract: RawContract,
        genericTickList: str,
        snapshot: bool,
        regulatorySnapshot: bool,
        mktDataOptions: list[object],
    ) -> None:
        """Ask for ticks, or for one snapshot."""

    def cancelMktData(self, reqId: int) -> None:
        """Give them back."""

    def reqMktDepth(
        self,
        reqId: int,
        contract: RawContract,
        numRows: int,
        isSmartDepth: bool,
        mktDepthOptions: list[object],
    ) -> None:
        """Ask for an order book."""

    def cancelMktDepth(self, reqId: int, isSmartDepth: bool) -> None:
        """Give it back."""

    def reqTickByTickData(
        self, reqId: int, contract: RawContract, tickType: str, numberOfTicks: int, ignoreSize: bool
    ) -> None:
        """Ask for every print."""

    def cancelTickByTickData(self, reqId: int) -> None:
        """Give them back."""

    def reqHistoricalData(
        self,
        reqId: int,
        contract: RawContract,
        endDateTime: str,
        durationStr: str,
        barSizeSetting: str,
        whatToShow: str,
        useRTH: bool,
        formatDate: int,
        keepUpToDate: bool,
        chartOptions: list[object],
    ) -> None:
        """Ask for bars."""

    def cancelHistoricalData(self, reqId: int) -> None:
        """Give them back."""

    def reqRealTimeBars(
        self,
        reqId: int,
        contract: RawContract,
        barSize: int,
        whatToShow: str,
        useRTH: bool,
        realTimeBarsOptions: list[object],
    ) -> None:
        """Ask for bars of five seconds, each when it is over."""

    def cancelRealTimeBars(self, reqId: int) -> None:
        """Give them back."""

    def reqHeadTimeStamp(
        self, reqId: int, contract: RawContract, whatToShow: str, useRTH: bool, formatDate: int
    ) -> None:
        """Ask how far history goes back."""

    def cancelHeadTimeStamp(self, reqId: int) -> None:
        """Take the question back."""

    def reqHistoricalTicks(
        self,
        reqId: int,
        contract: RawContract,
        startDateTime: str,
        endDateTime: str,
        numberOfTicks: int,
        whatToShow: str,
        useRth: bool,
        ignoreSize: bool,
        miscOptions: list[object],
    ) -> None:
        """Ask for ticks of the past."""

    def reqContractDetails(self, reqId: int, contract: RawContract) -> None:
        """Ask what fits a contract."""

    def reqMatchingSymbols(self, reqId: int, pattern: str) -> None:
        """Search symbols."""

    def placeOrder(self, orderId: int, contract: RawContract, order: RawOrder) -> None:
        """Send or change an order."""

    def cancelOrder(self, orderId: int, manualCancelOrderTime: str = "") -> None:
        """Cancel an order of this client id."""

    def reqOpenOrders(self) -> None:
        """Ask for the open orders of this client id."""

    def reqAllOpenOrders(self) -> None:
        """Ask for all open orders."""

    def reqCompletedOrders(self, apiOnly: bool) -> None:
        """Ask for the orders that have ended."""

    def reqExecutions(self, reqId: int, execFilter: object) -> None:
        """Ask for the fills of the day."""

    def reqPositions(self) -> None:
        """Ask for the positions, and to be told of changes."""

    def reqAccountUpdates(self, subscribe: bool, acctCode: str) -> None:
        """Ask for values and portfolio of an account, and their changes."""


class Sdk(Protocol):
    """The SDK's package: the classes that foxtrot makes objects of. Arguments are their fields."""

    __name__: str

    def Client(self, wrapper: object) -> RawClient:
        """A connection, unopened."""

    def Contract(self, **fields: str | int | float | bool) -> RawContract:
        """A contract."""

    def Order(self, **fields: str | int | float | bool) -> RawOrder:
        """An order."""

    def ExecutionFilter(self, **fields: str | int) -> object:
        """Which executions are asked for; none excludes nothing."""


@cache
def sdk() -> Sdk:
    """The SDK, imported at the first call; ib_async where both could be.

    Raises:
        ConfigurationError: It is not installed, or cannot be imported; the text names the remedy.
    """
    installed = eventkits()
    try:
        with ThreadPoolExecutor(1, "foxtrot-import-ib") as thread:
            package = thread.submit(_imported_with_a_loop).result()
    except ImportError as error:
        raise ConfigurationError("ib", "", _advice(installed, error)) from None
    except RuntimeError as error:  # eventkit 1.0.3 where no loop can be had
        raise ConfigurationError("ib", "", _advice(installed or ("eventkit",), error)) from None
    if len(installed) > 1:
        log.warning("eventkit_clash", packages=", ".join(installed), advice=_MEND)
    return package


async def load() -> Sdk:
    """Import the SDK, which takes a moment the first time; not on the loop's thread.

    Raises:
        ConfigurationError: As `sdk`.
    """
    return await aside(sdk, "import-ib")


def eventkits() -> tuple[str, ...]:
    """The installed distributions that bring a package `eventkit`; two of them clash."""
    return tuple(name for name in _EVENTKITS if _installed(name))


def examine() -> tuple[Finding, ...]:
    """Which SDK is there, and what it needs. Looks at what is installed, and imports it once."""
    names = ("ib_async", "ib_insync", *_EVENTKITS)
    found = ", ".join(f"{name} {_version(name)}" for name in names if _installed(name)) or "nothing"
    try:
        sdk()
    except ConfigurationError as error:
        return (Finding("ib", found, error.problem),)
    return (Finding("ib", found, _clash(eventkits())),)


def _installed(name: str) -> bool:
    return bool(_version(name))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _imported() -> Sdk:
    try:
        import ib_async
    except ModuleNotFoundError as missing:
        if missing.name != "ib_async":
            raise
        import ib_insync

        return cast("Sdk", ib_insync)
    return cast("Sdk", ib_async)


def _imported_with_a_loop() -> Sdk:
    """Import it on a thread that has a loop: eventkit 1.0.3 asks for one, and never uses it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return _imported()
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _clash(installed: Sequence[str]) -> str:
    if len(installed) < 2:
        return ""
    return (
        "the packages eventkit and aeventkit are both installed, and each has overwritten files"
        f" of the other; mend it with: {_MEND}"
    )


def _advice(installed: Sequence[str], error: Exception) -> str:
    if clash := _clash(installed):
        return clash
    if isinstance(error, ModuleNotFoundError) and error.name == "ib_insync":
        return "neither ib_async nor ib_insync is installed; pip install ib_async"
    if isinstance(error, ModuleNotFoundError) and error.name != "eventkit":
        return f"the SDK needs the package {error.name}; install it, or the SDK anew"
    return f"the SDK's package eventkit cannot be imported; mend it with: {_MEND}"
