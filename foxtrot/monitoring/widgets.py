"""The parts of the dashboard; each is made once for a browser, and told what is new."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Final

from nicegui import ui

from foxtrot.model.constants import Mode
from foxtrot.model.health import RollOutHealth
from foxtrot.monitoring import panels
from foxtrot.monitoring.answers import AdapterView
from foxtrot.monitoring.history import Sample
from foxtrot.monitoring.panels import Pill, Row

Switch = Callable[[str, Mode | None], Coroutine[object, object, None]]

STYLE: Final = """
body { font-size: 14px }
body.body--light { background: #f3f4f6 }
.nicegui-content { max-width: 1440px; margin: 0 auto; padding: 12px; gap: 12px;
  align-items: stretch }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; width: 100%;
  max-width: 1416px; margin: 0 auto }
.cards { display: grid; gap: 12px; width: 100%;
  grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)) }
.plots { display: grid; gap: 12px; width: 100%;
  grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)) }
.part { padding: 14px 16px; gap: 8px; width: 100%; min-width: 0; box-shadow: none;
  border: 1px solid #8883 }
.part .nicegui-row, .part .q-table__container { width: 100% }
.title { font-weight: 600; font-size: 15px }
.dim { opacity: .7 }
.small { font-size: 12px; line-height: 1.35; overflow-wrap: anywhere }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(58px, 1fr)); gap: 6px;
  width: 100% }
.figure { display: flex; flex-direction: column }
.number { font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums }
.facts { columns: 210px auto; column-gap: 20px; width: 100%;
  font-variant-numeric: tabular-nums }
.fact { display: flex; gap: 8px; justify-content: space-between; break-inside: avoid }
.fact > :last-child { overflow-wrap: anywhere }
.tops { columns: 460px auto; column-gap: 12px; width: 100% }
.tops > .part { break-inside: avoid; margin-bottom: 12px }
.q-table td, .q-table th { padding: 5px 8px }
.q-table tbody td { height: 34px; font-variant-numeric: tabular-nums }
.wrap { white-space: normal; min-width: 220px; overflow-wrap: anywhere }
.trouble { color: #c10015 }
body.body--dark .trouble { color: #ff8a8a }
.warning { padding: 8px 14px; border-left: 4px solid #c10015; background: #c1001518; width: 100%;
  overflow-wrap: anywhere }
.item { border-bottom: 1px solid #8883; padding: 8px 2px; width: 100% }
"""

_COLORS = ("#3b82f6", "#f59e0b", "#10b981", "#a855f7", "#ef4444", "#64748b")
_BADGE = """<q-td :props="props"><q-badge :color="props.row.color" class="text-weight-medium"
  :label="props.value" style="padding: 4px 8px"/></q-td>"""
_WRAPPED = '<q-td :props="props"><div class="wrap small">{{ props.value }}</div></q-td>'
_ITEM = """<div class="item">
  <div class="row items-center no-wrap" style="gap: 8px">
    %s<b>{{ props.row.%s }}</b><q-space/><span class="dim">{{ props.row.%s }}</span></div>
  <div class="small dim">{{ [%s].filter(x => x).join(' · ') }}</div></div>"""
_ITEM_BADGE = '<q-badge :color="props.row.color" :label="props.row.%s"/>'


class Badge:
    """A word on a colour."""

    def __init__(self) -> None:
        self._badge = ui.badge("").classes("text-weight-medium").style("padding: 5px 9px")

    def show(self, pill: Pill | None) -> None:
        """Show it, or nothing."""
        self._badge.set_visibility(pill is not None)
        if pill is not None:
            self._badge.set_text(pill.word)
            self._badge.props(f"color={pill.color}")


class VenueCard:
    """One venue: its state, its sessions, what is counted of it, and what can be asked of it."""

    def __init__(self, name: str, switch: Switch) -> None:
        with ui.card().classes("part").props("flat") as self.card:
            with ui.row().classes("items-center no-wrap").style("gap: 8px"):
                ui.label(name).classes("title")
                self._environment, self._state = Badge(), Badge()
                ui.space()
                _mode_menu(name, switch)
            self._figures, self._counts = Figures(), ui.label().classes("small")
            self._sessions = ui.label().classes("small dim").style("white-space: pre-line")
            self._trouble = ui.label().classes("small trouble")

    def show(
        self,
        view: AdapterView,
        counts: dict[str, int],
        rollout: RollOutHealth | None,
        now_ns: int,
    ) -> None:
        """Show what is new."""
        health = view.health
        self._state.show(panels.state(health))
        self._environment.show(panels.environment(health))
        self._figures.show(panels.figures(health))
        told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        self._counts.set_text(f"streams: {told or 'none'}")
        lines = [*panels.sessions(health, now_ns), *panels.rollout(rollout, now_ns)]
        self._sessions.set_text("\n".join([health.endpoint, *lines]))
        trading = health.trading
        trouble = [trading.halted, trading.journal] if trading is not None else []
        self._trouble.set_text("; ".join(filter(None, trouble)))


def _mode_menu(name: str, switch: Switch) -> None:
    choices = {
        "by websocket": Mode.WEBSOCKET,
        "by polling": Mode.POLLING,
        "as the settings say": None,
    }
    with ui.button("mode").props("flat dense no-caps size=sm icon-right=expand_more"), ui.menu():
        for words, mode in choices.items():
            ui.menu_item(words, partial(switch, name, mode))


class Figures:
    """Names and figures, side by side."""

    def __init__(self) -> None:
        self._grid = ui.element("div").classes("figures")
        self._shown: dict[str, ui.label] = {}

    def show(self, figures: Sequence[tuple[str, str]]) -> None:
        """Show what is new."""
        if [name for name, _ in figures] != list(self._shown):
            self._make([name for name, _ in figures])
        for name, figure in figures:
            self._shown[name].set_text(figure)

    def _make(self, names: Sequence[str]) -> None:
        self._grid.clear()
        self._shown.clear()
        with self._grid:
            for name in names:
                with ui.element("div").classes("figure"):
                    self._shown[name] = ui.label().classes("number")
                    ui.label(name).classes("small dim")


class Table:
    """Rows with a heading; on a phone, a list.

    Args:
        title: Its heading.
        columns: Name of the field, and the heading over it.
        item: The fields that a phone shows: the main one, one at the right, and the others.
        badge: The field that is shown on its row's colour.
        long: The field that may be long.
    """

    def __init__(
        self,
        title: str,
        columns: dict[str, str],
        *,
        item: tuple[str, str, Sequence[str]],
        badge: str = "",
        long: str = "",
        nothing: str = "nothing",
    ) -> None:
        self._rows: list[Row] = []
        self._nothing = nothing
        with ui.card().classes("part").props("flat"):
            with ui.row().classes("items-baseline"):
                ui.label(title).classes("title")
                self.note = ui.label().classes("small dim")
                ui.space()
                self.tools = ui.row().classes("items-center").style("width: auto")
            self._table = ui.table(
                columns=[_column(name, text) for name, text in columns.items()],
                rows=[],
                row_key="id",
                pagination={"rowsPerPage": 10},
            ).props("flat dense")
        self._table.props(':grid="window.innerWidth < 700"')
        first = _ITEM_BADGE % badge if badge else ""
        others = ", ".join(f"props.row.{each}" for each in item[2])
        self._table.add_slot("item", _ITEM % (first, item[0], item[1], others))
        if badge:
            self._table.add_slot(f"body-cell-{badge}", _BADGE)
        if long:
            self._table.add_slot(f"body-cell-{long}", _WRAPPED)

    def show(self, rows: list[Row], note: str = "") -> None:
        """Show these rows; nothing is sent if they are the same."""
        self.note.set_text(note or ("" if rows else self._nothing))
        self._table.set_visibility(bool(rows))
        if rows != self._rows:
            self._rows = rows
            self._table.rows = rows


def _column(name: str, text: str) -> dict[str, object]:
    right = name in {"price", "volume", "age"}
    return {
        "name": name,
        "label": text,
        "field": name,
        "align": "right" if right else "left",
        "sortable": True,
    }


class Plot:
    """Lines over time, one of each venue.

    Args:
        title: Its heading.
        figure: The field of the samples.
    """

    def __init__(self, title: str, figure: str) -> None:
        self._figure = figure
        with ui.card().classes("part").props("flat"):
            ui.label(title).classes("title")
            self._chart = ui.echart(_options()).style("height: 190px; width: 100%")

    def show(self, samples: Sequence[Sample]) -> None:
        """Draw the samples."""
        drawn = panels.lines(samples, self._figure)
        self._chart.options["series"] = [
            {
                "name": name,
                "type": "line",
                "showSymbol": False,
                "lineStyle": {"width": 1.6},
                "color": _COLORS[number % len(_COLORS)],
                "data": points,
            }
            for number, (name, points) in enumerate(sorted(drawn.items()))
        ]
        self._chart.update()


def _options() -> dict[str, object]:
    grey = "#888"
    axis = {
        "axisLabel": {"color": grey, "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": "#8883"}},
    }
    return {
        "animation": False,
        "grid": {"left": 8, "right": 32, "top": 28, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "textStyle": {"color": grey}, "itemHeight": 8},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "time", **axis, "splitLine": {"show": False}},
        "yAxis": {"type": "value", "min": 0, **axis},
        "series": [],
    }


class FactsCard:
    """What a venue tells of its pool, its pace, and what is left of its limits."""

    def __init__(self, name: str) -> None:
        with ui.card().classes("part").props("flat"):
            ui.label(f"{name}: limits, pacing, connections").classes("title")
            self._limits = ui.element("div").classes("cards").style("gap: 6px 16px")
            self._facts = ui.element("div").classes("facts small")
        self._shown: list[object] = []

    def show(self, view: AdapterView) -> None:
        """Show what is new."""
        limits = panels.limits(view.facts)
        facts = [
            (f"{group} {name}", figure)
            for group, prefix in (("pool", "pool."), ("ids", "client_ids."), ("pace", "pace."))
            for name, figure in panels.grouped(view.facts, prefix)
        ]
        if self._shown == [limits, facts]:
            return
        self._shown = [limits, facts]
        self._limits.clear()
        with self._limits:
            for limit in limits:
                _limit(limit)
        self._facts.clear()
        with self._facts:
            for name, figure in facts:
                with ui.element("div").classes("fact"):
                    ui.label(name).classes("dim")
                    ui.label(figure or "none")


def _limit(limit: panels.Limit) -> None:
    with ui.element("div"):
        with ui.row().classes("small no-wrap"):
            ui.label(limit.name).classes("dim")
            ui.space()
            ui.label(f"{limit.left:,.0f} of {limit.most:,.0f} left")
        ui.linear_progress(limit.share, show_value=False, size="6px", color=limit.color)
