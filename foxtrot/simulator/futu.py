"""A simulated Futu OpenD: its TCP protocol, protobuf in frames, on one loopback port.

Strict: requests are checked against the schema that the SDK brings, and the limits of OpenD hold
(`FutuLimits`). Cruel: faults can be switched on by `faults`. It knows nothing of the adapter it
tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.simulator.control import Control
from foxtrot.simulator.faults import Fault, FaultBoard
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import DEFAULT_ACCOUNTS, AccountSpec
from foxtrot.simulator.futu_blast import Blast, BlastPlan
from foxtrot.simulator.futu_cipher import Rsa
from foxtrot.simulator.futu_connection import Connection, Request
from foxtrot.simulator.futu_contract_room import ContractRoom
from foxtrot.simulator.futu_contracts import Universe
from foxtrot.simulator.futu_desk import Desk
from foxtrot.simulator.futu_dispatch import Dispatch, Room
from foxtrot.simulator.futu_hall import Hall
from foxtrot.simulator.futu_history import HistoryRoom
from foxtrot.simulator.futu_limits import FutuLimits, Windows
from foxtrot.simulator.futu_order_lists import OrderLists
from foxtrot.simulator.futu_order_room import OrderRoom
from foxtrot.simulator.futu_quotes import Quotes
from foxtrot.simulator.futu_seen import Seen
from foxtrot.simulator.futu_strikes import Strikes
from foxtrot.simulator.log import log
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.pulse import Pulse
from foxtrot.simulator.threads import VenueThread, is_loopback, on_loop

__all__ = ["FutuLimits", "SimulatedFutu", "SimulatedFutuThread", "serve"]

T = TypeVar("T")

_STOP_S = 2.0
_LAST_TURNS = 5


class SimulatedFutu:
    """The OpenD.

    Args:
        symbols: Names of its universe, such as HK.00700, US.AAPL; all by default.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol; 0 means only by `tick`.
        host: A loopback address.
        port: 0 takes a free one; it is kept over `stop` and `start`.
        limits: The rules for clients.
        accounts: The accounts of its user.
        password: What unlocks trading for real.
        rsa_key: A private key, PEM, of 1024 bits: handshakes are encrypted with it; without one,
            nothing is.

    Thread safety: lives on the loop that `start` ran on; `faults` and `desk` may be used from any
    thread.
    """

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        seed: int = 0,
        rate_hz: float = 10.0,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: FutuLimits | None = None,
        accounts: Sequence[AccountSpec] = DEFAULT_ACCOUNTS,
        password: str = "123456",  # noqa: S107 - of a toy
        rsa_key: str | None = None,
    ) -> None:
        _check(host, rate_hz)
        self.limits = limits or FutuLimits()
        self.windows = Windows(self.limits)
        self.faults = FaultBoard()
        self.seen = Seen()
        self.host, self.port = host, port
        self.rsa = None if rsa_key is None else Rsa(rsa_key)
        self.violations: list[str] = []
        self.universe = Universe.of(symbols)
        self.market = Market(self.universe.listings(), seed=seed, now_ms=self.now_ms())
        self.market.on_step = self._on_step
        self.hall = Hall(self)
        self.quotes = Quotes(self)
        self.accounts = AccountRoom(self, accounts, password)
        self.orders = OrderRoom(self, self.accounts, seed=seed)
        self.desk = Desk(self, self.orders, self.accounts)
        self._rooms: list[Room] = [
            self.hall,
            self.quotes,
            ContractRoom(self),
            HistoryRoom(self),
            self.accounts,
            self.orders,
            OrderLists(self, self.orders, self.accounts),
        ]
        self._dispatch = Dispatch(self, *self._rooms)
        self._strikes = Strikes(self)
        self._connections: dict[int, Connection] = {}
        self._shut_until_s = 0.0
        self._server: asyncio.Server | None = None
        self._pulse = Pulse(rate_hz, self._beat)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_listening: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "RUNNING" if self._server else "STOPPED"
        return f"<SimulatedFutu {state} port={self.port} connections={len(self._connections)}>"

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""
        return tuple(self._connections.values())

    async def __aenter__(self) -> SimulatedFutu:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the port and let the market move.

        Raises:
            InvalidState: It is running already.
        """
        if self._server is not None:
            raise InvalidState("the simulated OpenD is running already")
        loop = self._loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), self.host, self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._stop_listening = self.faults.listen(self._on_fault)
        self._pulse.start()
        log.info("simulated_venue_started", venue="FUTU", port=self.port)

    async def stop(self) -> None:
        """Close every connection and the port; trading is locked. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        self.accounts.unlocked = False
        if self._stop_listening is not None:
            self._stop_listening()
        await self._pulse.stop()
        server.close()
        for _ in range(_LAST_TURNS):  # who was accepted a moment ago becomes a connection first
            await asyncio.sleep(0)
        for connection in self.connections:
            connection.hang_up()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _STOP_S)
        log.info("simulated_venue_stopped", venue="FUTU", port=self.port)

    def blast(self, plan: BlastPlan | None = None) -> None:
        """Flood the clients that come from now on with what they subscribe to."""
        self._rooms.append(Blast(self, plan or BlastPlan()))

    # -- the market -------------------------------------------------------------------------

    def tick(self, symbol: str, count: int = 1) -> None:
        """Advance a symbol by hand; everything that can be published is, at once.

        May be called from any thread; it returns when it is done.
        """
        self.on_loop(lambda: self._tick(symbol, count))

    def on_loop(self, call: Callable[[], T]) -> T:
        """Run a call on the venue's loop and wait for what it returns."""
        return on_loop(self._loop, call)

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""
        self.market.wake(symbol, self._clock_ms())

    def now_ms(self) -> int:
        """The venue's clock, in milliseconds, as clients see it."""
        skew = self.faults.active("clock_skew")
        return self._clock_ms() + (int((skew.seconds or 0.0) * 1_000) if skew else 0)

    # -- clients ----------------------------------------------------------------------------

    def opened(self, connection: Connection) -> bool:
        """A client has connected; whether it may stay."""
        assert self._loop is not None
        connection.number = self.seen.connected()
        full = len(self._connections) >= self.limits.clients
        shut = self._loop.time() < self._shut_until_s or self.faults.active("refuse") is not None
        if full or shut:
            return False
        self._connections[connection.number] = connection
        return True

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        if self._connections.pop(connection.number, None) is None:
            return
        for room in self._rooms:
            room.left(connection)

    def joined(self, connection: Connection) -> None:
        """A client has shaken hands."""
        connection.joined = True
        for room in self._rooms:
            room.joined(connection)

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request."""
        self.seen.requested(connection.number, request)
        self._dispatch.handle(connection, request)

    def violated(self, connection: Connection, problem: str) -> None:
        """A client broke a rule that no client should ever break."""
        self.violations.append(f"connection {connection.number}: {problem}")
        log.error("simulated_client_violates", connection=connection.number, problem=problem)

    def shut(self, seconds: float) -> None:
        """End every connection, and let nobody in for a while; trading is locked then."""
        assert self._loop is not None
        self.accounts.unlocked = False
        self._shut_until_s = self._loop.time() + seconds
        for connection in self.connections:
            connection.hang_up()

    # -- inside -----------------------------------------------------------------------------

    def _tick(self, symbol: str, count: int) -> None:
        for _ in range(count):
            self.market.tick(symbol, max(self._clock_ms(), self.market.now_ms(symbol) + 1))

    def _beat(self) -> None:
        """Advance every symbol that is awake."""
        now_ms = self._clock_ms()
        for symbol in self.market.awake:
            self.market.tick(symbol, now_ms)

    def _on_step(self, step: Step) -> None:
        for room in self._rooms:
            room.step(step)

    def _on_fault(self, fault: Fault | None) -> None:
        """Carry out a fault that acts at once, on the venue's own loop."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._strikes.changed, fault)

    def _clock_ms(self) -> int:
        return time.time_ns() // 1_000_000


def _check(host: str, rate_hz: float) -> None:
    where = "simulated Futu"
    if not is_loopback(host):
        raise ConfigurationError(where, "host", f"{host} is no loopback address")
    if not 0 <= rate_hz <= 10_000:
        raise ConfigurationError(where, "rate_hz", "allowed is 0 to 10000")


class SimulatedFutuThread(VenueThread[SimulatedFutu]):
    """A simulated OpenD in a thread of its own; `venue` is the simulator."""


async def serve(
    symbols: Sequence[str] | None = None,
    *,
    seed: int = 0,
    rate_hz: float = 10.0,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: FutuLimits | None = None,
    full_speed: bool = False,
    on_ready: Callable[[SimulatedFutu, str], None] | None = None,
) -> None:
    """Run an OpenD until cancelled.

    Args:
        symbols: As for `SimulatedFutu`, like the next five.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol.
        host: A loopback address.
        port: 0 takes a free one.
        limits: The rules for clients.
        full_speed: Flood whoever subscribes.
        on_ready: Called once it listens, with the OpenD and where to inject faults.
    """
    venue = SimulatedFutu(symbols, seed=seed, rate_hz=rate_hz, host=host, port=port, limits=limits)
    if full_speed:
        venue.blast()
    async with venue, Control(venue.faults, host) as control:
        if on_ready is not None:
            on_ready(venue, control.url)
        await asyncio.get_running_loop().create_future()
