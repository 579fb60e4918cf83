"""A simulated Binance spot venue: REST and websocket on one loopback port.

Strict: Binance's limits and error texts hold (`Limits`). Cruel: faults can be switched on by
`faults` and by `/control/faults` on the same port. It knows nothing of the adapter it tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from aiohttp import web

from foxtrot.simulator.accounts import Account, Amount
from foxtrot.simulator.binance_blast import Blast, BlastPlan
from foxtrot.simulator.binance_connection import Connection
from foxtrot.simulator.binance_desk import Desk
from foxtrot.simulator.binance_distortion import Distortion
from foxtrot.simulator.binance_http import Http
from foxtrot.simulator.binance_keys import ApiKey, Keys
from foxtrot.simulator.binance_limits import Limits, OrderGate
from foxtrot.simulator.binance_seen import Seen
from foxtrot.simulator.binance_streams import LastPublished, Publisher
from foxtrot.simulator.binance_strikes import strike
from foxtrot.simulator.binance_user import UserStreams
from foxtrot.simulator.fault_routes import PATH
from foxtrot.simulator.faults import Fault
from foxtrot.simulator.listings import DEFAULT_SYMBOLS
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.matching import Matching, Report, What
from foxtrot.simulator.threads import VenueThread
from foxtrot.simulator.venue import SimulatedVenue, clock_ms, last_turns

__all__ = ["ApiKey", "Limits", "SimulatedBinance", "SimulatedBinanceThread"]

DEFAULT_BALANCES: Mapping[str, Amount] = MappingProxyType(
    {"USDT": 100_000, "BTC": 2, "ETH": 20, "BNB": 50}
)

_TRADES_AFTER = 4_000
_STOP_S = 2.0


class SimulatedBinance(SimulatedVenue):
    """The venue.

    Args:
        symbols: What is traded; by default some well-known pairs.
        seed: Same seed, same prices.
        rate_hz: Steps of the market per second and symbol; 0 means only by `tick`.
        host: A loopback address.
        port: 0 takes a free one; it is kept over `stop` and `start`.
        limits: The rules for clients.
        keys: Who may trade; one key that says of itself that it is simulated, by default.
        balances: What every account starts with.
        first_id: The id of the first order; by default the time of day, so that a venue that begins
            anew at the same port repeats none.

    Thread safety: lives on the loop that `start` ran on; `faults` and `desk` may be used from any
    thread, and `accounts` read.
    """

    title, exchange = "simulated Binance", "BINANCE"
    seen: Seen

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        seed: int = 0,
        rate_hz: float = 10.0,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        keys: Sequence[ApiKey] = (ApiKey(),),
        balances: Mapping[str, Amount] = DEFAULT_BALANCES,
        first_id: int | None = None,
    ) -> None:
        market = Market.of(symbols or DEFAULT_SYMBOLS, seed=seed, now_ms=clock_ms())
        super().__init__(market, host=host, port=port, rate_hz=rate_hz)
        self.limits = limits or Limits()
        self.seen = Seen()
        first = clock_ms() if first_id is None else first_id
        self.matching = Matching(
            self.market, seed=seed, first_order=first, first_trade=first + _TRADES_AFTER
        )
        self.matching.on_report = self._on_report
        self.keys = Keys(keys)
        self.accounts: Mapping[str, Account] = {
            name: Account(name, balances) for name in dict.fromkeys(key.account for key in keys)
        }
        self.order_gate = OrderGate(self.limits)
        self.desk = Desk(self)
        self._distortion = Distortion(self.faults)
        self.users = UserStreams(self, self._distortion)
        self._publisher = Publisher(self.market, self._emit)
        self._connections: dict[int, Connection] = {}
        self._listeners: dict[str, dict[int, Connection]] = {}
        self._last: dict[str, LastPublished] = {}
        self._runner: web.AppRunner | None = None
        self._blast: Blast | None = None
        self._by_hand = True

    @property
    def rest_url(self) -> str:
        """Root of the REST paths."""
        return f"http://{self._authority}"

    @property
    def websocket_url(self) -> str:
        """Root of the websocket paths."""
        return f"ws://{self._authority}"

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The websocket connections that stand."""
        return tuple(self._connections.values())

    async def _open(self) -> int:
        runner = web.AppRunner(Http(self).application(), access_log=None, shutdown_timeout=_STOP_S)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port, reuse_address=True)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        port: int = runner.addresses[0][1]
        return port

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        assert runner is not None
        for site in tuple(runner.sites):
            await site.stop()
        await last_turns()
        for connection in self.connections:
            connection.end(1001, "Going away")
        await runner.cleanup()

    def blast(self, plan: BlastPlan | None = None) -> None:
        """Flood whoever subscribes to the plan's channel from now on; by default, quotes."""
        self._blast = Blast(self.market, self.faults, plan or BlastPlan())

    async def serve(self, on_ready: Callable[[str], None]) -> None:
        """See `SimulatedVenue`; faults are injected at the same port."""
        async with self:
            on_ready(self.rest_url + PATH)
            await asyncio.get_running_loop().create_future()

    def subscriptions(self) -> set[str]:
        """The streams that are live now, over all connections."""
        return set(self._listeners)

    def last(self, symbol: str) -> LastPublished | None:
        """What was last published about a symbol; None if nothing ever was."""
        return self._last.get(symbol)

    def admit(self, connection: Connection) -> None:
        """A connection shook hands."""
        self._connections[connection.number] = connection

    def dismiss(self, connection: Connection) -> None:
        """A connection ended, and with it its streams."""
        self._connections.pop(connection.number, None)
        self._drop(connection, tuple(connection.streams))
        self.users.dismiss(connection)
        if self._blast is not None:
            self._blast.end(connection)

    def subscribe(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """Begin these streams on the connection."""
        if not streams:
            return
        self.seen.subscribed(connection.number, streams)
        for name in streams:
            connection.streams[name] = None
            self._listeners.setdefault(name, {})[connection.number] = connection
            for symbol in self._publisher.open(name):
                self.wake(symbol)
        if self._blast is not None:
            self._blast.begin(connection)

    def unsubscribe(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """End these streams on the connection, as the client asked."""
        self.seen.unsubscribed(connection.number, streams)
        self._drop(connection, streams)

    def replay(self, connection: Connection, streams: tuple[str, ...]) -> None:
        """Send old frames of these streams, if the fault for it stands."""
        for name in streams:
            frame = self._distortion.old(name)
            if frame is not None and self.faults.take("stale_replay"):
                connection.deliver(name, frame)

    def _drop(self, connection: Connection, streams: tuple[str, ...]) -> None:
        for name in streams:
            connection.streams.pop(name, None)
            listeners = self._listeners.get(name, {})
            listeners.pop(connection.number, None)
            if not listeners and self._listeners.pop(name, None) is not None:
                self._publisher.close(name)

    def _beat(self) -> None:
        self._by_hand = False
        super()._beat()
        self._by_hand = True

    def _on_step(self, step: Step) -> None:
        self._publish(step)
        self.matching.step(step, self.now_ms())

    def _on_report(self, report: Report) -> None:
        if report.what is What.TRADED and not report.order.open:
            self.order_gate.give_back(report.order.account.name)
        self.users.report(report)

    def _publish(self, step: Step) -> None:
        event_ms = step.time_ms + self.skew_ms()
        self._publisher.publish(step, event_ms, at_once=self._by_hand)

    def _emit(self, stream: str, symbol: str, channel: str, frame: bytes) -> None:
        frames = self._distortion.frames(stream, symbol, channel, frame)
        for connection in tuple(self._listeners.get(stream, {}).values()):
            if self._blast is not None and self._blast.covers(connection, channel):
                continue
            for each in frames:
                connection.deliver(stream, each)
        if frames and symbol:
            self._note_last(symbol, channel)

    def _note_last(self, symbol: str, channel: str) -> None:
        last = self._last.setdefault(symbol, LastPublished(symbol))
        last.note(channel, self.market)

    def _struck(self, fault: Fault | None) -> None:
        if fault is not None:
            strike(self, fault)

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class SimulatedBinanceThread(VenueThread[SimulatedBinance]):
    """A simulated Binance in a thread of its own; `venue` is the simulator."""
