"""A simulated TWS gateway: the socket protocol of Interactive Brokers on one loopback port.

Strict: every message of a client is read field by field, and the limits of TWS hold (`IbLimits`).
Cruel: faults can be switched on by `faults`. It knows nothing of the adapter it tests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from foxtrot.errors import ConfigurationError, UnknownSymbol
from foxtrot.simulator.accounts import Amount
from foxtrot.simulator.faults import Fault
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
from foxtrot.simulator.market import Market
from foxtrot.simulator.socket_venue import SocketVenue
from foxtrot.simulator.threads import VenueThread
from foxtrot.simulator.venue import clock_ms

__all__ = ["IbLimits", "SimulatedIb", "SimulatedIbThread"]

DEFAULT_BALANCES: Mapping[str, Amount] = MappingProxyType({"USD": 1_000_000})


class SimulatedIb(SocketVenue[Connection]):
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

    title, exchange = "simulated Interactive Brokers", "IB"
    limits: IbLimits
    seen: Seen

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
        if not LEAST_VERSION <= server_version <= MOST_VERSION:
            problem = f"allowed is {LEAST_VERSION} to {MOST_VERSION}"
            raise ConfigurationError(self.title, "server_version", problem)
        self.universe = Universe.of(symbols, today=dt.datetime.now(dt.UTC).date())
        market = Market(self.universe.listings(), seed=seed, now_ms=clock_ms())
        super().__init__(market, host=host, port=port, rate_hz=rate_hz)
        self.limits = limits or IbLimits()
        self.seen = Seen()
        self.server_version = server_version
        self.account_names: Sequence[str] = tuple(accounts)
        self.streams = Streams(self)
        accounts_room = AccountRoom(self, self.account_names, balances)
        self.orders = OrderRoom(self, accounts_room, seed=seed)
        self.desk = Desk(self, self.orders, accounts_room)
        rooms: list[Room] = [
            Hall(self),
            ContractRoom(self),
            self.streams,
            HistoryRoom(self),
            accounts_room,
            self.orders,
            OrderLists(self, self.orders),
        ]
        self._rooms += rooms
        self._dispatch = Dispatch(self, *rooms)
        self._strikes = Strikes(self)
        self._ghosts: dict[int, float] = {}

    def blast(self, plan: BlastPlan | None = None) -> None:
        """Flood the clients that come from now on with what the plan says; by default, quotes."""
        self._rooms.append(Blast(self, plan or BlastPlan()))

    def time_text(self) -> str:
        """The venue's clock, as it is told in the handshake."""
        now = dt.datetime.fromtimestamp(self.now_ms() / 1_000, dt.UTC)
        return f"{now:%Y%m%d %H:%M:%S} UTC"

    def closed(self, connection: Connection) -> None:
        """A connection is gone; with the fault for it, its client id is still in use."""
        ghost = self.faults.active("ghost_client", path=connection.path)
        if ghost is not None and connection.joined and self._loop is not None:
            self._ghosts[connection.client_id] = self._loop.time() + (ghost.seconds or 30.0)
        super().closed(connection)

    def id_in_use(self, client_id: int) -> bool:
        """Whether another connection, or the ghost of one, has this client id."""
        assert self._loop is not None
        if any(each.joined and each.client_id == client_id for each in self.connections):
            return True
        haunted = self.faults.active("ghost_client", path=f"client/{client_id}") is not None
        return haunted and self._loop.time() < self._ghosts.get(client_id, 0.0)

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

    def next_order_id(self, client_id: int) -> int:
        """The order id that this client may use next."""
        return self.orders.next_order_id(client_id)

    def _connection(self) -> Connection:
        return Connection(self)

    def _struck(self, fault: Fault | None) -> None:
        self._strikes.changed(fault)


class SimulatedIbThread(VenueThread[SimulatedIb]):
    """A simulated gateway in a thread of its own; `venue` is the simulator."""
