"""All strategies of one engine: who they are, and whose each order is."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from foxtrot.core.handlers import Critical
from foxtrot.core.logs import get_logger
from foxtrot.core.settings import RiskLimits, StrategyEntry
from foxtrot.engine import parameters
from foxtrot.engine.runner import StrategyRunner
from foxtrot.engine.strategy import Strategy, split
from foxtrot.errors import ConfigurationError, WrongThread
from foxtrot.gateway.base import BaseAdapter
from foxtrot.gateway.registry import strategy_class
from foxtrot.model.events import EVENT_ORDER, EVENT_TRADE, Event
from foxtrot.model.objects import OrderData, TradeData

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

log = get_logger("foxtrot.strategy")

StrategyT = TypeVar("StrategyT", bound=Strategy)

DRAIN_S = 2.0
"""Longest that stopping waits for the events that strategies are still to get."""
CANCEL_S = 1.5
"""Longest that closing waits for orders to end that strategies cancelled."""
ORDERS_MAX = 100_000
"""Most ended orders of which it is remembered whose they are; the oldest are forgotten first."""

_CALL = "eStrategyCall"


class StrategyEngine:
    """Makes strategies, and hands each order and fill to the strategy that it belongs to.

    Thread safety: every method from any thread; `lock` is held while an order is sent, so that
    its first event finds its owner, and two orders at once cannot pass the same limit.

    Args:
        engine: Whose strategies they are.
        critical: Told when it fails, for positions and limits are kept here.
    """

    def __init__(self, engine: MainEngine, critical: Critical) -> None:
        self.engine = engine
        self.lock = threading.RLock()
        self._order_told = threading.Condition(self.lock)
        self._runners: dict[str, StrategyRunner] = {}
        self._owners: dict[str, StrategyRunner] = {}
        self._refused = itertools.count(1)
        for type_, handler in (
            (_CALL, self._on_call),
            (EVENT_ORDER, self._on_order),
            (EVENT_TRADE, self._on_trade),
        ):
            engine.event_engine.register(type_, handler, critical=critical)

    # -- who there is -----------------------------------------------------------------------

    def add(
        self,
        kind: type[StrategyT],
        name: str,
        vt_symbols: Iterable[str],
        params: Mapping[str, object],
        adapter_name: str,
        limits: RiskLimits,
    ) -> StrategyT:
        """Make a strategy, subscribe to what it listens to and let it begin.

        Raises:
            ConfigurationError: The name is taken, a symbol is none, no adapter or more than one
                serves them, or a parameter is wrong.
        """
        symbols = tuple(dict.fromkeys(vt_symbols))
        with self.lock:
            there = self._runners.get(name)
            if there is not None and not there.over:
                raise ConfigurationError("add_strategy", "name", f"{name} is there already")
            adapter = adapter_for(self._adapters(), adapter_name, symbols)
            runner = StrategyRunner(self, kind, name, symbols, adapter.adapter_name, params, limits)
            runner.start()
            self._runners[name] = runner
        strategy = runner.strategy
        assert isinstance(strategy, kind)
        return strategy

    def add_entry(self, entry: StrategyEntry, where: str) -> Strategy:
        """Add a strategy of the settings.

        Raises:
            ConfigurationError: As `add`, or its class cannot be loaded; the text says where.
        """
        kind = class_of_entry(entry, self._adapters(), where)
        with located(entry, where):
            return self.add(
                kind, entry.name, entry.symbols, entry.params, entry.adapter, entry.risk
            )

    def get(self, name: str) -> Strategy | None:
        """The strategy of that name."""
        runner = self._runners.get(name)
        return runner.strategy if runner is not None else None

    def all(self) -> list[Strategy]:
        """The strategies that were added, stopped ones too."""
        return [runner.strategy for runner in list(self._runners.values())]

    def close(self) -> None:
        """Stop them all, the last added first; what they cancel is given a moment to end."""
        if not self.stop(*reversed(list(self._runners.values()))):
            return
        with self._order_told:
            self._order_told.wait_for(lambda: not self._cancelling(), CANCEL_S)
            left = self._cancelling()
        if left:
            log.warning("orders_left_open", reason="not cancelled in time", orders=left)

    def stop(self, *runners: StrategyRunner) -> bool:
        """Let strategies end in this order; whether they have, which a handler cannot wait for."""
        for runner in runners:
            runner.end_soon()
        try:
            return self.engine.event_engine.drain(DRAIN_S)
        except WrongThread:
            return False

    def _cancelling(self) -> list[str]:
        return [each for runner in self._runners.values() for each in runner.cancelling]

    def _adapters(self) -> list[BaseAdapter]:
        return [self.engine.adapter(name) for name in self.engine.get_all_adapter_names()]

    # -- whose an order is ------------------------------------------------------------------

    def claim(self, vt_orderid: str, runner: StrategyRunner) -> None:
        """Remember whose an order is."""
        with self.lock:
            self._owners[vt_orderid] = runner
            # Two, so that it shrinks even where every other one still rests.
            for oldest in tuple(itertools.islice(self._owners, 2)):
                if len(self._owners) > ORDERS_MAX:
                    owner = self._owners.pop(oldest)
                    if owner.awaits(oldest):
                        self._owners[oldest] = owner

    def refused_id(self) -> str:
        """A fresh id for an order that no adapter has seen."""
        return f"risk-{next(self._refused)}"

    def post(self, call: Callable[[], None]) -> None:
        """Run `call` on the dispatcher, after what was put before."""
        self.engine.event_engine.put(Event(_CALL, call))

    def _on_call(self, event: Event) -> None:
        call: Callable[[], None] = event.data  # type: ignore[assignment]
        call()

    def _on_order(self, event: Event) -> None:
        order: OrderData = event.data  # type: ignore[assignment]
        owner = self._owner_of(order.vt_orderid)
        for runner in list(self._runners.values()):
            runner.on_order(order, own=runner is owner)
        with self._order_told:
            self._order_told.notify_all()

    def _on_trade(self, event: Event) -> None:
        trade: TradeData = event.data  # type: ignore[assignment]
        owner = self._owner_of(trade.vt_orderid)
        for runner in list(self._runners.values()):
            runner.on_trade(trade, own=runner is owner)

    def _owner_of(self, vt_orderid: str) -> StrategyRunner | None:
        with self.lock:
            return self._owners.get(vt_orderid)


@contextmanager
def located(entry: StrategyEntry, where: str) -> Iterator[None]:
    """Let an error say where in the settings the mistake is."""
    try:
        yield
    except ConfigurationError as error:
        field = f"strategies.{entry.name}.{error.field}"
        raise ConfigurationError(where, field, error.problem) from None


def class_of_entry(
    entry: StrategyEntry, adapters: Sequence[BaseAdapter], where: str
) -> type[Strategy]:
    """The class of a strategy of the settings, with all that is said beside it checked.

    Raises:
        ConfigurationError: Something is wrong; the text says where.
    """
    with located(entry, where):
        kind = strategy_class(entry.class_, Strategy)
        parameters.checked(kind, kind.parameters, entry.params)
        adapter_for(adapters, entry.adapter, entry.symbols)
        return kind


def adapter_for(
    adapters: Sequence[BaseAdapter], name: str, vt_symbols: Iterable[str]
) -> BaseAdapter:
    """The adapter of that name, or the only one that serves all the symbols.

    Raises:
        ConfigurationError: There is none, or more than one, or a symbol is no vt_symbol.
    """
    exchanges = dict.fromkeys(split(vt_symbol)[1] for vt_symbol in vt_symbols)
    if name:
        fitting = [each for each in adapters if each.adapter_name.upper() == name.upper()]
        wanted = f"adapter {name!r}"
    else:
        fitting = [each for each in adapters if set(exchanges) <= set(each.exchanges)]
        wanted = f"adapter for {', '.join(each.value for each in exchanges)}"
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(each.adapter_name for each in fitting)
        raise ConfigurationError("add_strategy", "adapter", f"{names} would do; say which")
    known = ", ".join(each.adapter_name for each in adapters) or "none; call add_adapter first"
    raise ConfigurationError("add_strategy", "adapter", f"no {wanted}; there is {known}")
