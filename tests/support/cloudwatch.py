"""CloudWatch's evaluation of an alarm on simulated metrics.

How an alarm treats missing data, and M out of N:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
Expressions: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

A metric is its values by the second in which they were put. Where one metric has no value, arithmetic, comparisons and AND
count it as 0; where none has, there is no value. FILL has a value everywhere, also for a minute whose data is still to come.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

Metric = Mapping[int, float] | Mapping[float, float]
"""Values by their time in seconds."""
Series = dict[int, float]
"""Data points by the start of their period."""

EXTRA = 2  # CloudWatch reads more periods than it evaluates: five for three, says its page

_OPERATORS: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.Eq: operator.eq,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}


@dataclass(frozen=True)
class Alarm:
    """An alarm of a template, by the metrics that it names."""

    properties: Mapping[str, Any]

    @property
    def period(self) -> int:
        if "Metrics" in self.properties:
            [period] = {it["MetricStat"]["Period"] for it in self.properties["Metrics"] if "MetricStat" in it}
            return int(period)
        return int(self.properties["Period"])

    def states(self, metrics: Mapping[str, Metric], seconds: int, late: Mapping[str, float] | None = None) -> list[str]:
        """Return its state at the end of each period. `metrics` are by their names, or their ids if it has an expression.

        `late` says of some after how many seconds their values are there.
        """
        states: list[str] = []
        period, number = self.period, int(self.properties["EvaluationPeriods"])
        found = self._values(self._points(metrics), range(0, seconds, period))
        for end in range(period, seconds + 1, period):
            periods = range(max(0, end - period * (number + EXTRA)), end, period)
            if late:
                points = self._points({name: _before(end - late.get(name, 0), metric) for name, metric in metrics.items()})
                found = self._values(points, periods)
            states.append(self._state(found, periods, number, states[-1] if states else "INSUFFICIENT_DATA"))
        return states

    def _points(self, metrics: Mapping[str, Metric]) -> dict[str, Series]:
        stats = {it["Id"]: it["MetricStat"]["Stat"] for it in self.properties.get("Metrics", []) if "MetricStat" in it}
        stats = stats or {self.properties["MetricName"]: self.properties["Statistic"]}
        assert metrics.keys() == stats.keys()
        return {name: _summed(metrics[name], stat, self.period) for name, stat in stats.items()}

    def _values(self, points: Mapping[str, Series], periods: Sequence[int]) -> Series:
        if "Metrics" not in self.properties:
            [series] = points.values()
            return {period: series[period] for period in periods if period in series}
        [expression] = [it["Expression"] for it in self.properties["Metrics"] if "Expression" in it]
        return evaluate(expression, points, periods)

    def _state(self, found: Series, periods: Sequence[int], number: int, before: str) -> str:
        breaches = _COMPARISONS[self.properties["ComparisonOperator"]]
        treatment = self.properties["TreatMissingData"]
        points = [breaches(found[period], self.properties["Threshold"]) for period in periods if period in found][-number:]
        missing = number - len(points)  # real points of the whole range come first
        if missing and treatment == "ignore":
            return before
        points += [treatment == "breaching"] * missing
        needed = self.properties.get("DatapointsToAlarm", number)
        return "ALARM" if sum(points) >= needed else "OK"


def _before(end: float, metric: Metric) -> Metric:
    return {at: value for at, value in metric.items() if at < end}


def evaluate(expression: str, metrics: Mapping[str, Series], periods: Sequence[int]) -> Series:
    """Evaluate metric math: FILL, IF, AND, and arithmetic and comparisons of numbers and metrics."""
    tree = _parse(expression)
    found = {period: _value(tree, metrics, period) for period in periods}
    return {period: value for period, value in found.items() if value is not None}


@cache
def _parse(expression: str) -> ast.AST:
    python = re.sub(r"\bIF\(", "IF_(", expression).replace(" AND ", " and ")
    return ast.parse(python, mode="eval").body


def _value(node: ast.AST, metrics: Mapping[str, Series], period: int) -> float | None:
    match node:
        case ast.Constant(float() | int() as number):
            return float(number)
        case ast.Name(id_):
            return metrics[id_].get(period)
        case ast.Call(ast.Name("FILL"), [metric, filling]):
            value = _value(metric, metrics, period)
            return _value(filling, metrics, period) if value is None else value
        case ast.Call(ast.Name("IF_"), [condition, yes, no]):
            holds = _value(condition, metrics, period)
            return None if holds is None else _value(yes if holds else no, metrics, period)
        case ast.BoolOp(ast.And(), parts):
            values = _counted(parts, metrics, period)
            return None if values is None else float(all(values))
        case ast.BinOp(left, operation, right) | ast.Compare(left, [operation], [right]):
            values = _counted([left, right], metrics, period)
            return None if values is None else float(_OPERATORS[type(operation)](*values))
    raise AssertionError(f"not known: {ast.dump(node)}")


def _counted(parts: list[ast.expr], metrics: Mapping[str, Series], period: int) -> list[float] | None:
    """Return the values of the operands, or nothing if none but numbers has one."""
    values = [_value(part, metrics, period) for part in parts]
    if all(value is None or isinstance(part, ast.Constant) for part, value in zip(parts, values, strict=True)):
        return None
    return [value or 0.0 for value in values]


def _summed(metric: Metric, statistic: str, length: int) -> Series:
    values: dict[int, list[float]] = {}
    for at, value in metric.items():
        values.setdefault(int(at // length) * length, []).append(value)
    how: Mapping[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max, "SampleCount": len}
    return {start: how[statistic](found) for start, found in values.items()}
