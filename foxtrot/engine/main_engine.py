"""MainEngine: what a desktop or a script holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from foxtrot.connectivity.config import StreamConfig
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.logs import get_logger
from foxtrot.core.process import process_health
from foxtrot.core.settings import Changes, RiskLimits, Settings, changes
from foxtrot.core.settings_watch import SettingsWatcher
from foxtrot.engine.oms import OmsEngine
from foxtrot.engine.rollout import RollOuts
from foxtrot.engine.strategies import StrategyEngine
from foxtrot.engine.strategy import Strategy
from foxtrot.errors import ConfigurationError, FoxtrotError, InvalidState, WrongThread
from foxtrot.gateway.base import BaseAdapter, Progress
from foxtrot.gateway.connect_fields import Setting
from foxtrot.model.constants import ConnectionState, Exchange, Mode
from foxtrot.model.events import EVENT_LOG, Event
from foxtrot.model.health import (
    AdapterHealth,
    Alert,
    BridgeHealth,
    EngineHealth,
    Health,
    ProcessHealth,
)
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    DepthData,
    LogData,
    OrderData,
    PositionData,
    QuoteData,
    TickData,
    TradeData,
)
from foxtrot.model.requests import CancelRequest, HistoryRequest, OrderRequest, SubscribeRequest

log = get_logger("foxtrot.engine")

T = TypeVar("T")
Handler = Callable[[Event], None]
StrategyT = TypeVar("StrategyT", bound=Strategy)
AdapterT = TypeVar("AdapterT", bound=BaseAdapter)


class Closable(Protocol):
    """An engine or app that is added to the main engine."""

    def close(self) -> None:
        """Give back what it holds."""


EngineT = TypeVar("EngineT", bound=Closable)


class App(Protocol):
    """vnpy's BaseApp, as far as an engine without windows needs it."""

    app_name: str
    engine_class: type[Closable]


class MainEngine:
    """Holds the adapters, the cache, the strategies and the two threads they run on.

    vnpy's method names are kept. Use it as a context manager, or call `close`.

    Thread safety: every method from any thread. `close`, `query_history` and `reload_settings`
    wait for work of the other threads, so they must not be called from a handler.

    Args:
        event_engine: Use this one instead of a new one.
        settings: A settings file (watched for changes), or settings already read.
    """

    def __init__(
        self,
        event_engine: EventEngine | None = None,
        settings: Settings | Mapping[str, object] | str | Path | None = None,
    ) -> None:
        self._path = Path(settings) if isinstance(settings, str | Path) else None
        self.settings = _settings(settings)
        flags = self.settings.flags
        self.event_engine = event_engine or EventEngine(
            conflate_after_s=flags.engine_conflate_after_s,
            bounded_limit=flags.engine_bounded_limit,
        )
        self.bridge = AsyncThreadBridge()
        self._adapters: dict[str, BaseAdapter] = {}
        self._apps: dict[str, App] = {}
        self._closed = False
        self._halted = ""
        self._closing = threading.Lock()
        self._reaching = threading.Lock()
        self.alerts: Callable[[], tuple[Alert, ...]] = tuple
        """Where `health` finds the alerts of now; `monitoring.watch` puts itself here."""
        self.oms = OmsEngine(self.event_engine, self._halt_after)
        self._engines: dict[str, Closable] = {self.oms.name: self.oms}
        self._strategies = StrategyEngine(self, self._halt_after)
        self.rollouts = RollOuts(self, self._reach_adapters)
        self.event_engine.start()  # first: it refuses to start twice, and nothing leaks then
        self.bridge.start()
        if self._path is not None:
            self._watch(self._path)

    # -- parts ------------------------------------------------------------------------------

    def add_adapter(
        self, adapter_class: type[AdapterT], name: str = "", *, config: StreamConfig | None = None
    ) -> AdapterT:
        """Add a venue; its name defaults to the adapter's own.

        Raises:
            ConfigurationError: There is one of that name.
        """
        self._refuse_closed()
        name = name or adapter_class.default_name
        if name.upper() in self._adapters:
            raise ConfigurationError("add_adapter", "name", f"{name} is there already")
        adapter = adapter_class(
            self.event_engine, name, bridge=self.bridge, settings=self.settings, config=config
        )
        self._adapters[name.upper()] = adapter
        if self.settings.for_adapter(name).rollout_enabled:
            self._reach_adapters()
        if self._halted:
            adapter.halt(self._halted)
        return adapter

    add_gateway = add_adapter

    def add_engine(self, engine_class: Callable[[MainEngine, EventEngine], EngineT]) -> EngineT:
        """Add an engine; it is closed with this one, the last added first.

        Raises:
            ConfigurationError: There is one of that name.
        """
        self._refuse_closed()
        engine = engine_class(self, self.event_engine)
        name = getattr(engine, "engine_name", type(engine).__name__)
        if name in self._engines:
            engine.close()
            raise ConfigurationError("add_engine", "engine_name", f"{name} is there already")
        self._engines[name] = engine
        return engine

    def add_app(self, app_class: type[App]) -> Closable:
        """Add an app and the engine it brings."""
        app = app_class()
        engine = self.add_engine(app.engine_class)
        self._apps[app.app_name] = app
        return engine

    def add_strategy(
        self,
        strategy_class: type[StrategyT],
        name: str,
        symbols: Iterable[str],
        params: Mapping[str, object] | None = None,
        *,
        adapter_name: str = "",
        limits: RiskLimits | None = None,
    ) -> StrategyT:
        """Make a strategy, subscribe to what it listens to and let it begin; returns at once.

        Args:
            strategy_class: What is made.
            name: Its name in logs and orders; that of one that is over may be used again.
            symbols: What it watches and trades, such as BTCUSDT.BINANCE.
            params: Values for its parameters; the others keep their defaults.
            adapter_name: Where; not needed if one adapter alone serves the symbols.
            limits: What it may do at most.

        Raises:
            ConfigurationError: The name is taken, a symbol is none, no adapter or more than one
                serves them, or a parameter is wrong; nothing was started.
        """
        self._refuse_closed()
        return self._strategies.add(
            strategy_class, name, symbols, params or {}, adapter_name, limits or RiskLimits()
        )

    def load_strategies(self) -> list[Strategy]:
        """Add the strategies of the settings, whose adapters must be there.

        Raises:
            ConfigurationError: As `add_strategy`, or a class cannot be loaded; those before it run.
        """
        self._refuse_closed()
        where = str(self._path or "settings")
        return [self._strategies.add_entry(entry, where) for entry in self.settings.strategies]

    def get_strategy(self, name: str) -> Strategy | None:
        """The strategy of that name."""
        return self._strategies.get(name)

    def get_all_strategies(self) -> list[Strategy]:
        """The strategies that were added, stopped ones too."""
        return self._strategies.all()

    def adapter(self, name: str) -> BaseAdapter:
        """The adapter of that name, whatever its case.

        Raises:
            ConfigurationError: There is none.
        """
        adapter = self._adapters.get(name.upper())
        if adapter is None:
            known = ", ".join(self.get_all_adapter_names()) or "none; call add_adapter first"
            problem = f"no adapter {name!r}; there is {known}"
            raise ConfigurationError("engine", "adapter_name", problem)
        return adapter

    get_gateway = adapter
    get_adapter = adapter

    def get_engine(self, name: str) -> Closable | None:
        """The engine of that name."""
        return self._engines.get(name)

    def get_all_adapter_names(self) -> list[str]:
        """Names of the adapters, as they were added."""
        return [adapter.adapter_name for adapter in list(self._adapters.values())]

    get_all_gateway_names = get_all_adapter_names

    def get_all_apps(self) -> list[App]:
        """The apps that were added."""
        return list(self._apps.values())

    def get_all_exchanges(self) -> list[Exchange]:
        """The exchanges that the adapters serve."""
        served = [exchange for a in list(self._adapters.values()) for exchange in a.exchanges]
        return list(dict.fromkeys(served))

    def get_default_setting(self, adapter_name: str) -> dict[str, str | int | float | list[str]]:
        """What `connect` takes, with the defaults of a form."""
        return dict(self.adapter(adapter_name).default_setting)

    # -- calls to a venue -------------------------------------------------------------------

    def connect(self, setting: Setting, adapter_name: str) -> None:
        """Start connecting an adapter; returns at once."""
        self.adapter(adapter_name).connect(setting)

    def disconnect(self, adapter_name: str) -> None:
        """Close an adapter's sessions; its subscriptions are kept."""
        self.adapter(adapter_name).disconnect()

    def subscribe(self, request: SubscribeRequest, adapter_name: str, owner: str = "user") -> None:
        """Want a stream; asking twice is asking once."""
        self.adapter(adapter_name).subscribe(request, owner)

    def unsubscribe(
        self, request: SubscribeRequest, adapter_name: str, owner: str = "user"
    ) -> None:
        """Give a stream back; it lives until every owner has done so."""
        self.adapter(adapter_name).unsubscribe(request, owner)

    def send_order(self, request: OrderRequest, adapter_name: str) -> str:
        """Send an order; returns its `vt_orderid` at once. What became of it is an event.

        Raises:
            ConfigurationError: There is no such adapter.
            TypeError: It is no OrderRequest.
        """
        return self.adapter(adapter_name).send_order(request)

    def cancel_order(self, request: CancelRequest, adapter_name: str) -> None:
        """Ask to cancel an order."""
        self.adapter(adapter_name).cancel_order(request)

    def modify_order(
        self, orderid: str, adapter_name: str, *, price: float = 0.0, volume: float = 0.0
    ) -> str:
        """Replace an open order by one of another price or volume; 0 leaves it as it is.

        Returns:
            The `vt_orderid` of the new order; what becomes of both is told by their events.
        """
        return self.adapter(adapter_name).modify_order(orderid, price=price, volume=volume)

    def cancel_all(self) -> None:
        """Ask to cancel every open order of ours at every venue; returns at once."""
        self._each_adapter("cancel_all", lambda adapter: adapter.cancel_all())

    def halt(self, reason: str) -> None:
        """Block new orders everywhere at once, and cancel every open order of ours.

        The block is a flag that is read where an order is sent, so nothing that is queued delays
        it. It holds until `resume`, also for adapters that are added later. Trading halts by
        itself when what keeps orders, positions or limits fails.
        """
        self._halted = reason or "asked to"
        log.error("trading_halted", reason=self._halted)
        self._each_adapter("halt", lambda adapter: adapter.halt(self._halted))
        self.write_log(f"trading is halted: {self._halted}")

    def resume(self) -> None:
        """Let new orders pass again, after `halt`."""
        self._halted = ""
        log.warning("trading_resumed")
        self._each_adapter("resume", lambda adapter: adapter.resume())
        self.write_log("trading is resumed")

    @property
    def halted(self) -> str:
        """Why new orders are blocked; empty if they are not."""
        return self._halted

    def _halt_after(self, handler: str, error: BaseException) -> None:
        self.halt(f"{handler} failed with {type(error).__name__}; the log shows where")

    def _each_adapter(self, what: str, call: Callable[[BaseAdapter], None]) -> None:
        for adapter in list(self._adapters.values()):
            try:
                call(adapter)
            except Exception:  # boundary: no venue's trouble keeps the others from being reached
                log.exception("call_failed", what=what, venue=adapter.adapter_name)

    def query_history(
        self, request: HistoryRequest, adapter_name: str, progress: Progress | None = None
    ) -> list[BarData]:
        """Fetch bars and wait for them."""
        return self.adapter(adapter_name).query_history(request, progress)

    # -- events -----------------------------------------------------------------------------

    def register(self, type: str, handler: Handler) -> None:
        """Call `handler` for every event of `type`, on the dispatcher thread."""
        self.event_engine.register(type, handler)

    def unregister(self, type: str, handler: Handler) -> None:
        """Take a handler back."""
        self.event_engine.unregister(type, handler)

    def write_log(self, msg: str, source: str = "engine") -> None:
        """Put a line for the people who watch."""
        entry = LogData(source, msg, logging.INFO, time.time_ns())
        self.event_engine.put(Event(EVENT_LOG, entry))

    # -- cache ------------------------------------------------------------------------------

    def get_tick(self, vt_symbol: str, adapter_name: str = "") -> TickData | None:
        """The latest tick, of whatever adapter unless one is named.

        Raises:
            ConfigurationError: There is no such adapter.
        """
        return self.oms.ticks.get(vt_symbol, self._spelled(adapter_name))

    def get_depth(self, vt_symbol: str, adapter_name: str = "") -> DepthData | None:
        """The latest levels; otherwise as `get_tick`."""
        return self.oms.depths.get(vt_symbol, self._spelled(adapter_name))

    def get_order(self, vt_orderid: str) -> OrderData | None:
        """The latest state of an order."""
        return self.oms.orders.get(vt_orderid)

    def get_trade(self, vt_tradeid: str) -> TradeData | None:
        """A fill; of those with this id in several symbols, the first."""
        return self.oms.trades.get(vt_tradeid)

    def get_position(self, vt_positionid: str) -> PositionData | None:
        """A position."""
        return self.oms.positions.get(vt_positionid)

    def get_account(self, vt_accountid: str) -> AccountData | None:
        """An account."""
        return self.oms.accounts.get(vt_accountid)

    def get_contract(self, vt_symbol: str, adapter_name: str = "") -> ContractData | None:
        """A contract; otherwise as `get_tick`."""
        return self.oms.contracts.get(vt_symbol, self._spelled(adapter_name))

    def get_quote(self, vt_quoteid: str) -> QuoteData | None:
        """A quote of ours."""
        return self.oms.quotes.get(vt_quoteid)

    def get_all_ticks(self) -> list[TickData]:
        """The latest tick of every symbol."""
        return self.oms.ticks.all()

    def get_all_orders(self) -> list[OrderData]:
        """Every order."""
        return self.oms.orders.all()

    def get_all_active_orders(self) -> list[OrderData]:
        """Orders that may still trade."""
        return self.oms.active_orders()

    def get_all_trades(self) -> list[TradeData]:
        """Every fill."""
        return self.oms.trades.all()

    def get_all_positions(self) -> list[PositionData]:
        """Every position."""
        return self.oms.positions.all()

    def get_all_accounts(self) -> list[AccountData]:
        """Every account."""
        return self.oms.accounts.all()

    def get_all_contracts(self) -> list[ContractData]:
        """Every contract."""
        return self.oms.contracts.all()

    def get_all_quotes(self) -> list[QuoteData]:
        """Every quote of ours."""
        return self.oms.quotes.all()

    def _spelled(self, adapter_name: str) -> str:
        return self.adapter(adapter_name).adapter_name if adapter_name else ""

    # -- settings ---------------------------------------------------------------------------

    def reload_settings(self, settings: Settings | Mapping[str, object] | None = None) -> Changes:
        """Read the settings file again, or take `settings`; returns what changed.

        Raises:
            ConfigurationError: The file is wrong; the old settings stay.
            InvalidState: There is no file and no settings were given.
        """
        if settings is None:
            if self._path is None:
                raise InvalidState("there is no settings file to read; pass the settings")
            settings = Settings.load(self._path)
        settings = _settings(settings)
        difference = changes(self.settings, settings)
        self._apply(settings, difference)
        return difference

    def override_mode(self, adapter_name: str, mode: Mode | None, vt_symbol: str = "") -> None:
        """Stream everything of an adapter, or poll it, whatever the settings say; None: as they do.

        With `vt_symbol` that symbol alone, also against what was said of its adapter. Without, a
        roll-out that is under way is taken back by POLLING, and begins anew with None.

        Raises:
            ConfigurationError: There is no such adapter, or the symbol is not subscribed there.
            NotSupported: The venue cannot serve the symbol so.
        """
        if vt_symbol:
            self.adapter(adapter_name).pin_mode(vt_symbol, mode)
        else:
            self.rollouts.override_mode(adapter_name, mode)

    def _watch(self, path: Path) -> None:
        watcher = SettingsWatcher(path, self._apply, self._bad_settings, current=self.settings)
        self.bridge.submit(watcher.watch(), name="settings.watch")

    def _apply(self, settings: Settings, difference: Changes) -> None:
        log.info("settings_applied", applied=difference.applied, later=difference.needs_restart)
        self._reach_adapters(settings)
        if difference.applied:
            self.write_log(f"settings applied: {', '.join(difference.applied)}", "settings")
        if difference.needs_restart:
            keys = ", ".join(difference.needs_restart)
            self.write_log(f"settings that need a restart: {keys}", "settings")

    def _reach_adapters(self, settings: Settings | None = None) -> None:
        """Let the adapters follow new settings, or those of now under other roll-outs."""
        with self._reaching:  # whoever comes last has the newest of both
            self.settings = settings or self.settings
            self.rollouts.follow(self.settings, self.get_all_adapter_names())
            seen = self.rollouts.over(self.settings)
            for adapter in list(self._adapters.values()):
                adapter.apply_settings(seen)

    def _bad_settings(self, error: ConfigurationError) -> None:
        log.error("settings_refused", reason=str(error))
        self.write_log(f"settings refused, the old ones stay: {error}", "settings")

    # -- state ------------------------------------------------------------------------------

    def health(self) -> Health:
        """A snapshot of everything. Never raises, never waits."""
        problems: list[str] = []
        engine = _read(self.event_engine.health, EngineHealth(running=False), problems)
        process = _read(process_health, ProcessHealth(), problems)
        bridge = _read(self.bridge.health, BridgeHealth(running=False), problems)
        adapters: list[AdapterHealth] = []
        for adapter in list(self._adapters.values()):
            blank = AdapterHealth(adapter.adapter_name, ConnectionState.FAILED)
            adapters.append(_read(adapter.health, blank, problems))
        none: tuple[Alert, ...] = ()
        alerts = _read(self.alerts, none, problems)
        return Health(
            engine,
            bridge,
            tuple(adapters),
            tuple(problems),
            process,
            alerts,
            self.rollouts.health(),
            self._halted,
        )

    def close(self) -> None:
        """Stop strategies, close adapters, drain the engine, stop both threads. Idempotent.

        Raises:
            ShutdownTimeout: Something did not end; everything else was closed all the same.
            WrongThread: Called on the loop thread, as by an inline handler; nothing was closed.
        """
        if self.bridge.on_loop_thread:
            raise WrongThread("close() on the loop thread would wait for itself")
        with self._closing:
            if self._closed:
                return
            self._closed = True
        steps: list[Callable[[], None]] = [self._strategies.close]
        steps += [adapter.close for adapter in self._adapters.values()]
        steps += [engine.close for engine in reversed(self._engines.values())]
        steps += [self.event_engine.stop, self.bridge.stop]
        failures: list[FoxtrotError] = []
        for step in steps:
            try:
                step()
            except FoxtrotError as error:
                log.exception("close_failed", step=_name_of(step))
                failures.append(error)
            except Exception:  # boundary: a part of the user's must not keep us open
                log.exception("close_failed", step=_name_of(step))
        if failures:
            raise failures[0]

    def _refuse_closed(self) -> None:
        if self._closed:
            raise InvalidState("the engine is closed; make a new one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        parts = [f"{a.adapter_name}={a.state.name}" for a in list(self._adapters.values())]
        adapters = ", ".join(parts)
        return f"<MainEngine {adapters or 'no adapters'} strategies={len(self._strategies.all())}>"


def _settings(given: Settings | Mapping[str, object] | str | Path | None) -> Settings:
    if isinstance(given, Settings):
        return given
    if given is None:
        return Settings()
    return Settings.load(given) if isinstance(given, str | Path) else Settings.parse(given)


def _read(part: Callable[[], T], blank: T, problems: list[str]) -> T:
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - boundary: whoever asks how we are gets an answer
        problems.append(f"{_name_of(part)}: {type(error).__name__}")
        return blank


def _name_of(part: Callable[[], object]) -> str:
    return getattr(part, "__qualname__", type(part).__name__)
