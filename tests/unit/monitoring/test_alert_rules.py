"""The alert rules as a Prometheus would take them: parsed by a parser of PromQL, and looked up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import promql_parser as promql
import pytest

from foxtrot.monitoring.metrics import HealthCollector
from tests.support.full_health import HEALTH, NOW_NS

FILE = Path(__file__).resolve().parents[3] / "config" / "alerts.yml"
EXPRESSIONS: dict[str, str] = {
    name: json.loads(text)
    for name, text in re.findall(r"alert: (\w+)\n +expr: (\".*\")\n", FILE.read_text())
}
OF_COUNTERS = frozenset({"increase", "rate"})
OF_GAUGES = frozenset({"delta"})

Labels = frozenset[str]


def samples() -> dict[str, tuple[str, Labels]]:
    """What /metrics shows: by name, the kind of its family and its labels."""
    return {
        sample.name: (family.type, frozenset(sample.labels))
        for family in HealthCollector(lambda: HEALTH, lambda: NOW_NS).collect()
        for sample in family.samples
    }


class Rule:
    """What is wrong with an expression, as far as it can be known without a Prometheus."""

    def __init__(self, expression: str) -> None:
        self.shown, self.wrong = samples(), list[str]()
        self.labels = self._labels(promql.parse(expression))

    def _labels(self, node: promql.Expr) -> Labels | None:
        """The labels of its result; None of a number, which goes with any."""
        match node:
            case promql.BinaryExpr():
                return self._both(node)
            case promql.ParenExpr() | promql.UnaryExpr():
                return self._labels(node.expr)
            case promql.AggregateExpr():
                return self._aggregate(node)
            case promql.Call():
                return self._call(node)
            case promql.VectorSelector():
                return self._selector(node, frozenset({"gauge"}))
            case _:
                return None

    def _both(self, node: promql.BinaryExpr) -> Labels | None:
        left, right = self._labels(node.lhs), self._labels(node.rhs)
        if None not in (left, right) and left != right:
            self.wrong.append(f"{left} never meets {right} in {node.prettify()}")
        return left if right is None else right

    def _aggregate(self, node: promql.AggregateExpr) -> Labels:
        within = self._labels(node.expr) or frozenset()
        kept = frozenset(node.modifier.labels if node.modifier else ())
        if not kept <= within:
            self.wrong.append(f"no label {kept - within} in {node.prettify()}")
        return kept

    def _call(self, node: promql.Call) -> Labels | None:
        name, (*_, argument) = node.func.name, (None, *node.args)
        if not isinstance(argument, promql.MatrixSelector):
            return None if argument is None else self._labels(argument)
        kinds = {"gauge"} if name in OF_GAUGES else {"counter", "histogram"}
        if name not in OF_COUNTERS | OF_GAUGES:
            self.wrong.append(f"no test knows {name}")
        return self._selector(argument.vector_selector, frozenset(kinds))

    def _selector(self, node: promql.VectorSelector, kinds: Labels) -> Labels:
        kind, labels = self.shown.get(str(node.name), ("", frozenset()))
        if not kind:
            self.wrong.append(f"no metric {node.name}")
        elif kind not in kinds:
            self.wrong.append(f"{node.name} is a {kind}")
        if unknown := {matcher.name for matcher in node.matchers.matchers} - labels:
            self.wrong.append(f"{node.name} has no label {unknown}")
        return labels


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_prometheus_can_judge_the_rule(name: str) -> None:
    """It can be parsed, its metrics and labels exist, and what it compares has the same labels."""
    assert Rule(EXPRESSIONS[name]).wrong == []


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_what_an_alert_is_about_is_a_label_of_it(name: str) -> None:
    """A text that names the adapter stays empty there if the expression has dropped it."""
    text = FILE.read_text().partition(f"alert: {name}\n")[2].partition("- alert:")[0]
    named = set(re.findall(r"\$labels\.(\w+)", text))
    assert named <= (Rule(EXPRESSIONS[name]).labels or frozenset())


def test_every_rule_of_the_file_is_judged() -> None:
    """None is missed because it is written in another way."""
    assert len(EXPRESSIONS) == FILE.read_text().count("- alert:") == FILE.read_text().count("expr:")


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("rate(foxtrot_reconects_total[5m]) > 0", "no metric foxtrot_reconects_total"),
        ("foxtrot_reconnects_total > 5", "is a counter"),
        ("rate(foxtrot_queue_depth[5m]) > 5", "is a gauge"),
        ('foxtrot_streams{venue="V"} > 0', "has no label"),
        ("sum by (venue) (foxtrot_streams) > 0", "no label"),
        ("foxtrot_streams / foxtrot_orders_open > 1", "never meets"),
    ],
)
def test_a_rule_that_could_never_raise_an_alarm_is_found(expression: str, wrong: str) -> None:
    """A name, a kind or a label that is not there."""
    assert wrong in " ".join(Rule(expression).wrong)


def test_what_is_no_promql_is_refused() -> None:
    """The parser is a real one."""
    with pytest.raises(ValueError, match="expected type matrix"):
        Rule("rate(foxtrot_reconnects_total) > 0")
