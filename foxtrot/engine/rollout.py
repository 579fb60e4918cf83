"""Rolls the websockets of adapters out: lays the stage of each over the settings, and keeps it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Protocol

from foxtrot.connectivity.rollout import OF_MODE, Plan, RollOut, Served, Stage
from foxtrot.connectivity.vitals import vitals
from foxtrot.core.clock import Clock, SystemClock
from foxtrot.core.event_engine import EventEngine
from foxtrot.core.logs import get_logger
from foxtrot.core.process import process_health
from foxtrot.core.settings import FeatureFlags, Settings
from foxtrot.engine.rollout_file import Shelf
from foxtrot.errors import NotSupported
from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.constants import Mode
from foxtrot.model.events import EVENT_TIMER, Event
from foxtrot.model.health import AdapterHealth, RollOutHealth

WATCH_LANE: Final = "watch"
"""The thread of what looks after the rest, so that no handler of the market waits for it."""

log = get_logger("foxtrot.rollout")


class Engine(Protocol):
    """The main engine, as far as this needs it."""

    event_engine: EventEngine
    settings: Settings

    def adapter(self, name: str) -> BaseAdapter:
        """The adapter of that name."""

    def write_log(self, msg: str, source: str) -> None:
        """A line for the people who watch."""


class RollOuts:
    """The roll-outs of one engine.

    An adapter that is connected to another environment than before begins anew there, or goes on
    with what an earlier process has reached.

    Thread safety: every method from any thread; `look` is called on the lane `watch`.

    Args:
        engine: Whose adapters these are.
        apply: Makes the adapters follow the settings anew.
        clock: Where the time comes from.
    """

    def __init__(
        self, engine: Engine, apply: Callable[[], object], clock: Clock | None = None
    ) -> None:
        self._engine, self._apply, self.clock = engine, apply, clock or SystemClock()
        self._lock = threading.RLock()
        self._rolls: dict[str, RollOut] = {}  # under the lock
        self._keeping = threading.Lock()  # taken before the other, as files take their time
        self._shelf = Shelf(lambda name: engine.settings.for_adapter(name))
        self._laid: Mapping[str, Served] = {}  # replaced, never changed
        self._shown: Mapping[str, RollOutHealth] = {}
        self._looks = False

    def health(self) -> dict[str, RollOutHealth]:
        """Where each roll-out stands, by adapter."""
        return dict(self._shown)

    def over(self, settings: Settings) -> Settings:
        """`settings`, with the stages of now laid over them: what the adapters are to see."""
        laid = self._laid
        if not laid:
            return settings
        overrides = dict(settings.overrides)
        for name, served in laid.items():
            flags = settings.for_adapter(name)
            changed = {"websocket_enabled": served.websocket, "websocket_symbols": served.symbols}
            overrides[name.upper()] = flags.model_copy(update=changed)
        return replace(settings, overrides=MappingProxyType(overrides))

    def follow(self, settings: Settings, adapter_names: list[str]) -> None:
        """Begin, end and replan what the settings say."""
        now, now_ns = self.clock.monotonic(), self.clock.time_ns()
        with self._lock:
            for name in adapter_names:
                flags, roll = settings.for_adapter(name), self._rolls.get(name)
                if roll is not None:
                    roll.plan = plan_of(flags)
                if flags.rollout_enabled and roll is None:
                    self._rolls[name] = RollOut(plan_of(flags), now, now_ns)
                elif roll is not None and not flags.rollout_enabled and not roll.pinned:
                    del self._rolls[name]
            self._publish()
        self._keep()

    def override(self, name: str, stage: Stage | None) -> None:
        """Let an adapter stand at `stage`; None: as the settings say, a roll-out begins anew.

        Raises:
            ConfigurationError: There is no such adapter.
        """
        name = self._engine.adapter(name).adapter_name
        flags = self._engine.settings.for_adapter(name)
        now, now_ns = self.clock.monotonic(), self.clock.time_ns()
        with self._lock:
            roll = self._rolls.get(name)
            if stage is not None:
                roll = self._rolls.setdefault(name, RollOut(plan_of(flags), now, now_ns))
                roll.override(stage, now, now_ns)
            elif roll is not None and flags.rollout_enabled:
                roll.release(now, now_ns)
            else:
                self._rolls.pop(name, None)
            self._publish()
        log.warning("mode_override", venue=name, stage=stage.value if stage else "")
        self._keep()
        self._apply()

    def override_mode(self, name: str, mode: Mode | None) -> None:
        """The same by mode: everything streamed, or everything polled.

        Raises:
            ConfigurationError: There is no such adapter.
            NotSupported: The venue cannot be polled.
        """
        if mode is Mode.POLLING and not self._engine.adapter(name).capabilities.polled:
            raise NotSupported(name, "polling")
        self.override(name, None if mode is None else OF_MODE[mode])

    def look(self) -> None:
        """Judge each roll-out by the figures of now."""
        latency, memory = self._engine.event_engine.health().latency, process_health().memory_bytes
        adapters = {name: self._engine.adapter(name) for name in list(self._rolls)}
        healths = {name: each.health(streams=False) for name, each in adapters.items()}
        moved = self._take_over(healths)
        now, now_ns = self.clock.monotonic(), self.clock.time_ns()
        with self._lock:
            for name in healths.keys() & self._rolls.keys():
                figures = vitals(healths[name], latency.get(name))
                if self._rolls[name].look(figures, memory, now, now_ns):
                    moved.add(name)
            self._publish()
            shown = self._shown
        self._keep()
        for name in moved & shown.keys():
            self._tell(name, shown[name])
        if moved:
            self._apply()

    def _take_over(self, healths: Mapping[str, AdapterHealth]) -> set[str]:
        """Go on with what earlier processes have reached; whose stage is another after that."""
        taken = set()
        with self._keeping:
            for name, health in healths.items():
                here, before = health.environment, self._shelf.environment(name)
                if here is None or here is before:
                    continue
                kept = self._shelf.recall(name, here)
                now, now_ns = self.clock.monotonic(), self.clock.time_ns()
                with self._lock:
                    roll = self._rolls.get(name)
                    if roll is None or roll.pinned:
                        continue
                    if before is not None:
                        roll.release(now, now_ns)
                    if kept is not None:
                        roll.resume(kept, now, now_ns)
                    if before is not None or kept is not None:
                        taken.add(name)
        return taken

    def _keep(self) -> None:
        with self._keeping:
            now = self.clock.monotonic()
            with self._lock:
                reached = {name: roll.progress(now) for name, roll in self._rolls.items()}
            self._shelf.keep(reached)

    def _publish(self) -> None:
        self._laid = {name: roll.served for name, roll in self._rolls.items()}
        self._shown = {name: roll.health for name, roll in self._rolls.items()}
        looks = bool(self._rolls)
        if looks is not self._looks:
            self._looks, events = looks, self._engine.event_engine
            if looks:
                events.register(EVENT_TIMER, self._on_timer, lane=WATCH_LANE)
            else:
                events.unregister(EVENT_TIMER, self._on_timer)

    def _tell(self, name: str, health: RollOutHealth) -> None:
        say = log.error if health.rolled_back else log.info
        what = "rolled_back" if health.rolled_back else "rollout_stage"
        say(what, venue=name, stage=health.stage, reason=health.reason)
        words = "was rolled back to polling" if health.rolled_back else f"serves {health.stage}"
        self._engine.write_log(f"the websocket of {name} {words}: {health.reason}", "rollout")

    def _on_timer(self, event: Event) -> None:
        self.look()


def plan_of(flags: FeatureFlags) -> Plan:
    """What the settings of an adapter say of its roll-out."""
    return Plan(
        flags.rollout_symbols,
        {
            Stage.POLLING: flags.rollout_polling_s,
            Stage.FIRST: flags.rollout_first_s,
            Stage.TOP: flags.rollout_top_s,
            Stage.MAJORS: flags.rollout_majors_s,
            Stage.ALL: flags.rollout_all_s,
        },
        Stage(flags.rollout_begin),
    )
