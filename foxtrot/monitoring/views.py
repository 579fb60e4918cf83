"""What the API shows, read from an engine. Nothing here waits for a network or changes anything."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from foxtrot.core.directories import data_directory
from foxtrot.model.constants import ConnectionState, StreamState
from foxtrot.model.objects import NS_PER_S
from foxtrot.monitoring.alerts import CRITICAL
from foxtrot.monitoring.answers import (
    AdaptersView,
    AdapterView,
    Condition,
    ConfigView,
    DataView,
    FactsView,
    Freshness,
    HealthView,
    Life,
    OrdersView,
    OrderView,
    PoolHealth,
    PoolsView,
    Scalar,
    StreamsView,
    StreamView,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    from foxtrot.engine.main_engine import MainEngine
    from foxtrot.gateway.base import BaseAdapter
    from foxtrot.model.health import Fact, Health, StreamStatus
    from foxtrot.model.objects import OrderData

MOST_ORDERS = 1000

_FRESHNESS = {
    StreamState.ACTIVE: Freshness.FRESH,
    StreamState.QUIET: Freshness.FRESH,
    StreamState.POLLING: Freshness.POLLING,
    StreamState.STALE: Freshness.STALE,
    StreamState.PENDING: Freshness.DEAD,
    StreamState.FAILED: Freshness.DEAD,
}
_SERVING = frozenset({ConnectionState.READY})
_RESTING = frozenset({ConnectionState.DISCONNECTED, ConnectionState.CLOSED})
_OF_NOW = (
    "in_use",
    "idle",
    "most",
    "left",
    "_last_s",
    "_last_10_min",
    "_open",
    "_waiting",
    "_paused_s",
)


def health(engine: MainEngine) -> HealthView:
    """The state of everything."""
    seen = engine.health()
    uptime_s = round((time.time_ns() - seen.process.started_ns) / NS_PER_S, 1)
    return HealthView(condition(seen, engine.halted), engine.halted, uptime_s, _version(), seen)


def condition(seen: Health, halted: str) -> Condition:
    """How the whole is, in a word."""
    if not (seen.engine.running and seen.bridge.running):
        return Condition.DOWN
    used = [each for each in seen.adapters if each.state not in _RESTING]
    if used and all(each.state is ConnectionState.FAILED for each in used):
        return Condition.DOWN
    trading = [each.trading for each in used if each.trading is not None]
    ailing = (
        halted
        or seen.problems
        or seen.engine.quarantined
        or seen.engine.failing
        or seen.bridge.blocked_s
        or any(each.state not in _SERVING for each in used)
        or any(each.severity == CRITICAL for each in seen.alerts)
        or any(each.halted or each.in_doubt or each.journal for each in trading)
    )
    return Condition.AILING if ailing else Condition.OK


def life(engine: MainEngine) -> Life:
    """Whether the process works at all."""
    return Life(condition(engine.health(), engine.halted) is not Condition.DOWN)


def adapters(engine: MainEngine) -> AdaptersView:
    """The venues."""
    states = {each.adapter_name: each for each in engine.health().adapters}
    return AdaptersView(
        tuple(
            AdapterView(name, states[name], facts_of(adapter), tuple(sorted(adapter.actions())))
            for name, adapter in adapters_of(engine).items()
            if name in states
        )
    )


def adapters_of(engine: MainEngine) -> dict[str, BaseAdapter]:
    """The adapters by name."""
    return {name: engine.adapter(name) for name in engine.get_all_adapter_names()}


def facts_of(adapter: BaseAdapter) -> dict[str, Fact]:
    """What an adapter tells of itself; what it could not, if it could not."""
    try:
        return dict(adapter.diagnostics())
    except Exception as error:  # noqa: BLE001 - boundary: one venue's trouble hides no other venue
        return {"problem": type(error).__name__}


def streams(engine: MainEngine) -> StreamsView:
    """The streams of all venues, those first that are not as they should be."""
    now_ns = time.time_ns()
    shown = [_stream(each, now_ns) for a in engine.health().adapters for each in a.streams]
    order = {word: place for place, word in enumerate(("dead", "stale", "polling", "fresh"))}
    shown.sort(key=lambda each: (order[each.freshness.value], each.adapter_name, each.vt_symbol))
    counted = Counter(each.freshness.value for each in shown)
    return StreamsView({word.value: counted[word.value] for word in Freshness}, tuple(shown))


def _stream(status: StreamStatus, now_ns: int) -> StreamView:
    age_s = round((now_ns - status.last_data_ns) / NS_PER_S, 3) if status.last_data_ns else None
    return StreamView(
        status.adapter_name,
        status.vt_symbol,
        status.channel.value,
        _FRESHNESS[status.state],
        status.state.value,
        status.mode.value,
        age_s,
        status.since_ns,
        status.last_data_ns,
        status.detail,
        status.reason,
    )


def orders(engine: MainEngine) -> OrdersView:
    """The orders; of those that ended, only the newest."""
    known = engine.get_all_orders()
    shown = [_order(each) for each in known]
    shown.sort(key=lambda each: each.time, reverse=True)
    shown.sort(key=lambda each: (not each.in_doubt, not each.active))
    active, doubts = (sum(getattr(o, name) for o in shown) for name in ("active", "in_doubt"))
    return OrdersView(len(known), active, doubts, tuple(shown[:MOST_ORDERS]))


def _order(order: OrderData) -> OrderView:
    return OrderView(
        order.adapter_name,
        order.vt_orderid,
        order.vt_symbol,
        order.type.value,
        order.direction.value if order.direction else "",
        order.price,
        order.volume,
        order.traded,
        order.status.value,
        (order.extra or {}).get("outcome") == "unknown",
        order.is_active(),
        order.datetime.isoformat(timespec="milliseconds") if order.datetime else "",
        order.reference,
        order.reason,
    )


def config(engine: MainEngine) -> ConfigView:
    """The settings in force, without what is secret."""
    settings = engine.settings
    return ConfigView(
        flags=_flags(settings.flags),
        overrides={name: _flags(each) for name, each in settings.overrides.items()},
        venues={
            name: {"adapter": entry.adapter, **_scalars(entry.connect.shown())}
            for name, entry in settings.venues.items()
        },
        strategies=tuple(
            {"name": each.name, "class": each.class_, "adapter": each.adapter}
            for each in settings.strategies
        ),
    )


def _flags(flags: BaseModel) -> dict[str, Scalar | list[Scalar]]:
    return _scalars(flags.model_dump(mode="json", by_alias=True))


def _scalars(values: Mapping[str, object]) -> dict[str, Scalar | list[Scalar]]:
    return {name: _scalar(value) for name, value in values.items()}


def _scalar(value: object) -> Scalar | list[Scalar]:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [each if isinstance(each, str | int | float | bool) else str(each) for each in value]
    return str(value)


def data(engine: MainEngine) -> DataView:
    """What is in the cache, what is subscribed, and where the data is kept."""
    oms = engine.oms
    stores = ("ticks", "depths", "orders", "trades", "positions", "accounts", "contracts", "quotes")
    place = data_directory()
    subscribed: dict[str, dict[str, int]] = {}
    for name, adapter in adapters_of(engine).items():
        wanted = Counter(request.channel.value for request in adapter.subscriptions())
        subscribed[name] = dict(wanted)
    return DataView(
        cached={store: len(getattr(oms, store).all()) for store in stores},
        subscribed=subscribed,
        directory=str(place),
        journals=_journals(engine, place),
        free_bytes=_free(place),
    )


def _journals(engine: MainEngine, place: Path) -> dict[str, int]:
    named = engine.settings.flags.journal_directory
    with contextlib.suppress(OSError):
        files = sorted(((Path(named) if named else place) / "journal").glob("*.db"))
        return {file.name: file.stat().st_size for file in files}
    return {}


def _free(place: Path) -> int:
    for each in (place, *place.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(each).free
    return 0


def pool_status(engine: MainEngine) -> FactsView:
    """The connections of a pool and their client ids, as they are now."""
    return _grouped(engine, "pool.", _of_now, beside="client_ids.")


def pool_metrics(engine: MainEngine) -> FactsView:
    """What a pool of connections has done since it began."""
    return _grouped(engine, "pool.", lambda name: not _of_now(name))


def pool_health(engine: MainEngine) -> PoolsView:
    """Whether each pool does its work."""
    states = {each.adapter_name: each.state for each in engine.health().adapters}
    shown: dict[str, PoolHealth] = {}
    for name, facts in _grouped(engine, "pool.", lambda _: True).adapters.items():
        state = states.get(name, ConnectionState.FAILED)
        healthy = state in _SERVING
        shown[name] = PoolHealth(healthy, "" if healthy else f"{name} is {state.value}", facts)
    return PoolsView(shown)


def pace_status(engine: MainEngine) -> FactsView:
    """What of a venue's allowance is used and left now, and who waits."""
    return _grouped(engine, "pace.", _of_now, beside="limits.")


def pace_stats(engine: MainEngine) -> FactsView:
    """What was sent to a venue, and what had to wait, since it began."""
    return _grouped(engine, "pace.", lambda name: not _of_now(name))


def _of_now(name: str) -> bool:
    """Whether a fact is of the moment; the others count since the start."""
    return name.endswith(_OF_NOW)


def _grouped(
    engine: MainEngine, prefix: str, wanted: Callable[[str], bool], *, beside: str = "\0"
) -> FactsView:
    shown: dict[str, dict[str, Fact]] = {}
    for name, adapter in adapters_of(engine).items():
        facts = facts_of(adapter)
        own = {key.removeprefix(prefix): facts[key] for key in facts if key.startswith(prefix)}
        more = {key: value for key, value in facts.items() if key.startswith(beside)}
        if own:
            shown[name] = {key: value for key, value in own.items() if wanted(key)} | more
    return FactsView(shown)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("foxtrot")
    except PackageNotFoundError:
        return "unknown"
