"""The dashboard of template.yaml as data, and what CloudWatch would show in it.

The short forms of metrics are those of CloudWatch's "Dashboard Body Structure and Syntax": "." repeats what stands in the same
place of the metric before, and "..." everything but the last value.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from in_process.moto_stack import MotoStack

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    dimensions: Dimensions
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Widget:
    kind: str
    x: int
    y: int
    width: int
    height: int
    properties: Mapping[str, Any]
    metrics: tuple[Metric, ...]

    @property
    def title(self) -> str:
        return str(self.properties["title"])

    def statistic(self, metric: Metric) -> str:
        return str(metric.options.get("stat", self.properties.get("stat")))

    def label(self, metric: Metric) -> str:
        """The metric's name in the legend. CloudWatch takes what distinguishes it from the others of the widget."""
        if "label" in metric.options:
            return str(metric.options["label"])
        one_name = len({other.name for other in self.metrics}) == 1
        return metric.dimensions[-1][1] if one_name else metric.name


def dashboard(stack: MotoStack) -> list[Widget]:
    """Return the widgets with the names of a stack's resources in them."""
    [properties] = stack.template.resources("AWS::CloudWatch::Dashboard").values()
    body = json.loads(stack.resolve(properties["DashboardBody"]))
    return [
        Widget(
            **{name: found[name] for name in ("x", "y", "width", "height", "properties")}, kind=found["type"], metrics=metrics
        )
        for found in body["widgets"]
        for metrics in [tuple(spelled_out(found["properties"].get("metrics", [])))]
    ]


def spelled_out(short: list[list[Any]]) -> list[Metric]:
    """Return metrics without their short forms."""
    found, before = [], [""]
    for entry in short:
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        given = [value for value in entry if not isinstance(value, dict)]
        if given[0] == "...":
            given = before[: len(before) + 1 - len(given)] + given[1:]
        before = [before[place] if value == "." else value for place, value in enumerate(given)]
        namespace, name, *rest = before
        found.append(Metric(namespace, name, tuple(zip(rest[::2], rest[1::2], strict=True)), options))
    return found


@dataclass
class Recorded:
    """Values of metrics with their times, in epoch seconds."""

    values: dict[Metric, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, at: float, namespace: str, name: str, dimensions: Mapping[str, str], value: float) -> None:
        self.values[Metric(namespace, name, tuple(dimensions.items()))].append((at, value))

    def add_embedded(self, at: float, line: str) -> None:
        """Add the metrics of a log line in CloudWatch's embedded metric format, if it is one."""
        if not line.startswith("{") or "_aws" not in (logged := json.loads(line)):
            return
        for directive in logged["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = {name: logged[name] for name in names}
                for metric in directive["Metrics"]:
                    found = logged[metric["Name"]]
                    for value in found if isinstance(found, list) else [found]:
                        self.add(at, directive["Namespace"], metric["Name"], dimensions, value)

    def series(self, metric: Metric, statistic: str, period: int) -> list[tuple[float, float]]:
        """Return the statistic of each period that has values, at the period's begin."""
        periods = defaultdict(list)
        for at, value in self.values.get(metric, []):
            periods[at // period * period].append(value)
        return [(at, statistic_of(values, statistic)) for at, values in sorted(periods.items())]


def statistic_of(values: list[float], statistic: str) -> float:
    match statistic:
        case "Sum":
            return sum(values)
        case "Maximum":
            return max(values)
        case percentile if percentile.startswith("p"):
            return sorted(values)[math.ceil(len(values) * float(percentile[1:]) / 100) - 1]
    raise NotImplementedError(f"the statistic {statistic}")
