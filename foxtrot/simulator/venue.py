"""What every simulated venue is: a market that moves, behind a port, with faults to switch on."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.simulator.control import Control
from foxtrot.simulator.faults import Fault, FaultBoard
from foxtrot.simulator.log import log
from foxtrot.simulator.market import Market, Step
from foxtrot.simulator.pulse import Pulse
from foxtrot.simulator.seen import Seen
from foxtrot.simulator.threads import is_loopback, on_loop

T = TypeVar("T")

_LAST_TURNS = 5


class SimulatedVenue(ABC):
    """The market, its clock, its faults, and the life of the port.

    Args:
        market: What is traded.
        host: A loopback address.
        port: 0 takes a free one; it is kept over `stop` and `start`.
        rate_hz: Steps of the market per second and symbol; 0 means only by `tick`.

    Attributes:
        title: What people call it.
        exchange: What the log calls it.
        seen: What clients did.

    Thread safety: lives on the loop that `start` ran on; `faults`, `tick` and `on_loop` may be used
    from any thread.

    Raises:
        ConfigurationError: `host` or `rate_hz` is out of range.
    """

    title: ClassVar[str]
    exchange: ClassVar[str]
    seen: Seen[object]

    def __init__(self, market: Market, *, host: str, port: int, rate_hz: float) -> None:
        if not is_loopback(host):
            raise ConfigurationError(self.title, "host", f"{host} is no loopback address")
        if not 0 <= rate_hz <= 10_000:
            raise ConfigurationError(self.title, "rate_hz", "allowed is 0 to 10000")
        self.faults = FaultBoard()
        self.host, self.port = host, port
        self.market = market
        self.market.on_step = self._on_step
        self._pulse = Pulse(rate_hz, self._beat)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_listening: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "STOPPED" if self._stop_listening is None else "RUNNING"
        count = len(self.connections)
        return f"<{type(self).__name__} {state} port={self.port} connections={count}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    @abstractmethod
    def connections(self) -> tuple[object, ...]:
        """The connections that stand."""

    async def start(self) -> None:
        """Open the port and let the market move.

        Raises:
            InvalidState: It is running already.
            OSError: The port is taken.
        """
        if self._stop_listening is not None:
            raise InvalidState(f"the {self.title} is running already")
        self._loop = asyncio.get_running_loop()
        self.port = await self._open()
        self._stop_listening = self.faults.listen(self._on_fault)
        self._pulse.start()
        log.info("simulated_venue_started", venue=self.exchange, port=self.port)

    async def stop(self) -> None:
        """Close every connection and the port. Safe to call twice."""
        stop_listening, self._stop_listening = self._stop_listening, None
        if stop_listening is None:
            return
        stop_listening()
        await self._pulse.stop()
        await self._close()
        log.info("simulated_venue_stopped", venue=self.exchange, port=self.port)

    async def serve(self, on_ready: Callable[[str], None]) -> None:
        """Run until cancelled.

        Args:
            on_ready: Called once it listens, with the URL where faults are injected.
        """
        async with self, Control(self.faults, self.host) as control:
            on_ready(control.url)
            await asyncio.get_running_loop().create_future()

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
        self.market.wake(symbol, clock_ms())

    def now_ms(self) -> int:
        """The venue's clock, in milliseconds, as clients see it."""
        return clock_ms() + self.skew_ms()

    def skew_ms(self) -> int:
        """How much the venue's clock is wrong, in milliseconds."""
        skew = self.faults.active("clock_skew")
        return int((skew.seconds or 0.0) * 1_000) if skew else 0

    @abstractmethod
    async def _open(self) -> int:
        """Listen; returns the port."""

    @abstractmethod
    async def _close(self) -> None:
        """End every connection, and the port."""

    @abstractmethod
    def _on_step(self, step: Step) -> None:
        """The market moved."""

    @abstractmethod
    def _struck(self, fault: Fault | None) -> None:
        """A fault was injected, or, with None, some were cleared; runs on the venue's loop."""

    def _tick(self, symbol: str, count: int) -> None:
        for _ in range(count):
            self.market.tick(symbol, max(clock_ms(), self.market.now_ms(symbol) + 1))

    def _beat(self) -> None:
        """Advance every symbol that is awake."""
        now_ms = clock_ms()
        for symbol in self.market.awake:
            self.market.tick(symbol, now_ms)

    def _on_fault(self, fault: Fault | None) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._struck, fault)


def clock_ms() -> int:
    """This machine's clock, in milliseconds."""
    return time.time_ns() // 1_000_000


async def last_turns() -> None:
    """Let who was accepted a moment ago become a connection, before all of them are ended."""
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)
