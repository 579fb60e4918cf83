"""A simulated Futu OpenD: its TCP protocol, protobuf in frames, on one loopback port.

Strict: requests are checked against the schema that the SDK brings, and the limits of OpenD hold
(`FutuLimits`). Cruel: faults can be switched on by `faults`. It knows nothing of the adapter it
tests.
"""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot.simulator.faults import Fault
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import DEFAULT_ACCOUNTS, SIMULATED_PASSWORD, AccountSpec
from foxtrot.simulator.futu_blast import Blast, BlastPlan
from foxtrot.simulator.futu_buying_power import BuyingPowerRoom
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
from foxtrot.simulator.futu_schema import Proto, module
from foxtrot.simulator.futu_seen import Seen
from foxtrot.simulator.futu_strikes import Strikes
from foxtrot.simulator.market import Market
from foxtrot.simulator.socket_venue import SocketVenue
from foxtrot.simulator.threads import VenueThread
from foxtrot.simulator.venue import clock_ms

__all__ = ["FutuLimits", "SimulatedFutu", "SimulatedFutuThread"]


class SimulatedFutu(SocketVenue[Connection]):
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

    Raises:
        ConfigurationError: An argument is wrong, or futu-api is not installed.

    Thread safety: lives on the loop that `start` ran on; `faults` and `desk` may be used from any
    thread.
    """

    title, exchange = "simulated Futu", "FUTU"
    limits: FutuLimits
    seen: Seen

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
        password: str = SIMULATED_PASSWORD,
        rsa_key: str | None = None,
    ) -> None:
        module(Proto.InitConnect.name)  # without the SDK's schema nothing can be said
        self.rsa = None if rsa_key is None else Rsa(rsa_key)
        self.universe = Universe.of(symbols)
        market = Market(self.universe.listings(), seed=seed, now_ms=clock_ms())
        super().__init__(market, host=host, port=port, rate_hz=rate_hz)
        self.limits = limits or FutuLimits()
        self.windows = Windows(self.limits)
        self.seen = Seen()
        self.hall = Hall(self)
        self.quotes = Quotes(self)
        self.accounts = AccountRoom(self, accounts, password)
        self.orders = OrderRoom(self, self.accounts, seed=seed)
        self.desk = Desk(self, self.orders, self.accounts)
        rooms: list[Room] = [
            self.hall,
            self.quotes,
            ContractRoom(self),
            HistoryRoom(self),
            self.accounts,
            self.orders,
            OrderLists(self, self.orders, self.accounts),
            BuyingPowerRoom(self, self.orders, self.accounts),
        ]
        self._rooms += rooms
        self._dispatch = Dispatch(self, *rooms)
        self._strikes = Strikes(self)

    def blast(self, plan: BlastPlan | None = None) -> None:
        """Flood the clients that come from now on with what they subscribe to."""
        self._rooms.append(Blast(self, plan or BlastPlan()))

    def joined(self, connection: Connection) -> None:
        """A client has shaken hands."""
        connection.joined = True
        super().joined(connection)

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request."""
        self.seen.requested(connection.number, request)
        self._dispatch.handle(connection, request)

    def shut(self, seconds: float) -> None:
        """End every connection, and let nobody in for a while; trading is locked then."""
        self.accounts.unlocked = False
        super().shut(seconds)

    def _connection(self) -> Connection:
        return Connection(self)

    async def _close(self) -> None:
        self.accounts.unlocked = False
        await super()._close()

    def _struck(self, fault: Fault | None) -> None:
        self._strikes.changed(fault)


class SimulatedFutuThread(VenueThread[SimulatedFutu]):
    """A simulated OpenD in a thread of its own; `venue` is the simulator."""
