"""The dashboard page. The one place, with its widgets, that knows NiceGUI; imported when wanted.

NiceGUI keeps its state in its module, so one process has one dashboard.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Coroutine, Mapping
from typing import Final

from fastapi import FastAPI
from nicegui import ui

from foxtrot.core.redaction import scrub
from foxtrot.errors import FoxtrotError, InvalidState
from foxtrot.model.constants import Mode
from foxtrot.model.health import RollOutHealth
from foxtrot.monitoring import panels, views
from foxtrot.monitoring.acts import Acts
from foxtrot.monitoring.answers import AdapterView, Done, HealthView, StreamsView
from foxtrot.monitoring.door import HOME
from foxtrot.monitoring.history import History
from foxtrot.monitoring.readings import NoAnswer, Readings
from foxtrot.monitoring.widgets import STYLE, Badge, FactsCard, Plot, Table, VenueCard

PERIOD_S: Final = 2.0
_mounted = threading.Event()

_REASON = "asked to on the dashboard"
_WHAT_A_HALT_DOES = (
    "New orders are refused at once, and every open order of ours is cancelled. "
    "Positions stay as they are. It holds until you resume."
)
_ORDERS = {
    "state": "state",
    "symbol": "symbol",
    "side": "side",
    "price": "price",
    "volume": "traded / volume",
    "time": "time (UTC)",
    "id": "id",
    "reference": "by",
    "reason": "reason",
}
_STREAMS = {
    "freshness": "freshness",
    "symbol": "symbol",
    "venue": "venue",
    "channel": "channel",
    "mode": "mode",
    "age": "last data",
    "reason": "reason",
}
_ERRORS = {
    "time": "time (UTC)",
    "venue": "venue",
    "class": "class",
    "action": "action",
    "text": "what",
}


def mount(app: FastAPI, readings: Readings, acts: Acts, history: History) -> None:
    """Add the page to an application.

    Raises:
        InvalidState: This process has, or had, a dashboard.
    """
    if _mounted.is_set():
        raise InvalidState("a process has one dashboard; this one had it")
    _mounted.set()

    @ui.page("/", title="foxtrot")
    def page() -> None:
        Page(readings, acts, history)

    ui.run_with(
        app,
        mount_path=HOME.rstrip("/"),
        title="foxtrot",
        favicon="🦊",
        dark=None,
        tailwind=False,
        reconnect_timeout=10.0,
        message_history_length=50,
        gzip_middleware_factory=None,
        show_welcome_message=False,
    )


class Page:
    """The page in one browser."""

    def __init__(self, readings: Readings, acts: Acts, history: History) -> None:
        self._readings, self._acts, self._history = readings, acts, history
        self._venues: dict[str, VenueCard] = {}
        self._facts: dict[str, FactsCard] = {}
        ui.add_css(STYLE)
        self._make_header()
        self._alerts = ui.column().style("gap: 4px; width: 100%")
        self._told: list[str] = []
        self._cards = ui.element("div").classes("cards")
        with ui.element("div").classes("plots"):
            self._plots = [
                Plot("Messages a second", "rates"),
                Plot("Until handled, p99, ms", "p99_ms"),
            ]
        self._make_tables()
        self._pools = ui.element("div").classes("tops")
        self._errors = Table(
            "Errors",
            _ERRORS,
            item=("venue", "time", ("class", "action", "text")),
            long="text",
            nothing="no errors",
        )
        ui.timer(PERIOD_S, self._refresh)
        ui.timer(0.05, self._refresh, once=True)

    def _make_header(self) -> None:
        header = ui.header().props("bordered").classes("bg-dark text-white")
        with header, ui.element("div").classes("bar"):
            ui.label("foxtrot").style("font-weight: 700; font-size: 17px")
            self._status = Badge()
            self._uptime = ui.label().classes("dim small gt-xs")
            ui.space()
            self._resume = ui.button("Resume", on_click=self._on_resume)
            self._resume.props("color=positive no-caps icon=play_arrow").set_visibility(False)
            self._dialog = self._make_dialog()
            self._halt = ui.button("Halt trading", on_click=self._dialog.open)
            self._halt.props("color=negative no-caps icon=front_hand")

    def _make_dialog(self) -> ui.dialog:
        with ui.dialog() as dialog, ui.card().style("max-width: 420px"):
            ui.label("Halt trading at every venue?").classes("title")
            ui.label(_WHAT_A_HALT_DOES)
            self._reason = ui.input("Reason", value=_REASON).style("width: 100%")
            with ui.row().classes("justify-end").style("width: 100%"):
                ui.button("Back", on_click=dialog.close).props("flat no-caps")
                confirm = ui.button("Halt now", on_click=self._on_halt)
                confirm.props("color=negative no-caps")
        return dialog

    def _make_tables(self) -> None:
        self._orders = Table(
            "Orders",
            _ORDERS,
            item=("symbol", "time", ("side", "volume", "price", "reference", "reason")),
            badge="state",
            long="reason",
            nothing="no orders",
        )
        self._streams = Table(
            "Streams",
            _STREAMS,
            item=("symbol", "age", ("venue", "channel", "mode", "reason")),
            badge="freshness",
            long="reason",
            nothing="no streams",
        )
        with self._streams.tools:
            self._words = ui.input(placeholder="find", on_change=self._refresh)
            self._words.props("dense clearable debounce=300")

    # -- what is new ------------------------------------------------------------------------

    async def _refresh(self) -> None:
        try:
            health = (await self._readings.of(views.health)).data
            adapters = (await self._readings.of(views.adapters)).data
            streams = (await self._readings.of(views.streams)).data
            orders = (await self._readings.of(views.orders)).data
        except NoAnswer:
            self._status.show(panels.Pill("no answer", panels.BAD))
            return
        self._show_header(health)
        self._show_alerts(health)
        self._show_venues(adapters.adapters, streams, health.health.rollouts)
        for plot in self._plots:
            plot.show(self._history.samples())
        rows = panels.stream_rows(streams, self._words.value or "")
        self._streams.show(rows, panels.stream_note(streams))
        told = f"{orders.active} open, {orders.in_doubt} in doubt, {orders.total} in all"
        self._orders.show(panels.order_rows(orders), told)
        self._errors.show(panels.error_rows(health.health.adapters))

    def _show_header(self, view: HealthView) -> None:
        self._status.show(panels.status(view))
        self._uptime.set_text(f"up for {panels.ago(view.uptime_s)}, version {view.version}")
        self._resume.set_visibility(bool(view.halted))
        self._halt.set_visibility(not view.halted)

    def _show_alerts(self, view: HealthView) -> None:
        told = panels.warnings(view)
        if told == self._told:
            return
        self._told = told
        self._alerts.clear()
        with self._alerts:
            for text in told:
                with (
                    ui.card().classes("part").props("flat").style("border-left: 4px solid #c10015")
                ):
                    ui.label(text)

    def _show_venues(
        self,
        adapters: tuple[AdapterView, ...],
        streams: StreamsView,
        rollouts: Mapping[str, RollOutHealth],
    ) -> None:
        now_ns = time.time_ns()
        for view in adapters:
            if view.name not in self._venues:
                with self._cards:
                    self._venues[view.name] = VenueCard(view.name, self._on_mode)
                if panels.has_pool(view):
                    with self._pools:
                        self._facts[view.name] = FactsCard(view.name)
            counts = panels.counted(streams, view.name)
            self._venues[view.name].show(view, counts, rollouts.get(view.name), now_ns)
            if view.name in self._facts:
                self._facts[view.name].show(view)

    # -- what is asked ----------------------------------------------------------------------

    async def _on_halt(self) -> None:
        self._dialog.close()
        await self._do(self._acts.halt(self._reason.value or _REASON))

    async def _on_resume(self) -> None:
        await self._do(self._acts.resume())

    async def _on_mode(self, name: str, mode: Mode | None) -> None:
        await self._do(self._acts.switch(name, mode))

    async def _do(self, work: Coroutine[object, object, Done]) -> None:
        try:
            done = await work
        except NoAnswer:
            ui.notify("No answer in time; it may still be done.", type="warning")
        except FoxtrotError as error:
            ui.notify(scrub(str(error), limit=200), type="negative")
        else:
            ui.notify(f"Done: {done.done}", type="positive")
        await self._refresh()
