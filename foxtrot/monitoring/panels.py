"""What the dashboard shows, as rows and words; pure, so that no browser is needed to test it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from foxtrot.model.constants import ConnectionState, Environment
from foxtrot.model.health import AdapterHealth, Fact, RollOutHealth
from foxtrot.model.objects import NS_PER_S, utc
from foxtrot.monitoring.answers import (
    AdapterView,
    Condition,
    HealthView,
    OrdersView,
    StreamsView,
    StreamView,
)
from foxtrot.monitoring.history import Sample

Row = dict[str, str | int | float | None]

MOST_ROWS = 200
GOOD, FAIR, BAD, IDLE, NOTE = "positive", "orange-9", "negative", "grey-7", "blue-7"
"""Quasar's colours; each stands beside a word that says the same."""

_OF_FRESHNESS = {"fresh": GOOD, "polling": NOTE, "stale": FAIR, "dead": BAD}
_OF_STATE = {
    ConnectionState.READY: GOOD,
    ConnectionState.DEGRADED: FAIR,
    ConnectionState.RECONNECTING: FAIR,
    ConnectionState.FAILED: BAD,
    ConnectionState.DISCONNECTED: IDLE,
    ConnectionState.CLOSED: IDLE,
}
_OF_CONDITION = {Condition.OK: GOOD, Condition.AILING: FAIR, Condition.DOWN: BAD}
_OF_ENVIRONMENT = {Environment.LIVE: BAD, Environment.SIMULATED: "amber-9"}
_LIMIT, _LEFT, _MOST = "limits.", ".left", ".most"


class Pill(msgspec.Struct, frozen=True):
    """A word and its colour."""

    word: str
    color: str


class Limit(msgspec.Struct, frozen=True):
    """How much of a venue's limit is left."""

    name: str
    left: float
    most: float

    @property
    def share(self) -> float:
        """From 0, nothing is left, to 1."""
        return min(max(self.left / self.most, 0.0), 1.0) if self.most else 1.0

    @property
    def color(self) -> str:
        """Red when little is left."""
        return GOOD if self.share > 0.3 else FAIR if self.share > 0.1 else BAD


def status(view: HealthView) -> Pill:
    """How the whole is."""
    if view.halted:
        return Pill("halted", BAD)
    return Pill(view.status.value, _OF_CONDITION[view.status])


def state(health: AdapterHealth) -> Pill:
    """How a venue is."""
    return Pill(health.state.value, _OF_STATE.get(health.state, NOTE))


def environment(health: AdapterHealth) -> Pill | None:
    """What a venue is connected to; real money is red."""
    known = health.environment
    return Pill(known.value, _OF_ENVIRONMENT.get(known, "primary")) if known else None


def sessions(health: AdapterHealth, now_ns: int) -> list[str]:
    """A line about each session."""
    return [
        f"{each.name} {each.state.value} for {ago((now_ns - each.since_ns) / NS_PER_S)}"
        + (f", {each.reason}" if each.reason and each.state is not ConnectionState.READY else "")
        for each in health.sessions
    ]


def rollout(health: RollOutHealth | None, now_ns: int) -> list[str]:
    """A line about the roll-out of a venue's websocket; none without one."""
    if health is None:
        return []
    stands = "rolled back to polling" if health.rolled_back else health.stage
    for_ = ago((now_ns - health.since_ns) / NS_PER_S)
    left_s = (health.until_ns - now_ns) / NS_PER_S
    left = f", {ago(left_s)} to prove itself" if health.until_ns and left_s > 0 else ""
    return [f"roll-out: {stands} for {for_}{left}, {health.reason}"]


def figures(health: AdapterHealth) -> list[tuple[str, str]]:
    """What is counted of a venue: a name and a figure each."""
    shown = [
        ("messages", _short(health.received)),
        ("reconnects", str(health.reconnects)),
        ("errors", str(sum(health.errors_by_class.values()))),
    ]
    if (trading := health.trading) is not None:
        shown.append(("open orders", str(trading.open_orders)))
        shown.append(("in doubt", str(len(trading.in_doubt))))
    return shown


def stream_rows(view: StreamsView, words: str = "") -> list[Row]:
    """The streams that hold all of `words`; those first that are not as they should be."""
    wanted = words.lower().split()
    return [
        _stream_row(each)
        for each in view.streams
        if all(word in f"{_told(each)} {each.freshness.value}".lower() for word in wanted)
    ][:MOST_ROWS]


def _told(stream: StreamView) -> str:
    return f"{stream.vt_symbol} {stream.adapter_name} {stream.channel} {stream.mode}"


def _stream_row(stream: StreamView) -> Row:
    detail = f" {stream.detail}" if stream.detail else ""
    return {
        "id": f"{stream.adapter_name}/{stream.vt_symbol}/{stream.channel}{detail}",
        "freshness": stream.freshness.value,
        "color": _OF_FRESHNESS[stream.freshness.value],
        "symbol": stream.vt_symbol,
        "venue": stream.adapter_name,
        "channel": stream.channel + detail,
        "mode": stream.mode,
        "age": "never" if stream.age_s is None else ago(stream.age_s),
        "reason": stream.reason,
    }


def order_rows(view: OrdersView) -> list[Row]:
    """The orders; those in doubt stand on top, as the view has them."""
    return [
        {
            "id": each.vt_orderid,
            "state": "in doubt" if each.in_doubt else each.status.lower(),
            "color": BAD if each.in_doubt else NOTE if each.active else IDLE,
            "symbol": each.vt_symbol,
            "side": each.direction,
            "price": f"{each.price:,.10g}",
            "volume": f"{each.traded:,.10g} / {each.volume:,.10g}",
            "time": each.time[11:19],
            "reference": each.reference,
            "reason": each.reason,
        }
        for each in view.orders[:MOST_ROWS]
    ]


def error_rows(adapters: Iterable[AdapterHealth]) -> list[Row]:
    """The errors of all venues, newest first."""
    told = [
        (each.ts_ns, health.adapter_name, each) for health in adapters for each in health.errors
    ]
    told.sort(key=lambda item: item[0], reverse=True)
    return [
        {
            "id": number,
            "time": utc(ts_ns).strftime("%m-%d %H:%M:%S"),
            "venue": venue,
            "class": error.error_class.replace("_", " "),
            "action": error.action,
            "text": error.text,
        }
        for number, (ts_ns, venue, error) in enumerate(told[:MOST_ROWS])
    ]


def limits(facts: dict[str, Fact]) -> list[Limit]:
    """What is left of a venue's limits; the tightest first."""
    found = [
        Limit(name.removeprefix(_LIMIT).removesuffix(_LEFT).replace("_", " "), float(left), most)
        for name, left in facts.items()
        if name.startswith(_LIMIT) and name.endswith(_LEFT)
        if (most := float(facts.get(name.removesuffix(_LEFT) + _MOST, 0))) >= 0
    ]
    return sorted(found, key=lambda limit: limit.share)


def grouped(facts: dict[str, Fact], prefix: str) -> list[tuple[str, str]]:
    """The facts under a prefix: names without it, and figures in words."""
    return [
        (name.removeprefix(prefix).replace("_", " ").replace(".", " "), _figure(value))
        for name, value in facts.items()
        if name.startswith(prefix)
    ]


def has_pool(view: AdapterView) -> bool:
    """Whether a venue tells of a pool, a pace or limits."""
    return any(name.startswith(("pool.", "pace.", _LIMIT)) for name in view.facts)


def stream_note(view: StreamsView) -> str:
    """How many streams there are of each word, and whether all are listed."""
    words = ", ".join(f"{count} {word}" for word, count in view.counts.items())
    cut = len(view.streams) > MOST_ROWS
    return f"{words}; the first {MOST_ROWS} are listed, find the others" if cut else words


def counted(view: StreamsView, adapter_name: str) -> dict[str, int]:
    """How many streams of a venue are of each freshness."""
    words = Counter(s.freshness.value for s in view.streams if s.adapter_name == adapter_name)
    return {word: words[word] for word in _OF_FRESHNESS}


def warnings(view: HealthView) -> list[str]:
    """What a person should look at now."""
    health = view.health
    halted = [f"Trading is halted: {view.halted}"] if view.halted else []
    blocked = [f"The loop has stood still for {health.bridge.blocked_s:.1f} s"]
    return [
        *halted,
        *(blocked if health.bridge.blocked_s else ()),
        *(f"{alert.severity}: {alert.text}" for alert in health.alerts),
        *(f"not readable: {problem}" for problem in health.problems),
        *(f"set aside after failing again and again: {name}" for name in health.engine.quarantined),
    ]


def lines(samples: Sequence[Sample], figure: str) -> dict[str, list[list[float | None]]]:
    """Points (milliseconds since the epoch, value) of each adapter, for a plot of `figure`."""
    names = dict.fromkeys(name for sample in samples for name in getattr(sample, figure))
    return {
        name: [
            [sample.ts_ns / 1e6, _rounded(getattr(sample, figure).get(name))] for sample in samples
        ]
        for name in names
    }


def ago(seconds: float) -> str:
    """A span as people say it."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def moment(ns: int) -> str:
    """A time of day, UTC."""
    return dt.datetime.fromtimestamp(ns / NS_PER_S, dt.UTC).strftime("%H:%M:%S")


def _short(count: int) -> str:
    """A count in six characters or so, as a phone has no room for more."""
    for least, size, unit in ((10**10, 10**9, "G"), (10**7, 10**6, "M"), (10**5, 10**3, "k")):
        if count >= least:
            return f"{count // size:,}{unit}"
    return f"{count:,}"


def _figure(value: Fact) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
