"""A simulated TWS gateway: the socket protocol of Interactive Brokers on one loopback port.

Strict: every message of a client is read field by field, and the limits of TWS hold (`IbLimits`).
Cruel: faults can be switched on by `faults`. It knows nothing of the adapter it tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import TypeVar

from foxtrot.errors import ConfigurationError, InvalidState, UnknownSymbol
from foxtrot.simulator.accounts import Amount
from foxtrot.simulator.control import Control
from foxtrot.simulator.faults import Fault, FaultBoard
from foxtrot.simulator.ib_account_room import AccountRoom
from foxtrot.simulator.ib_blast import Blast, BlastPlan
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_contract_room import ContractRoom
from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_desk import Desk
from foxtrot.simulator.ib_dispatch import Dispatch, Room
from foxtrot.simulator.ib_hall import Hall
from foxtrot.simulator.ib_history import HistoryRoom
from foxtrot.simulator.ib_limits import IbLimits
from foxtrot.simulator.ib_order_lists import OrderLists
from foxtrot.simulator.ib_order_room import OrderRoom
from foxtrot.simulator.ib_requests import ContractQuery, Request
from foxtrot.simulator.ib_seen import Seen
from foxtrot.simulator.ib_streams import Streams
from foxtrot.simulator.ib_strikes import Strikes
from foxtrot.simulator.ib_wire import LEAST_VERSION, MOST_VERSION
from foxtrot.simulator.log import log
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.pulse import Pulse
from foxtrot.simulator.threads import VenueThread, is_loopback, on_loop

__all__ = ["IbLimits", "SimulatedIb", "SimulatedIbThread", "serve"]

T = TypeVar("T")

DEFAULT_BALANCES: Mapping[str, Amount] = MappingProxyType({"USD": 1_000_000})

_STOP_S = 2.0
_LAST_TURNS = 5


class SimulatedIb:
    """The gateway.

    Args:
        symbols: Names of its universe, such as AAPL, EUR.USD, ESZ6; all by default.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol; 0 means only by `tick`.
        host: A loopback address.
        port: 0 takes a free one; it is kept over `stop` and `start`.
        limits: The rules for clients.
        accounts: The accounts of its user.
        balances: What every account starts with.
        server_version: The newest version it speaks, 157 to 178.

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
        limits: IbLimits | None = None,
        accounts: Sequence[str] = ("DU1234567",),
        balances: Mapping[str, Amount] = DEFAULT_BALANCES,
        server_version: int = 176,
    ) -> None:
        _check(host, rate_hz, server_version)
        self.limits = limits or IbLimits()
        self.faults = FaultBoard()
        self.seen = Seen()
        self.host, self.port, self.server_version = host, port, server_version
        self.account_names: Sequence[str] = tuple(accounts)
        self.violations: list[str] = []
        today = dt.datetime.now(dt.UTC).date()
        self.universe = Universe.of(symbols, today=today)
        self.market = Market(self.universe.listings(), seed=seed, now_ms=self.now_ms())
        self.market.on_step = self._on_step
        self.streams = Streams(self)
        accounts_room = AccountRoom(self, self.account_names, balances)
        self.orders = OrderRoom(self, accounts_room, seed=seed)
        self.desk = Desk(self, self.orders, accounts_room)
        self._rooms: list[Room] = [
            Hall(self),
            ContractRoom(self),
            self.streams,
            HistoryRoom(self),
            accounts_room,
            self.orders,
            OrderLists(self, self.orders),
        ]
        self._dispatch = Dispatch(self, *self._rooms)
        self._strikes = Strikes(self)
        self._connections: dict[int, Connection] = {}
        self._ghosts: dict[int, float] = {}
        self._shut_until_s = 0.0
        self._server: asyncio.Server | None = None
        self._pulse = Pulse(rate_hz, self._beat)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_listening: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "RUNNING" if self._server else "STOPPED"
        return f"<SimulatedIb {state} port={self.port} connections={len(self._connections)}>"

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that stand."""
        return tuple(self._connections.values())

    async def __aenter__(self) -> SimulatedIb:
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
            raise InvalidState("the simulated gateway is running already")
        loop = self._loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), self.host, self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._stop_listening = self.faults.listen(self._on_fault)
        self._pulse.start()
        log.info("simulated_venue_started", venue="IB", port=self.port)

    async def stop(self) -> None:
        """Close every connection and the port. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
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
        log.info("simulated_venue_stopped", venue="IB", port=self.port)

    def blast(self, plan: BlastPlan | None = None) -> None:
        """Flood the clients that come from now on with what the plan says; by default, quotes."""
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

    def time_text(self) -> str:
        """The venue's clock, as it is told in the handshake."""
        now = dt.datetime.fromtimestamp(self.now_ms() / 1_000, dt.UTC)
        return f"{now:%Y%m%d %H:%M:%S} UTC"

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
        """A connection is gone; with the fault for it, its client id is still in use."""
        if self._connections.pop(connection.number, None) is None:
            return
        ghost = self.faults.active("ghost_client", path=connection.path)
        if ghost is not None and connection.joined and self._loop is not None:
            self._ghosts[connection.client_id] = self._loop.time() + (ghost.seconds or 30.0)
        for room in self._rooms:
            room.left(connection)

    def id_in_use(self, client_id: int) -> bool:
        """Whether another connection, or the ghost of one, has this client id."""
        assert self._loop is not None
        if any(each.joined and each.client_id == client_id for each in self.connections):
            return True
        haunted = self.faults.active("ghost_client", path=f"client/{client_id}") is not None
        return haunted and self._loop.time() < self._ghosts.get(client_id, 0.0)

    def joined(self, connection: Connection) -> None:
        """A client has said who it is."""
        for room in self._rooms:
            room.joined(connection)

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request."""
        self.seen.requested(connection.client_id, request)
        self._dispatch.handle(connection, request)

    def name_of(self, query: ContractQuery) -> str | None:
        """The name of the one contract that is meant; None if it is none, or several."""
        try:
            return self.universe.one(query).contract.name
        except UnknownSymbol:
            return None

    def violated(self, connection: Connection, problem: str) -> None:
        """A client broke a rule that no client should ever break."""
        self.violations.append(f"client {connection.client_id}: {problem}")
        log.error("simulated_client_violates", client=connection.client_id, problem=problem)

    def next_order_id(self, client_id: int) -> int:
        """The order id that this client may use next."""
        return self.orders.next_order_id(client_id)

    def shut(self, seconds: float) -> None:
        """End every connection, and let nobody in for a while."""
        assert self._loop is not None
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


def _check(host: str, rate_hz: float, server_version: int) -> None:
    where = "simulated Interactive Brokers"
    if not is_loopback(host):
        raise ConfigurationError(where, "host", f"{host} is no loopback address")
    if not 0 <= rate_hz <= 10_000:
        raise ConfigurationError(where, "rate_hz", "allowed is 0 to 10000")
    if not LEAST_VERSION <= server_version <= MOST_VERSION:
        problem = f"allowed is {LEAST_VERSION} to {MOST_VERSION}"
        raise ConfigurationError(where, "server_version", problem)


class SimulatedIbThread(VenueThread[SimulatedIb]):
    """A simulated gateway in a thread of its own; `venue` is the simulator."""


async def serve(
    symbols: Sequence[str] | None = None,
    *,
    seed: int = 0,
    rate_hz: float = 10.0,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: IbLimits | None = None,
    full_speed: bool = False,
    on_ready: Callable[[SimulatedIb, str], None] | None = None,
) -> None:
    """Run a gateway until cancelled.

    Args:
        symbols: As for `SimulatedIb`, like the next five.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol.
        host: A loopback address.
        port: 0 takes a free one.
        limits: The rules for clients.
        full_speed: Flood whoever subscribes to quotes.
        on_ready: Called once it listens, with the gateway and where to inject faults.
    """
    venue = SimulatedIb(symbols, seed=seed, rate_hz=rate_hz, host=host, port=port, limits=limits)
    if full_speed:
        venue.blast()
    async with venue, Control(venue.faults, host) as control:
        if on_ready is not None:
            on_ready(venue, control.url)
        await asyncio.get_running_loop().create_future()
