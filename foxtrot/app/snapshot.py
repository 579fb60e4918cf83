"""Takes the snapshot that the screen is drawn from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from foxtrot.app.screen import Quote, View
from foxtrot.app.trading_panel import Book
from foxtrot.app.watch import Watch
from foxtrot.model.constants import Environment
from foxtrot.model.health import AdapterHealth, StreamStatus
from foxtrot.model.objects import ContractData

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

_DECIMALS = 2
_FILLS_KEPT = 10


def take(engine: MainEngine, watch: Watch, title: str, running_s: float) -> View:
    """What there is to see at this moment. Never raises, never waits."""
    health = engine.health()
    named = (adapter.environment for adapter in health.adapters if adapter.environment)
    return View(
        title=title,
        environments=tuple(dict.fromkeys(named)),
        now_ns=time.time_ns(),
        running_s=running_s,
        health=health,
        quotes=tuple(q for each in health.adapters for q in _quotes(engine, each, watch)),
        book=_book(engine),
        lines=tuple(watch.lines()),
    )


def _book(engine: MainEngine) -> Book:
    return Book(
        tuple(engine.get_all_active_orders()),
        tuple(engine.get_all_trades()[-_FILLS_KEPT:]),
        tuple(each for each in engine.get_all_accounts() if each.balance or each.frozen),
        tuple((each.name, each.get_variables()) for each in engine.get_all_strategies()),
    )


def _quotes(engine: MainEngine, adapter: AdapterHealth, watch: Watch) -> Iterator[Quote]:
    contracts: dict[str, list[StreamStatus]] = {}
    for stream in adapter.streams:
        contracts.setdefault(stream.vt_symbol, []).append(stream)
    for vt_symbol, streams in contracts.items():
        yield Quote(
            streams[0].symbol,
            tuple(streams),
            engine.get_tick(vt_symbol, adapter.adapter_name),
            watch.seen_ns(vt_symbol, adapter.adapter_name),
            _decimals(engine.get_contract(vt_symbol, adapter.adapter_name)),
        )


def _decimals(contract: ContractData | None) -> int:
    if contract is None or contract.pricetick <= 0:
        return _DECIMALS
    exponent = Decimal(repr(contract.pricetick)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else _DECIMALS


def starting(title: str, environment: Environment | None) -> View:
    """The first picture, before there is anything to see."""
    environments = (environment,) if environment else ()
    return View(title, environments, time.time_ns(), 0.0, notice="starting …")
